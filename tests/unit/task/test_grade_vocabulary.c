/* test_grade_vocabulary.c - token ids to bytes, and a decoded answer through a grader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/task/grade_table.h"

static const uint64_t offsets[] = {0, 7, 8, 9, 10, 12, 12};
static const struct cola_vocabulary vocabulary = {(const uint8_t *)"\\boxed{7}\n\xc3\xa9", offsets, 6};

static void decode_concatenates_up_to_the_first_stop_token(void **state)
{
    (void)state;
    struct cola_text text;
    int32_t token[] = {0, 1, 2, 5, 4, 3, 1}, stop[] = {9, 3};
    assert_int_equal(cola_vocabulary_decode(&vocabulary, token, 7, stop, 2, &text), COLA_OK);
    assert_int_equal(text.n_bytes, 11);
    assert_memory_equal(text.bytes, "\\boxed{7}\xc3\xa9", 11);
    struct cola_grade grade;
    struct cola_grading grading = {COLA_GRADE_BOXED, text_of("7.0"), 0};
    assert_int_equal(cola_grade(&grading, text, &grade), COLA_OK);
    assert_int_equal(grade.verdict, COLA_GRADE_RIGHT);
    free((void *)text.bytes);
    assert_int_equal(cola_vocabulary_decode(&vocabulary, token, 7, NULL, 0, &text), COLA_OK);
    assert_int_equal(text.n_bytes, 13);
    free((void *)text.bytes);
    assert_int_equal(cola_vocabulary_decode(&vocabulary, NULL, 0, NULL, 0, &text), COLA_OK);
    assert_int_equal(text.n_bytes, 0);
    free((void *)text.bytes);
}

static void decode_refuses_tokens_outside_the_vocabulary(void **state)
{
    (void)state;
    struct cola_text text = {"kept", 4};
    int32_t high[] = {0, 6}, low[] = {-1};
    assert_int_equal(cola_vocabulary_decode(&vocabulary, high, 2, NULL, 0, &text), COLA_ERR_INPUT);
    assert_non_null(strstr(cola_error_text(), "6"));
    assert_int_equal(cola_vocabulary_decode(&vocabulary, low, 1, NULL, 0, &text), COLA_ERR_INPUT);
    assert_string_equal(text.bytes, "kept");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_concatenates_up_to_the_first_stop_token),
        cmocka_unit_test(decode_refuses_tokens_outside_the_vocabulary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

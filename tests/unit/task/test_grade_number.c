/* test_grade_number.c - the number rule on the table of tests/data/grades, and golds that are no numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/task/grade_table.h"

static int verdict_of(const char *word)
{
    if (strcmp(word, "right") == 0) return COLA_GRADE_RIGHT;
    if (strcmp(word, "wrong") == 0) return COLA_GRADE_WRONG;
    assert_string_equal(word, "unparsed");
    return COLA_GRADE_UNPARSED;
}

static void number_every_row_of_the_table(void **state)
{
    (void)state;
    struct grade_table table;
    int n = 0, failed = 0;
    grade_table_open(&table, "numbers.tsv");
    while (grade_table_next(&table)) {
        struct cola_grade grade;
        assert_int_equal(table.n_columns, 5);
        struct cola_text text = {table.column[1], grade_table_unescape(table.column[1])};
        struct cola_grading grading = {COLA_GRADE_NUMBER, text_of(table.column[0]), 0};
        assert_int_equal(cola_grade(&grading, text, &grade), COLA_OK);
        const char *answer = strcmp(table.column[3], "-") == 0 ? "" : table.column[3];
        bool ok = grade.verdict == verdict_of(table.column[2]) && strcmp(grade.answer, answer) == 0;
        if (!ok)
            print_error("gold %s, '%s' (%s): verdict %d, answer '%s'\n", table.column[0], table.column[1],
                        table.column[4], grade.verdict, grade.answer);
        failed += !ok;
        n++;
    }
    assert_true(n >= 45);
    assert_int_equal(failed, 0);
}

static void number_gold_is_read_from_a_whole_solution(void **state)
{
    (void)state;
    struct cola_grade grade;
    struct cola_grading grading = {COLA_GRADE_NUMBER, text_of("9 * 2 = $<<9*2=18>>18 a day.\n#### 1,018"), 0};
    assert_int_equal(cola_grade(&grading, text_of("1018"), &grade), COLA_OK);
    assert_int_equal(grade.verdict, COLA_GRADE_RIGHT);
    assert_int_equal(cola_grade(&grading, text_of("18"), &grade), COLA_OK);
    assert_int_equal(grade.verdict, COLA_GRADE_WRONG);
}

static void number_golds_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "eighteen", "####",
                                      "99999999999999999999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cola_grading grading = {COLA_GRADE_NUMBER, text_of(bad[i]), 0};
        assert_int_equal(cola_grade_check_gold(&grading), COLA_ERR_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_every_row_of_the_table),
        cmocka_unit_test(number_gold_is_read_from_a_whole_solution),
        cmocka_unit_test(number_golds_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_grade_bounds.c - any bytes at any length: no crash, and a time that grows with the length only. The
 * hostile texts are a megabyte each; the limit is a hundred times what a plain scan takes, and a quadratic
 * way through any of them would take hours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "unit/task/grade_table.h"

enum { LONG_TEXT = 1 << 20 };

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time); /* of this process alone: the machine may be busy */
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static char *repeated(const char *what, size_t n)
{
    char *text = malloc(n);
    size_t length = strlen(what);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++) text[i] = what[i % length];
    return text;
}

static double limit_s(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return 10;
#else
    return 1;
#endif
}

static void any_rule_on_a_hostile_megabyte_is_quick(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "{",
        "\\boxed{",
        "\\boxed{{",
        "\\boxed{1}",
        "\\boxed{\\frac{",
        "\\boxed{(x+y+z+a+b)^9}",
        "\\boxed{\\sqrt{999999999989}}",
        "\\boxed{(((((((((((((((((((((((1)))))))))))))))))))))))}",
        "\\boxed{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17}",
        "\\boxed{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{1}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}",
        "\\boxed{\\mathbf{\\bm{\\mathbf{\\bm{\\mathbf{\\bm{\\mathbf{\\bm{(1,2)}}}}}}}}}",
        "\\boxed{\\bf\\bf\\bf\\bf\\bf\\bf\\bf\\bf\\bf\\bf\\bf 1}",
        "\\boxed{\\pm\\pm 1,\\pm 2,\\pm 3}",
        "\\boxed{100,200,300}",
        "\\boxed 7",
        "#### ",
        "####.",
        "answer is ",
        "answer: ",
        "answer is answer ",
        "(A",
        "A",
        "(",
        "9",
        "9,999",
        "1/",
        "-",
        "\\",
        "\\text{",
        "the answer is\n",
        "option ",
        "\xe2\x88\x92",
        "\xff",
        "a.b.",
        "=",
        "answer = = ",
        "\\boxed{\\sqrt{\\sqrt{\\sqrt{\\sqrt{\\sqrt{x+1}+2}+3}+4}+5}^{33}/(x+y+1)^{7}/(x+y+2)^{7}}",
    };
    static const struct cola_grading grading[] = {{COLA_GRADE_LETTER, {"B", 1}, 4},
                                                  {COLA_GRADE_BOXED, {"(x+y)^3,100,200", 15}, 0},
                                                  {COLA_GRADE_NUMBER, {"7", 1}, 0}};
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        char *text = repeated(hostile[i], LONG_TEXT);
        for (size_t rule = 0; rule < 3; rule++) {
            struct cola_grade grade;
            double begin = now_s();
            assert_int_equal(cola_grade(&grading[rule], (struct cola_text){text, LONG_TEXT}, &grade),
                             COLA_OK);
            double took = now_s() - begin;
            if (took > limit_s())
                print_error("'%s' repeated, rule %s: %.2f s\n", hostile[i], cola_grade_rule_name[rule], took);
            assert_true(took <= limit_s());
            assert_true(grade.n_bytes <= COLA_GRADE_ANSWER_MAX);
        }
        free(text);
    }
}

static void the_last_box_is_read_whatever_stands_before(void **state)
{
    (void)state;
    static const char last[] = "\\boxed{\\frac{1}{2}}";
    char *text = repeated("\\boxed{(x+y+z+a+b)^9/(x+1)}", LONG_TEXT);
    struct cola_grading grading = {COLA_GRADE_BOXED, {"0.5", 3}, 0};
    struct cola_grade grade;
    memcpy(text + LONG_TEXT - sizeof last + 1, last, sizeof last - 1);
    assert_int_equal(cola_grade(&grading, (struct cola_text){text, LONG_TEXT}, &grade), COLA_OK);
    assert_int_equal(grade.verdict, COLA_GRADE_RIGHT);
    assert_string_equal(grade.answer, "1/2");
    free(text);
}

static void deep_brackets_are_compared_as_text(void **state)
{
    (void)state;
    char text[600] = "\\boxed{", gold[300];
    memset(gold, '(', 100);
    gold[100] = '1';
    memset(gold + 101, ')', 100);
    gold[201] = '\0';
    strcat(strcat(text, gold), "}");
    struct cola_grading grading = {COLA_GRADE_BOXED, text_of(gold), 0};
    struct cola_grade grade;
    assert_int_equal(cola_grade(&grading, text_of(text), &grade), COLA_OK);
    assert_int_equal(grade.verdict, COLA_GRADE_RIGHT);
    grading.gold = text_of("1");
    assert_int_equal(cola_grade(&grading, text_of(text), &grade), COLA_OK);
    assert_int_equal(grade.verdict, COLA_GRADE_WRONG);
}

static void long_answers_are_cut_where_they_are_stored(void **state)
{
    (void)state;
    char text[500] = "\\boxed{";
    for (size_t i = 7; i < 407; i++) text[i] = (char)('a' + (i * 7) % 26);
    strcpy(text + 407, "}");
    struct cola_grading grading = {COLA_GRADE_BOXED, {"5", 1}, 0};
    struct cola_grade grade;
    assert_int_equal(cola_grade(&grading, text_of(text), &grade), COLA_OK);
    assert_int_equal(grade.verdict, COLA_GRADE_WRONG);
    assert_int_equal(grade.n_bytes, COLA_GRADE_ANSWER_MAX);
    assert_int_equal(grade.answer[COLA_GRADE_ANSWER_MAX], '\0');
}

static void unknown_rules_are_refused(void **state)
{
    (void)state;
    struct cola_grading grading = {(enum cola_grade_rule)7, {"5", 1}, 0};
    assert_int_equal(cola_grade_check_gold(&grading), COLA_ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_rule_on_a_hostile_megabyte_is_quick),
        cmocka_unit_test(the_last_box_is_read_whatever_stands_before),
        cmocka_unit_test(deep_brackets_are_compared_as_text),
        cmocka_unit_test(long_answers_are_cut_where_they_are_stored),
        cmocka_unit_test(unknown_rules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

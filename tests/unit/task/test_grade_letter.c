/* test_grade_letter.c - the letter rule on the table of tests/data/grades, for each gold letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/task/grade_table.h"

static void letter_every_row_of_the_table(void **state)
{
    (void)state;
    struct grade_table table;
    int n = 0, failed = 0;
    grade_table_open(&table, "letters.tsv");
    while (grade_table_next(&table)) {
        assert_int_equal(table.n_columns, 4);
        uint32_t n_choices = (uint32_t)strtoul(table.column[0], NULL, 10);
        struct cola_text text = {table.column[1], grade_table_unescape(table.column[1])};
        char expected = table.column[2][0];
        for (char gold = 'A'; gold < (char)('A' + n_choices); gold++) {
            struct cola_grade grade;
            struct cola_grading grading = {COLA_GRADE_LETTER, {&gold, 1}, n_choices};
            assert_int_equal(cola_grade(&grading, text, &grade), COLA_OK);
            int verdict = expected == '-'    ? COLA_GRADE_UNPARSED
                          : expected == gold ? COLA_GRADE_RIGHT
                                             : COLA_GRADE_WRONG;
            bool ok = grade.verdict == verdict && grade.n_bytes == (expected == '-' ? 0 : 1) &&
                      (expected == '-' || grade.answer[0] == expected);
            if (!ok)
                print_error("'%s' (%s): gold %c: verdict %d, answer '%s', expected %c\n", table.column[1],
                            table.column[3], gold, grade.verdict, grade.answer, expected);
            failed += !ok;
        }
        n++;
    }
    assert_true(n >= 60);
    assert_int_equal(failed, 0);
}

static void letter_golds_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct cola_grading bad[] = {
        {COLA_GRADE_LETTER, {"E", 1}, 4}, {COLA_GRADE_LETTER, {"", 0}, 4},  {COLA_GRADE_LETTER, {"AB", 2}, 4},
        {COLA_GRADE_LETTER, {"1", 1}, 4}, {COLA_GRADE_LETTER, {"A", 1}, 0}, {COLA_GRADE_LETTER, {"A", 1}, 27},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(cola_grade_check_gold(&bad[i]), COLA_ERR_INPUT);
    struct cola_grading good = {COLA_GRADE_LETTER, {" b ", 3}, 2};
    assert_int_equal(cola_grade_check_gold(&good), COLA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letter_every_row_of_the_table),
        cmocka_unit_test(letter_golds_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_grade_boxed.c - the boxed rule: the table of pairs, every gold answer of the benchmark against itself
 * and its re-writings, which boxes count, and what is stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/task/grade_table.h"

enum { TEXT_MAX = 2048 };

static struct cola_grade grade_text(const char *gold, const char *text)
{
    struct cola_grade grade;
    struct cola_grading grading = {COLA_GRADE_BOXED, text_of(gold), 0};
    assert_int_equal(cola_grade(&grading, text_of(text), &grade), COLA_OK);
    assert_int_equal(strlen(grade.answer), grade.n_bytes);
    return grade;
}

static struct cola_grade grade_box(const char *gold, const char *answer)
{
    char text[TEXT_MAX];
    assert_true(snprintf(text, sizeof text, "So it is $\\boxed{%s}$, as asked.", answer) < TEXT_MAX);
    return grade_text(gold, text);
}

static void boxed_every_pair_of_the_table(void **state)
{
    (void)state;
    struct grade_table table;
    int n = 0, failed = 0;
    grade_table_open(&table, "pairs.tsv");
    while (grade_table_next(&table)) {
        assert_int_equal(table.n_columns, 4);
        struct cola_grade grade = grade_box(table.column[0], table.column[1]);
        bool right = strcmp(table.column[2], "right") == 0;
        bool unfinished = strstr(table.column[3], "(unfinished)") != NULL;
        bool ok = grade.verdict == (right ? COLA_GRADE_RIGHT : COLA_GRADE_WRONG) && grade.n_bytes > 0 &&
                  grade.unfinished == unfinished;
        if (!ok)
            print_error("gold %s, given %s (%s): verdict %d, unfinished %d, answer %s\n", table.column[0],
                        table.column[1], table.column[3], grade.verdict, grade.unfinished, grade.answer);
        failed += !ok;
        n++;
    }
    assert_true(n >= 300);
    assert_int_equal(failed, 0);
}

/* --- re-writings of the benchmark's gold answers ---------------------------------------------------------
 */

/* Replaces every `from`; returns whether there was one. */
static bool replace(const char *text, const char *from, const char *to, char *out)
{
    size_t n = 0, length = strlen(from);
    bool found = false;
    while (*text) {
        assert_true(n + strlen(to) + 1 < TEXT_MAX);
        if (strncmp(text, from, length) == 0) {
            memcpy(out + n, to, strlen(to));
            n += strlen(to);
            text += length;
            found = true;
        } else {
            out[n++] = *text++;
        }
    }
    out[n] = '\0';
    return found;
}

static int n_rewritten;

static int check(const char *gold, const char *answer, const char *how)
{
    n_rewritten++;
    struct cola_grade grade = grade_box(gold, answer);
    if (grade.verdict == COLA_GRADE_RIGHT && !grade.unfinished) return 0;
    print_error("gold %s is not %s (%s)\n", gold, answer, how);
    return 1;
}

static int check_replaced(const char *gold, const char *from, const char *to)
{
    char text[TEXT_MAX];
    return replace(gold, from, to, text) ? check(gold, text, to) : 0;
}

static int check_around(const char *gold, const char *before, const char *after)
{
    char text[TEXT_MAX];
    assert_true(snprintf(text, sizeof text, "%s%s%s", before, gold, after) < TEXT_MAX);
    return check(gold, text, before[0] ? before : after);
}

static bool is_integer(const char *gold)
{
    size_t n = strspn(gold + (gold[0] == '-'), "0123456789");
    return n > 0 && n < 9 && gold[n + (gold[0] == '-')] == '\0';
}

/* \frac{a}{b} with b = 2^i 5^j as a decimal. */
static int check_decimal(const char *gold)
{
    int above, below, end = 0, rest;
    char text[64];
    if (sscanf(gold, "\\frac{%d}{%d}%n", &above, &below, &end) != 2 || gold[end] != '\0' || below < 1)
        return 0;
    for (rest = below; rest % 2 == 0; rest /= 2) continue;
    while (rest % 5 == 0) rest /= 5;
    if (rest != 1) return 0;
    snprintf(text, sizeof text, "%.12f", (double)above / below); /* exact: at most 10 places here */
    return check(gold, text, "decimal");
}

static int check_integer(const char *gold)
{
    char text[64];
    long n = strtol(gold, NULL, 10);
    int failed = check_around(gold, "", "\\text{ units}") + check_around(gold, "", "^\\circ") +
                 check_around(gold, "\\$", "") + check_around(gold, "", ".0") +
                 check_around(gold, "x = ", "") + check_around(gold, "", "\\%");
    snprintf(text, sizeof text, "%ld00\\%%", n);
    failed += n != 0 ? check(gold, text, "percent") : 0;
    if (n >= 1000 && n < 1000000) {
        snprintf(text, sizeof text, "%ld,%03ld", n / 1000, n % 1000);
        failed += check(gold, text, "thousands");
    }
    return failed;
}

static int check_gold(const char *gold)
{
    int failed = check(gold, gold, "itself") + check_around(gold, "$", "$") + check_around(gold, "", ".") +
                 check_around(gold, " ", " ") + check_around(gold, "\\displaystyle ", "");
    failed += check_replaced(gold, "\\frac", "\\dfrac") + check_replaced(gold, "\\frac", "\\tfrac") +
              check_replaced(gold, "\\dfrac", "\\frac") + check_replaced(gold, "\\!", "");
    if (!strstr(gold, "\\text") && !strstr(gold, "\\left")) {
        char left[TEXT_MAX], text[TEXT_MAX];
        if (replace(gold, "(", "\\left(", left) && replace(left, ")", "\\right)", text) && !strchr(gold, '['))
            failed += strchr(gold, ']') ? 0 : check(gold, text, "\\left");
        failed += check_replaced(gold, ",", ", ") * !strstr(gold, ",\\!") * !strstr(gold, ",0");
        failed += check_replaced(gold, "+", " + ") + check_replaced(gold, "=", " = ");
        failed += check_replaced(gold, "-", " - ");
    }
    failed += check_decimal(gold);
    if (is_integer(gold)) failed += check_integer(gold);
    return failed;
}

static void boxed_every_gold_equals_its_rewritings(void **state)
{
    (void)state;
    struct grade_table table;
    int n = 0, failed = 0;
    n_rewritten = 0;
    grade_table_open(&table, "math_golds.txt");
    for (; grade_table_next(&table); n++) failed += check_gold(table.column[0]);
    assert_int_equal(n, 567);
    assert_true(n_rewritten > 5000);
    assert_int_equal(failed, 0);
}

/* Each gold against the one before it in sorted order: such pairs often differ in one sign only. The few that
 * are equal stand next to each other here as "one = other". */
static void boxed_golds_differ_from_their_neighbours(void **state)
{
    (void)state;
    static const char *const same[] = {
        "144 = 144 \\mbox{ m}^3",   "180 = 180^\\circ",           "180^\\circ = 180^{\\circ}",
        "25 = 25 \\text{ ft}",      "575 = 575\\text{ students}", "65 = 65 \\text{ children tickets }",
        "81 = 81\\text{ teachers}",
    };
    struct grade_table table;
    char before[TEXT_MAX] = "none";
    size_t n = 0, n_same = 0;
    grade_table_open(&table, "math_golds.txt");
    for (; grade_table_next(&table); n++) {
        if (grade_box(before, table.column[0]).verdict != COLA_GRADE_WRONG) {
            char pair[TEXT_MAX + 64];
            snprintf(pair, sizeof pair, "%s = %.60s", before, table.column[0]);
            assert_true(n_same < sizeof same / sizeof *same);
            assert_string_equal(pair, same[n_same++]);
        }
        snprintf(before, sizeof before, "%s", table.column[0]);
    }
    assert_int_equal(n, 567);
    assert_int_equal(n_same, sizeof same / sizeof *same);
}

/* --- boxes -----------------------------------------------------------------------------------------------
 */

static void boxed_any_box_counts_and_the_right_one_is_stored(void **state)
{
    (void)state;
    struct cola_grade grade =
        grade_text("\\frac12", "\\boxed{0.5}, no, \\fbox{7}, no, \\boxed{8} \\boxed{8}");
    assert_int_equal(grade.verdict, COLA_GRADE_RIGHT);
    assert_string_equal(grade.answer, "1/2");
    assert_int_equal(grade.n_answers, 3);
    grade = grade_text("9", "\\boxed{0.5}, no, \\fbox{7}");
    assert_int_equal(grade.verdict, COLA_GRADE_WRONG);
    assert_string_equal(grade.answer, "7");
    grade = grade_text("7", "$\\fbox{7}$");
    assert_int_equal(grade.verdict, COLA_GRADE_RIGHT);
    grade = grade_text("7", "\\boxed 7 apples");
    assert_int_equal(grade.verdict, COLA_GRADE_RIGHT);
    grade = grade_text("\\frac{1}{2}", "\\boxed{\\boxed{\\frac{1}{2}}}");
    assert_int_equal(grade.verdict, COLA_GRADE_RIGHT);
}

static void boxed_without_a_box_is_not_parsed(void **state)
{
    (void)state;
    static const char *const text[] = {
        "",        "7",          "The answer is 7.", "\\boxed{", "\\boxed{7",  "\\boxed{}",
        "\\boxed", "\\boxed{ }", "\\boxedness{7}",   "boxed{7}", "\\boxed{{7}"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        struct cola_grade grade = grade_text("7", text[i]);
        assert_int_equal(grade.verdict, COLA_GRADE_UNPARSED);
        assert_int_equal(grade.n_bytes, 0);
    }
}

/* What cannot be read is right only where its bytes are the gold's. */
static void boxed_unreadable_answers_are_right_only_where_they_are_the_gold(void **state)
{
    (void)state;
    static const char *const odd[] = {"\\lfloor 2.7",
                                      "2^",
                                      "\\frac{1}",
                                      "((1)",
                                      "1 2",
                                      "\\unknown{x}",
                                      "x^2 +",
                                      "3 = ",
                                      "\x01\x02",
                                      "\xff\xfe",
                                      "12345678901234567890123456789012345678901234567890"};
    size_t n = sizeof odd / sizeof *odd;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(grade_box("5", odd[i]).verdict, COLA_GRADE_WRONG);
        assert_int_equal(grade_box("\\text{even}", odd[i]).verdict, COLA_GRADE_WRONG);
        for (size_t j = 0; j < n; j++)
            if (strcmp(odd[i], "\x01\x02") != 0 && strcmp(odd[i], "\xff\xfe") != 0)
                assert_int_equal(grade_box(odd[i], odd[j]).verdict,
                                 i == j ? COLA_GRADE_RIGHT : COLA_GRADE_WRONG);
    }
}

static void boxed_gold_may_be_a_whole_solution(void **state)
{
    (void)state;
    assert_int_equal(grade_text("We get $\\boxed{\\frac12}$.", "\\boxed{0.5}").verdict, COLA_GRADE_RIGHT);
    struct cola_grading empty = {COLA_GRADE_BOXED, text_of(" "), 0};
    assert_int_equal(cola_grade_check_gold(&empty), COLA_ERR_INPUT);
    char text[600];
    memset(text, '1', sizeof text);
    struct cola_grading longer = {COLA_GRADE_BOXED, {text, sizeof text}, 0};
    assert_int_equal(cola_grade_check_gold(&longer), COLA_ERR_INPUT);
}

static void boxed_exact_where_doubles_are_not(void **state)
{
    (void)state;
    assert_int_equal(grade_box("9007199254740993", "9007199254740992").verdict, COLA_GRADE_WRONG);
    assert_int_equal(grade_box("0.3", "0.30000000000000004").verdict, COLA_GRADE_WRONG);
    assert_int_equal(grade_box("\\frac{1}{3}", "\\frac{333333333333333333}{1000000000000000000}").verdict,
                     COLA_GRADE_WRONG);
    assert_int_equal(grade_box("0.3", "0.1+0.2").verdict, COLA_GRADE_RIGHT);
    assert_int_equal(grade_box("2^{200}", "2^{200}").verdict, COLA_GRADE_RIGHT);
    assert_int_equal(grade_box("2^{200}", "2^{201}").verdict, COLA_GRADE_WRONG);
    assert_int_equal(grade_box("340282366920938463463374607431768211456", "0").verdict, COLA_GRADE_WRONG);
}

/* Beyond the table, which is also held to math-verify: it takes i for a name and reads 100,200 as one number.
 */
static void boxed_imaginary_unit_and_lists_without_blanks(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"-1", "i^2"},
        {"5", "(2+i)(2-i)"},
        {"-i", "\\frac{1}{i}"},
        {"1", "i^{4}"},
        {"100, 200", "100,200"},
        {"(100, 200)", "(100,200)"},
        {"100,200", "100, 200"},
        {"100200", "100,200"},
        {"3i", "\\sqrt{-9}"},
        {"(-2,7]", "-2<x\\le 7"},
        {"[3,\\infty)", "x\\ge 3"},
        {"(-\\infty,3)", "3>x"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_int_equal(grade_box(same[i][0], same[i][1]).verdict, COLA_GRADE_RIGHT);
    assert_int_equal(grade_box("1", "i^2").verdict, COLA_GRADE_WRONG);
    assert_int_equal(grade_box("100, 201", "100,200").verdict, COLA_GRADE_WRONG);
}

/* Braces and fonts around a whole answer say nothing; in the table only where math-verify says so too. */
static void boxed_wrappers_of_a_whole_answer_are_taken_off(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"(-1,6)", "{(-1,6)}"},
        {"{(-1,6)}", "(-1,6)"},
        {"(-1,6)", "$\\mathbf{(-1,6)}$."},
        {"(-1,6)", "\\displaystyle{(-1,6)}"},
        {"(-1,6)", "\\displaystyle {\\bf (-1,6)}"},
        {"(-1,6)", "{ \\boldsymbol { \\bm{{(-1,6)}} } }"},
        {"(-1,6)", "{{{{{{{{{{{{{{{{{{{{(-1,6)}}}}}}}}}}}}}}}}}}}}"},
        {"-11 + 27i", "\\mathbf{-11 + 27i}"},
        {"-11 + 27i", "{-11 + 27i}"},
        {"-11 + 27i", "\\boldsymbol{-11+27i}"},
        {"x^2-5", "\\mathrm{x^2-5}"},
        {"(-\\infty,2)\\cup(3,\\infty)", "{(-\\infty,2)\\cup(3,\\infty)}"},
        {"(-\\infty,2)\\cup(3,\\infty)", "\\mathbf{(3,\\infty)\\cup(-\\infty,2)}"},
        {"\\{1,2\\}", "{\\{2,1\\}}"},
        {"\\{1,2\\}", "\\mathbf{\\{1,2\\}}"},
        {"\\text{even}", "\\mathbf{\\text{even}}"},
        {"\\$40", "{40\\$}"},
        {"144", "144\\mbox{m}^3"},
        {"144", "144\\mathrm{m}^3"},
        {"12", "12\\mbox{J}"},
    };
    static const char *const different[][2] = {
        {"(-1,6)", "\\mathbf{(6,-1)}"},
        {"(1,2)", "{\\{1,2\\}}"},
        {"\\{1,2\\}", "{(1,2)}"},
        {"-11 + 27i", "\\mathbf{-11 - 27i}"},
        {"\\text{on}", "\\mathrm{no}"},
        {"x", "\\mathbf{(x}"},
        {"21", "{2}{3}"},
        {"(0,1]", "{[0,1]}"},
        {"144", "144x^3"},
        {"144", "144\\mathrm{x}^3"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct cola_grade grade = grade_box(same[i][0], same[i][1]);
        if (grade.verdict != COLA_GRADE_RIGHT || grade.unfinished)
            print_error("%s is not %s, but %s\n", same[i][0], same[i][1], grade.answer);
        assert_int_equal(grade.verdict, COLA_GRADE_RIGHT);
        assert_false(grade.unfinished);
    }
    for (size_t i = 0; i < sizeof different / sizeof *different; i++)
        assert_int_equal(grade_box(different[i][0], different[i][1]).verdict, COLA_GRADE_WRONG);
}

/* Where docs/graders.md says that math-verify judges otherwise. */
static void boxed_stays_apart_from_math_verify_as_documented(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"2\\pi", "\\pi2"},
        {"e^{2x}", "(e^x)^2"},
        {"3:4", "3/4"},
        {"\\{1,2\\}", "\\{1,2,2\\}"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(grade_box(wrong[i][0], wrong[i][1]).verdict, COLA_GRADE_WRONG);
    assert_int_equal(grade_box("x\\in[-2,7]", "z\\in[-2,7]").verdict, COLA_GRADE_RIGHT);
    assert_int_equal(grade_box("x\\in[-2,7]", "z\\in[-2,8]").verdict, COLA_GRADE_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxed_every_pair_of_the_table),
        cmocka_unit_test(boxed_every_gold_equals_its_rewritings),
        cmocka_unit_test(boxed_golds_differ_from_their_neighbours),
        cmocka_unit_test(boxed_any_box_counts_and_the_right_one_is_stored),
        cmocka_unit_test(boxed_without_a_box_is_not_parsed),
        cmocka_unit_test(boxed_unreadable_answers_are_right_only_where_they_are_the_gold),
        cmocka_unit_test(boxed_gold_may_be_a_whole_solution),
        cmocka_unit_test(boxed_exact_where_doubles_are_not),
        cmocka_unit_test(boxed_imaginary_unit_and_lists_without_blanks),
        cmocka_unit_test(boxed_wrappers_of_a_whole_answer_are_taken_off),
        cmocka_unit_test(boxed_stays_apart_from_math_verify_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

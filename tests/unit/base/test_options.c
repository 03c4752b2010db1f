/* test_options.c - the option parser: every kind by both spellings, defaults, limits, refusals by name,
 * --help and the list for recording. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/options.h"

static const struct cola_option table[] = {
    {"seed", COLA_OPTION_UINT, "N", "7", 0, 1e18, NULL, "seed of all random numbers"},
    {"threads", COLA_OPTION_UINT, "N", NULL, 1, 64, NULL, "threads"},
    {"epsilon", COLA_OPTION_REAL, "P", "0.1", 0, 1, NULL, "share of expansions"},
    {"penalty", COLA_OPTION_REAL, "X", "5", -10, 10, NULL, "length penalty"},
    {"out", COLA_OPTION_TEXT, "FILE", NULL, 0, 0, NULL, "where results go"},
    {"space", COLA_OPTION_CHOICE, NULL, "both", 0, 0, "both|skip|repeat", "edits a search may make"},
    {"resume", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "continue"},
};
static const struct cola_command command = {"search", "TASKS.h5 [options]", "Searches.", table, 7, 1, 2};

/* Parses "search" and the given words, which end with NULL. */
static enum cola_status parse(struct cola_options **o, ...)
{
    char *argv[16] = {(char *)"search"};
    int argc = 1;
    va_list words;
    va_start(words, o);
    while ((argv[argc] = va_arg(words, char *))) argc++;
    va_end(words);
    return cola_options_parse(&command, argc, argv, o);
}

static void defaults_hold_where_nothing_is_given(void **state)
{
    (void)state;
    struct cola_options *o;
    assert_int_equal(parse(&o, "t.h5", NULL), COLA_OK);
    assert_true(cola_options_uint(o, "seed") == 7);
    assert_true(cola_options_uint(o, "threads") == 0);
    assert_true(cola_options_real(o, "epsilon") == 0.1);
    assert_string_equal(cola_options_string(o, "out"), "");
    assert_string_equal(cola_options_string(o, "space"), "both");
    assert_false(cola_options_flag(o, "resume"));
    assert_false(cola_options_given(o, "seed"));
    assert_false(cola_options_help(o));
    assert_int_equal(cola_options_n_arguments(o), 1);
    assert_string_equal(cola_options_argument(o, 0), "t.h5");
    cola_options_destroy(o);
    cola_options_destroy(NULL);
}

static void both_spellings_of_every_kind(void **state)
{
    (void)state;
    struct cola_options *o;
    assert_int_equal(parse(&o, "--seed", "1000000000000000000", "--epsilon=1e-3", "t.h5", "--penalty", "-2.5",
                           "--out=a=b", "--space", "skip", "--resume", "--threads=64", "u.h5", NULL),
                     COLA_OK);
    assert_true(cola_options_uint(o, "seed") == 1000000000000000000ull);
    assert_true(cola_options_uint(o, "threads") == 64);
    assert_true(cola_options_real(o, "epsilon") == 1e-3);
    assert_true(cola_options_real(o, "penalty") == -2.5);
    assert_string_equal(cola_options_string(o, "out"), "a=b");
    assert_string_equal(cola_options_string(o, "space"), "skip");
    assert_true(cola_options_flag(o, "resume"));
    assert_true(cola_options_given(o, "seed"));
    assert_int_equal(cola_options_n_arguments(o), 2);
    assert_string_equal(cola_options_argument(o, 1), "u.h5");
    cola_options_destroy(o);
    assert_int_equal(parse(&o, "t.h5", "--seed", "1", "--seed", "2", "--out=", NULL), COLA_OK);
    assert_true(cola_options_uint(o, "seed") == 2); /* the last one counts */
    assert_string_equal(cola_options_string(o, "out"), "");
    assert_true(cola_options_given(o, "out"));
    cola_options_destroy(o);
}

static void two_dashes_end_options_and_one_is_an_argument(void **state)
{
    (void)state;
    struct cola_options *o;
    assert_int_equal(parse(&o, "-", "--", "--help", NULL), COLA_OK);
    assert_false(cola_options_help(o));
    assert_string_equal(cola_options_argument(o, 0), "-");
    assert_string_equal(cola_options_argument(o, 1), "--help");
    cola_options_destroy(o);
}

static void wrong_words_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *word, *value, *named;
    } bad[] = {
        {"--sed", "1", "--sed"},
        {"--see", "1", "--see"},
        {"--seed2", "1", "--seed2"},
        {"--", "-x", NULL}, /* fine: two arguments */
        {"-x", NULL, "-x"},
        {"--seed", NULL, "--seed needs a value"},
        {"--seed", "", "whole number"},
        {"--seed", "-1", "whole number"},
        {"--seed", "+1", "whole number"},
        {"--seed", " 1", "whole number"},
        {"--seed", "1.5", "whole number"},
        {"--seed", "1x", "whole number"},
        {"--seed", "0x10", "whole number"},
        {"--seed", "99999999999999999999999", "whole number"},
        {"--seed", "2000000000000000000", "outside 0 .. 1e+18"},
        {"--threads", "0", "--threads: 0 is outside 1 .. 64"},
        {"--threads", "65", "outside 1 .. 64"},
        {"--epsilon", "nan", "not a number"},
        {"--epsilon", "inf", "not a number"},
        {"--epsilon", "1e999", "not a number"},
        {"--epsilon", "", "not a number"},
        {"--epsilon", "0.1.2", "not a number"},
        {"--epsilon", " 0.1", "not a number"},
        {"--epsilon", "1.0000001", "--epsilon: 1.0000001 is outside 0 .. 1"},
        {"--epsilon", "-0.1", "outside 0 .. 1"},
        {"--space", "all", "both|skip|repeat"},
        {"--space", "", "both|skip|repeat"},
        {"--space", "ski", "both|skip|repeat"},
        {"--space", "skip|repeat", "none of both|skip|repeat"},
        {"--space", "both|", "none of both|skip|repeat"},
        {"--resume=yes", NULL, "--resume takes no value"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cola_options *o = NULL;
        enum cola_status status = parse(&o, "t.h5", bad[i].word, bad[i].value, NULL);
        if (!bad[i].named) {
            assert_int_equal(status, COLA_OK);
            cola_options_destroy(o);
            continue;
        }
        if (status != COLA_ERR_USAGE) fail_msg("%s %s is accepted", bad[i].word, bad[i].value);
        if (!strstr(cola_error_text(), bad[i].named))
            fail_msg("%s %s: \"%s\"", bad[i].word, bad[i].value, cola_error_text());
        assert_null(o);
    }
}

static void number_of_arguments_is_checked(void **state)
{
    (void)state;
    struct cola_options *o = NULL;
    assert_int_equal(parse(&o, NULL), COLA_ERR_USAGE);
    assert_string_equal(cola_error_text(),
                        "cola search: there is no argument; usage: cola search TASKS.h5 [options]");
    assert_int_equal(parse(&o, "a", "b", "c", NULL), COLA_ERR_USAGE);
    assert_null(o);
}

static void help_needs_no_arguments_and_shows_the_table(void **state)
{
    (void)state;
    struct cola_options *o;
    char *text = NULL;
    size_t n_text;
    assert_int_equal(parse(&o, "--help", NULL), COLA_OK);
    assert_true(cola_options_help(o));
    cola_options_destroy(o);
    assert_int_equal(parse(&o, "t.h5", "-h", NULL), COLA_OK);
    assert_true(cola_options_help(o));
    cola_options_destroy(o);
    FILE *to = open_memstream(&text, &n_text);
    cola_options_print_help(&command, to);
    fclose(to);
    static const char *const expected[] = {
        "usage: cola search TASKS.h5 [options]",
        "Searches.",
        "--seed N",
        "seed of all random numbers (0 .. 1e+18) [7]",
        "--space both|skip|repeat",
        "edits a search may make [both]",
        "--epsilon P",
        "(0 .. 1) [0.1]",
        "--resume ",
        "--out FILE",
        "--threads N",
        "(1 .. 64)\n",
        "--help",
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(text, expected[i])) fail_msg("no '%s' in\n%s", expected[i], text);
    free(text);
}

static void each_lists_the_table_as_text(void **state)
{
    (void)state;
    struct cola_options *o;
    const char *name, *value;
    static const char *const expected[][2] = {{"seed", "12"},   {"threads", ""}, {"epsilon", "0.1"},
                                              {"penalty", "5"}, {"out", ""},     {"space", "both"},
                                              {"resume", "yes"}};
    assert_int_equal(parse(&o, "t.h5", "--seed=12", "--resume", NULL), COLA_OK);
    for (size_t i = 0; i < 7; i++) {
        assert_true(cola_options_each(o, i, &name, &value));
        assert_string_equal(name, expected[i][0]);
        assert_string_equal(value, expected[i][1]);
    }
    assert_false(cola_options_each(o, 7, &name, &value));
    cola_options_destroy(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_where_nothing_is_given),
        cmocka_unit_test(both_spellings_of_every_kind),
        cmocka_unit_test(two_dashes_end_options_and_one_is_an_argument),
        cmocka_unit_test(wrong_words_are_refused_by_name),
        cmocka_unit_test(number_of_arguments_is_checked),
        cmocka_unit_test(help_needs_no_arguments_and_shows_the_table),
        cmocka_unit_test(each_lists_the_table_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_traces.c - recorded runs of published search code replay exactly, draw by draw, through ask/tell; each
 * planted defect of a procedure is told apart by them; an altered or malformed file is noticed by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/trace.h"
#include "unit/search/naive_published.h"

#define FILE_OF(preset) COLA_TEST_DATA "/traces/" preset ".json"

static struct trace *open_trace(const char *path)
{
    struct trace *trace = NULL;
    if (trace_open(path, &trace) != COLA_OK) fail_msg("%s", cola_error_text());
    return trace;
}

static void expect_all_equal(const char *path, const char *preset)
{
    struct trace *trace = open_trace(path);
    assert_string_equal(trace->preset, preset);
    assert_int_equal(trace->n_runs, 7);
    for (size_t i = 0; i < trace->n_runs; i++)
        if (trace_replay(trace->preset, &trace->run[i]) != COLA_OK)
            fail_msg("%s, run %zu: %s", preset, i, cola_error_text());
    trace_close(trace);
}

static void polar_repeats_the_authors_runs(void **state)
{
    (void)state;
    expect_all_equal(FILE_OF("polar"), "polar");
}

static void drllm_code_repeats_the_authors_runs(void **state)
{
    (void)state;
    expect_all_equal(FILE_OF("drllm-code"), "drllm-code");
}

/* --- planted defects ------------------------------------------------------------------------------------ */

static double synthetic(const void *user, const struct cola_chain *chain)
{
    const struct trace_run *run = user;
    return trace_reward(run->salt, run->p, chain);
}

static bool step_equal(const struct trace_step *a, const struct published_step *b)
{
    return a->chain.n_layers == b->n_layers && a->reward == b->reward &&
           (!a->has_new || a->is_new == b->is_new) &&
           memcmp(a->chain.layer, b->layer, b->n_layers * sizeof *b->layer) == 0;
}

static bool repeats(const struct trace_run *run, bool polar, enum published_defect defect)
{
    struct published *s = calloc(1, sizeof *s);
    s->L = run->layers;
    s->least = polar ? run->min_length : 1;
    s->most = polar ? run->max_length : 2 * run->layers;
    s->max_skip = polar ? 4 : 2;
    s->max_block = polar ? 4 : 1;
    s->n_simulations = run->simulations;
    s->epsilon = 0.1;
    s->defect = defect;
    s->reward = synthetic;
    s->user = run;
    s->list = run->uniform;
    s->n_list = run->n_draws;
    polar ? polar_run(s) : code_run(s);
    bool equal = !s->ran_out && s->n_used == run->n_draws && s->n_steps == run->n_steps;
    for (uint32_t i = 0; equal && i < s->n_steps; i++) equal = step_equal(&run->step[i], &s->step[i]);
    published_free(s);
    return equal;
}

static void expect_told_apart(const char *path, enum published_defect first, enum published_defect last)
{
    struct trace *trace = open_trace(path);
    bool polar = first == POLAR_FIRST_DEFECT;
    for (size_t i = 0; i < trace->n_runs; i++) assert_true(repeats(&trace->run[i], polar, PUBLISHED_RIGHT));
    for (enum published_defect defect = first; defect <= last; defect++) {
        uint32_t n_differ = 0;
        if (defect == POLAR_EPSILON_INCLUDED || defect == CODE_EPSILON_INCLUDED)
            continue; /* test_published.c */
        for (size_t i = 0; i < trace->n_runs; i++) n_differ += !repeats(&trace->run[i], polar, defect);
        print_message("defect %d: %u of %zu runs differ\n", (int)defect, n_differ, trace->n_runs);
        if (n_differ == 0) fail_msg("defect %d repeats every run of %s", (int)defect, path);
    }
    trace_close(trace);
}

static void polar_runs_tell_every_defect(void **state)
{
    (void)state;
    expect_told_apart(FILE_OF("polar"), POLAR_FIRST_DEFECT, POLAR_LAST_DEFECT);
}

static void drllm_code_runs_tell_every_defect(void **state)
{
    (void)state;
    expect_told_apart(FILE_OF("drllm-code"), CODE_FIRST_DEFECT, CODE_LAST_DEFECT);
}

/* --- altered runs --------------------------------------------------------------------------------------- */

static void expect_mismatch(const struct trace *trace, size_t run, enum cola_status status, const char *word)
{
    assert_int_equal(trace_replay(trace->preset, &trace->run[run]), status);
    if (!strstr(cola_error_text(), word)) fail_msg("'%s' does not say '%s'", cola_error_text(), word);
}

static void altered_steps_are_noticed_where_they_are(void **state)
{
    (void)state;
    struct trace *trace = open_trace(FILE_OF("polar"));
    trace->run[0].step[57].reward = 1 - trace->run[0].step[57].reward;
    expect_mismatch(trace, 0, COLA_ERR_MISMATCH, "simulation 57: expected");
    trace->run[1].step[99].chain.n_layers--;
    expect_mismatch(trace, 1, COLA_ERR_MISMATCH, "simulation 99: expected");
    trace->run[4].step[3].is_new = true;
    expect_mismatch(trace, 4, COLA_ERR_MISMATCH, "simulation 3: expected (0)x2, reward 0, new; found (0)x2");
    trace->run[2].simulations = 99;
    expect_mismatch(trace, 2, COLA_ERR_MISMATCH, "found the end");
    trace->run[2].simulations = 101;
    expect_mismatch(trace, 2, COLA_ERR_INPUT, "too few draws: the list of 481 ran out in simulation 100");
    trace->run[5].simulations = 41; /* it draws nothing */
    expect_mismatch(trace, 5, COLA_ERR_MISMATCH, "simulation 40: expected the end, found 0-2");
    trace->run[3].base_reward = 1;
    expect_mismatch(trace, 3, COLA_ERR_MISMATCH, "base_reward: expected 1, found 0");
    trace->run[6].n_draws--;
    expect_mismatch(trace, 6, COLA_ERR_INPUT, "too few draws");
    trace_close(trace);
}

static void altered_lists_and_draws_are_noticed(void **state)
{
    (void)state;
    struct trace *trace = open_trace(FILE_OF("drllm-code"));
    trace->run[0].evaluated.n--;
    expect_mismatch(trace, 0, COLA_ERR_MISMATCH, "evaluated[15]: expected the end");
    trace->run[0].evaluated.n++; /* it frees them */
    trace->run[4].good.chain[1].n_layers--;
    expect_mismatch(trace, 4, COLA_ERR_MISMATCH, "good[1]: expected");
    trace->run[1].p = 1; /* the base is right, too */
    expect_mismatch(trace, 1, COLA_ERR_MISMATCH, "base_reward");
    trace->run[2].uniform[0] = 0.999;
    assert_int_not_equal(trace_replay(trace->preset, &trace->run[2]), COLA_OK);
    double longer[4000];
    memcpy(longer, trace->run[3].uniform, trace->run[3].n_draws * sizeof *longer);
    longer[trace->run[3].n_draws] = 0.5;
    struct trace_run more = trace->run[3];
    more.uniform = longer;
    more.n_draws++;
    assert_int_equal(trace_replay(trace->preset, &more), COLA_ERR_MISMATCH);
    assert_non_null(strstr(cola_error_text(), "draws: expected all 2202"));
    trace->run[3].min_length = 5;
    expect_mismatch(trace, 3, COLA_ERR_USAGE, "min-length");
    assert_int_equal(trace_replay("cola", &trace->run[5]), COLA_ERR_UNSUPPORTED);
    assert_int_equal(trace_replay("polar-code", &trace->run[5]), COLA_ERR_USAGE);
    assert_int_not_equal(trace_replay("polar", &trace->run[5]), COLA_OK);
    trace_close(trace);
}

/* --- malformed files ------------------------------------------------------------------------------------ */

#define RUN(fields) "{\"preset\": \"polar\", \"runs\": [{" fields "}]}"
#define HEAD        "\"salt\": 1, \"p\": 0.5, \"simulations\": 2, \"layers\": 3"

static void malformed_files_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *word;
    } bad[] = {
        {"", "no JSON"},
        {"{\"preset\": \"polar\",\n \"runs\": [}", "line 2"},
        {"[1]", "expected an object"},
        {"{\"runs\": []}", "\"preset\""},
        {"{\"preset\": 3, \"runs\": []}", "\"preset\""},
        {"{\"preset\": \"a-name-that-is-longer-than-any-of-ours\", \"runs\": []}", "\"preset\""},
        {"{\"preset\": \"polar\"}", "\"runs\" is missing"},
        {"{\"preset\": \"polar\", \"runs\": {}}", "\"runs\": expected a list"},
        {"{\"preset\": \"polar\", \"runs\": []}", "no run"},
        {"{\"preset\": \"polar\", \"runs\": [7]}", "run 0: expected an object"},
        {RUN(""), "run 0: \"salt\" is missing"},
        {RUN("\"salt\": 256"), "\"salt\": expected a whole number of 0 .. 255"},
        {RUN("\"salt\": 1, \"salt\": 2"), "duplicate"},
        {RUN("\"salt\": 1, \"p\": \"x\""), "\"p\""},
        {RUN("\"salt\": 1, \"p\": 1, \"simulations\": 0"), "\"simulations\""},
        {RUN("\"salt\": 1, \"p\": 1, \"simulations\": 2.5"), "\"simulations\""},
        {RUN("\"salt\": 1, \"p\": 1, \"simulations\": 2, \"layers\": 257"), "\"layers\""},
        {RUN(HEAD ", \"min_length\": 0"), "\"min_length\""},
        {RUN(HEAD ", \"max_length\": 13"), "\"max_length\""},
        {RUN(HEAD ", \"base_reward\": null"), "\"base_reward\""},
        {RUN(HEAD), "\"draws\" is missing"},
        {RUN(HEAD ", \"draws\": [0, 1048576]"), "\"draws\"[1]"},
        {RUN(HEAD ", \"draws\": [-1]"), "\"draws\"[0]"},
        {RUN(HEAD ", \"draws\": [0.5]"), "\"draws\"[0]"},
        {RUN(HEAD ", \"draws\": []"), "\"steps\" is missing"},
        {RUN(HEAD ", \"draws\": [], \"steps\": [{}]"), "\"steps\"[0]: \"reward\" is missing"},
        {RUN(HEAD ", \"draws\": [], \"steps\": [1]"), "\"steps\"[0]: expected an object"},
        {RUN(HEAD ", \"draws\": [], \"steps\": [{\"reward\": 1}]"), "\"steps\"[0]: expected a chain"},
        {RUN(HEAD ", \"draws\": [], \"steps\": [{\"reward\": 1, \"new\": 1, \"chain\": \"0\"}]"), "\"new\""},
        {RUN(HEAD ", \"draws\": [], \"steps\": [{\"reward\": 1, \"chain\": \"0-3\"}]"), "layer 3"},
        {RUN(HEAD ", \"draws\": [], \"steps\": [], \"evaluated\": 1"), "\"evaluated\": expected a list"},
        {RUN(HEAD ", \"draws\": [], \"steps\": [], \"good\": [\"0\", \"\"]"), "\"good\"[1]"},
    };
    char path[] = "/tmp/cola-test-trace-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct trace *trace = NULL;
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(bad[i].text, file);
        fclose(file);
        assert_int_equal(trace_open(path, &trace), COLA_ERR_INPUT);
        assert_null(trace);
        if (!strstr(cola_error_text(), bad[i].word))
            fail_msg("%s: '%s' does not say '%s'", bad[i].text, cola_error_text(), bad[i].word);
        assert_non_null(strstr(cola_error_text(), path));
    }
    unlink(path);
    struct trace *trace = NULL;
    assert_int_equal(trace_open(path, &trace), COLA_ERR_IO);
    trace_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polar_repeats_the_authors_runs),
        cmocka_unit_test(drllm_code_repeats_the_authors_runs),
        cmocka_unit_test(polar_runs_tell_every_defect),
        cmocka_unit_test(drllm_code_runs_tell_every_defect),
        cmocka_unit_test(altered_steps_are_noticed_where_they_are),
        cmocka_unit_test(altered_lists_and_draws_are_noticed),
        cmocka_unit_test(malformed_files_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

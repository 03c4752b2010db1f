/* test_show.c - `cola show`: text that cannot break a terminal or JSON, shares against a plain count, exit
 * statuses. */
#include "unit/record/small_run.h"
#include "unit/seal.h"

#include <fcntl.h>
#include <math.h>

#include "cli/commands.h"
#include "cli/show.h"
#include "cola/log.h"

static struct small_run run;

static int set_up(void **state)
{
    (void)state;
    char digest[COLA_HASH_TEXT];
    cola_log_setup(COLA_LOG_ERROR, -1);
    small_run_create(&run);
    small_run_whole(&run, digest);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    small_run_destroy(&run);
    return 0;
}

/* --- text -------------------------------------------------------------------------------------------------
 */

static void assert_shown(const char *bytes, size_t n, bool for_terminal, const char *expected)
{
    char *shown = cola_show_text((struct cola_text){bytes, n}, for_terminal);
    assert_string_equal(shown, expected);
    free(shown);
}
#define SHOWN(bytes, for_terminal, expected)                                                                 \
    assert_shown((bytes), sizeof(bytes) - 1, (for_terminal), (expected))

static void text_that_is_utf8_is_shown_as_it_is(void **state)
{
    (void)state;
    SHOWN("plain", true, "plain");
    SHOWN("", true, "");
    SHOWN("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF", true,
          "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF");
}

static void text_that_is_not_utf8_is_escaped(void **state)
{
    (void)state;
    SHOWN("a\xFFz", false, "a\\xFFz");
    SHOWN("\xC3", false, "\\xC3");                            /* cut short */
    SHOWN("\xC0\xAF", false, "\\xC0\\xAF");                   /* longer than needed */
    SHOWN("\xE0\x80\xAF", false, "\\xE0\\x80\\xAF");          /* likewise */
    SHOWN("\xED\xA0\x80", false, "\\xED\\xA0\\x80");          /* a surrogate */
    SHOWN("\xF4\x90\x80\x80", false, "\\xF4\\x90\\x80\\x80"); /* beyond U+10FFFF */
    SHOWN("\xE2\x82q", false, "\\xE2\\x82q");
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    SHOWN("a\x1b[31mb\x7f", true, "a\\x1B[31mb\\x7F");
    SHOWN("a\nb\tc\0d", true, "a b c\\x00d");
    SHOWN("\xC2\x9B"
          "31m",
          true, "\\xC2\\x9B31m");         /* CSI as one character */
    SHOWN("a\x1b\nb", false, "a\x1b\nb"); /* JSON escapes these itself */
}

/* --- shares -----------------------------------------------------------------------------------------------
 */

/* Values of the score interval from its definition: the roots of (p - k/n)^2 = z^2 p (1 - p) / n. */
static void wilson_interval_ends_are_the_roots(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 50; n += 7)
        for (uint64_t k = 0; k <= n; k++) {
            double end[2], z = 1.959963984540054;
            cola_show_wilson((struct cola_show_share){k, n}, &end[0], &end[1]);
            assert_true(end[0] >= 0 && end[1] <= 1 && end[0] < end[1]);
            for (int i = 0; i < 2; i++) {
                double off = end[i] - (double)k / (double)n;
                assert_true(fabs(off * off - z * z * end[i] * (1 - end[i]) / (double)n) < 1e-12);
            }
        }
}

static void summary_agrees_with_a_plain_count(void **state)
{
    (void)state;
    struct cola_run *file = small_run_read(run.run_path);
    struct cola_show_summary s;
    struct cola_show_share base_right = {0}, found = {0}, shorter = {0};
    double shortest_sum = 0;
    uint64_t n_hit = 0;
    cola_show_summarise(file, &s);
    for (uint32_t i = 0; i < SMALL_SAMPLES; i++) {
        struct cola_run_sample sample;
        struct cola_run_chain chain;
        uint32_t shortest = 0;
        bool base = false;
        cola_run_sample(file, i, &sample);
        for (uint64_t k = 0; k < sample.n_chains; k++) {
            cola_run_chain(file, sample.first_chain + k, &chain);
            bool hit = chain.node.reward > 0;
            if (k == 0) base = hit;
            if (hit && (!shortest || chain.node.chain.n_layers < shortest))
                shortest = chain.node.chain.n_layers;
        }
        base_right.k += base;
        base_right.n++;
        found.n += !base;
        found.k += !base && shortest;
        shorter.n += base;
        shorter.k += base && shortest < SMALL_LAYERS;
        n_hit += shortest > 0;
        shortest_sum += shortest;
    }
    assert_memory_equal(&s.base_right, &base_right, sizeof base_right);
    assert_memory_equal(&s.found, &found, sizeof found);
    assert_memory_equal(&s.shorter, &shorter, sizeof shorter);
    assert_int_equal(s.hit.k, n_hit);
    assert_true(fabs(s.mean_shortest * (double)n_hit - shortest_sum) < 1e-9);
    assert_int_equal(s.n_layers_base, SMALL_LAYERS);
    assert_int_equal(s.n_finished, 3);
    cola_run_close(file);
}

static void rows_are_the_front_and_then_hits_by_length(void **state)
{
    (void)state;
    struct cola_run *file = small_run_read(run.run_path);
    for (uint32_t i = 0; i < SMALL_SAMPLES; i++) {
        struct cola_run_sample sample;
        uint64_t *row = NULL, n_front, n, n_expected = 0;
        cola_run_sample(file, i, &sample);
        for (uint64_t k = 0; k < sample.n_chains; k++) {
            struct cola_run_chain chain;
            cola_run_chain(file, sample.first_chain + k, &chain);
            n_expected += chain.on_front || chain.node.reward > 0;
        }
        assert_int_equal(cola_show_rows(file, &sample, 1000, &row, &n_front, &n), COLA_OK);
        assert_int_equal(n, n_expected);
        for (uint64_t k = 0, last = 0; k < n; k++) {
            struct cola_run_chain chain;
            cola_run_chain(file, row[k], &chain);
            assert_int_equal(chain.on_front, k < n_front);
            if (k != 0 && k != n_front)
                assert_true(k < n_front ? chain.node.chain.n_layers <= last
                                        : chain.node.chain.n_layers >= last);
            last = chain.node.chain.n_layers;
        }
        free(row);
        assert_int_equal(cola_show_rows(file, &sample, 1, &row, &n_front, &n), COLA_OK);
        assert_true(n <= n_front + 1);
        free(row);
    }
    cola_run_close(file);
}

/* --- the command ------------------------------------------------------------------------------------------
 */

/* Runs it with stdout in a file; *out is what it printed. */
static int show(char *out, size_t room, int argc, char **argv)
{
    char path[160];
    snprintf(path, sizeof path, "%s/stdout", run.directory);
    fflush(stdout);
    int kept = dup(1), fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(kept >= 0 && fd >= 0 && dup2(fd, 1) == 1);
    int exit_status = cola_command_show(argc, argv);
    fflush(stdout);
    assert_int_equal(dup2(kept, 1), 1);
    close(kept);
    ssize_t n = pread(fd, out, room - 1, 0);
    assert_true(n >= 0);
    out[n] = '\0';
    close(fd);
    return exit_status;
}
#define SHOW(out, ...)                                                                                       \
    show((out), sizeof(out), (int)(sizeof((char *[]){"show", __VA_ARGS__}) / sizeof(char *)),                \
         (char *[]){"show", __VA_ARGS__, NULL})

static void show_prints_page_sample_and_digest(void **state)
{
    (void)state;
    static char out[65536];
    char digest[COLA_HASH_TEXT];
    small_run_digest(run.run_path, digest);
    assert_int_equal(SHOW(out, run.run_path), 0);
    assert_non_null(strstr(out, "3 samples, 3 begun, 3 finished (complete), 36 chains"));
    assert_non_null(strstr(out, "compare with --control wrong-answer"));
    assert_non_null(strstr(out, digest));
    assert_int_equal(SHOW(out, run.run_path, "--limit", "1"), 0);
    assert_non_null(strstr(out, "... 2 more"));
    assert_int_equal(SHOW(out, run.run_path, "--sample", "q-two"), 0);
    assert_non_null(strstr(out, "sample q-two (row 1 of tasks.h5)"));
    assert_non_null(strstr(out, "\\xFF\\x1B[31mHow?"));
    assert_non_null(strstr(out, "[gold]"));
    assert_null(strchr(out, '\x1b'));
    assert_int_equal(SHOW(out, run.run_path, "--digest"), 0);
    assert_int_equal(strncmp(out, digest, strlen(digest)), 0);
    assert_int_equal(strlen(out), strlen(digest) + 1);
}

static void show_json_is_json_and_agrees_with_the_file(void **state)
{
    (void)state;
    static char out[65536];
    json_error_t error;
    assert_int_equal(SHOW(out, run.run_path, "--json"), 0);
    json_t *page = json_loads(out, 0, &error);
    assert_non_null(page);
    assert_int_equal(json_integer_value(json_object_get(page, "n_chains")), 36);
    assert_string_equal(json_string_value(json_object_get(json_object_get(page, "attributes"), "seed")), "7");
    assert_int_equal(json_array_size(json_object_get(page, "samples")), 3);
    json_decref(page);
    assert_int_equal(SHOW(out, run.run_path, "--json", "--sample", "2"), 0);
    page = json_loads(out, 0, &error);
    assert_non_null(page);
    assert_string_equal(json_string_value(json_object_get(page, "id")), "q3");
    assert_int_equal(json_array_size(json_object_get(page, "choices")), 2);
    json_decref(page);
    assert_int_equal(SHOW(out, run.run_path, "--json", "--sample", "q-two"), 0);
    page = json_loads(out, 0, &error);
    assert_non_null(page);
    assert_string_equal(json_string_value(json_object_get(page, "question")), "\\xFF\x1b[31mHow?");
    json_decref(page);
}

/* --- generated answers ------------------------------------------------------------------------------------
 */

static void count_verdicts(const json_t *chains, uint32_t count[5])
{
    static const char *const name[] = {"right", "wrong", "target", "other", "unparsed"};
    for (size_t i = 0; i < json_array_size(chains); i++) {
        const json_t *chain = json_array_get(chains, i);
        const char *verdict = json_string_value(json_object_get(chain, "verdict"));
        int k = 0;
        while (k < 5 && strcmp(verdict, name[k]) != 0) k++;
        if (k < 5) count[k]++;
        const char *answer = json_string_value(json_object_get(chain, "answer"));
        assert_int_equal(k == 4 || strcmp(verdict, "not finite") == 0, *answer == '\0');
        assert_int_equal(json_array_size(json_object_get(chain, "tokens")), 2);
    }
}

static void show_prints_generated_answers_and_targets(void **state)
{
    (void)state;
    static char out[65536];
    struct small_run generated;
    char digest[COLA_HASH_TEXT];
    json_error_t error;
    for (int control = 0; control < 2; control++) {
        uint32_t count[5] = {0};
        small_run_create_with(&generated, tasks_file_make_generate, control);
        small_run_whole(&generated, digest);
        assert_int_equal(SHOW(out, generated.run_path), 0);
        if (control) { /* whether the base is right is not in the file */
            assert_non_null(strstr(out, "the base chain is right                                    none"));
            assert_non_null(strstr(out, "the target is another sample's answer"));
        } else {
            assert_null(strstr(out, "the base chain is right                                    none"));
        }
        assert_int_equal(SHOW(out, generated.run_path, "--sample", "s2"), 0);
        assert_non_null(strstr(out, "right answer  6 + 12 = #### 18\n"));
        assert_int_equal(strstr(out, "target        5  [the right answer of row 1 of tasks.h5]") != NULL,
                         control);
        assert_int_equal(strstr(out, "right       18") != NULL, !control);
        assert_int_equal(strstr(out, "target      5") != NULL, control);
        assert_int_equal(SHOW(out, generated.run_path, "--json", "--sample", "s0", "--limit", "1000"), 0);
        json_t *page = json_loads(out, 0, &error);
        assert_non_null(page);
        assert_string_equal(json_string_value(json_object_get(page, "target_text")), control ? "5" : "18");
        const json_t *choice = json_array_get(json_object_get(page, "choices"), 0);
        assert_true(json_is_true(json_object_get(choice, "gold")));
        assert_int_equal(json_is_true(json_object_get(choice, "target")), !control);
        count_verdicts(json_object_get(page, "front"), count);
        count_verdicts(json_object_get(page, "other_hits"), count);
        assert_true(count[control ? 2 : 0] > 0);
        assert_int_equal(count[control ? 0 : 2] + count[control ? 1 : 3], 0);
        json_decref(page);
        small_run_destroy(&generated);
    }
}

static void answer_and_verdict_of_any_bytes_are_shown(void **state)
{
    (void)state;
    static const struct {
        uint8_t outcome;
        int32_t gold, target, prediction;
        const char *verdict;
    } cases[] = {
        {COLA_OUTCOME_SCORED, 4, 4, 4, "right"},           {COLA_OUTCOME_SCORED, 4, 4, -2, "wrong"},
        {COLA_OUTCOME_SCORED, 1, 1, 0, "wrong"},           {COLA_OUTCOME_SCORED, 4, 7, 7, "target"},
        {COLA_OUTCOME_SCORED, 4, 7, -2, "other"},          {COLA_OUTCOME_SCORED, 4, 4, -1, "unparsed"},
        {COLA_OUTCOME_NON_FINITE, 4, 4, -1, "not finite"}, {COLA_OUTCOME_CRASHED, 4, 7, -1, "crashed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cola_run_sample sample = {.gold = cases[i].gold, .target = cases[i].target};
        struct cola_run_chain chain = {.outcome = cases[i].outcome,
                                       .node = {.prediction = cases[i].prediction}};
        assert_string_equal(cola_show_verdict(&sample, &chain), cases[i].verdict);
    }
    char bytes[60];
    memset(bytes, 'y', sizeof bytes);
    bytes[0] = '\x1b';
    struct cola_run_chain chain = {.answer = {bytes, 5}};
    char *shown = cola_show_answer(&chain);
    assert_string_equal(shown, "\\x1Byyyy");
    free(shown);
    chain.answer.n_bytes = sizeof bytes;
    shown = cola_show_answer(&chain);
    assert_int_equal(strlen(shown), 4 + 47 + 3);
    assert_string_equal(shown + strlen(shown) - 4, "y ..");
    free(shown);
}

static void make_hostile(hid_t file)
{
    tasks_file_text(file, "task", "t\x1b]0;x\x07\xC2\x9B");
    tasks_file_bytes(file, "samples/id_values", "\x1b[\r-two\x9B\x7F");
    tasks_file_bytes(file, "candidates/label_values", "\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b");
    tasks_file_bytes(file, "texts/choice_values", "\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b");
}

/* Task, ids, labels and texts may be any bytes: nothing of them commands the terminal. */
static void hostile_texts_of_a_file_are_escaped_everywhere(void **state)
{
    (void)state;
    static char out[65536];
    struct small_run hostile;
    char digest[COLA_HASH_TEXT];
    small_run_create_with(&hostile, make_hostile, false);
    small_run_whole(&hostile, digest);
    for (int view = 0; view < 3; view++) {
        if (view == 0) assert_int_equal(SHOW(out, hostile.run_path), 0);
        if (view == 1) assert_int_equal(SHOW(out, hostile.run_path, "--sample", "0"), 0);
        if (view == 2) assert_int_equal(SHOW(out, hostile.run_path, "--json"), 0);
        if (view == 0) assert_non_null(strstr(out, "t\\x1B]0;x\\x07\\xC2\\x9B"));
        if (view < 2) assert_non_null(strstr(out, view ? "sample \\x1B[" : "  \\x1B["));
        for (const char *c = out; *c; c++)
            if (((unsigned char)*c < 0x20 && *c != '\n') || (*c == 0x7F && view < 2))
                fail_msg("view %d: a control character %d behind %.20s", view, *c,
                         c > out + 20 ? c - 20 : out);
    }
    small_run_destroy(&hostile);
}

static void show_fails_for_what_is_wrong(void **state)
{
    (void)state;
    static char out[65536];
    char changed[160];
    size_t n;
    uint8_t *bytes = small_read(run.run_path, &n);
    snprintf(changed, sizeof changed, "%s/changed.h5", run.directory);
    small_write(changed, bytes, n);
    free(bytes);
    hid_t file = H5Fopen(changed, H5F_ACC_RDWR, H5P_DEFAULT);
    tasks_file_text(file, "seed", "8");
    H5Fclose(file);
    seal_file(changed);
    cola_log_setup((enum cola_log_level) - 1, -1); /* the errors are expected */
    assert_int_equal(SHOW(out, changed, "--digest"), 1);
    assert_string_equal(out, "");
    assert_int_equal(SHOW(out, "/tmp/cola-no-such-run.h5"), 1);
    assert_int_equal(SHOW(out, run.run_path, "--sample", "nobody"), 2);
    assert_int_equal(SHOW(out, run.run_path, "--sample", "3"), 2);
    assert_int_equal(SHOW(out, run.run_path, "--no-such-option"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_is_utf8_is_shown_as_it_is),
        cmocka_unit_test(text_that_is_not_utf8_is_escaped),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(wilson_interval_ends_are_the_roots),
        cmocka_unit_test(summary_agrees_with_a_plain_count),
        cmocka_unit_test(rows_are_the_front_and_then_hits_by_length),
        cmocka_unit_test(show_prints_page_sample_and_digest),
        cmocka_unit_test(show_json_is_json_and_agrees_with_the_file),
        cmocka_unit_test(show_prints_generated_answers_and_targets),
        cmocka_unit_test(answer_and_verdict_of_any_bytes_are_shown),
        cmocka_unit_test(hostile_texts_of_a_file_are_escaped_everywhere),
        cmocka_unit_test(show_fails_for_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

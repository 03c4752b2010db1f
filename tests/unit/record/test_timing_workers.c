/* test_timing_workers.c - timing/sessions/ and timing/workers/ of run.h5: a row a process and a row a worker
 * and process, kept over resumes and merges, and outside the digest. */
#include "cola/log.h"
#include "record/run.h"
#include "unit/record/merge_parts.h"
#include "unit/seal.h"

static void assert_text(struct cola_text text, const char *expected)
{
    if (text.n_bytes != strlen(expected) || memcmp(text.bytes, expected, text.n_bytes) != 0)
        fail_msg("'%.*s', expected '%s'", (int)text.n_bytes, text.bytes, expected);
}

/* Session `i` is that of small_run_timing(seed), with its two workers, by these names. */
static void assert_session(const struct cola_run *file, uint32_t i, uint32_t seed, const char *run_id,
                           int32_t shard, uint32_t number)
{
    struct cola_timing_session s;
    assert_true(i < cola_run_n_sessions(file));
    cola_run_session(file, i, &s);
    assert_text(s.run, run_id);
    assert_int_equal(s.shard, shard);
    assert_int_equal(s.number, number);
    assert_true(s.began == 1.7e9 + seed && s.search_s == 8 && s.master_cpu_s == 2 && s.tree_cpu_s == 1);
    assert_int_equal(s.n_evaluations, 30 + seed);
    for (uint32_t k = 0; k < 2; k++) {
        struct cola_timing_worker w;
        cola_run_worker(file, 2 * i + k, &w);
        assert_int_equal(w.session, i);
        assert_int_equal(w.rank, k + 1);
        assert_text(w.host, k ? "other" : "host");
        assert_text(w.device, "ref");
        assert_true(w.busy_s == 4 + k && w.utilisation == (4 + k) / 8.0);
        assert_int_equal(w.n_evaluations, 10 + 10 * k + seed);
        assert_int_equal(w.layers_asked, 1000 + seed);
        assert_int_equal(w.layers_executed, 600 + seed);
        assert_int_equal(w.row_layers_asked, 7000 + seed);
        assert_int_equal(w.row_layers_executed, 4200 + seed);
        assert_true(w.memory_bytes == (uint64_t)seed << 33 && w.state_bytes == (uint64_t)seed << 32);
    }
}

static void assert_n_sessions(const struct cola_run *file, uint32_t n)
{
    assert_int_equal(cola_run_n_sessions(file), n);
    assert_int_equal(cola_run_n_workers(file), 2 * n);
}

/* One process: opens, goes on, folds with the figures of these seeds, one after the other. */
static void live(struct small_run *run, bool resume, uint32_t seed, uint32_t later)
{
    small_run_open(run, resume);
    small_run_all(run);
    small_run_timing(run, seed);
    small_run_fold(run);
    if (later) {
        small_run_timing(run, later);
        small_run_fold(run);
    }
    small_run_stop(run);
}

/* --- one run ------------------------------------------------------------------------------------------ */

static void later_figures_of_a_process_replace_its_earlier_ones(void **state)
{
    (void)state;
    struct small_run run;
    small_run_create(&run);
    live(&run, false, 1, 2);
    struct cola_run *file = small_run_read(run.run_path);
    assert_n_sessions(file, 1);
    assert_session(file, 0, 2, cola_run_attribute(file, "run_id"), -1, 0);
    cola_run_close(file);
    small_run_destroy(&run);
}

static void resumed_process_keeps_the_rows_of_earlier_ones(void **state)
{
    (void)state;
    struct small_run run;
    char first[COLA_HASH_TEXT], last[COLA_HASH_TEXT];
    small_run_create(&run);
    live(&run, false, 1, 0);
    small_run_digest(run.run_path, first);
    live(&run, true, 2, 3);
    assert_int_equal(unlink(run.journal_path), 0); /* then what is known comes from run.h5 alone */
    live(&run, true, 4, 0);
    live(&run, true, 5, 0);
    struct cola_run *file = small_run_read(run.run_path);
    static const uint32_t seed[] = {1, 3, 4, 5};
    assert_n_sessions(file, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_session(file, i, seed[i], cola_run_attribute(file, "run_id"), -1, i);
    cola_run_close(file);
    small_run_digest(run.run_path, last);
    assert_string_equal(first, last);
    small_run_destroy(&run);
}

static void process_killed_before_a_fold_leaves_its_number_out(void **state)
{
    (void)state;
    struct small_run run;
    small_run_create(&run);
    live(&run, false, 1, 0);
    small_run_open(&run, true);
    small_run_stop(&run);
    live(&run, true, 3, 0);
    struct cola_run *file = small_run_read(run.run_path);
    assert_n_sessions(file, 2);
    assert_session(file, 0, 1, cola_run_attribute(file, "run_id"), -1, 0);
    assert_session(file, 1, 3, cola_run_attribute(file, "run_id"), -1, 2);
    cola_run_close(file);
    assert_int_equal(unlink(run.run_path), 0); /* the rows are nowhere else; the numbers are */
    live(&run, true, 4, 0);
    file = small_run_read(run.run_path);
    assert_n_sessions(file, 1);
    assert_session(file, 0, 4, cola_run_attribute(file, "run_id"), -1, 3);
    cola_run_close(file);
    small_run_destroy(&run);
}

/* The journal has the results; figures that do not fit together are not worth a search that cannot go on. */
static void damaged_figures_are_left_out_when_a_run_goes_on(void **state)
{
    (void)state;
    struct small_run run;
    char first[COLA_HASH_TEXT], last[COLA_HASH_TEXT];
    const uint32_t no_session[2] = {9, 9};
    small_run_create(&run);
    live(&run, false, 1, 0);
    small_run_digest(run.run_path, first);
    hid_t file = H5Fopen(run.run_path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, "timing/workers/session", H5P_DEFAULT);
    assert_true(H5Dwrite(dataset, H5T_NATIVE_UINT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, no_session) >= 0);
    H5Dclose(dataset);
    H5Fclose(file);
    seal_file(run.run_path);
    live(&run, true, 2, 0);
    struct cola_run *read = small_run_read(run.run_path);
    assert_n_sessions(read, 1);
    assert_session(read, 0, 2, cola_run_attribute(read, "run_id"), -1, 1);
    cola_run_close(read);
    small_run_digest(run.run_path, last);
    assert_string_equal(first, last);
    small_run_destroy(&run);
}

static void figures_change_no_digest(void **state)
{
    (void)state;
    struct small_run one, other;
    char a[COLA_HASH_TEXT], b[COLA_HASH_TEXT];
    small_run_create(&one);
    small_run_create(&other);
    live(&one, false, 1, 0);
    live(&other, false, 77, 0);
    live(&other, true, 78, 0);
    small_run_digest(one.run_path, a);
    small_run_digest(other.run_path, b);
    assert_string_equal(a, b);
    small_run_open(&one, true); /* and without any */
    small_run_all(&one);
    assert_int_equal(unlink(one.run_path), 0);
    small_run_fold(&one);
    small_run_digest(one.run_path, b);
    assert_string_equal(a, b);
    small_run_destroy(&one);
    small_run_destroy(&other);
}

/* --- row_layers --------------------------------------------------------------------------------------- */

/* True: all are there; false: none is. */
static bool has_row_layers(const struct small_run *run)
{
    struct cola_run *file = small_run_read(run->run_path);
    uint64_t n = 0, n_rows = cola_run_n_chains(file);
    for (uint64_t row = 0; row < n_rows; row++) {
        struct cola_result result;
        cola_run_result(file, row, &result);
        if (result.cost.row_layers == 0) continue;
        assert_int_equal(result.cost.row_layers, 7 * result.cost.layers_executed);
        n++;
    }
    cola_run_close(file);
    if (n && n < n_rows) fail_msg("%llu of %llu", (unsigned long long)n, (unsigned long long)n_rows);
    return n > 0;
}

static void row_layers_come_back_from_the_journal_and_from_the_run(void **state)
{
    (void)state;
    struct small_run run;
    small_run_create(&run);
    small_run_open(&run, false);
    small_run_all(&run);
    small_run_stop(&run); /* no fold: the journal alone */
    live(&run, true, 1, 0);
    assert_int_equal(run.n_evaluated, 0);
    assert_true(has_row_layers(&run));
    assert_int_equal(unlink(run.journal_path), 0);
    live(&run, true, 2, 0);
    assert_true(has_row_layers(&run));
    small_run_destroy(&run);
}

static void search_and_put_away(struct small_run *run, uint32_t seed)
{
    small_run_all(run);
    for (uint32_t i = 0; i < SMALL_SAMPLES; i++)
        assert_int_equal(cola_record_put_away(run->record, i, run->target[i], run->search[i]), COLA_OK);
    small_run_timing(run, seed);
    small_run_fold(run);
    small_run_fold(run); /* what is away is written each time, and the figures once */
    small_run_stop(run);
}

/* The fold takes them from the file of what is put away, the resumed one by way of the journal. */
static void samples_that_are_put_away_keep_row_layers_and_sessions(void **state)
{
    (void)state;
    struct small_run run;
    small_run_create(&run);
    small_run_open(&run, false);
    search_and_put_away(&run, 1);
    assert_true(has_row_layers(&run));
    small_run_open(&run, true);
    search_and_put_away(&run, 2);
    assert_true(has_row_layers(&run));
    struct cola_run *file = small_run_read(run.run_path);
    assert_n_sessions(file, 2);
    for (uint32_t i = 0; i < 2; i++)
        assert_session(file, i, i + 1, cola_run_attribute(file, "run_id"), -1, i);
    cola_run_close(file);
    small_run_destroy(&run);
}

/* A journal of 1.1 has no room for them; it stays one that its program can read. */
static void journal_of_version_1_1_is_continued_as_such(void **state)
{
    (void)state;
    struct small_run run, whole;
    char expected[COLA_HASH_TEXT], found[COLA_HASH_TEXT];
    size_t n, n_now;
    small_run_create(&whole);
    small_run_whole(&whole, expected);
    small_run_create(&run);
    uint8_t *old = small_read(COLA_TEST_DATA "/runs/journal-1.1", &n);
    assert_int_equal(old[14], 1);
    small_write(run.journal_path, old, n);
    live(&run, true, 1, 0);
    live(&run, true, 2, 0);
    small_run_digest(run.run_path, found);
    assert_string_equal(expected, found);
    assert_false(has_row_layers(&run)); /* read back, all of them */
    uint8_t *now = small_read(run.journal_path, &n_now);
    assert_true(n_now > n && memcmp(now, old, n) == 0);
    now[14] = 2; /* the same records in a file that says 1.2 */
    small_write(run.journal_path, now, n_now);
    assert_int_equal(small_run_try_open(&run, true), COLA_ERR_INPUT);
    assert_error_names("a result of another version than the file's (1.2)");
    free(now);
    free(old);
    small_run_destroy(&whole);
    small_run_destroy(&run);
}

static void file_of_version_1_1_is_read_and_has_its_digest(void **state)
{
    (void)state;
    struct cola_run *file = small_run_read(COLA_TEST_DATA "/runs/run-1.1.h5");
    char digest[COLA_HASH_TEXT];
    assert_int_equal(file->minor, 1);
    assert_int_equal(cola_run_digest(file, digest), COLA_OK);
    assert_string_equal(digest, "xxh3:ed59599bd9a593882e34b3bf71002664"); /* as its program gave it */
    assert_n_sessions(file, 0);
    assert_true(cola_run_n_chains(file) > 3);
    uint64_t n_answers = 0;
    for (uint64_t row = 0; row < cola_run_n_chains(file); row++) {
        struct cola_run_chain chain;
        struct cola_result result;
        cola_run_chain(file, row, &chain);
        cola_run_result(file, row, &result);
        n_answers += chain.answer.n_bytes > 0;
        assert_true(result.cost.row_layers == 0 && result.cost.layers_executed > 0);
    }
    assert_true(n_answers > 0);
    cola_run_close(file);
}

/* --- merging ------------------------------------------------------------------------------------------ */

static void merge_has_the_sessions_of_all_parts(void **state)
{
    (void)state;
    struct small_run run;
    char path[PATH_BYTES], id[3][40];
    static const char *const name[] = {"s0.h5", "s1.h5", "s2.h5"}, *const shard[] = {"0/3", "1/3", "2/3"};
    small_run_create(&run);
    for (uint32_t i = 0; i < 3; i++) {
        part_make(&run, &(struct part){.name = name[i], .first = i, .n = 1, .shard = shard[i]});
        struct cola_run *part = small_run_read(part_path(&run, name[i], path));
        snprintf(id[i], sizeof id[i], "%s", cola_run_attribute(part, "run_id"));
        assert_session(part, 0, i + 1, id[i], (int32_t)i, 0);
        cola_run_close(part);
    }
    part_merge_well(&run, "out.h5 s2.h5 s0.h5 s1.h5", NULL, NULL);
    part_merge_well(&run, "s01.h5 s0.h5 s1.h5", &(struct cola_merge_options){.allow_missing = true}, NULL);
    part_merge_well(&run, "twice.h5 s01.h5 s2.h5", NULL, NULL);
    /* Rows that are taken from another input do not take a session away; the same one counts once. */
    part_merge_well(&run, "doubled.h5 s01.h5 s2.h5 s0.h5 s1.h5",
                    &(struct cola_merge_options){.allow_duplicates = true}, NULL);
    static const char *const merged[] = {"out.h5", "twice.h5", "doubled.h5"};
    for (int m = 0; m < 3; m++) {
        struct cola_run *file = small_run_read(part_path(&run, merged[m], path));
        assert_n_sessions(file, 3);
        for (uint32_t i = 0; i < 3; i++) assert_session(file, i, i + 1, id[i], (int32_t)i, 0);
        cola_run_close(file);
    }
    small_run_destroy(&run);
}

static void merge_of_runs_without_sessions_has_none(void **state)
{
    (void)state;
    struct small_run run;
    struct cola_merge_report report;
    char out[PATH_BYTES];
    small_run_create(&run);
    const char *in[] = {COLA_TEST_DATA "/runs/run-1.1.h5"};
    part_path(&run, "out.h5", out);
    if (cola_merge(out, in, 1, &(struct cola_merge_options){0}, &report) != COLA_OK)
        fail_msg("%s", cola_error_text());
    struct cola_run *file = small_run_read(out);
    assert_int_equal(file->minor, 1);
    assert_n_sessions(file, 0);
    cola_run_close(file);
    small_run_destroy(&run);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_figures_of_a_process_replace_its_earlier_ones),
        cmocka_unit_test(resumed_process_keeps_the_rows_of_earlier_ones),
        cmocka_unit_test(process_killed_before_a_fold_leaves_its_number_out),
        cmocka_unit_test(damaged_figures_are_left_out_when_a_run_goes_on),
        cmocka_unit_test(figures_change_no_digest),
        cmocka_unit_test(row_layers_come_back_from_the_journal_and_from_the_run),
        cmocka_unit_test(samples_that_are_put_away_keep_row_layers_and_sessions),
        cmocka_unit_test(journal_of_version_1_1_is_continued_as_such),
        cmocka_unit_test(file_of_version_1_1_is_read_and_has_its_digest),
        cmocka_unit_test(merge_has_the_sessions_of_all_parts),
        cmocka_unit_test(merge_of_runs_without_sessions_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

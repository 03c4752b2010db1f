/* test_merge.c - cola_merge: equal to the undivided run in any order, and every refusal with its words. */
#include "cola/log.h"
#include "unit/record/merge_parts.h"

static struct small_run run; /* a.h5, b.h5, c.h5: a sample each; whole.h5: all */
static char whole[COLA_HASH_TEXT];

static void make_run(struct small_run *of, void (*make)(hid_t file), bool control,
                     char digest[COLA_HASH_TEXT])
{
    small_run_create_with(of, make, control);
    part_make(of, &(struct part){.name = "whole.h5", .n = 3});
    part_make(of, &(struct part){.name = "a.h5", .first = 0, .n = 1});
    part_make(of, &(struct part){.name = "b.h5", .first = 1, .n = 1});
    part_make(of, &(struct part){.name = "c.h5", .first = 2, .n = 1});
    part_digest(of, "whole.h5", digest);
}

static int set_up(void **state)
{
    (void)state;
    make_run(&run, NULL, false, whole);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    small_run_destroy(&run);
    return 0;
}

/* --- equal to the whole ------------------------------------------------------------------------------- */

static void assert_merges_to(const struct small_run *of, const char *names,
                             const struct cola_merge_options *options, const char *expected)
{
    char digest[COLA_HASH_TEXT];
    struct cola_merge_report report;
    part_merge_well(of, names, options, &report);
    assert_string_equal(report.digest, expected);
    part_digest(of, "out.h5", digest); /* opens, checks and computes it anew */
    assert_string_equal(digest, expected);
    part_remove(of, "out.h5");
}

static void parts_in_any_order_give_the_same_file(void **state)
{
    (void)state;
    static const char *const order[] = {"out.h5 a.h5 b.h5 c.h5", "out.h5 a.h5 c.h5 b.h5",
                                        "out.h5 b.h5 a.h5 c.h5", "out.h5 b.h5 c.h5 a.h5",
                                        "out.h5 c.h5 a.h5 b.h5", "out.h5 c.h5 b.h5 a.h5"};
    char path[PATH_BYTES];
    uint8_t *first = NULL;
    size_t n = 0;
    for (int i = 0; i < 6; i++) {
        part_merge_well(&run, order[i], NULL, NULL);
        part_path(&run, "out.h5", path);
        if (i == 0)
            first = small_read(path, &n);
        else
            assert_file_is(path, first, n); /* provenance too */
        part_remove(&run, "out.h5");
        assert_merges_to(&run, order[i], NULL, whole);
    }
    free(first);
}

static void every_score_rule_and_the_control_merge_to_the_whole(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct small_run other;
        char digest[COLA_HASH_TEXT];
        make_run(&other,
                 i < 2    ? tasks_file_make_generate
                 : i == 2 ? tasks_file_make_letter
                          : NULL,
                 i == 1 || i == 3, digest);
        assert_merges_to(&other, "out.h5 c.h5 a.h5 b.h5", NULL, digest);
        small_run_destroy(&other);
    }
}

static void merged_runs_merge_again(void **state)
{
    (void)state;
    part_merge_well(&run, "ab.h5 a.h5 b.h5", NULL, NULL);
    assert_merges_to(&run, "out.h5 c.h5 ab.h5", NULL, whole);
    assert_merges_to(&run, "out.h5 whole.h5", NULL, whole);
    part_merge_well(&run, "ca.h5 c.h5 a.h5", &(struct cola_merge_options){.allow_missing = true}, NULL);
    assert_merges_to(&run, "out.h5 ca.h5 b.h5", NULL, whole); /* the gap is filled */
    part_remove(&run, "ab.h5");
    part_remove(&run, "ca.h5");
}

static void assert_field(const char *name, const char *key, const char *expected)
{
    char path[PATH_BYTES];
    struct cola_run *file = small_run_read(part_path(&run, name, path));
    const char *found = cola_run_attribute(file, key);
    if (!found || strcmp(found, expected) != 0)
        fail_msg("%s: %s: %s, expected %s", name, key, found ? found : "none", expected);
    cola_run_close(file);
}

static void merged_run_says_what_it_was_made_of(void **state)
{
    (void)state;
    char id[2][40], text[100], path[PATH_BYTES];
    part_make(&run,
              &(struct part){
                  .name = "b5.h5", .first = 1, .n = 1, .change = {"n_ranks", "5", COLA_FIELD_PROVENANCE}});
    part_merge_well(&run, "out.h5 b5.h5 a.h5", NULL, NULL);
    for (int i = 0; i < 2; i++) {
        struct cola_run *file = small_run_read(part_path(&run, i ? "b5.h5" : "a.h5", path));
        snprintf(id[i], sizeof id[i], "%s", cola_run_attribute(file, "run_id"));
        cola_run_close(file);
    }
    snprintf(text, sizeof text, "a.h5 %s; b5.h5 %s", id[0], id[1]);
    assert_field("out.h5", "merged_from", text);
    assert_field("out.h5", "n_ranks", "3; 5");
    assert_field("out.h5", "samples", "0:2");
    assert_field("out.h5", "seed", "7");
    assert_field("out.h5", "complete", "1");
    part_merge_well(&run, "again.h5 c.h5 out.h5", NULL, NULL);
    assert_field("again.h5", "n_ranks", "3; 5"); /* each value once */
    struct cola_run *file = small_run_read(part_path(&run, "again.h5", path));
    assert_memory_equal(cola_run_attribute(file, "merged_from"), text, strlen(text)); /* and c.h5 behind */
    cola_run_close(file);
    part_remove(&run, "again.h5");
    part_remove(&run, "out.h5");
    part_remove(&run, "b5.h5");
}

static void merged_run_is_a_memo(void **state)
{
    (void)state;
    struct cola_record *record = NULL;
    char path[PATH_BYTES], memo[PATH_BYTES];
    uint64_t n = 0;
    part_merge_well(&run, "out.h5 a.h5 b.h5 c.h5", NULL, NULL);
    struct cola_record_setup setup = {
        .field = run.field, .n_fields = SMALL_FIELDS, .tasks = run.tasks, .n_samples = SMALL_SAMPLES};
    assert_int_equal(cola_record_open(part_path(&run, "new.h5", path), &setup, &record), COLA_OK);
    assert_int_equal(cola_record_memo(record, part_path(&run, "out.h5", memo), &n), COLA_OK);
    struct cola_run *file = small_run_read(memo);
    assert_int_equal(n, cola_run_n_chains(file));
    cola_run_close(file);
    cola_record_close(record);
    part_remove(&run, "new.h5.journal");
    part_remove(&run, "out.h5");
}

/* --- parts of different searches ---------------------------------------------------------------------- */

static void whatever_decides_labels_must_be_equal(void **state)
{
    (void)state;
    static const struct cola_field change[] = {{"model_fingerprint", "xxh3:bb", COLA_FIELD_IDENTITY},
                                               {"numerics_id", "bf16-2", COLA_FIELD_IDENTITY},
                                               {"seed", "8", COLA_FIELD_IDENTITY},
                                               {"preset", "random", COLA_FIELD_IDENTITY},
                                               {"control", "wrong-answer", COLA_FIELD_IDENTITY},
                                               {"n_simulations", "11", COLA_FIELD_GROWS},
                                               {"tasks_fingerprint", "xxh3:cc", COLA_FIELD_IDENTITY},
                                               {"task", "four", COLA_FIELD_IDENTITY},
                                               {"metric", "acc_norm", COLA_FIELD_IDENTITY},
                                               {"seed", "7", COLA_FIELD_PROVENANCE}};
    char words[100];
    for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
        part_make(&run, &(struct part){.name = "x.h5", .first = 1, .n = 1, .change = change[i]});
        snprintf(words, sizeof words, "%s '", change[i].key);
        const char *other = strcmp(change[i].value, "7") == 0 ? "(in another role)" : change[i].value;
        PART_REFUSED(&run, "out.h5 a.h5 x.h5 c.h5", NULL, COLA_ERR_MISMATCH, words, other,
                     "x.h5 are not parts of one search");
        PART_REFUSED(&run, "out.h5 x.h5 a.h5 c.h5", NULL, COLA_ERR_MISMATCH, words, other, "a.h5 are not");
        assert_null(strstr(cola_error_text(), "samples '"));
        part_remove(&run, "x.h5");
    }
}

static void error_names_both_values_of_every_difference(void **state)
{
    (void)state;
    struct small_run other;
    small_run_create(&other);
    other.field[2].value = "8";
    other.field[3].value = "random";
    part_make(&other, &(struct part){.name = "x.h5", .first = 1, .n = 1});
    char names[PATH_BYTES + 20], path[PATH_BYTES];
    snprintf(names, sizeof names, "out.h5 a.h5 %s", part_path(&other, "x.h5", path));
    PART_REFUSED(&run, names, NULL, COLA_ERR_MISMATCH, "seed '7' and '8'", "preset 'cola' and 'random'",
                 path);
    small_run_destroy(&other);
}

static void older_version_merges_with_its_like_only(void **state)
{
    (void)state;
    static const char old[] = COLA_TEST_DATA "/runs/run-1.0.h5";
    struct cola_merge_report report;
    char digest[COLA_HASH_TEXT], path[PATH_BYTES];
    const char *in[2] = {old, part_path(&run, "c.h5", path)};
    char out[PATH_BYTES];
    part_path(&run, "out.h5", out);
    assert_int_equal(cola_merge(out, in, 2, &(struct cola_merge_options){0}, &report), COLA_ERR_MISMATCH);
    assert_error_names("format version: '1.0' and '1.2'");
    if (cola_merge(out, in, 1, &(struct cola_merge_options){0}, &report) != COLA_OK)
        fail_msg("%s", cola_error_text());
    small_run_digest(out, digest); /* as a file of version 1.0 */
    assert_string_equal(digest, "xxh3:3851f3456d1fb9daafd4eddd36705a1a");
    part_remove(&run, "out.h5");
}

/* --- rows --------------------------------------------------------------------------------------------- */

static void missing_rows_are_refused_unless_told(void **state)
{
    (void)state;
    const struct cola_merge_options allow = {.allow_missing = true};
    struct cola_merge_report report;
    PART_REFUSED(&run, "out.h5 c.h5 a.h5", NULL, COLA_ERR_MISMATCH, "missing: rows 1:2 (between", "a.h5 and ",
                 "--allow-missing");
    part_merge_well(&run, "out.h5 c.h5 a.h5", &allow, &report);
    assert_int_equal(report.n_samples, 2);
    assert_int_equal(report.n_missing, 1);
    assert_false(report.ends_missing);
    assert_field("out.h5", "samples", "0:1,2:3");
    part_remove(&run, "out.h5");
    part_merge_well(&run, "out.h5 b.h5 c.h5", NULL,
                    &report); /* --samples: nobody said that there are others */
    assert_field("out.h5", "samples", "1:3");
    part_remove(&run, "out.h5");
}

static void shards_know_of_the_others(void **state)
{
    (void)state;
    const struct cola_merge_options allow = {.allow_missing = true};
    struct cola_merge_report report;
    part_make(&run, &(struct part){.name = "s0.h5", .first = 0, .n = 1, .shard = "0/3"});
    part_make(&run, &(struct part){.name = "s1.h5", .first = 1, .n = 1, .shard = "1/3"});
    part_make(&run, &(struct part){.name = "s2.h5", .first = 2, .n = 1, .shard = "2/3"});
    assert_merges_to(&run, "out.h5 s2.h5 s0.h5 s1.h5", NULL, whole);
    PART_REFUSED(&run, "out.h5 s1.h5 s2.h5", NULL, COLA_ERR_MISMATCH, "rows 0:1 (", "s1.h5 is shard 1 of 3",
                 "nothing is before it");
    PART_REFUSED(&run, "out.h5 s0.h5 s1.h5", NULL, COLA_ERR_MISMATCH, "rows from 2 on (",
                 "s1.h5 is shard 1 of 3", "nothing is behind it");
    PART_REFUSED(&run, "out.h5 s1.h5", NULL, COLA_ERR_MISMATCH, "rows 0:1 (", "; rows from 2 on (", "");
    part_merge_well(&run, "s01.h5 s0.h5 s1.h5", &allow, &report);
    assert_true(report.ends_missing);
    assert_field("s01.h5", "shard", "0-1/3");
    PART_REFUSED(&run, "out.h5 s01.h5", NULL, COLA_ERR_MISMATCH, "rows from 2 on (", "s01.h5",
                 ""); /* still */
    part_merge_well(&run, "out.h5 s01.h5 s2.h5", NULL, &report);
    assert_string_equal(report.digest, whole);
    assert_false(report.ends_missing);
    static const char *const name[] = {"out.h5", "s01.h5", "s0.h5", "s1.h5", "s2.h5"};
    for (int i = 0; i < 5; i++) part_remove(&run, name[i]);
}

static void doubled_rows_are_refused_unless_told_and_equal(void **state)
{
    (void)state;
    const struct cola_merge_options allow = {.allow_duplicates = true};
    struct cola_merge_report report;
    part_make(&run, &(struct part){.name = "bc.h5", .first = 1, .n = 2});
    PART_REFUSED(&run, "out.h5 a.h5 bc.h5 b.h5", NULL, COLA_ERR_MISMATCH, "row 1 is in ", "bc.h5",
                 "(1 rows too many in all); --allow-duplicates");
    part_merge_well(&run, "out.h5 a.h5 bc.h5 b.h5", &allow, &report);
    assert_int_equal(report.n_duplicates, 1);
    part_remove(&run, "out.h5");
    assert_merges_to(&run, "out.h5 a.h5 bc.h5 b.h5 whole.h5", &allow, whole);
    assert_merges_to(&run, "out.h5 whole.h5 b.h5 bc.h5", &allow, whole);
    PART_REFUSED(&run, "out.h5 a.h5 bc.h5 a.h5", &allow, COLA_ERR_MISMATCH, "are the same file", "a.h5", "");
    part_make(&run, &(struct part){.name = "cut.h5", .first = 1, .n = 1, .stop_after = 4});
    const struct cola_merge_options both = {.allow_duplicates = true, .allow_unfinished = true};
    PART_REFUSED(&run, "out.h5 a.h5 bc.h5 cut.h5", &both, COLA_ERR_MISMATCH, "row 1 is in ", "cut.h5",
                 "with different content (1 such in all)");
    part_remove(&run, "cut.h5");
    part_remove(&run, "bc.h5");
}

static void unfinished_runs_are_refused_unless_told(void **state)
{
    (void)state;
    const struct cola_merge_options allow = {.allow_unfinished = true};
    struct cola_merge_report report;
    char digest[COLA_HASH_TEXT];
    part_make(&run, &(struct part){.name = "ab.h5", .first = 0, .n = 2, .stop_after = 4});
    PART_REFUSED(&run, "out.h5 c.h5 ab.h5", NULL, COLA_ERR_MISMATCH,
                 "1 of 2 inputs unfinished:", "ab.h5 (1 of 2 samples finished)", "--allow-unfinished");
    part_merge_well(&run, "out.h5 c.h5 ab.h5", &allow, &report);
    assert_int_equal(report.n_unfinished, 1);
    assert_field("out.h5", "complete", "0");
    /* The merged run goes on as the search it is a state of. */
    char path[PATH_BYTES], samples[32];
    struct cola_field field[SMALL_FIELDS + 3];
    struct cola_record_setup setup = {
        .field = field, .tasks = run.tasks, .n_samples = SMALL_SAMPLES, .resume = true};
    part_fields(&run, &(struct part){.n = 3}, samples, field, &setup.n_fields);
    part_path(&run, "out.h5", path);
    if (cola_record_open(path, &setup, &run.record) != COLA_OK) fail_msg("%s", cola_error_text());
    assert_int_equal(cola_record_n_resumed(run.record), report.n_chains);
    small_run_all(&run);
    struct cola_fold fold = {(const struct cola_search *const *)run.search, run.target, run.finished};
    assert_int_equal(cola_record_fold(run.record, &fold), COLA_OK);
    small_run_stop(&run);
    small_run_digest(path, digest);
    assert_string_equal(digest, whole);
    part_remove(&run, "out.h5.journal");
    part_remove(&run, "out.h5");
    part_remove(&run, "ab.h5");
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_in_any_order_give_the_same_file),
        cmocka_unit_test(every_score_rule_and_the_control_merge_to_the_whole),
        cmocka_unit_test(merged_runs_merge_again),
        cmocka_unit_test(merged_run_says_what_it_was_made_of),
        cmocka_unit_test(merged_run_is_a_memo),
        cmocka_unit_test(whatever_decides_labels_must_be_equal),
        cmocka_unit_test(error_names_both_values_of_every_difference),
        cmocka_unit_test(older_version_merges_with_its_like_only),
        cmocka_unit_test(missing_rows_are_refused_unless_told),
        cmocka_unit_test(shards_know_of_the_others),
        cmocka_unit_test(doubled_rows_are_refused_unless_told_and_equal),
        cmocka_unit_test(unfinished_runs_are_refused_unless_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* test_cross_record.c - a table of made-up results, from the journal to x.h5 and back: any order and any
 * interruption give the same file; what does not belong together is refused; a change is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cola/log.h"
#include "record/cross.h"
#include "unit/seal.h"
#include "unit/task/tasks_file.h"

enum { SAMPLES = 3, LAYERS = 4 };

static char directory[64], tasks_path[128], path[128], journal_path[160];
static struct cola_tasks *tasks;
static struct cola_chain_set chains;
static const char *const texts[] = {"0-3", "0-1,3", "(0-1)x2,2-3", "1-3", "0-2", "3"};
enum { CHAINS = sizeof texts / sizeof *texts };

static struct cola_field field[] = {{"model_fingerprint", "xxh3:aa", COLA_FIELD_IDENTITY},
                                    {"numerics_id", "f32-1", COLA_FIELD_IDENTITY},
                                    {"host", "here", COLA_FIELD_PROVENANCE}};

static int set_up(void **state)
{
    (void)state;
    cola_log_setup(COLA_LOG_ERROR, -1);
    snprintf(directory, sizeof directory, "/tmp/cola-cross-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(tasks_path, sizeof tasks_path, "%s/tasks.h5", directory);
    snprintf(path, sizeof path, "%s/x.h5", directory);
    snprintf(journal_path, sizeof journal_path, "%s.journal", path);
    H5Fclose(tasks_file_create(tasks_path));
    assert_int_equal(cola_tasks_open(tasks_path, &tasks), COLA_OK);
    for (int i = 0; i < CHAINS; i++) {
        cola_layer room[16];
        struct cola_chain chain;
        assert_int_equal(cola_chain_parse(texts[i], LAYERS, room, 16, &chain), COLA_OK);
        assert_int_equal(cola_chain_set_add(&chains, &chain), COLA_OK);
    }
    assert_int_equal(cola_chain_set_seal(&chains), COLA_OK);
    return 0;
}

static void fresh(void)
{
    unlink(path);
    unlink(journal_path);
}

static int tear_down(void **state)
{
    (void)state;
    fresh();
    unlink(tasks_path);
    rmdir(directory);
    cola_tasks_close(tasks);
    cola_chain_set_fini(&chains);
    return 0;
}

static struct cola_cross_setup setup_of(bool resume)
{
    return (struct cola_cross_setup){
        .field = field, .n_fields = 3, .tasks = tasks, .chains = &chains, .details = true, .resume = resume};
}

/* What the evaluation gives: a function of its place. Sample 1 is not finite under chain 2. */
static void evaluate(struct cola_cross_record *r, uint32_t sample, uint32_t chain)
{
    float score[8];
    uint32_t n = cola_tasks_sample(tasks, sample)->n_candidates;
    bool bad = sample == 1 && chain == 2;
    for (uint32_t i = 0; i < n; i++) score[i] = bad ? (float)-NAN : (float)((i + sample + chain) % n);
    struct cola_result result = {
        .outcome = bad, .score = score, .n_scores = n, .argmax = -1, .cost = {.seconds = (float)chain}};
    assert_int_equal(cola_cross_started(r, sample, chain), COLA_OK);
    assert_int_equal(cola_cross_evaluated(r, sample, chain, &result), COLA_OK);
    assert_true(cola_cross_known(r, sample, chain));
}

static bool is_right(uint32_t sample, uint32_t chain)
{
    const struct cola_sample *s = cola_tasks_sample(tasks, sample);
    uint32_t best = (uint32_t)((2 * (uint64_t)s->n_candidates * 100 - 1 - sample - chain) % s->n_candidates);
    return !(sample == 1 && chain == 2) && (int32_t)best == s->gold;
}

/* In a session that knows what came before: every k-th evaluation that is not known, at most `most`. */
static void session(uint32_t step, uint32_t most, bool finish)
{
    struct cola_cross_record *r;
    struct cola_cross_setup setup = setup_of(true);
    struct cola_cross_totals totals;
    assert_int_equal(cola_cross_record_open(path, &setup, &r), COLA_OK);
    for (uint32_t i = 0, n = 0; i <= SAMPLES * CHAINS && n < most; i++) {
        uint32_t at = i * step % (SAMPLES * CHAINS + 1);
        if (at >= SAMPLES * CHAINS) at = 0;
        if (cola_cross_known(r, at / CHAINS, at % CHAINS)) continue;
        evaluate(r, at / CHAINS, at % CHAINS);
        n++;
    }
    assert_int_equal(cola_cross_commit(r), COLA_OK);
    if (finish) assert_int_equal(cola_cross_finish(r, &totals), COLA_OK);
    cola_cross_record_close(r);
}

static void digest_of(char digest[COLA_HASH_TEXT])
{
    struct cola_cross *cross;
    assert_int_equal(cola_cross_open(path, &cross), COLA_OK);
    assert_true(cola_cross_complete(cross));
    assert_int_equal(cola_cross_digest(cross, digest), COLA_OK);
    cola_cross_close(cross);
}

static void every_order_and_interruption_gives_the_same_table(void **state)
{
    (void)state;
    char want[COLA_HASH_TEXT], got[COLA_HASH_TEXT];
    fresh();
    session(1, UINT32_MAX, true);
    digest_of(want);
    for (uint32_t step = 2; step < 19; step++) { /* 19 is prime: every step goes everywhere */
        fresh();
        for (uint32_t part = 0; part < 4; part++) session(step + part, 4, part == 1);
        session(step, UINT32_MAX, true);
        digest_of(got);
        assert_string_equal(got, want);
    }
}

static void the_table_says_what_was_evaluated(void **state)
{
    (void)state;
    struct cola_cross *cross;
    uint8_t outcome[SAMPLES][CHAINS], right[SAMPLES][CHAINS];
    int32_t prediction[SAMPLES][CHAINS];
    fresh();
    session(5, UINT32_MAX, true);
    assert_int_equal(cola_cross_open(path, &cross), COLA_OK);
    assert_int_equal(cola_cross_n_samples(cross), SAMPLES);
    assert_int_equal(cola_cross_chains(cross)->n, CHAINS);
    assert_int_equal(cola_cross_rows(cross, 0, SAMPLES, outcome[0], right[0], prediction[0]), COLA_OK);
    for (uint32_t s = 0; s < SAMPLES; s++)
        for (uint32_t c = 0; c < CHAINS; c++) {
            bool bad = s == 1 && c == 2;
            assert_int_equal(outcome[s][c], bad ? COLA_OUTCOME_NON_FINITE : COLA_OUTCOME_SCORED);
            assert_int_equal(right[s][c], is_right(s, c));
            assert_int_equal(prediction[s][c] == -1, bad);
        }
    assert_int_equal(cola_cross_rows(cross, 1, 1, outcome[0], NULL, NULL), COLA_OK);
    assert_int_equal(outcome[0][2], COLA_OUTCOME_NON_FINITE);
    cola_cross_close(cross);
}

/* Read with HDF5's own API: the texts one after the other, as many as candidates. */
static void the_table_has_the_texts_of_the_choices(void **state)
{
    (void)state;
    uint64_t offset[16] = {0}, n = 0;
    uint8_t bytes[256];
    fresh();
    session(1, UINT32_MAX, true);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t offsets = H5Dopen2(file, "texts/choice_offsets", H5P_DEFAULT);
    hid_t values = H5Dopen2(file, "texts/choice_values", H5P_DEFAULT);
    assert_true(H5Dread(offsets, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, offset) >= 0);
    assert_true(H5Dread(values, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0);
    for (uint32_t s = 0; s < SAMPLES; s++)
        for (uint32_t c = 0; c < cola_tasks_sample(tasks, s)->n_candidates; c++, n++) {
            struct cola_text text = cola_tasks_choice(tasks, s, c);
            assert_true(text.n_bytes > 0);
            assert_int_equal(offset[n + 1] - offset[n], text.n_bytes);
            assert_memory_equal(bytes + offset[n], text.bytes, text.n_bytes);
        }
    H5Dclose(values);
    H5Dclose(offsets);
    H5Fclose(file);
}

/* Without the texts it is a table of version 1.0, but not this one. */
static void a_table_without_texts_opens_and_one_with_too_few_does_not(void **state)
{
    (void)state;
    struct cola_cross *cross;
    char digest[COLA_HASH_TEXT];
    uint64_t offset[2] = {0};
    fresh();
    session(1, UINT32_MAX, true);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    tasks_file_put(file, "texts/choice_offsets", H5T_NATIVE_UINT64, offset, 2);
    H5Fclose(file);
    seal_file(path);
    assert_int_equal(cola_cross_open(path, &cross), COLA_ERR_INPUT);
    assert_non_null(strstr(cola_error_text(), "texts/choice_offsets has 2 entries"));
    file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(file, "texts", H5P_DEFAULT) >= 0);
    H5Fclose(file);
    seal_file(path);
    assert_int_equal(cola_cross_open(path, &cross), COLA_OK);
    assert_int_equal(cola_cross_digest(cross, digest), COLA_ERR_INPUT);
    cola_cross_close(cross);
}

static void a_table_that_is_not_complete_says_so(void **state)
{
    (void)state;
    struct cola_cross *cross;
    uint8_t outcome[SAMPLES * CHAINS];
    fresh();
    session(1, 8, true); /* sample 0, and two chains of sample 1 */
    assert_int_equal(cola_cross_open(path, &cross), COLA_OK);
    assert_false(cola_cross_complete(cross));
    assert_int_equal(cola_cross_rows(cross, 0, SAMPLES, outcome, NULL, NULL), COLA_OK);
    for (int i = 0; i < SAMPLES * CHAINS; i++)
        assert_int_equal(outcome[i], i < 8 ? COLA_OUTCOME_SCORED : COLA_CROSS_NOT_EVALUATED);
    cola_cross_close(cross);
}

static void assert_open_fails(const struct cola_cross_setup *setup, enum cola_status expected,
                              const char *word)
{
    struct cola_cross_record *r = NULL;
    assert_int_equal(cola_cross_record_open(path, setup, &r), expected);
    assert_non_null(strstr(cola_error_text(), word));
    assert_null(r);
}

static void what_does_not_belong_together_is_refused(void **state)
{
    (void)state;
    struct cola_cross_setup setup = setup_of(false);
    fresh();
    session(1, 5, false);
    assert_open_fails(&setup, COLA_ERR_USAGE, "--resume");
    setup.resume = true;
    setup.details = false;
    assert_open_fails(&setup, COLA_ERR_MISMATCH, "details");
    setup.details = true;
    struct cola_field other[] = {field[0], {"numerics_id", "bf16-1", COLA_FIELD_IDENTITY}, field[2]};
    setup.field = other;
    assert_open_fails(&setup, COLA_ERR_MISMATCH, "numerics_id");
    setup.field = field;
    struct cola_chain_set fewer = {0};
    for (uint32_t i = 0; i + 1 < chains.n; i++) {
        struct cola_chain chain = cola_chain_set_get(&chains, i);
        assert_int_equal(cola_chain_set_add(&fewer, &chain), COLA_OK);
    }
    setup.chains = &fewer;
    assert_open_fails(&setup, COLA_ERR_MISMATCH, "chains_fingerprint");
    cola_chain_set_fini(&fewer);
    setup.chains = &chains;
    other[1] = field[1];
    other[2].value = "elsewhere"; /* provenance is free */
    setup.field = other;
    struct cola_cross_record *r;
    assert_int_equal(cola_cross_record_open(path, &setup, &r), COLA_OK);
    assert_int_equal(cola_cross_n_known(r), 5);
    cola_cross_record_close(r);
}

/* After the end the journal may go; before, it may not. */
static void a_whole_table_needs_no_journal(void **state)
{
    (void)state;
    struct cola_cross_setup setup = setup_of(true);
    struct cola_cross_record *r;
    struct cola_cross_totals totals;
    char before[COLA_HASH_TEXT], after[COLA_HASH_TEXT];
    fresh();
    session(1, UINT32_MAX, true);
    digest_of(before);
    unlink(journal_path);
    assert_int_equal(cola_cross_record_open(path, &setup, &r), COLA_OK);
    assert_int_equal(cola_cross_n_known(r), SAMPLES * CHAINS);
    assert_int_equal(cola_cross_n_left(r, 1), 0);
    assert_int_equal(cola_cross_finish(r, &totals), COLA_OK);
    cola_cross_record_close(r);
    digest_of(after);
    assert_string_equal(before, after);
    fresh();
    session(1, 5, true);
    unlink(journal_path);
    assert_open_fails(&setup, COLA_ERR_INPUT, "is gone");
}

/* An evaluation that was out at three deaths of the process is set aside; nothing else is. */
static void what_crashed_three_times_is_a_result(void **state)
{
    (void)state;
    struct cola_cross_setup setup = setup_of(true);
    struct cola_cross_record *r;
    struct cola_cross *cross;
    uint8_t outcome[CHAINS];
    fresh();
    for (uint32_t death = 0; death < 3; death++) {
        uint32_t sample = 9, chain = 9, attempts = 0;
        assert_int_equal(cola_cross_record_open(path, &setup, &r), COLA_OK);
        assert_int_equal(cola_cross_n_suspects(r), death > 0);
        if (death) cola_cross_suspect(r, 0, &sample, &chain, &attempts);
        if (death) assert_true(sample == 2 && chain == 3 && attempts == death);
        assert_int_equal(cola_cross_started(r, 2, 3), COLA_OK);
        cola_cross_record_close(r);
    }
    session(1, UINT32_MAX, true);
    assert_int_equal(cola_cross_open(path, &cross), COLA_OK);
    assert_int_equal(cola_cross_rows(cross, 2, 1, outcome, NULL, NULL), COLA_OK);
    for (int i = 0; i < CHAINS; i++)
        assert_int_equal(outcome[i], i == 3 ? COLA_OUTCOME_CRASHED : COLA_OUTCOME_SCORED);
    cola_cross_close(cross);
}

/* A change of one byte of a table, with the first block made right again, is found by the digest. */
static void a_changed_cell_is_found(void **state)
{
    (void)state;
    struct cola_cross *cross;
    char digest[COLA_HASH_TEXT];
    fresh();
    session(1, UINT32_MAX, true);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, "results/right", H5P_DEFAULT);
    uint8_t right[SAMPLES][CHAINS];
    assert_true(H5Dread(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, right) >= 0);
    right[2][1] ^= 1;
    assert_true(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, right) >= 0);
    H5Dclose(set);
    H5Fclose(file);
    assert_int_equal(cola_cross_open(path, &cross), COLA_ERR_INPUT); /* the first block */
    seal_file(path);
    assert_int_equal(cola_cross_open(path, &cross), COLA_OK);
    assert_int_equal(cola_cross_digest(cross, digest), COLA_ERR_INPUT);
    cola_cross_close(cross);
}

static void page_has_the_schema_line_by_line(void **state)
{
    (void)state;
    char line[600], expected[600];
    int row = 0;
    FILE *page = fopen(COLA_TEST_DATA "/../../docs/format-cross.md", "r");
    assert_non_null(page);
    while (fgets(line, sizeof line, page)) {
        char *slash = strchr(line, '/'), *end = strchr(line + 3, '`');
        if (strncmp(line, "| `", 3) != 0 || !slash || !end || slash > end) continue;
        assert_in_range(row, 0, COLA_N_CROSS_COLUMNS - 1);
        const struct cola_cross_schema *schema = &cola_cross_schema[row++];
        snprintf(expected, sizeof expected, "| `%s` | %s | %s | %s |\n", schema->name,
                 cola_h5_type_name(schema->type), schema->shape, schema->meaning);
        assert_string_equal(line, expected);
    }
    fclose(page);
    assert_int_equal(row, COLA_N_CROSS_COLUMNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_and_interruption_gives_the_same_table),
        cmocka_unit_test(the_table_says_what_was_evaluated),
        cmocka_unit_test(the_table_has_the_texts_of_the_choices),
        cmocka_unit_test(a_table_without_texts_opens_and_one_with_too_few_does_not),
        cmocka_unit_test(a_table_that_is_not_complete_says_so),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
        cmocka_unit_test(a_whole_table_needs_no_journal),
        cmocka_unit_test(what_crashed_three_times_is_a_result),
        cmocka_unit_test(a_changed_cell_is_found),
        cmocka_unit_test(page_has_the_schema_line_by_line),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* small_run.h - a small search with a synthetic evaluator, from tasks.h5 to run.h5, for the tests of
 * src/record: three samples of tasks_file.h, a model of 6 layers, every step through the public functions of
 * record.h. Under generate the evaluator's answers are right, wrong and unreadable by turns. */
#ifndef COLA_TESTS_SMALL_RUN_H
#define COLA_TESTS_SMALL_RUN_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cola/hash.h"
#include "cola/judge.h"
#include "cola/record.h"
#include "cola/timing.h"
#include "unit/task/tasks_file.h"

enum { SMALL_LAYERS = 6, SMALL_SAMPLES = 3, SMALL_SIMULATIONS = 12, SMALL_FIELDS = 7 };

struct small_run {
    char directory[64], tasks_path[128], run_path[128], journal_path[128];
    struct cola_field field[SMALL_FIELDS];
    struct cola_tasks *tasks;
    struct cola_record *record;
    struct cola_search *search[SMALL_SAMPLES];
    int32_t target[SMALL_SAMPLES];
    bool finished[SMALL_SAMPLES];
    uint64_t n_evaluated; /* by the synthetic evaluator, not taken from what was known */
};

/* --- a directory of its own -------------------------------------------------------------------------------
 */

/* make turns the right loglik file into another one; NULL: it stays. */
static inline void small_run_create_with(struct small_run *run, void (*make)(hid_t file), bool control)
{
    *run = (struct small_run){.directory = "/tmp/cola-record-XXXXXX"};
    assert_non_null(mkdtemp(run->directory));
    snprintf(run->tasks_path, sizeof run->tasks_path, "%s/tasks.h5", run->directory);
    snprintf(run->run_path, sizeof run->run_path, "%s/run.h5", run->directory);
    snprintf(run->journal_path, sizeof run->journal_path, "%s/run.h5.journal", run->directory);
    hid_t file = tasks_file_create(run->tasks_path);
    if (make) make(file);
    H5Fclose(file);
    assert_int_equal(cola_tasks_open(run->tasks_path, &run->tasks), COLA_OK);
    const struct cola_field field[SMALL_FIELDS] = {
        {"model_fingerprint", "xxh3:aa", COLA_FIELD_IDENTITY},
        {"numerics_id", "f32-1", COLA_FIELD_IDENTITY},
        {"seed", "7", COLA_FIELD_IDENTITY},
        {"preset", "cola", COLA_FIELD_IDENTITY},
        {"n_simulations", "12", COLA_FIELD_GROWS},
        {"n_ranks", "3", COLA_FIELD_PROVENANCE},
        {"control", control ? "wrong-answer" : "none", COLA_FIELD_IDENTITY},
    };
    memcpy(run->field, field, sizeof field);
    for (uint32_t i = 0; i < SMALL_SAMPLES; i++)
        assert_int_equal(cola_judge_target(run->tasks, i, control, 7, &run->target[i]), COLA_OK);
}

static inline void small_run_create(struct small_run *run)
{
    small_run_create_with(run, NULL, false);
}

static inline void small_run_stop(struct small_run *run) /* as a process that ends */
{
    cola_record_close(run->record);
    run->record = NULL;
    for (uint32_t i = 0; i < SMALL_SAMPLES; i++) {
        cola_search_destroy(run->search[i]);
        run->search[i] = NULL;
        run->finished[i] = false;
    }
    run->n_evaluated = 0;
}

/* Names in the directory; with `remove` they go. */
static inline uint32_t small_run_files(const struct small_run *run, bool remove)
{
    uint32_t n = 0;
    DIR *list = opendir(run->directory);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list));) {
        if (entry->d_name[0] == '.') continue;
        n++;
        if (remove) unlinkat(dirfd(list), entry->d_name, 0);
    }
    closedir(list);
    return n;
}

static inline void small_run_destroy(struct small_run *run)
{
    small_run_stop(run);
    cola_tasks_close(run->tasks);
    small_run_files(run, true);
    rmdir(run->directory);
}

/* --- searching --------------------------------------------------------------------------------------------
 */

static inline enum cola_status small_run_try_open(struct small_run *run, bool resume)
{
    struct cola_record_setup setup = {.field = run->field,
                                      .n_fields = SMALL_FIELDS,
                                      .tasks = run->tasks,
                                      .n_samples = SMALL_SAMPLES,
                                      .resume = resume};
    return cola_record_open(run->run_path, &setup, &run->record);
}

static inline void small_run_open(struct small_run *run, bool resume)
{
    if (small_run_try_open(run, resume) != COLA_OK) fail_msg("%s", cola_error_text());
}

static inline void small_generate(uint64_t bits, int32_t token[2], struct cola_result *out)
{
    static const int32_t answer[4][2] = {{TOKEN_DIGIT + 1, TOKEN_DIGIT + 8},
                                         {TOKEN_DIGIT + 5, TOKEN_STOP},
                                         {TOKEN_LETTER + 1, TOKEN_STOP},
                                         {TOKEN_BEYOND, TOKEN_SPACE}}; /* 18, 5, B, nothing */
    memcpy(token, answer[bits % 4], sizeof answer[0]);
    out->n_scores = 0;
    out->logsumexp = 0;
    out->argmax = -1;
}

/* Scores are a function of (sample, chain) alone. The third sample's longer chains are not finite, so such
 * results take part in every test. Two tokens, so that no data set is empty. */
static inline void small_evaluate(const struct cola_sample *sample, const struct cola_chain *chain,
                                  float score[4], int32_t token[2], struct cola_result *out)
{
    uint64_t bits = cola_hash64(chain->layer, chain->n_layers * sizeof *chain->layer) + 977 * sample->index;
    for (uint32_t i = 0; i < 4; i++) score[i] = -(float)(cola_hash64(&(uint64_t){bits + i}, 8) % 1000) / 64;
    token[0] = (int32_t)(bits % 50);
    token[1] = 2;
    *out = (struct cola_result){
        .id = 99,
        .outcome = sample->index == 2 && chain->n_layers > 9 ? COLA_OUTCOME_NON_FINITE : COLA_OUTCOME_SCORED,
        .score = score,
        .n_scores = sample->n_candidates,
        .token = token,
        .n_tokens = 2,
        .logsumexp = score[0] + 3,
        .argmax = token[0],
        .cost = {
            .layers_asked = chain->n_layers, .layers_executed = chain->n_layers / 2 + 1, .seconds = 0.25f}};
    out->cost.row_layers = 7ull * out->cost.layers_executed;
    if (sample->rule == COLA_SCORE_GENERATE) small_generate(bits, token, out);
}

/* Up to `most` steps of sample i's search; true: it has ended (and is recorded as finished). */
static inline bool small_run_steps(struct small_run *run, uint32_t i, uint32_t most)
{
    const struct cola_sample *sample = cola_tasks_sample(run->tasks, i);
    uint32_t ticket;
    struct cola_chain chain;
    if (!run->search[i]) {
        struct cola_search_options options;
        assert_int_equal(cola_search_preset("cola", &options), COLA_OK);
        options.seed = 7;
        options.n_simulations = (uint32_t)strtoul(run->field[4].value, NULL, 10);
        assert_int_equal(cola_search_create(&options, SMALL_LAYERS, i, &run->search[i]), COLA_OK);
    }
    for (uint32_t step = 0; step < most; step++) {
        float score[4];
        int32_t token[2];
        struct cola_result result;
        if (cola_search_ask(run->search[i], &ticket, &chain) != COLA_ASK_CHAIN) {
            run->finished[i] = true;
            assert_int_equal(cola_record_finished(run->record, i, cola_search_n_simulations(run->search[i])),
                             COLA_OK);
            return true;
        }
        if (!cola_record_known(run->record, i, &chain, &result)) {
            assert_int_equal(cola_record_started(run->record, i, &chain), COLA_OK);
            small_evaluate(sample, &chain, score, token, &result);
            if (cola_record_evaluated(run->record, i, &chain, &result) != COLA_OK)
                fail_msg("%s", cola_error_text());
            run->n_evaluated++;
            assert_true(cola_record_known(run->record, i, &chain, &result));
        }
        struct cola_judgement j;
        assert_int_equal(cola_judge_result(run->tasks, i, COLA_METRIC_ACC, run->target[i], &result, &j),
                         COLA_OK);
        cola_search_tell(run->search[i], ticket, &j.verdict);
    }
    return false;
}

static inline void small_run_all(struct small_run *run)
{
    for (uint32_t i = 0; i < SMALL_SAMPLES; i++)
        while (!small_run_steps(run, i, 100)) {
        }
}

/* Figures of a process as the master gives them: two workers whose numbers are made from `seed`. */
static inline enum cola_status small_run_try_timing(struct small_run *run, uint32_t seed)
{
    const struct cola_timing_session session = {
        .began = 1.7e9 + seed, .search_s = 8, .master_cpu_s = 2, .tree_cpu_s = 1, .n_evaluations = 30 + seed};
    struct cola_timing_worker worker[2];
    for (uint32_t i = 0; i < 2; i++)
        worker[i] = (struct cola_timing_worker){.rank = i + 1,
                                                .host = {i ? "other" : "host", i ? 5 : 4},
                                                .device = {"ref", 3},
                                                .busy_s = 4 + i,
                                                .n_evaluations = 10 + 10 * i + seed,
                                                .layers_asked = 1000 + seed,
                                                .layers_executed = 600 + seed,
                                                .row_layers_asked = 7000 + seed,
                                                .row_layers_executed = 4200 + seed,
                                                .memory_bytes = (uint64_t)seed << 33,
                                                .state_bytes = (uint64_t)seed << 32};
    return cola_record_timing(run->record, &session, worker, 2);
}

static inline void small_run_timing(struct small_run *run, uint32_t seed)
{
    if (small_run_try_timing(run, seed) != COLA_OK) fail_msg("%s", cola_error_text());
}

static inline enum cola_status small_run_try_fold(struct small_run *run)
{
    struct cola_fold fold = {(const struct cola_search *const *)run->search, run->target, run->finished};
    return cola_record_fold(run->record, &fold);
}

static inline void small_run_fold(struct small_run *run)
{
    if (small_run_try_fold(run) != COLA_OK) fail_msg("%s", cola_error_text());
}

static inline struct cola_run *small_run_read(const char *path)
{
    struct cola_run *out = NULL;
    if (cola_run_open(path, &out) != COLA_OK) fail_msg("%s", cola_error_text());
    return out;
}

static inline void small_run_digest(const char *path, char digest[COLA_HASH_TEXT])
{
    struct cola_run *out = small_run_read(path);
    if (cola_run_digest(out, digest) != COLA_OK) fail_msg("%s", cola_error_text());
    cola_run_close(out);
}

/* A whole run from nothing; its digest. */
static inline void small_run_whole(struct small_run *run, char digest[COLA_HASH_TEXT])
{
    small_run_open(run, false);
    small_run_all(run);
    small_run_timing(run, 1);
    small_run_fold(run);
    small_run_stop(run);
    small_run_digest(run->run_path, digest);
}

/* --- bytes of files ---------------------------------------------------------------------------------------
 */

static inline uint8_t *small_read(const char *path, size_t *n)
{
    FILE *from = fopen(path, "rb");
    assert_non_null(from);
    uint8_t *bytes = malloc(1 << 24);
    *n = fread(bytes, 1, 1 << 24, from);
    fclose(from);
    return bytes;
}

static inline void small_write(const char *path, const uint8_t *bytes, size_t n)
{
    FILE *to = fopen(path, "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, n, to), n);
    assert_int_equal(fclose(to), 0);
}

static inline void assert_file_is(const char *path, const uint8_t *bytes, size_t n)
{
    size_t n_found;
    uint8_t *found = small_read(path, &n_found);
    assert_int_equal(n_found, n);
    assert_memory_equal(found, bytes, n);
    free(found);
}

static inline void assert_error_names(const char *words)
{
    if (!strstr(cola_error_text(), words)) fail_msg("'%s' is not in: %s", words, cola_error_text());
}

#endif

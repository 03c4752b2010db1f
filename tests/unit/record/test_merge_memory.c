/* test_merge_memory.c - a merge of 1.2 million chains holds a piece of them in memory, not all; and it is
 * equal to the run that was never divided. The files are made up: nothing was searched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cola/log.h"
#include "cola/merge.h"
#include "unit/record/write_run.h"

/* 1,200,000 chains of 24 layers: 280 MB, and 92 MB each input, of which less than 32 MiB may be held. */
enum { N_PARTS = 3, PART_SAMPLES = 20000, N_CHAINS = 20, N_CANDIDATES = 4, N_LAYERS = 24 };
#ifdef __SANITIZE_ADDRESS__
enum { MOST_MIB = 1024 }; /* it keeps what was freed */
#else
enum { MOST_MIB = 32 };
#endif

#define PUT(columns, column, ctype, value)                                                                   \
    assert_int_equal(COLA_COLUMNS_PUT((columns), (column), ctype, (value)), COLA_OK)

static void put_text(struct cola_columns *c, enum cola_run_column offsets, const char *text)
{
    enum cola_run_column values = (enum cola_run_column)cola_run_schema[offsets].into;
    assert_int_equal(cola_columns_append(c, values, text, strlen(text)), COLA_OK);
    assert_int_equal(cola_columns_end_row(c, offsets), COLA_OK);
}

static void put_chain(struct cola_columns *c, uint32_t row, uint32_t k)
{
    uint16_t layer[N_LAYERS];
    float score[N_CANDIDATES];
    for (uint32_t i = 0; i < N_LAYERS; i++) layer[i] = (uint16_t)((row + i * k) % 30);
    for (uint32_t i = 0; i < N_CANDIDATES; i++) score[i] = -(float)((row + 7 * k + i) % 97);
    assert_int_equal(cola_columns_append(c, COLA_CHAINS_LAYER_VALUES, layer, N_LAYERS), COLA_OK);
    assert_int_equal(cola_columns_append(c, COLA_SCORES_VALUES, score, N_CANDIDATES), COLA_OK);
    PUT(c, COLA_CHAINS_PARENT, int32_t, (int32_t)k - 1);
    PUT(c, COLA_CHAINS_DEPTH, uint32_t, k);
    PUT(c, COLA_CHAINS_EDIT_KIND, uint8_t, k ? 1 : 0);
    PUT(c, COLA_CHAINS_EDIT_POSITION, uint16_t, k);
    PUT(c, COLA_CHAINS_EDIT_BLOCK, uint8_t, 1);
    PUT(c, COLA_CHAINS_EDIT_TIMES, uint8_t, 0);
    PUT(c, COLA_CHAINS_SIMULATION, uint32_t, k);
    PUT(c, COLA_CHAINS_N_VISITS, uint32_t, N_CHAINS - k);
    PUT(c, COLA_CHAINS_TOTAL_REWARD, double, (row + k) % 5 * 0.25);
    PUT(c, COLA_CHAINS_REWARD, float, (row + k) % 2);
    PUT(c, COLA_CHAINS_PREDICTION, int32_t, (row + k) % N_CANDIDATES);
    PUT(c, COLA_CHAINS_OUTCOME, uint8_t, 0);
    PUT(c, COLA_CHAINS_ON_FRONT, uint8_t, k == 0);
    PUT(c, COLA_SCORES_LOGSUMEXP, float, 0);
    PUT(c, COLA_SCORES_ARGMAX, int32_t, -1);
    PUT(c, COLA_TIMING_SECONDS, float, 0.5);
    PUT(c, COLA_TIMING_LAYERS_ASKED, uint32_t, N_LAYERS);
    PUT(c, COLA_TIMING_LAYERS_EXECUTED, uint32_t, N_LAYERS - k);
    PUT(c, COLA_TIMING_ROW_LAYERS, uint64_t, 1);
    put_text(c, COLA_SCORES_ANSWER_OFFSETS, "");
    static const enum cola_run_column offsets[] = {COLA_CHAINS_LAYER_OFFSETS, COLA_SCORES_OFFSETS,
                                                   COLA_SCORES_TOKEN_OFFSETS};
    for (int i = 0; i < 3; i++) assert_int_equal(cola_columns_end_row(c, offsets[i]), COLA_OK);
}

static void put_sample(struct cola_columns *c, uint32_t row)
{
    char text[80];
    PUT(c, COLA_SAMPLES_INDEX, uint32_t, row);
    PUT(c, COLA_SAMPLES_GOLD, int32_t, row % N_CANDIDATES);
    PUT(c, COLA_SAMPLES_TARGET, int32_t, row % N_CANDIDATES);
    PUT(c, COLA_SAMPLES_FINISHED, uint8_t, 1);
    PUT(c, COLA_SAMPLES_N_SIMULATIONS, uint32_t, N_CHAINS);
    snprintf(text, sizeof text, "id-%u", row);
    put_text(c, COLA_SAMPLES_ID_OFFSETS, text);
    snprintf(text, sizeof text, "What is the %u-th of %*s?", row, (int)(row % 40), "all");
    put_text(c, COLA_TEXTS_QUESTION_OFFSETS, text);
    put_text(c, COLA_TEXTS_TARGET_OFFSETS, "this");
    for (uint32_t i = 0; i < N_CANDIDATES; i++) {
        PUT(c, COLA_CANDIDATES_N_BYTES, uint32_t, 4);
        put_text(c, COLA_CANDIDATES_LABEL_OFFSETS, "A");
        put_text(c, COLA_TEXTS_CHOICE_OFFSETS, i ? "that" : "this");
    }
    for (uint32_t k = 0; k < N_CHAINS; k++) put_chain(c, row, k);
    assert_int_equal(cola_columns_end_row(c, COLA_SAMPLES_CANDIDATE_OFFSETS), COLA_OK);
    assert_int_equal(cola_columns_end_row(c, COLA_SAMPLES_CHAIN_OFFSETS), COLA_OK);
}

static void make_file(const char *path, uint32_t first, uint32_t n)
{
    struct cola_columns c = {0};
    struct cola_fields fields = {0};
    char samples[32];
    snprintf(samples, sizeof samples, "%u:%u", first, first + n);
    assert_int_equal(cola_fields_add(&fields, "samples", samples, COLA_FIELD_IDENTITY), COLA_OK);
    assert_int_equal(cola_fields_add(&fields, "score", "loglik", COLA_FIELD_IDENTITY), COLA_OK);
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        enum cola_shape shape = cola_run_schema[i].shape;
        if (shape == COLA_SHAPE_OFFSETS || shape == COLA_SHAPE_FIRST)
            assert_int_equal(cola_columns_end_row(&c, (enum cola_run_column)i), COLA_OK);
    }
    for (uint32_t row = first; row < first + n; row++) put_sample(&c, row);
    if (write_run(path, &c, &fields) != COLA_OK) fail_msg("%s", cola_error_text());
    cola_columns_fini(&c);
    cola_fields_fini(&fields);
}

/* --- each in a process of its own, whose memory is measured ------------------------------------------- */

struct work {
    char directory[40], path[N_PARTS][80], whole[80], out[80];
    int job; /* of the process: a part, the whole (N_PARTS), the merge */
};

static void work(const struct work *w)
{
    if (w->job < N_PARTS) {
        make_file(w->path[w->job], (uint32_t)w->job * PART_SAMPLES, PART_SAMPLES);
    } else if (w->job == N_PARTS) {
        make_file(w->whole, 0, N_PARTS * PART_SAMPLES);
    } else {
        const char *in[N_PARTS] = {w->path[2], w->path[0], w->path[1]};
        struct cola_merge_report report;
        if (cola_merge(w->out, in, N_PARTS, &(struct cola_merge_options){0}, &report) != COLA_OK)
            fail_msg("%s", cola_error_text());
        assert_int_equal(report.n_chains, N_PARTS * PART_SAMPLES * N_CHAINS);
    }
}

/* Peak memory of the process, MiB. */
static long apart(struct work *w, int job)
{
    struct rusage used;
    int how;
    w->job = job;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        work(w); /* a failed assertion ends the process with another status */
        _exit(0);
    }
    assert_int_equal(wait4(pid, &how, 0, &used), pid);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    return used.ru_maxrss / 1024;
}

static void read_digest(const char *path, char digest[COLA_HASH_TEXT])
{
    struct cola_h5 file;
    char *text = NULL;
    assert_int_equal(cola_h5_open(path, &file), COLA_OK);
    assert_int_equal(cola_h5_string(&file, "content_digest", &text), COLA_OK);
    memcpy(digest, text, COLA_HASH_TEXT);
    free(text);
    cola_h5_close(&file);
}

static void merge_of_many_chains_needs_little_memory(void **state)
{
    (void)state;
    struct work w = {.directory = "/tmp/cola-merge-XXXXXX"};
    char expected[COLA_HASH_TEXT], found[COLA_HASH_TEXT];
    assert_non_null(mkdtemp(w.directory));
    for (int i = 0; i < N_PARTS; i++) snprintf(w.path[i], sizeof w.path[i], "%s/part-%d.h5", w.directory, i);
    snprintf(w.whole, sizeof w.whole, "%s/whole.h5", w.directory);
    snprintf(w.out, sizeof w.out, "%s/out.h5", w.directory);
    for (int job = 0; job < N_PARTS; job++) apart(&w, job);
    long in_memory = apart(&w, N_PARTS), merged = apart(&w, N_PARTS + 1);
    read_digest(w.whole, expected);
    read_digest(w.out, found); /* its bytes are right: the first block */
    for (int i = 0; i < N_PARTS; i++) unlink(w.path[i]);
    unlink(w.whole);
    unlink(w.out);
    rmdir(w.directory);
    printf("peak memory: %ld MiB merged in pieces, %ld MiB made in memory\n", merged, in_memory);
    assert_string_equal(found, expected);
    assert_true(in_memory > 200); /* so the measure measures */
    assert_in_range(merged, 1, MOST_MIB);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(merge_of_many_chains_needs_little_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

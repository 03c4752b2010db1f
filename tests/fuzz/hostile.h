/* hostile.h - a right journal and a right run.h5, and what becomes of them under a fuzzer's bytes: used by
 * fuzz_journal.c and fuzz_run.c (bytes by libFuzzer) and by tests/unit/record/test_hostile_files.c (a fixed
 * number of bytes by chance). Checks abort: never a crash, never another file than before when it is refused.
 *
 * libhdf5 1.10 itself reads beyond its memory where the structure of a file is forged and the check in the
 * first block made right afterwards, so there only the values of data sets are changed. Without repair all
 * bytes are.
 *
 * Bytes: the first says whether the checksums are made right after the changes, and what lies beside; then
 * up to 8 changes of 6 bytes (kind, place, value) until they end. */
#ifndef COLA_TESTS_HOSTILE_H
#define COLA_TESTS_HOSTILE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "cola/hash.h"
#include "cola/judge.h"
#include "cola/log.h"
#include "cola/timing.h"
#include "record/schema.h"
#include "task/h5.h"
#include "unit/task/tasks_file.h"

enum {
    HOSTILE_SAMPLES = 3,
    HOSTILE_LAYERS = 6,
    HOSTILE_SIMULATIONS = 8,
    HOSTILE_FRAME = 12,
    HOSTILE_HEAD = 16
};

struct hostile_file {
    char path[80];
    uint8_t *bytes;
    size_t n;
};

struct hostile {
    char directory[32], tasks_path[64];
    struct cola_tasks *tasks;
    struct hostile_file journal, run;
    uint32_t *value; /* [n_values] where in run.h5 the bytes of its data sets are */
    size_t n_values;
    uint64_t n_opened, n_refused; /* of what was tried */
};

#define HOSTILE_MUST(call) hostile_must((call), #call)

static inline void hostile_must(enum cola_status status, const char *what)
{
    if (status == COLA_OK) return;
    fprintf(stderr, "%s: %s\n", what, cola_error_text());
    abort();
}

static inline void hostile_read(struct hostile_file *file)
{
    FILE *from = fopen(file->path, "rb");
    file->bytes = malloc(1 << 20);
    if (!from || !file->bytes) abort();
    file->n = fread(file->bytes, 1, 1 << 20, from);
    fclose(from);
}

static inline void hostile_write(const char *path, const uint8_t *bytes, size_t n)
{
    FILE *to = fopen(path, "wb");
    if (!to || fwrite(bytes, 1, n, to) != n || fclose(to) != 0) abort();
}

/* Whether the file is what it was. */
static inline bool hostile_is(const char *path, const uint8_t *bytes, size_t n)
{
    struct hostile_file now = {0};
    snprintf(now.path, sizeof now.path, "%s", path);
    hostile_read(&now);
    bool same = now.n == n && memcmp(now.bytes, bytes, n) == 0;
    free(now.bytes);
    return same;
}

static inline enum cola_status hostile_open(const struct hostile *h, struct cola_record **out)
{
    static const struct cola_field field[] = {{"model_fingerprint", "xxh3:aa", COLA_FIELD_IDENTITY},
                                              {"numerics_id", "f32-1", COLA_FIELD_IDENTITY},
                                              {"n_simulations", "8", COLA_FIELD_GROWS}};
    struct cola_record_setup setup = {
        .field = field, .n_fields = 3, .tasks = h->tasks, .n_samples = HOSTILE_SAMPLES, .resume = true};
    return cola_record_open(h->run.path, &setup, out);
}

static inline void hostile_search(const struct hostile *h, struct cola_record *record, uint32_t i,
                                  struct cola_search *search)
{
    uint32_t ticket;
    struct cola_chain chain;
    const struct cola_sample *sample = cola_tasks_sample(h->tasks, i);
    while (cola_search_ask(search, &ticket, &chain) == COLA_ASK_CHAIN) {
        uint64_t bits = cola_hash64(chain.layer, chain.n_layers * sizeof *chain.layer) + i;
        const float score[4] = {(float)(bits % 97), (float)(bits % 89), (float)(bits % 83),
                                (float)(bits % 79)};
        struct cola_result result = {.score = score,
                                     .n_scores = sample->n_candidates,
                                     .argmax = -1,
                                     .cost = {chain.n_layers, 3, 9, 0.5f}};
        struct cola_judgement j;
        HOSTILE_MUST(cola_record_started(record, i, &chain));
        HOSTILE_MUST(cola_record_evaluated(record, i, &chain, &result));
        HOSTILE_MUST(cola_record_commit(record));
        HOSTILE_MUST(cola_judge_result(h->tasks, i, COLA_METRIC_ACC, sample->gold, &result, &j));
        cola_search_tell(search, ticket, &j.verdict);
    }
    HOSTILE_MUST(cola_record_finished(record, i, cola_search_n_simulations(search)));
}

/* The bytes of the data sets' values, by their place in the file. */
static inline void hostile_find_values(struct hostile *h)
{
    hid_t file = H5Fopen(h->run.path, H5F_ACC_RDONLY, H5P_DEFAULT);
    h->value = malloc(h->run.n * sizeof *h->value);
    if (file < 0 || !h->value) abort();
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        hid_t dataset = H5Dopen2(file, cola_run_schema[i].name, H5P_DEFAULT);
        haddr_t at = dataset < 0 ? 0 : H5Dget_offset(dataset);
        hsize_t n = dataset < 0 ? 0 : H5Dget_storage_size(dataset);
        if (n && (at < COLA_H5_BLOCK_BYTES || at + n > h->run.n)) abort();
        for (hsize_t b = 0; b < n; b++) /* an empty one has no place */
            h->value[h->n_values++] = (uint32_t)(at + b);
        if (dataset >= 0) H5Dclose(dataset);
    }
    H5Fclose(file);
    if (h->n_values < 1000) abort();
}

static inline void hostile_begin(struct hostile *h)
{
    struct cola_search *search[HOSTILE_SAMPLES];
    int32_t target[HOSTILE_SAMPLES];
    const bool finished[HOSTILE_SAMPLES] = {true, true, true};
    struct cola_search_options options;
    struct cola_record *record = NULL;
    *h = (struct hostile){.directory = "/tmp/cola-hostile-XXXXXX"};
    if (!mkdtemp(h->directory)) abort();
    snprintf(h->tasks_path, sizeof h->tasks_path, "%s/tasks.h5", h->directory);
    snprintf(h->run.path, sizeof h->run.path, "%s/run.h5", h->directory);
    snprintf(h->journal.path, sizeof h->journal.path, "%s/run.h5.journal", h->directory);
    H5Fclose(tasks_file_create(h->tasks_path));
    cola_log_setup(COLA_LOG_ERROR, -1);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    HOSTILE_MUST(cola_tasks_open(h->tasks_path, &h->tasks));
    HOSTILE_MUST(hostile_open(h, &record));
    HOSTILE_MUST(cola_search_preset("cola", &options));
    options.n_simulations = HOSTILE_SIMULATIONS;
    for (uint32_t i = 0; i < HOSTILE_SAMPLES; i++) {
        HOSTILE_MUST(cola_judge_target(h->tasks, i, false, 0, &target[i]));
        HOSTILE_MUST(cola_search_create(&options, HOSTILE_LAYERS, i, &search[i]));
        hostile_search(h, record, i, search[i]);
    }
    const struct cola_fold fold = {(const struct cola_search *const *)search, target, finished};
    const struct cola_timing_session session = {.began = 1e9, .search_s = 2};
    const struct cola_timing_worker worker[2] = {{.rank = 1, .host = {"host", 4}, .device = {"ref", 3}},
                                                 {.rank = 2, .host = {"other", 5}, .busy_s = 1}};
    HOSTILE_MUST(cola_record_timing(record, &session, worker, 2));
    HOSTILE_MUST(cola_record_fold(record, &fold));
    cola_layer layer[] = {5, 4, 3};
    const struct cola_chain out = {layer, 3};
    HOSTILE_MUST(cola_record_started(record, 1, &out)); /* was out when the process ended */
    cola_record_close(record);
    for (uint32_t i = 0; i < HOSTILE_SAMPLES; i++) cola_search_destroy(search[i]);
    hostile_read(&h->journal);
    hostile_read(&h->run);
    hostile_find_values(h);
}

static inline void hostile_end(struct hostile *h)
{
    unlink(h->run.path), unlink(h->journal.path), unlink(h->tasks_path);
    rmdir(h->directory);
    cola_tasks_close(h->tasks);
    free(h->value);
    free(h->run.bytes);
    free(h->journal.bytes);
}

/* --- changes ----------------------------------------------------------------------------------------------
 */

/* One change of `bytes` ([room], *n used) by six bytes of input. */
static inline void hostile_change(const uint8_t in[6], uint8_t *bytes, size_t *n, size_t room)
{
    static const uint32_t special[] = {0, 1, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000, 0x1000000};
    size_t at = *n ? (in[1] | (size_t)in[2] << 8 | (size_t)in[3] << 16) % *n : 0;
    size_t many = in[4] % 64 + 1u, left = *n - at;
    uint32_t value = special[in[5] % 8];
    if (many > left) many = left;
    switch (in[0] % 8) {
    case 0: *n = at; break; /* cut */
    case 1:                 /* taken out */
        memmove(bytes + at, bytes + at + many, left - many);
        *n -= many;
        break;
    case 2: /* twice */
        if (*n + many > room) break;
        memmove(bytes + at + many, bytes + at, left);
        *n += many;
        break;
    case 3:
        if (left >= 4) memcpy(bytes + at, &value, 4);
        break;
    case 4:
        for (size_t i = 0; i < many; i++) bytes[at + i] = in[5];
        break;
    case 5:
        if (left) bytes[at] = (uint8_t)(bytes[at] + (int8_t)in[5]);
        break;
    default:
        if (left) bytes[at] ^= (uint8_t)(1 << in[5] % 8);
        break;
    }
}

static inline uint32_t hostile_u32(const uint8_t *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static inline void hostile_put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> 8 * i);
}

/* Both checksums and the sequence number of every record that the lengths lead to. */
static inline void hostile_repair_journal(uint8_t *bytes, size_t n)
{
    uint64_t sequence = 1;
    for (size_t at = HOSTILE_HEAD; n >= HOSTILE_FRAME && at <= n - HOSTILE_FRAME;) {
        uint32_t length = hostile_u32(bytes + at);
        if (length == 0 || length > n - at - HOSTILE_FRAME) return;
        uint8_t *payload = bytes + at + HOSTILE_FRAME;
        for (int i = 0; length >= 9 && i < 8; i++) payload[1 + i] = (uint8_t)(sequence >> 8 * i);
        sequence++;
        hostile_put_u32(bytes + at + 4, (uint32_t)crc32(0, bytes + at, 4));
        hostile_put_u32(bytes + at + 8, (uint32_t)crc32(0, payload, length));
        at += HOSTILE_FRAME + (size_t)length;
    }
}

/* A changed copy; free() it. */
static inline uint8_t *hostile_changed(const struct hostile_file *file, const uint8_t *data, size_t n_data,
                                       size_t from, size_t *n)
{
    size_t room = file->n + 1024;
    uint8_t *bytes = malloc(room);
    if (!bytes) abort();
    memcpy(bytes, file->bytes, file->n);
    *n = file->n;
    for (int i = 0; i < 8 && n_data >= 7 && 1 + 6 * (i + 1) <= (int)n_data; i++) {
        uint8_t in[6];
        memcpy(in, data + 1 + 6 * i, 6);
        if (*n <= from) break;
        size_t behind = *n - from; /* what is in front stays */
        hostile_change(in, bytes + from, &behind, room - from);
        *n = from + behind;
    }
    return bytes;
}

/* As hostile_changed, but only values: nothing moves. */
static inline uint8_t *hostile_changed_values(const struct hostile *h, const uint8_t *data, size_t n_data,
                                              size_t *n)
{
    uint8_t *bytes = malloc(h->run.n);
    if (!bytes) abort();
    memcpy(bytes, h->run.bytes, h->run.n);
    *n = h->run.n;
    for (int i = 0; i < 8 && 1 + 6 * (i + 1) <= (int)n_data; i++) {
        uint8_t in[6];
        memcpy(in, data + 1 + 6 * i, 6);
        size_t first = (in[1] | (size_t)in[2] << 8 | (size_t)in[3] << 16) % h->n_values, many = 1;
        while (many < 64 && first + many < h->n_values && h->value[first + many] == h->value[first] + many)
            many++;
        in[0] = (uint8_t)(3 + in[0] % 5);
        in[1] = in[2] = in[3] = 0;
        hostile_change(in, bytes + h->value[first], &many, many);
    }
    return bytes;
}

/* --- what is tried ----------------------------------------------------------------------------------------
 */

static inline void hostile_try_journal(struct hostile *h, const uint8_t *data, size_t n_data)
{
    size_t n;
    bool repair = n_data && data[0] & 1, beside = n_data && data[0] & 2;
    struct cola_record *record = NULL;
    if (n_data == 0) return;
    uint8_t *bytes = hostile_changed(&h->journal, data, n_data, repair ? HOSTILE_HEAD : 0, &n);
    if (repair) hostile_repair_journal(bytes, n);
    hostile_write(h->journal.path, bytes, n);
    if (beside)
        hostile_write(h->run.path, h->run.bytes, h->run.n);
    else
        unlink(h->run.path);
    if (hostile_open(h, &record) == COLA_OK) {
        uint64_t n_known = cola_record_n_known(record);
        cola_record_close(record);
        record = NULL;
        HOSTILE_MUST(hostile_open(h, &record)); /* what it went on with can be read again */
        if (cola_record_n_known(record) < n_known) abort();
        cola_record_close(record);
        h->n_opened++;
    } else {
        h->n_refused++;
        if (record || !cola_error_text()[0] || !hostile_is(h->journal.path, bytes, n)) abort();
    }
    if (beside && !hostile_is(h->run.path, h->run.bytes, h->run.n)) abort();
    free(bytes);
}

static inline void hostile_see(struct hostile *h, struct cola_run *run)
{
    volatile uint64_t seen = 0; /* so that reading is not optimised away */
    char digest[COLA_HASH_TEXT];
    if (cola_run_digest(run, digest) != COLA_OK && !cola_error_text()[0]) abort();
    for (uint32_t i = 0; i < cola_run_n_samples(run); i++) {
        struct cola_run_sample s;
        cola_run_sample(run, i, &s);
        for (uint64_t c = 0; c < s.id.n_bytes; c++) seen += (uint8_t)s.id.bytes[c];
        for (uint32_t c = 0; c < s.n_candidates; c++) seen += cola_run_choice(run, i, c).n_bytes;
    }
    for (uint64_t row = 0; row < cola_run_n_chains(run); row++) {
        struct cola_run_chain chain;
        struct cola_result result;
        cola_run_chain(run, row, &chain);
        cola_run_result(run, row, &result);
        for (uint32_t i = 0; i < chain.node.chain.n_layers; i++) seen += chain.node.chain.layer[i];
        for (uint32_t i = 0; i < result.n_scores; i++) seen += result.score[i] > 0;
    }
    for (uint32_t i = 0; i < cola_run_n_workers(run); i++) {
        struct cola_timing_worker w;
        struct cola_timing_session s;
        cola_run_worker(run, i, &w);
        cola_run_session(run, w.session, &s);
        for (uint64_t c = 0; c < w.host.n_bytes; c++) seen += (uint8_t)w.host.bytes[c];
        for (uint64_t c = 0; c < s.run.n_bytes; c++) seen += (uint8_t)s.run.bytes[c];
    }
    (void)seen;
    h->n_opened++;
}

/* As cola show, as a memo, and as what --resume begins from. */
static inline void hostile_try_run(struct hostile *h, const uint8_t *data, size_t n_data)
{
    size_t n;
    bool repair = n_data && data[0] & 1;
    struct cola_run *run = NULL;
    struct cola_record *record = NULL;
    if (n_data == 0) return;
    uint8_t *bytes =
        repair ? hostile_changed_values(h, data, n_data, &n) : hostile_changed(&h->run, data, n_data, 0, &n);
    if (repair && n > COLA_H5_BLOCK_BYTES)
        HOSTILE_MUST(cola_h5_block(bytes + COLA_H5_BLOCK_BYTES, n - COLA_H5_BLOCK_BYTES, (char *)bytes));
    hostile_write(h->run.path, bytes, n);
    unlink(h->journal.path);
    if (cola_run_open(h->run.path, &run) == COLA_OK)
        hostile_see(h, run);
    else if (run || !cola_error_text()[0])
        abort();
    else
        h->n_refused++;
    cola_run_close(run);
    if (hostile_open(h, &record) != COLA_OK && access(h->journal.path, F_OK) == 0) abort();
    cola_record_close(record);
    if (!hostile_is(h->run.path, bytes, n)) abort();
    free(bytes);
}

#endif

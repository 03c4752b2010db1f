/* tasks_file.h - writes small task files with random tokens, for tests of the cluster. The file follows
 * docs/format-tasks.md. Needs HDF5; every failure returns -1.
 *
 * Under generate the vocabulary is made up so that the random models of tests/data, which have no language,
 * answer something now and then: every third token is a letter or a digit between blanks, the others are x.
 */
#ifndef COLA_TESTS_TASKS_FILE_H
#define COLA_TESTS_TASKS_FILE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/random.h"

struct tasks_file {
    const char *rule;    /* "letter", "loglik", "generate" */
    const char *grader;  /* generate: "letter", or "number", with n_candidates 1 and one digit as gold */
    bool equal_golds;    /* grader number: every gold is 7 */
    int32_t most_tokens; /* generate: of an answer */
    uint32_t n_samples, n_candidates, n_vocab;
    uint32_t prompt_tokens; /* most; each sample has a different number */
    uint64_t seed;
    int32_t no_gold_at;   /* this row's gold is unknown; -1: none */
    int32_t big_token_at; /* this row's prompt holds n_vocab, which no model of that vocabulary has; -1 */
};

static inline int tasks_data(hid_t file, const char *path, hid_t type, hid_t stored, size_t n,
                             const void *data)
{
    hsize_t shape = n;
    hid_t links = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(1, &shape, NULL);
    int failed = links < 0 || space < 0 || H5Pset_create_intermediate_group(links, 1) < 0;
    hid_t set = failed ? -1 : H5Dcreate2(file, path, stored, space, links, H5P_DEFAULT, H5P_DEFAULT);
    failed = failed || set < 0 || (n && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0);
    if (set >= 0) H5Dclose(set);
    H5Sclose(space);
    H5Pclose(links);
    return failed ? -1 : 0;
}

static inline int tasks_u8(hid_t file, const char *path, size_t n, const uint8_t *data)
{
    return tasks_data(file, path, H5T_NATIVE_UINT8, H5T_STD_U8LE, n, data);
}

static inline int tasks_i32(hid_t file, const char *path, size_t n, const int32_t *data)
{
    return tasks_data(file, path, H5T_NATIVE_INT32, H5T_STD_I32LE, n, data);
}

static inline int tasks_u64(hid_t file, const char *path, size_t n, const uint64_t *data)
{
    return tasks_data(file, path, H5T_NATIVE_UINT64, H5T_STD_U64LE, n, data);
}

static inline int tasks_attribute(hid_t file, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    int failed = type < 0 || space < 0 || H5Tset_size(type, strlen(text) + 1) < 0;
    hid_t attribute = failed ? -1 : H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    failed = failed || attribute < 0 || H5Awrite(attribute, type, text) < 0;
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return failed ? -1 : 0;
}

static inline int tasks_numbers(hid_t file, const char *name, const int32_t *value, hsize_t n)
{
    hid_t space = n == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, NULL);
    hid_t attribute = H5Acreate2(file, name, H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
    int failed = attribute < 0 || H5Awrite(attribute, H5T_NATIVE_INT32, value) < 0;
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    return failed ? -1 : 0;
}

static inline int tasks_is_number(const struct tasks_file *t)
{
    return t->grader && strcmp(t->grader, "number") == 0;
}

static inline int tasks_generate(hid_t file, const struct tasks_file *t)
{
    static const int32_t stop[] = {7, 13};
    uint8_t *bytes = malloc(2 * (size_t)t->n_vocab);
    uint64_t *offsets = malloc((t->n_vocab + 1) * sizeof *offsets);
    int failed = !bytes || !offsets, number = tasks_is_number(t);
    for (uint32_t i = 0; !failed && i <= t->n_vocab; i++) {
        offsets[i] = 2 * (uint64_t)i;
        if (i == t->n_vocab) break;
        bytes[2 * i] = ' ';
        bytes[2 * i + 1] = (uint8_t)(i % 3 ? 'x' : number ? '0' + i / 3 % 10 : 'A' + i / 3 % 4);
    }
    failed = failed || tasks_attribute(file, "grader", t->grader) ||
             tasks_numbers(file, "max_new_tokens", &t->most_tokens, 1) ||
             tasks_numbers(file, "stop_tokens", stop, 2) ||
             tasks_u8(file, "vocabulary/values", 2 * (size_t)t->n_vocab, bytes) ||
             tasks_u64(file, "vocabulary/offsets", t->n_vocab + 1, offsets);
    free(bytes);
    free(offsets);
    return failed ? -1 : 0;
}

/* Ids "row-0" ..: the column and its offsets; one byte of text a row elsewhere. */
static inline int tasks_texts(hid_t file, const struct tasks_file *t, uint32_t n, uint32_t m)
{
    struct cola_random r = cola_random_keyed(t->seed, 4, COLA_STREAM_SYNTHETIC);
    uint8_t *bytes = malloc(16 * (size_t)(n + m) + 16);
    uint64_t *offsets = malloc((n + m + 1) * sizeof *offsets);
    int failed = !bytes || !offsets;
    size_t at = 0;
    for (uint32_t i = 0; !failed && i <= n; i++) {
        offsets[i] = at;
        if (i < n) at += (size_t)sprintf((char *)bytes + at, "row-%u", i);
    }
    failed = failed || tasks_u8(file, "samples/id_values", at, bytes) ||
             tasks_u64(file, "samples/id_offsets", n + 1, offsets);
    for (uint32_t i = 0; !failed && i <= n + m; i++) offsets[i] = i;
    if (!failed) memset(bytes, 'x', n + m);
    failed = failed || tasks_u8(file, "texts/question_values", n, bytes) ||
             tasks_u64(file, "texts/question_offsets", n + 1, offsets);
    for (uint32_t i = 0; !failed && i < m && tasks_is_number(t); i++)
        bytes[i] = (uint8_t)('0' + (t->equal_golds ? 7 : cola_random_below(&r, 10)));
    failed = failed || tasks_u8(file, "texts/choice_values", m, bytes) ||
             tasks_u64(file, "texts/choice_offsets", m + 1, offsets) ||
             tasks_u8(file, "candidates/label_values", m, bytes) ||
             tasks_u64(file, "candidates/label_offsets", m + 1, offsets);
    free(bytes);
    free(offsets);
    return failed ? -1 : 0;
}

/* n rows of 1 .. most tokens (exactly one if most is 1, none if it is 0). */
static inline int tasks_tokens(hid_t file, const char *values, const char *offsets_path, uint32_t n,
                               uint32_t most, const struct tasks_file *t, uint64_t stream, int32_t big_at)
{
    int32_t *token = malloc(((size_t)n * most + 1) * sizeof *token);
    uint64_t *offsets = malloc((n + 1) * sizeof *offsets);
    int failed = !token || !offsets;
    struct cola_random r = cola_random_keyed(t->seed, stream, COLA_STREAM_SYNTHETIC);
    size_t at = 0;
    for (uint32_t i = 0; !failed && i <= n; i++) {
        offsets[i] = at;
        uint64_t k = i < n && most ? 1 + cola_random_below(&r, most) : 0;
        for (uint64_t j = 0; j < k; j++) token[at++] = (int32_t)cola_random_below(&r, t->n_vocab);
        if ((int32_t)i == big_at && i < n) token[at - 1] = (int32_t)t->n_vocab;
    }
    failed = failed || tasks_i32(file, values, at, token) || tasks_u64(file, offsets_path, n + 1, offsets);
    free(token);
    free(offsets);
    return failed ? -1 : 0;
}

static inline int tasks_answers(hid_t file, const struct tasks_file *t)
{
    uint32_t n = t->n_samples, m = n * t->n_candidates;
    int32_t *gold = malloc(n * sizeof *gold);
    uint32_t *n_bytes = malloc(m * sizeof *n_bytes);
    uint64_t *offsets = malloc((n + 1) * sizeof *offsets);
    int failed = !gold || !n_bytes || !offsets;
    struct cola_random r = cola_random_keyed(t->seed, 3, COLA_STREAM_SYNTHETIC);
    for (uint32_t i = 0; !failed && i < n; i++)
        gold[i] = (int32_t)i == t->no_gold_at ? -1 : (int32_t)cola_random_below(&r, t->n_candidates);
    for (uint32_t i = 0; !failed && i < m; i++) n_bytes[i] = (uint32_t)(1 + cola_random_below(&r, 30));
    for (uint32_t i = 0; !failed && i <= n; i++) offsets[i] = (uint64_t)i * t->n_candidates;
    failed = failed || tasks_i32(file, "samples/gold", n, gold) ||
             tasks_u64(file, "samples/candidate_offsets", n + 1, offsets) ||
             tasks_data(file, "candidates/n_bytes", H5T_NATIVE_UINT32, H5T_STD_U32LE, m, n_bytes);
    free(gold);
    free(n_bytes);
    free(offsets);
    return failed ? -1 : 0;
}

static inline int tasks_file_write(const char *path, const struct tasks_file *t)
{
    static const int32_t version[] = {1, 1};
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (file < 0) return -1;
    uint32_t candidate_tokens = t->grader ? 0 : strcmp(t->rule, "letter") == 0 ? 1 : 4;
    int failed = tasks_attribute(file, "filetype", "cola-tasks") ||
                 tasks_numbers(file, "version", version, 2) ||
                 tasks_attribute(file, "program", "tests/mpi/tasks_file.h") ||
                 tasks_attribute(file, "task", "random") || tasks_attribute(file, "model_name", "tiny") ||
                 tasks_attribute(file, "score", t->rule) || (t->grader && tasks_generate(file, t)) ||
                 tasks_texts(file, t, t->n_samples, t->n_samples * t->n_candidates) ||
                 tasks_tokens(file, "samples/prompt_values", "samples/prompt_offsets", t->n_samples,
                              t->prompt_tokens, t, 1, t->big_token_at) ||
                 tasks_tokens(file, "candidates/token_values", "candidates/token_offsets",
                              t->n_samples * t->n_candidates, candidate_tokens, t, 2, -1) ||
                 tasks_answers(file, t);
    if (H5Fclose(file) < 0) failed = 1;
    return failed ? -1 : 0;
}

#endif

/* tasks_file.h - writes a small, right tasks.h5 with HDF5's own API, and takes it apart again: for tests of
 * the reader and of what needs tasks. Three samples with 4, 3 and 2 candidates. */
#ifndef COLA_TESTS_TASKS_FILE_H
#define COLA_TESTS_TASKS_FILE_H

#include <hdf5.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MUST(call)                                                                                           \
    do {                                                                                                     \
        if ((call) < 0) abort(); /* the test's own use of HDF5 is wrong */                                   \
    } while (0)

static inline void tasks_file_text(hid_t file, const char *key, const char *value)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    MUST(H5Tset_size(type, H5T_VARIABLE));
    if (H5Aexists(file, key) > 0) MUST(H5Adelete(file, key));
    hid_t attribute = H5Acreate2(file, key, type, space, H5P_DEFAULT, H5P_DEFAULT);
    MUST(H5Awrite(attribute, type, &value));
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

static inline void tasks_file_integers(hid_t file, const char *key, const int32_t *value, hsize_t n)
{
    hid_t space = n == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, NULL);
    if (H5Aexists(file, key) > 0) MUST(H5Adelete(file, key));
    hid_t attribute = H5Acreate2(file, key, H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
    MUST(H5Awrite(attribute, H5T_NATIVE_INT32, value));
    H5Aclose(attribute);
    H5Sclose(space);
}

/* Replaces or creates a data set; native names the memory type of data. chunk 0: contiguous; else chunked,
 * shuffled and deflated. */
static inline void tasks_file_stored(hid_t file, const char *name, hid_t stored, hid_t native,
                                     const void *data, hsize_t n, hsize_t chunk)
{
    hid_t space = H5Screate_simple(1, &n, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
    if (H5Lexists(file, name, H5P_DEFAULT) > 0) MUST(H5Ldelete(file, name, H5P_DEFAULT));
    if (chunk) {
        MUST(H5Pset_chunk(list, 1, &chunk));
        MUST(H5Pset_shuffle(list));
        MUST(H5Pset_deflate(list, 1));
    }
    hid_t dataset = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, list, H5P_DEFAULT);
    MUST(dataset);
    if (n) MUST(H5Dwrite(dataset, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
    H5Dclose(dataset);
    H5Pclose(list);
    H5Sclose(space);
}

static inline void tasks_file_put(hid_t file, const char *name, hid_t type, const void *data, hsize_t n)
{
    tasks_file_stored(file, name, type, type, data, n, 0);
}

#define TASKS_FILE_PUT(file, name, type, ctype, ...)                                                         \
    tasks_file_put((file), (name), (type), (const ctype[]){__VA_ARGS__},                                     \
                   sizeof((const ctype[]){__VA_ARGS__}) / sizeof(ctype))

static inline void tasks_file_bytes(hid_t file, const char *name, const char *text)
{
    tasks_file_put(file, name, H5T_NATIVE_UINT8, text, strlen(text));
}

static inline void tasks_file_samples(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "samples", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    tasks_file_bytes(file, "samples/id_values", "q1q-twoq3");
    TASKS_FILE_PUT(file, "samples/id_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 2, 7, 9);
    TASKS_FILE_PUT(file, "samples/prompt_values", H5T_NATIVE_INT32, int32_t, 1, 17, 5, 1, 9, 1);
    TASKS_FILE_PUT(file, "samples/prompt_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 3, 5, 6);
    TASKS_FILE_PUT(file, "samples/gold", H5T_NATIVE_INT32, int32_t, 2, 0, 1);
    TASKS_FILE_PUT(file, "samples/candidate_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 4, 7, 9);
}

static inline void tasks_file_candidates(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "candidates", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    TASKS_FILE_PUT(file, "candidates/token_values", H5T_NATIVE_INT32, int32_t, 10, 11, 12, 13, 14, 15, 16, 17,
                   18, 19);
    TASKS_FILE_PUT(file, "candidates/token_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 2, 3, 4, 5, 6, 7, 8, 9,
                   10);
    TASKS_FILE_PUT(file, "candidates/n_bytes", H5T_NATIVE_UINT32, uint32_t, 5, 1, 1, 1, 1, 1, 1, 1, 1);
    tasks_file_bytes(file, "candidates/label_values", "ABCD123XY");
    TASKS_FILE_PUT(file, "candidates/label_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 1, 2, 3, 4, 5, 6, 7, 8,
                   9);
    H5Gclose(H5Gcreate2(file, "texts", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    tasks_file_bytes(file, "texts/question_values", "Why?\xff\x1b[31mHow?");
    TASKS_FILE_PUT(file, "texts/question_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 4, 14, 14);
    tasks_file_bytes(file, "texts/choice_values", "greenbcdefghi");
    TASKS_FILE_PUT(file, "texts/choice_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 5, 6, 7, 8, 9, 10, 11, 12,
                   13);
}

/* A right file, open for changes; close it with H5Fclose. */
static inline hid_t tasks_file_create(const char *path)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    MUST(file);
    tasks_file_text(file, "filetype", "cola-tasks");
    tasks_file_integers(file, "version", (const int32_t[]){1, 0}, 2);
    tasks_file_text(file, "program", "tasks_file.h");
    tasks_file_text(file, "task", "three");
    tasks_file_text(file, "model_name", "none");
    tasks_file_text(file, "score", "loglik");
    tasks_file_text(file, "tokenizer_fingerprint", "xxh3:00112233445566778899aabbccddeeff");
    tasks_file_samples(file);
    tasks_file_candidates(file);
    return file;
}

/* One token a candidate. */
static inline void tasks_file_make_letter(hid_t file)
{
    tasks_file_text(file, "score", "letter");
    TASKS_FILE_PUT(file, "candidates/token_values", H5T_NATIVE_INT32, int32_t, 10, 12, 13, 14, 15, 16, 17, 18,
                   19);
    TASKS_FILE_PUT(file, "candidates/token_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 1, 2, 3, 4, 5, 6, 7, 8,
                   9);
}

/* --- generate ---------------------------------------------------------------------------------------------
 */

enum { /* tokens of the vocabulary below */
       TOKEN_START = 0,
       TOKEN_STOP = 2,
       TOKEN_DIGIT = 3, /* and nine more */
       TOKEN_SPACE = 13,
       TOKEN_HASHES = 14,
       TOKEN_BOX = 15,
       TOKEN_CLOSE = 16,
       TOKEN_ANSWER = 17,
       TOKEN_LETTER = 18, /* and three more */
       TOKEN_EMPTY = 22,
       TOKEN_BEYOND = 23 /* the first that is not in it */
};

static inline void tasks_file_vocabulary(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "vocabulary", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    tasks_file_bytes(file, "vocabulary/values", "<s>ab0123456789 ####\\boxed{}Answer: ABCD");
    TASKS_FILE_PUT(file, "vocabulary/offsets", H5T_NATIVE_UINT64, uint64_t, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11,
                   12, 13, 14, 15, 16, 20, 27, 28, 36, 37, 38, 39, 40, 40);
}

static inline void tasks_file_generate_settings(hid_t file, const char *grader)
{
    tasks_file_text(file, "score", "generate");
    tasks_file_text(file, "grader", grader);
    tasks_file_integers(file, "max_new_tokens", (const int32_t[]){16}, 1);
    tasks_file_integers(file, "stop_tokens", (const int32_t[]){TOKEN_STOP, TOKEN_START}, 2);
    tasks_file_vocabulary(file);
}

/* Choices stay as they are: 4, 3 and 2. */
static inline void tasks_file_make_generate_letter(hid_t file)
{
    tasks_file_generate_settings(file, "letter");
}

/* n rows "s0", "s1", .. whose one candidate is the gold answer; in place of the three samples. */
static inline void tasks_file_put_golds(hid_t file, const char *const *gold, uint32_t n)
{
    uint64_t *offset = calloc(n + 1, sizeof *offset), *id_offset = calloc(n + 1, sizeof *offset),
             *choice_offset = calloc(n + 1, sizeof *offset), *none = calloc(n + 1, sizeof *offset);
    int32_t *prompt = calloc(n, sizeof *prompt), *gold_index = calloc(n, sizeof *gold_index);
    uint32_t *n_bytes = calloc(n, sizeof *n_bytes);
    char *ids = calloc(n, 12), *choices = calloc(n, 256);
    for (uint32_t i = 0; i < n; i++) {
        prompt[i] = 1 + (int32_t)(i % 20);
        n_bytes[i] = (uint32_t)strlen(gold[i]);
        offset[i + 1] = i + 1;
        id_offset[i + 1] = id_offset[i] + (uint64_t)sprintf(ids + id_offset[i], "s%u", i);
        choice_offset[i + 1] =
            choice_offset[i] + (uint64_t)sprintf(choices + choice_offset[i], "%s", gold[i]);
    }
    tasks_file_bytes(file, "samples/id_values", ids);
    tasks_file_put(file, "samples/id_offsets", H5T_NATIVE_UINT64, id_offset, n + 1);
    tasks_file_put(file, "samples/prompt_values", H5T_NATIVE_INT32, prompt, n);
    tasks_file_put(file, "samples/prompt_offsets", H5T_NATIVE_UINT64, offset, n + 1);
    tasks_file_put(file, "samples/gold", H5T_NATIVE_INT32, gold_index, n);
    tasks_file_put(file, "samples/candidate_offsets", H5T_NATIVE_UINT64, offset, n + 1);
    tasks_file_put(file, "candidates/token_values", H5T_NATIVE_INT32, NULL, 0);
    tasks_file_put(file, "candidates/token_offsets", H5T_NATIVE_UINT64, none, n + 1);
    tasks_file_put(file, "candidates/n_bytes", H5T_NATIVE_UINT32, n_bytes, n);
    tasks_file_bytes(file, "candidates/label_values", "");
    tasks_file_put(file, "candidates/label_offsets", H5T_NATIVE_UINT64, none, n + 1);
    tasks_file_bytes(file, "texts/question_values", "");
    tasks_file_put(file, "texts/question_offsets", H5T_NATIVE_UINT64, none, n + 1);
    tasks_file_bytes(file, "texts/choice_values", choices);
    tasks_file_put(file, "texts/choice_offsets", H5T_NATIVE_UINT64, choice_offset, n + 1);
    free(offset), free(id_offset), free(choice_offset), free(none), free(prompt), free(gold_index);
    free(n_bytes), free(ids), free(choices);
}

/* Three samples without choices; the golds of the first and the last are the same number. */
static inline void tasks_file_make_generate(hid_t file)
{
    static const char *const gold[] = {"18", "5", "6 + 12 = #### 18"};
    tasks_file_generate_settings(file, "number");
    tasks_file_put_golds(file, gold, 3);
}

#endif

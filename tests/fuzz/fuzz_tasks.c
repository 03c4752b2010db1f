/* fuzz_tasks.c - builds a tasks.h5 as the fuzzer's bytes say and opens it. HDF5's own parser is not the
 * target: the file is always one that the library wrote. What varies: which groups, data sets and attributes
 * there are, their types, ranks, lengths, storage and values. cola_tasks_open must give OK or an error; after
 * OK everything that the accessors offer is read.
 *
 * Bytes: the first selects the score rule of a right file; then up to 12 changes of it (which data set or
 * attribute, what to do, with what numbers) until the bytes end. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cola/judge.h"
#include "cola/log.h"
#include "unit/task/tasks_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct bytes {
    const uint8_t *at;
    size_t n;
};

static uint8_t take(struct bytes *in)
{
    if (!in->n) return 0;
    in->n--;
    return *in->at++;
}

static const char *const names[] = {
    "samples/id_values",
    "samples/id_offsets",
    "samples/prompt_values",
    "samples/prompt_offsets",
    "samples/gold",
    "samples/candidate_offsets",
    "candidates/token_values",
    "candidates/token_offsets",
    "candidates/n_bytes",
    "candidates/label_values",
    "candidates/label_offsets",
    "texts/question_values",
    "texts/question_offsets",
    "texts/choice_values",
    "texts/choice_offsets",
    "vocabulary/values",
    "vocabulary/offsets",
    "samples",
    "candidates",
    "texts",
};
static const char *const attributes[] = {"filetype",    "version",        "task",
                                         "model_name",  "score",          "program",
                                         "stop_tokens", "max_new_tokens", "tokenizer_fingerprint",
                                         "grader"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Numbers near every limit that a reader has. */
static uint64_t interesting(struct bytes *in)
{
    static const uint64_t special[] = {0,          1,          2,          3,         255,        INT32_MAX,
                                       1u << 31,   UINT32_MAX, 1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX,
                                       0xFFFFFFFE, 7,          9,          1ull << 60};
    uint8_t code = take(in);
    return code < 128 ? code : special[code % COUNT(special)];
}

static hid_t any_type(uint8_t code, size_t *item_bytes)
{
    static const size_t bytes[] = {1, 2, 4, 8, 4, 8, 4, 8, 1, 2, 8, 4};
    const hid_t type[] = {H5T_STD_U8LE,  H5T_STD_U16LE, H5T_STD_U32LE,  H5T_STD_U64LE,
                          H5T_STD_I32LE, H5T_STD_I64LE, H5T_IEEE_F32LE, H5T_IEEE_F64LE,
                          H5T_STD_I8LE,  H5T_STD_I16BE, H5T_STD_U64BE,  H5T_STD_I32BE};
    *item_bytes = bytes[code % COUNT(bytes)];
    return type[code % COUNT(bytes)];
}

/* The type that the format wants for a data set: most mutations should pass the type check. */
static uint8_t right_type(size_t name)
{
    const char *text = names[name];
    size_t n = strlen(text);
    if (n > 7 && strcmp(text + n - 7, "offsets") == 0) return 3;
    if (strstr(text, "prompt_values") || strstr(text, "token_values") || strstr(text, "gold")) return 4;
    return strstr(text, "n_bytes") ? 2 : 0;
}

static void remove_link(hid_t file, const char *name)
{
    if (H5Lexists(file, "samples", H5P_DEFAULT) > 0 || strchr(name, '/') == NULL)
        H5Ldelete(file, name, H5P_DEFAULT);
}

static hid_t creation_list(uint8_t storage, hsize_t n)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = storage / 4 % 16 + 1;
    if (storage % 4 == 1 && n >= chunk) H5Pset_chunk(list, 1, &chunk);
    if (storage % 4 == 2 && n >= chunk) {
        H5Pset_chunk(list, 1, &chunk);
        H5Pset_shuffle(list);
        H5Pset_deflate(list, 1);
    }
    if (storage % 4 == 3) H5Pset_layout(list, H5D_COMPACT);
    return list;
}

/* A data set of n values, drawn as small steps or as interesting numbers. */
static void put_values(hid_t file, const char *name, uint8_t type_code, struct bytes *in)
{
    size_t item_bytes;
    hid_t type = any_type(type_code, &item_bytes);
    hsize_t n = take(in) % 24;
    uint8_t storage = take(in);
    bool steps = take(in) % 2;
    uint8_t value[24 * 8] = {0};
    uint64_t sum = 0;
    for (hsize_t i = 0; i < n; i++) {
        sum = steps ? sum + take(in) % 4 : interesting(in);
        uint64_t item = steps &&i == 0 ? sum = 0 : sum;
        memcpy(value + i * item_bytes, &item, item_bytes);
    }
    hid_t space = H5Screate_simple(1, &n, NULL), list = creation_list(storage, n);
    hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (dataset >= 0) {
        if (n && storage % 16 != 15)
            H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value); /* else unwritten */
        H5Dclose(dataset);
    }
    H5Pclose(list);
    H5Sclose(space);
}

/* Another rank, a null space, or dimensions that were never written. */
static void put_shape(hid_t file, const char *name, uint8_t type_code, struct bytes *in)
{
    size_t item_bytes;
    hsize_t size[3] = {interesting(in), take(in), 2}, chunk[3] = {4, 4, 2};
    uint8_t shape = take(in);
    int rank = 1 + shape % 3;
    for (int i = 0; i < 3; i++)
        if (size[i] > 1ull << 61) size[i] = 1ull << 61;
    hid_t space = shape % 8 == 7   ? H5Screate(H5S_NULL)
                  : shape % 8 == 6 ? H5Screate(H5S_SCALAR)
                                   : H5Screate_simple(rank, size, (const hsize_t[]){H5S_UNLIMITED, 300, 300});
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    if (shape % 8 < 6) H5Pset_chunk(list, rank, chunk);
    hid_t dataset =
        H5Dcreate2(file, name, any_type(type_code, &item_bytes), space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (dataset >= 0) H5Dclose(dataset);
    H5Pclose(list);
    if (space >= 0) H5Sclose(space);
}

static void change_object(hid_t file, struct bytes *in)
{
    size_t name = take(in) % COUNT(names);
    uint8_t what = take(in), type = what & 0x80 ? take(in) : right_type(name);
    remove_link(file, names[name]);
    switch (what % 8) {
    case 0: break; /* it is gone */
    case 1: H5Lcreate_soft("/samples/gold", file, names[name], H5P_DEFAULT, H5P_DEFAULT); break;
    case 2: {
        hid_t group = H5Gcreate2(file, names[name], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (group >= 0) H5Gclose(group);
        break;
    }
    case 3: put_shape(file, names[name], type, in); break;
    default: put_values(file, names[name], type, in); break;
    }
}

static void put_fixed_text(hid_t file, const char *key, struct bytes *in)
{
    char text[300];
    size_t n = take(in) + 1u;
    for (size_t i = 0; i < n; i++) text[i] = (char)(in->n ? take(in) : 'x');
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, n);
    H5Tset_strpad(type, n % 3 == 0 ? H5T_STR_NULLTERM : n % 3 == 1 ? H5T_STR_NULLPAD : H5T_STR_SPACEPAD);
    hid_t attribute = H5Acreate2(file, key, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) {
        H5Awrite(attribute, type, text);
        H5Aclose(attribute);
    }
    H5Sclose(space);
    H5Tclose(type);
}

static void put_numbers(hid_t file, const char *key, struct bytes *in)
{
    size_t item_bytes;
    int64_t value[8];
    hsize_t n = take(in) % 8;
    hid_t type = any_type(take(in), &item_bytes), space = H5Screate_simple(1, &n, NULL);
    for (size_t i = 0; i < 8; i++) value[i] = (int64_t)interesting(in);
    hid_t attribute = H5Acreate2(file, key, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) {
        H5Awrite(attribute, H5T_NATIVE_INT64, value);
        H5Aclose(attribute);
    }
    H5Sclose(space);
}

static void change_attribute(hid_t file, struct bytes *in)
{
    static const char *const texts[] = {"cola-tasks", "letter", "loglik", "generate",
                                        "",           "boxed",  "number", "cola-run"};
    const char *key = attributes[take(in) % COUNT(attributes)];
    uint8_t what = take(in);
    if (H5Aexists(file, key) > 0) H5Adelete(file, key);
    switch (what % 4) {
    case 0: break;
    case 1: put_fixed_text(file, key, in); break;
    case 2: put_numbers(file, key, in); break;
    default: tasks_file_text(file, key, texts[take(in) % COUNT(texts)]); break;
    }
}

static volatile uint64_t seen; /* so that reading is not optimised away */

static void see(struct cola_text text)
{
    for (uint64_t i = 0; i < text.n_bytes; i++) seen += (uint8_t)text.bytes[i];
}

/* Every token of the vocabulary and some beyond as one answer, for the run's target and the control's. */
static void judge_everything(const struct cola_tasks *tasks, uint32_t row)
{
    const struct cola_tasks_info *info = cola_tasks_info(tasks);
    const float score[32] = {0};
    int32_t token[64], target;
    for (int32_t t = 0; t < 64; t++) token[t] = t;
    struct cola_result result = {.score = score,
                                 .n_scores = info->rule == COLA_SCORE_GENERATE ? 0 : 32,
                                 .token = token,
                                 .n_tokens = 64};
    for (int control = 0; control < 2; control++) {
        struct cola_judgement j;
        if (cola_judge_target(tasks, row, control, 3, &target) != COLA_OK) abort();
        if (cola_judge_result(tasks, row, COLA_METRIC_ACC, target, &result, &j) != COLA_OK) abort();
        if (j.verdict.reward > 0 && (target < 0 || j.verdict.prediction != target)) abort();
        if (control && target >= 0 && target == cola_judge_gold(tasks, row)) abort();
        see(cola_judge_target_text(tasks, row, target));
    }
}

static void read_everything(const struct cola_tasks *tasks)
{
    const struct cola_tasks_info *info = cola_tasks_info(tasks);
    seen += strlen(info->task) + strlen(info->model_name) + strlen(info->fingerprint);
    for (uint32_t i = 0; i < info->n_stop_tokens; i++) seen += (uint32_t)info->stop_token[i];
    for (uint32_t i = 0; i < info->n_samples; i++) {
        const struct cola_sample *s = cola_tasks_sample(tasks, i);
        if (s->n_prompt_tokens == 0 || (s->gold >= 0 && (uint32_t)s->gold >= s->n_candidates)) abort();
        for (uint32_t t = 0; t < s->n_prompt_tokens; t++)
            if (s->prompt[t] < 0 || s->prompt[t] > info->max_token) abort();
        see(cola_tasks_id(tasks, i));
        see(cola_tasks_question(tasks, i));
        for (uint32_t c = 0; c < s->n_candidates; c++) {
            if (s->rule == COLA_SCORE_LETTER && s->candidate[c].n_tokens != 1) abort();
            for (uint32_t t = 0; t < s->candidate[c].n_tokens; t++)
                if (s->candidate[c].token[t] < 0 || s->candidate[c].token[t] > info->max_token) abort();
            seen += s->candidate_bytes[c];
            see(cola_tasks_choice(tasks, i, c));
            see(cola_tasks_label(tasks, i, c));
        }
        judge_everything(tasks, i);
    }
    for (int32_t t = -1; t < 32; t++) see(cola_tasks_token_bytes(tasks, t));
}

static char path[64];

static void remove_file(void)
{
    unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    snprintf(path, sizeof path, "/tmp/cola-fuzz-tasks-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) abort();
    close(fd);
    atexit(remove_file);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    cola_log_setup(COLA_LOG_ERROR, -1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = {data, n};
    struct cola_tasks *tasks = NULL;
    hid_t file = tasks_file_create(path);
    uint8_t rule = take(&in) % 5;
    if (rule == 1) tasks_file_make_letter(file);
    if (rule == 2 || rule == 4) tasks_file_make_generate(file);
    if (rule == 3) tasks_file_make_generate_letter(file);
    if (rule == 4) tasks_file_text(file, "grader", "boxed");
    for (int i = 0; in.n >= 2 && i < 12; i++) {
        if (take(&in) % 4 == 0)
            change_attribute(file, &in);
        else
            change_object(file, &in);
    }
    H5Fclose(file);
    if (cola_tasks_open(path, &tasks) == COLA_OK)
        read_everything(tasks);
    else if (tasks || !cola_error_text()[0])
        abort();
    cola_tasks_close(tasks);
    return 0;
}

/* tasks_hdf5.c - opens a tasks.h5 (docs/format-tasks.md), checks everything, and hands out samples that point
 * into its columns. First every data set is loaded by one table, then the ragged columns are checked by
 * another, then the rules of the format; only then are samples built, and under generate their golds read by
 * the grader (tasks_generate_hdf5.c). Hands out nothing itself (tasks_access.c). */
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "cola/judge.h"
#include "task/h5.h"
#include "task/tasks_state.h"

static const struct {
    const char *name;
    enum cola_h5_type type;
} columns[N_COLUMNS] = {
    [ID_VALUES] = {"samples/id_values", COLA_H5_U8},
    [ID_OFFSETS] = {"samples/id_offsets", COLA_H5_U64},
    [PROMPT_VALUES] = {"samples/prompt_values", COLA_H5_I32},
    [PROMPT_OFFSETS] = {"samples/prompt_offsets", COLA_H5_U64},
    [GOLD] = {"samples/gold", COLA_H5_I32},
    [CANDIDATE_OFFSETS] = {"samples/candidate_offsets", COLA_H5_U64},
    [TOKEN_VALUES] = {"candidates/token_values", COLA_H5_I32},
    [TOKEN_OFFSETS] = {"candidates/token_offsets", COLA_H5_U64},
    [N_BYTES] = {"candidates/n_bytes", COLA_H5_U32},
    [LABEL_VALUES] = {"candidates/label_values", COLA_H5_U8},
    [LABEL_OFFSETS] = {"candidates/label_offsets", COLA_H5_U64},
    [QUESTION_VALUES] = {"texts/question_values", COLA_H5_U8},
    [QUESTION_OFFSETS] = {"texts/question_offsets", COLA_H5_U64},
    [CHOICE_VALUES] = {"texts/choice_values", COLA_H5_U8},
    [CHOICE_OFFSETS] = {"texts/choice_offsets", COLA_H5_U64},
    [VOCABULARY_VALUES] = {"vocabulary/values", COLA_H5_U8},
    [VOCABULARY_OFFSETS] = {"vocabulary/offsets", COLA_H5_U64},
};

/* --- loading ----------------------------------------------------------------------------------------------
 */

static enum cola_status load_columns(struct cola_tasks *tasks, const struct cola_h5 *file)
{
    for (int i = 0; i < N_COLUMNS; i++) {
        if (i == VOCABULARY_VALUES && !cola_h5_has_group(file, "vocabulary")) break;
        COLA_TRY(cola_h5_read(file, columns[i].name, columns[i].type, &tasks->data[i], &tasks->n[i]));
    }
    return COLA_OK;
}

static enum cola_status load_text(const struct cola_h5 *file, const char *key, bool required, char *to,
                                  size_t room)
{
    char *text = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_h5_string(file, key, &text));
    if (!text && required)
        status = cola_fail(COLA_ERR_INPUT, "%s: attribute %s is missing", file->path, key);
    else if (text && strlen(text) >= room)
        status = cola_fail(COLA_ERR_INPUT, "%s: attribute %s: %zu bytes, at most %zu allowed", file->path,
                           key, strlen(text), room - 1);
    else
        memcpy(to, text ? text : "", text ? strlen(text) + 1 : 1);
    free(text);
    return status;
}

static enum cola_status load_attributes(struct cola_tasks *tasks, const struct cola_h5 *file)
{
    struct cola_tasks_info *info = &tasks->info;
    char score[16], unused[COLA_HASH_TEXT];
    COLA_TRY(load_text(file, "task", true, info->task, sizeof info->task));
    COLA_TRY(load_text(file, "model_name", true, info->model_name, sizeof info->model_name));
    COLA_TRY(load_text(file, "tokenizer_fingerprint", false, info->tokenizer_fingerprint,
                       sizeof info->tokenizer_fingerprint));
    COLA_TRY(load_text(file, "template_fingerprint", false, unused, sizeof unused));
    COLA_TRY(load_text(file, "data_fingerprint", false, unused, sizeof unused));
    COLA_TRY(load_text(file, "score", true, score, sizeof score));
    int rule = 0;
    while (rule < COLA_N_SCORE_RULES && strcmp(score, cola_score_rule_name[rule]) != 0) rule++;
    if (rule == COLA_N_SCORE_RULES)
        return cola_fail(COLA_ERR_INPUT, "%s: attribute score: '%s' is none of letter, loglik, generate",
                         file->path, score);
    info->rule = (enum cola_score_rule)rule;
    info->grader = -1;
    return rule == COLA_SCORE_GENERATE ? cola_tasks_load_generate(tasks, file) : COLA_OK;
}

/* --- checks -----------------------------------------------------------------------------------------------
 */

static enum cola_status check_length(const struct cola_tasks *tasks, enum column column, uint64_t expected)
{
    if (tasks->n[column] == expected) return COLA_OK;
    return cola_fail(COLA_ERR_INPUT, "%s: data set %s: expected %llu elements, found %llu", tasks->path,
                     columns[column].name, (unsigned long long)expected,
                     (unsigned long long)tasks->n[column]);
}

/* rows + 1 offsets from 0 to n_values, each row of shortest .. longest values. */
static enum cola_status check_offsets(const struct cola_tasks *tasks, enum column column, uint64_t n_rows,
                                      uint64_t n_values, uint64_t shortest, uint64_t longest)
{
    COLA_TRY(check_length(tasks, column, n_rows + 1));
    const uint64_t *offset = cola_tasks_offsets(tasks, column);
    if (offset[0] != 0 || offset[n_rows] != n_values)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: data set %s: expected 0 first and %llu last, found %llu and %llu", tasks->path,
                         columns[column].name, (unsigned long long)n_values, (unsigned long long)offset[0],
                         (unsigned long long)offset[n_rows]);
    for (uint64_t i = 0; i < n_rows; i++)
        if (offset[i + 1] < offset[i] || offset[i + 1] - offset[i] < shortest ||
            offset[i + 1] - offset[i] > longest)
            return cola_fail(COLA_ERR_INPUT,
                             "%s: data set %s: row %llu goes from %llu to %llu, expected %llu to %llu values",
                             tasks->path, columns[column].name, (unsigned long long)i,
                             (unsigned long long)offset[i], (unsigned long long)offset[i + 1],
                             (unsigned long long)shortest, (unsigned long long)longest);
    return COLA_OK;
}

static enum cola_status check_shapes(struct cola_tasks *tasks)
{
    const uint64_t most = UINT32_MAX - 1, *n = tasks->n;
    enum cola_score_rule rule = tasks->info.rule;
    bool generate = rule == COLA_SCORE_GENERATE;
    uint64_t n_samples = n[GOLD], m = n[N_BYTES], fewest = generate ? 0 : 1;
    if (n_samples == 0 || n_samples > most || m > most)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: data set samples/gold: %llu samples with %llu candidates, expected 1 to %llu",
                         tasks->path, (unsigned long long)n_samples, (unsigned long long)m,
                         (unsigned long long)most);
    tasks->info.n_samples = (uint32_t)n_samples;
    tasks->n_candidates = m;
    COLA_TRY(check_offsets(tasks, ID_OFFSETS, n_samples, n[ID_VALUES], 0, most));
    COLA_TRY(check_offsets(tasks, PROMPT_OFFSETS, n_samples, n[PROMPT_VALUES], 1, INT32_MAX));
    COLA_TRY(check_offsets(tasks, CANDIDATE_OFFSETS, n_samples, m, fewest, INT32_MAX));
    COLA_TRY(check_offsets(tasks, TOKEN_OFFSETS, m, n[TOKEN_VALUES], fewest,
                           rule == COLA_SCORE_LETTER ? 1 : INT32_MAX));
    COLA_TRY(check_offsets(tasks, LABEL_OFFSETS, m, n[LABEL_VALUES], 0, most));
    COLA_TRY(check_offsets(tasks, QUESTION_OFFSETS, n_samples, n[QUESTION_VALUES], 0, most));
    COLA_TRY(check_offsets(tasks, CHOICE_OFFSETS, m, n[CHOICE_VALUES], 0, most));
    if (!tasks->data[VOCABULARY_OFFSETS]) return COLA_OK;
    uint64_t n_vocabulary = n[VOCABULARY_OFFSETS];
    if (n_vocabulary < 2 || n_vocabulary > INT32_MAX)
        return cola_fail(COLA_ERR_INPUT, "%s: data set vocabulary/offsets: %llu elements are no vocabulary",
                         tasks->path, (unsigned long long)n_vocabulary);
    return check_offsets(tasks, VOCABULARY_OFFSETS, n_vocabulary - 1, n[VOCABULARY_VALUES], 0, most);
}

static enum cola_status check_tokens(struct cola_tasks *tasks, enum column column)
{
    const int32_t *token = tasks->data[column];
    for (uint64_t i = 0; i < tasks->n[column]; i++) {
        if (token[i] < 0)
            return cola_fail(COLA_ERR_INPUT, "%s: data set %s: element %llu is %d, a token id is 0 or more",
                             tasks->path, columns[column].name, (unsigned long long)i, token[i]);
        if (token[i] > tasks->info.max_token) tasks->info.max_token = token[i];
    }
    return COLA_OK;
}

static enum cola_status check_values(struct cola_tasks *tasks)
{
    const int32_t *gold = tasks->data[GOLD];
    const uint32_t *n_bytes = tasks->data[N_BYTES];
    const uint64_t *first = cola_tasks_offsets(tasks, CANDIDATE_OFFSETS);
    COLA_TRY(check_tokens(tasks, PROMPT_VALUES));
    COLA_TRY(check_tokens(tasks, TOKEN_VALUES));
    for (uint64_t i = 0; i < tasks->info.n_samples; i++)
        if (gold[i] < -1 || (gold[i] >= 0 && (uint64_t)gold[i] >= first[i + 1] - first[i]))
            return cola_fail(
                COLA_ERR_INPUT, "%s: data set samples/gold: sample %llu has %d, but %llu candidates",
                tasks->path, (unsigned long long)i, gold[i], (unsigned long long)(first[i + 1] - first[i]));
    for (uint64_t i = 0; i < tasks->n_candidates; i++)
        if (n_bytes[i] == 0 && tasks->info.rule != COLA_SCORE_GENERATE)
            return cola_fail(COLA_ERR_INPUT,
                             "%s: data set candidates/n_bytes: element %llu is 0, expected 1 or more",
                             tasks->path, (unsigned long long)i);
    return COLA_OK;
}

static struct cola_text id_of(const struct cola_tasks *tasks, uint32_t row)
{
    const uint64_t *first = cola_tasks_offsets(tasks, ID_OFFSETS);
    return (struct cola_text){(const char *)tasks->data[ID_VALUES] + first[row], first[row + 1] - first[row]};
}

static int compare_ids(const void *a, const void *b, void *tasks)
{
    struct cola_text x = id_of(tasks, *(const uint32_t *)a), y = id_of(tasks, *(const uint32_t *)b);
    uint64_t n = x.n_bytes < y.n_bytes ? x.n_bytes : y.n_bytes;
    int order = n ? memcmp(x.bytes, y.bytes, n) : 0;
    return order ? order : (x.n_bytes > y.n_bytes) - (x.n_bytes < y.n_bytes);
}

/* An id names one row: show, exports and joins with other files go by it. Empty means that there is none. */
static enum cola_status check_ids(struct cola_tasks *tasks)
{
    uint32_t n = tasks->info.n_samples, *row = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_alloc((void **)&row, n, sizeof *row, "ids"));
    for (uint32_t i = 0; i < n; i++) row[i] = i;
    qsort_r(row, n, sizeof *row, compare_ids, tasks);
    for (uint32_t i = 0; status == COLA_OK && i + 1 < n; i++) {
        if (id_of(tasks, row[i]).n_bytes == 0 || compare_ids(&row[i], &row[i + 1], tasks) != 0) continue;
        uint32_t low = row[i] < row[i + 1] ? row[i] : row[i + 1], high = row[i] ^ row[i + 1] ^ low;
        status =
            cola_fail(COLA_ERR_INPUT,
                      "%s: data set samples/id_values: rows %u and %u (from 0) have the same id, expected "
                      "one each",
                      tasks->path, low, high);
    }
    free(row);
    return status;
}

/* --- building ---------------------------------------------------------------------------------------------
 */

static enum cola_status build_samples(struct cola_tasks *tasks)
{
    const uint64_t *first_token = cola_tasks_offsets(tasks, TOKEN_OFFSETS),
                   *first = cola_tasks_offsets(tasks, CANDIDATE_OFFSETS),
                   *first_prompt = cola_tasks_offsets(tasks, PROMPT_OFFSETS);
    COLA_TRY(
        cola_alloc((void **)&tasks->candidate, tasks->n_candidates, sizeof *tasks->candidate, "candidates"));
    COLA_TRY(cola_alloc((void **)&tasks->sample, tasks->info.n_samples, sizeof *tasks->sample, "samples"));
    for (uint64_t i = 0; i < tasks->n_candidates; i++)
        tasks->candidate[i] =
            (struct cola_tokens){(const int32_t *)tasks->data[TOKEN_VALUES] + first_token[i],
                                 (uint32_t)(first_token[i + 1] - first_token[i])};
    for (uint32_t i = 0; i < tasks->info.n_samples; i++)
        tasks->sample[i] = (struct cola_sample){
            .index = i,
            .prompt = (const int32_t *)tasks->data[PROMPT_VALUES] + first_prompt[i],
            .n_prompt_tokens = (uint32_t)(first_prompt[i + 1] - first_prompt[i]),
            .candidate = tasks->candidate + first[i],
            .candidate_bytes = (const uint32_t *)tasks->data[N_BYTES] + first[i],
            .n_candidates = (uint32_t)(first[i + 1] - first[i]),
            .gold = ((const int32_t *)tasks->data[GOLD])[i],
            .rule = tasks->info.rule,
            .max_new_tokens = tasks->info.max_new_tokens,
            .stop_token = tasks->info.stop_token,
            .n_stop_tokens = tasks->info.n_stop_tokens,
        };
    if (tasks->data[VOCABULARY_OFFSETS])
        tasks->vocabulary =
            (struct cola_vocabulary){tasks->data[VOCABULARY_VALUES], tasks->data[VOCABULARY_OFFSETS],
                                     (uint32_t)(tasks->n[VOCABULARY_OFFSETS] - 1)};
    return COLA_OK;
}

static void hash_columns(struct cola_hash *hash, const struct cola_tasks *tasks, const enum column *column,
                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cola_hash_u64(hash, tasks->n[column[i]]);
        cola_hash_bytes(hash, tasks->data[column[i]],
                        tasks->n[column[i]] *
                            cola_h5_type_bytes(columns[column[i]].type)); /* little-endian host */
    }
}

/* Over what a search reads, as numbers: independent of chunking, compression and byte order of the file.
 * Under generate that is also what turns tokens into a verdict: the vocabulary, and without choices the
 * golds' texts. */
static enum cola_status take_fingerprint(struct cola_tasks *tasks)
{
    static const enum column always[] = {PROMPT_VALUES, PROMPT_OFFSETS, GOLD,   CANDIDATE_OFFSETS,
                                         TOKEN_VALUES,  TOKEN_OFFSETS,  N_BYTES},
                             vocabulary[] = {VOCABULARY_VALUES, VOCABULARY_OFFSETS},
                             golds[] = {CHOICE_VALUES, CHOICE_OFFSETS};
    struct cola_hash *hash;
    COLA_TRY(cola_hash_create(&hash));
    cola_hash_string(hash, "cola-tasks 1");
    cola_hash_string(hash, cola_score_rule_name[tasks->info.rule]);
    hash_columns(hash, tasks, always, sizeof always / sizeof *always);
    cola_hash_u64(hash, tasks->info.max_new_tokens);
    cola_hash_u64(hash, tasks->info.n_stop_tokens);
    if (tasks->stop_token)
        cola_hash_bytes(hash, tasks->stop_token, tasks->info.n_stop_tokens * sizeof *tasks->stop_token);
    if (tasks->info.rule == COLA_SCORE_GENERATE) {
        cola_hash_string(hash, cola_grade_rule_name[tasks->info.grader]);
        hash_columns(hash, tasks, vocabulary, 2);
    }
    if (cola_judge_by_row(&tasks->info)) hash_columns(hash, tasks, golds, 2);
    cola_hash_text(hash, tasks->info.fingerprint);
    cola_hash_destroy(hash);
    return COLA_OK;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the fingerprint hashes numbers as they lie in memory");

/* --- the public functions ---------------------------------------------------------------------------------
 */

enum cola_status cola_tasks_open(const char *path, struct cola_tasks **out)
{
    struct cola_h5 file = {.id = -1};
    struct cola_tasks *tasks = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_h5_open(path, &file));
    COLA_TRY_DONE(cola_alloc((void **)&tasks, 1, sizeof *tasks, "tasks"));
    COLA_TRY_DONE(cola_alloc((void **)&tasks->path, strlen(path) + 1, 1, "tasks"));
    memcpy(tasks->path, path, strlen(path));
    COLA_TRY_DONE(cola_h5_check_filetype(&file, "cola-tasks", 1));
    COLA_TRY_DONE(load_attributes(tasks, &file));
    COLA_TRY_DONE(load_columns(tasks, &file));
    COLA_TRY_DONE(check_shapes(tasks));
    COLA_TRY_DONE(check_values(tasks));
    COLA_TRY_DONE(check_ids(tasks));
    COLA_TRY_DONE(build_samples(tasks));
    if (tasks->info.rule == COLA_SCORE_GENERATE) COLA_TRY_DONE(cola_tasks_check_golds(tasks));
    COLA_TRY_DONE(take_fingerprint(tasks));
    *out = tasks;
    tasks = NULL;
done:
    cola_h5_close(&file);
    cola_tasks_close(tasks);
    return status;
}

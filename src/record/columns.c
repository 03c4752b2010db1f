/* columns.c - filling a run's columns, and the checks after which they may be believed; see columns.h. */
#include "record/columns.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cola/judge.h"
#include "cola/memory.h"

void cola_columns_fini(struct cola_columns *columns)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) free(columns->column[i].data);
    memset(columns, 0, sizeof *columns);
}

enum cola_status cola_columns_append(struct cola_columns *columns, enum cola_run_column column,
                                     const void *items, size_t n)
{
    size_t item_bytes = cola_h5_type_bytes(cola_run_schema[column].type);
    size_t at = columns->column[column].n;
    COLA_TRY(cola_grow(&columns->column[column].data, &columns->column[column].room, at + n, item_bytes,
                       cola_run_schema[column].name));
    if (n) memcpy((uint8_t *)columns->column[column].data + at * item_bytes, items, n * item_bytes);
    columns->column[column].n += n;
    return COLA_OK;
}

enum cola_status cola_columns_put(struct cola_columns *columns, enum cola_run_column column, const void *item,
                                  size_t n_bytes)
{
    assert(n_bytes == cola_h5_type_bytes(cola_run_schema[column].type));
    (void)n_bytes;
    return cola_columns_append(columns, column, item, 1);
}

size_t cola_columns_rows(const struct cola_columns *columns, enum cola_rows rows)
{
    return columns->column[cola_rows_column[rows]].n;
}

const uint64_t *cola_columns_offsets(const struct cola_columns *columns, enum cola_run_column column)
{
    return columns->column[column].data;
}

static size_t target_length(const struct cola_columns *columns, const struct cola_run_schema *schema)
{
    return schema->shape == COLA_SHAPE_OFFSETS ? columns->column[schema->into].n
                                               : cola_columns_rows(columns, (enum cola_rows)schema->into);
}

enum cola_status cola_columns_end_row(struct cola_columns *columns, enum cola_run_column offsets)
{
    uint64_t end = target_length(columns, &cola_run_schema[offsets]);
    return cola_columns_append(columns, offsets, &end, 1);
}

static bool is_offsets(int column)
{
    enum cola_shape shape = cola_run_schema[column].shape;
    return shape == COLA_SHAPE_OFFSETS || shape == COLA_SHAPE_FIRST;
}

void cola_columns_clear(struct cola_columns *columns)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) columns->column[i].n = 0;
}

uint64_t cola_columns_bytes(const struct cola_columns *columns)
{
    uint64_t n = 0;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        n += columns->column[i].n * cola_h5_type_bytes(cola_run_schema[i].type);
    return n;
}

void cola_columns_count(const struct cola_columns *columns, uint64_t n_items[COLA_N_RUN_COLUMNS])
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) n_items[i] += columns->column[i].n - is_offsets(i);
}

void cola_columns_count_first(uint64_t n_items[COLA_N_RUN_COLUMNS])
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) n_items[i] = is_offsets(i);
}

/* Offsets first: they need to know how much was there before. */
enum cola_status cola_columns_join(struct cola_columns *columns, const struct cola_columns *more)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        if (!is_offsets(i)) continue;
        uint64_t before = target_length(columns, &cola_run_schema[i]), at = columns->column[i].n;
        const uint64_t *from = more->column[i].data;
        size_t n = more->column[i].n - 1;
        COLA_TRY(cola_columns_append(columns, (enum cola_run_column)i, from + 1, n));
        uint64_t *to = (uint64_t *)columns->column[i].data + at;
        for (size_t k = 0; k < n; k++) to[k] += before;
    }
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        if (!is_offsets(i))
            COLA_TRY(cola_columns_append(columns, (enum cola_run_column)i, more->column[i].data,
                                         more->column[i].n));
    return COLA_OK;
}

/* --- checks -----------------------------------------------------------------------------------------------
 */

static enum cola_status refuse(const char *path, enum cola_run_column column, size_t row, const char *why)
{
    return cola_fail(COLA_ERR_INPUT, "%s: data set %s: row %zu %s", path, cola_run_schema[column].name, row,
                     why);
}

static enum cola_status check_shape(const struct cola_columns *columns, enum cola_run_column column,
                                    const char *path)
{
    const struct cola_run_schema *schema = &cola_run_schema[column];
    size_t n = columns->column[column].n, n_rows = cola_columns_rows(columns, schema->rows);
    if (schema->shape == COLA_SHAPE_VALUES) return COLA_OK;
    bool offsets = schema->shape != COLA_SHAPE_COLUMN;
    if (n != n_rows + offsets)
        return cola_fail(COLA_ERR_INPUT, "%s: data set %s: expected %zu elements, found %zu", path,
                         schema->name, n_rows + offsets, n);
    if (!offsets) return COLA_OK;
    const uint64_t *offset = cola_columns_offsets(columns, column);
    uint64_t end = target_length(columns, schema);
    if (offset[0] != 0 || offset[n_rows] != end)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: data set %s: expected 0 first and %llu last, found %llu and %llu", path,
                         schema->name, (unsigned long long)end, (unsigned long long)offset[0],
                         (unsigned long long)offset[n_rows]);
    for (size_t i = 0; i < n_rows; i++)
        if (offset[i + 1] < offset[i]) return refuse(path, column, i, "ends before it begins");
    return COLA_OK;
}

/* Every element of a uint8 column at most `most`. */
static enum cola_status check_small(const struct cola_columns *columns, enum cola_run_column column,
                                    uint8_t most, const char *path)
{
    const uint8_t *value = columns->column[column].data;
    for (size_t i = 0; i < columns->column[column].n; i++)
        if (value[i] > most) return refuse(path, column, i, "holds a value that has no meaning");
    return COLA_OK;
}

enum cola_status cola_columns_by_row(const struct cola_fields *fields, const char *path, bool *by_row)
{
    const char *score = cola_fields_value(fields, "score"), *grader = cola_fields_value(fields, "grader");
    struct cola_tasks_info info = {.rule = COLA_SCORE_LOGLIK};
    if (score && strcmp(score, cola_score_rule_name[COLA_SCORE_GENERATE]) == 0) {
        info.rule = COLA_SCORE_GENERATE;
        while (grader && info.grader < COLA_N_GRADE_RULES &&
               strcmp(grader, cola_grade_rule_name[info.grader]) != 0)
            info.grader++;
        if (!grader || info.grader == COLA_N_GRADE_RULES)
            return cola_fail(COLA_ERR_INPUT,
                             "%s: attribute grader: expected letter, boxed or number, found %.40s", path,
                             grader ? grader : "none");
    }
    *by_row = cola_judge_by_row(&info);
    return COLA_OK;
}

static bool is_candidate(int32_t value, uint64_t n_candidates)
{
    return value >= -1 && (value < 0 || (uint64_t)value < n_candidates);
}

static enum cola_status check_chains(const struct cola_columns *columns, size_t sample, uint64_t n_candidates,
                                     bool by_row, const char *path)
{
    const uint64_t *chain = cola_columns_offsets(columns, COLA_SAMPLES_CHAIN_OFFSETS),
                   *layer = cola_columns_offsets(columns, COLA_CHAINS_LAYER_OFFSETS),
                   *score = cola_columns_offsets(columns, COLA_SCORES_OFFSETS);
    const int32_t *parent = columns->column[COLA_CHAINS_PARENT].data;
    const int32_t *prediction = columns->column[COLA_CHAINS_PREDICTION].data,
                  *target = columns->column[COLA_SAMPLES_TARGET].data;
    for (uint64_t row = chain[sample]; row < chain[sample + 1]; row++) {
        uint64_t at = row - chain[sample], n_layers = layer[row + 1] - layer[row],
                 n_scores = score[row + 1] - score[row];
        if (at > INT32_MAX || parent[row] < -1 || parent[row] >= (int64_t)at ||
            (parent[row] < 0) != (at == 0))
            return refuse(path, COLA_CHAINS_PARENT, row, "has no earlier chain of its sample as parent");
        if (n_layers < 1 || n_layers > COLA_CHAIN_MAX(COLA_LAYERS_MAX))
            return refuse(path, COLA_CHAINS_LAYER_OFFSETS, row, "is no chain: too few or too many layers");
        if (!by_row && !is_candidate(prediction[row], n_candidates))
            return refuse(path, COLA_CHAINS_PREDICTION, row, "is no candidate of its sample");
        if (by_row && prediction[row] != target[sample] && prediction[row] != COLA_PREDICTION_NONE &&
            prediction[row] != COLA_PREDICTION_OTHER)
            return refuse(path, COLA_CHAINS_PREDICTION, row, "is neither its sample's target nor -1 nor -2");
        if (n_scores != 0 && n_scores != n_candidates)
            return refuse(path, COLA_SCORES_OFFSETS, row, "does not have one score a candidate");
    }
    return COLA_OK;
}

/* Gold and target of one sample: candidates, or rows of tasks.h5, of which only the sample's own is known. */
static enum cola_status check_answers(const struct cola_columns *columns, size_t i, uint64_t n_candidates,
                                      bool by_row, const char *path)
{
    int32_t gold = ((const int32_t *)columns->column[COLA_SAMPLES_GOLD].data)[i],
            target = ((const int32_t *)columns->column[COLA_SAMPLES_TARGET].data)[i];
    uint32_t index = ((const uint32_t *)columns->column[COLA_SAMPLES_INDEX].data)[i];
    if (by_row ? gold != -1 && (gold < 0 || (uint32_t)gold != index) : !is_candidate(gold, n_candidates))
        return refuse(path, COLA_SAMPLES_GOLD, i, by_row ? "is not its sample's index" : "is no candidate");
    if (by_row ? target < -1 : !is_candidate(target, n_candidates))
        return refuse(path, COLA_SAMPLES_TARGET, i, by_row ? "is no row" : "is no candidate");
    return COLA_OK;
}

static enum cola_status check_samples(const struct cola_columns *columns, bool by_row, const char *path)
{
    const uint64_t *candidate = cola_columns_offsets(columns, COLA_SAMPLES_CANDIDATE_OFFSETS);
    const uint32_t *index = columns->column[COLA_SAMPLES_INDEX].data;
    size_t n = cola_columns_rows(columns, COLA_ROWS_SAMPLES);
    if (n >= UINT32_MAX) return refuse(path, COLA_SAMPLES_INDEX, n, "is too many");
    for (size_t i = 0; i < n; i++) {
        uint64_t n_candidates = candidate[i + 1] - candidate[i];
        if (n_candidates > INT32_MAX)
            return refuse(path, COLA_SAMPLES_CANDIDATE_OFFSETS, i, "has too many candidates");
        if (i && index[i] <= index[i - 1]) return refuse(path, COLA_SAMPLES_INDEX, i, "does not ascend");
        COLA_TRY(check_answers(columns, i, n_candidates, by_row, path));
        COLA_TRY(check_chains(columns, i, n_candidates, by_row, path));
    }
    return COLA_OK;
}

static enum cola_status check_workers(const struct cola_columns *columns, const char *path)
{
    const uint32_t *session = columns->column[COLA_WORKERS_SESSION].data;
    size_t n = cola_columns_rows(columns, COLA_ROWS_WORKERS),
           n_sessions = cola_columns_rows(columns, COLA_ROWS_SESSIONS);
    if (n >= UINT32_MAX || n_sessions >= UINT32_MAX)
        return refuse(path, COLA_WORKERS_SESSION, n, "is too many");
    for (size_t i = 0; i < n; i++)
        if (session[i] >= n_sessions)
            return refuse(path, COLA_WORKERS_SESSION, i, "is no row of timing/sessions");
    return COLA_OK;
}

enum cola_status cola_columns_check(const struct cola_columns *columns, bool by_row, const char *path)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        COLA_TRY(check_shape(columns, (enum cola_run_column)i, path));
    COLA_TRY(check_small(columns, COLA_SAMPLES_FINISHED, 1, path));
    COLA_TRY(check_small(columns, COLA_CHAINS_ON_FRONT, 1, path));
    COLA_TRY(check_small(columns, COLA_CHAINS_EDIT_KIND, COLA_EDIT_REPEAT, path));
    COLA_TRY(check_small(columns, COLA_CHAINS_OUTCOME, COLA_OUTCOME_CRASHED, path));
    COLA_TRY(check_workers(columns, path));
    return check_samples(columns, by_row, path);
}

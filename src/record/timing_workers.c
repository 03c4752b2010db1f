/* timing_workers.c - the rows of timing/sessions/ and timing/workers/: made from the master's figures, put
 * behind those of earlier processes and other parts, handed out. See timing_workers.h; docs/format-run.md has
 * the rules. Touches no file. */
#include "record/timing_workers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "record/record_state.h"
#include "record/run.h"

bool cola_timing_column(enum cola_run_column column)
{
    return cola_run_schema[column].rows == COLA_ROWS_SESSIONS ||
           cola_run_schema[column].rows == COLA_ROWS_WORKERS;
}

int32_t cola_timing_shard(const char *text)
{
    char *end = NULL;
    unsigned long shard = text && *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    return end && *end == '/' && shard <= INT32_MAX ? (int32_t)shard : -1;
}

/* --- putting rows together ---------------------------------------------------------------------------- */

/* The first offset of each ragged column, once. */
static enum cola_status begin(struct cola_columns *rows)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        if (cola_timing_column((enum cola_run_column)i) && cola_run_schema[i].shape == COLA_SHAPE_OFFSETS &&
            rows->column[i].n == 0)
            COLA_TRY(cola_columns_end_row(rows, (enum cola_run_column)i));
    return COLA_OK;
}

static struct cola_text text_of(const struct cola_columns *rows, enum cola_run_column offsets, size_t row)
{
    const uint64_t *offset = cola_columns_offsets(rows, offsets);
    const char *bytes = rows->column[cola_run_schema[offsets].into].data;
    uint64_t n = offset[row + 1] - offset[row];
    return (struct cola_text){n ? bytes + offset[row] : "", n};
}

static enum cola_status put_text(struct cola_columns *rows, enum cola_run_column offsets,
                                 struct cola_text text)
{
    COLA_TRY(cola_columns_append(rows, (enum cola_run_column)cola_run_schema[offsets].into, text.bytes,
                                 (size_t)text.n_bytes));
    return cola_columns_end_row(rows, offsets);
}

static bool is_session(const struct cola_columns *rows, size_t i, struct cola_text run, uint32_t number)
{
    struct cola_text other = text_of(rows, COLA_SESSIONS_RUN_OFFSETS, i);
    return ((const uint32_t *)rows->column[COLA_SESSIONS_NUMBER].data)[i] == number &&
           other.n_bytes == run.n_bytes && memcmp(other.bytes, run.bytes, run.n_bytes) == 0;
}

static bool has_session(const struct cola_columns *rows, struct cola_text run, uint32_t number)
{
    for (size_t i = 0; i < cola_columns_rows(rows, COLA_ROWS_SESSIONS); i++)
        if (is_session(rows, i, run, number)) return true;
    return false;
}

/* Row `row` of all columns that have rows of this kind. */
static enum cola_status append_row(struct cola_columns *to, const struct cola_columns *from,
                                   enum cola_rows rows, size_t row)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        const struct cola_run_schema *schema = &cola_run_schema[i];
        enum cola_run_column column = (enum cola_run_column)i;
        if (schema->rows != rows) continue;
        if (schema->shape == COLA_SHAPE_OFFSETS)
            COLA_TRY(put_text(to, column, text_of(from, column, row)));
        else if (schema->shape == COLA_SHAPE_COLUMN)
            COLA_TRY(cola_columns_append(
                to, column, (const uint8_t *)from->column[i].data + row * cola_h5_type_bytes(schema->type),
                1));
    }
    return COLA_OK;
}

/* place: [sessions of from], where each went; NOT_TAKEN: it was there. */
static const uint32_t NOT_TAKEN = UINT32_MAX;

static enum cola_status append_sessions(struct cola_columns *to, const struct cola_columns *from,
                                        uint32_t *place)
{
    const uint32_t *number = from->column[COLA_SESSIONS_NUMBER].data;
    for (size_t i = 0; i < cola_columns_rows(from, COLA_ROWS_SESSIONS); i++) {
        place[i] = NOT_TAKEN;
        if (has_session(to, text_of(from, COLA_SESSIONS_RUN_OFFSETS, i), number[i])) continue;
        place[i] = (uint32_t)cola_columns_rows(to, COLA_ROWS_SESSIONS);
        COLA_TRY(append_row(to, from, COLA_ROWS_SESSIONS, i));
    }
    return COLA_OK;
}

static enum cola_status append_workers(struct cola_columns *to, const struct cola_columns *from,
                                       const uint32_t *place)
{
    const uint32_t *session = from->column[COLA_WORKERS_SESSION].data;
    for (size_t i = 0; i < cola_columns_rows(from, COLA_ROWS_WORKERS); i++) {
        if (place[session[i]] == NOT_TAKEN) continue;
        COLA_TRY(append_row(to, from, COLA_ROWS_WORKERS, i));
        uint32_t *last = to->column[COLA_WORKERS_SESSION].data;
        last[cola_columns_rows(to, COLA_ROWS_WORKERS) - 1] = place[session[i]];
    }
    return COLA_OK;
}

enum cola_status cola_timing_append(struct cola_columns *to, const struct cola_columns *from)
{
    uint32_t *place = NULL;
    COLA_TRY(begin(to));
    COLA_TRY(
        cola_alloc((void **)&place, cola_columns_rows(from, COLA_ROWS_SESSIONS), sizeof *place, "sessions"));
    enum cola_status status = append_sessions(to, from, place);
    if (status == COLA_OK) status = append_workers(to, from, place);
    free(place);
    return status;
}

#define PUT(column, ctype, value) COLA_TRY(COLA_COLUMNS_PUT(rows, column, ctype, value))

static enum cola_status put_session(struct cola_columns *rows, const struct cola_timing_of *of,
                                    const struct cola_timing_session *session)
{
    PUT(COLA_SESSIONS_SHARD, int32_t, of->shard);
    PUT(COLA_SESSIONS_NUMBER, uint32_t, of->number);
    COLA_TRY(put_text(rows, COLA_SESSIONS_RUN_OFFSETS, (struct cola_text){of->run_id, strlen(of->run_id)}));
    PUT(COLA_SESSIONS_BEGAN, double, session->began);
    PUT(COLA_SESSIONS_SEARCH_S, double, session->search_s);
    PUT(COLA_SESSIONS_MASTER_CPU_S, double, session->master_cpu_s);
    PUT(COLA_SESSIONS_TREE_CPU_S, double, session->tree_cpu_s);
    PUT(COLA_SESSIONS_N_EVALUATIONS, uint64_t, session->n_evaluations);
    return COLA_OK;
}

static enum cola_status put_worker(struct cola_columns *rows, const struct cola_timing_worker *w,
                                   double search_s)
{
    PUT(COLA_WORKERS_SESSION, uint32_t, 0);
    PUT(COLA_WORKERS_RANK, uint32_t, w->rank);
    COLA_TRY(put_text(rows, COLA_WORKERS_HOST_OFFSETS, w->host));
    COLA_TRY(put_text(rows, COLA_WORKERS_DEVICE_OFFSETS, w->device));
    PUT(COLA_WORKERS_BUSY_S, double, w->busy_s);
    PUT(COLA_WORKERS_UTILISATION, double, search_s > 0 ? w->busy_s / search_s : 0);
    PUT(COLA_WORKERS_N_EVALUATIONS, uint64_t, w->n_evaluations);
    PUT(COLA_WORKERS_LAYERS_ASKED, uint64_t, w->layers_asked);
    PUT(COLA_WORKERS_LAYERS_EXECUTED, uint64_t, w->layers_executed);
    PUT(COLA_WORKERS_ROW_LAYERS_ASKED, uint64_t, w->row_layers_asked);
    PUT(COLA_WORKERS_ROW_LAYERS_EXECUTED, uint64_t, w->row_layers_executed);
    PUT(COLA_WORKERS_MEMORY_BYTES, uint64_t, w->memory_bytes);
    PUT(COLA_WORKERS_STATE_BYTES, uint64_t, w->state_bytes);
    return COLA_OK;
}

enum cola_status cola_timing_set(struct cola_columns *rows, const struct cola_timing_of *of,
                                 const struct cola_timing_session *session,
                                 const struct cola_timing_worker *worker, uint32_t n_workers)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) rows->column[i].n = 0;
    COLA_TRY(begin(rows));
    COLA_TRY(put_session(rows, of, session));
    for (uint32_t i = 0; i < n_workers; i++) COLA_TRY(put_worker(rows, &worker[i], session->search_s));
    return COLA_OK;
}

/* --- taking them apart -------------------------------------------------------------------------------- */

uint32_t cola_timing_next(const struct cola_columns *rows, const char *run_id)
{
    const uint32_t *number = rows->column[COLA_SESSIONS_NUMBER].data;
    uint32_t next = 0;
    for (size_t i = 0; i < cola_columns_rows(rows, COLA_ROWS_SESSIONS); i++) {
        struct cola_text run = {run_id, strlen(run_id)};
        if (number[i] >= next && number[i] < UINT32_MAX && is_session(rows, i, run, number[i]))
            next = number[i] + 1;
    }
    return next;
}

enum cola_status cola_record_timing(struct cola_record *record, const struct cola_timing_session *session,
                                    const struct cola_timing_worker *worker, uint32_t n_workers)
{
    const char *run_id = cola_fields_value(&record->fields, "run_id");
    uint32_t next = cola_timing_next(&record->timing_before, run_id);
    const struct cola_timing_of of = {.run_id = run_id,
                                      .shard = cola_timing_shard(cola_fields_value(&record->fields, "shard")),
                                      .number = next > record->n_sessions ? next : record->n_sessions};
    return cola_timing_set(&record->timing_now, &of, session, worker, n_workers);
}

enum cola_status cola_timing_fold(const struct cola_record *record, struct cola_columns *to)
{
    COLA_TRY(cola_timing_append(to, &record->timing_before));
    return cola_timing_append(to, &record->timing_now);
}

/* --- reading an open run.h5 --------------------------------------------------------------------------- */

#define AT(ctype, which) (((const ctype *)c->column[which].data)[i])

uint32_t cola_run_n_sessions(const struct cola_run *run)
{
    return (uint32_t)cola_columns_rows(&run->columns, COLA_ROWS_SESSIONS);
}

uint32_t cola_run_n_workers(const struct cola_run *run)
{
    return (uint32_t)cola_columns_rows(&run->columns, COLA_ROWS_WORKERS);
}

void cola_run_session(const struct cola_run *run, uint32_t i, struct cola_timing_session *out)
{
    const struct cola_columns *c = &run->columns;
    assert(i < cola_run_n_sessions(run));
    *out = (struct cola_timing_session){.shard = AT(int32_t, COLA_SESSIONS_SHARD),
                                        .number = AT(uint32_t, COLA_SESSIONS_NUMBER),
                                        .run = text_of(c, COLA_SESSIONS_RUN_OFFSETS, i),
                                        .began = AT(double, COLA_SESSIONS_BEGAN),
                                        .search_s = AT(double, COLA_SESSIONS_SEARCH_S),
                                        .master_cpu_s = AT(double, COLA_SESSIONS_MASTER_CPU_S),
                                        .tree_cpu_s = AT(double, COLA_SESSIONS_TREE_CPU_S),
                                        .n_evaluations = AT(uint64_t, COLA_SESSIONS_N_EVALUATIONS)};
}

void cola_run_worker(const struct cola_run *run, uint32_t i, struct cola_timing_worker *out)
{
    const struct cola_columns *c = &run->columns;
    assert(i < cola_run_n_workers(run));
    *out = (struct cola_timing_worker){.session = AT(uint32_t, COLA_WORKERS_SESSION),
                                       .rank = AT(uint32_t, COLA_WORKERS_RANK),
                                       .host = text_of(c, COLA_WORKERS_HOST_OFFSETS, i),
                                       .device = text_of(c, COLA_WORKERS_DEVICE_OFFSETS, i),
                                       .busy_s = AT(double, COLA_WORKERS_BUSY_S),
                                       .utilisation = AT(double, COLA_WORKERS_UTILISATION),
                                       .n_evaluations = AT(uint64_t, COLA_WORKERS_N_EVALUATIONS),
                                       .layers_asked = AT(uint64_t, COLA_WORKERS_LAYERS_ASKED),
                                       .layers_executed = AT(uint64_t, COLA_WORKERS_LAYERS_EXECUTED),
                                       .row_layers_asked = AT(uint64_t, COLA_WORKERS_ROW_LAYERS_ASKED),
                                       .row_layers_executed = AT(uint64_t, COLA_WORKERS_ROW_LAYERS_EXECUTED),
                                       .memory_bytes = AT(uint64_t, COLA_WORKERS_MEMORY_BYTES),
                                       .state_bytes = AT(uint64_t, COLA_WORKERS_STATE_BYTES)};
}

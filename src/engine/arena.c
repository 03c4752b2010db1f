/* arena.c - the hidden rows of all jobs in one device buffer [n_rows, D], so that a batch gathers its rows
 * from one place whatever jobs they belong to. It grows when too few rows are free; a row keeps its number.
 */
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "engine/state.h"

/* Rows of an arena with n free ones: at least doubled, so that rows are copied rarely; `exact` where memory
 * is short. */
static uint32_t grown_rows(const struct arena *a, uint32_t n, bool exact)
{
    uint32_t missing = n - a->n_free;
    return a->n_rows + (exact || missing > a->n_rows ? missing : a->n_rows);
}

static size_t floats_of(const struct cola_engine *e, uint32_t n_rows)
{
    return (size_t)n_rows * e->config->n_hidden;
}

static enum cola_status grow(struct cola_engine *e, uint32_t n_rows)
{
    struct arena *a = &e->arena;
    uint32_t *row = NULL;
    float *hidden = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&row, n_rows, sizeof *row, "hidden rows"));
    COLA_TRY_DONE(cola_memory_allocate(e, floats_of(e, n_rows), "hidden rows", &hidden));
    if (a->n_rows) COLA_TRY_DONE(e->backend->copy(e->device, a->hidden, floats_of(e, a->n_rows), hidden));
    if (a->n_free) memcpy(row, a->free_row, a->n_free * sizeof *row);
    for (uint32_t i = n_rows; i > a->n_rows; i--) row[a->n_free++] = i - 1;
    uint32_t n_free = a->n_free;
    cola_arena_release(e);
    *a = (struct arena){.hidden = hidden, .n_rows = n_rows, .free_row = row, .n_free = n_free};
    return COLA_OK;
done:
    cola_memory_release(e, hidden, floats_of(e, n_rows));
    free(row);
    return status;
}

enum cola_status cola_arena_take(struct cola_engine *e, struct job *job, bool *taken)
{
    struct arena *a = &e->arena;
    *taken = false;
    if (a->n_free < job->n_rows) {
        uint32_t n = grown_rows(a, job->n_rows, false), least = grown_rows(a, job->n_rows, true);
        if (!cola_memory_make_room(e, floats_of(e, n) * sizeof(float))) n = least;
        if (!cola_memory_make_room(e, floats_of(e, n) * sizeof(float))) return COLA_OK;
        COLA_TRY(grow(e, n));
    }
    a->n_free -= job->n_rows;
    memcpy(job->row, a->free_row + a->n_free, job->n_rows * sizeof *job->row);
    *taken = true;
    return COLA_OK;
}

void cola_arena_give_back(struct cola_engine *e, struct job *job, uint32_t n_kept)
{
    while (job->n_rows > n_kept) e->arena.free_row[e->arena.n_free++] = job->row[--job->n_rows];
}

void cola_arena_release(struct cola_engine *e)
{
    cola_memory_release(e, e->arena.hidden, floats_of(e, e->arena.n_rows));
    free(e->arena.free_row);
    e->arena = (struct arena){0};
}

/* The table stays in its file. Its pages that were read leave this process from time to time: a row brings up
 * to 64 KiB of neighbours, so rows of few samples would bring most of a large table. */
static void leave_embedding(struct cola_engine *e, uint32_t n_rows)
{
    enum { MOST_ROWS = 128 }; /* about 8 MiB */
    const struct cola_tensor *table = e->weights.embedding;
    e->n_embedded += n_rows;
    if (e->n_embedded < MOST_ROWS) return;
    cola_tensor_leave(table, 0, cola_tensor_n_elements(table));
    e->n_embedded = 0;
}

enum cola_status cola_arena_embed(struct cola_engine *e, const struct job *job, const int32_t *token)
{
    struct scratch *s = &e->scratch;
    COLA_TRY(cola_scratch_cover(e, job->n_rows, 1));
    COLA_TRY(e->backend->embed(e->device, e->weights.embedding, token, job->n_rows, s->x));
    leave_embedding(e, job->n_rows);
    return e->backend->scatter(e->device, s->x, job->row, job->n_rows, e->config->n_hidden, e->arena.hidden);
}

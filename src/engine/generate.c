/* generate.c - greedy generation: after the prompt's pass each token is one more pass of one row through the
 * whole chain, which attends to the keys stored under each chain position and stores its own. Keys in
 * ascending position, none that is not attended to: so a pass gives the bytes that recomputing the whole
 * sequence would give (docs/numerics.md).
 *
 * The prompt's keys of a chain position may be shared (keys.h); those of generated tokens are the job's own:
 * one store a position, side by side in job->tail. */
#include <math.h>
#include <stdlib.h>

#include "cola/memory.h"
#include "engine/state.h"

static size_t tail_floats(const struct cola_engine *e, uint32_t room)
{
    return e->backend->store_floats(e->device, room, e->config->n_kv_heads, e->config->head_size);
}

/* Of all chain positions. */
static size_t tails_floats(const struct cola_engine *e, uint32_t n_layers, uint32_t room)
{
    return cola_memory_class(n_layers * tail_floats(e, room));
}

/* Nothing follows the last token, so it needs no keys. */
static uint32_t tail_room(const struct job *job)
{
    return job->sample->max_new_tokens - 1;
}

uint64_t cola_generate_tail_bytes(const struct cola_engine *e, uint32_t n_layers, uint32_t n_answer_tokens)
{
    uint32_t room = n_answer_tokens - 1;
    return room ? tails_floats(e, n_layers, room) * sizeof(float) : 0;
}

enum cola_status cola_generate_begin(struct job *job)
{
    COLA_TRY(cola_alloc((void **)&job->token, job->sample->max_new_tokens, sizeof *job->token,
                        "generated tokens"));
    return cola_alloc((void **)&job->keys, job->n_layers, sizeof(struct cola_stored_keys *), "stored keys");
}

enum cola_status cola_generate_open_tail(struct cola_engine *e, struct job *job)
{
    uint32_t room = tail_room(job);
    if (room)
        COLA_TRY(cola_memory_allocate(e, tails_floats(e, job->n_layers, room), "stored keys", &job->tail));
    job->tail_room = room;
    return COLA_OK;
}

void cola_generate_end(struct cola_engine *e, struct job *job)
{
    for (uint32_t i = 0; job->keys && i < job->n_layers; i++) cola_keys_drop(e, job->keys[i]);
    cola_memory_release(e, job->tail, tails_floats(e, job->n_layers, job->tail_room));
    free(job->keys);
    free(job->token);
    job->keys = NULL;
    job->tail = NULL;
    job->token = NULL;
}

static float *tail_at(const struct cola_engine *e, const struct job *job)
{
    return job->tail + job->at * tail_floats(e, job->tail_room);
}

enum cola_status cola_generate_keep(struct cola_engine *e, struct job *job, uint32_t first,
                                    struct cola_kept_keys *out)
{
    size_t width = (size_t)e->config->n_kv_heads * e->config->head_size;
    *out = (struct cola_kept_keys){.k = e->scratch.k + first * width,
                                   .v = e->scratch.v + first * width,
                                   .n_rows = job->n_rows,
                                   .room = job->n_rows};
    if (job->n_tokens) {
        out->first = job->n_tokens - 1;
        out->room = job->tail_room;
        out->store = tail_at(e, job);
        return COLA_OK;
    }
    uint64_t n_bytes = cola_keys_bytes(e, job->n_rows);
    COLA_TRY(cola_keys_create(e, job->n_rows, &job->keys[job->at]));
    job->promised_bytes -= n_bytes;
    e->memory.promised_bytes -= n_bytes;
    out->store = job->keys[job->at]->store;
    return COLA_OK;
}

struct cola_keys cola_generate_prompt_keys(const struct job *job)
{
    return (struct cola_keys){.k = job->keys[job->at]->store, .room = job->keys[job->at]->room};
}

struct cola_span cola_generate_span(const struct cola_engine *e, const struct job *job, uint32_t query_row)
{
    return (struct cola_span){.first_row = query_row,
                              .n_rows = 1,
                              .n_prefix = job->sample->n_prompt_tokens,
                              .n_first = job->n_tokens,
                              .prefix = cola_generate_prompt_keys(job),
                              .tail = {.k = tail_at(e, job), .room = job->tail_room}};
}

static bool is_stop(const struct cola_sample *sample, int32_t token)
{
    for (uint32_t i = 0; i < sample->n_stop_tokens; i++)
        if (sample->stop_token[i] == token) return true;
    return false;
}

enum cola_status cola_generate_advance(struct cola_engine *e, struct job *job,
                                       const struct cola_logits *logit, cola_result_fn *done, void *user)
{
    const struct cola_sample *sample = job->sample;
    bool finite = isfinite(cola_logsumexp(logit));
    if (finite) job->token[job->n_tokens++] = logit->argmax;
    if (!finite || job->n_tokens == sample->max_new_tokens || is_stop(sample, logit->argmax)) {
        struct cola_result result = {.outcome = finite ? COLA_OUTCOME_SCORED : COLA_OUTCOME_NON_FINITE,
                                     .token = job->token,
                                     .n_tokens = job->n_tokens,
                                     .argmax = -1};
        return cola_score_finish(e, job, &result, done, user);
    }
    cola_arena_give_back(e, job, 1);
    job->at = 0;
    job->waiting_since = e->step;
    e->counters.layers_asked += job->n_layers;
    e->counters.row_layers_asked += job->n_layers;
    return cola_arena_embed(e, job, &job->token[job->n_tokens - 1]);
}

/* generate.c - greedy generation: after the prompt's pass each token is one more pass of one row through the
 * whole chain, which attends to the keys stored under each chain position and stores its own. Keys in
 * ascending position, none that is not attended to: so a pass gives the bytes that recomputing the whole
 * sequence would give (docs/numerics.md). */
#include <math.h>
#include <stdlib.h>

#include "cola/memory.h"
#include "engine/state.h"

enum cola_status cola_generate_begin(struct cola_engine *e, struct job *job)
{
    size_t width = (size_t)e->config->n_kv_heads * e->config->head_size;
    job->n_cached =
        job->sample->n_prompt_tokens + job->sample->max_new_tokens - 1; /* nothing follows the last token */
    size_t n = (size_t)job->n_layers * job->n_cached * width;
    COLA_TRY(cola_alloc((void **)&job->token, job->sample->max_new_tokens, sizeof *job->token,
                        "generated tokens"));
    COLA_TRY(e->backend->allocate(e->device, n, "stored keys", &job->cached_k));
    return e->backend->allocate(e->device, n, "stored values", &job->cached_v);
}

void cola_generate_end(struct cola_engine *e, struct job *job)
{
    e->backend->release(e->device, job->cached_k);
    e->backend->release(e->device, job->cached_v);
    free(job->token);
}

enum cola_status cola_generate_store(struct cola_engine *e, const struct job *job, uint32_t first)
{
    size_t width = (size_t)e->config->n_kv_heads * e->config->head_size, n = job->n_rows * width;
    size_t stored = job->n_tokens ? job->sample->n_prompt_tokens + job->n_tokens - 1 : 0;
    size_t at = ((size_t)job->at * job->n_cached + stored) * width;
    COLA_TRY(e->backend->copy(e->device, e->scratch.k + first * width, n, job->cached_k + at));
    return e->backend->copy(e->device, e->scratch.v + first * width, n, job->cached_v + at);
}

struct cola_span cola_generate_span(const struct cola_engine *e, const struct job *job, uint32_t query_row)
{
    size_t at = (size_t)job->at * job->n_cached * e->config->n_kv_heads * e->config->head_size;
    return (struct cola_span){.first_row = query_row,
                              .n_rows = 1,
                              .n_first = job->sample->n_prompt_tokens + job->n_tokens,
                              .tail = {.k = job->cached_k + at, .v = job->cached_v + at}};
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
    cola_engine_release_rows(e, job, 1);
    job->at = 0;
    job->waiting_since = e->step;
    return cola_engine_embed(e, job, &job->token[job->n_tokens - 1]);
}

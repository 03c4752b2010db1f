/* admit.c - requests on their way in: checked against the model when they are submitted, begun, oldest first,
 * as soon as their rows and everything they will store fit in memory. A job that begins takes its hidden rows
 * from the longest shared prefix of its chain, or from the embeddings. */
#include <stdlib.h>
#include <string.h>

#include "cola/clock.h"
#include "cola/memory.h"
#include "engine/state.h"

enum { MAX_TOKENS = 1 << 20 };

/* --- checks ------------------------------------------------------------------------------------------- */

static enum cola_status check_tokens(const struct cola_engine *e, const int32_t *token, uint32_t n,
                                     const char *what)
{
    for (uint32_t i = 0; i < n; i++)
        if (token[i] < 0 || (uint32_t)token[i] >= e->config->n_vocab)
            return cola_fail(COLA_ERR_INPUT, "%s: token %u is %d, the model's vocabulary has 0 .. %u", what,
                             i, token[i], e->config->n_vocab - 1);
    return COLA_OK;
}

/* Candidates of letter and loglik; *n_longest: tokens of the longest, *n_rows grows by what they pack. */
static enum cola_status check_candidates(const struct cola_engine *e, const struct cola_sample *sample,
                                         uint64_t *n_longest, uint64_t *n_rows)
{
    if (sample->n_candidates == 0) return cola_fail(COLA_ERR_INPUT, "nothing to score: no candidate");
    for (uint32_t c = 0; c < sample->n_candidates; c++) {
        uint32_t n = sample->candidate[c].n_tokens;
        if (n == 0) return cola_fail(COLA_ERR_INPUT, "candidate %u: no token", c);
        if (sample->rule == COLA_SCORE_LETTER && n != 1)
            return cola_fail(COLA_ERR_INPUT, "candidate %u: has %u tokens, a letter has one", c, n);
        COLA_TRY(check_tokens(e, sample->candidate[c].token, n, "candidate"));
        if (n > *n_longest) *n_longest = n;
        *n_rows += n - 1;
    }
    return COLA_OK;
}

static enum cola_status check_request(const struct cola_engine *e, const struct cola_request *request)
{
    const struct cola_sample *sample = request->sample;
    uint64_t n_longest = 0, n_rows = sample->n_prompt_tokens;
    COLA_TRY(cola_chain_check(&request->chain, e->config->n_layers));
    if (sample->n_prompt_tokens == 0)
        return cola_fail(COLA_ERR_INPUT, "prompt: empty; at least one token is needed");
    COLA_TRY(check_tokens(e, sample->prompt, sample->n_prompt_tokens, "prompt"));
    if (sample->rule == COLA_SCORE_GENERATE) {
        if (sample->max_new_tokens == 0)
            return cola_fail(COLA_ERR_INPUT, "generate: no new token is asked for");
        COLA_TRY(check_tokens(e, sample->stop_token, sample->n_stop_tokens, "stop"));
        n_longest = sample->max_new_tokens;
    } else {
        COLA_TRY(check_candidates(e, sample, &n_longest, &n_rows));
    }
    /* The last token of a continuation or answer takes no position. */
    uint64_t n_positions = sample->n_prompt_tokens + n_longest - 1;
    if (n_positions > e->config->max_positions)
        return cola_fail(
            COLA_ERR_INPUT, "prompt and answer take %llu positions, the model has %u positions%s",
            (unsigned long long)n_positions, e->config->max_positions,
            e->config->window ? ": its sliding window, beyond which attention would forget" : "");
    if (n_rows > MAX_TOKENS)
        return cola_fail(COLA_ERR_INPUT, "prompt and continuations have %llu tokens, at most %d are taken",
                         (unsigned long long)n_rows, MAX_TOKENS);
    return COLA_OK;
}

/* --- in ----------------------------------------------------------------------------------------------- */

enum cola_status cola_engine_submit(struct cola_engine *e, const struct cola_request *request)
{
    COLA_TRY(check_request(e, request));
    uint32_t i = 0, n_rows = cola_sequence_rows(request->sample);
    while (i < e->max_requests && e->job[i].used) i++;
    if (i == e->max_requests) return cola_fail(COLA_ERR_INPUT, "engine: no room for another request");
    struct job job = {.id = request->id,
                      .number = e->n_submitted,
                      .sample = request->sample,
                      .n_layers = request->chain.n_layers,
                      .n_rows = n_rows,
                      .submitted_s = cola_clock_s(),
                      .used = true};
    struct cola_engine_demand demand = cola_engine_demand(job.sample, job.n_layers);
    COLA_TRY(cola_need_check(e, &demand)); /* one that could never begin, even alone */
    COLA_TRY(cola_alloc((void **)&job.chain, job.n_layers, sizeof *job.chain, "chain"));
    enum cola_status status = cola_alloc((void **)&job.row, n_rows, sizeof *job.row, "rows");
    if (status != COLA_OK) {
        free(job.chain);
        return status;
    }
    memcpy(job.chain, request->chain.layer, job.n_layers * sizeof *job.chain);
    e->job[i] = job;
    e->n_pending++;
    e->n_submitted++;
    e->counters.layers_asked += job.n_layers;
    e->counters.row_layers_asked += (uint64_t)job.n_layers * n_rows;
    return COLA_OK;
}

/* Fills the rows of a job's first pass with the embeddings of the packed tokens. */
static enum cola_status embed_sequence(struct cola_engine *e, const struct job *job)
{
    COLA_TRY(cola_scratch_cover(e, job->n_rows, 1));
    cola_sequence_fill(job->sample, e->scratch.token, NULL);
    return cola_arena_embed(e, job, e->scratch.token);
}

/* What a job stores for generating: promised, so that it can always go on. False: does not fit now. */
static bool promise(struct cola_engine *e, struct job *job)
{
    if (job->sample->rule != COLA_SCORE_GENERATE) return true;
    uint64_t n_bytes = (job->n_layers - job->at) * cola_keys_bytes(e, job->sample->n_prompt_tokens);
    uint64_t tail_bytes = cola_generate_tail_bytes(e, job->n_layers, job->sample->max_new_tokens);
    if (!cola_memory_make_room(e, n_bytes + tail_bytes)) return false;
    job->promised_bytes = n_bytes;
    e->memory.promised_bytes += n_bytes;
    return true;
}

static void withdraw(struct cola_engine *e, struct job *job, uint32_t n_rows)
{
    cola_generate_end(e, job);
    cola_arena_give_back(e, job, 0);
    job->n_rows = n_rows;
    job->at = 0;
}

/* Batch buffers and rotary table for the job's length. */
static enum cola_status cover_length(struct cola_engine *e, const struct job *job, bool *covered)
{
    struct cola_engine_demand demand = cola_engine_demand(job->sample, job->n_layers);
    uint32_t n_positions = cola_need_positions(&demand);
    uint64_t held = cola_scratch_bytes(e, e->scratch.n_rows), wanted = cola_scratch_bytes(e, job->n_rows);
    uint64_t n_bytes = cola_rope_growth(e, n_positions) + (wanted > held ? wanted - held : 0);
    *covered = cola_memory_make_room(e, n_bytes);
    if (!*covered) return COLA_OK;
    COLA_TRY(cola_scratch_cover(e, job->n_rows, 1));
    return cola_rope_cover(e, n_positions);
}

/* Rows, shared prefix, promise; *begun false: memory does not allow it now, the job is as before. */
static enum cola_status begin(struct cola_engine *e, struct job *job, bool *begun)
{
    bool covered, taken, found, generates = job->sample->rule == COLA_SCORE_GENERATE;
    uint32_t n_rows = job->n_rows;
    *begun = false;
    COLA_TRY(cover_length(e, job, &covered));
    if (!covered) return COLA_OK;
    COLA_TRY(cola_arena_take(e, job, &taken));
    if (!taken) return COLA_OK;
    if (generates) COLA_TRY(cola_generate_begin(job));
    COLA_TRY(cola_prefix_take(e, job, &found));
    if (!promise(e, job)) {
        withdraw(e, job, n_rows);
        return COLA_OK;
    }
    if (generates) COLA_TRY(cola_generate_open_tail(e, job));
    if (!found) COLA_TRY(embed_sequence(e, job));
    job->waiting_since = e->step;
    job->begun = *begun = true;
    e->n_begun++;
    return COLA_OK;
}

/* The oldest that does not wait for a state of another. */
static struct job *oldest_waiting(struct cola_engine *e)
{
    struct job *oldest = NULL;
    for (uint32_t i = 0; i < e->max_requests; i++) {
        struct job *job = &e->job[i];
        if (!job->used || job->begun || (oldest && job->number > oldest->number)) continue;
        if (!cola_follow_waits(e, job)) oldest = job;
    }
    return oldest;
}

/* What longer or more requests left behind, so that what a request needs alone does not depend on them. */
static enum cola_status give_back_buffers(struct cola_engine *e)
{
    cola_arena_release(e);
    cola_rope_release(e);
    return cola_scratch_shrink(e);
}

enum cola_status cola_admit(struct cola_engine *e)
{
    for (struct job *next; e->n_begun < e->n_pending && (next = oldest_waiting(e));) {
        bool begun;
        COLA_TRY(begin(e, next, &begun));
        if (!begun && e->n_begun > 0) return COLA_OK;
        if (begun) continue;
        COLA_TRY(give_back_buffers(e));
        COLA_TRY(begin(e, next, &begun));
        if (!begun)
            return cola_fail(COLA_ERR_MEMORY,
                             "a chain of %u layers over %u rows does not fit in memory; give more with "
                             "--memory",
                             next->n_layers, next->n_rows);
    }
    return COLA_OK;
}

void cola_admit_release(struct cola_engine *e, struct job *job)
{
    e->memory.promised_bytes -= job->promised_bytes;
    cola_generate_end(e, job);
    if (job->begun) {
        cola_arena_give_back(e, job, 0);
        e->n_begun--;
    }
    free(job->chain);
    free(job->row);
    *job = (struct job){0};
    e->n_pending--;
}

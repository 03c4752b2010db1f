/* engine.c - requests in, results out: the jobs in flight, their rows in the hidden arena, and the step that
 * moves them one layer on. Which rows go together is plan.c's choice and changes no bit. */
#include <stdlib.h>
#include <string.h>

#include "cola/clock.h"
#include "cola/memory.h"
#include "engine/state.h"

enum { DEFAULT_ROWS = 512, DEFAULT_REQUESTS = 48, MAX_TOKENS = 1 << 20 };

enum cola_status cola_engine_create(const struct cola_model *model, const struct cola_engine_options *options,
                                    struct cola_engine **out)
{
    struct cola_engine *e = NULL;
    enum cola_status status = COLA_OK;
    struct cola_device_options device = {.isa = options->isa ? options->isa : "auto",
                                         .n_threads = options->n_threads};
    COLA_TRY_DONE(cola_alloc((void **)&e, 1, sizeof *e, "engine"));
    e->model = model;
    e->config = cola_model_config(model);
    e->max_rows = options->max_rows ? options->max_rows : DEFAULT_ROWS;
    e->max_requests = options->max_requests ? options->max_requests : DEFAULT_REQUESTS;
    e->prefixes.budget_bytes = options->state_bytes;
    COLA_TRY_DONE(cola_backend_find(options->backend ? options->backend : "auto", &e->backend));
    COLA_TRY_DONE(e->backend->open(&device, &e->device));
    COLA_TRY_DONE(cola_alloc((void **)&e->job, e->max_requests, sizeof *e->job, "jobs"));
    COLA_TRY_DONE(cola_alloc((void **)&e->batch, e->max_requests, sizeof *e->batch, "jobs"));
    COLA_TRY_DONE(
        cola_alloc((void **)&e->layer_rows, e->config->n_layers + 1, sizeof *e->layer_rows, "layers"));
    COLA_TRY_DONE(cola_weights_load(e));
    *out = e;
    return COLA_OK;
done:
    cola_engine_destroy(e);
    return status;
}

void cola_engine_release_rows(struct cola_engine *e, struct job *job, uint32_t n_kept)
{
    while (job->n_rows > n_kept) e->arena.free_row[e->arena.n_free++] = job->row[--job->n_rows];
}

void cola_engine_release_job(struct cola_engine *e, struct job *job)
{
    cola_engine_release_rows(e, job, 0);
    cola_generate_end(e, job);
    free(job->chain);
    free(job->row);
    *job = (struct job){0};
    e->n_pending--;
}

void cola_engine_destroy(struct cola_engine *e)
{
    if (!e) return;
    if (e->device) {
        for (uint32_t i = 0; e->job && i < e->max_requests; i++)
            if (e->job[i].used) cola_engine_release_job(e, &e->job[i]);
        cola_prefix_release(e);
        cola_weights_release(e);
        cola_scratch_release(e);
        e->backend->release(e->device, e->arena.hidden);
        e->backend->release(e->device, e->rope);
        e->backend->close(e->device);
    }
    free(e->arena.free_row);
    free(e->job);
    free(e->batch);
    free(e->layer_rows);
    free(e);
}

/* Makes at least n rows free: a larger arena, the old rows copied to the same places. */
static enum cola_status cover_arena(struct cola_engine *e, uint32_t n)
{
    struct arena *a = &e->arena;
    if (a->n_free >= n) return COLA_OK;
    uint32_t n_rows = a->n_rows + (n > a->n_rows ? n : a->n_rows), width = e->config->n_hidden, *row = NULL;
    float *hidden = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&row, n_rows, sizeof *row, "hidden rows"));
    COLA_TRY_DONE(e->backend->allocate(e->device, (size_t)n_rows * width, "hidden rows", &hidden));
    for (uint32_t i = 0; i < a->n_rows; i++) row[i] = i;
    if (a->n_rows) COLA_TRY_DONE(e->backend->gather(e->device, a->hidden, row, a->n_rows, width, hidden));
    if (a->n_free) memcpy(row, a->free_row, a->n_free * sizeof *row);
    for (uint32_t i = n_rows; i > a->n_rows; i--) row[a->n_free++] = i - 1;
    e->backend->release(e->device, a->hidden);
    free(a->free_row);
    *a = (struct arena){.hidden = hidden, .n_rows = n_rows, .free_row = row, .n_free = a->n_free};
    return COLA_OK;
done:
    e->backend->release(e->device, hidden);
    free(row);
    return status;
}

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

enum cola_status cola_engine_embed(struct cola_engine *e, const struct job *job, const int32_t *token)
{
    struct scratch *s = &e->scratch;
    COLA_TRY(cola_scratch_cover(e, job->n_rows, 1));
    COLA_TRY(e->backend->embed(e->device, e->weights.embedding, token, job->n_rows, s->x));
    return e->backend->scatter(e->device, s->x, job->row, job->n_rows, e->config->n_hidden, e->arena.hidden);
}

/* Fills the rows of a job's first pass with the embeddings of the packed tokens. */
static enum cola_status embed_sequence(struct cola_engine *e, const struct job *job)
{
    uint32_t n_positions = job->n_cached > job->n_rows ? job->n_cached : job->n_rows;
    COLA_TRY(cola_rope_cover(e, n_positions));
    COLA_TRY(cola_scratch_cover(e, job->n_rows, 1));
    cola_sequence_fill(job->sample, e->scratch.token, NULL);
    return cola_engine_embed(e, job, e->scratch.token);
}

enum cola_status cola_engine_submit(struct cola_engine *e, const struct cola_request *request)
{
    COLA_TRY(check_request(e, request));
    uint32_t i = 0, n_rows = cola_sequence_rows(request->sample);
    while (i < e->max_requests && e->job[i].used) i++;
    if (i == e->max_requests) return cola_fail(COLA_ERR_INPUT, "engine: no room for another request");
    struct job job = {.id = request->id,
                      .sample = request->sample,
                      .n_layers = request->chain.n_layers,
                      .n_rows = n_rows,
                      .waiting_since = e->step,
                      .submitted_s = cola_clock_s(),
                      .used = true};
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cover_arena(e, n_rows));
    COLA_TRY_DONE(cola_alloc((void **)&job.chain, job.n_layers, sizeof *job.chain, "chain"));
    COLA_TRY_DONE(cola_alloc((void **)&job.row, n_rows, sizeof *job.row, "rows"));
    memcpy(job.chain, request->chain.layer, job.n_layers * sizeof *job.chain);
    memcpy(job.row, e->arena.free_row + e->arena.n_free - n_rows, n_rows * sizeof *job.row);
    if (request->sample->rule == COLA_SCORE_GENERATE) COLA_TRY_DONE(cola_generate_begin(e, &job));
    bool found = false;
    COLA_TRY_DONE(cola_prefix_take(e, &job, &found));
    if (!found) COLA_TRY_DONE(embed_sequence(e, &job));
    e->arena.n_free -= n_rows;
    e->job[i] = job;
    e->n_pending++;
    e->counters.layers_asked += job.n_layers;
    return COLA_OK;
done:
    cola_generate_end(e, &job);
    free(job.chain);
    free(job.row);
    return status;
}

enum cola_status cola_engine_step(struct cola_engine *e, cola_result_fn *done, void *user)
{
    double start = cola_clock_s();
    uint32_t layer, n_jobs = cola_plan_next(e, &layer);
    if (n_jobs == 0) return COLA_OK;
    e->step++;
    if (layer < e->config->n_layers)
        COLA_TRY(cola_layer_execute(e, layer, n_jobs));
    else
        COLA_TRY(cola_score_execute(e, n_jobs, done, user));
    e->counters.n_steps++;
    e->counters.seconds += cola_clock_s() - start;
    return COLA_OK;
}

uint32_t cola_engine_room(const struct cola_engine *e)
{
    return e->max_requests - e->n_pending;
}
uint32_t cola_engine_n_pending(const struct cola_engine *e)
{
    return e->n_pending;
}

void cola_engine_forget(struct cola_engine *e, uint32_t sample)
{
    cola_prefix_forget(e, sample);
}

void cola_engine_info(const struct cola_engine *e, struct cola_engine_info *out)
{
    *out = (struct cola_engine_info){.backend = e->backend->name, .weight_bytes = e->weights.n_bytes};
    e->backend->describe(e->device, out->device, sizeof out->device);
    memcpy(out->numerics_id, e->backend->numerics_id, strlen(e->backend->numerics_id) + 1);
}

void cola_engine_counters(const struct cola_engine *e, struct cola_engine_counters *out)
{
    *out = e->counters;
}

double cola_engine_measure_peak(struct cola_engine *e, double seconds)
{
    return e->backend->measure_peak ? e->backend->measure_peak(e->device, seconds) : 0;
}

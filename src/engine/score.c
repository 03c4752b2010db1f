/* score.c - the head over all jobs that wait for it, and from its logits the scores of each.
 *
 * letter: the logits of the candidates' tokens after the prompt. loglik: for each candidate the sum over its
 * tokens of logit - logsumexp, in double, ascending, rounded once (docs/numerics.md, "Scores"). generate: the
 * best token, see generate.c. A row whose logsumexp is not finite makes the outcome non-finite: a result,
 * whose scores are all the canonical NaN. */
#include <math.h>
#include <stdlib.h>

#include "cola/clock.h"
#include "cola/exact_math.h"
#include "cola/memory.h"
#include "engine/state.h"

struct head {                  /* the head's inputs and outputs for all jobs of one step */
    uint32_t *row;             /* [n_rows] of the arena */
    struct cola_logits *logit; /* [n_rows] */
    struct cola_pick *pick;    /* [n_picks], rows ascending from job to job */
    float *picked;             /* [n_picks] */
    uint32_t n_rows, n_picks;
};

double cola_logsumexp(const struct cola_logits *logit)
{
    return (double)logit->max + cola_exact_log((double)logit->sum);
}

static uint32_t first_scored(const struct job *job)
{
    return job->n_tokens ? 0 : job->sample->n_prompt_tokens - 1;
}

static uint32_t count_picks(const struct cola_sample *sample)
{
    uint32_t n = 0;
    for (uint32_t c = 0; c < sample->n_candidates && sample->rule != COLA_SCORE_GENERATE; c++)
        n += sample->candidate[c].n_tokens;
    return n;
}

static void free_head(struct head *h)
{
    free(h->row);
    free(h->logit);
    free(h->pick);
    free(h->picked);
}

/* Rows and picks of all jobs: candidates in order, their tokens in order; the first token of each is
 * predicted by the prompt's last row, the others by the rows before them. */
static enum cola_status list_rows(const struct cola_engine *e, uint32_t n_jobs, struct head *h)
{
    for (uint32_t i = 0; i < n_jobs; i++) {
        const struct job *job = &e->job[e->batch[i]];
        h->n_rows += job->n_rows - first_scored(job);
        h->n_picks += count_picks(job->sample);
    }
    COLA_TRY(cola_alloc((void **)&h->row, h->n_rows, sizeof *h->row, "scored rows"));
    COLA_TRY(cola_alloc((void **)&h->logit, h->n_rows, sizeof *h->logit, "scored rows"));
    COLA_TRY(cola_alloc((void **)&h->pick, h->n_picks, sizeof *h->pick, "picked logits"));
    COLA_TRY(cola_alloc((void **)&h->picked, h->n_picks, sizeof *h->picked, "picked logits"));
    uint32_t n = 0, n_picks = 0;
    for (uint32_t i = 0; i < n_jobs; i++) {
        const struct job *job = &e->job[e->batch[i]];
        const struct cola_sample *sample = job->sample;
        uint32_t base = n, next = n + 1;
        for (uint32_t r = first_scored(job); r < job->n_rows; r++) h->row[n++] = job->row[r];
        for (uint32_t c = 0; c < sample->n_candidates && sample->rule != COLA_SCORE_GENERATE; c++)
            for (uint32_t t = 0; t < sample->candidate[c].n_tokens; t++)
                h->pick[n_picks++] =
                    (struct cola_pick){.row = t ? next++ : base, .token = sample->candidate[c].token[t]};
    }
    return COLA_OK;
}

/* The head over rows first .. first+n-1 and the picks in them. */
static enum cola_status run_rows(struct cola_engine *e, struct head *h, uint32_t first, uint32_t n)
{
    const struct cola_model_config *c = e->config;
    struct scratch *s = &e->scratch;
    struct cola_pick *near = NULL;
    float *value = NULL;
    uint32_t n_near = 0;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&near, h->n_picks, sizeof *near, "picked logits"));
    COLA_TRY_DONE(cola_alloc((void **)&value, h->n_picks, sizeof *value, "picked logits"));
    for (uint32_t i = 0; i < h->n_picks; i++)
        if (h->pick[i].row >= first && h->pick[i].row < first + n)
            near[n_near++] = (struct cola_pick){.row = h->pick[i].row - first, .token = h->pick[i].token};
    COLA_TRY_DONE(e->backend->gather(e->device, e->arena.hidden, h->row + first, n, c->n_hidden, s->x));
    COLA_TRY_DONE(
        e->backend->norm(e->device, s->x, e->weights.final_norm, c->norm_eps, n, c->n_hidden, s->y));
    struct cola_product head = {e->weights.head, s->logits};
    COLA_TRY_DONE(e->backend->product(e->device, s->y, n, &head, 1, false));
    e->counters.head_flops += 2.0 * n * c->n_hidden * c->n_vocab;
    e->counters.head_weight_bytes += e->weights.bytes_each * c->n_hidden * c->n_vocab;
    e->counters.n_head_rows += n;
    COLA_TRY_DONE(e->backend->reduce_logits(e->device, s->logits, n, c->n_vocab, h->logit + first, near,
                                            n_near, value));
    for (uint32_t i = 0, at = 0; i < h->n_picks; i++)
        if (h->pick[i].row >= first && h->pick[i].row < first + n) h->picked[i] = value[at++];
done:
    free(near);
    free(value);
    return status;
}

static void fill_scores(const struct cola_sample *sample, const struct head *h, const struct cola_pick *pick,
                        const float *picked, const struct cola_logits *first, float *score,
                        struct cola_result *result)
{
    bool finite = isfinite(cola_logsumexp(first)), letter = sample->rule == COLA_SCORE_LETTER;
    for (uint32_t c = 0; c < sample->n_candidates; c++) {
        double sum = 0;
        for (uint32_t t = 0; t < sample->candidate[c].n_tokens; t++, pick++, picked++) {
            double lse = (double)(float)cola_logsumexp(&h->logit[pick->row]);
            sum += letter ? (double)*picked : (double)*picked - lse;
            finite = finite && isfinite(lse);
        }
        score[c] = (float)sum;
        finite = finite && isfinite(score[c]);
    }
    for (uint32_t c = 0; !finite && c < sample->n_candidates; c++) score[c] = NAN;
    result->outcome = finite ? COLA_OUTCOME_SCORED : COLA_OUTCOME_NON_FINITE;
    result->score = score;
    result->n_scores = sample->n_candidates;
    result->logsumexp = !letter ? 0.0f : finite ? (float)cola_logsumexp(first) : NAN;
    result->argmax = letter && finite ? first->argmax : -1;
}

enum cola_status cola_score_finish(struct cola_engine *e, struct job *job, struct cola_result *result,
                                   cola_result_fn *done, void *user)
{
    result->id = job->id;
    result->cost = (struct cola_cost){.layers_asked = job->n_layers,
                                      .layers_executed = job->layers_executed,
                                      .row_layers = job->row_layers,
                                      .seconds = (float)(cola_clock_s() - job->submitted_s)};
    COLA_TRY(done(user, result));
    cola_admit_release(e, job);
    return COLA_OK;
}

static enum cola_status hand_out(struct cola_engine *e, uint32_t n_jobs, const struct head *h,
                                 cola_result_fn *done, void *user)
{
    const struct cola_pick *pick = h->pick;
    const float *picked = h->picked;
    const struct cola_logits *logit = h->logit;
    for (uint32_t i = 0; i < n_jobs; i++) {
        struct job *job = &e->job[e->batch[i]];
        const struct cola_sample *sample = job->sample;
        uint32_t n_rows = job->n_rows - first_scored(job), n_picks = count_picks(sample);
        if (job->token) {
            COLA_TRY(cola_generate_advance(e, job, logit, done, user));
        } else {
            struct cola_result result = {0};
            float *score = NULL;
            COLA_TRY(cola_alloc((void **)&score, sample->n_candidates, sizeof *score, "scores"));
            fill_scores(sample, h, pick, picked, logit, score, &result);
            enum cola_status status = cola_score_finish(e, job, &result, done, user);
            free(score);
            COLA_TRY(status);
        }
        logit += n_rows;
        pick += n_picks;
        picked += n_picks;
    }
    return COLA_OK;
}

enum cola_status cola_score_execute(struct cola_engine *e, uint32_t n_jobs, cola_result_fn *done, void *user)
{
    struct head h = {0};
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_scratch_cover(e, COLA_HEAD_ROWS, 1));
    COLA_TRY_DONE(list_rows(e, n_jobs, &h));
    cola_phase_enter(e, COLA_PHASE_HEAD);
    for (uint32_t first = 0; first < h.n_rows; first += COLA_HEAD_ROWS) {
        uint32_t n = h.n_rows - first < COLA_HEAD_ROWS ? h.n_rows - first : COLA_HEAD_ROWS;
        COLA_TRY_DONE(run_rows(e, &h, first, n));
    }
    cola_phase_enter(e, COLA_PHASE_OTHER);
    COLA_TRY_DONE(hand_out(e, n_jobs, &h, done, user));
done:
    free_head(&h);
    return status;
}

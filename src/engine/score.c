/* score.c - from the scored rows of a finished job to its result: final norm, head, and the score rule.
 *
 * letter: the logits of the candidates' tokens after the prompt. loglik: for each candidate the sum over its
 * tokens of logit - logsumexp, in double, ascending, rounded once (docs/numerics.md, "Scores"). A row whose
 * logsumexp is not finite makes the outcome non-finite: a result, whose scores are all the canonical NaN. */
#include <math.h>
#include <stdlib.h>

#include "cola/clock.h"
#include "cola/exact_math.h"
#include "cola/memory.h"
#include "engine/state.h"

/* Every logit that the rule reads, in the order of candidates and their tokens. row counts from the first
 * scored one. */
static uint32_t list_picks(const struct cola_sample *sample, struct cola_pick *pick)
{
    uint32_t n = 0, next_row = 1;
    for (uint32_t c = 0; c < sample->n_candidates; c++)
        for (uint32_t t = 0; t < sample->candidate[c].n_tokens; t++)
            pick[n++] =
                (struct cola_pick){.row = t == 0 ? 0 : next_row++, .token = sample->candidate[c].token[t]};
    return n;
}

static uint32_t count_picks(const struct cola_sample *sample)
{
    uint32_t n = 0;
    for (uint32_t c = 0; c < sample->n_candidates; c++) n += sample->candidate[c].n_tokens;
    return n;
}

/* Head over rows [n_rows] of the arena, COLA_HEAD_ROWS at a time; picks are read where their row is at hand.
 */
static enum cola_status run_head(struct cola_engine *e, const uint32_t *row, uint32_t n_rows,
                                 struct cola_logits *logit, const struct cola_pick *pick, uint32_t n_picks,
                                 float *picked)
{
    const struct cola_model_config *c = e->config;
    struct scratch *s = &e->scratch;
    struct cola_pick *near = NULL;
    float *value = NULL;
    uint32_t *which = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&near, n_picks, sizeof *near, "picked logits"));
    COLA_TRY_DONE(cola_alloc((void **)&value, n_picks, sizeof *value, "picked logits"));
    COLA_TRY_DONE(cola_alloc((void **)&which, n_picks, sizeof *which, "picked logits"));
    for (uint32_t first = 0; first < n_rows; first += COLA_HEAD_ROWS) {
        uint32_t n = n_rows - first < COLA_HEAD_ROWS ? n_rows - first : COLA_HEAD_ROWS, n_near = 0;
        for (uint32_t i = 0; i < n_picks; i++)
            if (pick[i].row >= first && pick[i].row < first + n) {
                which[n_near] = i;
                near[n_near++] = (struct cola_pick){.row = pick[i].row - first, .token = pick[i].token};
            }
        COLA_TRY_DONE(e->backend->gather(e->device, e->arena.hidden, row + first, n, c->n_hidden, s->x));
        COLA_TRY_DONE(
            e->backend->norm(e->device, s->x, e->weights.final_norm, c->norm_eps, n, c->n_hidden, s->y));
        COLA_TRY_DONE(
            cola_engine_product(e, s->y, e->weights.head, n, c->n_hidden, c->n_vocab, false, s->logits));
        COLA_TRY_DONE(e->backend->reduce_logits(e->device, s->logits, n, c->n_vocab, logit + first, near,
                                                n_near, value));
        for (uint32_t i = 0; i < n_near; i++) picked[which[i]] = value[i];
    }
done:
    free(near);
    free(value);
    free(which);
    return status;
}

static double logsumexp(const struct cola_logits *logit)
{
    return (double)logit->max + cola_exact_log((double)logit->sum);
}

static void fill_scores(const struct cola_sample *sample, const struct cola_logits *logit,
                        const struct cola_pick *pick, const float *picked, float *score,
                        struct cola_result *result)
{
    uint32_t at = 0;
    bool finite = isfinite(logsumexp(&logit[0]));
    for (uint32_t c = 0; c < sample->n_candidates; c++) {
        double sum = 0;
        for (uint32_t t = 0; t < sample->candidate[c].n_tokens; t++, at++) {
            double lse = (double)(float)logsumexp(&logit[pick[at].row]);
            sum += sample->rule == COLA_SCORE_LOGLIK ? (double)picked[at] - lse : (double)picked[at];
            finite = finite && isfinite(lse);
        }
        score[c] = (float)sum;
        finite = finite && isfinite(score[c]);
    }
    for (uint32_t c = 0; !finite && c < sample->n_candidates; c++) score[c] = NAN;
    result->outcome = finite ? COLA_OUTCOME_SCORED : COLA_OUTCOME_NON_FINITE;
    result->score = score;
    result->n_scores = sample->n_candidates;
    bool letter = sample->rule == COLA_SCORE_LETTER;
    result->logsumexp = !letter ? 0.0f : finite ? (float)logsumexp(&logit[0]) : NAN;
    result->argmax = letter && finite ? logit[0].argmax : -1;
}

enum cola_status cola_score_job(struct cola_engine *e, struct job *job, cola_result_fn *done, void *user)
{
    const struct cola_sample *sample = job->sample;
    uint32_t n_picks = count_picks(sample), first = sample->n_prompt_tokens - 1, n_rows = job->n_rows - first;
    struct cola_pick *pick = NULL;
    struct cola_logits *logit = NULL;
    float *picked = NULL, *score = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_scratch_cover(e, COLA_HEAD_ROWS, 1));
    COLA_TRY_DONE(cola_alloc((void **)&pick, n_picks, sizeof *pick, "picked logits"));
    COLA_TRY_DONE(cola_alloc((void **)&picked, n_picks, sizeof *picked, "picked logits"));
    COLA_TRY_DONE(cola_alloc((void **)&logit, n_rows, sizeof *logit, "logits"));
    COLA_TRY_DONE(cola_alloc((void **)&score, sample->n_candidates, sizeof *score, "scores"));
    list_picks(sample, pick);
    COLA_TRY_DONE(run_head(e, job->row + first, n_rows, logit, pick, n_picks, picked));
    struct cola_result result = {.id = job->id};
    fill_scores(sample, logit, pick, picked, score, &result);
    result.cost = (struct cola_cost){.layers_asked = job->n_layers,
                                     .layers_executed = job->n_layers,
                                     .seconds = (float)(cola_clock_s() - job->submitted_s)};
    COLA_TRY_DONE(done(user, &result));
done:
    free(pick);
    free(picked);
    free(logit);
    free(score);
    return status;
}

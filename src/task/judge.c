/* judge.c - from scores to a prediction and a reward, and the wrong answer that a control asks for. Pure
 * functions: no files, no model. An answer is never made right by a failure: whatever is not finite predicts
 * nothing. */
#include <math.h>
#include <stddef.h>

#include "cola/random.h"
#include "cola/task.h"

const char *const cola_score_rule_name[COLA_N_SCORE_RULES] = {"letter", "loglik", "generate"};

/* In double: a float quotient could tie two candidates whose exact quotients differ. */
static double value_of(const struct cola_sample *sample, enum cola_metric metric,
                       const struct cola_result *result, uint32_t candidate)
{
    double score = (double)result->score[candidate];
    if (metric != COLA_METRIC_ACC_NORM || sample->rule != COLA_SCORE_LOGLIK) return score;
    if (!sample->candidate_bytes || !sample->candidate_bytes[candidate]) return NAN;
    return score / (double)sample->candidate_bytes[candidate];
}

static int32_t predict(const struct cola_sample *sample, enum cola_metric metric,
                       const struct cola_result *result)
{
    double best = 0;
    int32_t prediction = -1;
    if (sample->rule == COLA_SCORE_GENERATE || result->outcome != COLA_OUTCOME_SCORED ||
        result->n_scores != sample->n_candidates)
        return -1;
    for (uint32_t i = 0; i < sample->n_candidates; i++) {
        double value = value_of(sample, metric, result, i);
        if (!isfinite(value)) return -1;
        if (prediction < 0 || value > best) {
            best = value;
            prediction = (int32_t)i;
        }
    }
    return prediction;
}

struct cola_verdict cola_judge(const struct cola_sample *sample, enum cola_metric metric, int32_t target,
                               const struct cola_result *result)
{
    struct cola_verdict verdict = {.prediction = predict(sample, metric, result)};
    verdict.reward = verdict.prediction >= 0 && verdict.prediction == target ? 1 : 0;
    return verdict;
}

int32_t cola_control_target(const struct cola_sample *sample, uint64_t seed)
{
    if (sample->n_candidates < 2 || sample->gold < 0 || (uint32_t)sample->gold >= sample->n_candidates)
        return -1;
    struct cola_random random = cola_random_keyed(seed, sample->index, COLA_STREAM_CONTROL);
    int32_t other = (int32_t)cola_random_below(&random, sample->n_candidates - 1);
    return other + (other >= sample->gold);
}

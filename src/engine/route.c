/* route.c - routing of one row: softmax over all experts, the n_active most likely, their weights. Some
 * hundred operations a row, so plain C serves ref and cpu alike; parity with transformers is the oracle. */
#include "engine/route.h"

#include <stdbool.h>

#include "engine/numerics.h"

float cola_sigmoid(float x)
{
    return 1.0f / (1.0f + cola_exp(-x));
}

/* The most likely expert that is not taken yet; of equals the lower number. Where a probability is not a
 * number, the first one left, so that a row always has n_active experts. */
static uint32_t best_of(const float *logit, const struct cola_experts *x, const uint32_t *taken,
                        uint32_t n_taken)
{
    uint32_t best = x->n_experts;
    for (uint32_t e = 0; e < x->n_experts; e++) {
        bool is_taken = false;
        for (uint32_t i = 0; i < n_taken; i++) is_taken = is_taken || taken[i] == e;
        if (!is_taken && (best == x->n_experts || logit[e] > logit[best])) best = e;
    }
    return best;
}

static void sort_by_number(uint32_t *expert, float *weight, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t j = i; j > 0 && expert[j - 1] > expert[j]; j--) {
            uint32_t e = expert[j];
            float w = weight[j];
            expert[j] = expert[j - 1], weight[j] = weight[j - 1];
            expert[j - 1] = e, weight[j - 1] = w;
        }
}

void cola_route(const float *logit, const struct cola_experts *x, uint32_t *expert, float *weight)
{
    float max = -INFINITY, lane[COLA_LANES] = {0}, total = 0;
    for (uint32_t e = 0; e < x->n_experts; e++) max = logit[e] > max ? logit[e] : max;
    for (uint32_t e = 0; e < x->n_experts; e++)
        lane[e % COLA_LANES] = lane[e % COLA_LANES] + cola_exp(logit[e] - max);
    float sum = cola_lane_sum(lane);
    for (uint32_t i = 0; i < x->n_active;
         i++) { /* by logit: the order of the probabilities, without their ties */
        expert[i] = best_of(logit, x, expert, i);
        weight[i] = cola_exp(logit[expert[i]] - max) / sum;
        total = total + weight[i];
    }
    for (uint32_t i = 0; i < x->n_active && x->normalise; i++) weight[i] = weight[i] / total;
    sort_by_number(expert, weight, x->n_active);
}

/* synthetic.h - an evaluator without a model: scores and times as functions of (options, sample, chain).
 *
 *     struct cola_synthetic s = {.seed = 0, .n_layers = 32, .optima = 0.3, .latency_s = 0.01};
 *     bool right = cola_synthetic_is_right(&s, sample, &chain);        the whole landscape, point by point
 *     cola_synthetic_score(&s, sample, &chain, gold, n_candidates, score);
 *     double s = cola_synthetic_latency(&s, sample, &chain);
 *     if (cola_synthetic_optimum(&s, sample, room, &planted)) ...      the chain that is right by design
 *
 * For tests and measurements of everything but the engine: thousands of evaluations a second, answers known
 * beforehand. docs/search.md, "Without a model", defines the landscape; a change to it changes
 * COLA_SYNTHETIC_NUMERICS. Plain functions, no state, any thread. */
#ifndef COLA_SYNTHETIC_H
#define COLA_SYNTHETIC_H

#include <stdbool.h>
#include <stdint.h>

#include "cola/chain.h"
#include "cola/hash.h"

#define COLA_SYNTHETIC_NUMERICS "synthetic-1"

struct cola_synthetic {
    uint64_t seed;
    uint32_t n_layers; /* of the model that is not there: 1 .. COLA_LAYERS_MAX */
    double optima;     /* share of the samples with a planted chain, 0 .. 1 */
    double latency_s;  /* mean time of an evaluation; 0: at once. Decides no result */
    double spread;     /* its standard deviation, as a multiple of the mean; 0: all take the mean */
};

/* Whether the chain's best candidate is the right one. */
bool cola_synthetic_is_right(const struct cola_synthetic *s, uint32_t sample, const struct cola_chain *chain);

/* The planted chain of the sample, 1 to 3 edits (skips or repeats of one or two positions) from the base,
 * into room[COLA_CHAIN_MAX(n_layers)]; false: the sample has none. */
bool cola_synthetic_optimum(const struct cola_synthetic *s, uint32_t sample, cola_layer *room,
                            struct cola_chain *out);

/* score[n_candidates], all finite and negative, one of them alone the largest: candidate `gold` if the chain
 * is right, another one (where there is one) if not. gold < n_candidates; returns the largest's index. */
uint32_t cola_synthetic_score(const struct cola_synthetic *s, uint32_t sample, const struct cola_chain *chain,
                              uint32_t gold, uint32_t n_candidates, float *score);

/* Seconds from submit to result: log-normal with the options' mean and deviation. */
double cola_synthetic_latency(const struct cola_synthetic *s, uint32_t sample,
                              const struct cola_chain *chain);

/* "synthetic:" and a hash of all that decides a result: stands where a model's fingerprint does. */
void cola_synthetic_fingerprint(const struct cola_synthetic *s, char text[COLA_HASH_TEXT]);

#endif

/* goldens.h - the reference cases of a tiny model (made with Hugging Face transformers in float32, eager
 * attention) and a way to run them all through an engine. Used by the parity and the planted-error tests. */
#ifndef COLA_TESTS_PARITY_GOLDENS_H
#define COLA_TESTS_PARITY_GOLDENS_H

#include <stddef.h>
#include <stdint.h>

#include "cola/engine.h"

struct golden_case {
    struct cola_chain chain;
    struct cola_sample next;     /* letter rule over the whole vocabulary: all logits of the last token */
    struct cola_sample loglik;   /* the prompt's continuations */
    const float *logits;         /* [V] expected */
    const double *logprob;       /* [n continuations] expected */
    struct cola_sample generate; /* greedy tokens after the prompt; rule 0 where there is no reference */
    const int32_t *greedy;       /* [n_greedy] expected, stop token included; NULL: no reference */
    const double *greedy_gap;    /* [n_greedy] best logit minus second */
    uint32_t n_greedy;
};

struct goldens; /* owns everything that a case points to */

/* name: a directory under tests/data/models. Fails the running test on any trouble. */
struct goldens *goldens_open(const char *name);
void goldens_close(struct goldens *g);
const struct cola_model *goldens_model(const struct goldens *g);
size_t goldens_n_cases(const struct goldens *g);
const struct golden_case *goldens_case(const struct goldens *g, size_t i);

/* Floats that one run of all cases gives: per case V logits, the logsumexp, then the continuations' sums. */
size_t goldens_n_values(const struct goldens *g);

enum goldens_order { GOLDENS_TOGETHER, GOLDENS_ALONE, GOLDENS_SHUFFLED };

/* All cases through the engine; value[goldens_n_values]. */
void goldens_run(const struct goldens *g, struct cola_engine *engine, enum goldens_order order, float *value);

/* Largest differences of a run from the expected values. */
struct goldens_distance {
    double logit, logprob;
};
struct goldens_distance goldens_compare(const struct goldens *g, const float *value);

/* Greedy tokens of every case that has a reference: equal up to the first place where the reference's gap
 * between the two best logits is below `gap`, where either may win. Returns the number of tokens compared. */
size_t goldens_check_greedy(const struct goldens *g, struct cola_engine *engine, double gap);

/* The bounds that the contract sets for tiny models: logits, log-probability sums. Transformers' own eager
 * f32 differs from a float64 forward by up to 2e-5 here; wrong arithmetic is off by 1e-2 and more
 * (test_planted_errors.c). */
#define GOLDENS_LOGIT_BOUND   1e-4
#define GOLDENS_LOGPROB_BOUND 2e-4
#define GOLDENS_EXPERT_BOUND  2e-4 /* logits, models with experts */
#define GOLDENS_GREEDY_GAP    1e-3

#endif

/* random.h - random numbers keyed by (seed, sample, draw): a function, not a state.
 *
 *     struct cola_random r = cola_random_keyed(seed, sample, COLA_STREAM_SEARCH);
 *     double u = cola_random_uniform(&r);            draw 0; the next call gives draw 1
 *
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): key = seed, counter
 * = (draw, sample, stream). No rank, time or address enters, so a sample's numbers are the same everywhere.
 */
#ifndef COLA_RANDOM_H
#define COLA_RANDOM_H

#include <stdint.h>

enum cola_stream {                              /* independent uses of one (seed, sample) */
                   COLA_STREAM_SEARCH = 1,      /* the draws of a search policy, in order */
                   COLA_STREAM_CONTROL = 2,     /* the wrong answer that the control asks for */
                   COLA_STREAM_PERMUTATION = 3, /* keys of the edit permutations, draw = node */
                   COLA_STREAM_SYNTHETIC = 4,   /* the synthetic evaluator's landscape */
                   COLA_STREAM_BENCH = 5        /* tokens and chains that a measurement draws */
};

struct cola_random {
    uint64_t seed, sample, draw; /* draw: index of the next number; may be set back to replay */
    uint32_t stream;
};

struct cola_random cola_random_keyed(uint64_t seed, uint64_t sample, enum cola_stream stream);

/* 64 uniform bits of draw r->draw; r->draw + 1 afterwards. */
uint64_t cola_random_bits(struct cola_random *r);

/* Uniform in [0, 1): the upper 53 bits of a draw times 2^-53. */
double cola_random_uniform(struct cola_random *r);

/* Uniform in 0 .. n-1, n >= 1, without bias (Lemire's multiply, rejecting; may take several draws). */
uint64_t cola_random_below(struct cola_random *r, uint64_t n);

/* One Philox4x32-10 block; exposed for its known-answer test. */
void cola_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif

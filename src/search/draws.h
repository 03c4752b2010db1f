/* draws.h - the one place where the policies get chance from.
 *
 *     double u = cola_draws_uniform(&search->draws);                   random() of published code
 *     uint32_t i = cola_draws_choice(&search->draws, n);               choice(seq)
 *     cola_draws_shuffle(&search->draws, action, n_actions);           shuffle(list)
 *
 * Keyed random numbers (cola/random.h) by default; or a list of uniforms that published code drew, so that a
 * recorded run of it replays draw by draw through the same policy. A list that runs out gives zeros and sets
 * ran_out; ask_tell.c then ends the search as failed. */
#ifndef COLA_SEARCH_DRAWS_H
#define COLA_SEARCH_DRAWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/chain.h"
#include "cola/random.h"

struct cola_draws {
    struct cola_random keyed; /* its draw counter is the only state of chance */
    bool injected;            /* the numbers come from the list below */
    const double *list;       /* [n_list] each in [0, 1), borrowed */
    size_t n_list, n_used;
    bool ran_out;
};

struct cola_draws cola_draws_keyed(uint64_t seed, uint64_t sample, enum cola_stream stream);

/* In [0, 1); keyed: the upper 53 bits of a draw times 2^-53. One draw. */
double cola_draws_uniform(struct cola_draws *draws);

/* floor(u n) of one uniform u, for 1 <= n <= 2^32 - 1: less than n. One draw. */
uint32_t cola_draws_choice(struct cola_draws *draws, uint32_t n);

/* For i = n-1 .. 1: swap item i with item choice(i + 1). n - 1 draws (none for n = 0). */
void cola_draws_shuffle(struct cola_draws *draws, struct cola_edit *item, uint32_t n);

#endif

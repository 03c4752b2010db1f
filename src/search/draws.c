/* draws.c - uniforms, keyed or from a list, and what published code makes of them: choice and shuffle as in
 * Python's documentation of the traces (docs/search.md, "Draws of published code"). */
#include "search/draws.h"

#include <assert.h>

struct cola_draws cola_draws_keyed(uint64_t seed, uint64_t sample, enum cola_stream stream)
{
    return (struct cola_draws){.keyed = cola_random_keyed(seed, sample, stream)};
}

double cola_draws_uniform(struct cola_draws *draws)
{
    if (!draws->injected) return cola_random_uniform(&draws->keyed);
    if (draws->n_used == draws->n_list) {
        draws->ran_out = true;
        return 0;
    }
    return draws->list[draws->n_used++];
}

/* The product cannot round up to n: u <= 1 - 2^-53, and n - n 2^-53 is nearer to the double below n. */
uint32_t cola_draws_choice(struct cola_draws *draws, uint32_t n)
{
    uint32_t i = (uint32_t)(cola_draws_uniform(draws) * n);
    assert(i < n);
    return i;
}

void cola_draws_shuffle(struct cola_draws *draws, struct cola_edit *item, uint32_t n)
{
    for (uint32_t i = n; i-- > 1;) {
        uint32_t j = cola_draws_choice(draws, i + 1);
        struct cola_edit kept = item[i];
        item[i] = item[j];
        item[j] = kept;
    }
}

/* landscape.h - synthetic rewards for search tests: functions of the chain alone, in place of a model. */
#ifndef COLA_TEST_LANDSCAPE_H
#define COLA_TEST_LANDSCAPE_H

#include "cola/chain.h"
#include "cola/hash.h"
#include "cola/search.h"

enum landscape { RARE, HALF, NEVER, ALWAYS, GRADED, SHORT, N_LANDSCAPES };

static inline double landscape_hash(const struct cola_chain *chain)
{
    return (double)(cola_hash64(chain->layer, chain->n_layers * sizeof *chain->layer) >> 11) * 0x1p-53;
}

static inline struct cola_verdict landscape_judge(enum landscape landscape, const struct cola_chain *chain,
                                                  uint32_t L)
{
    double u = landscape_hash(chain);
    float reward = 0;
    switch (landscape) {
    case RARE: reward = u < 0.1; break;
    case HALF: reward = u < 0.5; break;
    case NEVER: reward = 0; break;
    case ALWAYS: reward = 1; break;
    case GRADED: reward = (float)u; break;
    case SHORT: reward = chain->n_layers <= L && u < 0.6; break;
    default: break;
    }
    return (struct cola_verdict){.prediction = (int32_t)(u * 4), .reward = reward};
}

/* Runs a search to its end. */
static inline void landscape_run(struct cola_search *search, enum landscape landscape, uint32_t L)
{
    uint32_t ticket;
    struct cola_chain chain;
    while (cola_search_ask(search, &ticket, &chain) == COLA_ASK_CHAIN) {
        struct cola_verdict verdict = landscape_judge(landscape, &chain, L);
        cola_search_tell(search, ticket, &verdict);
    }
}

#endif

/* cross_flow.h - which evaluation of a table goes to a worker next: where a search's master asks its trees,
 * the master of `cola cross` asks this.
 *
 *     struct cola_flow flow = {.n_samples = n, .n_chains = c, .n_workers = w, .window = 64, .known = known,
 *                              .n_left = n_left, .user = record};
 *     COLA_TRY(cola_flow_init(&flow));
 *     if (cola_flow_next(&flow, rank, &sample, &chain)) ... send it
 *     cola_flow_answered(&flow, sample);                  the answer is here and known
 *     cola_flow_fini(&flow);
 *
 * Samples begin in ascending order, within a window. A sample's chains go in the order of the set, which is
 * depth first over the trie of chains: the states that the next chain begins with were left by the one
 * before, on the same worker. A worker has few chains of a sample out at once and several samples, so that
 * its batches are not all waiting for one shared beginning. Decides no outcome. Knows no messages and no
 * files. */
#ifndef COLA_CLUSTER_CROSS_FLOW_H
#define COLA_CLUSTER_CROSS_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "cola/status.h"

enum { COLA_FLOW_AT_ONCE = 4 }; /* chains of a sample at its worker, while there are other samples */

struct cola_flow_sample { /* begun and not done */
    uint32_t sample, owner, next_chain, n_unsent, n_out;
};

struct cola_flow {
    uint32_t n_samples, n_chains, n_workers, window;
    bool (*known)(void *user, uint32_t sample, uint32_t chain);
    uint32_t (*n_left)(void *user, uint32_t sample);
    void *user;

    struct cola_flow_sample *active; /* [n_active], ascending by sample; room: window */
    uint32_t n_active, next_begin, first_open;
    uint32_t *helps; /* [n_workers + 1] the sample of another worker that it took last */
};

enum cola_status cola_flow_init(struct cola_flow *flow);
void cola_flow_fini(struct cola_flow *flow);
/* false: nothing is left that is not out. worker: 1 .. n_workers. */
bool cola_flow_next(struct cola_flow *flow, uint32_t worker, uint32_t *sample, uint32_t *chain);
/* An evaluation that next gave is known now. */
void cola_flow_answered(struct cola_flow *flow, uint32_t sample);
/* Every sample is done. */
bool cola_flow_done(struct cola_flow *flow);

#endif

/* workers.h - a search over many workers in simulated time: one master, n workers, the real searches of
 * src/search (so guesses ahead are right as often as they would be), and no model.
 *
 *     struct workers_options options = {.search = .., .n_workers = 64, .evaluate = landscape_evaluate, ..};
 *     struct workers_outcome outcome;
 *     COLA_TRY(workers_simulate(&options, &outcome));
 *     outcome.n_nodes / outcome.makespan_s                     evaluations/s that ended in trees
 *
 * What is simulated, as src/cluster does it: samples begin while a worker has credit and nothing waits to be
 * sent; a request goes to its sample's owner unless another worker has less than half as much to do; a
 * request that became useless before it was sent is taken back; results come back one by one. The master is
 * one serial resource: every evaluation takes half of master_s of it to be sent and half when its result
 * comes.
 *
 * What is not: states that a moved sample makes again, batches whose speed depends on their size, commits and
 * folds other than as a part of master_s. A function of its options; no clock, no MPI. */
#ifndef COLA_TOOLS_WORKERS_H
#define COLA_TOOLS_WORKERS_H

#include <stdint.h>

#include "cola/search.h"
#include "cola/status.h"

/* What an evaluation gives and takes; functions of the sample and the chain alone. */
struct workers_evaluation {
    float reward; /* 0 or 1 */
    double latency_s;
};
typedef struct workers_evaluation workers_evaluate_fn(const void *user, uint32_t sample,
                                                      const struct cola_chain *chain);

struct workers_options {
    struct cola_search_options search; /* speculate: W */
    uint32_t n_model_layers;
    uint32_t n_samples, n_workers; /* at least 1 each */
    uint32_t parallel;             /* evaluations that a worker makes at once, at least 1 */
    uint32_t credit;               /* requests that a worker has at most, those that wait there included */
    double message_s;              /* one way, the receiver's sleep included */
    double master_s;               /* of the master, for one evaluation */
    workers_evaluate_fn *evaluate;
    const void *evaluate_user; /* borrowed */
};

struct workers_outcome {
    double makespan_s;          /* until the last sample's search ended */
    uint64_t n_nodes;           /* chains in trees: the useful evaluations */
    uint64_t n_like_parent;     /* of them, with their parent's reward (the base: with 0): what is guessed */
    uint64_t n_sent, n_results; /* requests sent, results taken */
    uint64_t n_dropped;         /* taken back before they were sent */
    uint64_t n_moves;           /* requests that went to another worker than their sample's last one */
    uint32_t most_out;          /* requests out at one worker at any time */
    uint32_t most_running;      /* evaluations at one worker at any time */
    double evaluating_s;        /* summed over all evaluations */
    double master_busy_s;
};

/* COLA_ERR_USAGE: what cola_search_create refuses. COLA_ERR_MEMORY. */
enum cola_status workers_simulate(const struct workers_options *options, struct workers_outcome *outcome);

/* The credit that a worker with room for `parallel` evaluations asks for (src/cluster/worker.c). */
uint32_t workers_credit(uint32_t parallel);

#endif

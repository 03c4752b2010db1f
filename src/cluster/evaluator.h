/* evaluator.h - what a worker asks for results: one table of functions, filled by
 *
 *     evaluator_engine.c       a model and its engine (cola/engine.h)
 *     evaluator_synthetic.c    a landscape that is computed, or a recording; results at times of their own
 *
 * Requests in, results out one by one, as of engine.h. One thread. */
#ifndef COLA_CLUSTER_EVALUATOR_H
#define COLA_CLUSTER_EVALUATOR_H

#include "cluster/message.h"
#include "cola/cluster.h"

struct cola_evaluator;

struct cola_evaluator_ops {
    uint32_t (*room)(const struct cola_evaluator *e);      /* requests it can take now */
    uint32_t (*n_pending)(const struct cola_evaluator *e); /* submitted, no result yet */
    /* Seconds until step can give a result; 0: step has something to do now. Only while n_pending > 0. */
    double (*wait_s)(const struct cola_evaluator *e);
    enum cola_status (*submit)(struct cola_evaluator *e, const struct cola_request *request);
    enum cola_status (*step)(struct cola_evaluator *e, cola_result_fn *done, void *user);
    void (*forget)(struct cola_evaluator *e, uint32_t sample);
    /* Bytes held so far at most, and of them by shared states at most; 0: not known. */
    void (*memory)(const struct cola_evaluator *e, uint64_t *memory_bytes, uint64_t *state_bytes);
    void (*destroy)(struct cola_evaluator *e);
};

struct cola_evaluator { /* embedded first in each implementation's struct */
    const struct cola_evaluator_ops *ops;
    uint32_t n_layers;
};

/* Fill *out and, of `hello`, what is the evaluator's: all but program, host, credit and load_s. `comm` and
 * `start` say which workers may share weights. */
enum cola_status cola_evaluator_open_engine(const struct cola_worker_options *options, struct cola_comm *comm,
                                            const struct cola_start *start, struct cola_hello *hello,
                                            struct cola_evaluator **out);
enum cola_status cola_evaluator_open_synthetic(const struct cola_worker_options *options,
                                               struct cola_hello *hello, struct cola_evaluator **out);

#endif

/* plan.h - the parts of `cola plan`: what a search asks for (plan_work), how fast this machine does some of
 * it (plan_measure), and both as text or JSON (plan_print). */
#ifndef COLA_CLI_PLAN_H
#define COLA_CLI_PLAN_H

#include "cli/search_setup.h"

struct plan_work { /* of all rows that are asked for; chains counted as long as the model */
    uint32_t n_samples, n_layers;
    uint32_t simulations;   /* of a sample at most */
    double evaluations;     /* at most: one a simulation, and the base chain where it is none */
    double rows, head_rows; /* of one evaluation, mean over the samples; with all tokens of an answer */
    double row_layer_flops, head_row_flops; /* mean over the layers; products only */
    double row_layers, flops;               /* of all evaluations, nothing shared */
    double shared; /* share of the edited chains' row-layers that is left out: assumed, or measured */
    bool shared_is_measured;
    double journal_bytes, run_bytes;
};

struct plan_measured {
    double seconds;            /* of evaluating; 0: not measured */
    uint64_t n_done, n_edited; /* evaluations that ended; of them, of edited chains */
    double row_layers_s;       /* executed a second */
    double shared;             /* share of the row-layers of edited chains that was left out */
    struct cola_engine_info info;
    uint32_t n_threads;
};

struct plan {
    const struct search_setup *setup;
    uint32_t first;
    struct cola_engine_needs needs;
    struct cola_engine_demand most; /* the request that needs most memory */
    uint64_t program_bytes;         /* of --memory, not the engine's */
    uint64_t least_mib;             /* the smallest --memory */
    uint32_t n_threads;             /* of a worker */
    struct plan_work work;
    struct plan_measured measured;
    /* What follows from both; 0 where nothing was measured */
    double evaluations_s, worker_hours;
    uint32_t credit;       /* requests that a worker holds */
    double in_flight;      /* samples x --speculate: requests that there can be */
    double full_workers;   /* that this keeps full */
    double most_workers;   /* that get any: beyond, none helps */
    double master_workers; /* whose results one master takes; 0: not measured */
};

/* CPU time of the master for an evaluation: an assumption, the bound that is aimed at. */
#define PLAN_MASTER_US 12.0

void cola_plan_work(const struct cola_tasks *tasks, const struct cola_model *model,
                    const struct search_setup *setup, uint32_t first, uint32_t n, struct plan_work *out);

/* Evaluates the first samples' chains as a search would, for about `seconds`; engine: as a worker's. */
enum cola_status cola_plan_measure(const struct cola_tasks *tasks, const struct cola_model *model,
                                   const struct search_setup *setup, uint32_t first, uint32_t n,
                                   double seconds, struct plan_measured *out);

void cola_plan_text(const struct plan *plan);
enum cola_status cola_plan_json(const struct plan *plan);

#endif

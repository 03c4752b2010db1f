/* cluster.h - the two sides of a distributed search and what ends it.
 *
 *     cola_signals_install();                                            before MPI starts
 *     if (comm->rank == 0) {
 *         status = cola_master_run(comm, &master_options);              the search, its record, its report
 *         cola_master_dismiss(comm, exit_status);                       always, also after a failure
 *     } else {
 *         exit_status = cola_worker_run(comm, &worker_options);         until dismissed
 *     }
 *     cola_comm_close(comm);
 *
 * The master holds trees, journal and run.h5; a worker holds the model and its engine and nothing else. The
 * outcome of a sample depends on (tasks, model, options) only: all state that decides it is the sample's.
 * Protocol and faults: docs/protocol.md. */
#ifndef COLA_CLUSTER_H
#define COLA_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "cola/comm.h"
#include "cola/engine.h"
#include "cola/record.h"
#include "cola/search.h"
#include "cola/status.h"
#include "cola/synthetic.h"
#include "cola/task.h"

/* What a person, the batch system or the clock wants. */
enum cola_stop {
    COLA_STOP_NONE = 0,
    COLA_STOP_SOON = 1, /* USR1, --time-limit: no new work, finish what runs, commit, fold */
    COLA_STOP_NOW = 2   /* TERM, INT: commit and fold at once */
};

void cola_signals_install(void); /* USR1, TERM, INT set a flag; a second INT ends the process */
enum cola_stop cola_signals_stop(void);

/* Who gives a worker's results. Without a model (docs/search.md): the task file is opened by the workers too,
 * and engine.max_requests is how many are in flight. */
enum cola_evaluator_kind {
    COLA_EVALUATE_ENGINE = 0,
    COLA_EVALUATE_SYNTHETIC = 1,
    COLA_EVALUATE_RECORDED = 2
};

struct cola_worker_options {
    enum cola_evaluator_kind evaluator;
    const char *model_dir;             /* ENGINE */
    const char *tasks_path;            /* SYNTHETIC, RECORDED */
    const char *recorded_path;         /* RECORDED: a run.h5 or a journal */
    struct cola_synthetic synthetic;   /* SYNTHETIC; its latency for RECORDED too */
    struct cola_engine_options engine; /* n_threads 0: the cores that are this rank's; sharing: set here */
    bool own_weights;                  /* no sharing with other workers of the node */
    struct cola_search_options search; /* its longest chain must fit in memory; policy NULL: not known */
    /* For measurements, NULL: none. Called by the worker when its engine is ready, and before it goes. */
    void (*observe)(void *user, struct cola_engine *engine, bool leaving);
    void *observe_user;
};

/* Waits for the master's START, loads the model, serves requests until SHUTDOWN; returns its exit status.
 * What fails here travels to the master, which prints it. */
int cola_worker_run(struct cola_comm *comm, const struct cola_worker_options *options);

/* What a search took; for measurements, never for results. */
struct cola_master_figures {
    double search_s;         /* from the workers' being ready to the last fold */
    double master_cpu_s;     /* of the master's thread in that time: trees, messages, journal, fold */
    double tree_cpu_s;       /* of that inside the searches: create, ask, tell */
    uint64_t n_new, n_known; /* evaluations by workers; known before */
    uint64_t n_nodes;        /* chains in trees: without those guessed in vain */
    uint64_t layers_asked, layers_executed; /* by workers */
};

struct cola_master_options {
    const struct cola_tasks *tasks;
    enum cola_evaluator_kind evaluator; /* the workers', and its file: */
    const char *recorded_path;          /* RECORDED: may lack chains */
    uint32_t first_sample, n_samples;   /* rows of tasks */
    const char *run_path;
    bool resume;
    const char *memo_path; /* NULL: none */
    struct cola_search_options search;
    uint32_t longest_chain; /* layers, where a list of chains says it; 0: the workers ask the search */
    enum cola_metric metric;
    bool control;                   /* look for a wrong answer instead of gold */
    const struct cola_field *field; /* [n_fields]: what the caller knows of this run. The master adds
                                       model_fingerprint, numerics_id, n_model_layers, backend, devices,
                                       threads, hosts, n_workers, which the workers tell. */
    uint32_t n_fields;
    double stop_at_s;                    /* on cola_clock_s: as a USR1 then; 0: never */
    enum cola_stop (*stop)(void);        /* asked many times a second: cola_signals_stop */
    bool quiet;                          /* no progress, no summary */
    const char *events_path;             /* JSON lines go to the end of this file, "-": stdout; NULL: none */
    double events_interval_s;            /* between those of progress */
    struct cola_master_figures *figures; /* filled when the search is over; NULL: nobody asks */
};

/* COLA_ERR_STOPPED: stopped and resumable. After every other failure what was evaluated is committed. */
enum cola_status cola_master_run(struct cola_comm *comm, const struct cola_master_options *options);

/* Tells every worker to leave with this exit status. Failures are logged. */
void cola_master_dismiss(struct cola_comm *comm, int exit_status);

#endif

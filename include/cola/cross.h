/* cross.h - the master of `cola cross`: every chain of a list on every sample of the tasks.
 *
 *     status = cola_cross_run(comm, &options);          as cola_master_run, and the same workers
 *     cola_master_dismiss(comm, exit_status);
 *
 * Workers, messages, credit, journal and what ends a job are the search's (cluster.h, docs/protocol.md); what
 * is asked for comes from a fixed list instead of trees. The table depends on (tasks, model, chains, options)
 * only. */
#ifndef COLA_CROSS_H
#define COLA_CROSS_H

#include "cola/chain_set.h"
#include "cola/cluster.h"

struct cola_cross_options {
    const struct cola_tasks *tasks;
    enum cola_evaluator_kind evaluator;  /* the workers'; not RECORDED, which lacks chains */
    const struct cola_chain_set *chains; /* sealed, n >= 1 */
    const char *path;                    /* of x.h5 */
    bool resume, details, quiet;
    enum cola_metric metric;
    const struct cola_field *field; /* [n_fields]; the master adds what the workers tell, as for a search */
    uint32_t n_fields;
    double stop_at_s; /* on cola_clock_s; 0: never */
    enum cola_stop (*stop)(void);
};

/* COLA_ERR_STOPPED: stopped and resumable. After every other failure what was evaluated is committed. */
enum cola_status cola_cross_run(struct cola_comm *comm, const struct cola_cross_options *options);

#endif

/* timing.h - what a search cost, process by process and worker by worker: timing/sessions/ and
 * timing/workers/ of run.h5 (docs/format-run.md). Never part of a digest.
 *
 *     cola_record_timing(record, &session, worker, n_workers);      before each fold: the process so far
 *
 *     for (uint32_t i = 0; i < cola_run_n_workers(run); i++) {      of an open run.h5, all processes
 *         cola_run_worker(run, i, &worker);
 *         cola_run_session(run, worker.session, &session);
 *     }
 *
 * A session is a process that searched: a run that was resumed has several, a merged one those of its parts.
 */
#ifndef COLA_TIMING_H
#define COLA_TIMING_H

#include "cola/record.h"

struct cola_timing_session {
    int32_t shard;        /* -1: none, or of several */
    uint32_t number;      /* among those of its run, from 0; some may be missing (killed before a fold) */
    struct cola_text run; /* run_id */
    double began;         /* its workers were ready: seconds since 1970-01-01 UTC */
    double search_s;      /* from then until the fold */
    double master_cpu_s;  /* of that time: processor time of the master's thread; inside the trees */
    double tree_cpu_s;
    uint64_t n_evaluations; /* that workers gave */
};

struct cola_timing_worker {
    uint32_t session; /* place of its session in the file */
    uint32_t rank;    /* from 1 */
    struct cola_text host, device;
    double busy_s, utilisation; /* inside engine steps; that of search_s */
    uint64_t n_evaluations;
    uint64_t layers_asked, layers_executed; /* of all passes; less where states were shared */
    uint64_t row_layers_asked, row_layers_executed;
    uint64_t memory_bytes, state_bytes; /* held at most: by the engine; of that by shared states */
};

/* Figures of this process for the next folds, in place of those given before; copied. Not read: of the
 * session shard, number and run, of a worker session and utilisation, which the record knows. */
enum cola_status cola_record_timing(struct cola_record *record, const struct cola_timing_session *session,
                                    const struct cola_timing_worker *worker, uint32_t n_workers);

uint32_t cola_run_n_sessions(const struct cola_run *run); /* 0 in files before 1.2 */
uint32_t cola_run_n_workers(const struct cola_run *run);  /* of all sessions */
void cola_run_session(const struct cola_run *run, uint32_t i, struct cola_timing_session *out);
void cola_run_worker(const struct cola_run *run, uint32_t i, struct cola_timing_worker *out);

#endif

/* timing_workers.h - rows of timing/sessions/ and timing/workers/ on their way into run.h5. They belong to no
 * sample, so they do not go through the fold of samples: those of earlier processes come from the run.h5 that
 * is there, those of this one from the master, and a merge takes those of all its inputs. */
#ifndef COLA_RECORD_TIMING_WORKERS_H
#define COLA_RECORD_TIMING_WORKERS_H

#include "cola/timing.h"
#include "record/columns.h"

struct cola_timing_of { /* which process it is */
    const char *run_id;
    int32_t shard;
    uint32_t number;
};

/* The session and its workers as the only rows of *rows. session and worker as of cola_record_timing. */
enum cola_status cola_timing_set(struct cola_columns *rows, const struct cola_timing_of *of,
                                 const struct cola_timing_session *session,
                                 const struct cola_timing_worker *worker, uint32_t n_workers);

/* Sessions of `from` (checked; nothing at all is fine) and their workers behind those of `to`, but not those
 * that are there: the same number of the same run. Other columns of both are left alone. */
enum cola_status cola_timing_append(struct cola_columns *to, const struct cola_columns *from);

/* All that the record has: of earlier processes, then of this one. */
enum cola_status cola_timing_fold(const struct cola_record *record, struct cola_columns *to);

/* One more than the greatest number of the run's sessions; 0: it has none. */
uint32_t cola_timing_next(const struct cola_columns *rows, const char *run_id);

/* Shard of a provenance attribute `shard`: "1/3" is 1; -1: NULL, or several ("0-1/3"). */
int32_t cola_timing_shard(const char *text);

/* Whether a column's rows are sessions or workers. */
bool cola_timing_column(enum cola_run_column column);

#endif

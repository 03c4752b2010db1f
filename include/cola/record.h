/* record.h - the master's memory: a journal of evaluations and run.h5, which is a fold of it.
 *
 *     struct cola_record *r;
 *     COLA_TRY(cola_record_open("run.h5", &setup, &r));               resume: known results come back from
 * the journal if (!cola_record_known(r, sample, &chain, &result)) { COLA_TRY(cola_record_started(r, sample,
 * &chain));
 *         ... evaluate ...
 *         COLA_TRY(cola_record_evaluated(r, sample, &chain, &result));
 *     }
 *     COLA_TRY(cola_record_finished(r, sample, n_simulations));
 *     COLA_TRY(cola_record_commit(r));                                fdatasync; once a second and at a
 * sample's end COLA_TRY(cola_record_fold(r, &fold));                           run.h5: temporary, fsync,
 * rename, fsync directory cola_record_close(r);
 *
 * Formats: docs/format-journal.md, docs/format-run.md. One writer: the journal is locked with fcntl. Only the
 * master uses this; not thread-safe. */
#ifndef COLA_RECORD_H
#define COLA_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/chain.h"
#include "cola/result.h"
#include "cola/search.h"
#include "cola/status.h"
#include "cola/task.h"

enum cola_field_role {
    COLA_FIELD_IDENTITY,  /* decides labels: must be equal on resume; in the digest */
    COLA_FIELD_GROWS,     /* a number that resume may raise (simulations); in the digest */
    COLA_FIELD_PROVENANCE /* how this run was made (ranks, back end, versions): free; not in the digest */
};

struct cola_field { /* a root attribute of run.h5 and a line of the journal's header */
    const char *key, *value;
    enum cola_field_role role;
};

struct cola_record_setup {
    const struct cola_field
        *field; /* [n_fields]: model_fingerprint, tasks_fingerprint, numerics_id, seed, preset, ... */
    uint32_t n_fields;
    const struct cola_tasks *tasks;   /* borrowed until close: texts and ids go into run.h5 */
    uint32_t first_sample, n_samples; /* this run's rows of tasks.h5 */
    bool resume;           /* false: refuse if run.h5 or its journal exists. true: continue, or start fresh */
    const char *memo_path; /* NULL, or as for cola_record_memo; refused before anything is written */
};

struct cola_record;

/* COLA_ERR_USAGE: exists and no resume. COLA_ERR_MISMATCH: another run's journal, naming each field with both
 * values. COLA_ERR_IO: locked by another writer (with its pid), unwritable directory. COLA_ERR_INPUT: a bad
 * record before valid ones, with its offset. A torn last record is dropped and said so in the log. */
enum cola_status cola_record_open(const char *run_path, const struct cola_record_setup *setup,
                                  struct cola_record **out);
void cola_record_close(struct cola_record *record); /* commits what is pending; NULL allowed */

/* A result known from the journal or this session. Arrays of *out are borrowed until the sample is put away.
 */
bool cola_record_known(const struct cola_record *record, uint32_t sample, const struct cola_chain *chain,
                       struct cola_result *out);
uint64_t cola_record_n_known(const struct cola_record *record);
uint64_t cola_record_n_resumed(const struct cola_record *record); /* of those, read at open */
uint64_t cola_record_n_memo(const struct cola_record *record);    /* of those, new from setup.memo_path */

/* Makes the scores of another run's chains known to this one (--memo): same model, tasks and numerics id, or
 * COLA_ERR_MISMATCH. They are journalled when used. *n_added: results that were new. */
enum cola_status cola_record_memo(struct cola_record *record, const char *run_path, uint64_t *n_added);

/* How often the process ended while this request was out (read from the journal): 0 in most cases. One that
 * reaches COLA_SUSPECT_ATTEMPTS is set aside at open: a result with COLA_OUTCOME_CRASHED, known from then on.
 * So that the last attempts are evidence, whoever sends requests sends a suspect alone to its worker, and one
 * with COLA_SUSPECT_EXCLUSIVE attempts as the only one of all workers. */
enum { COLA_SUSPECT_EXCLUSIVE = 2, COLA_SUSPECT_ATTEMPTS = 3 };
uint32_t cola_record_attempts(const struct cola_record *record, uint32_t sample,
                              const struct cola_chain *chain);
uint64_t cola_record_n_crashed(const struct cola_record *record); /* results that are known to be crashes */
uint32_t cola_record_n_suspects(const struct cola_record *record);

enum cola_status cola_record_started(struct cola_record *record, uint32_t sample,
                                     const struct cola_chain *chain);
enum cola_status cola_record_evaluated(struct cola_record *record, uint32_t sample,
                                       const struct cola_chain *chain, const struct cola_result *result);
enum cola_status cola_record_finished(struct cola_record *record, uint32_t sample, uint32_t n_simulations);
/* The search of a finished sample is over: what a fold writes of it goes to a file without a name beside the
 * run, what is known of it is let go, and the search may be destroyed. Late results of it are journalled and
 * no more. COLA_ERR_IO: no room on the disk, and COLA_ERR_MEMORY: the sample is as before, nothing is lost.
 */
enum cola_status cola_record_put_away(struct cola_record *record, uint32_t sample, int32_t target,
                                      const struct cola_search *search);
/* The process ends by a failure that it understands (no space, a worker's own words): requests that are out
 * are no suspects. Without it they are. */
enum cola_status cola_record_ended(struct cola_record *record);
enum cola_status cola_record_commit(struct cola_record *record);

/* From now on a thread writes the journal, so that the caller never waits for the disk: commit only asks for
 * it, and a failure is told by a later call. close and fold wait until all of it is on the disk. */
enum cola_status cola_record_start_writer(struct cola_record *record);
/* Before the caller goes to sleep: what came since the last time goes to the thread. written: returns when it
 * is written, for a caller that may be killed by what it has just recorded as started. */
enum cola_status cola_record_flush(struct cola_record *record, bool written);

struct cola_fold {
    const struct cola_search *const *search; /* [n_samples]; NULL: not begun, or put away */
    const int32_t *target;                   /* [n_samples]: what each search looks for (cola_judge_target) */
    const bool *finished;                    /* [n_samples] */
};

enum cola_status cola_record_fold(struct cola_record *record, const struct cola_fold *fold);

/* --- reading run.h5
 * ----------------------------------------------------------------------------------------- */

struct cola_run; /* an open run.h5, wholly in memory */

struct cola_run_sample {
    uint32_t index;       /* row in tasks.h5 */
    int32_t gold, target; /* as judge.h means them: candidates, or rows of tasks.h5 */
    bool finished;
    uint32_t n_simulations;
    struct cola_text id, question, target_text; /* target_text: empty in files before 1.1 */
    uint64_t first_chain, n_chains;             /* rows of chains/ */
    uint32_t n_candidates;
};

struct cola_run_chain {
    struct cola_node_view node; /* parent is relative to the sample's first chain */
    uint8_t outcome;
    bool on_front;
    const float *score; /* [n_scores] */
    uint32_t n_scores;
    struct cola_text answer; /* generate: what the grader found, maybe nothing; else empty */
};

/* COLA_ERR_INPUT: damaged (its first block tells, before HDF5 reads it) or no run.h5. */
enum cola_status cola_run_open(const char *path, struct cola_run **out);
void cola_run_close(struct cola_run *run);
const char *cola_run_attribute(const struct cola_run *run, const char *key);     /* NULL if absent */
const struct cola_field *cola_run_field(const struct cola_run *run, uint32_t i); /* NULL past the last */
uint32_t cola_run_n_samples(const struct cola_run *run);
uint64_t cola_run_n_chains(const struct cola_run *run);
void cola_run_sample(const struct cola_run *run, uint32_t i,
                     struct cola_run_sample *out); /* i-th of the file */
void cola_run_chain(const struct cola_run *run, uint64_t row, struct cola_run_chain *out);
bool cola_run_by_row(const struct cola_run *run); /* targets are rows of tasks.h5: answers without choices */
void cola_run_result(const struct cola_run *run, uint64_t row, struct cola_result *out); /* with its cost */
struct cola_text cola_run_choice(const struct cola_run *run, uint32_t i, uint32_t candidate);
struct cola_text cola_run_label(const struct cola_run *run, uint32_t i, uint32_t candidate);

/* Computes the digest from the file's content (everything but timing/ and provenance); COLA_ERR_INPUT if it
 * differs from the stored one. Equal for any ranks, threads, back end of one numerics id, order,
 * interruptions. */
enum cola_status cola_run_digest(const struct cola_run *run, char text[COLA_HASH_TEXT]);

#endif

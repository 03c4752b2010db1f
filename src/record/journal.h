/* journal.h - run.h5.journal: an append-only list of what happened, each record with its length and checksums
 * (docs/format-journal.md). Knows records, not what they mean for a run: that is record.c.
 *
 *     struct cola_journal *journal;
 *     COLA_TRY(cola_journal_open(path, visit, user, &journal));       locks, hands out every record, drops a
 * torn tail COLA_TRY(cola_journal_append(journal, &record));                one write(2)
 *     COLA_TRY(cola_journal_commit(journal));                         fdatasync
 *     cola_journal_close(journal);
 *
 * The lock (fcntl) is the process's: it goes with it, however it ends. */
#ifndef COLA_RECORD_JOURNAL_H
#define COLA_RECORD_JOURNAL_H

#include "record/fields.h"

enum cola_journal_kind {
    COLA_JOURNAL_SESSION = 1,   /* a process began or took over: fields and range of samples */
    COLA_JOURNAL_STARTED = 2,   /* sample, chain: handed to a worker */
    COLA_JOURNAL_EVALUATED = 3, /* sample, chain, result */
    COLA_JOURNAL_FINISHED = 4,  /* sample, n_simulations: its search ended */
    COLA_JOURNAL_ENDED = 5, /* the process ended by a failure that it understood: no request is a suspect */
    COLA_JOURNAL_COMMITTED = 6 /* n_committed: so many bytes of the file were on the disk before this */
};

struct cola_journal_record { /* which members count depends on kind; arrays are borrowed during the call */
    enum cola_journal_kind kind;
    uint64_t sequence; /* 1 for the first record; set by the journal */
    uint64_t offset;   /* in the file; set when read */
    struct cola_fields fields;
    uint32_t first_sample, n_samples;
    uint32_t sample;
    struct cola_chain chain;
    struct cola_result result;
    uint32_t n_simulations;
    uint64_t n_committed;
    bool old; /* EVALUATED: without row_layers, as in files before 1.2 */
};

typedef enum cola_status cola_journal_visit(void *user, const struct cola_journal_record *record);

struct cola_journal;

/* A new journal that begins with `session`. It is put together under a temporary name and linked when `fill`
 * (may be NULL) has added what else must be in it, so that a journal with that name is always whole.
 * COLA_ERR_USAGE: one exists. COLA_ERR_IO: the directory cannot be written. */
typedef enum cola_status cola_journal_fill(void *user, struct cola_journal *journal);
enum cola_status cola_journal_create(const char *path, const struct cola_journal_record *session,
                                     cola_journal_fill *fill, void *user, struct cola_journal **out);

/* An existing one. COLA_ERR_IO: locked, with the holder's pid. COLA_ERR_INPUT: damaged in what was committed,
 * with the offset. The file is as it was until the first record is appended. A failure of visit ends it with
 * that failure. */
enum cola_status cola_journal_open(const char *path, cola_journal_visit *visit, void *user,
                                   struct cola_journal **out);

enum cola_status cola_journal_append(struct cola_journal *journal, const struct cola_journal_record *record);
/* What was appended is on the disk. A COMMITTED record that says so goes before the next record. */
enum cola_status cola_journal_commit(struct cola_journal *journal);

/* From now on a thread writes: append only packs, commit only asks for it, and what goes wrong is told by a
 * later call. Bytes go to the thread with flush and commit, and when many have come together. */
enum cola_status cola_journal_start_writer(struct cola_journal *journal);
/* Gives the thread what was appended, if it can take it now. written: waits until it is written (not synced).
 */
enum cola_status cola_journal_flush(struct cola_journal *journal, bool written);
/* What was appended is on the disk, with a thread or without. */
enum cola_status cola_journal_drain(struct cola_journal *journal);
uint64_t cola_journal_sequence(const struct cola_journal *journal); /* of the last record, 0 none */
void cola_journal_close(struct cola_journal *journal);              /* does not commit; NULL allowed */

#endif

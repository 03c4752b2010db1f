/* record_state.h - a record's state, shared by record.c (what the master calls), record_open.c (begin,
 * resume) and record_memo.c (results of another run). */
#ifndef COLA_RECORD_RECORD_STATE_H
#define COLA_RECORD_RECORD_STATE_H

#include "record/fields.h"
#include "record/journal.h"
#include "record/known.h"
#include "record/suspects.h"

struct cola_wanted { /* memo entries that were asked for and are to be journalled */
    struct cola_known_entry **entry;
    size_t n, room;
};

struct cola_record {
    char *run_path, *journal_path;
    const struct cola_tasks *tasks;
    uint32_t first_sample, n_samples;
    struct cola_fields fields;
    struct cola_known *known;
    struct cola_journal *journal;
    struct cola_wanted
        *wanted; /* behind a pointer: asking does not change the record, only what is to be written */
    struct cola_suspects suspects;
    uint64_t n_resumed, n_memo, n_crashed;
    uint64_t committed; /* sequence of the last record that is on the disk, or was asked to be */
    bool has_writer;    /* a thread writes the journal */
};

/* Another run's file whose results may be this run's: the digest is right, and model, tasks and numerics are
 * ours. Nothing is learnt or written. */
enum cola_status cola_record_memo_open(const struct cola_record *record, const char *run_path,
                                       struct cola_run **out);
/* Adds the results of a run's chains to what is known, for our samples; they count as not journalled. */
enum cola_status cola_record_learn(struct cola_record *record, const struct cola_run *run, uint64_t *n_added);
/* Journals every known result that is not. */
enum cola_status cola_record_write_known(struct cola_record *record, struct cola_journal *journal);
enum cola_status cola_record_write_entry(struct cola_journal *journal, struct cola_known_entry *entry);

#endif

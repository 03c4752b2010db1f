/* record_state.h - a record's state, shared by record.c (what the master calls), record_fold.c (putting
 * away, fold), record_open.c (begin, resume) and record_memo.c (results of another run). */
#ifndef COLA_RECORD_RECORD_STATE_H
#define COLA_RECORD_RECORD_STATE_H

#include "record/fields.h"
#include "record/journal.h"
#include "record/known.h"
#include "record/stash.h"
#include "record/suspects.h"
#include "record/timing_workers.h"

struct cola_wanted { /* memo entries that were asked for and are to be journalled */
    struct cola_known_entry **entry;
    size_t n, room;
};

struct cola_record {
    char *run_path, *journal_path;
    const struct cola_tasks *tasks;
    uint32_t first_sample, n_samples;
    struct cola_fields fields;
    struct cola_known *known;    /* of samples that are under way, and of those to come from elsewhere */
    struct cola_stash *stash;    /* of the others */
    struct cola_columns columns; /* of one sample, or a fold's piece: kept for the next */
    struct cola_journal *journal;
    struct cola_wanted
        *wanted; /* behind a pointer: asking does not change the record, only what is to be written */
    struct cola_suspects suspects;
    uint64_t n_resumed, n_memo, n_crashed;
    uint64_t committed;  /* sequence of the last record that is on the disk, or was asked to be */
    bool has_writer;     /* a thread writes the journal */
    uint32_t n_sessions; /* in the journal when it was opened */
    struct cola_columns timing_before, timing_now; /* rows of earlier processes and of this one */
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
/* Journals what was asked for of other runs' results. */
enum cola_status cola_record_write_wanted(struct cola_record *record);
/* What was appended is on the disk when it returns. */
enum cola_status cola_record_drain(struct cola_record *record);
/* COLA_ERR_INPUT: not one of this run's. */
enum cola_status cola_record_check_sample(const struct cola_record *record, uint32_t sample);
/* Results of the sample that are put away become known again. */
enum cola_status cola_record_take_back(const struct cola_record *record, uint32_t sample);

#endif

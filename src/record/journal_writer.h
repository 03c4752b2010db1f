/* journal_writer.h - the thread that writes a journal, so that whoever appends never waits for a disk.
 *
 * Bytes are handed over in batches, one at a time, in order. A failure stays: it is told by the next call and
 * all later ones. Knows bytes and a file, not records. */
#ifndef COLA_RECORD_JOURNAL_WRITER_H
#define COLA_RECORD_JOURNAL_WRITER_H

#include "record/pack.h"

struct cola_journal_writer;

/* Writes from offset `end` of the open file on; what is before is on the disk. `path` is for error texts and
 * borrowed. */
enum cola_status cola_journal_writer_start(int fd, const char *path, uint64_t end,
                                           struct cola_journal_writer **out);
/* Ends the thread when what it has is written. NULL allowed. Failures were told before, or are lost. */
void cola_journal_writer_stop(struct cola_journal_writer *writer);

enum cola_journal_wait {
    COLA_JOURNAL_HAND_OVER, /* if the thread has still work, *bytes stays as it is, for a later call */
    COLA_JOURNAL_QUEUE,     /* waits until the thread can take it: bounds the memory */
    COLA_JOURNAL_WRITTEN    /* waits until it is written */
};

/* Takes *bytes (swapped for an empty buffer) and, with *sync, syncs them and what came before. Taken: *sync
 * is false then. */
enum cola_status cola_journal_writer_give(struct cola_journal_writer *writer, struct cola_pack *bytes,
                                          bool *sync, enum cola_journal_wait wait);

/* Bytes of the file that are on the disk for certain. */
uint64_t cola_journal_writer_durable(struct cola_journal_writer *writer);

#endif

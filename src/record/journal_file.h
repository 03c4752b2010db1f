/* journal_file.h - the journal's struct, shared by journal.c (writing) and journal_read.c (reading back). */
#ifndef COLA_RECORD_JOURNAL_FILE_H
#define COLA_RECORD_JOURNAL_FILE_H

#include "record/journal_record.h"
#include "record/journal_writer.h"

enum { COLA_MAGIC_BYTES = 16 };
extern const uint8_t cola_journal_magic[COLA_MAGIC_BYTES]; /* "cola-journal", major (u16), minor (u16) */
/* The latest version. 1.0 has no ENDED and no COMMITTED, 1.0 and 1.1 have no row_layers; they get none when
 * they are continued. */
enum { COLA_JOURNAL_MAJOR = 1, COLA_JOURNAL_MINOR = 2, COLA_JOURNAL_ROW_LAYERS_MINOR = 2 };

struct cola_journal {
    int fd; /* locked */
    char *path;
    uint64_t end;          /* bytes of whole records, magic and those with the writer included */
    uint64_t sequence;     /* of the last record */
    unsigned minor;        /* of the file's version */
    bool to_cut;           /* bytes behind `end` were not committed: they go before the next record */
    bool to_mark;          /* a commit has succeeded since the last COMMITTED record */
    struct cola_pack pack; /* one record; with a writer: all that it was not given yet */
    struct cola_journal_writer *writer; /* NULL: append writes, commit syncs */
    uint64_t marked;                    /* with a writer: what the last COMMITTED record says */
    bool to_sync;                       /* with a writer: a commit that it was not told of yet */
    bool broken;                        /* the file may end in half a record that could not be cut off */
};

/* From an open, locked file: hands out the records, finds a torn tail, sets end and sequence. */
enum cola_status cola_journal_read(struct cola_journal *journal, cola_journal_visit *visit, void *user);

#endif

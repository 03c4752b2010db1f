/* run_file.h - writes a run.h5 in pieces, so that it may be larger than memory: the fold's and the merge's
 * output.
 *
 *     struct cola_run_file *file;
 *     COLA_TRY(cola_run_file_create("run.h5", COLA_RUN_MINOR, n_items, &file));      a temporary beside it
 *     status = cola_run_file_append(file, &piece);                                    any number of them
 *     if (status == COLA_OK) status = cola_run_file_finish(file, &content, COLA_NEW_FILE_REPLACES, digest);
 *     cola_run_file_close(file);
 *
 * Until finish gives the file its name, path is as it was; if it fails, nothing of it stays. */
#ifndef COLA_RECORD_RUN_FILE_H
#define COLA_RECORD_RUN_FILE_H

#include "record/columns.h"
#include "record/new_file.h"

struct cola_run_file;

struct cola_run_content { /* what a run says of itself as a whole */
    const struct cola_fields *fields;
    bool complete;
    uint64_t folded_sequence; /* 0: it is of no one journal */
};

/* n_items: of each column. Files of an older minor version have fewer columns. COLA_ERR_IO: no room. */
enum cola_status cola_run_file_create(const char *path, int32_t minor,
                                      const uint64_t n_items[COLA_N_RUN_COLUMNS], struct cola_run_file **out);
/* The next rows, checked: whole samples, whose offsets count from the piece's own begin. */
enum cola_status cola_run_file_append(struct cola_run_file *file, const struct cola_columns *piece);

/* All pieces are there: digest, attributes, first block, fsync, and its name. */
enum cola_status cola_run_file_finish(struct cola_run_file *file, const struct cola_run_content *content,
                                      enum cola_new_file_name name, char digest[COLA_HASH_TEXT]);
void cola_run_file_close(struct cola_run_file *file); /* NULL allowed */

#endif

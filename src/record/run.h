/* run.h - what an open run.h5 holds; between reader_hdf5.c (loading) and run.c (handing out). */
#ifndef COLA_RECORD_RUN_H
#define COLA_RECORD_RUN_H

#include "record/columns.h"

struct cola_run {
    char *path;
    struct cola_columns columns; /* checked */
    struct cola_fields fields;   /* the attributes of the three lists */
    char *digest;                /* as stored */
    bool complete, by_row;       /* by_row: targets are rows of tasks.h5, see columns.h */
    int64_t minor;               /* the file's version is COLA_RUN_MAJOR.minor */
    uint64_t folded_sequence;
    char complete_text[2], sequence_text[24]; /* for cola_run_attribute */
};

/* As cola_run_open, but without the columns: whatever indexes them is not allowed. */
enum cola_status cola_run_open_attributes(const char *path, struct cola_run **out);
/* As cola_run_open, but of the columns those of sessions and workers alone: it has no samples. */
enum cola_status cola_run_open_timing(const char *path, struct cola_run **out);
/* Everything of `file` but the columns into a zeroed run; cola_run_close frees it, whatever the status. */
enum cola_status cola_run_load_attributes(struct cola_run *run, const struct cola_h5 *file);

#endif

/* writer.h - columns and fields to run.h5. */
#ifndef COLA_RECORD_WRITER_H
#define COLA_RECORD_WRITER_H

#include "record/columns.h"

struct cola_run_content {
    const struct cola_columns *columns; /* checked */
    const struct cola_fields *fields;
    bool complete;
    uint64_t folded_sequence;
};

/* Replaces path in one step: at every instant it is the old file or the new one, whole. */
enum cola_status cola_run_write(const char *path, const struct cola_run_content *content);

/* All root attributes of a file of this minor version with this digest; columns is not looked at. */
enum cola_status cola_run_write_attributes(hid_t file, const struct cola_run_content *content, int32_t minor,
                                           const char *digest, const char *path);

#endif

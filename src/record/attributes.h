/* attributes.h - the root attributes of a run.h5 (docs/format-run.md, "Attributes") and of a table of
 * `cola cross` (docs/format-cross.md). */
#ifndef COLA_RECORD_ATTRIBUTES_H
#define COLA_RECORD_ATTRIBUTES_H

#include "record/run_file.h"

struct cola_root {
    const char *filetype;
    int32_t major, minor;
    bool complete;
    uint64_t folded_sequence;
    const char *digest;
    const struct cola_fields *fields;
};

/* All of them, into an open HDF5 file. path: for error texts. */
enum cola_status cola_root_write(hid_t file, const struct cola_root *root, const char *path);

#endif

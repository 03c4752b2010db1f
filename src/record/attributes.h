/* attributes.h - the root attributes of a run.h5 (docs/format-run.md, "Attributes"). */
#ifndef COLA_RECORD_ATTRIBUTES_H
#define COLA_RECORD_ATTRIBUTES_H

#include "record/run_file.h"

/* All of them, into an open HDF5 file of this minor version with this digest. path: for error texts. */
enum cola_status cola_run_write_attributes(hid_t file, const struct cola_run_content *content, int32_t minor,
                                           const char *digest, const char *path);

#endif

/* mapped_file.h - a regular file as read-only bytes. Internal to src/model.
 *
 *     struct cola_mapped_file file;
 *     COLA_TRY(cola_mapped_file_open("m/config.json", 1 << 24, &file));
 *     ... file.bytes, file.n_bytes ...
 *     cola_mapped_file_close(&file);
 */
#ifndef COLA_MODEL_MAPPED_FILE_H
#define COLA_MODEL_MAPPED_FILE_H

#include <stdint.h>

#include "cola/status.h"

struct cola_mapped_file {
    const void *bytes; /* [n_bytes], NULL if empty */
    uint64_t n_bytes;
};

/* COLA_ERR_IO: cannot be opened, is no regular file. COLA_ERR_INPUT: more than max_bytes. The pages are
 * shared with every process that maps the file. Whoever truncates the file meanwhile ends this process
 * (SIGBUS). */
enum cola_status cola_mapped_file_open(const char *path, uint64_t max_bytes, struct cola_mapped_file *out);
void cola_mapped_file_close(struct cola_mapped_file *file);

#endif

/* h5.h - the few things that tasks.h5 and run.h5 need of HDF5: one-dimensional columns of plain numbers,
 * string and integer attributes of the root. Everything from a file is checked before it is believed: type,
 * rank, size against what is stored, no links that leave the file. Knows no format; docs/format-*.md are
 * above it.
 *
 *     struct cola_h5 file;
 *     COLA_TRY(cola_h5_open(path, &file));
 *     status = cola_h5_read(&file, "samples/gold", COLA_H5_I32, &data, &n);        free(data)
 *     cola_h5_close(&file);
 *
 * One thread at a time: the library is not thread-safe. */
#ifndef COLA_TASK_H5_H
#define COLA_TASK_H5_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "cola/status.h"

enum cola_h5_type {
    COLA_H5_U8,
    COLA_H5_U16,
    COLA_H5_U32,
    COLA_H5_U64,
    COLA_H5_I32,
    COLA_H5_F32,
    COLA_H5_F64
};
#define COLA_N_H5_TYPES 7

struct cola_h5 {
    hid_t id;
    const char *path;    /* borrowed, for error texts */
    uint64_t file_bytes; /* no data set stores more */
};

const char *cola_h5_type_name(enum cola_h5_type type); /* "uint8", as numpy writes it */
size_t cola_h5_type_bytes(enum cola_h5_type type);
hid_t cola_h5_native_type(enum cola_h5_type type); /* owned by the library */
hid_t cola_h5_stored_type(enum cola_h5_type type); /* little-endian; owned by the library */

/* The check in the first block of our files (HDF5's user block, which the library skips): text, then zeros,
 *
 *     cola-check 1\nxxh3 <32 hexadecimal digits>\nbytes <number>\n
 *
 * XXH3-128 and number of the bytes behind the block; exactly so, or the file is damaged. */
enum { COLA_H5_BLOCK_BYTES = 512 };
/* The block for a file whose other bytes are these. */
enum cola_status cola_h5_block(const void *bytes, size_t n_bytes, char block[COLA_H5_BLOCK_BYTES]);
/* The same for the bytes of an open file from its present position to its end. */
enum cola_status cola_h5_block_of_rest(int fd, const char *path, char block[COLA_H5_BLOCK_BYTES]);
/* Compares a file with its block, without HDF5. *checked false: it has none, but begins as HDF5 does.
 * COLA_ERR_INPUT: damaged, or no HDF5 file. */
enum cola_status cola_h5_check(const char *path, bool *checked);

/* Checks the first block, then opens read-only, without HDF5's locks (a reader must not stop a restarted
 * writer). */
enum cola_status cola_h5_open(const char *path, struct cola_h5 *out);
/* Takes over an open file id (tests and fuzzing of files in memory). */
enum cola_status cola_h5_take(hid_t id, const char *path, struct cola_h5 *out);
void cola_h5_close(struct cola_h5 *file);

/* A file access list with HDF5's file locking off and the 1.8-compatible format; the caller closes it. */
enum cola_status cola_h5_access(hid_t *out);

/* The whole one-dimensional data set as host numbers; *data is the caller's, free() it. */
enum cola_status cola_h5_read(const struct cola_h5 *file, const char *name, enum cola_h5_type type,
                              void **data, uint64_t *n);

/* The same in parts: a data set that was checked as cola_h5_read does, open until H5Dclose(*dataset). */
enum cola_status cola_h5_column_open(const struct cola_h5 *file, const char *name, enum cola_h5_type type,
                                     hid_t *dataset, uint64_t *n);
/* Elements first .. first+n-1, into `to`. COLA_ERR_INPUT: not all of them are there. */
enum cola_status cola_h5_column_read(const struct cola_h5 *file, const char *name, enum cola_h5_type type,
                                     hid_t dataset, uint64_t first, uint64_t n, void *to);
bool cola_h5_has_group(const struct cola_h5 *file, const char *name);

/* A scalar string attribute of the root, NUL-terminated, the caller's to free(); NULL if absent. */
enum cola_status cola_h5_string(const struct cola_h5 *file, const char *key, char **out);
/* Integer attribute of the root with `*n` values; NULL if absent. Any integer type that fits int64. */
enum cola_status cola_h5_integers(const struct cola_h5 *file, const char *key, int64_t **out, uint64_t *n);

/* filetype must be `filetype` and the first number of version `major`. */
enum cola_status cola_h5_check_filetype(const struct cola_h5 *file, const char *filetype, int64_t major);

/* The library's last error, in a few words, for our error texts. */
const char *cola_h5_why(char *text, size_t n_text);

/* Every return of HDF5 goes through this: < 0 is a failure (of `what` in `path`). */
#define COLA_H5_TRY_DONE(call, path, what)                                                                   \
    do {                                                                                                     \
        if ((call) < 0) {                                                                                    \
            char cola_h5_text_[200];                                                                         \
            status = cola_fail(COLA_ERR_LIBRARY, "%s: %s: HDF5: %s", path, what,                             \
                               cola_h5_why(cola_h5_text_, sizeof cola_h5_text_));                            \
            goto done;                                                                                       \
        }                                                                                                    \
    } while (0)

#endif

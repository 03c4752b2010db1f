/* new_file.h - an HDF5 file on its way: under a temporary name, its data written to their places by our own
 * writes, and at last its name. What run.h5 and the tables of `cola cross` have in common.
 *
 *     COLA_TRY_DONE(cola_new_file_open("run.h5", N_COLUMNS, &file));
 *     COLA_TRY_DONE(cola_new_file_column(&file, i, "chains/length", type, 1, &n, n_bytes));      each column
 *     COLA_TRY_DONE(cola_new_file_reserve(&file));
 *     COLA_TRY_DONE(cola_new_file_write(&file, bytes, n, file.extent[i].at + offset));
 *     ... attributes into file.structure
 *     COLA_TRY_DONE(cola_new_file_finish(&file, COLA_NEW_FILE_REPLACES));
 * done:
 *     cola_new_file_fini(&file);                                            not finished: nothing stays
 *
 * HDF5 lays out the file's structure in memory (sparse.h): every data set with its place but without its
 * data, a few KiB in all; the bytes between the data are copied from it at the end. So a full disk or a lost
 * mount is an errno of ours and not a failed H5Fclose, which leaves the library with a file it can neither
 * flush nor forget; and the library never touches the disk, nor do its locks. Knows no schema. */
#ifndef COLA_RECORD_NEW_FILE_H
#define COLA_RECORD_NEW_FILE_H

#include "record/sparse.h"

enum { COLA_NEW_FILE_BLOCK = 256 << 10 };

struct cola_extent { /* of a column's data in the file */
    uint64_t at, n_bytes;
};

struct cola_new_file {
    const char *path; /* borrowed */
    char *temporary;  /* NULL: it has its name */
    int fd;
    struct cola_sparse sparse;
    hid_t structure, creation, links;
    struct cola_extent *extent; /* [n_columns]; n_bytes 0: none, or empty */
    uint32_t n_columns;
    void *block; /* [COLA_NEW_FILE_BLOCK], whoever needs it */
};

enum cola_status cola_new_file_open(const char *path, uint32_t n_columns, struct cola_new_file *file);
/* A data set of size[rank] elements, which has its place from now on. */
enum cola_status cola_new_file_column(struct cola_new_file *file, uint32_t column, const char *name,
                                      hid_t stored_type, unsigned rank, const hsize_t *size,
                                      uint64_t n_bytes);
/* COLA_ERR_IO: there is no room for all columns, where the file system can tell. */
enum cola_status cola_new_file_reserve(const struct cola_new_file *file);

/* COLA_ERR_IO: a full disk, or less there than asked for. */
enum cola_status cola_new_file_write(const struct cola_new_file *file, const void *bytes, uint64_t n,
                                     uint64_t at);
enum cola_status cola_new_file_read(const struct cola_new_file *file, void *to, uint64_t n, uint64_t at);

enum cola_new_file_name {
    COLA_NEW_FILE_REPLACES, /* at every instant path is the old file or the new one, whole */
    COLA_NEW_FILE_IS_NEW    /* COLA_ERR_USAGE where path exists */
};
/* Structure, check in the first block, fsync, the name, and the directory synced. */
enum cola_status cola_new_file_finish(struct cola_new_file *file, enum cola_new_file_name name);
void cola_new_file_fini(struct cola_new_file *file); /* of a zeroed one too */

#endif

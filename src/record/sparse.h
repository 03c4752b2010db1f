/* sparse.h - an HDF5 file in memory of which only what was written takes memory: structure without data.
 *
 *     struct cola_sparse sparse = {0};
 *     COLA_TRY(cola_sparse_create("out.h5", user_block_bytes, &sparse, &file));
 *     ... data sets with early allocation and no fill, attributes; H5Fclose(file)
 *     cola_sparse_read(&sparse, at, n, bytes);                     what was never written is 0
 *     cola_sparse_fini(&sparse);                                   after H5Fclose
 *
 * Nothing in it can fail but memory, so H5Fclose does not (HDF5's core driver would hold the data too). */
#ifndef COLA_RECORD_SPARSE_H
#define COLA_RECORD_SPARSE_H

#include "task/h5.h"

struct cola_sparse {
    struct cola_sparse_page *page; /* [n_pages], in the order in which they were first written */
    size_t n_pages, room;
    uint64_t n_bytes; /* of the file, after H5Fclose */
    hid_t driver;     /* 0: none yet. HDF5 still reads it when H5Fclose has let go of it: it goes in fini */
};

/* path: for error texts. The sparse file must outlive *file. */
enum cola_status cola_sparse_create(const char *path, uint64_t user_block_bytes, struct cola_sparse *sparse,
                                    hid_t *file);
void cola_sparse_read(const struct cola_sparse *sparse, uint64_t at, size_t n, void *to);
void cola_sparse_fini(struct cola_sparse *sparse);

#endif

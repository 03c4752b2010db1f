/* new_file_hdf5.c - see new_file.h. */
#include "record/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/memory.h"
#include "record/files.h"

/* Early allocation gives a data set its place at once; nothing is filled in. */
static enum cola_status create_lists(struct cola_new_file *file)
{
    enum cola_status status = COLA_OK;
    const char *path = file->path;
    COLA_H5_TRY_DONE(file->creation = H5Pcreate(H5P_DATASET_CREATE), path, "data sets");
    COLA_H5_TRY_DONE(H5Pset_alloc_time(file->creation, H5D_ALLOC_TIME_EARLY), path, "data sets");
    COLA_H5_TRY_DONE(H5Pset_fill_time(file->creation, H5D_FILL_TIME_NEVER), path, "data sets");
    COLA_H5_TRY_DONE(H5Pset_obj_track_times(file->creation, 0), path,
                     "data sets"); /* same inputs, same bytes */
    COLA_H5_TRY_DONE(file->links = H5Pcreate(H5P_LINK_CREATE), path, "groups");
    COLA_H5_TRY_DONE(H5Pset_create_intermediate_group(file->links, 1), path, "groups");
done:
    return status;
}

enum cola_status cola_new_file_open(const char *path, uint32_t n_columns, struct cola_new_file *file)
{
    *file = (struct cola_new_file){.path = path, .fd = -1, .n_columns = n_columns};
    file->structure = file->creation = file->links = -1;
    COLA_TRY(cola_alloc(&file->block, COLA_NEW_FILE_BLOCK, 1, "a file"));
    COLA_TRY(cola_alloc((void **)&file->extent, n_columns, sizeof *file->extent, "a file"));
    COLA_TRY(cola_file_temporary(path, &file->temporary, &file->fd));
    COLA_TRY(cola_sparse_create(path, COLA_H5_BLOCK_BYTES, &file->sparse, &file->structure));
    return create_lists(file);
}

void cola_new_file_fini(struct cola_new_file *file)
{
    if (!file->block) return; /* never opened */
    if (file->links >= 0) H5Pclose(file->links);
    if (file->creation >= 0) H5Pclose(file->creation);
    if (file->structure >= 0) H5Fclose(file->structure);
    cola_sparse_fini(&file->sparse);
    if (file->fd >= 0) close(file->fd);
    if (file->temporary) unlink(file->temporary);
    free(file->temporary);
    free(file->extent);
    free(file->block);
    *file = (struct cola_new_file){0};
}

enum cola_status cola_new_file_column(struct cola_new_file *file, uint32_t column, const char *name,
                                      hid_t stored_type, unsigned rank, const hsize_t *size, uint64_t n_bytes)
{
    enum cola_status status = COLA_OK;
    hid_t space = -1, dataset = -1;
    COLA_H5_TRY_DONE(space = H5Screate_simple((int)rank, size, NULL), file->path, name);
    COLA_H5_TRY_DONE(dataset = H5Dcreate2(file->structure, name, stored_type, space, file->links,
                                          file->creation, H5P_DEFAULT),
                     file->path, name);
    if (n_bytes) {
        haddr_t at = H5Dget_offset(dataset); /* from the file's begin, the first block included */
        if (at == HADDR_UNDEF)
            status = cola_fail(COLA_ERR_LIBRARY, "%s: data set %s: HDF5 gave it no place", file->path, name);
        file->extent[column] = (struct cola_extent){at, n_bytes};
    }
done:
    if (dataset >= 0) H5Dclose(dataset);
    if (space >= 0) H5Sclose(space);
    return status;
}

enum cola_status cola_new_file_reserve(const struct cola_new_file *file)
{
    uint64_t end = COLA_H5_BLOCK_BYTES;
    for (uint32_t i = 0; i < file->n_columns; i++) {
        const struct cola_extent *e = &file->extent[i];
        if (e->n_bytes && e->at + e->n_bytes > end) end = e->at + e->n_bytes;
    }
    if (fallocate(file->fd, 0, 0, (off_t)end) == 0 || errno == EOPNOTSUPP || errno == ENOSYS ||
        errno == EINVAL)
        return COLA_OK;
    return cola_fail(COLA_ERR_IO, "%s: cannot be written: %s: no room for its %llu bytes", file->temporary,
                     strerror(errno), (unsigned long long)end);
}

/* --- reading and writing at a place ------------------------------------------------------------------- */

enum cola_status cola_new_file_write(const struct cola_new_file *file, const void *bytes, uint64_t n,
                                     uint64_t at)
{
    if (lseek(file->fd, (off_t)at, SEEK_SET) < 0)
        return cola_fail(COLA_ERR_IO, "%s: %s", file->temporary, strerror(errno));
    return cola_file_write(file->fd, file->temporary, bytes, n);
}

enum cola_status cola_new_file_read(const struct cola_new_file *file, void *to, uint64_t n, uint64_t at)
{
    char *bytes = to;
    while (n) {
        ssize_t some = pread(file->fd, bytes, n, (off_t)at);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0)
            return cola_fail(COLA_ERR_IO, "%s: cannot be read: %s", file->temporary,
                             some ? strerror(errno) : "it ends too soon");
        bytes += some;
        at += (uint64_t)some;
        n -= (uint64_t)some;
    }
    return COLA_OK;
}

/* --- the end ------------------------------------------------------------------------------------------ */

static enum cola_status copy_structure(const struct cola_new_file *file, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint64_t n = to - from < COLA_NEW_FILE_BLOCK ? to - from : COLA_NEW_FILE_BLOCK;
        cola_sparse_read(&file->sparse, from, n, file->block);
        COLA_TRY(cola_new_file_write(file, file->block, n, from));
        from += n;
    }
    return COLA_OK;
}

/* All that is no column's data: between columns in the order of their places, before and behind. */
static enum cola_status copy_between(const struct cola_new_file *file, uint64_t end)
{
    uint64_t at = COLA_H5_BLOCK_BYTES;
    while (at < end) {
        const struct cola_extent *next = NULL;
        for (uint32_t i = 0; i < file->n_columns; i++) {
            const struct cola_extent *e = &file->extent[i];
            if (e->n_bytes && e->at >= at && (!next || e->at < next->at)) next = e;
        }
        COLA_TRY(copy_structure(file, at, next ? next->at : end));
        at = next ? next->at + next->n_bytes : end;
    }
    return COLA_OK;
}

static enum cola_status store_structure(struct cola_new_file *file)
{
    char block[COLA_H5_BLOCK_BYTES];
    hid_t structure = file->structure;
    file->structure = -1;
    if (H5Fclose(structure) < 0)
        return cola_fail(COLA_ERR_LIBRARY, "%s: HDF5 cannot close its structure", file->path);
    COLA_TRY(copy_between(file, file->sparse.n_bytes));
    if (ftruncate(file->fd, (off_t)file->sparse.n_bytes) != 0 || lseek(file->fd, sizeof block, SEEK_SET) < 0)
        return cola_fail(COLA_ERR_IO, "%s: %s", file->temporary, strerror(errno));
    COLA_TRY(cola_h5_block_of_rest(file->fd, file->temporary, block));
    return cola_new_file_write(file, block, sizeof block, 0);
}

static enum cola_status rename_it(const struct cola_new_file *file)
{
    if (rename(file->temporary, file->path) == 0) return COLA_OK;
    return cola_fail(COLA_ERR_IO, "%s: cannot be renamed from %s: %s", file->path, file->temporary,
                     strerror(errno));
}

/* link fails where the name exists, which rename would not; some file systems have no links. */
static enum cola_status give_new_name(const struct cola_new_file *file)
{
    if (link(file->temporary, file->path) == 0) {
        unlink(file->temporary);
        return COLA_OK;
    }
    if (errno == EEXIST || access(file->path, F_OK) == 0)
        return cola_fail(COLA_ERR_USAGE, "%s: came into being while it was written, and is left as it is",
                         file->path);
    return rename_it(file);
}

enum cola_status cola_new_file_finish(struct cola_new_file *file, enum cola_new_file_name name)
{
    COLA_TRY(store_structure(file));
    if (fsync(file->fd) != 0)
        return cola_fail(COLA_ERR_IO, "%s: fsync: %s", file->temporary, strerror(errno));
    COLA_TRY(name == COLA_NEW_FILE_IS_NEW ? give_new_name(file) : rename_it(file));
    free(file->temporary);
    file->temporary = NULL;
    return cola_file_sync_directory(file->path);
}

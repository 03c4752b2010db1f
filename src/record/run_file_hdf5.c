/* run_file_hdf5.c - writes a run in pieces; see run_file.h.
 *
 * HDF5 lays out the file's structure in memory (sparse.h): every data set with its place but without its
 * data, a few KiB in all. The data go to those places of the temporary on the disk by our own writes, the
 * bytes between them are copied from the structure at the end. So a full disk or a lost mount is an errno of
 * ours and not a failed H5Fclose, which leaves the library with a file it can neither flush nor forget; and
 * the library never touches the disk, nor do its locks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/memory.h"
#include "record/attributes.h"
#include "record/files.h"
#include "record/run_file.h"
#include "record/sparse.h"

enum { BLOCK_BYTES = 256 << 10 };

struct cola_run_file {
    char *path, *temporary; /* temporary NULL: it has its name */
    int fd;
    struct cola_sparse sparse;
    hid_t structure;
    int32_t minor;
    uint64_t at[COLA_N_RUN_COLUMNS]; /* offset in the file; of columns with elements */
    uint64_t n[COLA_N_RUN_COLUMNS], n_done[COLA_N_RUN_COLUMNS];
    void *block; /* BLOCK_BYTES */
};

static uint64_t bytes_of(const struct cola_run_file *file, int column, uint64_t n)
{
    (void)file;
    return n * cola_h5_type_bytes(cola_run_schema[column].type);
}

/* --- reading and writing at a place ------------------------------------------------------------------- */

static enum cola_status write_at(const struct cola_run_file *file, const void *bytes, uint64_t n, uint64_t at)
{
    if (lseek(file->fd, (off_t)at, SEEK_SET) < 0)
        return cola_fail(COLA_ERR_IO, "%s: %s", file->temporary, strerror(errno));
    return cola_file_write(file->fd, file->temporary, bytes, n);
}

static enum cola_status read_at(const struct cola_run_file *file, void *to, uint64_t n, uint64_t at)
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

/* --- the structure ------------------------------------------------------------------------------------ */

/* Early allocation gives a data set its place at once; nothing is filled in. */
static enum cola_status create_lists(hid_t *creation, hid_t *links, const char *path)
{
    enum cola_status status = COLA_OK;
    COLA_H5_TRY_DONE(*creation = H5Pcreate(H5P_DATASET_CREATE), path, "data sets");
    COLA_H5_TRY_DONE(H5Pset_alloc_time(*creation, H5D_ALLOC_TIME_EARLY), path, "data sets");
    COLA_H5_TRY_DONE(H5Pset_fill_time(*creation, H5D_FILL_TIME_NEVER), path, "data sets");
    COLA_H5_TRY_DONE(H5Pset_obj_track_times(*creation, 0), path, "data sets"); /* same inputs, same bytes */
    COLA_H5_TRY_DONE(*links = H5Pcreate(H5P_LINK_CREATE), path, "groups");
    COLA_H5_TRY_DONE(H5Pset_create_intermediate_group(*links, 1), path, "groups");
done:
    return status;
}

static enum cola_status create_column(struct cola_run_file *file, int column, hid_t creation, hid_t links)
{
    const struct cola_run_schema *schema = &cola_run_schema[column];
    enum cola_status status = COLA_OK;
    hid_t space = -1, dataset = -1;
    hsize_t n = file->n[column];
    COLA_H5_TRY_DONE(space = H5Screate_simple(1, &n, NULL), file->path, schema->name);
    COLA_H5_TRY_DONE(dataset = H5Dcreate2(file->structure, schema->name, cola_h5_stored_type(schema->type),
                                          space, links, creation, H5P_DEFAULT),
                     file->path, schema->name);
    if (n) {
        haddr_t at = H5Dget_offset(dataset); /* from the file's begin, the first block included */
        if (at == HADDR_UNDEF)
            status = cola_fail(COLA_ERR_LIBRARY, "%s: data set %s: HDF5 gave it no place", file->path,
                               schema->name);
        file->at[column] = at;
    }
done:
    if (dataset >= 0) H5Dclose(dataset);
    if (space >= 0) H5Sclose(space);
    return status;
}

static enum cola_status create_columns(struct cola_run_file *file)
{
    hid_t creation = -1, links = -1;
    enum cola_status status = create_lists(&creation, &links, file->path);
    for (int i = 0; status == COLA_OK && i < COLA_N_RUN_COLUMNS; i++)
        if (cola_run_schema[i].since <= file->minor) status = create_column(file, i, creation, links);
    if (links >= 0) H5Pclose(links);
    if (creation >= 0) H5Pclose(creation);
    return status;
}

/* Found before anything is copied, where the file system can tell. */
static enum cola_status reserve(const struct cola_run_file *file)
{
    uint64_t end = COLA_H5_BLOCK_BYTES;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        if (file->n[i] && file->at[i] + bytes_of(file, i, file->n[i]) > end)
            end = file->at[i] + bytes_of(file, i, file->n[i]);
    if (fallocate(file->fd, 0, 0, (off_t)end) == 0 || errno == EOPNOTSUPP || errno == ENOSYS ||
        errno == EINVAL)
        return COLA_OK;
    return cola_fail(COLA_ERR_IO, "%s: cannot be written: %s: no room for the run's %llu bytes",
                     file->temporary, strerror(errno), (unsigned long long)end);
}

enum cola_status cola_run_file_create(const char *path, int32_t minor,
                                      const uint64_t n_items[COLA_N_RUN_COLUMNS], struct cola_run_file **out)
{
    struct cola_run_file *file = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_alloc((void **)&file, 1, sizeof *file, "run"));
    file->fd = -1;
    file->structure = -1;
    file->minor = minor;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        file->n[i] = cola_run_schema[i].since <= minor ? n_items[i] : 0;
    file->path = strdup(path);
    if (!file->path) {
        status = cola_fail(COLA_ERR_MEMORY, "%s: out of memory", path);
        goto done;
    }
    COLA_TRY_DONE(cola_alloc(&file->block, BLOCK_BYTES, 1, "run"));
    COLA_TRY_DONE(cola_file_temporary(path, &file->temporary, &file->fd));
    COLA_TRY_DONE(cola_sparse_create(path, COLA_H5_BLOCK_BYTES, &file->sparse, &file->structure));
    COLA_TRY_DONE(create_columns(file));
    COLA_TRY_DONE(reserve(file));
    *out = file;
    file = NULL;
done:
    cola_run_file_close(file);
    return status;
}

void cola_run_file_close(struct cola_run_file *file)
{
    if (!file) return;
    if (file->structure >= 0) H5Fclose(file->structure);
    cola_sparse_fini(&file->sparse);
    if (file->fd >= 0) close(file->fd);
    if (file->temporary) unlink(file->temporary);
    free(file->temporary);
    free(file->block);
    free(file->path);
    free(file);
}

/* --- pieces ------------------------------------------------------------------------------------------- */

static enum cola_status write_next(struct cola_run_file *file, int column, const void *items, uint64_t n)
{
    if (n > file->n[column] - file->n_done[column])
        return cola_fail(COLA_ERR_INPUT, "%s: data set %s: more elements than were counted: an input changed",
                         file->path, cola_run_schema[column].name);
    COLA_TRY(write_at(file, items, bytes_of(file, column, n),
                      file->at[column] + bytes_of(file, column, file->n_done[column])));
    file->n_done[column] += n;
    return COLA_OK;
}

/* The piece's offsets count from its own begin: what is there already comes before. Its first offset is the
 * last of the piece before it. */
static enum cola_status append_offsets(struct cola_run_file *file, int column,
                                       const struct cola_columns *piece)
{
    const struct cola_run_schema *schema = &cola_run_schema[column];
    const uint64_t *offset = piece->column[column].data;
    uint64_t *moved = file->block, most = BLOCK_BYTES / sizeof *moved, n = piece->column[column].n;
    uint64_t before = file->n_done[schema->shape == COLA_SHAPE_OFFSETS ? schema->into
                                                                       : (int)cola_rows_column[schema->into]];
    for (uint64_t i = file->n_done[column] ? 1 : 0; i < n;) {
        uint64_t k = n - i < most ? n - i : most;
        for (uint64_t j = 0; j < k; j++) moved[j] = offset[i + j] + before;
        COLA_TRY(write_next(file, column, moved, k));
        i += k;
    }
    return COLA_OK;
}

/* Offsets first: they need to know how many values there were before. */
enum cola_status cola_run_file_append(struct cola_run_file *file, const struct cola_columns *piece)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        enum cola_shape shape = cola_run_schema[i].shape;
        if (cola_run_schema[i].since > file->minor) continue;
        if (shape == COLA_SHAPE_OFFSETS || shape == COLA_SHAPE_FIRST)
            COLA_TRY(append_offsets(file, i, piece));
    }
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        enum cola_shape shape = cola_run_schema[i].shape;
        if (cola_run_schema[i].since > file->minor) continue;
        if (shape == COLA_SHAPE_COLUMN || shape == COLA_SHAPE_VALUES)
            COLA_TRY(write_next(file, i, piece->column[i].data, piece->column[i].n));
    }
    return COLA_OK;
}

/* --- the end ------------------------------------------------------------------------------------------ */

static enum cola_status hash_column(const struct cola_run_file *file, enum cola_run_column column,
                                    struct cola_hash *hash)
{
    uint64_t most = BLOCK_BYTES / bytes_of(file, (int)column, 1);
    cola_columns_hash_head(hash, column, file->n[column]);
    for (uint64_t i = 0; i < file->n[column]; i += most) {
        uint64_t n = file->n[column] - i < most ? file->n[column] - i : most;
        COLA_TRY(read_at(file, file->block, bytes_of(file, (int)column, n),
                         file->at[column] + bytes_of(file, (int)column, i)));
        cola_columns_hash_items(hash, column, file->block, n);
    }
    return COLA_OK;
}

/* Of what is in the file, not of what was meant to be. */
static enum cola_status compute_digest(const struct cola_run_file *file, const struct cola_fields *fields,
                                       char digest[COLA_HASH_TEXT])
{
    struct cola_hash *hash;
    COLA_TRY(cola_hash_create(&hash));
    enum cola_status status = cola_columns_hash_fields(hash, fields);
    for (int i = 0; status == COLA_OK && i < COLA_N_RUN_COLUMNS; i++)
        if (cola_columns_hashed((enum cola_run_column)i, file->minor))
            status = hash_column(file, (enum cola_run_column)i, hash);
    if (status == COLA_OK) cola_hash_text(hash, digest);
    cola_hash_destroy(hash);
    return status;
}

static enum cola_status copy_structure(const struct cola_run_file *file, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint64_t n = to - from < BLOCK_BYTES ? to - from : BLOCK_BYTES;
        cola_sparse_read(&file->sparse, from, n, file->block);
        COLA_TRY(write_at(file, file->block, n, from));
        from += n;
    }
    return COLA_OK;
}

/* All that is no column's data: between columns in the order of their places, before and behind. */
static enum cola_status copy_between(const struct cola_run_file *file, uint64_t end)
{
    uint64_t at = COLA_H5_BLOCK_BYTES;
    while (at < end) {
        int next = -1;
        for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
            if (file->n[i] && file->at[i] >= at && (next < 0 || file->at[i] < file->at[next])) next = i;
        COLA_TRY(copy_structure(file, at, next < 0 ? end : file->at[next]));
        at = next < 0 ? end : file->at[next] + bytes_of(file, next, file->n[next]);
    }
    return COLA_OK;
}

static enum cola_status store_structure(struct cola_run_file *file)
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
    return write_at(file, block, sizeof block, 0);
}

/* link fails where the name exists, which rename would not; some file systems have no links. */
static enum cola_status give_new_name(const struct cola_run_file *file)
{
    if (link(file->temporary, file->path) == 0) {
        unlink(file->temporary);
        return COLA_OK;
    }
    if (errno == EEXIST || access(file->path, F_OK) == 0)
        return cola_fail(COLA_ERR_USAGE, "%s: came into being while it was written, and is left as it is",
                         file->path);
    return rename(file->temporary, file->path) == 0
               ? COLA_OK
               : cola_fail(COLA_ERR_IO, "%s: cannot be renamed from %s: %s", file->path, file->temporary,
                           strerror(errno));
}

static enum cola_status give_name(struct cola_run_file *file, enum cola_run_file_name name)
{
    if (fsync(file->fd) != 0)
        return cola_fail(COLA_ERR_IO, "%s: fsync: %s", file->temporary, strerror(errno));
    if (name == COLA_RUN_FILE_IS_NEW)
        COLA_TRY(give_new_name(file));
    else if (rename(file->temporary, file->path) != 0)
        return cola_fail(COLA_ERR_IO, "%s: cannot be renamed from %s: %s", file->path, file->temporary,
                         strerror(errno));
    free(file->temporary);
    file->temporary = NULL;
    return cola_file_sync_directory(file->path);
}

enum cola_status cola_run_file_finish(struct cola_run_file *file, const struct cola_run_content *content,
                                      enum cola_run_file_name name, char digest[COLA_HASH_TEXT])
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        if (file->n_done[i] != file->n[i])
            return cola_fail(COLA_ERR_INPUT,
                             "%s: data set %s: fewer elements than were counted: an input changed",
                             file->path, cola_run_schema[i].name);
    COLA_TRY(compute_digest(file, content->fields, digest));
    struct cola_root root = {.filetype = COLA_RUN_FILETYPE,
                             .major = COLA_RUN_MAJOR,
                             .minor = file->minor,
                             .complete = content->complete,
                             .folded_sequence = content->folded_sequence,
                             .digest = digest,
                             .fields = content->fields};
    COLA_TRY(cola_root_write(file->structure, &root, file->path));
    COLA_TRY(store_structure(file));
    return give_name(file, name);
}

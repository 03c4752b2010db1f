/* cross_write_hdf5.c - x.h5 row by row, in any order of the samples, with no more than a row in memory.
 *
 * As for a merged run (merge_file_hdf5.c), HDF5 lays out the structure in memory (sparse.h); every data set
 * has its place and its size from the beginning, and the data go there by our own writes. So a full disk is
 * an errno of ours, and the library never touches the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/judge.h"
#include "cola/memory.h"
#include "record/columns.h"
#include "record/attributes.h"
#include "record/cross.h"
#include "record/files.h"
#include "record/sparse.h"

enum { BLOCK_BYTES = 256 << 10 };

struct cola_cross_writer {
    const char *path; /* the record's */
    char *temporary;  /* NULL: it has its name */
    int fd;
    struct cola_sparse sparse;
    hid_t structure;
    struct cola_cross_shape shape;
    uint64_t at[COLA_N_CROSS_COLUMNS]; /* offset in the file; of columns with elements */
    bool *written;                     /* [n_samples] */
    void *block;                       /* BLOCK_BYTES */
};

static uint64_t bytes_of(const struct cola_cross_writer *w, int column, uint64_t n_items)
{
    (void)w;
    return n_items * cola_h5_type_bytes(cola_cross_schema[column].type);
}

static uint64_t column_bytes(const struct cola_cross_writer *w, int column)
{
    if (!cola_cross_has(&w->shape, (enum cola_cross_column)column)) return 0;
    return bytes_of(w, column, cola_cross_items(&w->shape, (enum cola_cross_column)column));
}

static enum cola_status write_at(const struct cola_cross_writer *w, const void *bytes, uint64_t n,
                                 uint64_t at)
{
    const char *from = bytes;
    while (n) {
        ssize_t written = pwrite(w->fd, from, n, (off_t)at);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0)
            return cola_fail(COLA_ERR_IO, "%s: cannot be written: %s", w->temporary,
                             written ? strerror(errno) : "no space");
        from += written;
        at += (uint64_t)written;
        n -= (uint64_t)written;
    }
    return COLA_OK;
}

static enum cola_status read_at(const struct cola_cross_writer *w, void *to, uint64_t n, uint64_t at)
{
    char *bytes = to;
    while (n) {
        ssize_t some = pread(w->fd, bytes, n, (off_t)at);
        if (some < 0 && errno == EINTR) continue;
        if (some <= 0)
            return cola_fail(COLA_ERR_IO, "%s: cannot be read: %s", w->temporary,
                             some ? strerror(errno) : "it ends too soon");
        bytes += some;
        at += (uint64_t)some;
        n -= (uint64_t)some;
    }
    return COLA_OK;
}

/* --- the structure ------------------------------------------------------------------------------------ */

static enum cola_status create_column(struct cola_cross_writer *w, int column, hid_t creation, hid_t links)
{
    const struct cola_cross_schema *schema = &cola_cross_schema[column];
    enum cola_status status = COLA_OK;
    hid_t space = -1, dataset = -1;
    hsize_t size[3];
    unsigned rank = cola_cross_rank((enum cola_cross_column)column);
    for (unsigned i = 0; i < rank; i++) size[i] = w->shape.size[schema->dimension[i]];
    COLA_H5_TRY_DONE(space = H5Screate_simple((int)rank, size, NULL), w->path, schema->name);
    COLA_H5_TRY_DONE(dataset = H5Dcreate2(w->structure, schema->name, cola_h5_stored_type(schema->type),
                                          space, links, creation, H5P_DEFAULT),
                     w->path, schema->name);
    if (column_bytes(w, column)) {
        haddr_t at = H5Dget_offset(dataset); /* from the file's begin, the first block included */
        if (at == HADDR_UNDEF)
            status =
                cola_fail(COLA_ERR_LIBRARY, "%s: data set %s: HDF5 gave it no place", w->path, schema->name);
        w->at[column] = at;
    }
done:
    if (dataset >= 0) H5Dclose(dataset);
    if (space >= 0) H5Sclose(space);
    return status;
}

/* Early allocation gives a data set its place at once; nothing is filled in. */
static enum cola_status create_columns(struct cola_cross_writer *w)
{
    enum cola_status status = COLA_OK;
    hid_t creation = -1, links = -1;
    COLA_H5_TRY_DONE(creation = H5Pcreate(H5P_DATASET_CREATE), w->path, "data sets");
    COLA_H5_TRY_DONE(H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY), w->path, "data sets");
    COLA_H5_TRY_DONE(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER), w->path, "data sets");
    COLA_H5_TRY_DONE(H5Pset_obj_track_times(creation, 0), w->path, "data sets");
    COLA_H5_TRY_DONE(links = H5Pcreate(H5P_LINK_CREATE), w->path, "groups");
    COLA_H5_TRY_DONE(H5Pset_create_intermediate_group(links, 1), w->path, "groups");
    for (int i = 0; i < COLA_N_CROSS_COLUMNS; i++)
        if (cola_cross_has(&w->shape, (enum cola_cross_column)i))
            COLA_TRY_DONE(create_column(w, i, creation, links));
done:
    if (links >= 0) H5Pclose(links);
    if (creation >= 0) H5Pclose(creation);
    return status;
}

/* Found before anything is read, where the file system can tell. */
static enum cola_status reserve(const struct cola_cross_writer *w)
{
    uint64_t end = COLA_H5_BLOCK_BYTES;
    for (int i = 0; i < COLA_N_CROSS_COLUMNS; i++)
        if (column_bytes(w, i) && w->at[i] + column_bytes(w, i) > end) end = w->at[i] + column_bytes(w, i);
    if (fallocate(w->fd, 0, 0, (off_t)end) == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
        return COLA_OK;
    return cola_fail(COLA_ERR_IO, "%s: no room for the table's %llu bytes: %s", w->temporary,
                     (unsigned long long)end, strerror(errno));
}

/* --- columns of samples and chains -------------------------------------------------------------------- */

static enum cola_status write_samples(const struct cola_cross_writer *w, const struct cola_tasks *tasks)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < w->shape.size[COLA_CROSS_OF_SAMPLES]; i++) {
        const struct cola_sample *sample = cola_tasks_sample(tasks, i);
        struct cola_text id = cola_tasks_id(tasks, i);
        int32_t gold = cola_judge_gold(tasks, i);
        COLA_TRY(write_at(w, &i, 4, w->at[COLA_CROSS_INDEX] + 4ull * i));
        COLA_TRY(write_at(w, &gold, 4, w->at[COLA_CROSS_GOLD] + 4ull * i));
        COLA_TRY(write_at(w, &sample->n_candidates, 4, w->at[COLA_CROSS_N_CANDIDATES] + 4ull * i));
        COLA_TRY(write_at(w, &end, 8, w->at[COLA_CROSS_ID_OFFSETS] + 8ull * i));
        COLA_TRY(write_at(w, id.bytes, id.n_bytes, w->at[COLA_CROSS_ID_VALUES] + end));
        end += id.n_bytes;
    }
    return write_at(w, &end, 8, w->at[COLA_CROSS_ID_OFFSETS] + 8 * w->shape.size[COLA_CROSS_OF_SAMPLES]);
}

static enum cola_status write_chains(const struct cola_cross_writer *w, const struct cola_chain_set *chains)
{
    COLA_TRY(
        write_at(w, chains->layer, column_bytes(w, COLA_CROSS_LAYER_VALUES), w->at[COLA_CROSS_LAYER_VALUES]));
    return write_at(w, chains->offset, column_bytes(w, COLA_CROSS_LAYER_OFFSETS),
                    w->at[COLA_CROSS_LAYER_OFFSETS]);
}

enum cola_status cola_cross_writer_create(const struct cola_cross_record *record,
                                          struct cola_cross_writer **out)
{
    struct cola_cross_writer *w = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_alloc((void **)&w, 1, sizeof *w, "table"));
    w->path = record->path;
    w->shape = record->shape;
    w->fd = -1;
    w->structure = -1;
    COLA_TRY_DONE(cola_alloc(&w->block, BLOCK_BYTES, 1, "table"));
    COLA_TRY_DONE(
        cola_alloc((void **)&w->written, w->shape.size[COLA_CROSS_OF_SAMPLES], sizeof *w->written, "table"));
    COLA_TRY_DONE(cola_file_temporary(w->path, &w->temporary, &w->fd));
    COLA_TRY_DONE(cola_sparse_create(w->path, COLA_H5_BLOCK_BYTES, &w->sparse, &w->structure));
    COLA_TRY_DONE(create_columns(w));
    COLA_TRY_DONE(reserve(w));
    COLA_TRY_DONE(write_samples(w, record->tasks));
    COLA_TRY_DONE(write_chains(w, record->chains));
    *out = w;
    w = NULL;
done:
    cola_cross_writer_close(w);
    return status;
}

void cola_cross_writer_close(struct cola_cross_writer *w)
{
    if (!w) return;
    if (w->structure >= 0) H5Fclose(w->structure);
    cola_sparse_fini(&w->sparse);
    if (w->fd >= 0) close(w->fd);
    if (w->temporary) unlink(w->temporary);
    free(w->temporary);
    free(w->written);
    free(w->block);
    free(w);
}

/* --- rows --------------------------------------------------------------------------------------------- */

enum cola_status cola_cross_writer_row(struct cola_cross_writer *w, uint32_t sample,
                                       const struct cola_cross_row *row)
{
    const void *part[COLA_N_CROSS_COLUMNS] = {[COLA_CROSS_OUTCOME] = row->outcome,
                                              [COLA_CROSS_RIGHT] = row->right,
                                              [COLA_CROSS_PREDICTION] = row->prediction,
                                              [COLA_CROSS_SCORES] = row->score,
                                              [COLA_CROSS_TOKENS] = row->token};
    for (int i = COLA_CROSS_OUTCOME; i < COLA_N_CROSS_COLUMNS; i++) {
        uint64_t n = bytes_of(w, i, cola_cross_row_items(&w->shape, (enum cola_cross_column)i));
        if (part[i]) COLA_TRY(write_at(w, part[i], n, w->at[i] + n * sample));
    }
    w->written[sample] = true;
    return COLA_OK;
}

static enum cola_status write_missing(struct cola_cross_writer *w)
{
    struct cola_cross_row *empty;
    COLA_TRY(cola_cross_row_create(&w->shape, &empty));
    enum cola_status status = COLA_OK;
    for (uint32_t i = 0; status == COLA_OK && i < w->shape.size[COLA_CROSS_OF_SAMPLES]; i++)
        if (!w->written[i]) status = cola_cross_writer_row(w, i, empty);
    free(empty);
    return status;
}

/* --- the end ------------------------------------------------------------------------------------------ */

static enum cola_status hash_column(const struct cola_cross_writer *w, int column, struct cola_hash *hash)
{
    uint64_t n = column_bytes(w, column);
    cola_hash_string(hash, cola_cross_schema[column].name);
    cola_hash_string(hash, cola_h5_type_name(cola_cross_schema[column].type));
    cola_hash_u64(hash, cola_cross_items(&w->shape, (enum cola_cross_column)column));
    for (uint64_t i = 0; i < n;) {
        uint64_t some = n - i < BLOCK_BYTES ? n - i : BLOCK_BYTES;
        COLA_TRY(read_at(w, w->block, some, w->at[column] + i));
        cola_hash_bytes(hash, w->block, some);
        i += some;
    }
    return COLA_OK;
}

/* Of what is in the file, not of what was meant to be. */
static enum cola_status compute_digest(const struct cola_cross_writer *w, const struct cola_fields *fields,
                                       char digest[COLA_HASH_TEXT])
{
    struct cola_hash *hash;
    COLA_TRY(cola_hash_create(&hash));
    enum cola_status status = cola_columns_hash_fields(hash, fields);
    for (int i = 0; status == COLA_OK && i < COLA_N_CROSS_COLUMNS; i++)
        if (cola_cross_has(&w->shape, (enum cola_cross_column)i)) status = hash_column(w, i, hash);
    if (status == COLA_OK) cola_hash_text(hash, digest);
    cola_hash_destroy(hash);
    return status;
}

static enum cola_status copy_structure(const struct cola_cross_writer *w, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint64_t n = to - from < BLOCK_BYTES ? to - from : BLOCK_BYTES;
        cola_sparse_read(&w->sparse, from, n, w->block);
        COLA_TRY(write_at(w, w->block, n, from));
        from += n;
    }
    return COLA_OK;
}

/* All that is no column's data: between columns in the order of their places, before and behind. */
static enum cola_status copy_between(const struct cola_cross_writer *w, uint64_t end)
{
    uint64_t at = COLA_H5_BLOCK_BYTES;
    while (at < end) {
        int next = -1;
        for (int i = 0; i < COLA_N_CROSS_COLUMNS; i++)
            if (column_bytes(w, i) && w->at[i] >= at && (next < 0 || w->at[i] < w->at[next])) next = i;
        COLA_TRY(copy_structure(w, at, next < 0 ? end : w->at[next]));
        at = next < 0 ? end : w->at[next] + column_bytes(w, next);
    }
    return COLA_OK;
}

static enum cola_status store_structure(struct cola_cross_writer *w)
{
    char block[COLA_H5_BLOCK_BYTES];
    hid_t structure = w->structure;
    w->structure = -1;
    if (H5Fclose(structure) < 0)
        return cola_fail(COLA_ERR_LIBRARY, "%s: HDF5 cannot close its structure", w->path);
    COLA_TRY(copy_between(w, w->sparse.n_bytes));
    if (ftruncate(w->fd, (off_t)w->sparse.n_bytes) != 0 || lseek(w->fd, sizeof block, SEEK_SET) < 0)
        return cola_fail(COLA_ERR_IO, "%s: %s", w->temporary, strerror(errno));
    COLA_TRY(cola_h5_block_of_rest(w->fd, w->temporary, block));
    return write_at(w, block, sizeof block, 0);
}

static enum cola_status give_name(struct cola_cross_writer *w)
{
    if (fsync(w->fd) != 0) return cola_fail(COLA_ERR_IO, "%s: fsync: %s", w->temporary, strerror(errno));
    if (rename(w->temporary, w->path) != 0)
        return cola_fail(COLA_ERR_IO, "%s: cannot be renamed from %s: %s", w->path, w->temporary,
                         strerror(errno));
    free(w->temporary);
    w->temporary = NULL;
    return cola_file_sync_directory(w->path);
}

enum cola_status cola_cross_writer_finish(struct cola_cross_writer *w, const struct cola_fields *fields,
                                          bool complete, uint64_t sequence)
{
    char digest[COLA_HASH_TEXT];
    COLA_TRY(write_missing(w));
    COLA_TRY(compute_digest(w, fields, digest));
    struct cola_root root = {.filetype = COLA_CROSS_FILETYPE,
                             .major = COLA_CROSS_MAJOR,
                             .minor = COLA_CROSS_MINOR,
                             .complete = complete,
                             .folded_sequence = sequence,
                             .digest = digest,
                             .fields = fields};
    COLA_TRY(cola_root_write(w->structure, &root, w->path));
    COLA_TRY(store_structure(w));
    return give_name(w);
}

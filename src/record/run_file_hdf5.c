/* run_file_hdf5.c - writes a run in pieces; see run_file.h, and new_file.h for how the file comes to be. */
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "record/attributes.h"
#include "record/new_file.h"
#include "record/run_file.h"

struct cola_run_file {
    char *path;
    struct cola_new_file file;
    int32_t minor;
    uint64_t n[COLA_N_RUN_COLUMNS], n_done[COLA_N_RUN_COLUMNS];
};

static uint64_t bytes_of(const struct cola_run_file *file, int column, uint64_t n)
{
    (void)file;
    return n * cola_h5_type_bytes(cola_run_schema[column].type);
}

static enum cola_status create_columns(struct cola_run_file *file)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        const struct cola_run_schema *schema = &cola_run_schema[i];
        hsize_t n = file->n[i];
        if (schema->since <= file->minor)
            COLA_TRY(cola_new_file_column(&file->file, (uint32_t)i, schema->name,
                                          cola_h5_stored_type(schema->type), 1, &n, bytes_of(file, i, n)));
    }
    return COLA_OK;
}

enum cola_status cola_run_file_create(const char *path, int32_t minor,
                                      const uint64_t n_items[COLA_N_RUN_COLUMNS], struct cola_run_file **out)
{
    struct cola_run_file *file = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_alloc((void **)&file, 1, sizeof *file, "run"));
    file->minor = minor;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        file->n[i] = cola_run_schema[i].since <= minor ? n_items[i] : 0;
    file->path = strdup(path);
    if (!file->path) {
        status = cola_fail(COLA_ERR_MEMORY, "%s: out of memory", path);
        goto done;
    }
    COLA_TRY_DONE(cola_new_file_open(file->path, COLA_N_RUN_COLUMNS, &file->file));
    COLA_TRY_DONE(create_columns(file));
    COLA_TRY_DONE(cola_new_file_reserve(&file->file));
    *out = file;
    file = NULL;
done:
    cola_run_file_close(file);
    return status;
}

void cola_run_file_close(struct cola_run_file *file)
{
    if (!file) return;
    cola_new_file_fini(&file->file);
    free(file->path);
    free(file);
}

/* --- pieces ------------------------------------------------------------------------------------------- */

static enum cola_status write_next(struct cola_run_file *file, int column, const void *items, uint64_t n)
{
    if (n > file->n[column] - file->n_done[column])
        return cola_fail(COLA_ERR_INPUT, "%s: data set %s: more elements than were counted: an input changed",
                         file->path, cola_run_schema[column].name);
    COLA_TRY(
        cola_new_file_write(&file->file, items, bytes_of(file, column, n),
                            file->file.extent[column].at + bytes_of(file, column, file->n_done[column])));
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
    uint64_t *moved = file->file.block, most = COLA_NEW_FILE_BLOCK / sizeof *moved,
             n = piece->column[column].n;
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
    uint64_t most = COLA_NEW_FILE_BLOCK / bytes_of(file, (int)column, 1);
    cola_columns_hash_head(hash, column, file->n[column]);
    for (uint64_t i = 0; i < file->n[column]; i += most) {
        uint64_t n = file->n[column] - i < most ? file->n[column] - i : most;
        COLA_TRY(cola_new_file_read(&file->file, file->file.block, bytes_of(file, (int)column, n),
                                    file->file.extent[column].at + bytes_of(file, (int)column, i)));
        cola_columns_hash_items(hash, column, file->file.block, n);
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

enum cola_status cola_run_file_finish(struct cola_run_file *file, const struct cola_run_content *content,
                                      enum cola_new_file_name name, char digest[COLA_HASH_TEXT])
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
    COLA_TRY(cola_root_write(file->file.structure, &root, file->path));
    return cola_new_file_finish(&file->file, name);
}

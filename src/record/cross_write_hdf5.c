/* cross_write_hdf5.c - x.h5 row by row, in any order of the samples, with no more than a row in memory; see
 * new_file.h for how the file comes to be. */
#include <stdlib.h>
#include <string.h>

#include "cola/judge.h"
#include "cola/memory.h"
#include "record/attributes.h"
#include "record/columns.h"
#include "record/cross.h"
#include "record/new_file.h"

struct cola_cross_writer {
    struct cola_new_file file;
    struct cola_cross_shape shape;
    bool *written; /* [n_samples] */
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
                                 enum cola_cross_column column, uint64_t offset)
{
    return cola_new_file_write(&w->file, bytes, n, w->file.extent[column].at + offset);
}

static enum cola_status create_columns(struct cola_cross_writer *w)
{
    for (int i = 0; i < COLA_N_CROSS_COLUMNS; i++) {
        const struct cola_cross_schema *schema = &cola_cross_schema[i];
        unsigned rank = cola_cross_rank((enum cola_cross_column)i);
        hsize_t size[3];
        if (!cola_cross_has(&w->shape, (enum cola_cross_column)i)) continue;
        for (unsigned d = 0; d < rank; d++) size[d] = w->shape.size[schema->dimension[d]];
        COLA_TRY(cola_new_file_column(&w->file, (uint32_t)i, schema->name, cola_h5_stored_type(schema->type),
                                      rank, size, column_bytes(w, i)));
    }
    return COLA_OK;
}

/* --- columns of samples and chains -------------------------------------------------------------------- */

static enum cola_status write_samples(const struct cola_cross_writer *w, const struct cola_tasks *tasks)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < w->shape.size[COLA_CROSS_OF_SAMPLES]; i++) {
        const struct cola_sample *sample = cola_tasks_sample(tasks, i);
        struct cola_text id = cola_tasks_id(tasks, i);
        int32_t gold = cola_judge_gold(tasks, i);
        COLA_TRY(write_at(w, &i, 4, COLA_CROSS_INDEX, 4ull * i));
        COLA_TRY(write_at(w, &gold, 4, COLA_CROSS_GOLD, 4ull * i));
        COLA_TRY(write_at(w, &sample->n_candidates, 4, COLA_CROSS_N_CANDIDATES, 4ull * i));
        COLA_TRY(write_at(w, &end, 8, COLA_CROSS_ID_OFFSETS, 8ull * i));
        COLA_TRY(write_at(w, id.bytes, id.n_bytes, COLA_CROSS_ID_VALUES, end));
        end += id.n_bytes;
    }
    return write_at(w, &end, 8, COLA_CROSS_ID_OFFSETS, 8 * w->shape.size[COLA_CROSS_OF_SAMPLES]);
}

static enum cola_status write_choices(const struct cola_cross_writer *w, const struct cola_tasks *tasks)
{
    uint64_t end = 0, n = 0;
    for (uint32_t i = 0; i < w->shape.size[COLA_CROSS_OF_SAMPLES]; i++) {
        for (uint32_t c = 0; c < cola_tasks_sample(tasks, i)->n_candidates; c++) {
            struct cola_text text = cola_tasks_choice(tasks, i, c);
            COLA_TRY(write_at(w, &end, 8, COLA_CROSS_CHOICE_OFFSETS, 8 * n++));
            COLA_TRY(write_at(w, text.bytes, text.n_bytes, COLA_CROSS_CHOICE_VALUES, end));
            end += text.n_bytes;
        }
    }
    return write_at(w, &end, 8, COLA_CROSS_CHOICE_OFFSETS, 8 * n);
}

static enum cola_status write_chains(const struct cola_cross_writer *w, const struct cola_chain_set *chains)
{
    COLA_TRY(
        write_at(w, chains->layer, column_bytes(w, COLA_CROSS_LAYER_VALUES), COLA_CROSS_LAYER_VALUES, 0));
    return write_at(w, chains->offset, column_bytes(w, COLA_CROSS_LAYER_OFFSETS), COLA_CROSS_LAYER_OFFSETS,
                    0);
}

enum cola_status cola_cross_writer_create(const struct cola_cross_record *record,
                                          struct cola_cross_writer **out)
{
    struct cola_cross_writer *w = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_alloc((void **)&w, 1, sizeof *w, "table"));
    w->shape = record->shape;
    COLA_TRY_DONE(
        cola_alloc((void **)&w->written, w->shape.size[COLA_CROSS_OF_SAMPLES], sizeof *w->written, "table"));
    COLA_TRY_DONE(cola_new_file_open(record->path, COLA_N_CROSS_COLUMNS, &w->file));
    COLA_TRY_DONE(create_columns(w));
    COLA_TRY_DONE(cola_new_file_reserve(&w->file));
    COLA_TRY_DONE(write_samples(w, record->tasks));
    COLA_TRY_DONE(write_choices(w, record->tasks));
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
    cola_new_file_fini(&w->file);
    free(w->written);
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
        if (part[i]) COLA_TRY(write_at(w, part[i], n, (enum cola_cross_column)i, n * sample));
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
        uint64_t some = n - i < COLA_NEW_FILE_BLOCK ? n - i : COLA_NEW_FILE_BLOCK;
        COLA_TRY(cola_new_file_read(&w->file, w->file.block, some, w->file.extent[column].at + i));
        cola_hash_bytes(hash, w->file.block, some);
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
    COLA_TRY(cola_root_write(w->file.structure, &root, w->file.path));
    return cola_new_file_finish(&w->file, COLA_NEW_FILE_REPLACES);
}

/* merge_input_hdf5.c - one input of a merge: checked once as a whole without holding its chains, then handed
 * out piece by piece. A piece is a short run of its own, so that the checks and the digest of columns.h hold
 * for it as they are. Knows nothing of other inputs. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cola/memory.h"
#include "record/merge.h"
#include "record/timing_workers.h"

enum {
    PIECE_SAMPLES = 1024,
    PIECE_CHAINS = 8192,    /* of about 230 bytes: 2 MiB */
    BLOCK_BYTES = 256 << 10 /* of a column, to hash or count it */
};

/* --- opening ------------------------------------------------------------------------------------------ */

static enum cola_status open_columns(struct cola_merge_input *input)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        input->dataset[i] = -1;
        input->n[i] = 0;
    }
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        if (cola_run_schema[i].since <= input->run->minor)
            COLA_TRY(cola_h5_column_open(&input->file, cola_run_schema[i].name, cola_run_schema[i].type,
                                         &input->dataset[i], &input->n[i]));
    return COLA_OK;
}

void cola_merge_input_close(struct cola_merge_input *input)
{
    if (!input->open) return;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        if (input->dataset[i] >= 0) H5Dclose(input->dataset[i]);
    cola_h5_close(&input->file);
    input->open = false;
}

void cola_merge_input_fini(struct cola_merge_input *input)
{
    cola_merge_input_close(input);
    cola_run_close(input->run);
    free(input->index);
    cola_columns_fini(&input->timing);
    *input = (struct cola_merge_input){0};
}

/* Opened by name again: the search that writes it may have replaced it, or somebody else. */
static enum cola_status check_same_file(const struct cola_merge_input *input)
{
    struct stat now;
    if (stat(input->path, &now) == 0 && now.st_dev == input->device && now.st_ino == input->inode &&
        now.st_size == input->n_bytes && now.st_mtim.tv_sec == input->changed.tv_sec &&
        now.st_mtim.tv_nsec == input->changed.tv_nsec)
        return COLA_OK;
    return cola_fail(COLA_ERR_INPUT, "%s: was changed or replaced while it was merged: merge again",
                     input->path);
}

enum cola_status cola_merge_input_open(struct cola_merge_input *input)
{
    hid_t access = -1;
    char why[200];
    if (input->open) return COLA_OK;
    COLA_TRY(check_same_file(input));
    COLA_TRY(cola_h5_access(&access));
    hid_t id = H5Fopen(input->path, H5F_ACC_RDONLY, access); /* its first block was compared before */
    H5Pclose(access);
    if (id < 0)
        return cola_fail(COLA_ERR_INPUT, "%s: cannot be opened again: %s", input->path,
                         cola_h5_why(why, sizeof why));
    enum cola_status status = cola_h5_take(id, input->path, &input->file);
    if (status != COLA_OK) {
        H5Fclose(id);
        return status;
    }
    input->open = true;
    return open_columns(input);
}

/* --- columns of an open input ------------------------------------------------------------------------- */

static enum cola_status read_items(const struct cola_merge_input *input, enum cola_run_column column,
                                   uint64_t first, uint64_t n, void *to)
{
    return cola_h5_column_read(&input->file, cola_run_schema[column].name, cola_run_schema[column].type,
                               input->dataset[column], first, n, to);
}

static enum cola_status read_offset(const struct cola_merge_input *input, enum cola_run_column column,
                                    uint64_t row, uint64_t *offset)
{
    *offset = 0;
    return input->dataset[column] < 0 ? COLA_OK : read_items(input, column, row, 1, offset);
}

static uint64_t rows_of(const struct cola_merge_input *input, enum cola_rows rows)
{
    return input->n[cola_rows_column[rows]];
}

static bool is_offsets(enum cola_run_column column)
{
    return cola_run_schema[column].shape == COLA_SHAPE_OFFSETS ||
           cola_run_schema[column].shape == COLA_SHAPE_FIRST;
}

/* The file's lengths fit together, and the offsets span what they point into. Between, each piece is checked.
 */
static enum cola_status check_lengths(const struct cola_merge_input *input)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        const struct cola_run_schema *schema = &cola_run_schema[i];
        if (input->dataset[i] < 0 || schema->shape == COLA_SHAPE_VALUES) continue;
        uint64_t n_rows = rows_of(input, schema->rows), first = 0, last = 0;
        bool offsets = is_offsets((enum cola_run_column)i);
        if (input->n[i] != n_rows + offsets)
            return cola_fail(COLA_ERR_INPUT, "%s: data set %s: expected %llu elements, found %llu",
                             input->path, schema->name, (unsigned long long)(n_rows + offsets),
                             (unsigned long long)input->n[i]);
        if (!offsets) continue;
        uint64_t end = schema->shape == COLA_SHAPE_OFFSETS ? input->n[schema->into]
                                                           : rows_of(input, (enum cola_rows)schema->into);
        COLA_TRY(read_offset(input, (enum cola_run_column)i, 0, &first));
        COLA_TRY(read_offset(input, (enum cola_run_column)i, n_rows, &last));
        if (first != 0 || last != end)
            return cola_fail(COLA_ERR_INPUT,
                             "%s: data set %s: expected 0 first and %llu last, found %llu and %llu",
                             input->path, schema->name, (unsigned long long)end, (unsigned long long)first,
                             (unsigned long long)last);
    }
    return COLA_OK;
}

/* --- checking an input as a whole --------------------------------------------------------------------- */

static enum cola_status hash_column(const struct cola_merge_input *input, enum cola_run_column column,
                                    struct cola_hash *hash, void *block)
{
    uint64_t most = BLOCK_BYTES / cola_h5_type_bytes(cola_run_schema[column].type);
    cola_columns_hash_head(hash, column, input->n[column]);
    for (uint64_t at = 0; at < input->n[column]; at += most) {
        uint64_t n = input->n[column] - at < most ? input->n[column] - at : most;
        COLA_TRY(read_items(input, column, at, n, block));
        cola_columns_hash_items(hash, column, block, n);
    }
    return COLA_OK;
}

static enum cola_status check_digest(const struct cola_merge_input *input)
{
    struct cola_hash *hash = NULL;
    void *block = NULL;
    char text[COLA_HASH_TEXT];
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_hash_create(&hash));
    COLA_TRY_DONE(cola_alloc(&block, BLOCK_BYTES, 1, "merge"));
    COLA_TRY_DONE(cola_columns_hash_fields(hash, &input->run->fields));
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        if (cola_columns_hashed((enum cola_run_column)i, input->run->minor))
            COLA_TRY_DONE(hash_column(input, (enum cola_run_column)i, hash, block));
    cola_hash_text(hash, text);
    if (strcmp(text, input->run->digest) != 0)
        status = cola_fail(COLA_ERR_INPUT,
                           "%s: content_digest: stored %.40s, but the content gives %s: the file was changed",
                           input->path, input->run->digest, text);
done:
    free(block);
    cola_hash_destroy(hash);
    return status;
}

static enum cola_status load_samples(struct cola_merge_input *input)
{
    uint8_t *finished = NULL;
    uint64_t n = rows_of(input, COLA_ROWS_SAMPLES);
    enum cola_status status = COLA_OK;
    if (n == 0 || n >= UINT32_MAX)
        return cola_fail(COLA_ERR_INPUT, "%s: has %llu samples: nothing to merge", input->path,
                         (unsigned long long)n);
    COLA_TRY(cola_alloc((void **)&input->index, n, sizeof *input->index, "merge"));
    COLA_TRY(read_items(input, COLA_SAMPLES_INDEX, 0, n, input->index));
    for (uint64_t i = 1; i < n; i++)
        if (input->index[i] <= input->index[i - 1])
            return cola_fail(COLA_ERR_INPUT, "%s: data set samples/index: row %llu does not ascend",
                             input->path, (unsigned long long)i);
    COLA_TRY(cola_alloc((void **)&finished, n, sizeof *finished, "merge"));
    COLA_TRY_DONE(read_items(input, COLA_SAMPLES_FINISHED, 0, n, finished));
    for (uint64_t i = 0; i < n; i++) input->n_finished += finished[i] == 1;
    input->n_samples = (uint32_t)n;
done:
    free(finished);
    return status;
}

static enum cola_status check_open_input(struct cola_merge_input *input)
{
    COLA_TRY(cola_run_load_attributes(input->run, &input->file));
    if (input->run->minor > COLA_RUN_MINOR)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "%s: version %d.%lld, this program merges up to %d.%d: use a "
                         "newer one",
                         input->path, COLA_RUN_MAJOR, (long long)input->run->minor, COLA_RUN_MAJOR,
                         COLA_RUN_MINOR);
    COLA_TRY(open_columns(input));
    COLA_TRY(check_lengths(input));
    COLA_TRY(check_digest(input));
    COLA_TRY(load_samples(input));
    return cola_merge_input_timing(input);
}

enum cola_status cola_merge_input_check(struct cola_merge_input *input, const char *path)
{
    struct stat about;
    input->path = path;
    COLA_TRY(cola_alloc((void **)&input->run, 1, sizeof *input->run, "merge"));
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) input->dataset[i] = -1;
    if (stat(path, &about) == 0) { /* else cola_h5_open says why not */
        input->device = about.st_dev;
        input->inode = about.st_ino;
        input->n_bytes = about.st_size;
        input->changed = about.st_mtim;
    }
    COLA_TRY(cola_h5_open(path, &input->file));
    input->open = true;
    enum cola_status status = check_open_input(input);
    cola_merge_input_close(input);
    return status == COLA_OK ? check_same_file(input) : status;
}

/* --- pieces ------------------------------------------------------------------------------------------- */

/* The offsets that say where the rows' values lie. */
static enum cola_run_column offsets_of(enum cola_run_column values)
{
    int i = 0;
    while (cola_run_schema[i].shape != COLA_SHAPE_OFFSETS || cola_run_schema[i].into != (int)values) i++;
    return (enum cola_run_column)i; /* the schema has one for each */
}

static enum cola_status extent_between(const struct cola_merge_input *input, enum cola_run_column offsets,
                                       const struct cola_merge_extent *rows, uint64_t most,
                                       struct cola_merge_extent *out)
{
    uint64_t begin, end;
    COLA_TRY(read_offset(input, offsets, rows->first, &begin));
    COLA_TRY(read_offset(input, offsets, rows->first + rows->n, &end));
    if (begin > end || end > most)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: data set %s: rows %llu to %llu end before they begin, or too late", input->path,
                         cola_run_schema[offsets].name, (unsigned long long)rows->first,
                         (unsigned long long)(rows->first + rows->n));
    *out = (struct cola_merge_extent){begin, end - begin};
    return COLA_OK;
}

enum cola_status cola_merge_extents(const struct cola_merge_input *input, uint32_t first, uint32_t n,
                                    struct cola_merge_extent extent[COLA_N_RUN_COLUMNS])
{
    struct cola_merge_extent rows[COLA_N_ROWS] = {[COLA_ROWS_SAMPLES] = {first, n}};
    COLA_TRY(extent_between(input, COLA_SAMPLES_CANDIDATE_OFFSETS, &rows[COLA_ROWS_SAMPLES],
                            rows_of(input, COLA_ROWS_CANDIDATES), &rows[COLA_ROWS_CANDIDATES]));
    COLA_TRY(extent_between(input, COLA_SAMPLES_CHAIN_OFFSETS, &rows[COLA_ROWS_SAMPLES],
                            rows_of(input, COLA_ROWS_CHAINS), &rows[COLA_ROWS_CHAINS]));
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        const struct cola_run_schema *schema = &cola_run_schema[i];
        const struct cola_merge_extent *of = &rows[schema->rows];
        if (schema->shape == COLA_SHAPE_VALUES)
            COLA_TRY(extent_between(input, offsets_of((enum cola_run_column)i), of, input->n[i], &extent[i]));
        else
            extent[i] = (struct cola_merge_extent){of->first, of->n + is_offsets((enum cola_run_column)i)};
    }
    return COLA_OK;
}

enum cola_status cola_merge_piece_samples(const struct cola_merge_input *input, uint32_t first, uint32_t n,
                                          uint32_t *n_piece)
{
    uint64_t offset[PIECE_SAMPLES + 1];
    uint32_t most = n < PIECE_SAMPLES ? n : PIECE_SAMPLES, take = 1;
    COLA_TRY(read_items(input, COLA_SAMPLES_CHAIN_OFFSETS, first, most + 1, offset));
    while (take < most && offset[take + 1] - offset[0] <= PIECE_CHAINS) take++;
    *n_piece = take;
    return COLA_OK;
}

/* Offsets of a file count from its begin, those of a piece from its own. */
static void count_from_own_begin(struct cola_columns *piece, enum cola_run_column column)
{
    uint64_t *offset = piece->column[column].data, begin = offset[0];
    for (size_t i = 0; i < piece->column[column].n; i++) offset[i] -= begin;
}

static enum cola_status load_column(const struct cola_merge_input *input, enum cola_run_column column,
                                    const struct cola_merge_extent *extent, struct cola_columns *piece)
{
    size_t item_bytes = cola_h5_type_bytes(cola_run_schema[column].type), n = (size_t)extent->n;
    COLA_TRY(cola_grow(&piece->column[column].data, &piece->column[column].room, n + 1, item_bytes,
                       cola_run_schema[column].name));
    piece->column[column].n = n;
    if (input->dataset[column] < 0) /* of a later minor version: rows without a value each */
        memset(piece->column[column].data, 0, n * item_bytes);
    else
        COLA_TRY(read_items(input, column, extent->first, n, piece->column[column].data));
    if (is_offsets(column)) count_from_own_begin(piece, column);
    return COLA_OK;
}

enum cola_status cola_merge_piece(const struct cola_merge_input *input, uint32_t first, uint32_t n,
                                  struct cola_columns *piece)
{
    struct cola_merge_extent extent[COLA_N_RUN_COLUMNS];
    COLA_TRY(cola_merge_extents(input, first, n, extent));
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        COLA_TRY(load_column(input, (enum cola_run_column)i, &extent[i], piece));
    enum cola_status status = cola_columns_check(piece, input->run->by_row, input->path);
    return status == COLA_OK
               ? status
               : cola_fail_in(status, "samples %u to %u, rows counted from there", first, first + n - 1);
}

/* --- sessions and workers ----------------------------------------------------------------------------- */

/* All of them at once: they are few. A piece without samples takes them, so that its checks are theirs. */
enum cola_status cola_merge_input_timing(struct cola_merge_input *input)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        bool taken = cola_timing_column((enum cola_run_column)i) && input->dataset[i] >= 0;
        struct cola_merge_extent extent = {
            0, taken ? input->n[i] : is_offsets((enum cola_run_column)i)}; /* no rows: the first offset */
        COLA_TRY(load_column(input, (enum cola_run_column)i, &extent, &input->timing));
    }
    return cola_columns_check(&input->timing, input->run->by_row, input->path);
}

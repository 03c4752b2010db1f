/* cross_read_hdf5.c - x.h5 read back: everything is checked before it is believed, the table stays on the
 * disk and is read by rows. */
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "record/columns.h"
#include "record/cross.h"

enum { DIGEST_BYTES = 1 << 20 }; /* read at once, or a row if that is more */

struct cola_cross {
    struct cola_h5 file;
    char *path, *digest;
    struct cola_cross_shape shape;
    struct cola_fields fields;
    struct cola_chain_set chains;
    int32_t *gold;
    hid_t dataset[COLA_N_CROSS_COLUMNS]; /* of tables; -1: not there */
    bool complete;
};

void cola_cross_close(struct cola_cross *c)
{
    if (!c) return;
    for (int i = 0; i < COLA_N_CROSS_COLUMNS; i++)
        if (c->dataset[i] >= 0) H5Dclose(c->dataset[i]);
    cola_h5_close(&c->file);
    cola_fields_fini(&c->fields);
    cola_chain_set_fini(&c->chains);
    free(c->gold);
    free(c->digest);
    free(c->path);
    free(c);
}

/* --- attributes --------------------------------------------------------------------------------------- */

static enum cola_status read_role(struct cola_cross *c, const char *list, enum cola_field_role role)
{
    char *keys = NULL, *rest = NULL;
    enum cola_status status = cola_h5_string(&c->file, list, &keys);
    for (char *key = keys ? strtok_r(keys, "\n", &rest) : NULL; status == COLA_OK && key;
         key = strtok_r(NULL, "\n", &rest)) {
        char *value = NULL;
        status = cola_h5_string(&c->file, key, &value);
        if (status == COLA_OK && !value)
            status = cola_fail(COLA_ERR_INPUT, "%s: no attribute %s", c->path, key);
        if (status == COLA_OK) status = cola_fields_add(&c->fields, key, value, role);
        free(value);
    }
    free(keys);
    return status;
}

static enum cola_status read_attributes(struct cola_cross *c)
{
    int64_t *complete = NULL;
    uint64_t n = 0;
    COLA_TRY(cola_h5_check_filetype(&c->file, COLA_CROSS_FILETYPE, COLA_CROSS_MAJOR));
    COLA_TRY(read_role(c, "identity_keys", COLA_FIELD_IDENTITY));
    COLA_TRY(read_role(c, "grows_keys", COLA_FIELD_GROWS));
    COLA_TRY(read_role(c, "provenance_keys", COLA_FIELD_PROVENANCE));
    COLA_TRY(cola_h5_string(&c->file, "content_digest", &c->digest));
    COLA_TRY(cola_h5_integers(&c->file, "complete", &complete, &n));
    bool there = complete && n == 1 && c->digest;
    if (there) c->complete = complete[0] != 0;
    free(complete);
    return there ? COLA_OK : cola_fail(COLA_ERR_INPUT, "%s: no digest, or not said if complete", c->path);
}

/* --- columns ------------------------------------------------------------------------------------------ */

static enum cola_status read_column(const struct cola_cross *c, enum cola_cross_column column, void **data,
                                    uint64_t *n)
{
    return cola_h5_read(&c->file, cola_cross_schema[column].name, cola_cross_schema[column].type, data, n);
}

/* The chains, each valid by itself, ascending: then every number of one means what the writer meant. */
static enum cola_status add_chains(struct cola_cross *c, const cola_layer *layer, uint64_t n_layers,
                                   const uint64_t *offset, uint64_t n_offsets)
{
    struct cola_chain last = {0};
    if (n_offsets < 2 || n_offsets - 1 > COLA_CHAIN_SET_MAX || offset[0] != 0 ||
        offset[n_offsets - 1] != n_layers)
        return cola_fail(COLA_ERR_INPUT, "%s: chains/layer_offsets do not fit", c->path);
    for (uint64_t i = 0; i + 1 < n_offsets; i++) {
        uint64_t n = offset[i + 1] - offset[i];
        if (offset[i + 1] <= offset[i] || offset[i + 1] > n_layers || n > COLA_CHAIN_MAX(COLA_LAYERS_MAX))
            return cola_fail(COLA_ERR_INPUT, "%s: chain %llu: offsets are wrong", c->path,
                             (unsigned long long)i);
        struct cola_chain chain = {layer + offset[i], (uint32_t)n};
        if (i > 0 && cola_chain_compare(&last, &chain) >= 0)
            return cola_fail(COLA_ERR_INPUT, "%s: chain %llu is not behind the one before", c->path,
                             (unsigned long long)i);
        COLA_TRY(cola_chain_set_add(&c->chains, &chain));
        last = chain;
    }
    return COLA_OK;
}

static enum cola_status read_chains(struct cola_cross *c)
{
    void *layer = NULL, *offset = NULL;
    uint64_t n_layers = 0, n_offsets = 0;
    enum cola_status status = read_column(c, COLA_CROSS_LAYER_VALUES, &layer, &n_layers);
    if (status == COLA_OK) status = read_column(c, COLA_CROSS_LAYER_OFFSETS, &offset, &n_offsets);
    if (status == COLA_OK) status = add_chains(c, layer, n_layers, offset, n_offsets);
    free(layer);
    free(offset);
    c->shape.size[COLA_CROSS_OF_LAYERS] = n_layers;
    c->shape.size[COLA_CROSS_OF_CHAINS] = c->chains.n;
    c->shape.size[COLA_CROSS_OF_CHAINS_1] = c->chains.n + 1ull;
    return status;
}

static enum cola_status read_samples(struct cola_cross *c)
{
    void *gold = NULL;
    uint64_t n = 0, n_index = 0, n_ids = 0, n_bytes = 0, n_candidates = 0;
    static const enum cola_cross_column other[] = {COLA_CROSS_INDEX, COLA_CROSS_ID_OFFSETS,
                                                   COLA_CROSS_ID_VALUES, COLA_CROSS_N_CANDIDATES};
    uint64_t *count[] = {&n_index, &n_ids, &n_bytes, &n_candidates};
    COLA_TRY(read_column(c, COLA_CROSS_GOLD, &gold, &n));
    c->gold = gold;
    for (int i = 0; i < 4; i++) {
        hid_t dataset;
        COLA_TRY(cola_h5_column_open(&c->file, cola_cross_schema[other[i]].name,
                                     cola_cross_schema[other[i]].type, &dataset, count[i]));
        H5Dclose(dataset);
    }
    if (n == 0 || n >= UINT32_MAX || n_index != n || n_ids != n + 1 || n_candidates != n)
        return cola_fail(COLA_ERR_INPUT, "%s: samples/ has columns of unequal lengths", c->path);
    c->shape.size[COLA_CROSS_OF_SAMPLES] = n;
    c->shape.size[COLA_CROSS_OF_SAMPLES_1] = n + 1;
    c->shape.size[COLA_CROSS_OF_ID_BYTES] = n_bytes;
    return COLA_OK;
}

/* As many texts as candidates; none in a file of version 1.0. */
static enum cola_status read_choices(struct cola_cross *c)
{
    uint64_t *size = c->shape.size, n_all = 1, n_candidates = 0;
    void *candidates = NULL;
    hid_t dataset;
    if (H5Lexists(c->file.id, "texts", H5P_DEFAULT) <= 0) return COLA_OK;
    for (int i = COLA_CROSS_CHOICE_VALUES; i <= COLA_CROSS_CHOICE_OFFSETS; i++) {
        const struct cola_cross_schema *schema = &cola_cross_schema[i];
        COLA_TRY(
            cola_h5_column_open(&c->file, schema->name, schema->type, &dataset, &size[schema->dimension[0]]));
        H5Dclose(dataset);
    }
    COLA_TRY(read_column(c, COLA_CROSS_N_CANDIDATES, &candidates, &n_candidates));
    for (uint64_t i = 0; i < n_candidates; i++) n_all += ((const uint32_t *)candidates)[i];
    free(candidates);
    if (size[COLA_CROSS_OF_CHOICES_1] == n_all) return COLA_OK;
    return cola_fail(COLA_ERR_INPUT,
                     "%s: texts/choice_offsets has %llu entries, the samples' candidates ask for %llu",
                     c->path, (unsigned long long)size[COLA_CROSS_OF_CHOICES_1], (unsigned long long)n_all);
}

/* A table: [n, c] or [n, c, any], all of it stored in this file. */
static enum cola_status check_table(struct cola_cross *c, int column, hid_t dataset)
{
    const struct cola_cross_schema *schema = &cola_cross_schema[column];
    unsigned rank = cola_cross_rank((enum cola_cross_column)column);
    hsize_t size[3] = {0};
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset), list = H5Dget_create_plist(dataset);
    bool fits = space >= 0 && type >= 0 && list >= 0 &&
                H5Tequal(type, cola_h5_stored_type(schema->type)) > 0 &&
                H5Pget_layout(list) == H5D_CONTIGUOUS && H5Pget_external_count(list) == 0 &&
                H5Sget_simple_extent_ndims(space) == (int)rank &&
                H5Sget_simple_extent_dims(space, size, NULL) == (int)rank;
    if (list >= 0) H5Pclose(list);
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    fits = fits && size[0] == c->shape.size[COLA_CROSS_OF_SAMPLES] &&
           size[1] == c->shape.size[COLA_CROSS_OF_CHAINS] && size[2] < UINT32_MAX;
    if (fits && rank == 3) c->shape.size[schema->dimension[2]] = size[2];
    /* samples < 2^32, chains <= 2^24: a product of two fits 64 bits, and the third is bounded by division */
    uint64_t cells = size[0] * size[1] * cola_h5_type_bytes(schema->type), third = rank == 3 ? size[2] : 1;
    fits =
        fits && third && cells <= c->file.file_bytes / third && H5Dget_storage_size(dataset) == cells * third;
    return fits ? COLA_OK
                : cola_fail(COLA_ERR_INPUT, "%s: data set %s is not %s of %s", c->path, schema->name,
                            schema->shape, cola_h5_type_name(schema->type));
}

static enum cola_status open_table(struct cola_cross *c, int column)
{
    const char *name = cola_cross_schema[column].name;
    H5L_info_t info;
    bool there =
        H5Lexists(c->file.id, "results", H5P_DEFAULT) > 0 && H5Lexists(c->file.id, name, H5P_DEFAULT) > 0;
    if (!there && cola_cross_rank((enum cola_cross_column)column) == 3) return COLA_OK;
    bool hard = there && H5Lget_info(c->file.id, "results", &info, H5P_DEFAULT) >= 0 &&
                info.type == H5L_TYPE_HARD && H5Lget_info(c->file.id, name, &info, H5P_DEFAULT) >= 0 &&
                info.type == H5L_TYPE_HARD;
    if (!hard) return cola_fail(COLA_ERR_INPUT, "%s: no data set %s", c->path, name);
    c->dataset[column] = H5Dopen2(c->file.id, name, H5P_DEFAULT);
    if (c->dataset[column] < 0) return cola_fail(COLA_ERR_INPUT, "%s: %s cannot be opened", c->path, name);
    return check_table(c, column, c->dataset[column]);
}

static enum cola_status load(struct cola_cross *c, const char *path)
{
    c->path = strdup(path);
    if (!c->path) return cola_fail(COLA_ERR_MEMORY, "%s: out of memory", path);
    COLA_TRY(cola_h5_open(c->path, &c->file));
    COLA_TRY(read_attributes(c));
    COLA_TRY(read_samples(c));
    COLA_TRY(read_choices(c));
    COLA_TRY(read_chains(c));
    for (int i = COLA_CROSS_OUTCOME; i < COLA_N_CROSS_COLUMNS; i++) COLA_TRY(open_table(c, i));
    return COLA_OK;
}

enum cola_status cola_cross_open(const char *path, struct cola_cross **out)
{
    struct cola_cross *c;
    COLA_TRY(cola_alloc((void **)&c, 1, sizeof *c, "table"));
    for (int i = 0; i < COLA_N_CROSS_COLUMNS; i++) c->dataset[i] = -1;
    c->file.id = -1;
    enum cola_status status = load(c, path);
    if (status == COLA_OK)
        *out = c;
    else
        cola_cross_close(c);
    return status;
}

bool cola_cross_is(const char *path)
{
    struct cola_h5 file;
    if (cola_h5_open(path, &file) != COLA_OK) return false;
    bool is = cola_h5_check_filetype(&file, COLA_CROSS_FILETYPE, COLA_CROSS_MAJOR) == COLA_OK;
    cola_h5_close(&file);
    return is;
}

/* --- what is in it ------------------------------------------------------------------------------------ */

const struct cola_field *cola_cross_field(const struct cola_cross *c, uint32_t i)
{
    return i < c->fields.n ? &c->fields.item[i] : NULL;
}

const char *cola_cross_attribute(const struct cola_cross *c, const char *key)
{
    return cola_fields_value(&c->fields, key);
}

bool cola_cross_complete(const struct cola_cross *c)
{
    return c->complete;
}

uint32_t cola_cross_n_samples(const struct cola_cross *c)
{
    return (uint32_t)c->shape.size[COLA_CROSS_OF_SAMPLES];
}

const struct cola_chain_set *cola_cross_chains(const struct cola_cross *c)
{
    return &c->chains;
}

const int32_t *cola_cross_gold(const struct cola_cross *c)
{
    return c->gold;
}

static enum cola_status read_rows(const struct cola_cross *c, enum cola_cross_column column, uint64_t first,
                                  uint64_t n, void *to)
{
    const struct cola_cross_schema *schema = &cola_cross_schema[column];
    unsigned rank = cola_cross_rank(column);
    hsize_t from[3] = {first}, count[3] = {n};
    char why[200];
    if (!to || n == 0) return COLA_OK;
    for (unsigned i = 1; i < rank; i++) count[i] = c->shape.size[schema->dimension[i]];
    hid_t memory = H5Screate_simple((int)rank, count, NULL), space = H5Dget_space(c->dataset[column]);
    bool read =
        memory >= 0 && space >= 0 &&
        H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, count, NULL) >= 0 &&
        H5Dread(c->dataset[column], cola_h5_native_type(schema->type), memory, space, H5P_DEFAULT, to) >= 0;
    if (!read) cola_h5_why(why, sizeof why);
    if (space >= 0) H5Sclose(space);
    if (memory >= 0) H5Sclose(memory);
    return read ? COLA_OK
                : cola_fail(COLA_ERR_INPUT, "%s: data set %s: rows from %llu: %s", c->path, schema->name,
                            (unsigned long long)first, why);
}

enum cola_status cola_cross_rows(const struct cola_cross *c, uint32_t first, uint32_t n, uint8_t *outcome,
                                 uint8_t *right, int32_t *prediction)
{
    COLA_TRY(read_rows(c, COLA_CROSS_OUTCOME, first, n, outcome));
    COLA_TRY(read_rows(c, COLA_CROSS_RIGHT, first, n, right));
    return read_rows(c, COLA_CROSS_PREDICTION, first, n, prediction);
}

/* --- digest ------------------------------------------------------------------------------------------- */

static enum cola_status hash_table(const struct cola_cross *c, enum cola_cross_column column,
                                   struct cola_hash *hash)
{
    uint64_t row_bytes =
        cola_cross_row_items(&c->shape, column) * cola_h5_type_bytes(cola_cross_schema[column].type);
    uint64_t n = c->shape.size[COLA_CROSS_OF_SAMPLES], most = DIGEST_BYTES / row_bytes + 1;
    void *block;
    COLA_TRY(cola_alloc(&block, most < n ? most : n, row_bytes, "digest"));
    enum cola_status status = COLA_OK;
    for (uint64_t i = 0; status == COLA_OK && i < n; i += most) {
        uint64_t some = n - i < most ? n - i : most;
        status = read_rows(c, column, i, some, block);
        if (status == COLA_OK) cola_hash_bytes(hash, block, some * row_bytes);
    }
    free(block);
    return status;
}

static enum cola_status hash_column(const struct cola_cross *c, enum cola_cross_column column,
                                    struct cola_hash *hash)
{
    const struct cola_cross_schema *schema = &cola_cross_schema[column];
    void *data = NULL;
    uint64_t n = 0;
    cola_hash_string(hash, schema->name);
    cola_hash_string(hash, cola_h5_type_name(schema->type));
    cola_hash_u64(hash, cola_cross_items(&c->shape, column));
    if (column >= COLA_CROSS_OUTCOME) return hash_table(c, column, hash);
    COLA_TRY(read_column(c, column, &data, &n));
    cola_hash_bytes(hash, data, n * cola_h5_type_bytes(schema->type));
    free(data);
    return COLA_OK;
}

enum cola_status cola_cross_digest(const struct cola_cross *c, char text[COLA_HASH_TEXT])
{
    struct cola_hash *hash;
    char computed[COLA_HASH_TEXT];
    COLA_TRY(cola_hash_create(&hash));
    enum cola_status status = cola_columns_hash_fields(hash, &c->fields);
    for (int i = 0; status == COLA_OK && i < COLA_N_CROSS_COLUMNS; i++)
        if (i < COLA_CROSS_OUTCOME ? cola_cross_has(&c->shape, (enum cola_cross_column)i)
                                   : c->dataset[i] >= 0)
            status = hash_column(c, (enum cola_cross_column)i, hash);
    if (status == COLA_OK) cola_hash_text(hash, computed);
    cola_hash_destroy(hash);
    COLA_TRY(status);
    if (strcmp(computed, c->digest) != 0)
        return cola_fail(COLA_ERR_INPUT, "%s: content_digest is %s, the content's is %s: damaged or changed",
                         c->path, c->digest, computed);
    memcpy(text, computed, sizeof computed);
    return COLA_OK;
}

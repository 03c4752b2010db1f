/* digest.c - the content digest of a run: a hash over a canonical serialisation of fields and columns, as
 * docs/format-run.md says. It sees numbers, never how a file stores them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "record/columns.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the digest hashes numbers as they lie in memory");

static int by_key(const void *a, const void *b)
{
    return strcmp((*(const struct cola_field *const *)a)->key, (*(const struct cola_field *const *)b)->key);
}

enum cola_status cola_columns_hash_fields(struct cola_hash *hash, const struct cola_fields *fields)
{
    const struct cola_field **sorted = NULL;
    size_t n = 0;
    COLA_TRY(cola_alloc((void **)&sorted, fields->n, sizeof(const struct cola_field *), "digest"));
    for (size_t i = 0; i < fields->n; i++)
        if (fields->item[i].role != COLA_FIELD_PROVENANCE) sorted[n++] = &fields->item[i];
    qsort(sorted, n, sizeof *sorted, by_key);
    for (size_t i = 0; i < n; i++) {
        cola_hash_u64(hash, sorted[i]->role);
        cola_hash_string(hash, sorted[i]->key);
        cola_hash_string(hash, sorted[i]->value);
    }
    free(sorted);
    return COLA_OK;
}

/* Which of the many NaNs an operation gives is the processor's choice: all count as one. */
static void hash_f32(struct cola_hash *hash, const float *value, size_t n)
{
    static const uint32_t quiet_nan = 0x7FC00000u;
    size_t from = 0;
    for (size_t i = 0; i < n; i++)
        if (isnan(value[i])) {
            cola_hash_bytes(hash, value + from, (i - from) * sizeof *value);
            cola_hash_bytes(hash, &quiet_nan, sizeof quiet_nan);
            from = i + 1;
        }
    cola_hash_bytes(hash, value + from, (n - from) * sizeof *value);
}

static void hash_f64(struct cola_hash *hash, const double *value, size_t n)
{
    static const uint64_t quiet_nan = 0x7FF8000000000000u;
    for (size_t i = 0; i < n; i++)
        cola_hash_bytes(hash, isnan(value[i]) ? (const void *)&quiet_nan : (const void *)&value[i],
                        sizeof *value);
}

bool cola_columns_hashed(enum cola_run_column column, int64_t minor)
{
    return cola_run_schema[column].in_digest && cola_run_schema[column].since <= minor;
}

void cola_columns_hash_head(struct cola_hash *hash, enum cola_run_column column, uint64_t n)
{
    cola_hash_string(hash, cola_run_schema[column].name);
    cola_hash_string(hash, cola_h5_type_name(cola_run_schema[column].type));
    cola_hash_u64(hash, n);
}

void cola_columns_hash_items(struct cola_hash *hash, enum cola_run_column column, const void *items, size_t n)
{
    enum cola_h5_type type = cola_run_schema[column].type;
    if (n == 0) return;
    if (type == COLA_H5_F32)
        hash_f32(hash, items, n);
    else if (type == COLA_H5_F64)
        hash_f64(hash, items, n);
    else
        cola_hash_bytes(hash, items, n * cola_h5_type_bytes(type));
}

static void hash_column(struct cola_hash *hash, const struct cola_columns *columns,
                        enum cola_run_column column)
{
    cola_columns_hash_head(hash, column, columns->column[column].n);
    cola_columns_hash_items(hash, column, columns->column[column].data, columns->column[column].n);
}

enum cola_status cola_columns_digest(const struct cola_columns *columns, const struct cola_fields *fields,
                                     int minor, char text[COLA_HASH_TEXT])
{
    struct cola_hash *hash;
    COLA_TRY(cola_hash_create(&hash));
    enum cola_status status = cola_columns_hash_fields(hash, fields);
    for (int i = 0; status == COLA_OK && i < COLA_N_RUN_COLUMNS; i++)
        if (cola_columns_hashed((enum cola_run_column)i, minor))
            hash_column(hash, columns, (enum cola_run_column)i);
    if (status == COLA_OK) cola_hash_text(hash, text);
    cola_hash_destroy(hash);
    return status;
}

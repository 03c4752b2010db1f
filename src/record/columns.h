/* columns.h - a run's content in memory, one array a data set of the schema: what the fold fills, the writer
 * writes, the reader loads and the digest hashes. Knows no HDF5 file. */
#ifndef COLA_RECORD_COLUMNS_H
#define COLA_RECORD_COLUMNS_H

#include <stdint.h>

#include "cola/record.h"
#include "record/fields.h"
#include "record/schema.h"

struct cola_columns {
    struct {
        void *data; /* of the schema's type, host order */
        size_t n, room;
    } column[COLA_N_RUN_COLUMNS];
};

void cola_columns_fini(struct cola_columns *columns);
void cola_columns_clear(struct cola_columns *columns);           /* to no items at all; keeps its memory */
uint64_t cola_columns_bytes(const struct cola_columns *columns); /* of all items */

/* Appends n items of the column's type. */
enum cola_status cola_columns_append(struct cola_columns *columns, enum cola_run_column column,
                                     const void *items, size_t n);
/* Ends a row of a ragged column (or FIRST): appends the present length of what the offsets point into. Call
 * once before the first row. */
enum cola_status cola_columns_end_row(struct cola_columns *columns, enum cola_run_column offsets);

/* Adds the rows of `more` behind the last: both begin with the first offset, 0, and end with whole rows. */
enum cola_status cola_columns_join(struct cola_columns *columns, const struct cola_columns *more);

/* How many items the whole of several such parts has: begin with count_first, then count each part. */
void cola_columns_count_first(uint64_t n_items[COLA_N_RUN_COLUMNS]);
void cola_columns_count(const struct cola_columns *columns, uint64_t n_items[COLA_N_RUN_COLUMNS]);

/* One item, whose C type must be as large as the column's (asserted). */
#define COLA_COLUMNS_PUT(columns, which, ctype, value)                                                       \
    cola_columns_put((columns), (which), &(ctype){(ctype)(value)}, sizeof(ctype))
enum cola_status cola_columns_put(struct cola_columns *columns, enum cola_run_column column, const void *item,
                                  size_t n_bytes);

/* Whether targets and predictions are rows of tasks.h5 (generated answers without choices) instead of
 * candidates (judge.h). COLA_ERR_INPUT: score generate without a grader that is known. */
enum cola_status cola_columns_by_row(const struct cola_fields *fields, const char *path, bool *by_row);

/* Lengths, offsets, and every value that something indexes with: after this no access by the format's rules
 * leaves an array. COLA_ERR_INPUT names path and data set. */
enum cola_status cola_columns_check(const struct cola_columns *columns, bool by_row, const char *path);

size_t cola_columns_rows(const struct cola_columns *columns, enum cola_rows rows);
const uint64_t *cola_columns_offsets(const struct cola_columns *columns, enum cola_run_column column);

/* The content digest (docs/format-run.md) of a file of this minor version: of the columns that it has and the
 * identity and grows fields. */
enum cola_status cola_columns_digest(const struct cola_columns *columns, const struct cola_fields *fields,
                                     int minor, char text[COLA_HASH_TEXT]);

/* The same in pieces, for content that is not in memory: the fields; then for each column of the schema that
 * is in the digest of this minor version, in order, a head and its items, in any number of pieces. */
enum cola_status cola_columns_hash_fields(struct cola_hash *hash, const struct cola_fields *fields);
bool cola_columns_hashed(enum cola_run_column column, int64_t minor);
void cola_columns_hash_head(struct cola_hash *hash, enum cola_run_column column, uint64_t n);
void cola_columns_hash_items(struct cola_hash *hash, enum cola_run_column column, const void *items,
                             size_t n);

#endif

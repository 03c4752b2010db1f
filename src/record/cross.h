/* cross.h - the parts behind cross_record.h, shared by its files and nobody else.
 *
 *     cross_schema.c       the table of x.h5's data sets
 *     cross_record.c       the journal: open, resume, what is known, what is appended
 *     cross_fields.c       what a table says of itself, and whether another may go on with it
 *     cross_fold.c         journal -> rows
 *     cross_write_hdf5.c   rows -> x.h5
 *     cross_read_hdf5.c    x.h5 -> rows */
#ifndef COLA_RECORD_CROSS_H
#define COLA_RECORD_CROSS_H

#include "cola/cross_record.h"
#include "record/fields.h"
#include "record/journal.h"
#include "record/suspects.h"
#include "task/h5.h"

#define COLA_CROSS_FILETYPE "cola-cross"
enum { COLA_CROSS_MAJOR = 1, COLA_CROSS_MINOR = 1 };

enum cola_cross_column {
    COLA_CROSS_INDEX,
    COLA_CROSS_ID_VALUES,
    COLA_CROSS_ID_OFFSETS,
    COLA_CROSS_GOLD,
    COLA_CROSS_N_CANDIDATES,
    COLA_CROSS_CHOICE_VALUES,
    COLA_CROSS_CHOICE_OFFSETS,
    COLA_CROSS_LAYER_VALUES,
    COLA_CROSS_LAYER_OFFSETS,
    COLA_CROSS_OUTCOME,
    COLA_CROSS_RIGHT,
    COLA_CROSS_PREDICTION,
    COLA_CROSS_SCORES,
    COLA_CROSS_TOKENS
};
#define COLA_N_CROSS_COLUMNS 14

enum cola_cross_dimension {
    COLA_CROSS_OF_NOTHING,   /* behind the last */
    COLA_CROSS_OF_SAMPLES,   /* n */
    COLA_CROSS_OF_SAMPLES_1, /* n + 1 */
    COLA_CROSS_OF_CHAINS,    /* c */
    COLA_CROSS_OF_CHAINS_1,  /* c + 1 */
    COLA_CROSS_OF_ID_BYTES,
    COLA_CROSS_OF_CHOICE_BYTES,
    COLA_CROSS_OF_CHOICES_1, /* all samples' candidates + 1; 0: a file of version 1.0, without their texts */
    COLA_CROSS_OF_LAYERS,
    COLA_CROSS_OF_CANDIDATES,
    COLA_CROSS_OF_TOKENS
};
#define COLA_N_CROSS_DIMENSIONS 11

struct cola_cross_schema {
    const char *name; /* "group/name" */
    enum cola_h5_type type;
    enum cola_cross_dimension dimension[3];
    const char *shape, *meaning; /* as the page writes them */
};

extern const struct cola_cross_schema cola_cross_schema[COLA_N_CROSS_COLUMNS];

/* Sizes of a file. `size` by dimension; a column with details is there where its last size is not 0, texts
 * where they have offsets. */
struct cola_cross_shape {
    uint64_t size[COLA_N_CROSS_DIMENSIONS];
};
bool cola_cross_has(const struct cola_cross_shape *shape, enum cola_cross_column column);
/* Elements of one row of the first dimension, and of all. */
uint64_t cola_cross_row_items(const struct cola_cross_shape *shape, enum cola_cross_column column);
uint64_t cola_cross_items(const struct cola_cross_shape *shape, enum cola_cross_column column);
unsigned cola_cross_rank(enum cola_cross_column column);

/* --- record ------------------------------------------------------------------------------------------- */

struct cola_cross_record {
    char *path, *journal_path;
    const struct cola_tasks *tasks;
    const struct cola_chain_set *chains;
    enum cola_metric metric;
    struct cola_cross_shape shape;
    struct cola_fields fields;
    struct cola_journal *journal; /* NULL: x.h5 was whole before, or finish was called */
    uint64_t **known;             /* [n_samples]: a bit a chain; NULL: nothing is known, or all */
    uint32_t *n_left;             /* [n_samples] */
    uint64_t n_known;
    struct cola_suspects suspects;
    bool dirty, whole_before;
};

/* Fills record->fields from the setup, the tasks and a new id. */
enum cola_status cola_cross_fields(struct cola_cross_record *record, const struct cola_cross_setup *setup);
/* The table keeps its id and birthday, whoever goes on with it. */
enum cola_status cola_cross_inherit(struct cola_fields *ours, const struct cola_fields *stored);

/* --- rows --------------------------------------------------------------------------------------------- */

struct cola_cross_row { /* of one sample, in one block of memory; arrays by chain */
    uint8_t *outcome, *right;
    int32_t *prediction;
    float *score;   /* [n_chains, candidates], NULL without */
    int32_t *token; /* [n_chains, tokens], NULL without */
    uint32_t n_done;
};

/* Nothing evaluated; free with free(). */
enum cola_status cola_cross_row_create(const struct cola_cross_shape *shape, struct cola_cross_row **out);
uint64_t cola_cross_row_bytes(const struct cola_cross_shape *shape);

struct cola_cross_writer;

enum cola_status cola_cross_writer_create(const struct cola_cross_record *record,
                                          struct cola_cross_writer **out);
/* Any order, each sample once at most. */
enum cola_status cola_cross_writer_row(struct cola_cross_writer *writer, uint32_t sample,
                                       const struct cola_cross_row *row);
/* Rows that were not written count as not evaluated. Then the file has its name. */
enum cola_status cola_cross_writer_finish(struct cola_cross_writer *writer, const struct cola_fields *fields,
                                          bool complete, uint64_t sequence);
void cola_cross_writer_close(struct cola_cross_writer *writer); /* unfinished: nothing stays; NULL allowed */

#endif

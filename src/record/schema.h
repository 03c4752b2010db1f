/* schema.h - the one table of run.h5's data sets: it feeds the writer, the reader, the digest, and the test
 * that compares it with docs/format-run.md. A change here changes the version, that page and the tests in the
 * same commit. */
#ifndef COLA_RECORD_SCHEMA_H
#define COLA_RECORD_SCHEMA_H

#include "task/h5.h"

#define COLA_RUN_FILETYPE "cola-run"
enum { COLA_RUN_MAJOR = 1, COLA_RUN_MINOR = 2 };

/* Sessions (processes that searched) and their workers belong to no sample. */
enum cola_rows {
    COLA_ROWS_SAMPLES,
    COLA_ROWS_CANDIDATES,
    COLA_ROWS_CHAINS,
    COLA_ROWS_SESSIONS,
    COLA_ROWS_WORKERS
};
#define COLA_N_ROWS 5

enum cola_shape {
    COLA_SHAPE_COLUMN,  /* one element a row */
    COLA_SHAPE_VALUES,  /* flat values of a ragged column; its offsets stand elsewhere in the table */
    COLA_SHAPE_OFFSETS, /* rows + 1 offsets into the values `into` */
    COLA_SHAPE_FIRST    /* rows + 1 offsets into the rows `into` of another kind */
};

enum cola_run_column {
    COLA_SAMPLES_INDEX,
    COLA_SAMPLES_ID_VALUES,
    COLA_SAMPLES_ID_OFFSETS,
    COLA_SAMPLES_GOLD,
    COLA_SAMPLES_TARGET,
    COLA_SAMPLES_FINISHED,
    COLA_SAMPLES_N_SIMULATIONS,
    COLA_SAMPLES_CANDIDATE_OFFSETS,
    COLA_SAMPLES_CHAIN_OFFSETS,
    COLA_CANDIDATES_N_BYTES,
    COLA_CANDIDATES_LABEL_VALUES,
    COLA_CANDIDATES_LABEL_OFFSETS,
    COLA_TEXTS_QUESTION_VALUES,
    COLA_TEXTS_QUESTION_OFFSETS,
    COLA_TEXTS_CHOICE_VALUES,
    COLA_TEXTS_CHOICE_OFFSETS,
    COLA_TEXTS_TARGET_VALUES,
    COLA_TEXTS_TARGET_OFFSETS,
    COLA_CHAINS_LAYER_VALUES,
    COLA_CHAINS_LAYER_OFFSETS,
    COLA_CHAINS_PARENT,
    COLA_CHAINS_DEPTH,
    COLA_CHAINS_EDIT_KIND,
    COLA_CHAINS_EDIT_POSITION,
    COLA_CHAINS_EDIT_BLOCK,
    COLA_CHAINS_EDIT_TIMES,
    COLA_CHAINS_SIMULATION,
    COLA_CHAINS_N_VISITS,
    COLA_CHAINS_TOTAL_REWARD,
    COLA_CHAINS_REWARD,
    COLA_CHAINS_PREDICTION,
    COLA_CHAINS_OUTCOME,
    COLA_CHAINS_ON_FRONT,
    COLA_SCORES_VALUES,
    COLA_SCORES_OFFSETS,
    COLA_SCORES_LOGSUMEXP,
    COLA_SCORES_ARGMAX,
    COLA_SCORES_TOKEN_VALUES,
    COLA_SCORES_TOKEN_OFFSETS,
    COLA_SCORES_ANSWER_VALUES,
    COLA_SCORES_ANSWER_OFFSETS,
    COLA_TIMING_SECONDS,
    COLA_TIMING_LAYERS_ASKED,
    COLA_TIMING_LAYERS_EXECUTED,
    COLA_TIMING_ROW_LAYERS,
    COLA_SESSIONS_SHARD,
    COLA_SESSIONS_NUMBER,
    COLA_SESSIONS_RUN_VALUES,
    COLA_SESSIONS_RUN_OFFSETS,
    COLA_SESSIONS_BEGAN,
    COLA_SESSIONS_SEARCH_S,
    COLA_SESSIONS_MASTER_CPU_S,
    COLA_SESSIONS_TREE_CPU_S,
    COLA_SESSIONS_N_EVALUATIONS,
    COLA_WORKERS_SESSION,
    COLA_WORKERS_RANK,
    COLA_WORKERS_HOST_VALUES,
    COLA_WORKERS_HOST_OFFSETS,
    COLA_WORKERS_DEVICE_VALUES,
    COLA_WORKERS_DEVICE_OFFSETS,
    COLA_WORKERS_BUSY_S,
    COLA_WORKERS_UTILISATION,
    COLA_WORKERS_N_EVALUATIONS,
    COLA_WORKERS_LAYERS_ASKED,
    COLA_WORKERS_LAYERS_EXECUTED,
    COLA_WORKERS_ROW_LAYERS_ASKED,
    COLA_WORKERS_ROW_LAYERS_EXECUTED,
    COLA_WORKERS_MEMORY_BYTES,
    COLA_WORKERS_STATE_BYTES
};
#define COLA_N_RUN_COLUMNS 69

struct cola_run_schema {
    const char *name; /* "group/name" */
    enum cola_h5_type type;
    enum cola_shape shape;
    enum cola_rows rows; /* of what there is one row each (VALUES: of its offsets) */
    int into;            /* OFFSETS: enum cola_run_column of the values; FIRST: enum cola_rows */
    bool in_digest;
    const char *dimension; /* as the page writes it: "[n+1]" */
    const char *meaning;
    int since; /* minor version that brought it: in files before that it is empty, and not in their digest */
};

extern const struct cola_run_schema cola_run_schema[COLA_N_RUN_COLUMNS];

/* The column whose length is the number of rows of each kind. */
extern const enum cola_run_column cola_rows_column[COLA_N_ROWS];

#endif

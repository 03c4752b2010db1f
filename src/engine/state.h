/* state.h - what an engine holds; shared by the files of this folder only.
 *
 *   engine.c    requests in, results out          sequence.c  how a sample becomes packed rows
 *   plan.c      which layer next, which jobs      layer.c     one layer over a batch of rows
 *   score.c     head and scores of finished jobs  weights.c   the model on the device        rope.c  rotary
 * table
 */
#ifndef COLA_ENGINE_STATE_H
#define COLA_ENGINE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/engine.h"
#include "engine/backend.h"

/* One request in flight. Its rows are the packed sequence: the prompt, then of each continuation all tokens
 * but the last (nothing attends to that one). Rows n_prompt-1 .. n_rows-1 are the ones that are scored. */
struct job {
    uint64_t id;
    const struct cola_sample *sample; /* borrowed until the result is out */
    cola_layer *chain;                /* [n_layers] */
    uint32_t n_layers, at;            /* at: next chain position to execute */
    uint32_t n_rows;
    uint32_t *row;          /* [n_rows] rows of the hidden arena */
    uint64_t waiting_since; /* the engine's step count when it began to wait for chain[at] */
    double submitted_s;
    bool used;
};

struct layer_weights {
    struct cola_matrix *matrix[COLA_N_WEIGHTS]; /* NULL for vectors and weights that are not there */
    float *vector[COLA_N_WEIGHTS];              /* device; NULL for matrices */
};

struct weights {
    struct layer_weights *layer; /* [L] */
    const struct cola_tensor *embedding;
    float *final_norm; /* device [D] */
    struct cola_matrix *head;
    uint64_t n_bytes;
};

struct arena { /* hidden rows of all jobs, [n_rows, D] on the device */
    float *hidden;
    uint32_t n_rows;
    uint32_t *free_row; /* [n_free] a stack */
    uint32_t n_free;
};

/* Batch buffers on the device for n_rows rows, and their host tables. */
struct scratch {
    uint32_t n_rows, n_spans_room;
    float *x, *y;                                    /* [N, D] residual rows, normed rows */
    float *live_x, *live_y;                          /* [N, D] of the rows that go on after attention */
    float *q, *attended;                             /* [N, H*d] */
    float *k, *v;                                    /* [N, G*d] */
    float *gate, *up;                                /* [N, F] */
    float *logits;                                   /* [COLA_HEAD_ROWS, V] */
    uint32_t *row, *position, *live, *live_position; /* host [N] */
    int32_t *token;                                  /* host [N] */
    struct cola_span *span;                          /* host [n_spans_room] */
};

enum {
    COLA_HEAD_ROWS = 64
}; /* rows of the head at a time: 64 * 49152 * 4 B = 12 MiB of logits for SmolLM2 */

struct cola_engine {
    const struct cola_model *model; /* borrowed */
    const struct cola_model_config *config;
    const struct cola_backend *backend;
    struct cola_device *device;
    struct weights weights;
    struct arena arena;
    struct scratch scratch;
    float *rope; /* device [n_positions, d] */
    uint32_t n_positions;
    struct job *job;      /* [max_requests] */
    uint32_t *batch;      /* [max_requests] jobs of the present step */
    uint32_t *layer_rows; /* [L] rows waiting, rebuilt by plan.c */
    uint32_t max_requests, max_rows, n_pending;
    uint64_t step;
    struct cola_engine_counters counters;
};

/* weights.c: loads every weight onto the device; destroy releases what is there. */
enum cola_status cola_weights_load(struct cola_engine *e);
void cola_weights_release(struct cola_engine *e);

/* rope.c: makes e->rope cover positions 0 .. n_positions-1. */
enum cola_status cola_rope_cover(struct cola_engine *e, uint32_t n_positions);
/* Host table of positions first .. first+n-1, [n, d]: d/2 cosines then d/2 sines. docs/numerics.md, "Rotary
 * table" */
void cola_rope_table(const struct cola_model_config *config, uint32_t first, uint32_t n, float *table);

/* sequence.c: the packed sequence of a sample. */
uint32_t cola_sequence_rows(const struct cola_sample *sample);
void cola_sequence_fill(const struct cola_sample *sample, int32_t *token,
                        uint32_t *position); /* [rows]; either NULL */
uint32_t cola_sequence_max_spans(const struct cola_sample *sample);
/* Spans of one job whose key rows begin at `key_base` of the batch and whose query rows begin at
 * `query_base`: all rows, or with `last` only the scored ones. Returns their number. */
uint32_t cola_sequence_spans(const struct cola_sample *sample, uint32_t key_base, uint32_t query_base,
                             bool last, struct cola_span *span);

/* plan.c: fills e->batch with jobs that wait for one layer; returns their number (0: nothing waits). */
uint32_t cola_plan_next(struct cola_engine *e, cola_layer *layer);

/* layer.c: executes `layer` for the batch's jobs and advances them. */
enum cola_status cola_layer_execute(struct cola_engine *e, cola_layer layer, uint32_t n_jobs);
enum cola_status cola_scratch_cover(struct cola_engine *e, uint32_t n_rows, uint32_t n_spans);
void cola_scratch_release(struct cola_engine *e);
/* The back end's product with its time and operations counted. */
enum cola_status cola_engine_product(struct cola_engine *e, const float *x, const struct cola_matrix *matrix,
                                     uint32_t n_rows, uint32_t n_in, uint32_t n_out, bool add, float *out);

/* score.c: head and scores of one job whose chain is done; hands the result to `done`. */
enum cola_status cola_score_job(struct cola_engine *e, struct job *job, cola_result_fn *done, void *user);

#endif

/* state.h - what an engine holds; shared by the files of this folder only.
 *
 *   engine.c    create, step, what it tells       admit.c     requests checked, begun when memory allows
 *   plan.c      which layer next, which jobs      layer.c     one layer over a batch of rows
 *   experts.c   a layer's experts                 scratch.c   the batch's buffers
 *   score.c     head and scores of jobs           generate.c  greedy tokens, pass by pass
 *   sequence.c  a sample as packed rows           arena.c     hidden rows of all jobs
 *   prefix.c    states that chains share          keys.c      stored keys, shared and counted
 *   memory.c    the bound on all of it            rope.c      the rotary table
 *   follow.c    requests that wait for others' states
 *   need.c      what a request needs alone        estimate.c  what create would allocate
 *   weights.c   the model on the device           phases.c    where the time goes
 */
#ifndef COLA_ENGINE_STATE_H
#define COLA_ENGINE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/engine.h"
#include "cola/shared_memory.h"
#include "engine/backend.h"
#include "engine/keys.h"
#include "engine/memory.h"
#include "engine/prefix.h"

/* An older job whose states a request waits for (follow.c). depth 0: none. */
struct leader {
    uint32_t slot, depth; /* in e->job; layers deep */
    uint64_t number;
};

/* One request in flight. A pass takes its rows through the whole chain, then to the head. The first pass has
 * the packed sequence: the prompt, then of each continuation all tokens but the last (nothing attends to that
 * one); its rows n_prompt-1 .. n_rows-1 are the ones that are scored. A generating job makes one more pass of
 * one row a token. */
struct job {
    uint64_t id, number;              /* the caller's; of its submission, for order */
    const struct cola_sample *sample; /* borrowed until the result is out */
    cola_layer *chain;                /* [n_layers] */
    uint32_t n_layers, at;            /* at: next chain position to execute; n_layers: waits for the head */
    uint32_t n_rows;                  /* of the present pass */
    uint32_t *row;                    /* [n_rows] rows of the hidden arena */
    int32_t *token;                   /* [sample->max_new_tokens] generated so far; NULL unless generating */
    uint32_t n_tokens;                /* 0: the first pass */
    struct cola_stored_keys **keys;   /* [n_layers] of the prompt, by chain position; NULL: not made yet */
    float *tail;                      /* device [n_layers, a store]: keys of generated tokens; or NULL */
    uint32_t tail_room;               /* positions of each */
    uint64_t promised_bytes;          /* that it will still allocate */
    uint64_t waiting_since;           /* the engine's step count when it began to wait for chain[at] */
    double submitted_s;
    uint32_t layers_executed;
    uint64_t row_layers;
    struct leader leader;
    bool used, begun; /* begun: has its rows; before that it waits for memory, or for its leader */
};

struct expert_weights {
    struct cola_matrix *gate, *up, *down;
};

struct layer_weights {
    struct cola_matrix *matrix[COLA_N_WEIGHTS]; /* NULL for vectors and weights that are not there */
    float *vector[COLA_N_WEIGHTS];              /* device; NULL for matrices */
    uint32_t width[COLA_N_WEIGHTS];             /* of a vector; of a matrix its outputs */
    struct expert_weights *expert;              /* [E]; NULL in a dense layer */
};

struct weights {
    struct layer_weights *layer; /* [L] */
    const struct cola_tensor *embedding;
    float *final_norm; /* device [D] */
    struct cola_matrix *head;
    void *room; /* of all matrices, [room_bytes]; NULL where the back end has them */
    uint64_t room_bytes;
    struct cola_shared_memory *shared; /* room is its bytes; NULL: pages of this engine */
    uint8_t *next;                     /* while loading: room of the next one */
    bool filled;                       /* another engine has packed them there */
    uint64_t n_bytes;                  /* room and vectors */
    double bytes_each;                 /* of one weight of a matrix, with the layout's padding */
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
    float *gate, *up;                                /* [N, widest feed-forward] */
    float *router;                                   /* [N, E] */
    float *mixed, *expert_x, *expert_y;              /* [N, D], only with experts */
    float *logits;                                   /* [COLA_HEAD_ROWS, V] */
    uint32_t *row, *position, *live, *live_position; /* host [N] */
    int32_t *token;                                  /* host [N] */
    uint32_t *expert, *expert_row;                   /* host [N, n_active], [N] */
    float *expert_weight, *expert_scale;             /* host [N, n_active], [N] */
    struct cola_span *span;                          /* host [n_spans_room] */
    struct cola_kept_keys *kept;                     /* host [n_spans_room], at most one a job */
};

enum {
    COLA_HEAD_ROWS = 64
}; /* rows of the head at a time: 64 * 49152 * 4 B = 12 MiB of logits for SmolLM2 */

enum {
    COLA_DEFAULT_ROWS = 512,          /* of a batch at most */
    COLA_LEAST_ROWS = COLA_HEAD_ROWS, /* where memory is short: the head takes as many anyway */
    COLA_DEFAULT_REQUESTS = 96
};

struct cola_engine {
    const struct cola_model *model; /* borrowed */
    const struct cola_model_config *config;
    const struct cola_backend *backend;
    struct cola_device *device;
    struct weights weights;
    struct arena arena;
    struct scratch scratch;
    struct cola_prefixes prefixes;
    struct cola_memory memory;
    float *rope; /* device [n_positions, d] */
    uint32_t n_positions;
    struct job *job;      /* [max_requests] */
    uint32_t *batch;      /* [max_requests] jobs of the present step */
    uint32_t *layer_rows; /* [L + 1] rows waiting, the head's last; rebuilt by plan.c */
    uint32_t max_requests, max_rows;
    struct cola_weight_sharing sharing;
    uint32_t n_embedded;         /* rows read of the embedding since its pages left */
    uint32_t n_pending, n_begun; /* jobs; of those, begun */
    uint64_t step, n_submitted;
    enum cola_phase phase; /* the present one, since when */
    double phase_since_s;
    struct cola_engine_counters counters;
};

/* engine.c: an engine of this model with its back end open, no weight loaded and nothing bounded yet. */
enum cola_status cola_engine_open(const struct cola_model *model, const struct cola_engine_options *options,
                                  struct cola_engine **out);

/* need.c: bytes of a request itself; with all that is held while nothing else is in flight, batches of
 * max_rows rows among it. A function of the model, back end and arguments alone: never of what came before.
 */
uint64_t cola_need_own(const struct cola_engine *e, const struct cola_engine_demand *demand);
uint64_t cola_need_alone(const struct cola_engine *e, const struct cola_engine_demand *demand,
                         uint32_t max_rows);
uint32_t cola_need_positions(const struct cola_engine_demand *demand);
/* COLA_ERR_MEMORY with the arithmetic where that is more than the limit. */
enum cola_status cola_need_check(const struct cola_engine *e, const struct cola_engine_demand *demand);

/* engine.c: the limit of options, then the rows of a batch that fit in it beside weights and demand. */
enum cola_status cola_engine_bound(struct cola_engine *e, const struct cola_engine_options *options);

/* admit.c: begins submitted requests, oldest first, as far as memory allows. COLA_ERR_MEMORY: not even one
 * fits, though nothing else is in flight. */
enum cola_status cola_admit(struct cola_engine *e);
void cola_admit_release(struct cola_engine *e, struct job *job); /* the job is over */

/* follow.c: whether the job, not begun, should wait for an older one's states. */
bool cola_follow_waits(const struct cola_engine *e, struct job *job);

/* arena.c: rows for a job (false: no memory), and all of them but the first n_kept back. */
enum cola_status cola_arena_take(struct cola_engine *e, struct job *job, bool *taken);
void cola_arena_give_back(struct cola_engine *e, struct job *job, uint32_t n_kept);
void cola_arena_release(struct cola_engine *e); /* all of it; no job has rows */
/* Fills the job's rows with the embeddings of `token` [job->n_rows]. */
enum cola_status cola_arena_embed(struct cola_engine *e, const struct job *job, const int32_t *token);

/* phases.c: what follows is charged to `phase`; returns the one before. */
enum cola_phase cola_phase_enter(struct cola_engine *e, enum cola_phase phase);
void cola_phase_count_product(struct cola_engine *e, uint32_t n_rows, double flops, double n_weights,
                              double seconds);

/* weights.c: what all weights take; loads every weight onto the device; release frees what is there. */
uint64_t cola_weights_bytes(const struct cola_engine *e);
enum cola_status cola_weights_load(struct cola_engine *e);
void cola_weights_release(struct cola_engine *e);

/* rope.c: makes e->rope cover positions 0 .. n_positions-1; bytes that this would allocate; of a table made
 * for as many. */
uint64_t cola_rope_bytes(const struct cola_engine *e, uint32_t n_positions);
void cola_rope_release(struct cola_engine *e);
uint64_t cola_rope_growth(const struct cola_engine *e, uint32_t n_positions);
enum cola_status cola_rope_cover(struct cola_engine *e, uint32_t n_positions);
/* Host table of positions first .. first+n-1, [n, d]: d/2 cosines then d/2 sines. docs/numerics.md, "Rotary
 * table" */
void cola_rope_table(const struct cola_model_config *config, uint32_t first, uint32_t n, float *table);

/* sequence.c: the packed sequence of a sample, the rows of a job's first pass. */
uint32_t cola_sequence_rows(const struct cola_sample *sample);
void cola_sequence_fill(const struct cola_sample *sample, int32_t *token,
                        uint32_t *position); /* [rows]; either NULL */
uint32_t cola_sequence_max_spans(const struct cola_sample *sample);
/* Spans of a first pass whose keys begin at `keys` (rows of `width` floats) and whose query rows begin at
 * `query_base` of the batch: all rows, or with `last` only the scored ones. Returns their number. */
uint32_t cola_sequence_spans(const struct cola_sample *sample, struct cola_keys keys, size_t width,
                             uint32_t query_base, bool last, struct cola_span *span);

/* plan.c: fills e->batch with jobs that wait for one layer, or for the head (*layer = L); returns their
 * number (0: nothing waits). */
uint32_t cola_plan_next(struct cola_engine *e, uint32_t *layer);

/* layer.c: executes `layer` for the batch's jobs and advances them. */
enum cola_status cola_layer_execute(struct cola_engine *e, uint32_t layer, uint32_t n_jobs);
/* The back end's product with its time and operations counted; n_out: columns of all products. */
enum cola_status cola_layer_product(struct cola_engine *e, const float *x, uint32_t n_rows, uint32_t n_in,
                                    uint32_t n_out, const struct cola_product *product, uint32_t n_products,
                                    bool add);

/* experts.c: live_x += the experts' mix of live_y; the layer has a router. */
enum cola_status cola_experts_execute(struct cola_engine *e, const struct layer_weights *w, uint32_t n_live,
                                      float *live_x, const float *live_y);

/* scratch.c: buffers for n_rows rows; what they take, or would take. */
uint64_t cola_scratch_bytes(const struct cola_engine *e, uint32_t n_rows);
enum cola_status cola_scratch_cover(struct cola_engine *e, uint32_t n_rows, uint32_t n_spans);
enum cola_status cola_scratch_shrink(struct cola_engine *e); /* to e->max_rows */
void cola_scratch_release(struct cola_engine *e);

/* score.c: head over the batch's jobs; hands the results of those that are done to `done`. */
enum cola_status cola_score_execute(struct cola_engine *e, uint32_t n_jobs, cola_result_fn *done, void *user);
/* Hands out a result with the job's id and cost filled in, then releases the job. */
enum cola_status cola_score_finish(struct cola_engine *e, struct job *job, struct cola_result *result,
                                   cola_result_fn *done, void *user);

/* generate.c: a job's host tables; then device room for the keys of what it will generate, and its bytes. */
enum cola_status cola_generate_begin(struct job *job);
enum cola_status cola_generate_open_tail(struct cola_engine *e, struct job *job);
uint64_t cola_generate_tail_bytes(const struct cola_engine *e, uint32_t n_layers, uint32_t n_answer_tokens);
void cola_generate_end(struct cola_engine *e, struct job *job);
/* Where the keys and values of a batch's rows first .. first+job->n_rows-1, made for chain position job->at,
 * are to be stored: for the first pass a new store, for a token the tail. */
enum cola_status cola_generate_keep(struct cola_engine *e, struct job *job, uint32_t first,
                                    struct cola_kept_keys *out);
/* The stored keys of the prompt at chain position job->at. */
struct cola_keys cola_generate_prompt_keys(const struct job *job);
/* The span of a pass after the first: one query row over all stored keys of chain position job->at. */
struct cola_span cola_generate_span(const struct cola_engine *e, const struct job *job, uint32_t query_row);
/* Takes the next token; begins another pass or hands out the result. */
enum cola_status cola_generate_advance(struct cola_engine *e, struct job *job,
                                       const struct cola_logits *logit, cola_result_fn *done, void *user);

/* docs/numerics.md, "Scores" */
double cola_logsumexp(const struct cola_logits *logit);

#endif

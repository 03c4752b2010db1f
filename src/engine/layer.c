/* layer.c - the layer plan of the llama family, written once over the back end's primitives: gather the rows
 * of the batch's jobs, attention with keys and values made from these very rows, feed-forward, scatter.
 *
 * Keys and values belong to this chain position only: they are made here and forgotten here, so a looped
 * layer never reads an earlier pass (DESIGN section 3). In a job's last layer only the scored rows go on
 * after keys and values are made: nothing reads the others. */
#include <math.h>
#include <stdlib.h>

#include "cola/clock.h"
#include "cola/memory.h"
#include "engine/state.h"

static enum cola_status cover_rows(struct cola_engine *e, uint32_t n_rows)
{
    const struct cola_model_config *c = e->config;
    struct scratch *s = &e->scratch;
    size_t n = n_rows, d = c->n_hidden, q = (size_t)c->n_heads * c->head_size,
           kv = (size_t)c->n_kv_heads * c->head_size;
    struct {
        float **buffer;
        size_t width;
    } device[] = {{&s->x, d},        {&s->y, d},  {&s->live_x, d}, {&s->live_y, d},     {&s->q, q},
                  {&s->attended, q}, {&s->k, kv}, {&s->v, kv},     {&s->gate, c->n_ff}, {&s->up, c->n_ff}};
    void **host[] = {(void **)&s->row, (void **)&s->position, (void **)&s->live, (void **)&s->live_position,
                     (void **)&s->token};
    s->n_rows = 0;
    for (size_t i = 0; i < sizeof device / sizeof *device; i++) {
        e->backend->release(e->device, *device[i].buffer);
        *device[i].buffer = NULL;
        COLA_TRY(e->backend->allocate(e->device, n * device[i].width, "batch rows", device[i].buffer));
    }
    for (size_t i = 0; i < sizeof host / sizeof *host; i++) {
        free(*host[i]);
        *host[i] = NULL;
        COLA_TRY(cola_alloc(host[i], n, sizeof(uint32_t), "batch tables"));
    }
    s->n_rows = n_rows;
    return COLA_OK;
}

enum cola_status cola_scratch_cover(struct cola_engine *e, uint32_t n_rows, uint32_t n_spans)
{
    struct scratch *s = &e->scratch;
    if (!s->logits)
        COLA_TRY(e->backend->allocate(e->device, (size_t)COLA_HEAD_ROWS * e->config->n_vocab, "logits",
                                      &s->logits));
    if (n_rows > s->n_rows) COLA_TRY(cover_rows(e, n_rows + n_rows / 4));
    if (n_spans > s->n_spans_room) {
        free(s->span);
        s->span = NULL;
        s->n_spans_room = 0;
        COLA_TRY(cola_alloc((void **)&s->span, 2 * (size_t)n_spans, sizeof *s->span, "spans"));
        s->n_spans_room = 2 * n_spans;
    }
    return COLA_OK;
}

void cola_scratch_release(struct cola_engine *e)
{
    struct scratch *s = &e->scratch;
    float *device[] = {s->x, s->y, s->live_x, s->live_y, s->q,     s->attended,
                       s->k, s->v, s->gate,   s->up,     s->logits};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++) e->backend->release(e->device, device[i]);
    free(s->row);
    free(s->position);
    free(s->live);
    free(s->live_position);
    free(s->token);
    free(s->span);
}

enum cola_status cola_engine_product(struct cola_engine *e, const float *x, const struct cola_matrix *matrix,
                                     uint32_t n_rows, uint32_t n_in, uint32_t n_out, bool add, float *out)
{
    double start = cola_clock_s();
    COLA_TRY(e->backend->product(e->device, x, matrix, n_rows, add, out));
    e->counters.product_seconds += cola_clock_s() - start;
    e->counters.product_flops += 2.0 * n_rows * n_in * n_out;
    return COLA_OK;
}

struct batch { /* sizes of the tables that fill_tables wrote into the scratch */
    uint32_t n_rows, n_live, n_spans;
};

static bool is_last(const struct job *job)
{
    return job->at + 1 == job->n_layers;
}

/* Row, position and live tables and the spans of all jobs of the batch, one after the other. */
static enum cola_status fill_tables(struct cola_engine *e, uint32_t n_jobs, struct batch *b)
{
    struct scratch *s = &e->scratch;
    uint32_t n_rows = 0, n_spans = 0;
    for (uint32_t i = 0; i < n_jobs; i++) {
        n_rows += e->job[e->batch[i]].n_rows;
        n_spans += cola_sequence_max_spans(e->job[e->batch[i]].sample);
    }
    COLA_TRY(cola_scratch_cover(e, n_rows, n_spans));
    *b = (struct batch){0};
    for (uint32_t i = 0; i < n_jobs; i++) {
        const struct job *job = &e->job[e->batch[i]];
        bool last = is_last(job);
        cola_sequence_fill(job->sample, NULL, s->position + b->n_rows);
        b->n_spans += cola_sequence_spans(job->sample, b->n_rows, b->n_live, last, s->span + b->n_spans);
        for (uint32_t r = 0; r < job->n_rows; r++) {
            s->row[b->n_rows + r] = job->row[r];
            if (last && r + 1 < job->sample->n_prompt_tokens) continue;
            s->live[b->n_live] = b->n_rows + r;
            s->live_position[b->n_live++] = s->position[b->n_rows + r];
        }
        b->n_rows += job->n_rows;
    }
    return COLA_OK;
}

/* Keys and values of all rows, then queries of the live ones, attention, and its projection onto x. */
static enum cola_status attention_half(struct cola_engine *e, const struct layer_weights *w,
                                       const struct batch *b, float *x, float *y, float *live_x,
                                       float *live_y)
{
    const struct cola_backend *ops = e->backend;
    const struct cola_model_config *c = e->config;
    const struct scratch *s = &e->scratch;
    uint32_t d = c->n_hidden, q = c->n_heads * c->head_size, kv = c->n_kv_heads * c->head_size;
    COLA_TRY(ops->norm(e->device, x, w->vector[COLA_WEIGHT_ATTENTION_NORM], c->norm_eps, b->n_rows, d, y));
    COLA_TRY(cola_engine_product(e, y, w->matrix[COLA_WEIGHT_K], b->n_rows, d, kv, false, s->k));
    COLA_TRY(cola_engine_product(e, y, w->matrix[COLA_WEIGHT_V], b->n_rows, d, kv, false, s->v));
    COLA_TRY(ops->rotate(e->device, s->k, e->rope, s->position, b->n_rows, c->n_kv_heads, c->head_size));
    if (live_x != x) {
        COLA_TRY(ops->gather(e->device, x, s->live, b->n_live, d, live_x));
        COLA_TRY(ops->gather(e->device, y, s->live, b->n_live, d, live_y));
    }
    COLA_TRY(cola_engine_product(e, live_y, w->matrix[COLA_WEIGHT_Q], b->n_live, d, q, false, s->q));
    COLA_TRY(ops->rotate(e->device, s->q, e->rope, s->live_position, b->n_live, c->n_heads, c->head_size));
    struct cola_attention attention = {.q = s->q,
                                       .k = s->k,
                                       .v = s->v,
                                       .out = s->attended,
                                       .n_heads = c->n_heads,
                                       .n_kv_heads = c->n_kv_heads,
                                       .head_size = c->head_size,
                                       .scale = (float)(1.0 / sqrt((double)c->head_size)),
                                       .span = s->span,
                                       .n_spans = b->n_spans};
    COLA_TRY(ops->attention(e->device, &attention));
    return cola_engine_product(e, s->attended, w->matrix[COLA_WEIGHT_O], b->n_live, q, d, true, live_x);
}

static enum cola_status feed_forward_half(struct cola_engine *e, const struct layer_weights *w,
                                          uint32_t n_live, float *live_x, float *live_y)
{
    const struct cola_backend *ops = e->backend;
    const struct cola_model_config *c = e->config;
    const struct scratch *s = &e->scratch;
    uint32_t d = c->n_hidden, f = c->n_ff;
    COLA_TRY(ops->norm(e->device, live_x, w->vector[COLA_WEIGHT_MLP_NORM], c->norm_eps, n_live, d, live_y));
    COLA_TRY(cola_engine_product(e, live_y, w->matrix[COLA_WEIGHT_GATE], n_live, d, f, false, s->gate));
    COLA_TRY(cola_engine_product(e, live_y, w->matrix[COLA_WEIGHT_UP], n_live, d, f, false, s->up));
    COLA_TRY(ops->gate(e->device, s->gate, s->up, n_live, f, s->gate));
    return cola_engine_product(e, s->gate, w->matrix[COLA_WEIGHT_DOWN], n_live, f, d, true, live_x);
}

enum cola_status cola_layer_execute(struct cola_engine *e, cola_layer layer, uint32_t n_jobs)
{
    struct scratch *s = &e->scratch;
    const struct layer_weights *w = &e->weights.layer[layer];
    struct batch b;
    COLA_TRY(fill_tables(e, n_jobs, &b));
    COLA_TRY(e->backend->gather(e->device, e->arena.hidden, s->row, b.n_rows, e->config->n_hidden, s->x));
    bool all_live = b.n_live == b.n_rows;
    float *live_x = all_live ? s->x : s->live_x, *live_y = all_live ? s->y : s->live_y;
    COLA_TRY(attention_half(e, w, &b, s->x, s->y, live_x, live_y));
    COLA_TRY(feed_forward_half(e, w, b.n_live, live_x, live_y));
    for (uint32_t i = 0; i < b.n_live; i++) s->live[i] = s->row[s->live[i]]; /* batch row -> arena row */
    COLA_TRY(e->backend->scatter(e->device, live_x, s->live, b.n_live, e->config->n_hidden, e->arena.hidden));
    for (uint32_t i = 0; i < n_jobs; i++) {
        struct job *job = &e->job[e->batch[i]];
        job->at++;
        job->waiting_since = e->step;
    }
    e->counters.n_rows += b.n_rows;
    e->counters.layers_executed += n_jobs;
    return COLA_OK;
}

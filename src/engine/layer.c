/* layer.c - the layer plan, written once over the back end's primitives: gather the rows of the batch's jobs,
 * attention with keys and values made from these very rows, feed-forward or experts, scatter. What a layer's
 * weights are decides what it does (biases, norms of queries and keys, a router): there is no other switch
 * between architectures.
 *
 * Keys and values belong to this chain position only: they are made here, and only a generating job keeps
 * them, under this position, for its own later passes; so a looped layer never reads an earlier pass (DESIGN
 * section 3). In the last layer of a pass only the scored rows go on after keys and values are made: nothing
 * reads the others. */
#include <math.h>

#include "cola/clock.h"
#include "engine/state.h"

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

/* Tables of one job, whose rows follow those already in the batch. */
static void add_job(struct cola_engine *e, const struct job *job, struct batch *b)
{
    struct scratch *s = &e->scratch;
    size_t width = (size_t)e->config->n_kv_heads * e->config->head_size;
    uint32_t n_prompt = job->sample->n_prompt_tokens, first_live = 0;
    if (job->n_tokens == 0) {
        struct cola_keys keys = {.k = s->k + b->n_rows * width, .v = s->v + b->n_rows * width};
        cola_sequence_fill(job->sample, NULL, s->position + b->n_rows);
        b->n_spans +=
            cola_sequence_spans(job->sample, keys, width, b->n_live, is_last(job), s->span + b->n_spans);
        if (is_last(job)) first_live = n_prompt - 1;
    } else {
        s->position[b->n_rows] = n_prompt + job->n_tokens - 1;
        s->span[b->n_spans++] = cola_generate_span(e, job, b->n_live);
    }
    for (uint32_t r = 0; r < job->n_rows; r++) {
        s->row[b->n_rows + r] = job->row[r];
        if (r < first_live) continue;
        s->live[b->n_live] = b->n_rows + r;
        s->live_position[b->n_live++] = s->position[b->n_rows + r];
    }
    b->n_rows += job->n_rows;
}

/* Row, position and live tables and the spans of all jobs of the batch, one after the other. */
static enum cola_status fill_tables(struct cola_engine *e, uint32_t n_jobs, struct batch *b)
{
    uint32_t n_rows = 0, n_spans = 0;
    for (uint32_t i = 0; i < n_jobs; i++) {
        n_rows += e->job[e->batch[i]].n_rows;
        n_spans += cola_sequence_max_spans(e->job[e->batch[i]].sample);
    }
    COLA_TRY(cola_scratch_cover(e, n_rows, n_spans));
    *b = (struct batch){0};
    for (uint32_t i = 0; i < n_jobs; i++) add_job(e, &e->job[e->batch[i]], b);
    return COLA_OK;
}

struct projection { /* the roles of one of q, k, v; COLA_N_WEIGHTS where there is no such thing */
    enum cola_weight matrix, bias, norm;
    uint32_t n_heads;
};

/* out = y W^T (+ bias), then its norm: of each head, or of the whole row, as wide as the norm's weight is. */
static enum cola_status project(struct cola_engine *e, const struct layer_weights *w, struct projection p,
                                const float *y, uint32_t n_rows, float *out)
{
    const struct cola_model_config *c = e->config;
    uint32_t width = p.n_heads * c->head_size;
    COLA_TRY(cola_engine_product(e, y, w->matrix[p.matrix], n_rows, c->n_hidden, width, false, out));
    if (w->vector[p.bias]) COLA_TRY(e->backend->add_bias(e->device, w->vector[p.bias], n_rows, width, out));
    if (p.norm == COLA_N_WEIGHTS || !w->vector[p.norm]) return COLA_OK;
    uint32_t normed = w->width[p.norm];
    return e->backend->norm(e->device, out, w->vector[p.norm], c->norm_eps, n_rows * (width / normed), normed,
                            out);
}

/* Keys and values of all rows; a generating job stores its own. */
static enum cola_status make_keys(struct cola_engine *e, const struct layer_weights *w, uint32_t n_jobs,
                                  const struct batch *b, const float *y)
{
    const struct cola_model_config *c = e->config;
    const struct scratch *s = &e->scratch;
    struct projection k = {COLA_WEIGHT_K, COLA_WEIGHT_K_BIAS, COLA_WEIGHT_K_NORM, c->n_kv_heads};
    struct projection v = {COLA_WEIGHT_V, COLA_WEIGHT_V_BIAS, COLA_N_WEIGHTS, c->n_kv_heads};
    COLA_TRY(project(e, w, k, y, b->n_rows, s->k));
    COLA_TRY(project(e, w, v, y, b->n_rows, s->v));
    COLA_TRY(
        e->backend->rotate(e->device, s->k, e->rope, s->position, b->n_rows, c->n_kv_heads, c->head_size));
    for (uint32_t i = 0, first = 0; i < n_jobs; i++) {
        const struct job *job = &e->job[e->batch[i]];
        if (job->token) COLA_TRY(cola_generate_store(e, job, first));
        first += job->n_rows;
    }
    return COLA_OK;
}

/* Keys and values of all rows, then queries of the live ones, attention, and its projection onto live_x. */
static enum cola_status attention_half(struct cola_engine *e, const struct layer_weights *w, uint32_t n_jobs,
                                       const struct batch *b, float *live_x, float *live_y)
{
    const struct cola_backend *ops = e->backend;
    const struct cola_model_config *c = e->config;
    const struct scratch *s = &e->scratch;
    struct projection q = {COLA_WEIGHT_Q, COLA_WEIGHT_Q_BIAS, COLA_WEIGHT_Q_NORM, c->n_heads};
    uint32_t d = c->n_hidden;
    COLA_TRY(
        ops->norm(e->device, s->x, w->vector[COLA_WEIGHT_ATTENTION_NORM], c->norm_eps, b->n_rows, d, s->y));
    COLA_TRY(make_keys(e, w, n_jobs, b, s->y));
    if (live_x != s->x) {
        COLA_TRY(ops->gather(e->device, s->x, s->live, b->n_live, d, live_x));
        COLA_TRY(ops->gather(e->device, s->y, s->live, b->n_live, d, live_y));
    }
    COLA_TRY(project(e, w, q, live_y, b->n_live, s->q));
    COLA_TRY(ops->rotate(e->device, s->q, e->rope, s->live_position, b->n_live, c->n_heads, c->head_size));
    struct cola_attention attention = {.q = s->q,
                                       .out = s->attended,
                                       .n_heads = c->n_heads,
                                       .n_kv_heads = c->n_kv_heads,
                                       .head_size = c->head_size,
                                       .scale = (float)(1.0 / sqrt((double)c->head_size)),
                                       .span = s->span,
                                       .n_spans = b->n_spans};
    COLA_TRY(ops->attention(e->device, &attention));
    return cola_engine_product(e, s->attended, w->matrix[COLA_WEIGHT_O], b->n_live, c->n_heads * c->head_size,
                               d, true, live_x);
}

static enum cola_status feed_forward_half(struct cola_engine *e, const struct layer_weights *w,
                                          uint32_t n_live, float *live_x, float *live_y)
{
    const struct cola_backend *ops = e->backend;
    const struct cola_model_config *c = e->config;
    const struct scratch *s = &e->scratch;
    uint32_t d = c->n_hidden, f = c->n_ff;
    COLA_TRY(ops->norm(e->device, live_x, w->vector[COLA_WEIGHT_MLP_NORM], c->norm_eps, n_live, d, live_y));
    if (w->matrix[COLA_WEIGHT_ROUTER]) return cola_experts_execute(e, w, n_live, live_x, live_y);
    COLA_TRY(cola_engine_product(e, live_y, w->matrix[COLA_WEIGHT_GATE], n_live, d, f, false, s->gate));
    COLA_TRY(cola_engine_product(e, live_y, w->matrix[COLA_WEIGHT_UP], n_live, d, f, false, s->up));
    COLA_TRY(ops->gate(e->device, s->gate, s->up, n_live, f, s->gate));
    return cola_engine_product(e, s->gate, w->matrix[COLA_WEIGHT_DOWN], n_live, f, d, true, live_x);
}

enum cola_status cola_layer_execute(struct cola_engine *e, uint32_t layer, uint32_t n_jobs)
{
    struct scratch *s = &e->scratch;
    const struct layer_weights *w = &e->weights.layer[layer];
    struct batch b;
    COLA_TRY(fill_tables(e, n_jobs, &b));
    COLA_TRY(e->backend->gather(e->device, e->arena.hidden, s->row, b.n_rows, e->config->n_hidden, s->x));
    bool all_live = b.n_live == b.n_rows;
    float *live_x = all_live ? s->x : s->live_x, *live_y = all_live ? s->y : s->live_y;
    COLA_TRY(attention_half(e, w, n_jobs, &b, live_x, live_y));
    COLA_TRY(feed_forward_half(e, w, b.n_live, live_x, live_y));
    for (uint32_t i = 0; i < b.n_live; i++) s->live[i] = s->row[s->live[i]]; /* batch row -> arena row */
    COLA_TRY(e->backend->scatter(e->device, live_x, s->live, b.n_live, e->config->n_hidden, e->arena.hidden));
    for (uint32_t i = 0; i < n_jobs; i++) {
        struct job *job = &e->job[e->batch[i]];
        job->at++;
        job->layers_executed++;
        job->waiting_since = e->step;
        COLA_TRY(cola_prefix_store(e, job));
    }
    e->counters.n_rows += b.n_rows;
    e->counters.n_layer_steps++;
    e->counters.layers_executed += n_jobs;
    return COLA_OK;
}

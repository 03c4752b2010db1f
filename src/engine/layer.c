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

#include "engine/state.h"

enum cola_status cola_layer_product(struct cola_engine *e, const float *x, uint32_t n_rows, uint32_t n_in,
                                    uint32_t n_out, const struct cola_product *product, uint32_t n_products,
                                    bool add)
{
    enum cola_phase before = cola_phase_enter(e, COLA_PHASE_PRODUCTS);
    double start = e->phase_since_s;
    COLA_TRY(e->backend->product(e->device, x, n_rows, product, n_products, add));
    cola_phase_enter(e, before);
    cola_phase_count_product(e, n_rows, 2.0 * n_rows * n_in * n_out, (double)n_in * n_out,
                             e->phase_since_s - start);
    return COLA_OK;
}

struct batch { /* sizes of the tables that fill_tables wrote into the scratch */
    uint32_t n_rows, n_live, n_spans;
};

static bool is_last(const struct job *job)
{
    return job->at + 1 == job->n_layers;
}

/* Rows that go on after attention. */
static uint32_t live_rows(const struct job *job)
{
    bool scored_only = job->n_tokens == 0 && is_last(job);
    return scored_only ? job->n_rows - (job->sample->n_prompt_tokens - 1) : job->n_rows;
}

/* Tables of one job, whose rows follow those already in the batch. */
static void add_job(struct cola_engine *e, const struct job *job, struct batch *b)
{
    struct scratch *s = &e->scratch;
    size_t width = (size_t)e->config->n_kv_heads * e->config->head_size;
    uint32_t n_prompt = job->sample->n_prompt_tokens, first_live = job->n_rows - live_rows(job);
    if (job->n_tokens == 0) {
        struct cola_keys keys = {.k = s->k + b->n_rows * width, .v = s->v + b->n_rows * width};
        cola_sequence_fill(job->sample, NULL, s->position + b->n_rows);
        b->n_spans +=
            cola_sequence_spans(job->sample, keys, width, b->n_live, is_last(job), s->span + b->n_spans);
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

struct projection { /* one of q, k, v: its vectors, or NULL, and where it goes */
    const float *bias, *norm;
    uint32_t norm_width, n_heads;
    float *out;
};

/* What follows a projection's product: bias, then its norm: of each head, or of the whole row, as wide as the
 * norm's weight is. */
static enum cola_status finish_projection(struct cola_engine *e, struct projection p, uint32_t n_rows)
{
    const struct cola_model_config *c = e->config;
    uint32_t width = p.n_heads * c->head_size;
    if (p.bias) COLA_TRY(e->backend->add_bias(e->device, p.bias, n_rows, width, p.out));
    if (!p.norm) return COLA_OK;
    return e->backend->norm(e->device, p.out, p.norm, c->norm_eps, n_rows * (width / p.norm_width),
                            p.norm_width, p.out);
}

/* Keys and values of all rows, queries of the live ones: one left side where these are the same rows. */
static enum cola_status project(struct cola_engine *e, const struct layer_weights *w, const struct batch *b,
                                const float *live_y)
{
    const struct cola_model_config *c = e->config;
    const struct scratch *s = &e->scratch;
    uint32_t d = c->n_hidden, kv = c->n_kv_heads * c->head_size, q = c->n_heads * c->head_size;
    const struct cola_product product[] = {
        {w->matrix[COLA_WEIGHT_K], s->k}, {w->matrix[COLA_WEIGHT_V], s->v}, {w->matrix[COLA_WEIGHT_Q], s->q}};
    if (live_y == s->y) {
        COLA_TRY(cola_layer_product(e, s->y, b->n_rows, d, 2 * kv + q, product, 3, false));
    } else {
        COLA_TRY(cola_layer_product(e, s->y, b->n_rows, d, 2 * kv, product, 2, false));
        COLA_TRY(cola_layer_product(e, live_y, b->n_live, d, q, &product[2], 1, false));
    }
    float *const *v = w->vector;
    COLA_TRY(finish_projection(e,
                               (struct projection){v[COLA_WEIGHT_K_BIAS], v[COLA_WEIGHT_K_NORM],
                                                   w->width[COLA_WEIGHT_K_NORM], c->n_kv_heads, s->k},
                               b->n_rows));
    COLA_TRY(finish_projection(e, (struct projection){v[COLA_WEIGHT_V_BIAS], NULL, 0, c->n_kv_heads, s->v},
                               b->n_rows));
    return finish_projection(e,
                             (struct projection){v[COLA_WEIGHT_Q_BIAS], v[COLA_WEIGHT_Q_NORM],
                                                 w->width[COLA_WEIGHT_Q_NORM], c->n_heads, s->q},
                             b->n_live);
}

/* Generating jobs keep the keys and values of their rows, and read the prompt's from there. */
static enum cola_status keep_keys(struct cola_engine *e, uint32_t n_jobs)
{
    struct scratch *s = &e->scratch;
    uint32_t n_kept = 0;
    cola_phase_enter(e, COLA_PHASE_STATES);
    for (uint32_t i = 0, first = 0, span = 0; i < n_jobs; i++) {
        struct job *job = &e->job[e->batch[i]];
        if (job->token) {
            COLA_TRY(cola_generate_keep(e, job, first, &s->kept[n_kept++]));
            if (job->n_tokens == 0) s->span[span].tail = cola_generate_prompt_keys(job);
        }
        first += job->n_rows;
        for (uint32_t rows = 0; rows < live_rows(job); span++) rows += s->span[span].n_rows;
    }
    if (n_kept)
        COLA_TRY(
            e->backend->store_keys(e->device, s->kept, n_kept, e->config->n_kv_heads, e->config->head_size));
    cola_phase_enter(e, COLA_PHASE_ROWS);
    return COLA_OK;
}

/* Norm, projections, attention, and its projection onto live_x. */
static enum cola_status attention_half(struct cola_engine *e, const struct layer_weights *w, uint32_t n_jobs,
                                       const struct batch *b, float *live_x, float *live_y)
{
    const struct cola_backend *ops = e->backend;
    const struct cola_model_config *c = e->config;
    const struct scratch *s = &e->scratch;
    uint32_t d = c->n_hidden;
    cola_phase_enter(e, COLA_PHASE_ROWS);
    COLA_TRY(
        ops->norm(e->device, s->x, w->vector[COLA_WEIGHT_ATTENTION_NORM], c->norm_eps, b->n_rows, d, s->y));
    if (live_x != s->x) {
        COLA_TRY(ops->gather(e->device, s->x, s->live, b->n_live, d, live_x));
        COLA_TRY(ops->gather(e->device, s->y, s->live, b->n_live, d, live_y));
    }
    COLA_TRY(project(e, w, b, live_y));
    COLA_TRY(ops->rotate(e->device, s->k, e->rope, s->position, b->n_rows, c->n_kv_heads, c->head_size));
    COLA_TRY(ops->rotate(e->device, s->q, e->rope, s->live_position, b->n_live, c->n_heads, c->head_size));
    COLA_TRY(keep_keys(e, n_jobs));
    struct cola_attention attention = {.q = s->q,
                                       .out = s->attended,
                                       .n_heads = c->n_heads,
                                       .n_kv_heads = c->n_kv_heads,
                                       .head_size = c->head_size,
                                       .scale = (float)(1.0 / sqrt((double)c->head_size)),
                                       .span = s->span,
                                       .n_spans = b->n_spans};
    struct cola_product out = {w->matrix[COLA_WEIGHT_O], live_x};
    cola_phase_enter(e, COLA_PHASE_ATTENTION);
    COLA_TRY(ops->attention(e->device, &attention));
    cola_phase_enter(e, COLA_PHASE_ROWS);
    return cola_layer_product(e, s->attended, b->n_live, c->n_heads * c->head_size, d, &out, 1, true);
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
    const struct cola_product both[] = {{w->matrix[COLA_WEIGHT_GATE], s->gate},
                                        {w->matrix[COLA_WEIGHT_UP], s->up}};
    const struct cola_product down = {w->matrix[COLA_WEIGHT_DOWN], live_x};
    COLA_TRY(cola_layer_product(e, live_y, n_live, d, 2 * f, both, 2, false));
    COLA_TRY(ops->gate(e->device, s->gate, s->up, n_live, f, s->gate));
    return cola_layer_product(e, s->gate, n_live, f, d, &down, 1, true);
}

static enum cola_status advance(struct cola_engine *e, struct job *job)
{
    job->at++;
    job->layers_executed++;
    job->row_layers += job->n_rows;
    job->waiting_since = e->step;
    return cola_prefix_store(e, job);
}

enum cola_status cola_layer_execute(struct cola_engine *e, uint32_t layer, uint32_t n_jobs)
{
    struct scratch *s = &e->scratch;
    const struct layer_weights *w = &e->weights.layer[layer];
    struct batch b;
    COLA_TRY(fill_tables(e, n_jobs, &b));
    cola_phase_enter(e, COLA_PHASE_STATES);
    COLA_TRY(e->backend->gather(e->device, e->arena.hidden, s->row, b.n_rows, e->config->n_hidden, s->x));
    bool all_live = b.n_live == b.n_rows;
    float *live_x = all_live ? s->x : s->live_x, *live_y = all_live ? s->y : s->live_y;
    COLA_TRY(attention_half(e, w, n_jobs, &b, live_x, live_y));
    COLA_TRY(feed_forward_half(e, w, b.n_live, live_x, live_y));
    cola_phase_enter(e, COLA_PHASE_STATES);
    for (uint32_t i = 0; i < b.n_live; i++) s->live[i] = s->row[s->live[i]]; /* batch row -> arena row */
    COLA_TRY(e->backend->scatter(e->device, live_x, s->live, b.n_live, e->config->n_hidden, e->arena.hidden));
    for (uint32_t i = 0; i < n_jobs; i++) COLA_TRY(advance(e, &e->job[e->batch[i]]));
    cola_phase_enter(e, COLA_PHASE_OTHER);
    e->counters.n_rows += b.n_rows;
    e->counters.n_layer_steps++;
    e->counters.layers_executed += n_jobs;
    return COLA_OK;
}

/* experts.c - a layer's mixture of experts over the primitives: routing, then expert by expert the rows that
 * go through it, in ascending number, so that every row's sum has one order; the shared expert last.
 * docs/numerics.md, "Experts". */
#include "engine/route.h"
#include "engine/state.h"

/* mixed[row] += scale * SwiGLU(x) for n rows of x. */
static enum cola_status feed_forward(struct cola_engine *e, const struct cola_matrix *gate,
                                     const struct cola_matrix *up, const struct cola_matrix *down,
                                     uint32_t n_ff, const float *x, const float *scale, const uint32_t *row,
                                     uint32_t n)
{
    const struct scratch *s = &e->scratch;
    uint32_t d = e->config->n_hidden;
    struct cola_product both[] = {{gate, s->gate}, {up, s->up}}, out = {down, s->expert_y};
    COLA_TRY(cola_layer_product(e, x, n, d, 2 * n_ff, both, 2, false));
    COLA_TRY(e->backend->gate(e->device, s->gate, s->up, n, n_ff, s->gate));
    COLA_TRY(cola_layer_product(e, s->gate, n, n_ff, d, &out, 1, false));
    return e->backend->add_scaled(e->device, s->expert_y, scale, row, n, d, s->mixed);
}

static enum cola_status run_expert(struct cola_engine *e, const struct expert_weights *w, uint32_t number,
                                   uint32_t n_live, const float *live_y)
{
    const struct cola_experts *x = &e->config->experts;
    const struct scratch *s = &e->scratch;
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_live * x->n_active; i++) {
        if (s->expert[i] != number) continue;
        s->expert_row[n] = i / x->n_active;
        s->expert_scale[n++] = s->expert_weight[i];
    }
    if (n == 0) return COLA_OK;
    COLA_TRY(e->backend->gather(e->device, live_y, s->expert_row, n, e->config->n_hidden, s->expert_x));
    return feed_forward(e, w->gate, w->up, w->down, x->n_ff, s->expert_x, s->expert_scale, s->expert_row, n);
}

static enum cola_status run_shared(struct cola_engine *e, const struct layer_weights *w, uint32_t n_live,
                                   const float *live_y)
{
    const struct scratch *s = &e->scratch;
    struct cola_product router = {w->matrix[COLA_WEIGHT_SHARED_ROUTER], s->router};
    COLA_TRY(cola_layer_product(e, live_y, n_live, e->config->n_hidden, 1, &router, 1, false));
    COLA_TRY(e->backend->download(e->device, s->router, n_live, s->expert_scale));
    for (uint32_t i = 0; i < n_live; i++) {
        s->expert_row[i] = i;
        s->expert_scale[i] = cola_sigmoid(s->expert_scale[i]);
    }
    return feed_forward(e, w->matrix[COLA_WEIGHT_SHARED_GATE], w->matrix[COLA_WEIGHT_SHARED_UP],
                        w->matrix[COLA_WEIGHT_SHARED_DOWN], e->config->experts.n_shared_ff, live_y,
                        s->expert_scale, s->expert_row, n_live);
}

enum cola_status cola_experts_execute(struct cola_engine *e, const struct layer_weights *w, uint32_t n_live,
                                      float *live_x, const float *live_y)
{
    const struct cola_experts *x = &e->config->experts;
    const struct scratch *s = &e->scratch;
    uint32_t d = e->config->n_hidden;
    struct cola_product router = {w->matrix[COLA_WEIGHT_ROUTER], s->router};
    COLA_TRY(cola_layer_product(e, live_y, n_live, d, x->n_experts, &router, 1, false));
    COLA_TRY(e->backend->route(e->device, s->router, n_live, x, s->expert, s->expert_weight));
    COLA_TRY(e->backend->clear(e->device, (size_t)n_live * d, s->mixed));
    for (uint32_t number = 0; number < x->n_experts; number++)
        COLA_TRY(run_expert(e, &w->expert[number], number, n_live, live_y));
    if (w->matrix[COLA_WEIGHT_SHARED_ROUTER]) COLA_TRY(run_shared(e, w, n_live, live_y));
    return e->backend->add(e->device, s->mixed, (size_t)n_live * d, live_x);
}

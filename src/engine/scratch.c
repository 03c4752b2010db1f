/* scratch.c - the buffers of one batch on the device and its tables on the host, grown to the largest batch
 * so far. */
#include <stdlib.h>

#include "cola/memory.h"
#include "engine/state.h"

static size_t widest_feed_forward(const struct cola_model_config *c)
{
    size_t widest = c->n_ff;
    if (c->experts.n_ff > widest) widest = c->experts.n_ff;
    if (c->experts.n_shared_ff > widest) widest = c->experts.n_shared_ff;
    return widest;
}

static enum cola_status cover_device(struct cola_engine *e, size_t n)
{
    const struct cola_model_config *c = e->config;
    struct scratch *s = &e->scratch;
    size_t d = c->n_hidden, q = (size_t)c->n_heads * c->head_size, kv = (size_t)c->n_kv_heads * c->head_size;
    size_t f = widest_feed_forward(c), d_mixed = c->experts.n_experts ? d : 0;
    struct {
        float **buffer;
        size_t width;
    } all[] = {{&s->x, d},
               {&s->y, d},
               {&s->live_x, d},
               {&s->live_y, d},
               {&s->q, q},
               {&s->attended, q},
               {&s->k, kv},
               {&s->v, kv},
               {&s->gate, f},
               {&s->up, f},
               {&s->router, c->experts.n_experts},
               {&s->mixed, d_mixed},
               {&s->expert_x, d_mixed},
               {&s->expert_y, d_mixed}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        e->backend->release(e->device, *all[i].buffer);
        *all[i].buffer = NULL;
        if (all[i].width)
            COLA_TRY(e->backend->allocate(e->device, n * all[i].width, "batch rows", all[i].buffer));
    }
    return COLA_OK;
}

static enum cola_status cover_host(struct cola_engine *e, size_t n)
{
    struct scratch *s = &e->scratch;
    size_t active = e->config->experts.n_active;
    struct {
        void **table;
        size_t width;
    } all[] = {{(void **)&s->row, 1},         {(void **)&s->position, 1},
               {(void **)&s->live, 1},        {(void **)&s->live_position, 1},
               {(void **)&s->token, 1},       {(void **)&s->expert, active},
               {(void **)&s->expert_row, 1},  {(void **)&s->expert_weight, active},
               {(void **)&s->expert_scale, 1}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(*all[i].table);
        *all[i].table = NULL;
        COLA_TRY(cola_alloc(all[i].table, n * all[i].width, sizeof(uint32_t), "batch tables"));
    }
    return COLA_OK;
}

enum cola_status cola_scratch_cover(struct cola_engine *e, uint32_t n_rows, uint32_t n_spans)
{
    struct scratch *s = &e->scratch;
    if (!s->logits)
        COLA_TRY(e->backend->allocate(e->device, (size_t)COLA_HEAD_ROWS * e->config->n_vocab, "logits",
                                      &s->logits));
    if (n_rows > s->n_rows) {
        uint32_t n = n_rows + n_rows / 4;
        s->n_rows = 0;
        COLA_TRY(cover_device(e, n));
        COLA_TRY(cover_host(e, n));
        s->n_rows = n;
    }
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
    float *device[] = {s->x,    s->y,  s->live_x, s->live_y, s->q,        s->attended, s->k,     s->v,
                       s->gate, s->up, s->router, s->mixed,  s->expert_x, s->expert_y, s->logits};
    void *host[] = {s->row,    s->position,   s->live,          s->live_position, s->token,
                    s->expert, s->expert_row, s->expert_weight, s->expert_scale,  s->span};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++) e->backend->release(e->device, device[i]);
    for (size_t i = 0; i < sizeof host / sizeof *host; i++) free(host[i]);
    *s = (struct scratch){0};
}

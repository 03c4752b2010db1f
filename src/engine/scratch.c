/* scratch.c - the buffers of one batch on the device and its tables on the host, grown to the largest batch
 * so far. */
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "engine/state.h"

static size_t widest_feed_forward(const struct cola_model_config *c)
{
    size_t widest = c->n_ff;
    if (c->experts.n_ff > widest) widest = c->experts.n_ff;
    if (c->experts.n_shared_ff > widest) widest = c->experts.n_shared_ff;
    return widest;
}

struct buffer {
    float **at;
    size_t width; /* floats a row; 0: not needed by this model */
};
enum { N_BUFFERS = 14 };

static void list_buffers(const struct cola_model_config *c, struct scratch *s, struct buffer out[N_BUFFERS])
{
    size_t d = c->n_hidden, q = (size_t)c->n_heads * c->head_size, kv = (size_t)c->n_kv_heads * c->head_size;
    size_t f = widest_feed_forward(c), d_mixed = c->experts.n_experts ? d : 0;
    const struct buffer all[N_BUFFERS] = {{&s->x, d},
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
    memcpy(out, all, sizeof all);
}

/* The widest left side of a product. */
static uint32_t widest_input(const struct cola_model_config *c)
{
    size_t widest = widest_feed_forward(c), q = (size_t)c->n_heads * c->head_size;
    if (q > widest) widest = q;
    return (uint32_t)(c->n_hidden > widest ? c->n_hidden : widest);
}

/* What the back end's products keep for a batch: allocated there, counted here. */
static uint64_t product_bytes(const struct cola_engine *e, uint32_t n_rows)
{
    return n_rows * e->backend->row_floats(e->device, widest_input(e->config)) * sizeof(float);
}

static size_t logit_floats(const struct cola_engine *e)
{
    return (size_t)COLA_HEAD_ROWS * e->config->n_vocab;
}

uint64_t cola_scratch_bytes(const struct cola_engine *e, uint32_t n_rows)
{
    struct scratch none;
    struct buffer buffer[N_BUFFERS];
    uint64_t floats = logit_floats(e);
    list_buffers(e->config, &none, buffer);
    for (size_t i = 0; i < N_BUFFERS; i++) floats += (uint64_t)n_rows * buffer[i].width;
    return floats * sizeof(float) + product_bytes(e, n_rows);
}

static void release_device(struct cola_engine *e)
{
    struct buffer buffer[N_BUFFERS];
    list_buffers(e->config, &e->scratch, buffer);
    for (size_t i = 0; i < N_BUFFERS; i++) {
        cola_memory_release(e, *buffer[i].at, e->scratch.n_rows * buffer[i].width);
        *buffer[i].at = NULL;
    }
    e->memory.held_bytes -= product_bytes(e, e->scratch.n_rows);
    e->scratch.n_rows = 0;
}

/* A buffer that could not be allocated leaves all of them gone. */
static enum cola_status cover_device(struct cola_engine *e, uint32_t n)
{
    struct buffer buffer[N_BUFFERS];
    release_device(e);
    list_buffers(e->config, &e->scratch, buffer);
    e->scratch.n_rows = n;
    e->memory.held_bytes += product_bytes(e, n);
    for (size_t i = 0; i < N_BUFFERS; i++) {
        enum cola_status status = COLA_OK;
        if (buffer[i].width)
            status = cola_memory_allocate(e, n * buffer[i].width, "batch rows", buffer[i].at);
        if (status == COLA_OK) continue;
        release_device(e);
        return status;
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
    if (!s->logits) COLA_TRY(cola_memory_allocate(e, logit_floats(e), "logits", &s->logits));
    if (n_rows > s->n_rows) {
        COLA_TRY(cover_host(e, n_rows));
        COLA_TRY(cover_device(e, n_rows));
    }
    if (n_spans > s->n_spans_room) {
        free(s->span);
        free(s->kept);
        s->span = NULL;
        s->kept = NULL;
        s->n_spans_room = 0;
        COLA_TRY(cola_alloc((void **)&s->span, 2 * (size_t)n_spans, sizeof *s->span, "spans"));
        COLA_TRY(cola_alloc((void **)&s->kept, 2 * (size_t)n_spans, sizeof *s->kept, "stored keys"));
        s->n_spans_room = 2 * n_spans;
    }
    return COLA_OK;
}

enum cola_status cola_scratch_shrink(struct cola_engine *e)
{
    if (e->scratch.n_rows <= e->max_rows) return COLA_OK;
    COLA_TRY(cover_host(e, e->max_rows));
    return cover_device(e, e->max_rows);
}

void cola_scratch_release(struct cola_engine *e)
{
    struct scratch *s = &e->scratch;
    void *host[] = {s->row,        s->position,      s->live,         s->live_position, s->token, s->expert,
                    s->expert_row, s->expert_weight, s->expert_scale, s->span,          s->kept};
    release_device(e);
    cola_memory_release(e, s->logits, logit_floats(e));
    for (size_t i = 0; i < sizeof host / sizeof *host; i++) free(host[i]);
    *s = (struct scratch){0};
}

/* weights.c - the model's weights onto the device, by role: matrices in the back end's layout, one after the
 * other in one room, vectors as floats.
 *
 * Engines of one machine may share the room (shared_memory.h): the first packs, the others read what it
 * packed. Where that cannot be, an engine packs a room of its own and says so: sharing saves memory and
 * decides nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "cola/hash.h"
#include "cola/log.h"
#include "cola/memory.h"
#include "engine/state.h"

/* --- the room of all matrices, in the order of loading ------------------------------------------------ */

static uint64_t bytes_of(const struct cola_engine *e, const struct cola_tensor *tensor)
{
    enum { ALIGNMENT = 64 };
    return (e->backend->matrix_bytes(e->device, tensor) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static const enum cola_weight expert_role[] = {COLA_WEIGHT_GATE, COLA_WEIGHT_UP, COLA_WEIGHT_DOWN};

/* Bytes of a layer's matrices, and of its vectors. */
static void count_layer(const struct cola_engine *e, uint32_t layer, uint64_t *matrices, uint64_t *vectors)
{
    for (int role = 0; role < COLA_N_WEIGHTS; role++) {
        const struct cola_tensor *tensor = cola_model_weight(e->model, layer, (enum cola_weight)role);
        if (tensor && tensor->n_dims == 2) *matrices += bytes_of(e, tensor);
        if (tensor && tensor->n_dims == 1) *vectors += tensor->shape[0] * sizeof(float);
    }
    if (!cola_model_weight(e->model, layer, COLA_WEIGHT_ROUTER)) return;
    for (uint32_t x = 0; x < e->config->experts.n_experts; x++)
        for (int i = 0; i < 3; i++)
            *matrices += bytes_of(e, cola_model_expert(e->model, layer, x, expert_role[i]));
}

static void count_all(const struct cola_engine *e, uint64_t *matrices, uint64_t *vectors)
{
    *matrices = bytes_of(e, cola_model_head(e->model));
    *vectors = cola_model_final_norm(e->model)->shape[0] * sizeof(float);
    for (uint32_t l = 0; l < e->config->n_layers; l++) count_layer(e, l, matrices, vectors);
}

uint64_t cola_weights_bytes(const struct cola_engine *e)
{
    uint64_t matrices, vectors;
    count_all(e, &matrices, &vectors);
    return matrices + vectors;
}

/* What decides the room's bytes but for the weights themselves: where each matrix lies, in whose layout. That
 * all have the same weights is compared elsewhere, by the model's fingerprint. */
static uint64_t content_of(const struct cola_engine *e)
{
    const struct cola_model_config *c = e->config;
    char layout[128];
    e->backend->layout(e->device, layout, sizeof layout);
    const uint64_t facts[] = {cola_hash64(layout, strlen(layout)),
                              c->n_layers,
                              c->n_hidden,
                              c->n_heads,
                              c->n_kv_heads,
                              c->head_size,
                              c->n_ff,
                              c->n_vocab,
                              c->experts.n_experts,
                              c->experts.n_ff,
                              c->experts.n_shared_ff};
    return cola_hash64(facts, sizeof facts);
}

/* The shared room; COLA_OK with w->shared NULL: it cannot be shared. */
static enum cola_status share_room(struct cola_engine *e)
{
    const struct cola_weight_sharing *sharing = &e->sharing;
    /* the first engine may still be reading the model's headers */
    const struct cola_shared_patience patience = {60, sharing->given_up, sharing->user};
    struct weights *w = &e->weights;
    struct cola_shared_name name = {.key = sharing->key, .content = content_of(e)};
    bool first = sharing->rank == 0;
    enum cola_status status = first ? cola_shared_memory_create(&name, w->room_bytes, &w->shared)
                                    : cola_shared_memory_join(&name, w->room_bytes, &patience, &w->shared);
    if (status == COLA_ERR_MEMORY) return status;
    if (status == COLA_ERR_STOPPED && sharing->given_up && sharing->given_up(sharing->user)) return status;
    if (status != COLA_OK) {
        cola_log(COLA_LOG_WARN, "engine %u of %u of this machine has a copy of the weights of its own: %s",
                 sharing->rank, sharing->n_ranks, cola_error_text());
        return COLA_OK;
    }
    w->room = cola_shared_memory_bytes(w->shared);
    w->filled = !first;
    return COLA_OK;
}

static enum cola_status open_room(struct cola_engine *e)
{
    struct weights *w = &e->weights;
    if (e->backend->own_matrices) return COLA_OK;
    if (e->sharing.key && e->sharing.n_ranks > 1) COLA_TRY(share_room(e));
    return w->room ? COLA_OK : cola_pages_map(w->room_bytes, true, "weights", &w->room);
}

/* A failure leaves the others without: they go on with copies of their own. */
static void offer_room(struct cola_engine *e)
{
    struct weights *w = &e->weights;
    if (!w->shared || w->filled) return;
    if (cola_shared_memory_offer(w->shared, e->sharing.n_ranks - 1) != COLA_OK)
        cola_log(COLA_LOG_WARN, "the weights are not shared with other engines: %s", cola_error_text());
}

/* --- loading ------------------------------------------------------------------------------------------ */

static enum cola_status load_vector(struct cola_engine *e, const struct cola_tensor *tensor, float **out)
{
    uint64_t n = tensor->shape[0];
    float *host = NULL, *device = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&host, n, sizeof *host, "norm weight"));
    cola_tensor_widen(tensor, 0, n, host);
    cola_tensor_leave(tensor, 0, n);
    COLA_TRY_DONE(e->backend->allocate(e->device, n, "norm weight", &device));
    COLA_TRY_DONE(e->backend->upload(e->device, host, n, device));
    *out = device;
    device = NULL;
done:
    e->backend->release(e->device, device);
    free(host);
    return status;
}

static enum cola_status load_matrix(struct cola_engine *e, const struct cola_tensor *tensor,
                                    struct cola_matrix **out)
{
    struct weights *w = &e->weights;
    COLA_TRY(e->backend->load_matrix(e->device, tensor, w->next, w->filled, out));
    if (w->next) w->next += bytes_of(e, tensor);
    return COLA_OK;
}

static enum cola_status load_experts(struct cola_engine *e, uint32_t layer, struct layer_weights *w)
{
    uint32_t n = e->config->experts.n_experts;
    COLA_TRY(cola_alloc((void **)&w->expert, n, sizeof *w->expert, "experts"));
    for (uint32_t x = 0; x < n; x++) {
        COLA_TRY(load_matrix(e, cola_model_expert(e->model, layer, x, COLA_WEIGHT_GATE), &w->expert[x].gate));
        COLA_TRY(load_matrix(e, cola_model_expert(e->model, layer, x, COLA_WEIGHT_UP), &w->expert[x].up));
        COLA_TRY(load_matrix(e, cola_model_expert(e->model, layer, x, COLA_WEIGHT_DOWN), &w->expert[x].down));
    }
    return COLA_OK;
}

static enum cola_status load_layer(struct cola_engine *e, uint32_t layer, struct layer_weights *w)
{
    for (int role = 0; role < COLA_N_WEIGHTS; role++) {
        const struct cola_tensor *tensor = cola_model_weight(e->model, layer, (enum cola_weight)role);
        if (!tensor) continue;
        w->width[role] = (uint32_t)tensor->shape[0];
        if (tensor->n_dims == 1)
            COLA_TRY(load_vector(e, tensor, &w->vector[role]));
        else
            COLA_TRY(load_matrix(e, tensor, &w->matrix[role]));
    }
    return w->matrix[COLA_WEIGHT_ROUTER] ? load_experts(e, layer, w) : COLA_OK;
}

enum cola_status cola_weights_load(struct cola_engine *e)
{
    struct weights *w = &e->weights;
    uint64_t vectors;
    count_all(e, &w->room_bytes, &vectors);
    w->n_bytes = w->room_bytes + vectors;
    const struct cola_tensor *head = cola_model_head(e->model);
    w->bytes_each = (double)bytes_of(e, head) / ((double)head->shape[0] * (double)head->shape[1]);
    COLA_TRY(cola_alloc((void **)&w->layer, e->config->n_layers, sizeof *w->layer, "layers"));
    COLA_TRY(open_room(e));
    w->next = w->room;
    for (uint32_t l = 0; l < e->config->n_layers; l++) COLA_TRY(load_layer(e, l, &w->layer[l]));
    w->embedding = cola_model_embedding(e->model);
    COLA_TRY(load_vector(e, cola_model_final_norm(e->model), &w->final_norm));
    COLA_TRY(load_matrix(e, cola_model_head(e->model), &w->head));
    offer_room(e);
    return COLA_OK;
}

static void release_layer(struct cola_engine *e, struct layer_weights *w)
{
    for (int role = 0; role < COLA_N_WEIGHTS; role++) {
        e->backend->release_matrix(e->device, w->matrix[role]);
        e->backend->release(e->device, w->vector[role]);
    }
    for (uint32_t x = 0; w->expert && x < e->config->experts.n_experts; x++) {
        e->backend->release_matrix(e->device, w->expert[x].gate);
        e->backend->release_matrix(e->device, w->expert[x].up);
        e->backend->release_matrix(e->device, w->expert[x].down);
    }
    free(w->expert);
}

void cola_weights_release(struct cola_engine *e)
{
    struct weights *w = &e->weights;
    for (uint32_t l = 0; w->layer && l < e->config->n_layers; l++) release_layer(e, &w->layer[l]);
    free(w->layer);
    e->backend->release(e->device, w->final_norm);
    e->backend->release_matrix(e->device, w->head);
    if (!w->shared && w->room) cola_pages_unmap(w->room, w->room_bytes);
    cola_shared_memory_close(w->shared);
}

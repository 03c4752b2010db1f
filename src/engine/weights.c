/* weights.c - the model's weights onto the device, by role: matrices in the back end's layout, one after the
 * other in one room, vectors as floats. */
#include <stdlib.h>

#include "cola/memory.h"
#include "engine/state.h"

/* --- the room of all matrices, in the order of loading ------------------------------------------------ */

static uint64_t bytes_of(const struct cola_engine *e, const struct cola_tensor *tensor)
{
    enum { ALIGNMENT = 64 };
    return (e->backend->matrix_bytes(e->device, tensor) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static const enum cola_weight expert_role[] = {COLA_WEIGHT_GATE, COLA_WEIGHT_UP, COLA_WEIGHT_DOWN};

static uint64_t layer_bytes(const struct cola_engine *e, uint32_t layer)
{
    uint64_t n_bytes = 0;
    for (int role = 0; role < COLA_N_WEIGHTS; role++) {
        const struct cola_tensor *tensor = cola_model_weight(e->model, layer, (enum cola_weight)role);
        if (tensor && tensor->n_dims == 2) n_bytes += bytes_of(e, tensor);
    }
    if (!cola_model_weight(e->model, layer, COLA_WEIGHT_ROUTER)) return n_bytes;
    for (uint32_t x = 0; x < e->config->experts.n_experts; x++)
        for (int i = 0; i < 3; i++)
            n_bytes += bytes_of(e, cola_model_expert(e->model, layer, x, expert_role[i]));
    return n_bytes;
}

uint64_t cola_weights_bytes(const struct cola_engine *e)
{
    uint64_t n_bytes = bytes_of(e, cola_model_head(e->model));
    for (uint32_t l = 0; l < e->config->n_layers; l++) n_bytes += layer_bytes(e, l);
    return n_bytes;
}

/* --- loading ------------------------------------------------------------------------------------------ */

static enum cola_status load_vector(struct cola_engine *e, const struct cola_tensor *tensor, float **out)
{
    uint64_t n = tensor->shape[0];
    float *host = NULL, *device = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&host, n, sizeof *host, "norm weight"));
    cola_tensor_widen(tensor, 0, n, host);
    COLA_TRY_DONE(e->backend->allocate(e->device, n, "norm weight", &device));
    COLA_TRY_DONE(e->backend->upload(e->device, host, n, device));
    e->weights.n_bytes += n * sizeof *host;
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
    w->next += bytes_of(e, tensor);
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
    uint64_t n_bytes = cola_weights_bytes(e);
    COLA_TRY(cola_alloc((void **)&w->layer, e->config->n_layers, sizeof *w->layer, "layers"));
    COLA_TRY(cola_alloc(&w->room, n_bytes, 1, "weights"));
    w->next = w->room;
    w->n_bytes = n_bytes;
    for (uint32_t l = 0; l < e->config->n_layers; l++) COLA_TRY(load_layer(e, l, &w->layer[l]));
    w->embedding = cola_model_embedding(e->model);
    COLA_TRY(load_vector(e, cola_model_final_norm(e->model), &w->final_norm));
    return load_matrix(e, cola_model_head(e->model), &w->head);
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
    free(w->room);
}

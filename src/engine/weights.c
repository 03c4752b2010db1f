/* weights.c - the model's weights onto the device, by role: matrices in the back end's layout, vectors as
 * floats. */
#include <stdlib.h>

#include "cola/memory.h"
#include "engine/state.h"

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
    COLA_TRY(e->backend->load_matrix(e->device, tensor, out));
    e->weights.n_bytes += tensor->shape[0] * tensor->shape[1] * sizeof(float);
    return COLA_OK;
}

enum cola_status cola_weights_load(struct cola_engine *e)
{
    struct weights *w = &e->weights;
    COLA_TRY(cola_alloc((void **)&w->layer, e->config->n_layers, sizeof *w->layer, "layers"));
    for (uint32_t l = 0; l < e->config->n_layers; l++)
        for (int role = 0; role < COLA_N_WEIGHTS; role++) {
            const struct cola_tensor *tensor = cola_model_weight(e->model, l, (enum cola_weight)role);
            if (!tensor) continue;
            if (tensor->n_dims == 1)
                COLA_TRY(load_vector(e, tensor, &w->layer[l].vector[role]));
            else
                COLA_TRY(load_matrix(e, tensor, &w->layer[l].matrix[role]));
        }
    w->embedding = cola_model_embedding(e->model);
    COLA_TRY(load_vector(e, cola_model_final_norm(e->model), &w->final_norm));
    return load_matrix(e, cola_model_head(e->model), &w->head);
}

void cola_weights_release(struct cola_engine *e)
{
    struct weights *w = &e->weights;
    for (uint32_t l = 0; w->layer && l < e->config->n_layers; l++)
        for (int role = 0; role < COLA_N_WEIGHTS; role++) {
            e->backend->release_matrix(e->device, w->layer[l].matrix[role]);
            e->backend->release(e->device, w->layer[l].vector[role]);
        }
    free(w->layer);
    e->backend->release(e->device, w->final_norm);
    e->backend->release_matrix(e->device, w->head);
}

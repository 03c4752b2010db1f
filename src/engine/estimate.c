/* estimate.c - what an engine would allocate for a model, by the arithmetic of create but without loading a
 * weight: for plans made before a job is queued. */
#include "engine/state.h"

enum cola_status cola_engine_estimate(const struct cola_model *model,
                                      const struct cola_engine_options *options,
                                      struct cola_engine_needs *out)
{
    struct cola_engine *e;
    COLA_TRY(cola_engine_open(model, options, &e));
    *out = (struct cola_engine_needs){.backend = e->backend->name,
                                      .max_requests = e->max_requests,
                                      .weight_bytes = cola_weights_bytes(e),
                                      .batch_bytes = cola_scratch_bytes(e, e->max_rows),
                                      .least_batch_bytes = cola_scratch_bytes(e, COLA_LEAST_ROWS),
                                      .state_row_bytes = (uint64_t)e->config->n_hidden * sizeof(float)};
    e->backend->describe(e->device, out->device, sizeof out->device);
    cola_engine_destroy(e);
    return COLA_OK;
}

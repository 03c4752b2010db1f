/* estimate.c - what an engine would allocate for a model, by the arithmetic of create but without loading a
 * weight: for plans made before a job is queued. */
#include "engine/state.h"

enum cola_status cola_engine_estimate(const struct cola_model *model,
                                      const struct cola_engine_options *options,
                                      struct cola_engine_needs *out)
{
    struct cola_engine *e;
    const struct cola_engine_demand *demand = &options->demand;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_engine_open(model, options, &e));
    *out = (struct cola_engine_needs){.backend = e->backend->name,
                                      .max_requests = e->max_requests,
                                      .weight_bytes = cola_weights_bytes(e),
                                      .least_batch_bytes = cola_scratch_bytes(e, COLA_LEAST_ROWS),
                                      .state_row_bytes = (uint64_t)e->config->n_hidden * sizeof(float)};
    e->backend->describe(e->device, out->device, sizeof out->device);
    if (demand->n_rows) {
        out->request_bytes = cola_need_own(e, demand);
        out->least_bytes = cola_need_alone(e, demand, COLA_LEAST_ROWS);
    } else {
        out->least_bytes = out->weight_bytes + out->least_batch_bytes;
    }
    if (options->memory_bytes) status = cola_engine_bound(e, options);
    out->batch_bytes = cola_scratch_bytes(e, e->max_rows);
    cola_engine_destroy(e);
    return status;
}

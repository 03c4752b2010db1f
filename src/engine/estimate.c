/* estimate.c - what an engine would allocate for a model, by the arithmetic of create but without loading a
 * weight: for plans made before a job is queued. */
#include <stdlib.h>

#include "cola/memory.h"
#include "engine/state.h"

enum { DEFAULT_ROWS = 512, LEAST_ROWS = COLA_HEAD_ROWS }; /* those of engine.c */

enum cola_status cola_engine_estimate(const struct cola_model *model,
                                      const struct cola_engine_options *options,
                                      struct cola_engine_needs *out)
{
    struct cola_engine *e = NULL;
    enum cola_status status = COLA_OK;
    struct cola_device_options device = {.isa = options->isa ? options->isa : "auto",
                                         .n_threads = options->n_threads,
                                         .bf16 = options->bf16,
                                         .bf16_products = options->bf16_products};
    COLA_TRY_DONE(cola_alloc((void **)&e, 1, sizeof *e, "engine"));
    e->model = model;
    e->config = cola_model_config(model);
    COLA_TRY_DONE(cola_backend_find(options->backend ? options->backend : "auto", &e->backend));
    COLA_TRY_DONE(e->backend->open(&device, &e->device));
    struct cola_engine_needs needs = {
        .backend = e->backend->name,
        .weight_bytes = cola_weights_bytes(e),
        .batch_bytes = cola_scratch_bytes(e, options->max_rows ? options->max_rows : DEFAULT_ROWS),
        .least_batch_bytes = cola_scratch_bytes(e, LEAST_ROWS),
        .state_row_bytes = (uint64_t)e->config->n_hidden * sizeof(float)};
    e->backend->describe(e->device, needs.device, sizeof needs.device);
    *out = needs;
done:
    if (e && e->device) e->backend->close(e->device);
    free(e);
    return status;
}

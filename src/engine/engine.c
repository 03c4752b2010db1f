/* engine.c - the life of an engine: create, step by step, what it tells about itself. Requests come in
 * through admit.c; a step moves the jobs that wait for one layer (plan.c) one layer on (layer.c), or through
 * the head (score.c). Which rows go together changes no bit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/clock.h"
#include "cola/memory.h"
#include "engine/state.h"

/* The bound of this engine alone; 0: none. A device with memory of its own is not the machine's. */
static uint64_t own_limit(const struct cola_engine *e, const struct cola_engine_options *o,
                          uint64_t weight_bytes)
{
    if (e->backend->memory_limit) {
        uint64_t there = e->backend->memory_limit(e->device);
        return o->memory_bytes && o->memory_bytes < there ? o->memory_bytes : there;
    }
    uint64_t n = o->sharing.n_ranks ? o->sharing.n_ranks : 1, shared = o->sharing.key ? weight_bytes : 0;
    if (o->memory_bytes || !o->machine_memory_bytes) return o->memory_bytes;
    return shared < o->machine_memory_bytes ? shared + (o->machine_memory_bytes - shared) / n
                                            : o->machine_memory_bytes;
}

static uint32_t halved(uint32_t n_rows)
{
    return n_rows / 2 > COLA_LEAST_ROWS ? n_rows / 2 : COLA_LEAST_ROWS;
}

/* The weights must fit; batches take at most a quarter of what is left, and less where the largest request
 * needs the room, down to COLA_LEAST_ROWS rows. */
enum cola_status cola_engine_bound(struct cola_engine *e, const struct cola_engine_options *options)
{
    char all[32], weights[32], batch[32], text[512];
    uint64_t weight_bytes = cola_weights_bytes(e), least = cola_scratch_bytes(e, COLA_LEAST_ROWS);
    uint64_t limit = own_limit(e, options, weight_bytes);
    const struct cola_engine_demand *demand = &options->demand;
    e->memory.limit_bytes = limit ? limit : UINT64_MAX;
    if (!limit) return COLA_OK;
    if (limit < weight_bytes + least)
        return cola_fail(COLA_ERR_MEMORY,
                         "the engine's memory of %s is too little: the weights take %s, the smallest batch "
                         "%s; give more with --memory",
                         cola_memory_text(limit, all), cola_memory_text(weight_bytes, weights),
                         cola_memory_text(least, batch));
    while (e->max_rows > COLA_LEAST_ROWS && cola_scratch_bytes(e, e->max_rows) > (limit - weight_bytes) / 4)
        e->max_rows = halved(e->max_rows);
    if (!demand->n_rows) return COLA_OK;
    while (e->max_rows > COLA_LEAST_ROWS && cola_need_alone(e, demand, e->max_rows) > limit)
        e->max_rows = halved(e->max_rows);
    if (cola_need_check(e, demand) == COLA_OK) return COLA_OK;
    snprintf(text, sizeof text, "%s", cola_error_text());
    return cola_fail(COLA_ERR_MEMORY,
                     "sample %u, the longest, cannot be evaluated: %s, or that sample left out",
                     demand->sample, text);
}

enum cola_status cola_engine_open(const struct cola_model *model, const struct cola_engine_options *options,
                                  struct cola_engine **out)
{
    struct cola_engine *e = NULL;
    enum cola_status status = COLA_OK;
    struct cola_device_options device = {.isa = options->isa ? options->isa : "auto",
                                         .n_threads = options->n_threads,
                                         .bf16 = options->bf16,
                                         .bf16_products = options->bf16_products,
                                         .rank = options->sharing.rank,
                                         .ranks_per_gpu = options->ranks_per_gpu,
                                         .memory_bytes = options->memory_bytes};
    COLA_TRY_DONE(cola_alloc((void **)&e, 1, sizeof *e, "engine"));
    e->model = model;
    e->config = cola_model_config(model);
    e->max_rows = options->max_rows ? options->max_rows : COLA_DEFAULT_ROWS;
    e->max_requests = options->max_requests ? options->max_requests : COLA_DEFAULT_REQUESTS;
    e->prefixes.limit_bytes = options->state_bytes;
    e->sharing = options->sharing;
    COLA_TRY_DONE(
        cola_backend_find(options->backend ? options->backend : "auto", options->bf16, &e->backend));
    COLA_TRY_DONE(e->backend->open(&device, &e->device));
    *out = e;
    return COLA_OK;
done:
    cola_engine_destroy(e);
    return status;
}

enum cola_status cola_engine_create(const struct cola_model *model, const struct cola_engine_options *options,
                                    struct cola_engine **out)
{
    struct cola_engine *e;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_engine_open(model, options, &e));
    COLA_TRY_DONE(cola_engine_bound(e, options));
    COLA_TRY_DONE(cola_alloc((void **)&e->job, e->max_requests, sizeof *e->job, "jobs"));
    COLA_TRY_DONE(cola_alloc((void **)&e->batch, e->max_requests, sizeof *e->batch, "jobs"));
    COLA_TRY_DONE(
        cola_alloc((void **)&e->layer_rows, e->config->n_layers + 1, sizeof *e->layer_rows, "layers"));
    COLA_TRY_DONE(cola_weights_load(e));
    e->memory.held_bytes += e->weights.n_bytes;
    COLA_TRY_DONE(cola_scratch_cover(e, e->max_rows, 1));
    *out = e;
    return COLA_OK;
done:
    cola_engine_destroy(e);
    return status;
}

void cola_engine_destroy(struct cola_engine *e)
{
    if (!e) return;
    if (e->device) {
        for (uint32_t i = 0; e->job && i < e->max_requests; i++)
            if (e->job[i].used) cola_admit_release(e, &e->job[i]);
        cola_prefix_release(e);
        cola_weights_release(e);
        cola_scratch_release(e);
        cola_arena_release(e);
        cola_rope_release(e);
        cola_memory_give_back(e);
        e->backend->close(e->device);
    }
    free(e->job);
    free(e->batch);
    free(e->layer_rows);
    free(e);
}

/* A failure ends the step half-way: the engine is then only good for destroy. */
enum cola_status cola_engine_step(struct cola_engine *e, cola_result_fn *done, void *user)
{
    double start = cola_clock_s();
    uint32_t layer, n_jobs;
    e->phase = COLA_PHASE_OTHER;
    e->phase_since_s = start;
    COLA_TRY(cola_admit(e));
    n_jobs = cola_plan_next(e, &layer);
    if (n_jobs == 0) return COLA_OK;
    e->step++;
    if (layer < e->config->n_layers)
        COLA_TRY(cola_layer_execute(e, layer, n_jobs));
    else
        COLA_TRY(cola_score_execute(e, n_jobs, done, user));
    e->counters.n_steps++;
    cola_phase_enter(e, COLA_PHASE_OTHER);
    e->counters.seconds += e->phase_since_s - start;
    return COLA_OK;
}

uint32_t cola_engine_room(const struct cola_engine *e)
{
    return e->max_requests - e->n_pending;
}
uint32_t cola_engine_n_pending(const struct cola_engine *e)
{
    return e->n_pending;
}

void cola_engine_forget(struct cola_engine *e, uint32_t sample)
{
    cola_prefix_forget(e, sample);
}

void cola_engine_info(const struct cola_engine *e, struct cola_engine_info *out)
{
    uint64_t limit = e->memory.limit_bytes, batch = cola_scratch_bytes(e, e->max_rows);
    uint64_t fixed = e->weights.n_bytes + batch, left = limit > fixed ? limit - fixed : 0;
    if (limit == UINT64_MAX) left = UINT64_MAX;
    *out = (struct cola_engine_info){.backend = e->backend->name,
                                     .weight_bytes = e->weights.n_bytes,
                                     .weights_are_shared = e->weights.shared != NULL,
                                     .weights_were_here = e->weights.filled,
                                     .memory_bytes = limit == UINT64_MAX ? 0 : limit,
                                     .batch_bytes = batch,
                                     .state_bytes =
                                         e->prefixes.limit_bytes < left ? e->prefixes.limit_bytes : left,
                                     .max_rows = e->max_rows,
                                     .max_requests = e->max_requests};
    e->backend->describe(e->device, out->device, sizeof out->device);
    e->backend->numerics_id(e->device, out->numerics_id, sizeof out->numerics_id);
}

void cola_engine_counters(const struct cola_engine *e, struct cola_engine_counters *out)
{
    *out = e->counters;
    out->state_bytes = e->prefixes.held_bytes;
    out->most_state_bytes = e->prefixes.most_bytes;
    out->memory_bytes = e->memory.held_bytes + e->memory.kept_bytes;
    out->most_memory_bytes = e->memory.most_bytes;
}

double cola_engine_measure_peak(struct cola_engine *e, double seconds)
{
    return e->backend->measure_peak ? e->backend->measure_peak(e->device, seconds) : 0;
}

double cola_engine_measure_bandwidth(struct cola_engine *e, double seconds)
{
    const struct weights *w = &e->weights;
    return e->backend->measure_bandwidth
               ? e->backend->measure_bandwidth(e->device, w->room, w->room_bytes, seconds)
               : 0;
}

/* evaluator_engine.c - the evaluator of a real search: opens the model, creates the engine, hands requests on
 * to it. */
#include <stdio.h>
#include <stdlib.h>

#include "cola/demand.h"
#include "cluster/evaluator.h"
#include "cola/memory.h"

struct with_engine {
    struct cola_evaluator base;
    const struct cola_worker_options *options;
    struct cola_model *model;
    struct cola_engine *engine;
};

static struct cola_engine *engine_of(const struct cola_evaluator *e)
{
    return ((const struct with_engine *)e)->engine;
}

static uint32_t room(const struct cola_evaluator *e)
{
    return cola_engine_room(engine_of(e));
}

static uint32_t n_pending(const struct cola_evaluator *e)
{
    return cola_engine_n_pending(engine_of(e));
}

static double wait_s(const struct cola_evaluator *e)
{
    (void)e;
    return 0; /* each step is a layer's work */
}

static enum cola_status submit(struct cola_evaluator *e, const struct cola_request *request)
{
    return cola_engine_submit(engine_of(e), request);
}

static enum cola_status step(struct cola_evaluator *e, cola_result_fn *done, void *user)
{
    return cola_engine_step(engine_of(e), done, user);
}

static void forget(struct cola_evaluator *e, uint32_t sample)
{
    cola_engine_forget(engine_of(e), sample);
}

static void memory(const struct cola_evaluator *e, uint64_t *memory_bytes, uint64_t *state_bytes)
{
    struct cola_engine_counters counters;
    cola_engine_counters(engine_of(e), &counters);
    *memory_bytes = counters.most_memory_bytes;
    *state_bytes = counters.most_state_bytes;
}

static void destroy(struct cola_evaluator *e)
{
    struct with_engine *w = (struct with_engine *)e;
    if (w->engine && w->options->observe) w->options->observe(w->options->observe_user, w->engine, true);
    cola_engine_destroy(w->engine); /* before the model that it borrows */
    cola_model_close(w->model);
    free(w);
}

static const struct cola_evaluator_ops ops = {room, n_pending, wait_s, submit, step, forget, memory, destroy};

static enum cola_status describe(const struct with_engine *w, const struct cola_comm *comm,
                                 uint32_t n_threads, struct cola_hello *h)
{
    struct cola_engine_info info;
    const struct cola_model_config *config = cola_model_config(w->model);
    cola_engine_info(w->engine, &info);
    COLA_TRY(cola_model_fingerprint(w->model, h->model_fingerprint));
    snprintf(h->backend, sizeof h->backend, "%s", info.backend);
    snprintf(h->device, sizeof h->device, "%s", info.device);
    snprintf(h->numerics_id, sizeof h->numerics_id, "%s", info.numerics_id);
    h->n_layers = config->n_layers;
    h->n_vocab = config->n_vocab;
    h->max_positions = config->max_positions;
    h->n_threads = n_threads;
    h->n_sharing = info.weights_are_shared ? comm->node_ranks : 1;
    h->packs_weights = !info.weights_were_here;
    h->weight_bytes = info.weight_bytes;
    h->memory_bytes = info.memory_bytes;
    h->batch_bytes = info.batch_bytes;
    h->state_bytes = info.state_bytes;
    return COLA_OK;
}

/* Before HELLO only one message can come after START: the dismissal, when the search stops early. Then the
 * engine that this one waits for may be gone already. */
static bool is_dismissed(void *comm)
{
    return cola_comm_has_message(comm);
}

static enum cola_status load(struct with_engine *w, struct cola_comm *comm, const struct cola_start *start,
                             struct cola_hello *hello)
{
    const struct cola_worker_options *o = w->options;
    struct cola_engine_options engine = o->engine;
    if (engine.n_threads == 0) engine.n_threads = comm->n_cores;
    engine.sharing = (struct cola_weight_sharing){.key = o->own_weights ? 0 : start->sharing_key,
                                                  .rank = comm->node_rank,
                                                  .n_ranks = comm->node_ranks,
                                                  .given_up = is_dismissed,
                                                  .user = comm};
    COLA_TRY(cola_model_open(o->model_dir, &w->model));
    w->base.n_layers = cola_model_config(w->model)->n_layers;
    engine.demand = start->most;
    COLA_TRY(cola_demand_layers(&o->search, w->base.n_layers, &engine.demand));
    COLA_TRY(cola_engine_create(w->model, &engine, &w->engine));
    if (o->observe) o->observe(o->observe_user, w->engine, false);
    return describe(w, comm, engine.n_threads, hello);
}

enum cola_status cola_evaluator_open_engine(const struct cola_worker_options *options, struct cola_comm *comm,
                                            const struct cola_start *start, struct cola_hello *hello,
                                            struct cola_evaluator **out)
{
    struct with_engine *w;
    COLA_TRY(cola_alloc((void **)&w, 1, sizeof *w, "a worker"));
    w->base.ops = &ops;
    w->options = options;
    enum cola_status status = load(w, comm, start, hello);
    if (status != COLA_OK) {
        destroy(&w->base);
        return status;
    }
    *out = &w->base;
    return COLA_OK;
}

/* worker.c - a worker rank: loads the model when told to, says hello, keeps its engine full, returns results
 * one by one, and leaves when dismissed.
 *
 *     START -> open the model, create the engine -> HELLO (credit)
 *     SAMPLE, REQUEST... -> queue -> engine.submit while it has room -> engine.step -> RESULT
 *     FORGET -> engine.forget;  SHUTDOWN -> leave;  a failure -> ERROR, then wait for SHUTDOWN
 *
 * The credit is a little more than the engine's room, so that a request is here when one finishes. While the
 * engine is at work messages are only looked for; an idle worker sleeps in receive. Knows nothing of trees,
 * files or other workers. */
#include "cola/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/message.h"
#include "cola/build.h"
#include "cola/clock.h"
#include "cola/log.h"
#include "cola/memory.h"

static const double IDLE_S = 10; /* a sleep in receive; only bounds how long one call lasts */

struct slot {    /* a request that is here */
    uint64_t id; /* the master's */
    uint32_t sample;
    struct cola_chain chain;
    cola_layer *layer; /* [COLA_CHAIN_MAX(L)] */
    bool used;
};

struct held {                /* a sample that was sent here */
    struct cola_buffer room; /* its arrays */
    struct cola_sample sample;
    uint32_t n_requests; /* of it that are here */
};

struct worker {
    struct cola_comm *comm;
    const struct cola_worker_options *options;
    struct cola_model *model;
    struct cola_engine *engine;
    struct held **held; /* [n_samples] by sample index, NULL: not here */
    uint32_t n_samples;
    struct slot *slot; /* [n_slots] */
    uint32_t n_slots;
    uint32_t *queue; /* ring [n_slots] of slots that wait for room */
    uint32_t queue_first, n_queued;
    struct cola_buffer out, in; /* of messages */
    double busy_s, step_s;      /* inside engine steps so far; on cola_clock_s: when the present one began */
    int64_t failed_sample;      /* whose request failed, -1 */
    bool dismissed;
    uint8_t exit_status;
};

static enum cola_status send_message(struct worker *w, const struct cola_message *message)
{
    COLA_TRY(cola_message_pack(message, &w->out));
    return cola_comm_send(w->comm, 0, w->out.bytes, w->out.n_bytes);
}

/* --- loading ------------------------------------------------------------------------------------------ */

static enum cola_status say_hello(struct worker *w, uint32_t n_threads, double began_s)
{
    struct cola_message m = {.kind = COLA_MESSAGE_HELLO};
    struct cola_hello *h = &m.hello;
    struct cola_engine_info info;
    const struct cola_model_config *config = cola_model_config(w->model);
    cola_engine_info(w->engine, &info);
    COLA_TRY(cola_model_fingerprint(w->model, h->model_fingerprint));
    snprintf(h->program, sizeof h->program, "%s %.40s", cola_build_version(), cola_build_git_hash());
    snprintf(h->backend, sizeof h->backend, "%s", info.backend);
    snprintf(h->device, sizeof h->device, "%s", info.device);
    snprintf(h->numerics_id, sizeof h->numerics_id, "%s", info.numerics_id);
    if (gethostname(h->host, sizeof h->host - 1) != 0) snprintf(h->host, sizeof h->host, "unknown host");
    h->n_layers = config->n_layers;
    h->n_vocab = config->n_vocab;
    h->max_positions = config->max_positions;
    h->credit = w->n_slots;
    h->n_threads = n_threads;
    h->n_sharing = info.weights_are_shared ? w->comm->node_ranks : 1;
    h->packs_weights = !info.weights_were_here;
    h->weight_bytes = info.weight_bytes;
    h->memory_bytes = info.memory_bytes;
    h->batch_bytes = info.batch_bytes;
    h->state_bytes = info.state_bytes;
    h->load_s = (float)(cola_clock_s() - began_s);
    return send_message(w, &m);
}

static enum cola_status make_slots(struct worker *w)
{
    uint32_t room = cola_engine_room(w->engine);
    uint32_t n_most = COLA_CHAIN_MAX(cola_model_config(w->model)->n_layers);
    w->n_slots = room + 1 + room / 8;
    COLA_TRY(cola_alloc((void **)&w->slot, w->n_slots, sizeof *w->slot, "requests"));
    COLA_TRY(cola_alloc((void **)&w->queue, w->n_slots, sizeof *w->queue, "requests"));
    for (uint32_t i = 0; i < w->n_slots; i++)
        COLA_TRY(cola_alloc((void **)&w->slot[i].layer, n_most, sizeof(cola_layer), "requests"));
    return COLA_OK;
}

static enum cola_status on_start(struct worker *w, const struct cola_start *start)
{
    if (w->engine) return cola_fail(COLA_ERR_INPUT, "the master sent START twice");
    double began_s = cola_clock_s();
    struct cola_engine_options engine = w->options->engine;
    if (engine.n_threads == 0) engine.n_threads = w->comm->n_cores;
    engine.sharing = (struct cola_weight_sharing){.key = w->options->own_weights ? 0 : start->sharing_key,
                                                  .rank = w->comm->node_rank,
                                                  .n_ranks = w->comm->node_ranks};
    w->n_samples = start->n_samples;
    COLA_TRY(cola_alloc((void **)&w->held, w->n_samples, sizeof *w->held, "the table of samples"));
    COLA_TRY(cola_model_open(w->options->model_dir, &w->model));
    COLA_TRY(cola_engine_create(w->model, &engine, &w->engine));
    COLA_TRY(make_slots(w));
    if (w->options->observe) w->options->observe(w->options->observe_user, w->engine, false);
    return say_hello(w, engine.n_threads, began_s);
}

/* --- messages ----------------------------------------------------------------------------------------- */

/* The message's arrays lie in w->in; they go with the sample. */
static enum cola_status on_sample(struct worker *w, const struct cola_sample *sample)
{
    uint32_t i = sample->index;
    if (i >= w->n_samples || w->held[i])
        return cola_fail(COLA_ERR_INPUT, "the master sent sample %u, which is %s", i,
                         i < w->n_samples ? "already here" : "not one of the tasks");
    struct held *held;
    COLA_TRY(cola_alloc((void **)&held, 1, sizeof *held, "a sample"));
    held->sample = *sample;
    held->room = w->in;
    w->in = (struct cola_buffer){0};
    w->held[i] = held;
    return COLA_OK;
}

static enum cola_status on_request(struct worker *w, const struct cola_request_message *request)
{
    w->failed_sample = request->sample;
    if (request->sample >= w->n_samples || !w->held[request->sample])
        return cola_fail(COLA_ERR_INPUT, "the master asks for sample %u, which it has not sent",
                         request->sample);
    COLA_TRY(cola_chain_check(&request->chain, cola_model_config(w->model)->n_layers));
    uint32_t i = 0;
    while (i < w->n_slots && w->slot[i].used) i++;
    if (i == w->n_slots)
        return cola_fail(COLA_ERR_INPUT, "the master sent more than the %u requests of this worker's credit",
                         w->n_slots);
    struct slot *slot = &w->slot[i];
    memcpy(slot->layer, request->chain.layer, request->chain.n_layers * sizeof *slot->layer);
    slot->chain = (struct cola_chain){slot->layer, request->chain.n_layers};
    slot->id = request->id;
    slot->sample = request->sample;
    slot->used = true;
    w->held[request->sample]->n_requests++;
    w->queue[(w->queue_first + w->n_queued++) % w->n_slots] = i;
    w->failed_sample = -1;
    return COLA_OK;
}

static void free_held(struct held *held)
{
    if (held) cola_buffer_fini(&held->room);
    free(held);
}

static enum cola_status on_forget(struct worker *w, uint32_t sample)
{
    if (sample >= w->n_samples || !w->held[sample] || w->held[sample]->n_requests)
        return cola_fail(COLA_ERR_INPUT, "the master forgets sample %u, which is not here or still asked for",
                         sample);
    cola_engine_forget(w->engine, sample);
    free_held(w->held[sample]);
    w->held[sample] = NULL;
    return COLA_OK;
}

static enum cola_status on_message(struct worker *w, const struct cola_packet *packet)
{
    struct cola_message m;
    COLA_TRY(cola_message_unpack(packet->bytes, packet->n_bytes, &w->in, &m));
    if (m.kind == COLA_MESSAGE_SHUTDOWN) {
        w->dismissed = true;
        w->exit_status = m.shutdown;
        return COLA_OK;
    }
    if (m.kind == COLA_MESSAGE_START) return on_start(w, &m.start);
    if (!w->engine)
        return cola_fail(COLA_ERR_INPUT, "the master sent %s before START", cola_message_name(m.kind));
    switch (m.kind) {
    case COLA_MESSAGE_SAMPLE: return on_sample(w, &m.sample);
    case COLA_MESSAGE_REQUEST: return on_request(w, &m.request);
    case COLA_MESSAGE_FORGET: return on_forget(w, m.forget);
    default:
        return cola_fail(COLA_ERR_INPUT, "the master sent %s, a worker's message", cola_message_name(m.kind));
    }
}

/* --- work --------------------------------------------------------------------------------------------- */

static enum cola_status fill_engine(struct worker *w)
{
    while (w->n_queued && cola_engine_room(w->engine)) {
        uint32_t i = w->queue[w->queue_first];
        struct slot *slot = &w->slot[i];
        struct cola_request request = {
            .id = i, .sample = &w->held[slot->sample]->sample, .chain = slot->chain};
        w->failed_sample = slot->sample;
        COLA_TRY(cola_engine_submit(w->engine, &request));
        w->failed_sample = -1;
        w->queue_first = (w->queue_first + 1) % w->n_slots;
        w->n_queued--;
    }
    return COLA_OK;
}

/* cola_result_fn */
static enum cola_status send_result(void *user, const struct cola_result *result)
{
    struct worker *w = user;
    struct slot *slot = &w->slot[result->id];
    struct cola_message m = {.kind = COLA_MESSAGE_RESULT, .result = *result};
    m.result.id = slot->id;
    m.busy_s = w->busy_s + (cola_clock_s() - w->step_s);
    slot->used = false;
    w->held[slot->sample]->n_requests--;
    return send_message(w, &m);
}

static bool is_working(const struct worker *w)
{
    return w->engine && (w->n_queued || cola_engine_n_pending(w->engine));
}

static enum cola_status serve(struct worker *w)
{
    for (;;) {
        struct cola_packet packet;
        do {
            COLA_TRY(cola_comm_receive(w->comm, is_working(w) ? 0 : IDLE_S, &packet));
            if (packet.n_bytes) COLA_TRY(on_message(w, &packet));
            if (w->dismissed) return COLA_OK;
        } while (packet.n_bytes);
        if (!is_working(w)) continue;
        COLA_TRY(fill_engine(w));
        w->step_s = cola_clock_s();
        COLA_TRY(cola_engine_step(w->engine, send_result, w));
        w->busy_s += cola_clock_s() - w->step_s;
    }
}

/* Tells the master what failed and waits to be dismissed, so that all ranks leave together. A failure of the
 * transport itself cannot be told. */
static enum cola_status confess(struct worker *w, enum cola_status failure)
{
    struct cola_message m = {.kind = COLA_MESSAGE_ERROR};
    m.error.status = (uint8_t)failure;
    m.error.sample = w->failed_sample;
    snprintf(m.error.text, sizeof m.error.text, "%s", cola_error_text());
    COLA_TRY(send_message(w, &m));
    while (!w->dismissed) {
        struct cola_packet packet;
        COLA_TRY(cola_comm_receive(w->comm, IDLE_S, &packet));
        if (packet.n_bytes == 0) continue;
        COLA_TRY(cola_message_unpack(packet.bytes, packet.n_bytes, &w->in, &m));
        if (m.kind == COLA_MESSAGE_SHUTDOWN) w->dismissed = true, w->exit_status = m.shutdown;
    }
    return COLA_OK;
}

static void fini(struct worker *w)
{
    if (w->engine && w->options->observe) w->options->observe(w->options->observe_user, w->engine, true);
    cola_engine_destroy(w->engine); /* before the samples and the model that it borrows */
    cola_model_close(w->model);
    for (uint32_t i = 0; w->held && i < w->n_samples; i++) free_held(w->held[i]);
    for (uint32_t i = 0; w->slot && i < w->n_slots; i++) free(w->slot[i].layer);
    free(w->held);
    free(w->slot);
    free(w->queue);
    cola_buffer_fini(&w->in);
    cola_buffer_fini(&w->out);
}

int cola_worker_run(struct cola_comm *comm, const struct cola_worker_options *options)
{
    struct worker w = {.comm = comm, .options = options, .failed_sample = -1, .exit_status = 1};
    enum cola_status status = serve(&w);
    if (status != COLA_OK) status = confess(&w, status);
    if (status != COLA_OK) {
        cola_log(COLA_LOG_ERROR, "worker %u: %s", comm->rank, cola_error_text());
        cola_comm_abort(comm, 1);
    }
    fini(&w);
    return w.exit_status;
}

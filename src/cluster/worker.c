/* worker.c - a worker rank: loads the model when told to, says hello, keeps its evaluator (the engine, as a
 * rule) full, returns results one by one, and leaves when dismissed.
 *
 *     START -> open the evaluator -> HELLO (credit)
 *     SAMPLE, REQUEST... -> queue -> evaluator.submit while it has room -> evaluator.step -> RESULT
 *     FORGET -> evaluator.forget;  SHUTDOWN -> leave;  a failure -> ERROR, then wait for SHUTDOWN
 *
 * The credit is a little more than the evaluator's room, so that a request is here when one finishes. While
 * an engine is at work messages are only looked for; a worker that waits, for work or for a result's time,
 * sleeps in receive. Knows nothing of trees, files or other workers. */
#include "cola/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/alive.h"
#include "cluster/evaluator.h"
#include "cola/build.h"
#include "cola/clock.h"
#include "cola/log.h"
#include "cola/memory.h"

enum { PACKET_BYTES = 1 << 16 }; /* of results: then they are sent, whatever else the step gives */
static const double IDLE_S = 10; /* a sleep in receive; only bounds how long one call lasts */

struct slot {    /* a request that is here */
    uint64_t id; /* the master's */
    uint32_t sample;
    struct cola_chain chain;
    cola_layer *layer; /* [COLA_CHAIN_MAX(L)] */
};

struct held {                /* a sample that was sent here */
    struct cola_buffer room; /* its arrays */
    struct cola_sample sample;
    uint32_t n_requests; /* of it that are here */
};

struct worker {
    struct cola_comm *comm;
    const struct cola_worker_options *options;
    struct cola_evaluator *evaluator; /* NULL before START */
    struct held **held;               /* [n_samples] by sample index, NULL: not here */
    uint32_t n_samples;
    struct slot *slot; /* [n_slots] */
    uint32_t n_slots;
    uint32_t *free_slot; /* [n_free_slots] */
    uint32_t n_free_slots;
    uint32_t *queue; /* ring [n_slots] of slots that wait for room */
    uint32_t queue_first, n_queued;
    struct cola_buffer out, in; /* of messages */
    double busy_s, step_s;      /* at work so far; on cola_clock_s: when the present one began */
    int64_t failed_sample;      /* whose request failed, -1 */
    bool dismissed;
    uint8_t exit_status;
};

static enum cola_status flush(struct worker *w)
{
    size_t n = w->out.n_bytes;
    w->out.n_bytes = 0;
    return n ? cola_comm_send(w->comm, 0, w->out.bytes, n) : COLA_OK;
}

static enum cola_status send_message(struct worker *w, const struct cola_message *message)
{
    COLA_TRY(cola_message_append(message, &w->out));
    return flush(w);
}

/* --- loading ------------------------------------------------------------------------------------------ */

static enum cola_status make_slots(struct worker *w)
{
    uint32_t room = w->evaluator->ops->room(w->evaluator), n_most = COLA_CHAIN_MAX(w->evaluator->n_layers);
    w->n_slots = room + 1 + room / 8;
    COLA_TRY(cola_alloc((void **)&w->slot, w->n_slots, sizeof *w->slot, "requests"));
    COLA_TRY(cola_alloc((void **)&w->queue, w->n_slots, sizeof *w->queue, "requests"));
    COLA_TRY(cola_alloc((void **)&w->free_slot, w->n_slots, sizeof *w->free_slot, "requests"));
    for (uint32_t i = 0; i < w->n_slots; i++) {
        COLA_TRY(cola_alloc((void **)&w->slot[i].layer, n_most, sizeof(cola_layer), "requests"));
        w->free_slot[w->n_free_slots++] = w->n_slots - 1 - i;
    }
    return COLA_OK;
}

static enum cola_status on_start(struct worker *w, const struct cola_start *start)
{
    struct cola_message m = {.kind = COLA_MESSAGE_HELLO};
    struct cola_hello *h = &m.hello;
    double began_s = cola_clock_s();
    if (w->evaluator) return cola_fail(COLA_ERR_INPUT, "the master sent START twice");
    w->n_samples = start->n_samples;
    COLA_TRY(cola_alloc((void **)&w->held, w->n_samples, sizeof *w->held, "the table of samples"));
    COLA_TRY(w->options->evaluator == COLA_EVALUATE_ENGINE
                 ? cola_evaluator_open_engine(w->options, w->comm, start, h, &w->evaluator)
                 : cola_evaluator_open_synthetic(w->options, h, &w->evaluator));
    COLA_TRY(make_slots(w));
    snprintf(h->program, sizeof h->program, "%s %.40s", cola_build_version(), cola_build_git_hash());
    if (gethostname(h->host, sizeof h->host - 1) != 0) snprintf(h->host, sizeof h->host, "unknown host");
    cola_node_name(h->node);
    h->pid = (uint32_t)getpid();
    h->credit = w->n_slots;
    h->load_s = (float)(cola_clock_s() - began_s);
    return send_message(w, &m);
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
    COLA_TRY(cola_chain_check(&request->chain, w->evaluator->n_layers));
    if (w->n_free_slots == 0)
        return cola_fail(COLA_ERR_INPUT, "the master sent more than the %u requests of this worker's credit",
                         w->n_slots);
    uint32_t i = w->free_slot[--w->n_free_slots];
    struct slot *slot = &w->slot[i];
    memcpy(slot->layer, request->chain.layer, request->chain.n_layers * sizeof *slot->layer);
    slot->chain = (struct cola_chain){slot->layer, request->chain.n_layers};
    slot->id = request->id;
    slot->sample = request->sample;
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
    w->evaluator->ops->forget(w->evaluator, sample);
    free_held(w->held[sample]);
    w->held[sample] = NULL;
    return COLA_OK;
}

static enum cola_status on_message(struct worker *w, const uint8_t *bytes, size_t n_bytes)
{
    struct cola_message m;
    COLA_TRY(cola_message_unpack(bytes, n_bytes, &w->in, &m));
    if (m.kind == COLA_MESSAGE_SHUTDOWN) {
        w->dismissed = true;
        w->exit_status = m.shutdown;
        return COLA_OK;
    }
    if (m.kind == COLA_MESSAGE_START) return on_start(w, &m.start);
    if (!w->evaluator)
        return cola_fail(COLA_ERR_INPUT, "the master sent %s before START", cola_message_name(m.kind));
    switch (m.kind) {
    case COLA_MESSAGE_SAMPLE: return on_sample(w, &m.sample);
    case COLA_MESSAGE_REQUEST: return on_request(w, &m.request);
    case COLA_MESSAGE_FORGET: return on_forget(w, m.forget);
    default:
        return cola_fail(COLA_ERR_INPUT, "the master sent %s, a worker's message", cola_message_name(m.kind));
    }
}

static enum cola_status on_packet(struct worker *w, const struct cola_packet *packet)
{
    for (size_t at = 0, n; at < packet->n_bytes && !w->dismissed; at += n) {
        n = cola_message_bytes(packet->bytes + at, packet->n_bytes - at);
        COLA_TRY(on_message(w, packet->bytes + at, n));
    }
    return COLA_OK;
}

/* --- work --------------------------------------------------------------------------------------------- */

static enum cola_status fill_evaluator(struct worker *w)
{
    while (w->n_queued && w->evaluator->ops->room(w->evaluator)) {
        uint32_t i = w->queue[w->queue_first];
        struct slot *slot = &w->slot[i];
        struct cola_request request = {
            .id = i, .sample = &w->held[slot->sample]->sample, .chain = slot->chain};
        w->failed_sample = slot->sample;
        COLA_TRY(w->evaluator->ops->submit(w->evaluator, &request));
        w->failed_sample = -1;
        w->queue_first = (w->queue_first + 1) % w->n_slots;
        w->n_queued--;
    }
    return COLA_OK;
}

/* cola_result_fn. Results of one step travel together. */
static enum cola_status send_result(void *user, const struct cola_result *result)
{
    struct worker *w = user;
    struct slot *slot = &w->slot[result->id];
    struct cola_message m = {.kind = COLA_MESSAGE_RESULT, .result = *result};
    m.result.id = slot->id;
    m.busy_s = w->busy_s + (cola_clock_s() - w->step_s);
    w->evaluator->ops->memory(w->evaluator, &m.memory_bytes, &m.state_bytes);
    w->free_slot[w->n_free_slots++] = (uint32_t)result->id;
    w->held[slot->sample]->n_requests--;
    COLA_TRY(cola_message_append(&m, &w->out));
    return w->out.n_bytes < PACKET_BYTES ? COLA_OK : flush(w);
}

/* Seconds that receive may wait for a message. */
static double patience(const struct worker *w)
{
    const struct cola_evaluator *e = w->evaluator;
    if (!e) return IDLE_S;
    if (w->n_queued && e->ops->room(e)) return 0;
    return e->ops->n_pending(e) ? e->ops->wait_s(e) : IDLE_S;
}

/* Everything that is here, waiting for the first of it. */
static enum cola_status receive_messages(struct worker *w)
{
    double wait_s = patience(w), since_s = cola_clock_s();
    bool waits_for_result = wait_s > 0 && w->evaluator && w->evaluator->ops->n_pending(w->evaluator);
    struct cola_packet packet;
    do {
        COLA_TRY(cola_comm_receive(w->comm, wait_s, &packet));
        if (waits_for_result) w->busy_s += cola_clock_s() - since_s; /* a device would be at work */
        waits_for_result = false;
        COLA_TRY(on_packet(w, &packet));
        wait_s = 0;
    } while (packet.n_bytes && !w->dismissed);
    return COLA_OK;
}

static enum cola_status serve(struct worker *w)
{
    for (;;) {
        COLA_TRY(receive_messages(w));
        if (w->dismissed) return COLA_OK;
        if (!w->evaluator) continue;
        COLA_TRY(fill_evaluator(w));
        if (!w->evaluator->ops->n_pending(w->evaluator)) continue;
        w->step_s = cola_clock_s();
        COLA_TRY(w->evaluator->ops->step(w->evaluator, send_result, w));
        w->busy_s += cola_clock_s() - w->step_s;
        COLA_TRY(flush(w));
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
        for (size_t at = 0, n; at < packet.n_bytes; at += n) {
            n = cola_message_bytes(packet.bytes + at, packet.n_bytes - at);
            COLA_TRY(cola_message_unpack(packet.bytes + at, n, &w->in, &m));
            if (m.kind == COLA_MESSAGE_SHUTDOWN) w->dismissed = true, w->exit_status = m.shutdown;
        }
    }
    return COLA_OK;
}

static void fini(struct worker *w)
{
    if (w->evaluator) w->evaluator->ops->destroy(w->evaluator); /* before the samples that it borrows */
    for (uint32_t i = 0; w->held && i < w->n_samples; i++) free_held(w->held[i]);
    for (uint32_t i = 0; w->slot && i < w->n_slots; i++) free(w->slot[i].layer);
    free(w->held);
    free(w->slot);
    free(w->queue);
    free(w->free_slot);
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

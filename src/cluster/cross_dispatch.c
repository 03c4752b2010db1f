/* cross_dispatch.c - requests of `cola cross` out to workers with credit, their results into the record.
 *
 * The workers cannot tell it from a search: the same messages, credit and rules for suspects (dispatch.c).
 * Knows nothing of when the loop ends, of stops or of the table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cross.h"
#include "cola/clock.h"
#include "cola/memory.h"

static const double LOOK_S = 0.05; /* a wait for messages: how late a stop or a commit may be noticed */

enum cola_status cola_cross_make_slots(struct cross *x)
{
    struct cola_master *m = &x->m;
    for (uint32_t i = 1; i <= m->n_workers; i++) x->n_slots += m->worker[i].hello.credit;
    COLA_TRY(cola_alloc((void **)&x->slot, x->n_slots, sizeof *x->slot, "requests"));
    COLA_TRY(cola_alloc((void **)&x->free_slot, x->n_slots, sizeof *x->free_slot, "requests"));
    for (uint32_t i = 0; i < x->n_slots; i++) {
        x->slot[i].id = i;
        x->free_slot[x->n_free++] = x->n_slots - 1 - i;
    }
    return COLA_OK;
}

/* The workers that have a sample's tokens are few: its owner, and who helped. */
static enum cola_status give_sample(struct cross *x, uint32_t sample, uint32_t to)
{
    struct holders *h = &x->holders[sample];
    for (size_t i = 0; i < h->n; i++)
        if (h->rank[i] == to) return COLA_OK;
    COLA_TRY(cola_grow((void **)&h->rank, &h->room, h->n + 1, sizeof *h->rank, "holders"));
    h->rank[h->n++] = to;
    struct cola_message message = {.kind = COLA_MESSAGE_SAMPLE};
    message.sample = *cola_tasks_sample(x->options->tasks, sample);
    if (message.sample.rule == COLA_SCORE_GENERATE)
        message.sample.n_candidates = 0; /* the answers are ours */
    return cola_dispatch_message(&x->m, to, &message);
}

static enum cola_status forget(struct cross *x, uint32_t sample)
{
    struct holders *h = &x->holders[sample];
    struct cola_message message = {.kind = COLA_MESSAGE_FORGET, .forget = sample};
    for (size_t i = 0; i < h->n; i++) COLA_TRY(cola_dispatch_message(&x->m, h->rank[i], &message));
    free(h->rank);
    *h = (struct holders){0};
    return COLA_OK;
}

static enum cola_status send_request(struct cross *x, uint32_t to, uint32_t sample, uint32_t chain,
                                     bool alone)
{
    struct slot *slot = &x->slot[x->free_slot[--x->n_free]];
    struct cola_message message = {.kind = COLA_MESSAGE_REQUEST};
    message.request.id = slot->id;
    message.request.sample = sample;
    message.request.chain = cola_chain_set_get(x->options->chains, chain);
    COLA_TRY(give_sample(x, sample, to));
    COLA_TRY(cola_cross_started(x->record, sample, chain)); /* before it may crash its worker */
    COLA_TRY(cola_dispatch_message(&x->m, to, &message));
    slot->used = true;
    slot->sample = sample;
    slot->chain = chain;
    slot->worker = to;
    x->m.worker[to].n_out++;
    x->m.worker[to].alone = alone;
    x->m.n_out++;
    cola_loads_changed(&x->m, to);
    return COLA_OK;
}

/* A suspect is alone at its worker, and at its last attempt alone in the whole job; nothing else begins
 * before all of them are out. The list shrinks as they are answered, so it was copied. */
static enum cola_status send_suspects(struct cross *x)
{
    struct cola_master *m = &x->m;
    while (x->n_suspects && !m->exclusive) {
        const struct suspect *s = &x->suspect[x->n_suspects - 1];
        bool exclusive = s->attempts >= COLA_SUSPECT_EXCLUSIVE;
        uint32_t to = 1;
        while (to <= m->n_workers && m->worker[to].n_out) to++;
        if (to > m->n_workers || (exclusive && m->n_out)) return COLA_OK;
        COLA_TRY(send_request(x, to, s->sample, s->chain, true));
        m->exclusive = exclusive;
        x->n_suspects--;
    }
    return COLA_OK;
}

enum cola_status cola_cross_send_work(struct cross *x)
{
    uint32_t to, sample, chain;
    if (x->n_suspects) return send_suspects(x);
    if (x->m.exclusive || x->n_alone_left) return COLA_OK;
    while ((to = cola_loads_least(&x->m)) && cola_flow_next(&x->flow, to, &sample, &chain))
        COLA_TRY(send_request(x, to, sample, chain, false));
    return COLA_OK;
}

/* --- results ------------------------------------------------------------------------------------------ */

/* Scores or tokens, as many as the sample's rule allows. */
static enum cola_status check_result(const struct cross *x, uint32_t from, uint32_t row,
                                     const struct cola_result *result)
{
    const struct cola_sample *sample = cola_tasks_sample(x->options->tasks, row);
    bool generate = sample->rule == COLA_SCORE_GENERATE, scored = result->outcome == COLA_OUTCOME_SCORED;
    uint32_t n_scores = generate ? 0 : sample->n_candidates, fewest = generate && scored;
    if (result->n_scores != n_scores || result->n_tokens < fewest ||
        result->n_tokens > sample->max_new_tokens)
        return cola_fail(
            COLA_ERR_INPUT, "worker %u sent %u scores and %u tokens for sample %u, expected %u, and %u to %u",
            from, result->n_scores, result->n_tokens, row, n_scores, fewest, sample->max_new_tokens);
    for (uint32_t i = 0; i < result->n_tokens; i++)
        if (result->token[i] < 0 || (uint32_t)result->token[i] >= x->m.worker[from].hello.n_vocab)
            return cola_fail(COLA_ERR_INPUT, "worker %u sent token %d for sample %u, its model has %u", from,
                             result->token[i], row, x->m.worker[from].hello.n_vocab);
    return COLA_OK;
}

static void count_result(struct cross *x, uint32_t from, const struct cola_result *result)
{
    struct worker_state *w = &x->m.worker[from];
    uint64_t n_passes = result->n_tokens;
    if (n_passes == 0 || result->outcome != COLA_OUTCOME_SCORED) n_passes++;
    x->n_new++;
    w->n_results++;
    w->layers_asked += n_passes * result->cost.layers_asked;
    w->layers_executed += result->cost.layers_executed;
}

static enum cola_status on_result(struct cross *x, uint32_t from, const struct cola_result *result)
{
    uint32_t place = (uint32_t)result->id;
    struct slot *slot = place < x->n_slots ? &x->slot[place] : NULL;
    if (!slot || !slot->used || slot->id != result->id || slot->worker != from)
        return cola_fail(COLA_ERR_INPUT, "worker %u sent a result for request %llu, which is not out there",
                         from, (unsigned long long)result->id);
    uint32_t sample = slot->sample;
    COLA_TRY(check_result(x, from, sample, result));
    COLA_TRY(cola_cross_evaluated(x->record, sample, slot->chain, result));
    count_result(x, from, result);
    if (x->m.worker[from].alone) x->n_alone_left--;
    x->m.worker[from].n_out--;
    x->m.worker[from].alone = x->m.exclusive = false;
    x->m.n_out--;
    cola_loads_changed(&x->m, from);
    slot->used = false;
    slot->id += (uint64_t)1 << 32; /* the next generation */
    x->free_slot[x->n_free++] = place;
    cola_flow_answered(&x->flow, sample);
    return cola_cross_n_left(x->record, sample) ? COLA_OK : forget(x, sample);
}

static enum cola_status on_message(struct cross *x, uint32_t from, const uint8_t *bytes, size_t n_bytes)
{
    struct cola_message message;
    enum cola_status status = cola_message_unpack(bytes, n_bytes, &x->m.in, &message);
    if (status != COLA_OK) return cola_fail_in(status, "from worker %u", from);
    if (message.kind == COLA_MESSAGE_RESULT) {
        x->m.worker[from].busy_s = message.busy_s;
        return on_result(x, from, &message.result);
    }
    if (message.kind != COLA_MESSAGE_ERROR)
        return cola_fail(COLA_ERR_INPUT, "worker %u sent %s while it was to work", from,
                         cola_message_name(message.kind));
    const struct cola_error_message *error = &message.error;
    if (error->sample < 0 || error->sample >= x->flow.n_samples)
        return cola_fail((enum cola_status)error->status, "worker %u (%s): %s", from,
                         x->m.worker[from].hello.host, error->text);
    struct cola_text id = cola_tasks_id(x->options->tasks, (uint32_t)error->sample);
    return cola_fail((enum cola_status)error->status, "worker %u (%s), sample %.*s: %s", from,
                     x->m.worker[from].hello.host, (int)id.n_bytes, id.bytes, error->text);
}

/* Everything that is here; the first wait is bounded. */
enum cola_status cola_cross_receive_results(struct cross *x)
{
    struct cola_packet packet;
    double wait_s = LOOK_S, until_s = cola_clock_s() + LOOK_S;
    COLA_TRY(cola_cross_flush(x->record));
    do {
        COLA_TRY(cola_comm_receive(x->m.comm, wait_s, &packet));
        for (size_t at = 0, n; at < packet.n_bytes; at += n) {
            n = cola_message_bytes(packet.bytes + at, packet.n_bytes - at);
            COLA_TRY(on_message(x, packet.from, packet.bytes + at, n));
        }
        wait_s = 0;
    } while (packet.n_bytes && cola_clock_s() < until_s);
    return COLA_OK;
}

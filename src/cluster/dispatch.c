/* dispatch.c - chains that wait go to workers with credit; results come back.
 *
 * A sample goes to the worker that has its states (the owner), because chains of one sample share prefixes.
 * It moves to another only if the owner's share of its credit is more than twice the other's: then its
 * states are made again once, there, and it stays. None of this decides an outcome.
 *
 * A suspect (cola_record_attempts: the job died while it was out) waits for a worker that has nothing else to
 * do and stays alone there; at the last attempt it waits until nothing is out anywhere. Suspects come up at
 * the beginning of a resumed run and are few, so what is behind one in the queue waits with it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/master.h"
#include "cola/memory.h"

static enum cola_status send_packet(struct cola_master *m, uint32_t to)
{
    struct cola_buffer *out = &m->worker[to].out;
    size_t n = out->n_bytes;
    out->n_bytes = 0;
    return cola_comm_send(m->comm, to, out->bytes, n);
}

enum cola_status cola_dispatch_message(struct cola_master *m, uint32_t to, const struct cola_message *message)
{
    struct cola_buffer *out = &m->worker[to].out;
    bool first = out->n_bytes == 0;
    COLA_TRY(cola_message_append(message, out));
    if (!m->record) return send_packet(m, to);
    if (first) m->to_flush[m->n_to_flush++] = to;
    return COLA_OK;
}

enum cola_status cola_dispatch_flush(struct cola_master *m)
{
    bool one_process = strcmp(m->comm->ops->name, "local") == 0;
    if (one_process && m->n_to_flush) COLA_TRY(cola_record_flush(m->record, true));
    while (m->n_to_flush) COLA_TRY(send_packet(m, m->to_flush[--m->n_to_flush]));
    return COLA_OK;
}

/* --- the table of requests ---------------------------------------------------------------------------- */

static enum cola_status new_pending(struct cola_master *m, uint32_t *place)
{
    if (m->n_free == 0) {
        COLA_TRY(cola_grow((void **)&m->pending, &m->pending_room, m->n_pending + 1, sizeof *m->pending,
                           "requests"));
        COLA_TRY(cola_grow((void **)&m->free_pending, &m->free_room, m->n_pending + 1,
                           sizeof *m->free_pending, "requests"));
        COLA_TRY(cola_alloc((void **)&m->pending[m->n_pending].layer, COLA_CHAIN_MAX(m->n_layers),
                            sizeof(cola_layer), "requests"));
        m->pending[m->n_pending].id = m->n_pending;
        m->free_pending[m->n_free++] = (uint32_t)m->n_pending++;
    }
    *place = m->free_pending[--m->n_free];
    return COLA_OK;
}

static void free_pending(struct cola_master *m, struct pending *p)
{
    m->free_pending[m->n_free++] = (uint32_t)(p - m->pending);
    p->id += (uint64_t)1 << 32; /* the next generation */
    p->used = false;
}

static enum cola_status push_ready(struct cola_master *m, uint32_t place)
{
    if (m->n_ready_requests == m->ready_room) { /* a larger ring, unrolled */
        uint32_t *ring;
        size_t room = 2 * m->ready_room + 64;
        COLA_TRY(cola_alloc((void **)&ring, room, sizeof *ring, "requests"));
        for (size_t i = 0; i < m->n_ready_requests; i++)
            ring[i] = m->ready[(m->ready_first + i) % m->ready_room];
        free(m->ready);
        m->ready = ring;
        m->ready_room = room;
        m->ready_first = 0;
    }
    m->ready[(m->ready_first + m->n_ready_requests++) % m->ready_room] = place;
    return COLA_OK;
}

enum cola_status cola_dispatch_queue(struct cola_master *m, uint32_t sample, uint32_t ticket,
                                     const struct cola_chain *chain)
{
    uint32_t place;
    COLA_TRY(cola_chain_check(chain, m->n_layers));
    COLA_TRY(new_pending(m, &place));
    struct pending *p = &m->pending[place];
    memcpy(p->layer, chain->layer, chain->n_layers * sizeof *p->layer);
    p->chain = (struct cola_chain){p->layer, chain->n_layers};
    p->sample = sample;
    p->ticket = ticket;
    p->worker = 0;
    p->used = true;
    p->suspect = false;
    return push_ready(m, place);
}

/* --- to the workers ----------------------------------------------------------------------------------- */

bool cola_dispatch_has_credit(const struct cola_master *m)
{
    return cola_loads_least(m) != 0;
}

static uint32_t choose_worker(const struct cola_master *m, uint32_t owner)
{
    uint32_t best = cola_loads_least(m);
    if (!owner || !cola_loads_has_credit(&m->worker[owner])) return best;
    const struct worker_state *o = &m->worker[owner], *b = &m->worker[best];
    bool steal = (uint64_t)o->n_out * b->hello.credit >= 2 * ((uint64_t)b->n_out + 1) * o->hello.credit;
    return steal ? best : owner;
}

/* A worker with nothing to do, for a suspect; the lowest rank. 0: it waits. */
static uint32_t choose_idle(const struct cola_master *m, bool exclusive)
{
    uint32_t i = 1;
    while (i <= m->n_workers && m->worker[i].n_out) i++;
    return i > m->n_workers || (exclusive && m->n_out) ? 0 : i;
}

static uint32_t choose_for(struct cola_master *m, struct pending *p, bool *exclusive)
{
    uint32_t attempts = cola_record_attempts(m->record, cola_samples_row(m, p->sample), &p->chain);
    p->suspect = attempts > 0;
    *exclusive = attempts >= COLA_SUSPECT_EXCLUSIVE;
    if (m->exclusive) return 0;
    return p->suspect ? choose_idle(m, *exclusive) : choose_worker(m, m->sample[p->sample].owner);
}

static enum cola_status give_sample(struct cola_master *m, uint32_t sample, uint32_t to)
{
    struct sample_state *s = &m->sample[sample];
    for (size_t i = 0; i < s->n_holders; i++)
        if (s->holder[i] == to) return COLA_OK;
    COLA_TRY(cola_grow((void **)&s->holder, &s->holder_room, s->n_holders + 1, sizeof *s->holder, "holders"));
    s->holder[s->n_holders++] = to;
    struct cola_message message = {.kind = COLA_MESSAGE_SAMPLE};
    message.sample = *cola_tasks_sample(m->options->tasks, cola_samples_row(m, sample));
    if (message.sample.rule == COLA_SCORE_GENERATE)
        message.sample.n_candidates = 0; /* the answers are ours */
    return cola_dispatch_message(m, to, &message);
}

static enum cola_status send_request(struct cola_master *m, struct pending *p, uint32_t to, bool exclusive)
{
    struct cola_message message = {.kind = COLA_MESSAGE_REQUEST};
    message.request.id = p->id;
    message.request.sample = cola_samples_row(m, p->sample);
    message.request.chain = p->chain;
    COLA_TRY(give_sample(m, p->sample, to));
    /* No chain crashes a recording; one that it lacks is never answered and would look like one that did. */
    if (!m->options->recorded_path)
        COLA_TRY(cola_record_started(m->record, message.request.sample, &p->chain));
    COLA_TRY(cola_dispatch_message(m, to, &message));
    m->sample[p->sample].owner = to;
    p->worker = to;
    m->worker[to].n_out++;
    m->worker[to].alone = p->suspect;
    cola_loads_changed(m, to);
    m->exclusive = exclusive;
    m->n_out++;
    m->dirty = true;
    return COLA_OK;
}

/* The search guessed wrong while this waited: it may have a better one to ask for. */
static enum cola_status drop_request(struct cola_master *m, struct pending *p)
{
    uint32_t sample = p->sample;
    free_pending(m, p);
    return cola_samples_advance(m, sample);
}

enum cola_status cola_dispatch_send(struct cola_master *m)
{
    while (m->n_ready_requests) {
        struct pending *p = &m->pending[m->ready[m->ready_first]];
        bool exclusive;
        uint32_t to = choose_for(m, p, &exclusive);
        if (!to) return COLA_OK;
        m->ready_first = (m->ready_first + 1) % m->ready_room;
        m->n_ready_requests--;
        if (cola_samples_release(m, p->sample, p->ticket))
            COLA_TRY(drop_request(m, p));
        else
            COLA_TRY(send_request(m, p, to, exclusive));
    }
    return COLA_OK;
}

enum cola_status cola_dispatch_forget(struct cola_master *m, uint32_t sample)
{
    struct sample_state *s = &m->sample[sample];
    struct cola_message message = {.kind = COLA_MESSAGE_FORGET, .forget = cola_samples_row(m, sample)};
    for (size_t i = 0; i < s->n_holders; i++) COLA_TRY(cola_dispatch_message(m, s->holder[i], &message));
    free(s->holder);
    s->holder = NULL;
    s->n_holders = s->holder_room = 0;
    return COLA_OK;
}

/* --- back --------------------------------------------------------------------------------------------- */

/* A generated token is one pass through the chain; so is the one that ended in a logit that is not finite.
 * Passes behind the first have one row. n_rows: of the first. */
static void count_result(struct cola_master *m, struct worker_state *w, const struct cola_result *result,
                         uint32_t n_rows)
{
    struct counts *c = &m->counts;
    uint64_t n_passes = result->n_tokens;
    if (n_passes == 0 || result->outcome != COLA_OUTCOME_SCORED) n_passes++;
    c->n_new++;
    c->layers_asked += n_passes * result->cost.layers_asked;
    c->layers_executed += result->cost.layers_executed;
    c->row_layers += result->cost.row_layers;
    w->n_results++;
    w->layers_asked += n_passes * result->cost.layers_asked;
    w->layers_executed += result->cost.layers_executed;
    w->row_layers_asked += result->cost.layers_asked * (uint64_t)(n_rows + n_passes - 1);
    w->row_layers += result->cost.row_layers;
}

/* Scores or tokens, as many as the sample's rule allows; nothing where the recording has nothing. What the
 * numbers mean is the judge's. */
static enum cola_status check_result(const struct cola_master *m, uint32_t from, uint32_t row,
                                     const struct cola_result *result)
{
    const struct cola_sample *sample = cola_tasks_sample(m->options->tasks, row);
    bool generate = sample->rule == COLA_SCORE_GENERATE, scored = result->outcome == COLA_OUTCOME_SCORED;
    uint32_t n_scores = generate ? 0 : sample->n_candidates, fewest = generate && scored;
    if (result->outcome == COLA_OUTCOME_UNKNOWN && !m->options->recorded_path)
        return cola_fail(COLA_ERR_INPUT, "worker %u sent no result for sample %u", from, row);
    if (result->outcome == COLA_OUTCOME_UNKNOWN) n_scores = 0;
    if (result->n_scores != n_scores)
        return cola_fail(COLA_ERR_INPUT, "worker %u sent %u scores for sample %u, expected %u", from,
                         result->n_scores, row, n_scores);
    if (result->n_tokens < fewest || result->n_tokens > sample->max_new_tokens)
        return cola_fail(COLA_ERR_INPUT, "worker %u sent %u tokens for sample %u, expected %u to %u", from,
                         result->n_tokens, row, fewest, sample->max_new_tokens);
    for (uint32_t i = 0; i < result->n_tokens; i++)
        if (result->token[i] < 0 || (uint32_t)result->token[i] >= m->worker[from].hello.n_vocab)
            return cola_fail(COLA_ERR_INPUT, "worker %u sent token %d for sample %u, its model has %u", from,
                             result->token[i], row, m->worker[from].hello.n_vocab);
    return COLA_OK;
}

enum cola_status cola_dispatch_result(struct cola_master *m, uint32_t from, const struct cola_result *result)
{
    uint32_t place = (uint32_t)result->id;
    struct pending *p = place < m->n_pending ? &m->pending[place] : NULL;
    if (!p || !p->used || p->id != result->id || p->worker != from)
        return cola_fail(COLA_ERR_INPUT, "worker %u sent a result for request %llu, which is not out there",
                         from, (unsigned long long)result->id);
    uint32_t row = cola_samples_row(m, p->sample);
    COLA_TRY(check_result(m, from, row, result));
    if (result->outcome != COLA_OUTCOME_UNKNOWN)
        COLA_TRY(cola_record_evaluated(m->record, row, &p->chain, result));
    m->dirty = true;
    m->worker[from].n_out--;
    m->worker[from].alone = m->exclusive = false;
    cola_loads_changed(m, from);
    m->n_out--;
    count_result(m, &m->worker[from], result, cola_engine_rows(cola_tasks_sample(m->options->tasks, row)));
    COLA_TRY(cola_samples_tell(m, p->sample, p->ticket, result));
    uint32_t sample = p->sample;
    free_pending(m, p);
    return cola_samples_advance(m, sample);
}

/* workers.c - the simulated master and its workers: workers.h says what is simulated.
 *
 * Three kinds of events: a request arrives at its worker, an evaluation ends there, a result arrives at the
 * master. The master needs none of its own: results are taken in order of arrival, and one that comes while
 * the master is busy is simply taken when it is free (master_at_s), as messages wait in a transport. */
#include "tools/workers.h"

#include <assert.h>
#include <stdlib.h>

#include "cola/memory.h"
#include "tools/event_queue.h"

enum { REQUEST_ARRIVES, EVALUATION_ENDS, RESULT_ARRIVES };
enum { NO_WORKER = UINT32_MAX };

struct request {
    uint32_t sample, ticket, worker; /* worker NO_WORKER: waits to be sent */
    struct workers_evaluation evaluation;
    bool used;
};

struct ring { /* numbers, first in first out; grows */
    uint32_t *number;
    size_t room, first, n;
};

struct worker {
    uint32_t n_out, n_running;
    struct ring waiting; /* requests that are there */
};

struct sample {
    struct cola_search *search; /* NULL: not begun, or over and nothing out */
    uint32_t owner;             /* NO_WORKER: none yet */
    uint32_t n_out;             /* requests queued or sent */
    bool finished;
};

struct world {
    const struct workers_options *options;
    struct workers_outcome *outcome;
    struct event_queue events;
    struct worker *worker; /* [n_workers] */
    uint32_t *least;       /* [2 * n_leaves]: a tree of the least loaded workers; least[1] is that of all */
    uint32_t n_leaves;     /* n_workers, up to a power of two */
    struct sample *sample; /* [n_samples] */
    uint32_t n_begun, n_finished;
    struct request *request; /* table, grows */
    size_t n_requests, request_room;
    struct ring unused, ready; /* places without a request; requests that wait to be sent */
    double master_at_s;        /* the master has nothing to do from here on */
};

uint32_t workers_credit(uint32_t parallel)
{
    return parallel + 1 + parallel / 8;
}

/* --- rings -------------------------------------------------------------------------------------------- */

static enum cola_status ring_push(struct ring *ring, uint32_t number)
{
    if (ring->n == ring->room) { /* a larger one, unrolled */
        uint32_t *larger;
        COLA_TRY(cola_alloc((void **)&larger, 2 * ring->room + 4, sizeof *larger, "requests"));
        for (size_t i = 0; i < ring->n; i++) larger[i] = ring->number[(ring->first + i) % ring->room];
        free(ring->number);
        ring->number = larger;
        ring->room = 2 * ring->room + 4;
        ring->first = 0;
    }
    ring->number[(ring->first + ring->n++) % ring->room] = number;
    return COLA_OK;
}

static uint32_t ring_pop(struct ring *ring)
{
    assert(ring->n > 0);
    uint32_t number = ring->number[ring->first];
    ring->first = (ring->first + 1) % ring->room;
    ring->n--;
    return number;
}

/* --- which worker ------------------------------------------------------------------------------------- */

/* The less loaded of two, the lower of equals; credits are equal, so loads compare by what is out. */
static uint32_t less_loaded(const struct world *w, uint32_t a, uint32_t b)
{
    if (a == NO_WORKER || b == NO_WORKER) return a == NO_WORKER ? b : a;
    return w->worker[b].n_out < w->worker[a].n_out ? b : a;
}

static void change_load(struct world *w, uint32_t worker, int change)
{
    struct worker *changed = &w->worker[worker];
    changed->n_out += (uint32_t)change;
    assert(changed->n_out <= w->options->credit);
    if (changed->n_out > w->outcome->most_out) w->outcome->most_out = changed->n_out;
    for (uint32_t i = (w->n_leaves + worker) / 2; i >= 1; i /= 2)
        w->least[i] = less_loaded(w, w->least[2 * i], w->least[2 * i + 1]);
}

static bool has_credit(const struct world *w, uint32_t worker)
{
    return w->worker[worker].n_out < w->options->credit;
}

/* As src/cluster/dispatch.c. NO_WORKER: none has credit. */
static uint32_t choose_worker(const struct world *w, uint32_t owner)
{
    uint32_t best = w->least[1];
    if (!has_credit(w, best)) return NO_WORKER;
    if (owner == NO_WORKER || !has_credit(w, owner)) return best;
    bool steal = w->worker[owner].n_out >= 2 * (w->worker[best].n_out + 1);
    return steal ? best : owner;
}

/* --- samples ------------------------------------------------------------------------------------------ */

static enum cola_status queue_request(struct world *w, uint32_t sample, uint32_t ticket,
                                      const struct cola_chain *chain)
{
    if (w->unused.n == 0) {
        COLA_TRY(cola_grow((void **)&w->request, &w->request_room, w->n_requests + 1, sizeof *w->request,
                           "requests"));
        COLA_TRY(ring_push(&w->unused, (uint32_t)w->n_requests));
        w->request[w->n_requests++].used = false;
    }
    uint32_t place = ring_pop(&w->unused);
    assert(!w->request[place].used);
    w->request[place] =
        (struct request){.sample = sample, .ticket = ticket, .worker = NO_WORKER, .used = true};
    w->request[place].evaluation = w->options->evaluate(w->options->evaluate_user, sample, chain);
    w->sample[sample].n_out++;
    return ring_push(&w->ready, place);
}

static void drop_if_over(struct sample *sample)
{
    if (!sample->finished || sample->n_out) return;
    cola_search_destroy(sample->search);
    sample->search = NULL;
}

static void count_nodes(struct workers_outcome *outcome, const struct cola_search *search)
{
    uint32_t n = cola_search_n_nodes(search);
    outcome->n_nodes += n;
    for (uint32_t i = 0; i < n; i++) {
        struct cola_node_view node, parent = {.reward = 0};
        cola_search_node(search, i, &node);
        if (node.parent >= 0) cola_search_node(search, (uint32_t)node.parent, &parent);
        outcome->n_like_parent += node.reward == parent.reward;
    }
}

static enum cola_status end_search(struct world *w, uint32_t number)
{
    struct sample *sample = &w->sample[number];
    if (cola_search_failed(sample->search))
        return cola_fail(COLA_ERR_MEMORY, "sample %u: out of memory for its search tree", number);
    sample->finished = true;
    w->n_finished++;
    count_nodes(w->outcome, sample->search);
    w->outcome->makespan_s = w->master_at_s;
    drop_if_over(sample);
    return COLA_OK;
}

/* Asks until the search waits or is done. */
static enum cola_status advance(struct world *w, uint32_t number)
{
    struct sample *sample = &w->sample[number];
    while (!sample->finished) {
        uint32_t ticket;
        struct cola_chain chain;
        enum cola_ask asked = cola_search_ask(sample->search, &ticket, &chain);
        if (asked == COLA_ASK_WAIT) return COLA_OK;
        if (asked == COLA_ASK_DONE) return end_search(w, number);
        COLA_TRY(queue_request(w, number, ticket, &chain));
    }
    return COLA_OK;
}

static void free_request(struct world *w, struct request *request)
{
    struct sample *sample = &w->sample[request->sample];
    request->used = false;
    sample->n_out--;
    drop_if_over(sample);
}

/* --- the master --------------------------------------------------------------------------------------- */

static void spend(struct world *w, double seconds)
{
    w->master_at_s += seconds;
    w->outcome->master_busy_s += seconds;
}

static enum cola_status send_request(struct world *w, uint32_t place, uint32_t to)
{
    struct request *request = &w->request[place];
    struct sample *sample = &w->sample[request->sample];
    spend(w, w->options->master_s / 2);
    if (sample->owner != to && sample->owner != NO_WORKER) w->outcome->n_moves++;
    sample->owner = request->worker = to;
    change_load(w, to, 1);
    w->outcome->n_sent++;
    return event_queue_push(&w->events, w->master_at_s + w->options->message_s, REQUEST_ARRIVES, place);
}

static enum cola_status send_ready(struct world *w)
{
    while (w->ready.n) {
        uint32_t place = w->ready.number[w->ready.first], number = w->request[place].sample;
        uint32_t to = choose_worker(w, w->sample[number].owner);
        if (to == NO_WORKER) return COLA_OK;
        ring_pop(&w->ready);
        if (!cola_search_release(w->sample[number].search, w->request[place].ticket)) {
            COLA_TRY(send_request(w, place, to));
            continue;
        }
        w->outcome->n_dropped++;
        free_request(w, &w->request[place]);
        COLA_TRY(ring_push(&w->unused, place));
        COLA_TRY(advance(w, number)); /* it may have a better chain to ask for */
    }
    return COLA_OK;
}

static enum cola_status begin_sample(struct world *w)
{
    uint32_t number = w->n_begun++;
    struct sample *sample = &w->sample[number];
    sample->owner = NO_WORKER;
    COLA_TRY(cola_search_create(&w->options->search, w->options->n_model_layers, number, &sample->search));
    return advance(w, number);
}

static enum cola_status send_work(struct world *w)
{
    COLA_TRY(send_ready(w));
    while (w->n_begun < w->options->n_samples && w->ready.n == 0 && has_credit(w, w->least[1])) {
        COLA_TRY(begin_sample(w));
        COLA_TRY(send_ready(w));
    }
    return COLA_OK;
}

static enum cola_status take_result(struct world *w, double now_s, uint32_t place)
{
    struct request *request = &w->request[place];
    assert(request->used && request->worker != NO_WORKER);
    uint32_t number = request->sample;
    if (w->master_at_s < now_s) w->master_at_s = now_s;
    spend(w, w->options->master_s / 2);
    w->outcome->n_results++;
    change_load(w, request->worker, -1);
    if (!w->sample[number].finished) {
        struct cola_verdict verdict = {.prediction = -1, .reward = request->evaluation.reward};
        cola_search_tell(w->sample[number].search, request->ticket, &verdict);
    }
    free_request(w, request);
    COLA_TRY(ring_push(&w->unused, place));
    COLA_TRY(advance(w, number));
    return send_work(w);
}

/* --- the workers -------------------------------------------------------------------------------------- */

static enum cola_status begin_evaluations(struct world *w, double now_s, uint32_t number)
{
    struct worker *worker = &w->worker[number];
    while (worker->waiting.n && worker->n_running < w->options->parallel) {
        uint32_t place = ring_pop(&worker->waiting);
        double latency_s = w->request[place].evaluation.latency_s;
        worker->n_running++;
        if (worker->n_running > w->outcome->most_running) w->outcome->most_running = worker->n_running;
        w->outcome->evaluating_s += latency_s;
        COLA_TRY(event_queue_push(&w->events, now_s + latency_s, EVALUATION_ENDS, place));
    }
    return COLA_OK;
}

static enum cola_status on_event(struct world *w, const struct event *event)
{
    uint32_t worker = w->request[event->subject].worker;
    switch (event->kind) {
    case REQUEST_ARRIVES: COLA_TRY(ring_push(&w->worker[worker].waiting, event->subject)); break;
    case EVALUATION_ENDS:
        w->worker[worker].n_running--;
        COLA_TRY(event_queue_push(&w->events, event->time_s + w->options->message_s, RESULT_ARRIVES,
                                  event->subject));
        break;
    default: return take_result(w, event->time_s, event->subject);
    }
    return begin_evaluations(w, event->time_s, worker);
}

/* --- all of it ---------------------------------------------------------------------------------------- */

static enum cola_status make_world(struct world *w)
{
    const struct workers_options *o = w->options;
    assert(o->n_samples && o->n_workers && o->parallel && o->credit >= o->parallel);
    for (w->n_leaves = 1; w->n_leaves < o->n_workers;) w->n_leaves *= 2;
    COLA_TRY(cola_alloc((void **)&w->worker, o->n_workers, sizeof *w->worker, "workers"));
    COLA_TRY(cola_alloc((void **)&w->least, 2 * (size_t)w->n_leaves, sizeof *w->least, "workers"));
    COLA_TRY(cola_alloc((void **)&w->sample, o->n_samples, sizeof *w->sample, "samples"));
    for (uint32_t i = 0; i < w->n_leaves; i++) w->least[w->n_leaves + i] = i < o->n_workers ? i : NO_WORKER;
    for (uint32_t i = w->n_leaves - 1; i >= 1; i--)
        w->least[i] = less_loaded(w, w->least[2 * i], w->least[2 * i + 1]);
    return COLA_OK;
}

static void free_world(struct world *w)
{
    for (uint32_t i = 0; w->sample && i < w->options->n_samples; i++)
        cola_search_destroy(w->sample[i].search);
    for (uint32_t i = 0; w->worker && i < w->options->n_workers; i++) free(w->worker[i].waiting.number);
    free(w->sample);
    free(w->worker);
    free(w->least);
    free(w->request);
    free(w->unused.number);
    free(w->ready.number);
    event_queue_fini(&w->events);
}

/* Late results of guesses are waited for, so that everything sent is taken; the makespan ends before. */
static enum cola_status run_world(struct world *w)
{
    struct event event;
    COLA_TRY(make_world(w));
    COLA_TRY(send_work(w));
    while (event_queue_pop(&w->events, &event)) COLA_TRY(on_event(w, &event));
    assert(w->n_finished == w->options->n_samples && w->ready.n == 0);
    assert(w->outcome->n_results == w->outcome->n_sent);
    return COLA_OK;
}

enum cola_status workers_simulate(const struct workers_options *options, struct workers_outcome *outcome)
{
    struct workers_outcome found = {0};
    struct world world = {.options = options, .outcome = &found};
    enum cola_status status = run_world(&world);
    free_world(&world);
    if (status == COLA_OK) *outcome = found;
    return status;
}

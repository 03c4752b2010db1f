/* evaluator_synthetic.c - evaluators without a model: the landscape of synthetic.h, or what a recording has.
 *
 * A request gets its due time when it is submitted, each its own, so a worker with room for C of them stands
 * for a device that has C in flight. Those due first are at the front of a heap; ties go by submission. The
 * numbers need the right answer, which workers are not sent: so the task file is opened here too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/evaluator.h"
#include "cola/clock.h"
#include "cola/memory.h"
#include "cola/recording.h"

static const uint32_t IN_FLIGHT = 32; /* requests at once, where nobody says */

struct due {
    double at_s;    /* on cola_clock_s */
    uint64_t order; /* of submission */
    uint32_t slot;
};

struct held { /* a request; a place of the table, chains in one block of it */
    struct cola_request request;
    cola_layer *layer;
    float seconds;
};

struct synthetic {
    struct cola_evaluator base;
    const struct cola_worker_options *options;
    struct cola_synthetic landscape; /* its latency counts for recordings too */
    struct cola_tasks *tasks;
    struct cola_recording *recording; /* NULL: the landscape answers */
    struct held *held;                /* [n_room] */
    uint32_t *free_held;              /* [n_free] */
    struct due *heap;                 /* [n] smallest first */
    cola_layer *layer;                /* [n_room x COLA_CHAIN_MAX(L)] */
    uint32_t n_room, n_free, n;
    uint64_t n_submitted;
    float *score; /* [score_room] of the result that is handed out */
    size_t score_room;
};

/* --- the heap ------------------------------------------------------------------------------------------- */

static bool earlier(const struct due *a, const struct due *b)
{
    return a->at_s < b->at_s || (a->at_s <= b->at_s && a->order < b->order);
}

static void push(struct synthetic *s, struct due due)
{
    uint32_t i = s->n++;
    for (; i && earlier(&due, &s->heap[(i - 1) / 2]); i = (i - 1) / 2) s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = due;
}

static struct due pop(struct synthetic *s)
{
    struct due first = s->heap[0], last = s->heap[--s->n];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= s->n) break;
        if (child + 1 < s->n && earlier(&s->heap[child + 1], &s->heap[child])) child++;
        if (!earlier(&s->heap[child], &last)) break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    if (s->n) s->heap[i] = last;
    return first;
}

/* --- results -------------------------------------------------------------------------------------------- */

static enum cola_status from_landscape(struct synthetic *s, const struct cola_request *request,
                                       struct cola_result *out)
{
    const struct cola_sample *sample = cola_tasks_sample(s->tasks, request->sample->index);
    uint32_t n = sample->n_candidates, gold = sample->gold < 0 ? 0 : (uint32_t)sample->gold;
    COLA_TRY(cola_grow((void **)&s->score, &s->score_room, n, sizeof *s->score, "scores"));
    uint32_t best = cola_synthetic_score(&s->landscape, sample->index, &request->chain, gold, n, s->score);
    *out =
        (struct cola_result){.outcome = COLA_OUTCOME_SCORED, .score = s->score, .n_scores = n, .argmax = -1};
    if (sample->rule == COLA_SCORE_LETTER) {
        out->argmax = sample->candidate[best].token[0];
        out->logsumexp = s->score[best] + 0.5f;
    }
    return COLA_OK;
}

/* Guesses ahead go other ways at other times, so a search that guesses may ask for what no tree of the
 * recorded search has. Whether that matters only the master can say: its trees take no unknown result. */
static enum cola_status from_recording(struct synthetic *s, const struct cola_request *request,
                                       struct cola_result *out)
{
    if (!cola_recording_find(s->recording, request->sample->index, &request->chain, out))
        *out = (struct cola_result){.outcome = COLA_OUTCOME_UNKNOWN, .argmax = -1};
    return COLA_OK;
}

/* --- the table of functions ----------------------------------------------------------------------------- */

static uint32_t room(const struct cola_evaluator *e)
{
    return ((const struct synthetic *)e)->n_free;
}

static uint32_t n_pending(const struct cola_evaluator *e)
{
    return ((const struct synthetic *)e)->n;
}

static double wait_s(const struct cola_evaluator *e)
{
    const struct synthetic *s = (const struct synthetic *)e;
    double left_s = s->landscape.latency_s > 0 ? s->heap[0].at_s - cola_clock_s() : 0;
    return left_s > 0 ? left_s : 0;
}

static enum cola_status submit(struct cola_evaluator *e, const struct cola_request *request)
{
    struct synthetic *s = (struct synthetic *)e;
    uint32_t slot = s->free_held[--s->n_free];
    struct held *held = &s->held[slot];
    double seconds = cola_synthetic_latency(&s->landscape, request->sample->index, &request->chain);
    memcpy(held->layer, request->chain.layer, request->chain.n_layers * sizeof *held->layer);
    held->request = *request;
    held->request.chain.layer = held->layer;
    held->seconds = (float)seconds;
    push(s, (struct due){seconds > 0 ? cola_clock_s() + seconds : 0, s->n_submitted++, slot});
    return COLA_OK;
}

static enum cola_status step(struct cola_evaluator *e, cola_result_fn *done, void *user)
{
    struct synthetic *s = (struct synthetic *)e;
    double now_s = s->landscape.latency_s > 0 ? cola_clock_s() : 0;
    while (s->n && s->heap[0].at_s <= now_s) {
        struct due due = pop(s);
        const struct held *held = &s->held[due.slot];
        struct cola_result result;
        COLA_TRY(s->recording ? from_recording(s, &held->request, &result)
                              : from_landscape(s, &held->request, &result));
        result.id = held->request.id;
        result.cost = (struct cola_cost){.layers_asked = held->request.chain.n_layers,
                                         .layers_executed = held->request.chain.n_layers,
                                         .row_layers = held->request.chain.n_layers *
                                                       (uint64_t)cola_engine_rows(held->request.sample),
                                         .seconds = held->seconds};
        s->free_held[s->n_free++] = due.slot;
        COLA_TRY(done(user, &result));
    }
    return COLA_OK;
}

static void forget(struct cola_evaluator *e, uint32_t sample)
{
    (void)e, (void)sample;
}

static void memory(const struct cola_evaluator *e, uint64_t *memory_bytes, uint64_t *state_bytes)
{
    (void)e;
    *memory_bytes = *state_bytes = 0; /* there is no engine */
}

static void destroy(struct cola_evaluator *e)
{
    struct synthetic *s = (struct synthetic *)e;
    cola_recording_close(s->recording);
    cola_tasks_close(s->tasks);
    free(s->held);
    free(s->free_held);
    free(s->heap);
    free(s->layer);
    free(s->score);
    free(s);
}

static const struct cola_evaluator_ops ops = {room, n_pending, wait_s, submit, step, forget, memory, destroy};

/* --- opening -------------------------------------------------------------------------------------------- */

/* The recorded run's model and tasks stand for this one's. */
static enum cola_status open_recording(struct synthetic *s, struct cola_hello *h)
{
    const char *path = s->options->recorded_path,
               *key[3] = {"n_model_layers", "model_fingerprint", "numerics_id"};
    const char *value[3], *tasks, *ours = cola_tasks_info(s->tasks)->fingerprint;
    uint64_t hash[2];
    COLA_TRY(cola_recording_open(path, &s->recording));
    for (int i = 0; i < 3; i++) {
        value[i] = cola_recording_field(s->recording, key[i]);
        if (!value[i]) return cola_fail(COLA_ERR_INPUT, "%s: it has no %s", path, key[i]);
    }
    tasks = cola_recording_field(s->recording, "tasks_fingerprint");
    if (!tasks || strcmp(tasks, ours) != 0)
        return cola_fail(COLA_ERR_MISMATCH, "%s: recorded with other tasks: there %s, here %s", path,
                         tasks ? tasks : "(absent)", ours);
    s->landscape.n_layers = (uint32_t)strtoul(value[0], NULL, 10);
    if (s->landscape.n_layers < 1 || s->landscape.n_layers > COLA_LAYERS_MAX)
        return cola_fail(COLA_ERR_INPUT, "%s: n_model_layers %s", path, value[0]);
    for (int i = 0; i < 2; i++) hash[i] = cola_hash64(value[1 + i], strlen(value[1 + i]));
    snprintf(h->model_fingerprint, sizeof h->model_fingerprint, "recorded:%016llx",
             (unsigned long long)cola_hash64(hash, sizeof hash));
    snprintf(h->numerics_id, sizeof h->numerics_id, "recorded-1");
    snprintf(h->device, sizeof h->device, "%llu recorded results",
             (unsigned long long)cola_recording_count(s->recording));
    return COLA_OK;
}

static enum cola_status open_landscape(const struct synthetic *s, struct cola_hello *h)
{
    const struct cola_synthetic *l = &s->landscape;
    if (cola_tasks_info(s->tasks)->rule == COLA_SCORE_GENERATE)
        return cola_fail(
            COLA_ERR_UNSUPPORTED,
            "--evaluator synthetic gives scores, no text: tasks scored by generate need a model or "
            "--evaluator recorded");
    cola_synthetic_fingerprint(l, h->model_fingerprint);
    snprintf(h->numerics_id, sizeof h->numerics_id, "%s", COLA_SYNTHETIC_NUMERICS);
    snprintf(h->device, sizeof h->device, "landscape of seed %llu, %.3g of the samples with a planted chain",
             (unsigned long long)l->seed, l->optima);
    return COLA_OK;
}

static enum cola_status make_room(struct synthetic *s)
{
    uint32_t n = s->options->engine.max_requests ? s->options->engine.max_requests : IN_FLIGHT;
    size_t longest = COLA_CHAIN_MAX(s->landscape.n_layers);
    COLA_TRY(cola_alloc((void **)&s->held, n, sizeof *s->held, "requests"));
    COLA_TRY(cola_alloc((void **)&s->free_held, n, sizeof *s->free_held, "requests"));
    COLA_TRY(cola_alloc((void **)&s->heap, n, sizeof *s->heap, "requests"));
    COLA_TRY(cola_alloc((void **)&s->layer, n * longest, sizeof *s->layer, "requests"));
    for (uint32_t i = 0; i < n; i++) {
        s->held[i].layer = s->layer + i * longest;
        s->free_held[i] = n - 1 - i;
    }
    s->n_room = s->n_free = n;
    return COLA_OK;
}

static enum cola_status open_all(struct synthetic *s, struct cola_hello *h)
{
    COLA_TRY(cola_tasks_open(s->options->tasks_path, &s->tasks));
    snprintf(h->backend, sizeof h->backend, "%s", s->options->recorded_path ? "recorded" : "synthetic");
    COLA_TRY(s->options->recorded_path ? open_recording(s, h) : open_landscape(s, h));
    s->base.n_layers = h->n_layers = s->landscape.n_layers;
    h->n_vocab = h->max_positions = INT32_MAX; /* any tasks */
    h->n_threads = h->n_sharing = 1;
    return make_room(s);
}

enum cola_status cola_evaluator_open_synthetic(const struct cola_worker_options *options,
                                               struct cola_hello *hello, struct cola_evaluator **out)
{
    struct synthetic *s;
    COLA_TRY(cola_alloc((void **)&s, 1, sizeof *s, "a worker"));
    s->base.ops = &ops;
    s->options = options;
    s->landscape = options->synthetic;
    enum cola_status status = open_all(s, hello);
    if (status != COLA_OK) {
        destroy(&s->base);
        return status;
    }
    *out = &s->base;
    return COLA_OK;
}

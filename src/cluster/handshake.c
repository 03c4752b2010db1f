/* handshake.c - before the first request: what is searched for, who works, whether all that fits together.
 *
 *     targets  every sample has one (no worker is needed to say that one has not)
 *     START -> the workers load the model -> HELLO of each, compared with the first worker's
 *     tasks    every token and length fits the model
 *     record   opened last, because its identity holds the model's fingerprint and the numerics id, which
 *              only the workers know: the master never reads weights
 *
 * A failure here ends the job with both values, before anything was evaluated. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cola/demand.h"
#include "cluster/master.h"
#include "cola/clock.h"
#include "cola/judge.h"
#include "cola/memory.h"

static const double LOOK_S = 0.1; /* between looks at the stop flag */

/* --- targets ------------------------------------------------------------------------------------------ */

static const char *why_no_target(const struct cola_master *m, const struct cola_sample *sample)
{
    if (sample->gold < 0) return "its right answer is unknown, so there is nothing to search for";
    if (cola_judge_by_row(cola_tasks_info(m->options->tasks)))
        return "every sample of the tasks has the same right answer as it, so the control has none to ask "
               "for";
    return "it has no wrong answer for the control to ask for";
}

static enum cola_status find_target(struct cola_master *m, uint32_t i)
{
    const struct cola_master_options *o = m->options;
    const struct cola_sample *sample = cola_tasks_sample(o->tasks, cola_samples_row(m, i));
    struct cola_text id = cola_samples_id(m, i);
    int32_t target;
    if (o->metric == COLA_METRIC_ACC_NORM && sample->rule != COLA_SCORE_LOGLIK)
        return cola_fail(COLA_ERR_USAGE, "--metric acc_norm is for loglik; these tasks are scored by %s",
                         cola_score_rule_name[sample->rule]);
    if (o->metric == COLA_METRIC_ACC_NORM && !sample->candidate_bytes)
        return cola_fail(COLA_ERR_USAGE,
                         "--metric acc_norm: sample %.*s has no lengths of its choices' texts",
                         (int)id.n_bytes, id.bytes);
    COLA_TRY(cola_judge_target(o->tasks, sample->index, o->control, o->search.seed, &target));
    if (target < 0)
        return cola_fail(COLA_ERR_INPUT, "sample %.*s (row %u): %s; leave it out of the tasks",
                         (int)id.n_bytes, id.bytes, sample->index, why_no_target(m, sample));
    m->target[i] = target;
    return COLA_OK;
}

enum cola_status cola_handshake_targets(struct cola_master *m)
{
    for (uint32_t i = 0; i < m->options->n_samples; i++) COLA_TRY(find_target(m, i));
    return COLA_OK;
}

/* --- workers ------------------------------------------------------------------------------------------ */

static enum cola_status compare_text(const struct cola_master *m, uint32_t rank, const char *what,
                                     const char *first, const char *other)
{
    if (strcmp(first, other) == 0) return COLA_OK;
    uint32_t reference = 1;
    while (!m->worker[reference].ready) reference++;
    return cola_fail(
        COLA_ERR_MISMATCH, "workers differ in their %s: worker %u (%s) has %s, worker %u (%s) has %s", what,
        reference, m->worker[reference].hello.host, first, rank, m->worker[rank].hello.host, other);
}

static enum cola_status compare_number(const struct cola_master *m, uint32_t rank, const char *what,
                                       uint32_t first, uint32_t other)
{
    char a[16], b[16];
    snprintf(a, sizeof a, "%u", first);
    snprintf(b, sizeof b, "%u", other);
    return compare_text(m, rank, what, a, b);
}

/* All workers equal the first that spoke in everything that decides a result. */
static enum cola_status compare(const struct cola_master *m, uint32_t rank)
{
    const struct cola_hello *other = &m->worker[rank].hello, *first = NULL;
    for (uint32_t i = 1; i <= m->n_workers && !first; i++)
        if (m->worker[i].ready) first = &m->worker[i].hello;
    if (!first) return COLA_OK;
    COLA_TRY(compare_text(m, rank, "program", first->program, other->program));
    COLA_TRY(compare_text(m, rank, "model fingerprint", first->model_fingerprint, other->model_fingerprint));
    COLA_TRY(compare_text(m, rank, "numerics id", first->numerics_id, other->numerics_id));
    COLA_TRY(compare_number(m, rank, "number of layers", first->n_layers, other->n_layers));
    COLA_TRY(compare_number(m, rank, "vocabulary", first->n_vocab, other->n_vocab));
    return compare_number(m, rank, "longest context", first->max_positions, other->max_positions);
}

static bool has_model(const struct cola_master *m)
{
    return m->options->evaluator == COLA_EVALUATE_ENGINE;
}

/* What a worker's memory goes to, before it is needed. */
static void report_memory(struct cola_master *m, uint32_t rank, const struct cola_hello *h)
{
    char all[32], weights[32], batch[32], states[32], bound[64] = "without a bound", holders[64] = "";
    char rest[96] = "";
    if (h->n_sharing > 1)
        snprintf(holders, sizeof holders, " (shared by %u workers, packed %s)", h->n_sharing,
                 h->packs_weights ? "here" : "by another");
    if (h->memory_bytes) snprintf(bound, sizeof bound, "up to %s", cola_memory_text(h->memory_bytes, all));
    if (h->state_bytes >= h->memory_bytes - h->weight_bytes - h->batch_bytes) /* not bounded further */
        snprintf(rest, sizeof rest, " and states");
    else if (h->state_bytes)
        snprintf(rest, sizeof rest, ", states up to %s", cola_memory_text(h->state_bytes, states));
    cola_report_line(m, "worker %u: memory %s: weights %s%s, batch %s, the rest for requests%s", rank, bound,
                     cola_memory_text(h->weight_bytes, weights), holders,
                     cola_memory_text(h->batch_bytes, batch), rest);
}

static enum cola_status on_hello(struct cola_master *m, uint32_t rank, const struct cola_hello *hello)
{
    struct worker_state *w = &m->worker[rank];
    if (w->ready) return cola_fail(COLA_ERR_INPUT, "worker %u said HELLO twice", rank);
    w->hello = *hello;
    COLA_TRY(compare(m, rank));
    w->ready = true;
    m->n_ready++;
    m->n_layers = hello->n_layers;
    cola_report_line(m, "worker %u of %u is ready: %s, %s (%s) after %.1f s", rank, m->n_workers, hello->host,
                     hello->backend, hello->device, (double)hello->load_s);
    if (has_model(m)) report_memory(m, rank, hello);
    return COLA_OK;
}

static enum cola_status wait_for_hellos(struct cola_master *m)
{
    while (m->n_ready < m->n_workers) {
        struct cola_packet packet;
        struct cola_message message;
        char line[64];
        if (cola_master_stop(m) != COLA_STOP_NONE)
            return cola_fail(COLA_ERR_STOPPED, "stopped before the first evaluation; --resume starts again");
        COLA_TRY(cola_comm_receive(m->comm, LOOK_S, &packet));
        snprintf(line, sizeof line, "%s%u of %u workers ready", has_model(m) ? "loading the model: " : "",
                 m->n_ready, m->n_workers);
        if (cola_progress_due(&m->progress)) cola_progress_show(&m->progress, line);
        if (packet.n_bytes == 0) continue;
        COLA_TRY(cola_message_unpack(packet.bytes, packet.n_bytes, &m->in, &message));
        if (message.kind == COLA_MESSAGE_ERROR)
            return cola_fail((enum cola_status)message.error.status, "worker %u: %s", packet.from,
                             message.error.text);
        if (message.kind != COLA_MESSAGE_HELLO)
            return cola_fail(COLA_ERR_INPUT, "worker %u sent %s instead of HELLO", packet.from,
                             cola_message_name(message.kind));
        COLA_TRY(on_hello(m, packet.from, &message.hello));
    }
    return COLA_OK;
}

/* --- tasks and model ---------------------------------------------------------------------------------- */

static enum cola_status check_tokens(const struct cola_master *m, uint32_t i, const int32_t *token,
                                     uint32_t n, uint32_t n_vocab)
{
    struct cola_text id = cola_samples_id(m, i);
    for (uint32_t t = 0; t < n; t++)
        if (token[t] < 0 || (uint32_t)token[t] >= n_vocab)
            return cola_fail(
                COLA_ERR_MISMATCH,
                "sample %.*s (row %u): token id %d, the model's vocabulary has %u: were the tasks "
                "prepared with this model's tokenizer?",
                (int)id.n_bytes, id.bytes, cola_samples_row(m, i), token[t], n_vocab);
    return COLA_OK;
}

/* The longest sequence is the prompt with one candidate, or with the longest answer, but for the last token,
 * which is only predicted; the candidates stand beside one another, and under generate take no part. */
static enum cola_status check_sample(const struct cola_master *m, uint32_t i, const struct cola_hello *model)
{
    const struct cola_sample *s = cola_tasks_sample(m->options->tasks, cola_samples_row(m, i));
    bool generate = s->rule == COLA_SCORE_GENERATE;
    COLA_TRY(check_tokens(m, i, s->prompt, s->n_prompt_tokens, model->n_vocab));
    uint64_t longest = s->n_prompt_tokens;
    if (generate) longest += s->max_new_tokens - 1;
    for (uint32_t c = 0; c < s->n_candidates && !generate; c++) {
        uint64_t n = (uint64_t)s->n_prompt_tokens + s->candidate[c].n_tokens - 1;
        COLA_TRY(check_tokens(m, i, s->candidate[c].token, s->candidate[c].n_tokens, model->n_vocab));
        if (n > longest) longest = n;
    }
    struct cola_text id = cola_samples_id(m, i);
    if (longest > model->max_positions)
        return cola_fail(COLA_ERR_MISMATCH, "sample %.*s (row %u): %llu tokens%s, the model's context has %u",
                         (int)id.n_bytes, id.bytes, cola_samples_row(m, i), (unsigned long long)longest,
                         generate ? " with the longest answer" : "", model->max_positions);
    return COLA_OK;
}

/* From the system, not from the seed: runs that are at work at the same time must not meet. */
static void draw_key(uint64_t *key)
{
    if (getrandom(key, sizeof *key, 0) != (ssize_t)sizeof *key) *key = 0; /* then nothing is shared */
}

enum cola_status cola_handshake(struct cola_master *m)
{
    struct cola_message start = {.kind = COLA_MESSAGE_START};
    start.start.n_samples = cola_tasks_info(m->options->tasks)->n_samples;
    draw_key(&start.start.sharing_key);
    cola_demand_find(m->options->tasks, m->options->first_sample, m->options->n_samples, &start.start.most);
    start.start.most.n_layers = m->options->longest_chain;
    cola_report_line(m, "%s %u worker%s", has_model(m) ? "loading the model on" : "no model: starting",
                     m->n_workers, m->n_workers == 1 ? "" : "s");
    for (uint32_t i = 1; i <= m->n_workers; i++) COLA_TRY(cola_dispatch_message(m, i, &start));
    COLA_TRY(wait_for_hellos(m));
    for (uint32_t i = 0; i < m->options->n_samples; i++) COLA_TRY(check_sample(m, i, &m->worker[1].hello));
    return COLA_OK;
}

/* --- the record --------------------------------------------------------------------------------------- */

enum { WORKER_FIELDS = 8 };

struct worker_texts {
    char n_layers[16], n_workers[16];
    char *devices, *threads; /* one entry a worker, by rank; from open_memstream */
};

static enum cola_status describe_workers(const struct cola_master *m, struct worker_texts *t)
{
    size_t n_devices = 0, n_threads = 0;
    FILE *devices = open_memstream(&t->devices, &n_devices),
         *threads = open_memstream(&t->threads, &n_threads);
    const long n_most_bytes = 16000; /* of a field: an HDF5 attribute holds 64 KiB */
    for (uint32_t i = 1; devices && threads && i <= m->n_workers; i++) {
        const struct cola_hello *h = &m->worker[i].hello;
        if (n_most_bytes > ftell(devices))
            fprintf(devices, "%s%s: %s", i > 1 ? "; " : "", h->host, h->device);
        if (n_most_bytes > ftell(threads)) fprintf(threads, "%s%u", i > 1 ? "," : "", h->n_threads);
    }
    bool failed = !devices || !threads;
    if (devices) failed |= fclose(devices) != 0;
    if (threads) failed |= fclose(threads) != 0;
    snprintf(t->n_layers, sizeof t->n_layers, "%u", m->n_layers);
    snprintf(t->n_workers, sizeof t->n_workers, "%u", m->n_workers);
    return failed ? cola_fail(COLA_ERR_MEMORY, "the workers' description: out of memory") : COLA_OK;
}

static void add_worker_fields(const struct cola_master *m, const struct worker_texts *t,
                              struct cola_field *field)
{
    const struct cola_hello *h = &m->worker[1].hello;
    const struct cola_field added[WORKER_FIELDS] = {
        {"model_fingerprint", h->model_fingerprint, COLA_FIELD_IDENTITY},
        {"numerics_id", h->numerics_id, COLA_FIELD_IDENTITY},
        {"n_model_layers", t->n_layers, COLA_FIELD_IDENTITY},
        {"backend", h->backend, COLA_FIELD_PROVENANCE},
        {"devices", t->devices, COLA_FIELD_PROVENANCE},
        {"threads", t->threads, COLA_FIELD_PROVENANCE},
        {"n_workers", t->n_workers, COLA_FIELD_PROVENANCE},
        {"transport", m->comm->ops->name, COLA_FIELD_PROVENANCE},
    };
    memcpy(field, added, sizeof added);
}

enum cola_status cola_handshake_record(struct cola_master *m)
{
    const struct cola_master_options *o = m->options;
    struct worker_texts texts = {0};
    struct cola_field *field = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&field, o->n_fields + WORKER_FIELDS, sizeof *field, "fields"));
    COLA_TRY_DONE(describe_workers(m, &texts));
    if (o->n_fields) memcpy(field, o->field, o->n_fields * sizeof *field);
    add_worker_fields(m, &texts, field + o->n_fields);
    struct cola_record_setup setup = {.field = field,
                                      .n_fields = o->n_fields + WORKER_FIELDS,
                                      .tasks = o->tasks,
                                      .first_sample = o->first_sample,
                                      .n_samples = o->n_samples,
                                      .resume = o->resume,
                                      .memo_path = o->memo_path};
    COLA_TRY_DONE(cola_record_open(o->run_path, &setup, &m->record));
    cola_events_start(m, field, setup.n_fields);
    if (cola_record_n_resumed(m->record))
        cola_report_line(m, "resuming: %llu evaluations are known",
                         (unsigned long long)cola_record_n_resumed(m->record));
    if (o->memo_path)
        cola_report_line(m, "%s: %llu evaluations are known from there", o->memo_path,
                         (unsigned long long)cola_record_n_memo(m->record));
done:
    free(field);
    free(texts.devices);
    free(texts.threads);
    return status;
}

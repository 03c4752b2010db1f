/* cross.c - the master of `cola cross`: what cross_flow.c gives goes to workers with credit, results go to
 * the record, and at the end the record makes the table.
 *
 *     START/HELLO (handshake.c) -> record -> suspects -> [ send, receive, commit ]* -> finish
 *
 * Sending and receiving are cross_dispatch.c's. `struct cola_master` is used for what both masters have: the
 * workers, their loads, the handshake, the report; its trees and its record stay empty. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/alive.h"
#include "cluster/cross.h"
#include "cola/clock.h"
#include "cola/log.h"
#include "cola/memory.h"

static const double COMMIT_S = 1.0; /* a kill costs at most this */

static bool is_known(void *user, uint32_t sample, uint32_t chain)
{
    return cola_cross_known(user, sample, chain);
}

static uint32_t n_left(void *user, uint32_t sample)
{
    return cola_cross_n_left(user, sample);
}

/* --- the loop ----------------------------------------------------------------------------------------- */

static uint64_t n_cells(const struct cross *x)
{
    return (uint64_t)x->flow.n_samples * x->flow.n_chains;
}

static void report_progress(struct cross *x)
{
    char line[200], left[32];
    double elapsed_s = cola_clock_s() - x->m.began_s;
    uint64_t n = cola_cross_n_known(x->record);
    if (!cola_progress_due(&x->m.progress)) return;
    double per_s = elapsed_s > 0 ? (double)x->n_new / elapsed_s : 0;
    cola_progress_time(per_s > 0 ? (double)(n_cells(x) - n) / per_s : -1, left);
    snprintf(line, sizeof line, "%llu/%llu evaluations (%.1f/s), %u of %u samples begun, %s left",
             (unsigned long long)n, (unsigned long long)n_cells(x), per_s, x->flow.next_begin,
             x->flow.n_samples, per_s > 0 ? left : "?");
    cola_progress_show(&x->m.progress, line);
}

/* COLA_OK: every evaluation is known. COLA_ERR_STOPPED: someone asked. */
static enum cola_status evaluate_all(struct cross *x)
{
    double commit_s = cola_clock_s();
    while (!cola_flow_done(&x->flow)) {
        enum cola_stop stop = cola_master_stop(&x->m);
        if (stop == COLA_STOP_NOW || (stop == COLA_STOP_SOON && x->m.n_out == 0))
            return cola_fail(COLA_ERR_STOPPED, "stopped with %llu of %llu evaluations done; --resume goes on",
                             (unsigned long long)cola_cross_n_known(x->record),
                             (unsigned long long)n_cells(x));
        if (stop == COLA_STOP_NONE) COLA_TRY(cola_cross_send_work(x));
        COLA_TRY(cola_cross_receive_results(x));
        if (cola_clock_s() - commit_s >= COMMIT_S) {
            COLA_TRY(cola_cross_commit(x->record));
            commit_s = cola_clock_s();
        }
        report_progress(x);
    }
    return COLA_OK;
}

static void report_summary(struct cross *x, const struct cola_cross_totals *totals)
{
    uint64_t asked = 0, executed = 0;
    double elapsed_s = cola_clock_s() - x->m.began_s;
    for (uint32_t i = 1; i <= x->m.n_workers; i++) {
        asked += x->m.worker[i].layers_asked;
        executed += x->m.worker[i].layers_executed;
    }
    cola_report_line(&x->m, "%u chains on %u samples: %llu of %llu evaluations are known, %llu of them new",
                     x->flow.n_chains, x->flow.n_samples, (unsigned long long)totals->n_evaluated,
                     (unsigned long long)n_cells(x), (unsigned long long)x->n_new);
    cola_report_line(&x->m, "%.1f s: %.1f evaluations/s, %.1f %% of the layers asked were shared", elapsed_s,
                     elapsed_s > 0 ? (double)x->n_new / elapsed_s : 0.0,
                     asked ? 100 - 100.0 * (double)executed / (double)asked : 0.0);
    if (totals->n_non_finite || totals->n_crashed)
        cola_report_line(&x->m, "%llu gave a logit that is not finite, %llu were set aside after crashes",
                         (unsigned long long)totals->n_non_finite, (unsigned long long)totals->n_crashed);
}

/* Commits, and makes the table of what there is. The failure that led here keeps its words. */
static enum cola_status put_away(struct cross *x, enum cola_status status)
{
    struct cola_cross_totals totals = {0};
    char text[1024];
    snprintf(text, sizeof text, "%s", cola_error_text());
    cola_progress_clear(&x->m.progress);
    enum cola_status last = COLA_OK;
    if (x->m.n_out && !cola_master_may_be_a_crash(&x->m, status)) last = cola_cross_ended(x->record);
    if (last == COLA_OK) last = cola_cross_commit(x->record);
    if (last == COLA_OK) last = cola_cross_finish(x->record, &totals);
    if (last == COLA_OK && (status == COLA_OK || status == COLA_ERR_STOPPED)) report_summary(x, &totals);
    if (status == COLA_OK || (status == COLA_ERR_STOPPED && last != COLA_OK)) return last;
    if (last != COLA_OK) cola_log(COLA_LOG_WARN, "%s", cola_error_text());
    return cola_fail(status, "%s", text);
}

/* --- before the first request ------------------------------------------------------------------------- */

static enum cola_status check_metric(const struct cola_cross_options *o)
{
    if (o->metric != COLA_METRIC_ACC_NORM) return COLA_OK;
    if (cola_tasks_info(o->tasks)->rule != COLA_SCORE_LOGLIK)
        return cola_fail(COLA_ERR_USAGE, "--metric acc_norm is for loglik; these tasks are scored by %s",
                         cola_score_rule_name[cola_tasks_info(o->tasks)->rule]);
    for (uint32_t i = 0; i < cola_tasks_info(o->tasks)->n_samples; i++)
        if (!cola_tasks_sample(o->tasks, i)->candidate_bytes)
            return cola_fail(COLA_ERR_USAGE, "--metric acc_norm: row %u has no lengths of its choices' texts",
                             i);
    return COLA_OK;
}

static enum cola_status check_chains(const struct cross *x)
{
    for (uint32_t i = 0; i < x->options->chains->n; i++) {
        struct cola_chain chain = cola_chain_set_get(x->options->chains, i);
        char text[100];
        enum cola_status status = cola_chain_check(&chain, x->m.n_layers);
        if (status == COLA_OK) continue;
        cola_chain_print(&chain, text, sizeof text);
        return cola_fail_in(COLA_ERR_MISMATCH, "chain %s is none of this model", text);
    }
    return COLA_OK;
}

static enum cola_status open_record(struct cross *x)
{
    enum { WORKER_FIELDS = 7 };
    const struct cola_cross_options *o = x->options;
    const struct cola_hello *h = &x->m.worker[1].hello;
    char n_layers[16], n_workers[16];
    struct cola_field *field = NULL;
    snprintf(n_layers, sizeof n_layers, "%u", x->m.n_layers);
    snprintf(n_workers, sizeof n_workers, "%u", x->m.n_workers);
    const struct cola_field added[WORKER_FIELDS] = {
        {"model_fingerprint", h->model_fingerprint, COLA_FIELD_IDENTITY},
        {"numerics_id", h->numerics_id, COLA_FIELD_IDENTITY},
        {"n_model_layers", n_layers, COLA_FIELD_IDENTITY},
        {"backend", h->backend, COLA_FIELD_PROVENANCE},
        {"devices", h->device, COLA_FIELD_PROVENANCE},
        {"n_workers", n_workers, COLA_FIELD_PROVENANCE},
        {"transport", x->m.comm->ops->name, COLA_FIELD_PROVENANCE},
    };
    COLA_TRY(cola_alloc((void **)&field, o->n_fields + WORKER_FIELDS, sizeof *field, "fields"));
    if (o->n_fields) memcpy(field, o->field, o->n_fields * sizeof *field);
    memcpy(field + o->n_fields, added, sizeof added);
    struct cola_cross_setup setup = {.field = field,
                                     .n_fields = o->n_fields + WORKER_FIELDS,
                                     .tasks = o->tasks,
                                     .chains = o->chains,
                                     .metric = o->metric,
                                     .details = o->details,
                                     .resume = o->resume};
    enum cola_status status = cola_cross_record_open(o->path, &setup, &x->record);
    free(field);
    return status;
}

static enum cola_status copy_suspects(struct cross *x)
{
    x->n_suspects = x->n_alone_left = cola_cross_n_suspects(x->record);
    COLA_TRY(cola_alloc((void **)&x->suspect, x->n_suspects, sizeof *x->suspect, "suspects"));
    for (uint32_t i = 0; i < x->n_suspects; i++)
        cola_cross_suspect(x->record, i, &x->suspect[i].sample, &x->suspect[i].chain,
                           &x->suspect[i].attempts);
    return COLA_OK;
}

static enum cola_status prepare(struct cross *x)
{
    struct cola_master *m = &x->m;
    uint32_t n = m->options->n_samples;
    COLA_TRY(check_metric(x->options));
    COLA_TRY(cola_alloc((void **)&m->worker, m->n_workers + 1, sizeof *m->worker, "workers"));
    COLA_TRY(cola_alloc((void **)&m->load, m->n_workers, sizeof *m->load, "workers"));
    COLA_TRY(cola_alloc((void **)&x->holders, n, sizeof *x->holders, "samples"));
    COLA_TRY(cola_handshake(m));
    COLA_TRY(check_chains(x));
    COLA_TRY(open_record(x));
    cola_loads_init(m);
    COLA_TRY(cola_cross_make_slots(x));
    COLA_TRY(copy_suspects(x));
    if (cola_cross_n_known(x->record))
        cola_report_line(m, "resuming: %llu evaluations are known",
                         (unsigned long long)cola_cross_n_known(x->record));
    /* In one process the journal is written before a request that may crash us; else by a thread. */
    if (strcmp(m->comm->ops->name, "local") != 0) COLA_TRY(cola_cross_start_writer(x->record));
    x->flow = (struct cola_flow){.n_samples = n,
                                 .n_chains = x->options->chains->n,
                                 .n_workers = m->n_workers,
                                 .window = cola_cross_window(x->record),
                                 .known = is_known,
                                 .n_left = n_left,
                                 .user = x->record};
    COLA_TRY(cola_flow_init(&x->flow));
    m->began_s = cola_clock_s();
    return COLA_OK;
}

/* Told to the workers before they load, so that too little memory is refused at the start. */
static uint32_t longest(const struct cola_chain_set *chains)
{
    uint32_t n_most = 0;
    for (uint32_t i = 0; i < chains->n; i++) {
        uint32_t n = cola_chain_set_get(chains, i).n_layers;
        if (n > n_most) n_most = n;
    }
    return n_most;
}

static void fini(struct cross *x)
{
    cola_cross_record_close(x->record);
    cola_flow_fini(&x->flow);
    for (uint32_t i = 0; x->holders && i < x->m.options->n_samples; i++) free(x->holders[i].rank);
    for (uint32_t i = 0; x->m.worker && i <= x->m.n_workers; i++) cola_buffer_fini(&x->m.worker[i].out);
    free(x->m.worker);
    free(x->m.load);
    free(x->holders);
    free(x->slot);
    free(x->free_slot);
    free(x->suspect);
    cola_buffer_fini(&x->m.in);
}

enum cola_status cola_cross_run(struct cola_comm *comm, const struct cola_cross_options *options)
{
    const struct cola_master_options as_search = {.tasks = options->tasks,
                                                  .evaluator = options->evaluator,
                                                  .n_samples = cola_tasks_info(options->tasks)->n_samples,
                                                  .longest_chain = longest(options->chains),
                                                  .stop_at_s = options->stop_at_s,
                                                  .stop = options->stop,
                                                  .quiet = options->quiet};
    struct cross x = {.options = options,
                      .m = {.comm = comm, .options = &as_search, .n_workers = comm->n_ranks - 1}};
    char text[1024]; /* closing may fail too: the first failure is the one to tell */
    if (as_search.n_samples == 0 || options->chains->n == 0)
        return cola_fail(COLA_ERR_INPUT, "%u samples, %u chains: nothing to evaluate", as_search.n_samples,
                         options->chains->n);
    x.m.progress = cola_progress_begin(options->quiet);
    enum cola_status status = prepare(&x);
    if (status == COLA_OK) status = put_away(&x, evaluate_all(&x));
    cola_progress_end(&x.m.progress);
    snprintf(text, sizeof text, "%s", cola_error_text());
    fini(&x);
    return status == COLA_OK ? COLA_OK : cola_fail(status, "%s", text);
}

/* master.c - the master rank: owns trees, journal and run.h5; everything else is asked of workers.
 *
 *     targets -> START/HELLO -> record -> [ begin samples, send, receive, commit, fold ]* -> last fold
 *
 * One thread. The loop never waits for a worker: it looks for messages for a moment and then at the clock and
 * the stop flag. A sample begins only when some worker has credit and nothing else waits to be sent, so as
 * many are in flight as keep the workers busy. A tree that is done goes to the record's disk (samples.c):
 * memory holds those that are under way, however many there were. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/alive.h"
#include "cluster/master.h"
#include "cola/clock.h"
#include "cola/log.h"
#include "cola/memory.h"

static const double LOOK_S = 0.05;      /* a wait for messages: how late a stop or a commit may be noticed */
static const double COMMIT_S = 1.0;     /* a kill costs at most this */
static const double COMMIT_END_S = 0.2; /* after a sample's end; ends that come together share a commit */
static const double FOLD_S = 600;       /* run.h5 is rewritten whole: seldom */
enum { BEGIN_AT_ONCE = 64 };            /* samples begun (or replayed) before messages are looked at again */

struct timers {
    double commit_s, fold_s; /* of the last one */
};

enum cola_stop cola_master_stop(const struct cola_master *m)
{
    enum cola_stop stop = m->options->stop();
    bool late = m->options->stop_at_s > 0 && cola_clock_s() >= m->options->stop_at_s;
    return stop == COLA_STOP_NONE && late ? COLA_STOP_SOON : stop;
}

static bool may_begin(const struct cola_master *m)
{
    return m->counts.n_begun < m->options->n_samples && m->n_ready_requests == 0 &&
           cola_dispatch_has_credit(m);
}

static enum cola_status send_work(struct cola_master *m)
{
    COLA_TRY(cola_dispatch_send(m));
    for (int i = 0; i < BEGIN_AT_ONCE && may_begin(m); i++) {
        COLA_TRY(cola_samples_begin(m));
        COLA_TRY(cola_dispatch_send(m));
    }
    return COLA_OK;
}

static enum cola_status fail_of_worker(const struct cola_master *m, uint32_t rank,
                                       const struct cola_error_message *error)
{
    int64_t i = error->sample - (int64_t)m->options->first_sample;
    if (error->sample < 0 || i < 0 || i >= m->options->n_samples)
        return cola_fail((enum cola_status)error->status, "worker %u (%s): %s", rank,
                         m->worker[rank].hello.host, error->text);
    struct cola_text id = cola_samples_id(m, (uint32_t)i);
    return cola_fail((enum cola_status)error->status, "worker %u (%s), sample %.*s: %s", rank,
                     m->worker[rank].hello.host, (int)id.n_bytes, id.bytes, error->text);
}

static enum cola_status on_message(struct cola_master *m, uint32_t from, const uint8_t *bytes, size_t n_bytes)
{
    struct cola_message message;
    enum cola_status status = cola_message_unpack(bytes, n_bytes, &m->in, &message);
    if (status != COLA_OK) return cola_fail_in(status, "from worker %u", from);
    if (message.kind == COLA_MESSAGE_RESULT) {
        m->worker[from].busy_s = message.busy_s;
        m->worker[from].memory_bytes = message.memory_bytes;
        m->worker[from].state_bytes = message.state_bytes;
        return cola_dispatch_result(m, from, &message.result);
    }
    if (message.kind == COLA_MESSAGE_ERROR) return fail_of_worker(m, from, &message.error);
    return cola_fail(COLA_ERR_INPUT, "worker %u sent %s while it was to work", from,
                     cola_message_name(message.kind));
}

/* What its results give rise to goes out as packets, too. */
static enum cola_status on_packet(struct cola_master *m, const struct cola_packet *packet, bool sending)
{
    for (size_t at = 0, n; at < packet->n_bytes; at += n) {
        n = cola_message_bytes(packet->bytes + at, packet->n_bytes - at);
        COLA_TRY(on_message(m, packet->from, packet->bytes + at, n));
        if (sending) COLA_TRY(cola_dispatch_send(m));
    }
    return cola_dispatch_flush(m);
}

/* Before a sleep the journal's thread gets what there is to write. */
static enum cola_status receive(struct cola_master *m, double wait_s, struct cola_packet *packet)
{
    if (wait_s > 0) {
        COLA_TRY(cola_comm_receive(m->comm, 0, packet));
        if (packet->n_bytes) return COLA_OK;
        COLA_TRY(cola_record_flush(m->record, false));
    }
    return cola_comm_receive(m->comm, wait_s, packet);
}

/* Everything that is here; the first wait is bounded, and the clock is looked at between rounds. */
static enum cola_status receive_results(struct cola_master *m, double wait_s, bool sending)
{
    struct cola_packet packet;
    double until_s = cola_clock_s() + LOOK_S;
    COLA_TRY(cola_dispatch_flush(m));
    do {
        COLA_TRY(receive(m, wait_s, &packet));
        COLA_TRY(on_packet(m, &packet, sending));
        wait_s = 0;
    } while (packet.n_bytes && cola_clock_s() < until_s);
    return COLA_OK;
}

static enum cola_status fold(struct cola_master *m)
{
    struct cola_fold f = {
        .search = (const struct cola_search *const *)m->search, .target = m->target, .finished = m->finished};
    COLA_TRY(cola_figures_record(m));
    return cola_record_fold(m->record, &f);
}

static enum cola_status keep(struct cola_master *m, struct timers *last)
{
    double now_s = cola_clock_s(), since_s = now_s - last->commit_s;
    if (m->dirty && (since_s >= COMMIT_S || (m->sample_ended && since_s >= COMMIT_END_S))) {
        COLA_TRY(cola_record_commit(m->record));
        m->dirty = m->sample_ended = false;
        last->commit_s = now_s;
    }
    if (now_s - last->fold_s >= FOLD_S) {
        COLA_TRY(fold(m));
        last->fold_s = cola_clock_s();
    }
    return COLA_OK;
}

/* COLA_OK: every sample is finished. COLA_ERR_STOPPED: someone asked. */
static enum cola_status search_all(struct cola_master *m)
{
    struct timers last = {cola_clock_s(), cola_clock_s()};
    while (m->counts.n_finished < m->options->n_samples) {
        enum cola_stop stop = cola_master_stop(m);
        cola_events_stop(m, stop);
        if (stop == COLA_STOP_NOW || (stop == COLA_STOP_SOON && m->n_out == 0))
            return cola_fail(COLA_ERR_STOPPED, "stopped with %u of %u samples done; --resume goes on",
                             m->counts.n_finished, m->options->n_samples);
        if (stop == COLA_STOP_NONE) COLA_TRY(send_work(m));
        bool more_to_begin = stop == COLA_STOP_NONE && may_begin(m);
        COLA_TRY(receive_results(m, more_to_begin ? 0 : LOOK_S, stop == COLA_STOP_NONE));
        COLA_TRY(keep(m, &last));
        cola_report_progress(m);
        cola_events_progress(m);
    }
    return COLA_OK;
}

/* Commit and fold what there is. The failure that led here keeps its words; one of the last fold gets said
 * only if nothing failed before. */
static enum cola_status put_away(struct cola_master *m, enum cola_status status)
{
    char text[1024];
    snprintf(text, sizeof text, "%s", cola_error_text());
    cola_progress_clear(&m->progress);
    enum cola_status last = COLA_OK;
    if (m->n_out && !cola_master_may_be_a_crash(m, status)) last = cola_record_ended(m->record);
    if (last == COLA_OK) last = cola_record_commit(m->record);
    if (last == COLA_OK) last = fold(m);
    if (status == COLA_OK || (status == COLA_ERR_STOPPED && last != COLA_OK)) return last;
    if (last != COLA_OK) cola_log(COLA_LOG_WARN, "%s", cola_error_text());
    return cola_fail(status, "%s", text);
}

static void tell_figures(const struct cola_master *m, struct cola_master_figures *out)
{
    *out = (struct cola_master_figures){.search_s = cola_clock_s() - m->began_s,
                                        .master_cpu_s = cola_clock_thread_s() - m->began_cpu_s,
                                        .tree_cpu_s = m->tree_cpu_s,
                                        .n_new = m->counts.n_new,
                                        .n_nodes = m->counts.n_nodes,
                                        .n_known = m->counts.n_known,
                                        .layers_asked = m->counts.layers_asked,
                                        .layers_executed = m->counts.layers_executed};
}

static enum cola_status run(struct cola_master *m)
{
    const struct cola_master_options *o = m->options;
    COLA_TRY(cola_alloc((void **)&m->worker, m->n_workers + 1, sizeof *m->worker, "workers"));
    COLA_TRY(cola_alloc((void **)&m->load, m->n_workers, sizeof *m->load, "workers"));
    COLA_TRY(cola_alloc((void **)&m->to_flush, m->n_workers, sizeof *m->to_flush, "workers"));
    COLA_TRY(cola_alloc((void **)&m->sample, o->n_samples, sizeof *m->sample, "samples"));
    COLA_TRY(cola_alloc((void **)&m->search, o->n_samples, sizeof(struct cola_search *), "samples"));
    COLA_TRY(cola_alloc((void **)&m->target, o->n_samples, sizeof *m->target, "samples"));
    COLA_TRY(cola_alloc((void **)&m->finished, o->n_samples, sizeof *m->finished, "samples"));
    COLA_TRY(cola_events_open(m));
    COLA_TRY(cola_handshake_targets(m));
    COLA_TRY(cola_handshake(m));
    COLA_TRY(cola_handshake_record(m));
    cola_loads_init(m);
    COLA_TRY(cola_record_start_writer(m->record));
    m->began_s = cola_clock_s();
    m->began_cpu_s = cola_clock_thread_s();
    enum cola_status status = put_away(m, search_all(m));
    if (o->figures) tell_figures(m, o->figures);
    if (status == COLA_OK || status == COLA_ERR_STOPPED) cola_report_summary(m);
    return status;
}

static void fini(struct cola_master *m)
{
    cola_record_close(m->record);
    for (uint32_t i = 0; m->search && i < m->options->n_samples; i++) cola_search_destroy(m->search[i]);
    for (uint32_t i = 0; m->sample && i < m->options->n_samples; i++) free(m->sample[i].holder);
    for (size_t i = 0; i < m->n_pending; i++) free(m->pending[i].layer);
    for (uint32_t i = 0; m->worker && i <= m->n_workers; i++) cola_buffer_fini(&m->worker[i].out);
    free(m->worker);
    free(m->load);
    free(m->to_flush);
    free(m->sample);
    free(m->search);
    free(m->target);
    free(m->finished);
    free(m->pending);
    free(m->free_pending);
    free(m->ready);
    cola_buffer_fini(&m->in);
}

enum cola_status cola_master_run(struct cola_comm *comm, const struct cola_master_options *options)
{
    struct cola_master m = {.comm = comm, .options = options, .n_workers = comm->n_ranks - 1};
    if (options->n_samples == 0) return cola_fail(COLA_ERR_INPUT, "no samples to search");
    m.progress = cola_progress_begin(options->quiet);
    enum cola_status status = run(&m);
    cola_progress_end(&m.progress);
    char text[1024]; /* closing may fail too: the first failure is the one to tell */
    snprintf(text, sizeof text, "%s", cola_error_text());
    cola_events_end(&m, status);
    fini(&m);
    return status == COLA_OK ? COLA_OK : cola_fail(status, "%s", text);
}

void cola_master_dismiss(struct cola_comm *comm, int exit_status)
{
    struct cola_message message = {.kind = COLA_MESSAGE_SHUTDOWN, .shutdown = (uint8_t)exit_status};
    struct cola_buffer bytes = {0};
    enum cola_status status = cola_message_pack(&message, &bytes);
    for (uint32_t i = 1; status == COLA_OK && i < comm->n_ranks; i++)
        status = cola_comm_send(comm, i, bytes.bytes, bytes.n_bytes);
    cola_buffer_fini(&bytes);
    if (status == COLA_OK) return;
    cola_log(COLA_LOG_ERROR, "%s", cola_error_text());
    cola_comm_abort(comm, exit_status);
}

/* show_timing_hdf5.c - who searched and what it cost, for `cola show`: the sessions of a run and their
 * workers, as lines and as JSON. Files before version 1.2 have none. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/show.h"
#include "cola/timing.h"

static json_t *json_text(struct cola_text text)
{
    char *shown = cola_show_text(text, false);
    json_t *out = shown ? json_stringn(shown, strlen(shown)) : NULL;
    free(shown);
    return out;
}

static json_t *json_session(const struct cola_timing_session *s)
{
    return json_pack("{s:o, s:o, s:I, s:f, s:f, s:f, s:f, s:I}", "run", json_text(s->run), "shard",
                     s->shard < 0 ? json_null() : json_integer(s->shard), "number", (json_int_t)s->number,
                     "began", s->began, "search_s", s->search_s, "master_cpu_s", s->master_cpu_s,
                     "trees_cpu_s", s->tree_cpu_s, "evaluations", (json_int_t)s->n_evaluations);
}

static json_t *json_worker(const struct cola_timing_worker *w)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "session",
                     (json_int_t)w->session, "worker", (json_int_t)w->rank, "host", json_text(w->host),
                     "device", json_text(w->device), "busy_s", w->busy_s, "utilisation", w->utilisation,
                     "evaluations", (json_int_t)w->n_evaluations, "layers_asked", (json_int_t)w->layers_asked,
                     "layers_executed", (json_int_t)w->layers_executed, "row_layers_asked",
                     (json_int_t)w->row_layers_asked, "row_layers_executed",
                     (json_int_t)w->row_layers_executed, "memory_bytes", (json_int_t)w->memory_bytes,
                     "state_bytes", (json_int_t)w->state_bytes);
}

json_t *cola_show_timing_json(const struct cola_run *run)
{
    json_t *sessions = json_array(), *workers = json_array();
    for (uint32_t i = 0; i < cola_run_n_sessions(run); i++) {
        struct cola_timing_session session;
        cola_run_session(run, i, &session);
        json_array_append_new(sessions, json_session(&session));
    }
    for (uint32_t i = 0; i < cola_run_n_workers(run); i++) {
        struct cola_timing_worker worker;
        cola_run_worker(run, i, &worker);
        json_array_append_new(workers, json_worker(&worker));
    }
    return json_pack("{s:o, s:o}", "sessions", sessions, "workers", workers);
}

/* Any number may be in a file: what is no time of a calendar is shown as a number. */
static void print_session(uint32_t i, const struct cola_timing_session *s, FILE *to)
{
    char when[40] = "";
    time_t began = s->began > -1e15 && s->began < 1e15 ? (time_t)s->began : 0;
    struct tm utc;
    if (gmtime_r(&began, &utc)) strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    fprintf(to, "  session %u", i);
    if (s->shard >= 0) fprintf(to, " (shard %d)", s->shard);
    fprintf(to,
            ": process %u of its run, from %s, %.1f s, %" PRIu64
            " evaluations; master %.2f s of CPU, trees %.2f of them\n",
            s->number, when, s->search_s, s->n_evaluations, s->master_cpu_s, s->tree_cpu_s);
}

static enum cola_status print_worker(const struct cola_timing_worker *w, FILE *to)
{
    char *host = cola_show_text(w->host, true), *device = cola_show_text(w->device, true);
    enum cola_status status = COLA_OK;
    if (host && device)
        fprintf(to,
                "    worker %u: busy %.1f %%, %" PRIu64 " evaluations, %" PRIu64 " of %" PRIu64
                " layers executed, %.1f MiB at most (%.1f MiB of states), %s, %s\n",
                w->rank, 100 * w->utilisation, w->n_evaluations, w->layers_executed, w->layers_asked,
                (double)w->memory_bytes / (1 << 20), (double)w->state_bytes / (1 << 20), host, device);
    else
        status = cola_fail(COLA_ERR_MEMORY, "show: out of memory");
    free(host);
    free(device);
    return status;
}

static enum cola_status print_workers(const struct cola_run *run, uint32_t session, uint64_t limit, FILE *to)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < cola_run_n_workers(run); i++) {
        struct cola_timing_worker worker;
        cola_run_worker(run, i, &worker);
        if (worker.session == session && n++ < limit) COLA_TRY(print_worker(&worker, to));
    }
    if (n > limit) fprintf(to, "    ... %" PRIu64 " more workers (--limit)\n", n - limit);
    return COLA_OK;
}

enum cola_status cola_show_timing(const struct cola_run *run, uint64_t limit, FILE *to)
{
    uint32_t n = cola_run_n_sessions(run);
    if (n == 0 || limit == 0) return COLA_OK;
    fputs("\nwho searched\n", to);
    for (uint32_t i = 0; i < n && i < limit; i++) {
        struct cola_timing_session session;
        cola_run_session(run, i, &session);
        print_session(i, &session, to);
        COLA_TRY(print_workers(run, i, limit, to));
    }
    if (n > limit) fprintf(to, "  ... %" PRIu64 " more sessions (--limit)\n", n - limit);
    return COLA_OK;
}

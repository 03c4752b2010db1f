/* events.c - `--events`: what happens in a search as JSON lines, one object a line, for programs that watch
 * it. docs/watching.md lists them. Each line is flushed. A file that cannot be opened ends the search before
 * it begins; one that cannot be written later is said once and given up, for the search is worth more. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/master.h"
#include "cola/clock.h"
#include "cola/log.h"
#include "cola/memory.h"

struct cola_events {
    FILE *to;
    double next_s; /* on cola_clock_s: when progress is due */
    bool stopping;
    uint64_t n_new; /* at the last progress, */
    double last_s;  /* which was then */
};

enum cola_status cola_events_open(struct cola_master *m)
{
    const char *path = m->options->events_path;
    if (!path) return COLA_OK;
    COLA_TRY(cola_alloc((void **)&m->events, 1, sizeof *m->events, "events"));
    m->events->to = strcmp(path, "-") == 0 ? stdout : fopen(path, "ae");
    signal(SIGPIPE, SIG_IGN); /* a reader that left is a failed write, said once */
    if (!m->events->to)
        return cola_fail(COLA_ERR_IO, "--events %s: cannot be opened: %s", path, strerror(errno));
    return COLA_OK;
}

static void close_file(struct cola_events *e)
{
    if (e->to && e->to != stdout) fclose(e->to);
    e->to = NULL;
}

static void put_time(json_t *line)
{
    struct timespec now;
    struct tm utc;
    char text[64] = "", day[32];
    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &utc) && strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc))
        snprintf(text, sizeof text, "%s.%03ldZ", day, now.tv_nsec / 1000000);
    json_object_set_new(line, "time", json_string(text));
}

/* Takes `line` over; NULL: out of memory, the line is lost. */
static void write_line(struct cola_master *m, const char *event, json_t *line)
{
    struct cola_events *e = m->events;
    if (!e->to || !line) {
        json_decref(line);
        return;
    }
    json_t *whole = json_pack("{s:s}", "event", event);
    put_time(whole);
    json_object_update(whole, line);
    char *text = json_dumps(whole, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(whole);
    json_decref(line);
    if (text && (fprintf(e->to, "%s\n", text) < 0 || fflush(e->to) != 0)) {
        cola_log(COLA_LOG_WARN, "--events %s: cannot be written: %s; the search goes on without",
                 m->options->events_path, strerror(errno));
        close_file(e);
    }
    free(text);
}

/* Bytes from outside: null where they are no UTF-8. */
static json_t *text_or_null(const char *bytes, size_t n)
{
    json_t *text = json_stringn(bytes, n);
    return text ? text : json_null();
}

static json_t *list_workers(const struct cola_master *m)
{
    json_t *list = json_array();
    for (uint32_t i = 1; i <= m->n_workers; i++) {
        const struct cola_hello *h = &m->worker[i].hello;
        json_array_append_new(list, json_pack("{s:i, s:o, s:o, s:s, s:i, s:i, s:I, s:f}", "worker", (int)i,
                                              "host", text_or_null(h->host, strlen(h->host)), "device",
                                              text_or_null(h->device, strlen(h->device)), "backend",
                                              h->backend, "threads", (int)h->n_threads, "credit",
                                              (int)h->credit, "weight_bytes", (json_int_t)h->weight_bytes,
                                              "load_s", (double)h->load_s));
    }
    return list;
}

void cola_events_start(struct cola_master *m, const struct cola_field *field, uint32_t n_fields)
{
    if (!m->events) return;
    const struct cola_master_options *o = m->options;
    json_t *fields = json_object();
    for (uint32_t i = 0; i < n_fields; i++)
        json_object_set_new(fields, field[i].key, text_or_null(field[i].value, strlen(field[i].value)));
    const struct cola_tasks_info *tasks = cola_tasks_info(o->tasks);
    m->events->next_s = m->events->last_s = cola_clock_s();
    write_line(m, "start",
               json_pack("{s:o, s:s, s:i, s:i, s:I, s:I, s:i, s:o, s:o}", "run",
                         text_or_null(o->run_path, strlen(o->run_path)), "task", tasks->task, "first_sample",
                         (int)o->first_sample, "n_samples", (int)o->n_samples, "n_known",
                         (json_int_t)cola_record_n_known(m->record), "n_resumed",
                         (json_int_t)cola_record_n_resumed(m->record), "speculate", (int)o->search.speculate,
                         "workers", list_workers(m), "fields", fields));
}

void cola_events_sample(struct cola_master *m, uint32_t sample)
{
    if (!m->events) return;
    const struct sample_state *s = &m->sample[sample];
    const struct cola_search *search = m->search[sample];
    struct cola_text id = cola_samples_id(m, sample);
    bool base = false, found = false; /* from the tree: what is counted of it may lag behind */
    for (uint32_t i = 0; i < cola_search_n_nodes(search); i++) {
        struct cola_node_view node;
        cola_search_node(search, i, &node);
        if (!(node.reward > 0)) continue;
        found = true;
        base |= i == 0;
    }
    write_line(m, "sample",
               json_pack("{s:i, s:o, s:i, s:i, s:b, s:b, s:i}", "sample", (int)cola_samples_row(m, sample),
                         "id", text_or_null(id.bytes, (size_t)id.n_bytes), "n_simulations",
                         (int)cola_search_n_simulations(search), "n_chains", (int)cola_search_n_nodes(search),
                         "base_right", base, "found", found, "worker", (int)s->owner));
}

static json_t *counts_of(const struct cola_master *m)
{
    const struct counts *c = &m->counts;
    double elapsed_s = m->began_s > 0 ? cola_clock_s() - m->began_s : 0;
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:f, s:f}", "n_samples", (int)m->options->n_samples,
                     "n_begun", (int)c->n_begun, "n_finished", (int)c->n_finished, "n_found", (int)c->n_found,
                     "n_base_right", (int)c->n_base_right, "evaluations_new", (json_int_t)c->n_new,
                     "evaluations_known", (json_int_t)c->n_known, "search_s", elapsed_s,
                     "evaluations_per_s_in_all", elapsed_s > 0 ? (double)c->n_new / elapsed_s : 0.0);
}

void cola_events_progress(struct cola_master *m)
{
    struct cola_events *e = m->events;
    double now_s = cola_clock_s();
    if (!e || now_s < e->next_s) return;
    double left_s = cola_report_seconds_left(m), since_s = now_s - e->last_s;
    json_t *line = counts_of(m);
    json_object_set_new(line, "evaluations_per_s",
                        since_s > 0 ? json_real((double)(m->counts.n_new - e->n_new) / since_s)
                                    : json_null());
    json_object_set_new(line, "left_s", left_s >= 0 ? json_real(left_s) : json_null());
    json_object_set_new(line, "n_requests_out", json_integer(m->n_out));
    write_line(m, "progress", line);
    e->n_new = m->counts.n_new;
    e->last_s = now_s;
    e->next_s = now_s + m->options->events_interval_s;
}

void cola_events_stop(struct cola_master *m, enum cola_stop stop)
{
    if (!m->events || stop == COLA_STOP_NONE || m->events->stopping) return;
    m->events->stopping = true;
    write_line(m, "stop",
               json_pack("{s:s, s:i}", "how", stop == COLA_STOP_NOW ? "at once" : "finish what runs",
                         "n_requests_out", (int)m->n_out));
}

static json_t *worker_figures(const struct cola_master *m)
{
    json_t *list = json_array();
    for (uint32_t i = 1; m->worker && i <= m->n_workers; i++) {
        const struct worker_state *w = &m->worker[i];
        json_array_append_new(
            list, json_pack("{s:i, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I}", "worker", (int)i, "evaluations",
                            (json_int_t)w->n_results, "busy_s", w->busy_s, "layers_asked",
                            (json_int_t)w->layers_asked, "layers_executed", (json_int_t)w->layers_executed,
                            "row_layers_asked", (json_int_t)w->row_layers_asked, "row_layers_executed",
                            (json_int_t)w->row_layers, "memory_bytes", (json_int_t)w->memory_bytes,
                            "state_bytes", (json_int_t)w->state_bytes));
    }
    return list;
}

void cola_events_end(struct cola_master *m, enum cola_status status)
{
    if (!m->events) return;
    const char *text = status == COLA_OK ? "" : cola_error_text();
    json_t *line = counts_of(m);
    json_object_set_new(line, "status",
                        json_string(status == COLA_OK            ? "finished"
                                    : status == COLA_ERR_STOPPED ? "stopped"
                                                                 : "failed"));
    json_object_set_new(line, "message", text_or_null(text, strlen(text)));
    json_object_set_new(line, "workers", worker_figures(m));
    if (m->began_s > 0) { /* else no search began */
        json_object_set_new(line, "master_cpu_s", json_real(cola_clock_thread_s() - m->began_cpu_s));
        json_object_set_new(line, "trees_cpu_s", json_real(m->tree_cpu_s));
    }
    write_line(m, "end", line);
    close_file(m->events);
    free(m->events);
    m->events = NULL;
}

/* search_master_hdf5.c - the master's side of `cola search`, and the search as a pair of sides.
 *
 * `cola bench` measures these sides too, so it measures what `cola search` does. Prints nothing but the last
 * line of a search. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/search_setup.h"
#include "cola/log.h"

/* Said before the workers load a model for nothing; the record refuses it again. */
static enum cola_status check_out(const struct search_setup *s)
{
    char journal[4096];
    snprintf(journal, sizeof journal, "%s.journal", s->run_path);
    bool there = access(s->run_path, F_OK) == 0 || access(journal, F_OK) == 0;
    if (there && !s->resume)
        return cola_fail(COLA_ERR_USAGE,
                         "--out %s: it or its journal exists; --resume goes on with it, or give "
                         "another name",
                         s->run_path);
    return COLA_OK;
}

static bool same_file(const char *a, const char *b)
{
    struct stat one, other;
    return strcmp(a, b) == 0 || (stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
                                 one.st_ino == other.st_ino);
}

/* --events adds to the end of a file that is there. */
static enum cola_status check_events(const struct search_setup *s)
{
    char journal[4096];
    if (!s->events_path || strcmp(s->events_path, "-") == 0) return COLA_OK;
    snprintf(journal, sizeof journal, "%s.journal", s->run_path);
    const char *const taken[] = {s->tasks_path, s->run_path, journal, s->memo_path, s->worker.recorded_path};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (taken[i] && same_file(s->events_path, taken[i]))
            return cola_fail(COLA_ERR_USAGE,
                             "--events %s: that is a file of the search itself; give another name",
                             s->events_path);
    return COLA_OK;
}

static enum cola_status search_tasks(struct cola_comm *comm, const struct search_setup *s,
                                     const struct cola_options *options, const struct cola_tasks *tasks)
{
    uint32_t first, n;
    struct search_fields *fields;
    COLA_TRY(cola_search_rows(s, cola_tasks_info(tasks)->n_samples, &first, &n));
    COLA_TRY(cola_search_fields(s, options, first, n, &fields));
    struct cola_master_options master = {
        .tasks = tasks,
        .evaluator = s->worker.evaluator,
        .recorded_path = s->worker.recorded_path,
        .first_sample = first,
        .n_samples = n,
        .run_path = s->run_path,
        .resume = s->resume,
        .memo_path = s->memo_path,
        .search = s->search,
        .metric = strcmp(s->metric, "acc_norm") == 0 ? COLA_METRIC_ACC_NORM : COLA_METRIC_ACC,
        .control = strcmp(s->control, "none") != 0,
        .field = fields->field,
        .n_fields = fields->n,
        .stop_at_s = s->stop_at_s,
        .stop = cola_signals_stop,
        .quiet = s->quiet,
        .events_path = s->events_path,
        .events_interval_s = s->events_interval_s,
        .figures = s->figures,
    };
    enum cola_status status = cola_master_run(comm, &master);
    free(fields);
    if (status == COLA_OK && !s->quiet) cola_log(COLA_LOG_INFO, "wrote %s", s->run_path);
    return status;
}

static enum cola_status search_master(struct cola_comm *comm, const struct search_setup *s,
                                      const struct cola_options *options)
{
    struct cola_tasks *tasks;
    COLA_TRY(check_out(s));
    COLA_TRY(check_events(s));
    COLA_TRY(cola_tasks_open(s->tasks_path, &tasks));
    enum cola_status status = search_tasks(comm, s, options, tasks);
    cola_tasks_close(tasks);
    return status;
}

static enum cola_status be_master(struct cola_comm *comm, void *user)
{
    const struct search_run *search = user;
    return search_master(comm, search->setup, search->options);
}

struct cola_sides cola_search_sides(struct search_run *search)
{
    return (struct cola_sides){.worker = &search->setup->worker, .master = be_master, .user = search};
}

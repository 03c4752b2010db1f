/* bench_search_hdf5.c - a round as a whole search: `cola search` in one process, with its trees, messages,
 * journal and fold, into a folder that goes away.
 *
 * The search is the command itself: an argument list is made, read by its option table and run by
 * search_master_hdf5.c. What is measured comes from the master's figures and from an observer of the worker's
 * engine, which also measures the peak on the engine's threads before the work and after it. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench.h"
#include "cli/search_setup.h"
#include "cola/clock.h"
#include "cola/log.h"
#include "cola/memory.h"

static const double PEAK_S = 0.5; /* long enough for the clock frequency to settle */

enum { WORDS_MAX = 128, PATH_ROOM = 4096 };

struct bench_search {
    char folder[PATH_ROOM], run_path[PATH_ROOM + 16], samples[32];
    char *argv[WORDS_MAX + 1];
    int argc;
    char option[WORDS_MAX][64];   /* rooms for "--name" */
    struct cola_options *options; /* of `cola search` */
    struct search_setup setup;
    struct cola_master_figures figures;
    struct bench_round *round; /* that is being measured */
};

/* --- the folder --------------------------------------------------------------------------------------- */

/* $TMPDIR, or else where the tasks are: their file system is what a search would write to. */
static enum cola_status make_folder(const char *tasks_path, char *folder)
{
    const char *tmp = getenv("TMPDIR"), *slash = strrchr(tasks_path, '/');
    int n_parent = slash ? (int)(slash - tasks_path) : 0;
    int n = tmp && *tmp         ? snprintf(folder, PATH_ROOM, "%s/cola-bench-XXXXXX", tmp)
            : slash && n_parent ? snprintf(folder, PATH_ROOM, "%.*s/cola-bench-XXXXXX", n_parent, tasks_path)
            : slash             ? snprintf(folder, PATH_ROOM, "/cola-bench-XXXXXX")
                                : snprintf(folder, PATH_ROOM, "cola-bench-XXXXXX");
    if (n < 0 || n >= PATH_ROOM || !mkdtemp(folder)) {
        int error = n < 0 || n >= PATH_ROOM ? ENAMETOOLONG : errno;
        cola_fail(COLA_ERR_IO,
                  "%s: cannot make this folder for the searches' files: %s; TMPDIR names another place",
                  folder, strerror(error));
        folder[0] = 0;
        return COLA_ERR_IO;
    }
    return COLA_OK;
}

static void empty_folder(const char *folder)
{
    struct dirent *entry;
    char path[PATH_ROOM + 300];
    DIR *list = folder[0] ? opendir(folder) : NULL;
    if (!list) return;
    while ((entry = readdir(list))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (unlink(path) != 0) cola_log(COLA_LOG_WARN, "%s: cannot remove: %s", path, strerror(errno));
    }
    closedir(list);
}

/* --- the command -------------------------------------------------------------------------------------- */

static void add_word(struct bench_search *s, const char *word)
{
    if (s->argc < WORDS_MAX) s->argv[s->argc++] = (char *)(uintptr_t)word;
}

static bool is_search_option(const char *name)
{
    for (size_t i = 0; i < cola_search_command.n_options; i++)
        if (strcmp(cola_search_command.option[i].name, name) == 0) return true;
    return false;
}

/* What was given of the options that both commands have; --samples means a number here, and few simulations
 * are this command's own default. */
static void make_command(struct bench_search *s, const struct cola_options *o, uint32_t n_samples)
{
    const char *name, *value;
    snprintf(s->samples, sizeof s->samples, "0:%u", n_samples);
    const char *const first[] = {
        "search", cola_options_string(o, "tasks"), "--out", s->run_path, "--samples", s->samples, "--quiet"};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) add_word(s, first[i]);
    for (size_t i = 0; cola_options_each(o, i, &name, &value); i++) {
        bool own = strcmp(name, "samples") == 0 || !is_search_option(name);
        bool wanted = cola_options_given(o, name) || strcmp(name, "simulations") == 0;
        if (own || !wanted || i >= WORDS_MAX) continue;
        snprintf(s->option[i], sizeof s->option[i], "--%s", name);
        add_word(s, s->option[i]);
        if (cola_bench_command.option[i].kind != COLA_OPTION_FLAG) add_word(s, value);
    }
    s->argv[s->argc] = NULL;
}

/* --- measuring ---------------------------------------------------------------------------------------- */

/* On the worker's thread, while the master waits for it. */
static void observe(void *user, struct cola_engine *engine, bool leaving)
{
    struct bench_round *round = ((struct bench_search *)user)->round;
    double peak = cola_engine_measure_peak(engine, PEAK_S);
    cola_engine_info(engine, &round->info);
    cola_engine_counters(engine, &round->counters);
    *(leaving ? &round->peak_after : &round->peak_before) = peak;
    round->bandwidth = fmax(leaving ? round->bandwidth : 0, cola_engine_measure_bandwidth(engine, PEAK_S));
}

enum cola_status cola_bench_search_open(const struct cola_options *options, uint32_t n_samples,
                                        struct bench_search **out)
{
    struct bench_search *s = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&s, 1, sizeof *s, "a search"));
    COLA_TRY_DONE(make_folder(cola_options_string(options, "tasks"), s->folder));
    snprintf(s->run_path, sizeof s->run_path, "%s/run.h5", s->folder);
    make_command(s, options, n_samples);
    COLA_TRY_DONE(cola_options_parse(&cola_search_command, s->argc, s->argv, &s->options));
    COLA_TRY_DONE(cola_search_setup(s->options, cola_clock_s(), &s->setup));
    s->setup.figures = &s->figures;
    s->setup.worker.observe = observe;
    s->setup.worker.observe_user = s;
    *out = s;
    return COLA_OK;
done:
    cola_bench_search_close(s);
    return status;
}

enum cola_status cola_bench_search_round(struct bench_search *s, struct bench_round *out)
{
    empty_folder(s->folder);
    *out = (struct bench_round){0};
    s->round = out;
    struct search_run search = {.setup = &s->setup, .options = s->options};
    struct cola_sides sides = cola_search_sides(&search);
    enum cola_status status = cola_sides_run_local(&sides);
    if (status == COLA_ERR_STOPPED) return cola_fail(COLA_ERR_STOPPED, "stopped; nothing of it is kept");
    COLA_TRY(status);
    out->wall_s = s->figures.search_s;
    out->tree_cpu_s = s->figures.tree_cpu_s;
    out->master_cpu_s = s->figures.master_cpu_s;
    out->n_evaluations = s->figures.n_nodes;
    return COLA_OK;
}

const char *cola_bench_search_run_path(const struct bench_search *s)
{
    return s->run_path;
}

void cola_bench_search_close(struct bench_search *s)
{
    if (!s) return;
    empty_folder(s->folder);
    if (s->folder[0] && rmdir(s->folder) != 0)
        cola_log(COLA_LOG_WARN, "%s: cannot remove: %s", s->folder, strerror(errno));
    cola_options_destroy(s->options);
    free(s);
}

/* cross_hdf5.c - `cola cross`: every chain of a list on every sample. Reads the options, finds the chains
 * (cross_chains.c, cross_top_hdf5.c) and leaves the rest to the master of include/cola/cross.h. */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/cross_chains.h"
#include "cli/engine_options.h"
#include "cli/evaluator_options.h"
#include "cli/launcher.h"
#include "cli/sides_hdf5.h"
#include "cola/clock.h"
#include "cola/cross.h"
#include "cola/log.h"

static const struct cola_option table[] = {
    COLA_ENGINE_OPTION_TABLE,
    {"tasks", COLA_OPTION_TEXT, "TASKS.h5", NULL, 0, 0, NULL, "the samples, all of them; needed"},
    {"chains", COLA_OPTION_TEXT, "FILE", NULL, 0, 0, NULL,
     "the chains: one a line, or PoLar's merged_mcts_samples.json (docs/cross.md)"},
    {"polar-invalid", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "of a file of PoLar also the chains that were wrong"},
    {"from", COLA_OPTION_TEXT, "RUN.h5", NULL, 0, 0, NULL,
     "instead of --chains: the chains of a run, most right samples first"},
    {"top", COLA_OPTION_UINT, "K", NULL, 1, COLA_CHAIN_SET_MAX, NULL,
     "--from: the first K of them; default: all"},
    {"out", COLA_OPTION_TEXT, "X.h5", NULL, 0, 0, NULL,
     "the table; its journal is written beside it as X.h5.journal; needed"},
    {"resume", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "go on where OUT was stopped or killed"},
    {"details", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "also keep every candidate's score, or the generated tokens"},
    {"metric", COLA_OPTION_CHOICE, NULL, "acc", 0, 0, "acc|acc_norm",
     "loglik: compare sums, or sums per byte of the choice"},
    {"in-flight", COLA_OPTION_UINT, "N", NULL, 1, 1e6, NULL,
     "requests in each worker's engine; default: the engine's"},
    {"state-memory", COLA_OPTION_UINT, "MIB", NULL, 0, 1e9, NULL,
     "of --memory, for states that chains of a sample share; 0: none; default: all that is left"},
    {"no-share-weights", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "a copy of the weights for every worker, not one for those of a node"},
    {"time-limit", COLA_OPTION_REAL, "SECONDS", NULL, 0, 1e9, NULL,
     "from then on no new work: finish what runs, save, exit 75"},
    {"quiet", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "no progress, no summary"},
    COLA_EVALUATOR_OPTION_TABLE,
    {"seed", COLA_OPTION_UINT, "N", "0", 0, 1e18, NULL,
     "synthetic: seed of the landscape, a search's --seed"},
};

static const struct cola_command command = {
    .name = "cross",
    .usage = "--tasks TASKS.h5 --model DIR (--chains FILE | --from RUN.h5 [--top K]) --out X.h5 [options]",
    .about =
        "Evaluates every chain on every sample, chains that begin alike together, and writes the table of "
        "what\n"
        "each predicted (docs/format-cross.md). Under `mpirun -n R` rank 0 is the master and R-1 ranks are "
        "workers;\n"
        "without, one process does both. The table is the same, bit for bit, for any R, threads, back end "
        "and\n"
        "order of the chains in FILE. USR1, --time-limit, TERM, INT and --resume are as for cola search.\n"
        "Exit status: 0 done, 1 failed, 2 usage, 75 stopped.",
    .option = table,
    .n_options = sizeof table / sizeof *table,
};

struct setup {
    const struct cola_options *options;
    const char *tasks_path, *chains_path, *run_path, *out_path;
    struct cola_worker_options worker;
    double stop_at_s;
};

struct fields { /* and the texts that they borrow */
    struct cola_field field[16];
    uint32_t n;
    char started[32], host[256], command_line[4096], libraries[256];
};

/* --- options ------------------------------------------------------------------------------------------ */

static enum cola_status need(const struct cola_options *o, const char *name, const char **text)
{
    *text = cola_options_string(o, name);
    if (!**text) return cola_fail(COLA_ERR_USAGE, "--%s is needed: cola cross %s", name, command.usage);
    return COLA_OK;
}

/* A recording has what one search asked for; a table asks for what none of them need have asked. */
static enum cola_status read_evaluator(const struct cola_options *o, struct setup *s)
{
    COLA_TRY(cola_cli_evaluator(o, s->tasks_path, &s->worker.model_dir, &s->worker));
    if (s->worker.evaluator == COLA_EVALUATE_RECORDED)
        return cola_fail(COLA_ERR_USAGE, "--evaluator %s: cola cross takes engine or synthetic",
                         s->worker.model_dir);
    if (cola_options_given(o, "seed") && s->worker.evaluator == COLA_EVALUATE_ENGINE)
        return cola_fail(COLA_ERR_USAGE, "--seed goes with --evaluator synthetic");
    return COLA_OK;
}

static enum cola_status read_options(const struct cola_options *o, double began_s, struct setup *s)
{
    *s = (struct setup){.options = o};
    COLA_TRY(need(o, "tasks", &s->tasks_path));
    COLA_TRY(read_evaluator(o, s));
    COLA_TRY(need(o, "out", &s->out_path));
    bool file = cola_options_given(o, "chains"), run = cola_options_given(o, "from");
    if (file == run) return cola_fail(COLA_ERR_USAGE, "--chains FILE or --from RUN.h5: give one of the two");
    if (cola_options_given(o, "top") && !run) return cola_fail(COLA_ERR_USAGE, "--top goes with --from");
    if (cola_options_given(o, "polar-invalid") && !file)
        return cola_fail(COLA_ERR_USAGE, "--polar-invalid goes with --chains");
    s->chains_path = cola_options_string(o, "chains");
    s->run_path = cola_options_string(o, "from");
    s->worker.engine.max_requests = (uint32_t)cola_options_uint(o, "in-flight");
    COLA_TRY(cola_cli_state_memory(o, &s->worker.engine));
    s->worker.own_weights = cola_options_flag(o, "no-share-weights");
    if (cola_options_given(o, "time-limit")) s->stop_at_s = began_s + cola_options_real(o, "time-limit");
    return COLA_OK;
}

/* --- how it was made ---------------------------------------------------------------------------------- */

static void add(struct fields *f, enum cola_field_role role, const char *key, const char *value)
{
    f->field[f->n++] = (struct cola_field){key, value, role};
}

static void describe_command(const struct cola_options *options, char *text, size_t room)
{
    const char *name, *value;
    size_t n = (size_t)snprintf(text, room, "cola cross");
    for (size_t i = 0; cola_options_each(options, i, &name, &value); i++) {
        bool flag = table[i].kind == COLA_OPTION_FLAG;
        if (cola_options_given(options, name) && n < room)
            n += (size_t)snprintf(text + n, room - n, " --%s%s%s", name, flag ? "" : " ", flag ? "" : value);
    }
}

static void describe(const struct setup *s, struct fields *f)
{
    unsigned major = 0, minor = 0, release = 0;
    struct tm utc;
    time_t now = time(NULL);
    f->n = 0;
    if (!gmtime_r(&now, &utc) || !strftime(f->started, sizeof f->started, "%Y-%m-%dT%H:%M:%SZ", &utc))
        snprintf(f->started, sizeof f->started, "unknown");
    if (gethostname(f->host, sizeof f->host - 1) != 0) snprintf(f->host, sizeof f->host, "unknown");
    if (H5get_libversion(&major, &minor, &release) < 0) major = 0;
    size_t n = (size_t)snprintf(f->libraries, sizeof f->libraries, "HDF5 %u.%u.%u", major, minor, release);
#ifdef COLA_MPI
    char mpi[128];
    cola_comm_mpi_version(mpi, sizeof mpi);
    snprintf(f->libraries + n, sizeof f->libraries - n, ", %s", mpi);
#else
    (void)n;
#endif
    describe_command(s->options, f->command_line, sizeof f->command_line);
    add(f, COLA_FIELD_PROVENANCE, "chains_from", *s->run_path ? s->run_path : s->chains_path);
    add(f, COLA_FIELD_PROVENANCE, "started", f->started);
    add(f, COLA_FIELD_PROVENANCE, "host", f->host);
    add(f, COLA_FIELD_PROVENANCE, "command_line", f->command_line);
    add(f, COLA_FIELD_PROVENANCE, "model_dir", s->worker.model_dir);
    add(f, COLA_FIELD_PROVENANCE, "libraries", f->libraries);
}

/* --- the master's side -------------------------------------------------------------------------------- */

/* Said before the workers load a model for nothing; the record refuses it again. */
static enum cola_status check_out(const struct setup *s)
{
    char journal[4096];
    snprintf(journal, sizeof journal, "%s.journal", s->out_path);
    bool there = access(s->out_path, F_OK) == 0 || access(journal, F_OK) == 0;
    if (there && !cola_options_flag(s->options, "resume"))
        return cola_fail(COLA_ERR_USAGE,
                         "--out %s: it or its journal exists; --resume goes on with it, or give another name",
                         s->out_path);
    return COLA_OK;
}

static enum cola_status cross(struct cola_comm *comm, const struct setup *s, const struct cola_tasks *tasks,
                              const struct cola_chain_set *chains)
{
    struct fields fields;
    bool quiet = cola_options_flag(s->options, "quiet");
    describe(s, &fields);
    struct cola_cross_options options = {
        .tasks = tasks,
        .evaluator = s->worker.evaluator,
        .chains = chains,
        .path = s->out_path,
        .resume = cola_options_flag(s->options, "resume"),
        .details = cola_options_flag(s->options, "details"),
        .quiet = quiet,
        .metric = strcmp(cola_options_string(s->options, "metric"), "acc_norm") == 0 ? COLA_METRIC_ACC_NORM
                                                                                     : COLA_METRIC_ACC,
        .field = fields.field,
        .n_fields = fields.n,
        .stop_at_s = s->stop_at_s,
        .stop = cola_signals_stop,
    };
    COLA_TRY(cola_cross_run(comm, &options));
    if (!quiet) cola_log(COLA_LOG_INFO, "wrote %s", s->out_path);
    return COLA_OK;
}

static enum cola_status be_master(struct cola_comm *comm, void *user)
{
    const struct setup *s = user;
    const struct cola_options *o = s->options;
    struct cola_tasks *tasks = NULL;
    struct cola_chain_set chains = {0};
    COLA_TRY(check_out(s));
    enum cola_status status =
        *s->run_path ? cola_cross_chains_top(s->run_path, cola_options_uint(o, "top"), &chains)
                     : cola_cross_chains_read(s->chains_path, cola_options_flag(o, "polar-invalid"), &chains);
    if (status == COLA_OK) status = cola_tasks_open(s->tasks_path, &tasks);
    if (status == COLA_OK) status = cross(comm, s, tasks, &chains);
    cola_tasks_close(tasks);
    cola_chain_set_fini(&chains);
    return status;
}

static int run(const struct cola_options *options, double began_s, int argc, char **argv)
{
    struct setup setup;
    enum cola_status status = read_options(options, began_s, &setup);
    if (status != COLA_OK) return cola_sides_refuse(status);
    struct cola_sides sides = {.worker = &setup.worker, .master = be_master, .user = &setup};
    return cola_sides_run(&sides, argc, argv);
}

int cola_command_cross(int argc, char **argv)
{
    return cola_sides_command(&command, run, argc, argv);
}

/* search_hdf5.c - `cola search`: which rank this process is, and that rank's side of the search.
 *
 *     signals -> options -> MPI, if a launcher started several ranks -> master or worker -> leave together
 *
 * Without mpirun MPI is not started at all: master and worker are two threads of this process that talk
 * through the same messages. Usage errors are found before MPI starts and printed by rank 0 only. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/search_setup.h"
#include "cola/clock.h"
#include "cola/log.h"

/* --- what the launcher says --------------------------------------------------------------------------- */

/* The first of these that is set, as a number; -1: none. Open MPI's mpirun sets the first, srun with PMIx or
 * PMI the others. */
static long launcher_number(const char *const *name, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *text = getenv(name[i]);
        if (text && *text) return strtol(text, NULL, 10);
    }
    return -1;
}

static bool prints(void)
{
    static const char *const rank[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    return launcher_number(rank, sizeof rank / sizeof *rank) <= 0;
}

/* Under a launcher that may have started several ranks (only MPI itself knows under plain PMIx). */
static bool launched(void)
{
    static const char *const size[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}, *const rank[] = {"PMIX_RANK",
                                                                                             "PMI_RANK"};
    long n_ranks = launcher_number(size, sizeof size / sizeof *size);
    return n_ranks >= 0 ? n_ranks > 1 : launcher_number(rank, sizeof rank / sizeof *rank) >= 0;
}

/* --- the master's side -------------------------------------------------------------------------------- */

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

static enum cola_status search_tasks(struct cola_comm *comm, const struct search_setup *s,
                                     const struct cola_options *options, const struct cola_tasks *tasks)
{
    uint32_t first, n;
    struct search_fields *fields;
    COLA_TRY(cola_search_rows(s, cola_tasks_info(tasks)->n_samples, &first, &n));
    COLA_TRY(cola_search_fields(s, options, first, n, &fields));
    struct cola_master_options master = {
        .tasks = tasks,
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
    };
    enum cola_status status = cola_master_run(comm, &master);
    free(fields);
    if (status == COLA_OK && !s->quiet) cola_log(COLA_LOG_INFO, "wrote %s", s->run_path);
    return status;
}

static enum cola_status search(struct cola_comm *comm, const struct search_setup *s,
                               const struct cola_options *options)
{
    struct cola_tasks *tasks;
    COLA_TRY(check_out(s));
    COLA_TRY(cola_tasks_open(s->tasks_path, &tasks));
    enum cola_status status = search_tasks(comm, s, options, tasks);
    cola_tasks_close(tasks);
    return status;
}

static int be_master(struct cola_comm *comm, const struct search_setup *s, const struct cola_options *options)
{
    int exit_status = cola_cli_end(search(comm, s, options));
    cola_master_dismiss(comm, exit_status);
    return exit_status;
}

/* --- one process -------------------------------------------------------------------------------------- */

struct local_worker {
    struct cola_comm *comm;
    const struct cola_worker_options *options;
};

static void *worker_thread(void *argument)
{
    const struct local_worker *w = argument;
    cola_worker_run(w->comm, w->options);
    return NULL;
}

static int run_local(const struct search_setup *s, const struct cola_options *options)
{
    struct cola_comm *end[2];
    enum cola_status status = cola_comm_local_pair(end);
    if (status != COLA_OK) return cola_cli_end(status);
    struct local_worker worker = {end[1], &s->worker};
    pthread_t thread;
    int exit_status, error = pthread_create(&thread, NULL, worker_thread, &worker);
    if (error) {
        exit_status =
            cola_cli_end(cola_fail(COLA_ERR_MEMORY, "cannot start the worker's thread: %s", strerror(error)));
    } else {
        exit_status = be_master(end[0], s, options);
        pthread_join(thread, NULL);
    }
    cola_comm_close(end[0]);
    cola_comm_close(end[1]);
    return exit_status;
}

/* --- several ------------------------------------------------------------------------------------------ */

#ifdef COLA_MPI
static int run_launched(const struct search_setup *s, const struct cola_options *options, int argc,
                        char **argv)
{
    struct cola_comm *comm;
    enum cola_status status = cola_comm_mpi_open(&argc, &argv, &comm);
    if (status != COLA_OK) return cola_cli_end(status);
    if (comm->n_ranks == 1) { /* nobody to send to */
        cola_comm_close(comm);
        return run_local(s, options);
    }
    int exit_status = comm->rank == 0 ? be_master(comm, s, options) : cola_worker_run(comm, &s->worker);
    cola_comm_close(comm);
    return exit_status;
}
#else
static int run_launched(const struct search_setup *s, const struct cola_options *options, int argc,
                        char **argv)
{
    (void)s, (void)options, (void)argc, (void)argv;
    enum cola_status status =
        cola_fail(COLA_ERR_UNSUPPORTED, "several ranks: this cola was built without MPI");
    return prints() ? cola_cli_end(status) : COLA_EXIT_FAILED;
}
#endif

static int run(const struct cola_options *options, double began_s, int argc, char **argv)
{
    struct search_setup setup;
    enum cola_status status = cola_search_setup(options, began_s, &setup);
    if (status != COLA_OK && prints()) return cola_cli_end(status);
    if (status != COLA_OK) return status == COLA_ERR_USAGE ? COLA_EXIT_USAGE : COLA_EXIT_FAILED;
    return launched() ? run_launched(&setup, options, argc, argv) : run_local(&setup, options);
}

int cola_command_search(int argc, char **argv)
{
    double began_s = cola_clock_s();
    struct cola_options *options = NULL;
    int exit_status = COLA_EXIT_OK;
    cola_signals_install();
    if (prints()) {
        if (!cola_cli_begin(&cola_search_command, argc, argv, &options, &exit_status)) return exit_status;
    } else {
        if (cola_options_parse(&cola_search_command, argc, argv, &options) != COLA_OK) return COLA_EXIT_USAGE;
        if (cola_options_help(options)) {
            cola_options_destroy(options);
            return COLA_EXIT_OK;
        }
    }
    exit_status = run(options, began_s, argc, argv);
    cola_options_destroy(options);
    return exit_status;
}

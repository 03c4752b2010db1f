/* sides_hdf5.c - see sides_hdf5.h: which rank this process is, and that rank's side.
 *
 *     signals -> options -> MPI, if a launcher started several ranks -> master or worker -> leave together
 *
 * Usage errors are found before MPI starts and printed by rank 0 only. */
#include "cli/sides_hdf5.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/launcher.h"
#include "cola/clock.h"

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

enum cola_status cola_sides_run_local(const struct cola_sides *sides)
{
    struct cola_comm *end[2];
    COLA_TRY(cola_comm_local_pair(end));
    struct local_worker worker = {end[1], sides->worker};
    enum cola_status status;
    pthread_t thread;
    char text[1024]; /* of the first failure: dismissing may fail too */
    int error = pthread_create(&thread, NULL, worker_thread, &worker);
    if (error) {
        status = cola_fail(COLA_ERR_MEMORY, "cannot start the worker's thread: %s", strerror(error));
    } else {
        status = sides->master(end[0], sides->user);
        snprintf(text, sizeof text, "%s", cola_error_text());
        cola_master_dismiss(end[0], status != COLA_OK);
        pthread_join(thread, NULL);
        if (status != COLA_OK) cola_fail(status, "%s", text);
    }
    cola_comm_close(end[0]);
    cola_comm_close(end[1]);
    return status;
}

#ifdef COLA_MPI
static int be_master(struct cola_comm *comm, const struct cola_sides *sides)
{
    int exit_status = cola_cli_end(sides->master(comm, sides->user));
    cola_master_dismiss(comm, exit_status);
    return exit_status;
}

static int run_launched(const struct cola_sides *sides, int argc, char **argv)
{
    struct cola_comm *comm;
    enum cola_status status = cola_comm_mpi_open(&argc, &argv, &comm);
    if (status != COLA_OK) return cola_cli_end(status);
    if (comm->n_ranks == 1) { /* nobody to send to */
        cola_comm_close(comm);
        return cola_cli_end(cola_sides_run_local(sides));
    }
    int exit_status = comm->rank == 0 ? be_master(comm, sides) : cola_worker_run(comm, sides->worker);
    cola_comm_close(comm);
    return exit_status;
}
#else
static int run_launched(const struct cola_sides *sides, int argc, char **argv)
{
    (void)sides, (void)argc, (void)argv;
    enum cola_status status =
        cola_fail(COLA_ERR_UNSUPPORTED, "several ranks: this cola was built without MPI");
    return cola_cli_prints() ? cola_cli_end(status) : COLA_EXIT_FAILED;
}
#endif

int cola_sides_run(const struct cola_sides *sides, int argc, char **argv)
{
    return cola_cli_launched() ? run_launched(sides, argc, argv) : cola_cli_end(cola_sides_run_local(sides));
}

int cola_sides_refuse(enum cola_status status)
{
    if (cola_cli_prints()) return cola_cli_end(status);
    return status == COLA_ERR_USAGE ? COLA_EXIT_USAGE : COLA_EXIT_FAILED;
}

/* cola_cli_begin, of which the ranks beside the first print nothing. */
static bool begin(const struct cola_command *command, int argc, char **argv, struct cola_options **options,
                  int *exit_status)
{
    if (cola_cli_prints()) return cola_cli_begin(command, argc, argv, options, exit_status);
    *exit_status = COLA_EXIT_USAGE;
    if (cola_options_parse(command, argc, argv, options) != COLA_OK) return false;
    if (!cola_options_help(*options)) return true;
    cola_options_destroy(*options);
    *exit_status = COLA_EXIT_OK;
    return false;
}

int cola_sides_command(const struct cola_command *command, cola_sides_fn *run, int argc, char **argv)
{
    double began_s = cola_clock_s();
    struct cola_options *options = NULL;
    int exit_status = COLA_EXIT_OK;
    cola_signals_install();
    if (!begin(command, argc, argv, &options, &exit_status)) return exit_status;
    exit_status = run(options, began_s, argc, argv);
    cola_options_destroy(options);
    return exit_status;
}

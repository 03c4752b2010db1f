/* search_hdf5.c - `cola search`: which rank this process is, and that rank's side of the search.
 *
 *     signals -> options -> MPI, if a launcher started several ranks -> master or worker -> leave together
 *
 * Without mpirun MPI is not started at all: search_local_hdf5.c runs both sides in this process. Usage errors
 * are found before MPI starts and printed by rank 0 only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/launcher.h"
#include "cli/search_setup.h"
#include "cola/clock.h"
#include "cola/log.h"

/* --- several ------------------------------------------------------------------------------------------ */

#ifdef COLA_MPI
static int be_master(struct cola_comm *comm, const struct search_setup *s, const struct cola_options *options)
{
    int exit_status = cola_cli_end(cola_search_master(comm, s, options));
    cola_master_dismiss(comm, exit_status);
    return exit_status;
}

static int run_launched(const struct search_setup *s, const struct cola_options *options, int argc,
                        char **argv)
{
    struct cola_comm *comm;
    enum cola_status status = cola_comm_mpi_open(&argc, &argv, &comm);
    if (status != COLA_OK) return cola_cli_end(status);
    if (comm->n_ranks == 1) { /* nobody to send to */
        cola_comm_close(comm);
        return cola_cli_end(cola_search_local(s, options));
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
    return cola_cli_prints() ? cola_cli_end(status) : COLA_EXIT_FAILED;
}
#endif

static int run(const struct cola_options *options, double began_s, int argc, char **argv)
{
    struct search_setup setup;
    enum cola_status status = cola_search_setup(options, began_s, &setup);
    if (status != COLA_OK && cola_cli_prints()) return cola_cli_end(status);
    if (status != COLA_OK) return status == COLA_ERR_USAGE ? COLA_EXIT_USAGE : COLA_EXIT_FAILED;
    return cola_cli_launched() ? run_launched(&setup, options, argc, argv)
                               : cola_cli_end(cola_search_local(&setup, options));
}

int cola_command_search(int argc, char **argv)
{
    double began_s = cola_clock_s();
    struct cola_options *options = NULL;
    int exit_status = COLA_EXIT_OK;
    cola_signals_install();
    if (cola_cli_prints()) {
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

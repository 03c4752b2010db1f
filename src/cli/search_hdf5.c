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
    return prints() ? cola_cli_end(status) : COLA_EXIT_FAILED;
}
#endif

static int run(const struct cola_options *options, double began_s, int argc, char **argv)
{
    struct search_setup setup;
    enum cola_status status = cola_search_setup(options, began_s, &setup);
    if (status != COLA_OK && prints()) return cola_cli_end(status);
    if (status != COLA_OK) return status == COLA_ERR_USAGE ? COLA_EXIT_USAGE : COLA_EXIT_FAILED;
    return launched() ? run_launched(&setup, options, argc, argv)
                      : cola_cli_end(cola_search_local(&setup, options));
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

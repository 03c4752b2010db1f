/* sides_hdf5.h - a command with a master and workers, in one process or under a launcher.
 *
 *     struct cola_sides sides = {.worker = &worker_options, .master = be_master, .user = setup};
 *     return cola_sides_run(&sides, argc, argv);                       the exit status
 *
 * The whole command: return cola_sides_command(&table, run, argc, argv), whose `run` ends as above.
 *
 * Without a launcher MPI is not started: master and worker are two threads that talk through the same
 * messages. Signal handlers must be there before: cola_sides_command installs them. */
#ifndef COLA_CLI_SIDES_HDF5_H
#define COLA_CLI_SIDES_HDF5_H

#include "cola/cluster.h"
#include "cola/options.h"

struct cola_sides {
    const struct cola_worker_options *worker;
    enum cola_status (*master)(struct cola_comm *comm, void *user); /* on rank 0 only */
    void *user;
};

int cola_sides_run(const struct cola_sides *sides, int argc, char **argv);
/* In this process, launcher or not; COLA_ERR_STOPPED: stopped and resumable. */
enum cola_status cola_sides_run_local(const struct cola_sides *sides);

/* The exit status of a failure before the sides; the first rank prints it. */
int cola_sides_refuse(enum cola_status status);

/* began_s: cola_clock_s at the command's start */
typedef int cola_sides_fn(const struct cola_options *options, double began_s, int argc, char **argv);
int cola_sides_command(const struct cola_command *command, cola_sides_fn *run, int argc, char **argv);

#endif

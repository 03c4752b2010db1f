/* sides_hdf5.h - a command with a master and workers, in one process or under a launcher.
 *
 *     struct cola_sides sides = {.worker = &worker_options, .master = be_master, .user = setup};
 *     return cola_sides_run(&sides, argc, argv);                       the exit status
 *
 * Without a launcher MPI is not started: master and worker are two threads that talk through the same
 * messages. Signal handlers are installed by the caller, before. */
#ifndef COLA_CLI_SIDES_HDF5_H
#define COLA_CLI_SIDES_HDF5_H

#include "cola/cluster.h"

struct cola_sides {
    const struct cola_worker_options *worker;
    enum cola_status (*master)(struct cola_comm *comm, void *user); /* on rank 0 only */
    void *user;
};

int cola_sides_run(const struct cola_sides *sides, int argc, char **argv);

#endif

/* comm.h - bytes between ranks: one table of functions, filled by comm_mpi.c (the one file that calls MPI)
 * and comm_local.c (a worker thread in this process).
 *
 *     COLA_TRY(cola_comm_send(comm, 0, bytes, n));                          returns when bytes may be reused
 *     COLA_TRY(cola_comm_receive(comm, 0.5, &packet));                      packet.n_bytes 0: nothing within
 * 0.5 s
 *
 * Messages between a pair of ranks arrive in order. Waiting sleeps, it does not spin: workers need the cores.
 * Rank 0 is the master. */
#ifndef COLA_COMM_H
#define COLA_COMM_H

#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"

struct cola_packet {
    uint32_t from;
    const uint8_t *bytes; /* borrowed until the next receive on this comm */
    size_t n_bytes;       /* 0: timed out */
};

struct cola_comm;

struct cola_comm_ops {
    const char *name; /* "mpi", "local" */
    enum cola_status (*send)(struct cola_comm *comm, uint32_t to, const void *bytes, size_t n_bytes);
    enum cola_status (*receive)(struct cola_comm *comm, double timeout_s, struct cola_packet *out);
    void (*abort)(struct cola_comm *comm,
                  int exit_status);        /* ends every rank at once; does not return under MPI */
    void (*close)(struct cola_comm *comm); /* collective: all ranks, after their last message */
};

struct cola_comm { /* embedded first in each implementation's struct */
    const struct cola_comm_ops *ops;
    uint32_t rank, n_ranks;
    uint32_t node_rank, node_ranks; /* this rank among the worker ranks of its node, and how many those are */
};

static inline enum cola_status cola_comm_send(struct cola_comm *comm, uint32_t to, const void *bytes,
                                              size_t n_bytes)
{
    return comm->ops->send(comm, to, bytes, n_bytes);
}

/* timeout_s 0: only look. */
static inline enum cola_status cola_comm_receive(struct cola_comm *comm, double timeout_s,
                                                 struct cola_packet *out)
{
    return comm->ops->receive(comm, timeout_s, out);
}

#endif

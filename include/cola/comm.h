/* comm.h - bytes between ranks: one table of functions, filled by comm_mpi.c (the one file that calls MPI)
 * and comm_local.c (a worker thread in this process).
 *
 *     COLA_TRY(cola_comm_send(comm, 0, bytes, n));               returns when bytes may be reused
 *     COLA_TRY(cola_comm_receive(comm, 0.5, &packet));           packet.n_bytes 0: nothing within 0.5 s
 *     cola_comm_close(comm);                                     collective
 *
 * Rank 0 is the master; messages go between it and a worker, never between workers. Messages of a pair of
 * ranks arrive in order. A send never waits for its receiver, so both sides may send freely without a
 * deadlock; what bounds the memory is the credit of the protocol (docs/protocol.md). Waiting sleeps, it does
 * not spin: workers need the cores. Each end is used by one thread. Knows nothing of what the bytes mean. */
#ifndef COLA_COMM_H
#define COLA_COMM_H

#include <stdbool.h>
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
    bool (*has_message)(struct cola_comm *comm);
    void (*abort)(struct cola_comm *comm, int exit_status);
    void (*close)(struct cola_comm *comm);
};

struct cola_comm { /* embedded first in each implementation's struct */
    const struct cola_comm_ops *ops;
    uint32_t rank, n_ranks;
    uint32_t node_rank, node_ranks; /* this rank among the worker ranks of its node, and how many those are */
    uint32_t n_cores; /* cores that are this rank's: a core that k workers may use counts 1/k; at least 1 */
};

/* n_bytes >= 1. */
static inline enum cola_status cola_comm_send(struct cola_comm *comm, uint32_t to, const void *bytes,
                                              size_t n_bytes)
{
    return comm->ops->send(comm, to, bytes, n_bytes);
}

/* timeout_s 0: only look. COLA_ERR_LIBRARY: MPI failed, or the local other end gave up. */
static inline enum cola_status cola_comm_receive(struct cola_comm *comm, double timeout_s,
                                                 struct cola_packet *out)
{
    return comm->ops->receive(comm, timeout_s, out);
}

/* Whether a receive would find a message now. Takes none. */
static inline bool cola_comm_has_message(struct cola_comm *comm)
{
    return comm->ops->has_message(comm);
}

/* Ends every rank at once, for when the transport itself failed. mpi: does not return. local: the other
 * end's calls fail from now on. */
static inline void cola_comm_abort(struct cola_comm *comm, int exit_status)
{
    comm->ops->abort(comm, exit_status);
}

/* Collective: every rank, after its last message. Returns when all ranks are here; what they sent and nobody
 * received is dropped. Frees comm. */
static inline void cola_comm_close(struct cola_comm *comm)
{
    comm->ops->close(comm);
}

/* Two ends in one process: end[0] is the master's, end[1] the worker's. Each is closed by the thread that
 * uses it; close does not wait for the other end (the caller joins the thread). */
enum cola_status cola_comm_local_pair(struct cola_comm *end[2]);

#ifdef COLA_MPI
/* Collective. Starts MPI; signal handlers must be installed before (a signal during start-up kills a rank
 * without one). n_ranks may be 1. */
enum cola_status cola_comm_mpi_open(int *argc, char ***argv, struct cola_comm **out);

/* "Open MPI v4.1.4": the library's name, one line. */
void cola_comm_mpi_version(char *text, size_t n_text);
#endif

#endif

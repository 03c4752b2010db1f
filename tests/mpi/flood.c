/* flood.c - the MPI transport under load: master and workers send each other everything before they receive
 * anything, small messages and some beyond MPI's eager limit, in order, without a deadlock; and messages that
 * nobody received do not keep the ranks from leaving. Run under mpirun -n 2 or more; exit status 0: all
 * right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/comm.h"

enum { N_MESSAGES = 100000, LARGE_EVERY = 500, LARGE_BYTES = 200000 };

static uint8_t buffer[LARGE_BYTES];

static size_t size_of(uint32_t number)
{
    return number % LARGE_EVERY == 0 ? LARGE_BYTES : 8 + number % 57;
}

static void fill(uint32_t number, uint32_t from)
{
    size_t n = size_of(number);
    memset(buffer, (int)(number % 251), n);
    memcpy(buffer, &number, 4);
    memcpy(buffer + 4, &from, 4);
}

static int send_all(struct cola_comm *comm, uint32_t to, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        fill(i, comm->rank);
        if (cola_comm_send(comm, to, buffer, size_of(i)) != COLA_OK) return -1;
    }
    return 0;
}

/* n from each of the peers; each peer's in order. */
static int receive_all(struct cola_comm *comm, uint32_t n)
{
    uint32_t n_peers = comm->rank == 0 ? comm->n_ranks - 1 : 1, next[64] = {0};
    for (uint64_t left = (uint64_t)n * n_peers; left; left--) {
        struct cola_packet packet;
        if (cola_comm_receive(comm, 100, &packet) != COLA_OK || packet.n_bytes == 0) return -1;
        uint32_t number = next[packet.from]++;
        fill(number, packet.from);
        if (packet.n_bytes != size_of(number) || memcmp(packet.bytes, buffer, packet.n_bytes) != 0) {
            fprintf(stderr, "rank %u: message %u of rank %u is not what was sent\n", comm->rank, number,
                    packet.from);
            return -1;
        }
    }
    return 0;
}

static int flood(struct cola_comm *comm)
{
    uint32_t n = N_MESSAGES / (comm->n_ranks - 1);
    if (comm->rank) {
        if (send_all(comm, 0, n) || receive_all(comm, n)) return -1;
    } else {
        for (uint32_t to = 1; to < comm->n_ranks; to++)
            if (send_all(comm, to, n)) return -1;
        if (receive_all(comm, n)) return -1;
    }
    /* nobody receives these */
    if (comm->rank) return send_all(comm, 0, 1200);
    for (uint32_t to = 1; to < comm->n_ranks; to++)
        if (send_all(comm, to, 1200)) return -1;
    return 0;
}

int main(int argc, char **argv)
{
    struct cola_comm *comm;
    if (cola_comm_mpi_open(&argc, &argv, &comm) != COLA_OK) {
        fprintf(stderr, "%s\n", cola_error_text());
        return 1;
    }
    bool shape = comm->n_ranks >= 2 && comm->n_ranks <= 64 && comm->n_cores >= 1 &&
                 comm->node_ranks == comm->n_ranks - 1 &&
                 (comm->rank == 0 || comm->node_rank == comm->rank - 1);
    if (!shape)
        fprintf(stderr, "rank %u: %u of %u on the node\n", comm->rank, comm->node_rank, comm->node_ranks);
    if (!shape || flood(comm) != 0) {
        fprintf(stderr, "rank %u: %s\n", comm->rank, cola_error_text());
        cola_comm_abort(comm, 1);
    }
    cola_comm_close(comm);
    return 0;
}

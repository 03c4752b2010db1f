/* crash_rank.c - a library for LD_PRELOAD: a rank other than 0 that receives the bytes COLA_CRASH_BYTES
 * (hexadecimal) in a message is ended by SIGSEGV, as by a fault of a driver. So a worker can be made to crash
 * on a certain chain without a word of it in the program. COLA_CRASH_LOG: a line for every crash. */
#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t pattern(unsigned char out[256])
{
    const char *text = getenv("COLA_CRASH_BYTES");
    size_t n = 0;
    for (unsigned byte; text && n < 256 && sscanf(text + 2 * n, "%2x", &byte) == 1; n++)
        out[n] = (unsigned char)byte;
    return n;
}

static void crash(int rank)
{
    const char *path = getenv("COLA_CRASH_LOG");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    char line[32];
    int n = snprintf(line, sizeof line, "rank %d\n", rank);
    if (fd >= 0 && write(fd, line, (size_t)n) == n) close(fd);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

int MPI_Recv(void *bytes, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Status *status)
{
    unsigned char wanted[256];
    int rank = 0, error = PMPI_Recv(bytes, n, type, from, tag, comm, status);
    size_t n_wanted = pattern(wanted);
    PMPI_Comm_rank(comm, &rank);
    if (error == MPI_SUCCESS && rank > 0 && n > 0 && n_wanted && memmem(bytes, (size_t)n, wanted, n_wanted))
        crash(rank);
    return error;
}

/* launcher.c - see launcher.h. Open MPI's mpirun sets the first name of each list, srun with PMIx or PMI the
 * others. */
#include "cli/launcher.h"

#include <stddef.h>
#include <stdlib.h>

/* The first of these that is set, as a number; -1: none. */
static long number_of(const char *const *name, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *text = getenv(name[i]);
        if (text && *text) return strtol(text, NULL, 10);
    }
    return -1;
}

long cola_cli_n_ranks(void)
{
    static const char *const name[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    return number_of(name, sizeof name / sizeof *name);
}

bool cola_cli_launched(void)
{
    static const char *const rank[] = {"PMIX_RANK", "PMI_RANK"};
    long n_ranks = cola_cli_n_ranks();
    return n_ranks >= 0 ? n_ranks > 1 : number_of(rank, sizeof rank / sizeof *rank) >= 0;
}

bool cola_cli_prints(void)
{
    static const char *const rank[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    return number_of(rank, sizeof rank / sizeof *rank) <= 0;
}

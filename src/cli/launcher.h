/* launcher.h - what mpirun or srun say of this process before MPI starts, from their variables. */
#ifndef COLA_CLI_LAUNCHER_H
#define COLA_CLI_LAUNCHER_H

#include <stdbool.h>

/* Ranks of this job; -1: no launcher, or one that does not say (plain PMIx). */
long cola_cli_n_ranks(void);
bool cola_cli_launched(void); /* there may be several ranks: only MPI itself knows under plain PMIx */
bool cola_cli_prints(void);   /* rank 0, or no launcher */

#endif

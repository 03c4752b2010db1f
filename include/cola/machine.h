/* machine.h - what this machine leaves to this process. Reads files of the kernel and variables of the batch
 * system; never for results. */
#ifndef COLA_MACHINE_H
#define COLA_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes of memory that the processes of this job may still take on this machine: the least of
 *   MemAvailable of /proc/meminfo,
 *   the limit of each memory cgroup that this process is in (version 1 and 2), less what is used and cannot
 * be reclaimed, SLURM_MEM_PER_NODE, or SLURM_MEM_PER_CPU times SLURM_CPUS_ON_NODE (MiB). UINT64_MAX where
 * none of them can be read. `root` goes before the paths of files: "" but in tests. */
uint64_t cola_machine_memory(const char *root);

/* What a process of this program holds beside its engine's account: the program and its libraries (Open MPI,
 * HDF5), tables and messages, pages of the checkpoint that are read at the moment, and for each thread its
 * stack and attention's scratch. Measured: 31 MiB alone, 37 as a rank of Open MPI. onednn: with that library
 * and the code that it makes, 45 MiB more measured. */
uint64_t cola_machine_program_bytes(uint32_t n_threads, bool onednn);

#endif

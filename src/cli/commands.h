/* commands.h - the subcommands: each parses its own options and returns the exit status
 * (0 done, 1 some failed, 2 usage, 75 stopped and resumable). argv[0] is the subcommand's name. */
#ifndef COLA_CLI_COMMANDS_H
#define COLA_CLI_COMMANDS_H

#include "cola/options.h"
#include "cola/status.h"

enum { COLA_EXIT_OK = 0, COLA_EXIT_FAILED = 1, COLA_EXIT_USAGE = 2, COLA_EXIT_STOPPED = 75 };

int cola_command_eval(int argc, char **argv);
int cola_command_bench(int argc, char **argv);
int cola_command_info(int argc, char **argv);
#ifdef COLA_HDF5
int cola_command_search(int argc, char **argv);
int cola_command_cross(int argc, char **argv);
int cola_command_plan(int argc, char **argv);
int cola_command_show(int argc, char **argv);
int cola_command_merge(int argc, char **argv);
#endif

/* Parses; prints help or the error. true: go on with *options; false: return *exit_status. */
bool cola_cli_begin(const struct cola_command *command, int argc, char **argv, struct cola_options **options,
                    int *exit_status);

/* Prints this thread's last error for a failed status and gives the exit status for it; COLA_OK gives 0. */
int cola_cli_end(enum cola_status status);

#endif

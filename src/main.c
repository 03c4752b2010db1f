/* main.c - the table of subcommands. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cola/build.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} commands[] = {
#ifdef COLA_HDF5
    {"search", cola_command_search,
     "search the chains of layers of every sample: TASKS.h5 + model -> RUN.h5"},
    {"cross", cola_command_cross, "evaluate a list of chains on every sample: TASKS.h5 + model -> X.h5"},
    {"plan", cola_command_plan, "what a search will take: evaluations, hours, memory, workers, disk"},
    {"show", cola_command_show, "what a RUN.h5 holds: the run, one sample, its digest"},
    {"merge", cola_command_merge, "one RUN.h5 of the runs of its shards"},
#endif
    {"eval", cola_command_eval, "evaluate chains given as JSON lines"},
    {"bench", cola_command_bench, "speed of this machine: evaluations/s, share of its peak"},
    {"info", cola_command_info, "describe a model directory, a file, or this build"},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_usage(FILE *to)
{
    fprintf(to,
            "cola %s - searches, for every sample of a benchmark, the best chain of layers of an LLM\n\n"
            "usage: cola COMMAND [options], cola COMMAND --help\n\n",
            cola_build_version());
    for (int i = 0; i < N_COMMANDS; i++) fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].about);
}

int main(int argc, char **argv)
{
    if (argc >= 2 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)) {
        print_usage(stdout);
        return COLA_EXIT_OK;
    }
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        printf("cola %s (%s)\n", cola_build_version(), cola_build_git_hash());
        return COLA_EXIT_OK;
    }
    for (int i = 0; argc >= 2 && i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    bool left_out = argc >= 2 && (strcmp(argv[1], "search") == 0 || strcmp(argv[1], "cross") == 0 ||
                                  strcmp(argv[1], "plan") == 0 || strcmp(argv[1], "show") == 0 ||
                                  strcmp(argv[1], "merge") == 0);
    if (argc >= 2)
        fprintf(stderr, "cola: no command '%s'%s\n", argv[1], left_out ? ": this build has no HDF5" : "");
    print_usage(stderr);
    return COLA_EXIT_USAGE;
}

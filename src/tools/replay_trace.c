/* replay_trace.c - `replay_trace FILE.json`: says of every recorded run of published search code whether our
 * search repeats it exactly. Exit status 0: all do; 1: one differs, or the file is malformed; 2: usage. */
#include <stdio.h>
#include <string.h>

#include "cola/status.h"
#include "tools/trace.h"

static int replay_all(const struct trace *trace)
{
    size_t n_equal = 0;
    for (size_t i = 0; i < trace->n_runs; i++) {
        const struct trace_run *run = &trace->run[i];
        enum cola_status status = trace_replay(trace->preset, run);
        n_equal += status == COLA_OK;
        printf("run %zu (salt %u, p %g, %u layers): ", i, run->salt, run->p, run->layers);
        if (status == COLA_OK)
            printf("equal: %zu simulations, %zu draws\n", run->n_steps, run->n_draws);
        else
            printf("%s: %s\n", status == COLA_ERR_MISMATCH ? "DIFFERS" : "FAILED", cola_error_text());
    }
    printf("%s: %zu of %zu runs replay exactly\n", trace->preset, n_equal, trace->n_runs);
    return n_equal == trace->n_runs ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct trace *trace;
    bool help = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (argc != 2 || help) {
        fprintf(
            help ? stdout : stderr,
            "usage: replay_trace FILE.json\n"
            "Replays recorded runs of the presets polar and drllm-code, draw by draw, through the search of\n"
            "`cola search`. Runs and simulations count from 0. Exit status 0: all runs replay exactly.\n");
        return help ? 0 : 2;
    }
    if (trace_open(argv[1], &trace) != COLA_OK) {
        fprintf(stderr, "replay_trace: %s\n", cola_error_text());
        return 1;
    }
    int exit_status = replay_all(trace);
    trace_close(trace);
    return exit_status;
}

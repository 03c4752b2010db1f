/* evaluator_options.h - who evaluates: the options that every command with workers has beside the engine's
 * (engine_options.h), as one piece of their option tables, and their reading. */
#ifndef COLA_CLI_EVALUATOR_OPTIONS_H
#define COLA_CLI_EVALUATOR_OPTIONS_H

#include "cola/cluster.h"
#include "cola/options.h"

/* clang-format off */
#define COLA_EVALUATOR_OPTION_TABLE                                                                                   \
    {"evaluator", COLA_OPTION_TEXT, "WHO", "engine", 0, 0, NULL,                                                      \
     "engine; or without --model, to test and measure the rest (docs/search.md): synthetic, a computed "              \
     "landscape; recorded=FILE, what a run.h5 or a journal has"},                                                     \
    {"latency-ms", COLA_OPTION_REAL, "MEAN", "0", 0, 1e7, NULL,                                                       \
     "synthetic, recorded: mean time of an evaluation; up to --in-flight (32) run at once"},                          \
    {"latency-spread", COLA_OPTION_REAL, "S", "0", 0, 10, NULL,                                                       \
     "its standard deviation (log-normal) as a multiple of the mean"},                                                \
    {"synthetic-optima", COLA_OPTION_REAL, "P", "0.3", 0, 1, NULL,                                                    \
     "share of the samples for which a chain 1 to 3 edits from the base is right by design"},                         \
    {"synthetic-layers", COLA_OPTION_UINT, "N", "32", 1, COLA_LAYERS_MAX, NULL,                                       \
     "layers of the model that is not there"}
/* clang-format on */

/* Fills of *worker what says who evaluates: evaluator, engine (but for what a command has beside the table),
 * tasks_path, recorded_path, synthetic; and *model_dir, "synthetic" or "recorded=FILE" without a model. The
 * landscape's seed is the option `seed`. COLA_ERR_USAGE: an option that says nothing to this evaluator. */
enum cola_status cola_cli_evaluator(const struct cola_options *options, const char *tasks_path,
                                    const char **model_dir, struct cola_worker_options *worker);

#endif

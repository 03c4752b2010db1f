/* merge_hdf5.c - `cola merge OUT.h5 IN.h5...`: options, progress and what is said at the end; merge.h does
 * the rest. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cola/log.h"
#include "cola/memory.h"
#include "cola/merge.h"
#include "cola/progress.h"

static const struct cola_option merge_options[] = {
    {"allow-missing", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "merge what is there, though rows between, or shards around it, are missing"},
    {"allow-duplicates", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "take a row that several inputs have once, if its content is equal in all"},
    {"allow-unfinished", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "take runs that were stopped before their end"},
    {"quiet", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "no progress, no summary"},
};

static const struct cola_command merge_command = {
    .name = "merge",
    .usage = "OUT.h5 IN.h5... [--allow-missing] [--allow-duplicates] [--allow-unfinished]",
    .about =
        "Makes one run of the runs of parts of a task file (cola search --shard i/N or --samples A:B), as if "
        "one\n"
        "search had gone over all of it: samples in their order in the tasks, and the same content digest. "
        "Runs that\n"
        "differ in anything that decides labels are refused, with the field, both values and files; so are "
        "damaged\n"
        "and unfinished inputs, missing rows and rows that are there twice. OUT.h5 must not exist, and "
        "exists "
        "only\n"
        "when it is whole. It can be merged again. Exit status: 0 done, 1 refused or failed, 2 usage.",
    .option = merge_options,
    .n_options = sizeof merge_options / sizeof *merge_options,
    .min_arguments = 2,
    .max_arguments = 100000,
};

static void show_progress(void *user, const char *what, uint64_t n_done, uint64_t n)
{
    struct cola_progress *progress = user;
    char line[100];
    if (!cola_progress_due(progress)) return;
    snprintf(line, sizeof line, "merge: %s: %" PRIu64 " of %" PRIu64, what, n_done, n);
    cola_progress_show(progress, line);
}

static void say(const struct cola_merge_report *report, const char *path, size_t n_inputs)
{
    cola_log(COLA_LOG_INFO, "wrote %s: %zu runs, %" PRIu32 " samples, %" PRIu64 " chains, digest %s", path,
             n_inputs, report->n_samples, report->n_chains, report->digest);
    if (report->n_duplicates)
        cola_log(COLA_LOG_INFO, "%" PRIu64 " samples were there more than once, with equal content",
                 report->n_duplicates);
    if (report->n_missing)
        cola_log(COLA_LOG_WARN, "%" PRIu64 " rows between the others are missing", report->n_missing);
    if (report->ends_missing)
        cola_log(COLA_LOG_WARN, "shards before the first row or behind the last are missing");
    if (report->n_unfinished)
        cola_log(COLA_LOG_WARN, "%" PRIu32 " samples are unfinished", report->n_unfinished);
}

static enum cola_status merge(const struct cola_options *options)
{
    size_t n_inputs = cola_options_n_arguments(options) - 1;
    const char *out_path = cola_options_argument(options, 0), **in_path = NULL;
    bool quiet = cola_options_flag(options, "quiet");
    struct cola_progress progress = cola_progress_begin(quiet);
    struct cola_merge_report report;
    const struct cola_merge_options how = {
        .allow_missing = cola_options_flag(options, "allow-missing"),
        .allow_duplicates = cola_options_flag(options, "allow-duplicates"),
        .allow_unfinished = cola_options_flag(options, "allow-unfinished"),
        .progress = show_progress,
        .user = &progress,
    };
    COLA_TRY(cola_alloc((void **)&in_path, n_inputs, sizeof(const char *), "inputs"));
    for (size_t i = 0; i < n_inputs; i++) in_path[i] = cola_options_argument(options, i + 1);
    enum cola_status status = cola_merge(out_path, in_path, (uint32_t)n_inputs, &how, &report);
    cola_progress_end(&progress);
    free(in_path);
    if (status == COLA_OK && !quiet) say(&report, out_path, n_inputs);
    return status;
}

int cola_command_merge(int argc, char **argv)
{
    struct cola_options *options;
    int exit_status;
    if (!cola_cli_begin(&merge_command, argc, argv, &options, &exit_status)) return exit_status;
    enum cola_status status = merge(options);
    cola_options_destroy(options);
    return cola_cli_end(status);
}

/* show_hdf5.c - `cola show RUN.h5`: opens the run, finds the sample asked for, and lets the parts of show.h
 * print. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/cross_show.h"
#include "cli/show.h"
#include "cola/cross_record.h"

static const struct cola_option show_options[] = {
    {"sample", COLA_OPTION_TEXT, "ID", NULL, 0, 0, NULL, "one sample: its id, or its row in tasks.h5"},
    {"digest", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "the content digest alone, computed and compared"},
    {"json", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "the same as JSON"},
    {"follow", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "a running search: a line each interval until it has finished, or stopped (exit status 75)"},
    {"interval", COLA_OPTION_REAL, "S", NULL, 0.01, 1e6, NULL,
     "--follow: seconds between lines; default: 1 on a terminal, else 60"},
    {"limit", COLA_OPTION_UINT, "N", "20", 0, 1e9, NULL, "rows of a table at most"},
};

static const struct cola_command show_command = {
    .name = "show",
    .usage = "RUN.h5 [--sample ID] [--digest] [--json] [--limit N] | RUN.h5 --follow [--interval S] [--json]",
    .about = "What a run holds: how it was made, what was found, one sample's chains, or the digest of its "
             "content\n"
             "(exit status 1 if the stored digest is another one). Of a table of cola cross: its chains by "
             "the samples\n"
             "that they answer right, and the menu of few chains for all samples.",
    .option = show_options,
    .n_options = sizeof show_options / sizeof *show_options,
    .min_arguments = 1,
    .max_arguments = 1,
};

/* By id first: ids may look like numbers. */
static enum cola_status find_sample(const struct cola_run *run, const char *path, const char *wanted,
                                    uint32_t *out)
{
    struct cola_run_sample sample;
    char *end;
    unsigned long long row = strtoull(wanted, &end, 10);
    bool is_row = end != wanted && !*end && wanted[0] >= '0' && wanted[0] <= '9', found = false;
    for (uint32_t i = 0; i < cola_run_n_samples(run); i++) {
        cola_run_sample(run, i, &sample);
        if (sample.id.n_bytes == strlen(wanted) && memcmp(sample.id.bytes, wanted, strlen(wanted)) == 0) {
            *out = i;
            return COLA_OK;
        }
        if (is_row && !found && sample.index == row) {
            *out = i;
            found = true;
        }
    }
    if (found) return COLA_OK;
    return cola_fail(COLA_ERR_USAGE, "%s: no sample '%s', neither as id nor as row", path, wanted);
}

static enum cola_status print_digest(const struct cola_run *run)
{
    char digest[COLA_HASH_TEXT];
    COLA_TRY(cola_run_digest(run, digest));
    puts(digest);
    return COLA_OK;
}

static enum cola_status print_json(const struct cola_run *run, const char *path, uint64_t limit,
                                   const uint32_t *sample)
{
    json_t *page = NULL;
    COLA_TRY(sample ? cola_show_sample_json(run, *sample, limit, &page)
                    : cola_show_json(run, path, limit, &page));
    int failed = json_dumpf(page, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(page);
    if (failed) return cola_fail(COLA_ERR_IO, "stdout: cannot be written");
    putchar('\n');
    return COLA_OK;
}

/* What is no run never becomes one; beside a journal it will be written anew. */
static enum cola_status check_followed(const char *path)
{
    char journal[4096];
    struct cola_run *run = NULL;
    if (cola_cross_is(path))
        return cola_fail(COLA_ERR_USAGE, "%s: --follow is for a run, this is a table of cola cross", path);
    snprintf(journal, sizeof journal, "%s.journal", path);
    if (access(path, F_OK) != 0 || access(journal, F_OK) == 0) return COLA_OK;
    enum cola_status status = cola_run_open(path, &run);
    cola_run_close(run);
    return status;
}

static enum cola_status follow(const struct cola_options *options)
{
    for (const char *const *name = (const char *const[]){"sample", "digest", "limit", NULL}; *name; name++)
        if (cola_options_given(options, *name))
            return cola_fail(COLA_ERR_USAGE, "--follow and --%s: give one of the two", *name);
    const char *path = cola_options_argument(options, 0);
    COLA_TRY(check_followed(path));
    return cola_show_follow(path, cola_options_real(options, "interval"), cola_options_flag(options, "json"));
}

/* A table of `cola cross` is another kind of file. */
static enum cola_status show_cross(const struct cola_options *options, const char *path)
{
    if (cola_options_given(options, "sample") || cola_options_given(options, "interval"))
        return cola_fail(COLA_ERR_USAGE,
                         "%s: --sample and --interval are for a run, this is a table of "
                         "cola cross",
                         path);
    return cola_cross_show(path, cola_options_uint(options, "limit"), cola_options_flag(options, "json"),
                           cola_options_flag(options, "digest"));
}

static enum cola_status show(const struct cola_options *options)
{
    const char *path = cola_options_argument(options, 0);
    if (cola_options_flag(options, "follow")) return follow(options);
    if (cola_cross_is(path)) return show_cross(options, path);
    if (cola_options_given(options, "interval"))
        return cola_fail(COLA_ERR_USAGE, "--interval goes with --follow");
    uint64_t limit = cola_options_uint(options, "limit");
    struct cola_run *run = NULL;
    enum cola_status status = COLA_OK;
    uint32_t sample = 0;
    COLA_TRY_DONE(cola_run_open(path, &run));
    bool one = cola_options_given(options, "sample");
    if (one) COLA_TRY_DONE(find_sample(run, path, cola_options_string(options, "sample"), &sample));
    if (cola_options_flag(options, "digest"))
        status = print_digest(run);
    else if (cola_options_flag(options, "json"))
        status = print_json(run, path, limit, one ? &sample : NULL);
    else
        status = one ? cola_show_sample_page(run, sample, limit, stdout)
                     : cola_show_page(run, path, limit, stdout);
    if (status == COLA_OK && fflush(stdout) != 0)
        status = cola_fail(COLA_ERR_IO, "stdout: cannot be written");
done:
    cola_run_close(run);
    return status;
}

int cola_command_show(int argc, char **argv)
{
    struct cola_options *options;
    int exit_status;
    if (!cola_cli_begin(&show_command, argc, argv, &options, &exit_status)) return exit_status;
    enum cola_status status = show(options);
    cola_options_destroy(options);
    return cola_cli_end(status);
}

/* options.h - one option table per subcommand feeds the parser, --help, the recorded configuration and the
 * docs.
 *
 *     static const struct cola_option table[] = {
 *         {"seed", COLA_OPTION_UINT, "N", "0", 0, 1e18, NULL, "seed of all random numbers"},
 *         {"space", COLA_OPTION_CHOICE, NULL, "both", 0, 0, "both|skip|repeat", "edits a search may make"},
 *     };
 *     struct cola_options *o;
 *     COLA_TRY(cola_options_parse(&command, argc, argv, &o));      argv[0] is the subcommand's name
 *     if (cola_options_help(o)) ...                                --help was given: print and stop
 *     uint64_t seed = cola_options_uint(o, "seed");
 *
 * `--name value` and `--name=value`; `--` ends options. A number outside min .. max, an unknown option or
 * choice is COLA_ERR_USAGE naming it and the limits. */
#ifndef COLA_OPTIONS_H
#define COLA_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cola/status.h"

enum cola_option_kind {
    COLA_OPTION_FLAG,
    COLA_OPTION_UINT,
    COLA_OPTION_REAL,
    COLA_OPTION_TEXT,
    COLA_OPTION_CHOICE
};

struct cola_option {
    const char *name; /* without the dashes */
    enum cola_option_kind kind;
    const char *value_name; /* "N", "FILE"; NULL for flags and choices */
    const char *deflt;      /* as text; NULL: none (text "", number 0, flag off) */
    double min, max;        /* numbers, both inclusive */
    const char *choices;    /* "a|b|c" */
    const char *help;       /* one line */
};

struct cola_command {
    const char *name;                 /* "search" */
    const char *usage;                /* "TASKS.h5 --model DIR --out RUN.h5 [options]" */
    const char *about;                /* a few lines */
    const struct cola_option *option; /* [n_options] */
    size_t n_options;
    size_t min_arguments, max_arguments; /* positional */
};

struct cola_options;

enum cola_status cola_options_parse(const struct cola_command *command, int argc, char **argv,
                                    struct cola_options **out);
void cola_options_destroy(struct cola_options *options);

bool cola_options_help(const struct cola_options *options); /* --help was given */
void cola_options_print_help(const struct cola_command *command, FILE *to);

size_t cola_options_n_arguments(const struct cola_options *options);
const char *cola_options_argument(const struct cola_options *options, size_t i); /* borrowed from argv */

/* `name` must be in the table with a fitting kind (asserted). given: on the command line, not by default. */
bool cola_options_given(const struct cola_options *options, const char *name);
bool cola_options_flag(const struct cola_options *options, const char *name);
uint64_t cola_options_uint(const struct cola_options *options, const char *name);
double cola_options_real(const struct cola_options *options, const char *name);
const char *cola_options_string(const struct cola_options *options, const char *name); /* "" if none */

/* The i-th option of the table as (name, value text), for recording; false past the end. */
bool cola_options_each(const struct cola_options *options, size_t i, const char **name, const char **value);

#endif

/* search_setup.h - what `cola search` was asked for, read from its options and checked as far as that goes
 * without opening a file; and the fields that record it in run.h5. */
#ifndef COLA_CLI_SEARCH_SETUP_H
#define COLA_CLI_SEARCH_SETUP_H

#include <stdint.h>

#include "cli/sides_hdf5.h"
#include "cola/cluster.h"
#include "cola/options.h"

extern const struct cola_command cola_search_command; /* the option table */

struct search_setup {
    const char *tasks_path, *model_dir, *run_path, *memo_path; /* borrowed from argv; memo NULL: none */
    const char *preset, *control, *metric, *space;
    struct cola_search_options search;
    uint64_t first, end;    /* --samples: rows [first, end); end UINT64_MAX: to the last */
    uint64_t shard, shards; /* --shard: shards 0: not given */
    struct cola_worker_options worker;
    double stop_at_s; /* 0: never */
    bool resume, quiet;
    const char *events_path; /* NULL: none */
    double events_interval_s;
    struct cola_master_figures *figures; /* NULL: nobody asks */
};

/* COLA_ERR_USAGE, COLA_ERR_UNSUPPORTED: what is wrong with the options. began_s: when the program began. */
enum cola_status cola_search_setup(const struct cola_options *options, double began_s,
                                   struct search_setup *out);

/* Of that, what is to be searched and by which engine: for a plan, which writes nothing. `o` needs no options
 * out, memo, resume, quiet and time-limit. */
enum cola_status cola_search_work(const struct cola_options *options, struct search_setup *out);

/* The rows of a task file with n_rows: *n >= 1 of them from *first. */
enum cola_status cola_search_rows(const struct search_setup *setup, uint32_t n_rows, uint32_t *first,
                                  uint32_t *n);

/* A search as a pair of sides; both structs are borrowed until it is over. search_master_hdf5.c.
 * COLA_ERR_STOPPED: stopped and resumable. */
struct search_run {
    const struct search_setup *setup;
    const struct cola_options *options;
};
struct cola_sides cola_search_sides(struct search_run *search);

/* The fields of record.h for this run, in one block that owns their texts; free with free(). */
struct search_fields {
    struct cola_field field[32];
    uint32_t n;
    char text[24][64]; /* of numbers */
    uint32_t n_texts;
    char command_line[4096], host[256], libraries[256];
};
enum cola_status cola_search_fields(const struct search_setup *setup, const struct cola_options *options,
                                    uint32_t first, uint32_t n, struct search_fields **out);

#endif

/* show.h - the parts of `cola show`: what a run's numbers say (show_summary), as a page (show_page), one
 * sample (show_sample), generated answers (show_answer), who searched (show_timing), as JSON (show_json), a
 * running search (show_follow), and text that cannot break a terminal (show_text). They read only. */
#ifndef COLA_CLI_SHOW_H
#define COLA_CLI_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "cola/record.h"

/* --- text --- */

/* NUL-terminated copy with invalid UTF-8 as \xNN and, for a terminal, control characters too; the caller's to
 * free. NULL: out of memory. */
char *cola_show_text(struct cola_text text, bool for_terminal);
char *cola_show_chain(const struct cola_chain *chain); /* its text form; the caller's to free */

/* --- generated answers --- */

bool cola_show_generated(const struct cola_run *run);
/* right, wrong; in a control target, other; or unparsed, not finite, crashed. */
const char *cola_show_verdict(const struct cola_run_sample *sample, const struct cola_run_chain *chain);
char *cola_show_answer(const struct cola_run_chain *chain); /* escaped, cut; the caller's to free */

/* --- summary: finished samples only --- */

struct cola_show_share { /* k of n */
    uint64_t k, n;
};

/* Wilson's 95 % interval of k of n, n >= 1 (Wilson, JASA 22, 1927). */
void cola_show_wilson(struct cola_show_share share, double *low, double *high);

struct cola_show_summary {
    uint32_t n_samples, n_begun, n_finished;
    uint64_t n_chains, n_layers_base;  /* n_layers_base: 0 without a chain */
    struct cola_show_share base_right; /* base predicts gold; of samples with a gold, where the file tells */
    struct cola_show_share
        shorter;                  /* a chain shorter than the base hits the target; of those the base hits */
    struct cola_show_share found; /* some chain hits the target; of those the base misses */
    struct cola_show_share hit;   /* some chain hits the target; of those with a target */
    double mean_shortest;         /* layers of the shortest chain that hits, over `hit.k` samples */
};

/* What one sample's chains came to. */
struct cola_show_found {
    int32_t base_prediction; /* -1: none, or no chain */
    uint32_t base_layers;    /* 0: no chain */
    uint64_t n_hits, shortest_row;
    uint32_t shortest; /* layers of the shortest chain that hits; 0: none */
    bool base_hits;
};

void cola_show_find(const struct cola_run *run, const struct cola_run_sample *sample,
                    struct cola_show_found *out);
void cola_show_summarise(const struct cola_run *run, struct cola_show_summary *out);

/* Rows of the sample's chains to show: the Pareto front by falling length, then the other chains that hit the
 * target by rising length, `limit` of these at most. *rows is the caller's to free. */
enum cola_status cola_show_rows(const struct cola_run *run, const struct cola_run_sample *sample,
                                uint64_t limit, uint64_t **rows, uint64_t *n_front, uint64_t *n);

/* --- the journal beside it --- */

struct cola_show_beyond {
    bool there, locked;          /* the journal exists; a search writes it now */
    uint64_t n_evaluated, n_all; /* evaluations behind the last record that run.h5 has; in all */
    uint32_t n_finished;
};

/* COLA_OK with there false: no journal. What cannot be read of it fails as cola_follow_read does. */
enum cola_status cola_show_beyond(const struct cola_run *run, const char *path, struct cola_show_beyond *out);

/* Prints lines until the search that writes `path` (or will) has finished: COLA_OK, or is over without:
 * COLA_ERR_STOPPED. interval_s 0: by where the lines go. */
enum cola_status cola_show_follow(const char *path, double interval_s, bool json);

/* --- who searched: sessions and their workers --- */

/* "sessions" and "workers", as timing/ of the file has them; NULL: out of memory. */
json_t *cola_show_timing_json(const struct cola_run *run);
/* Lines; nothing where the file does not tell. At most `limit` sessions and workers of each. */
enum cola_status cola_show_timing(const struct cola_run *run, uint64_t limit, FILE *to);

/* --- printing --- */

enum cola_status cola_show_page(const struct cola_run *run, const char *path, uint64_t limit, FILE *to);
enum cola_status cola_show_sample_page(const struct cola_run *run, uint32_t i, uint64_t limit, FILE *to);
enum cola_status cola_show_json(const struct cola_run *run, const char *path, uint64_t limit, json_t **out);
enum cola_status cola_show_sample_json(const struct cola_run *run, uint32_t i, uint64_t limit, json_t **out);

#endif

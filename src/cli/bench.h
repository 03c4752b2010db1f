/* bench.h - the parts of `cola bench`, shared by its files and nobody else.
 *
 *     bench.c            options, order of events
 *     bench_work.c       samples (of a task file, or random) and chains for the engine alone
 *     bench_engine.c     rounds of the engine alone
 *     bench_search_hdf5.c   rounds of a whole search, as `cola search` runs it
 *     bench_signals.c    Ctrl-C ends whatever is measured
 *     bench_figures.c    from rounds to figures;  bench_text.c, bench_json.c  figures for people and programs
 *     bench_compare_hdf5.c  pairs: our round, then the Hugging Face loop on some of its chains
 *     bench_hf.c         that loop as a child process;  bench_request.c  requests to it, and its answers
 *
 * A round is everything measured once. Machines are shared, so shares of the peak are of the peak that the
 * same round measured just before and after. */
#ifndef COLA_CLI_BENCH_H
#define COLA_CLI_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cola/engine.h"
#include "cola/options.h"

extern const struct cola_command cola_bench_command; /* the option table */

struct bench_round {
    double wall_s;                        /* the work: without loading the model, without the peaks */
    uint64_t n_evaluations;               /* by the engine */
    double tree_cpu_s, master_cpu_s;      /* of the master's thread: in trees; all. 0: the engine alone */
    double peak_before, peak_after;       /* FLOP/s */
    double bandwidth;                     /* bytes/s, the higher of before and after; 0: not measured */
    struct cola_engine_counters counters; /* of this round */
    struct cola_engine_info info;
};

/* --- the work (bench_work.c) --- */

struct bench_work {
    struct cola_sample *sample; /* [n_samples]; its arrays are the tasks' or the two below */
    uint32_t n_samples;
    int32_t *token;
    struct cola_tokens *candidate;
    struct cola_chain *chain; /* [n_samples * n_chains], sample by sample */
    cola_layer *layer;        /* rooms of the chains */
    uint32_t n_chains;
    struct cola_tasks *tasks; /* NULL: random samples */
};

/* Opens --tasks, or makes random samples by --score, --prompt, --continuation and --max-new-tokens. */
enum cola_status cola_bench_samples(const struct cola_options *options, uint32_t n_vocab,
                                    struct bench_work *work);
/* The first --simulations chains of each sample's search, as if no answer were right. */
enum cola_status cola_bench_chains(const struct cola_options *options, uint32_t n_model_layers,
                                   struct bench_work *work);
/* The largest of the requests: the longest sample with the longest chain. */
struct cola_engine_demand cola_bench_demand(const struct bench_work *work);
void cola_bench_work_fini(struct bench_work *work);

/* --- signals (bench_signals.c) --- */

/* From now on INT, TERM and USR1 are noticed by the next call of stopped, not at once; a second INT ends the
 * process. A build without HDF5 has no such thing: there they end the process. */
void cola_bench_watch_signals(void);
/* COLA_ERR_STOPPED, with its text, once there was one. Asked between steps. */
enum cola_status cola_bench_stopped(void);

/* --- rounds --- */

/* One round of warming up that is not counted, then n_rounds. */
enum cola_status cola_bench_engine_rounds(struct cola_engine *engine, const struct bench_work *work,
                                          uint32_t n_rounds, struct bench_round *round);

struct bench_search; /* a folder for its files, removed at close */

/* n_samples: rows of the tasks, from the first. */
enum cola_status cola_bench_search_open(const struct cola_options *options, uint32_t n_samples,
                                        struct bench_search **out);
/* A whole search into an empty folder; run.h5 stays until the next round. COLA_ERR_STOPPED: by a signal. */
enum cola_status cola_bench_search_round(struct bench_search *search, struct bench_round *out);
const char *cola_bench_search_run_path(const struct bench_search *search);
void cola_bench_search_close(struct bench_search *search); /* NULL allowed */

/* --- figures (bench_figures.c) --- */

struct bench_spread { /* over the rounds */
    double median, least, most;
};

struct bench_figures {
    struct bench_spread evaluations_s, peak, product_flops_s, product_share, head_flops_s, head_share;
    /* the same of floor_with_head_share, with the least time of each batch's products no less than reading
     * their weights once takes */
    struct bench_spread bandwidth, roof_share;
    double roof_rate[COLA_ROW_CLASSES]; /* FLOP/s that the products of such batches could reach so; 0: none */
    struct bench_spread floor_share,
        floor_with_head_share;                    /* what the executed FLOPs take at the peak / wall */
    struct bench_spread tree_share, master_share; /* of the wall time */
    double reuse_row_layers, reuse_layers;        /* shares left out */
    double rows_per_layer_call;
    double wall_s; /* of all rounds, as everything below */
    uint64_t n_evaluations;
    struct cola_engine_counters sum; /* bytes: the last round's now, the most of any */
};

struct bench_compare;

struct bench_report { /* what is printed */
    bool engine_only;
    const char *tasks_path; /* NULL: random samples */
    const char *preset;
    uint32_t n_samples, n_simulations, n_rounds;
    const struct bench_round *round;     /* [n_rounds] */
    const struct bench_compare *compare; /* NULL: none */
};

double cola_bench_round_peak(const struct bench_round *round); /* the higher of before and after */
void cola_bench_figures(const struct bench_round *round, uint32_t n_rounds, struct bench_figures *out);
struct bench_spread cola_bench_spread(double *value, uint32_t n);     /* sorts; n >= 1 */
const char *cola_bench_class_name(uint32_t row_class, char text[16]); /* of by_rows: "1", "2-3", .. "1024+" */

void cola_bench_text(const struct bench_report *report);
enum cola_status cola_bench_json(const struct bench_report *report);

/* --- the comparison --- */

struct bench_pair {                     /* our round, and the loop on some of the chains that it visited */
    uint64_t n_ours, n_theirs, n_agree; /* chains; of theirs those with our answer */
    double our_s, their_s;              /* seconds a chain: wall time / chains; the mean of its own seconds */
    double ratio, ratio_by_layer;       /* theirs / ours; the same of seconds a layer of the chains */
    double our_layers, their_layers;    /* mean length of the chains */
    double their_tokens;                /* mean of the generated tokens */
    double their_peak, their_share; /* FLOP/s that it measures for itself; share that its requests reach */
    double most_difference;         /* of scores, where there are some */
};

struct bench_compare {
    struct bench_pair *pair; /* [n_pairs] */
    uint32_t n_pairs;
    json_t *info; /* what the loop says of itself */
    struct bench_spread ratio, ratio_by_layer, their_share;
    uint64_t n_theirs, n_agree;
};

/* Fills round[n_rounds] and *out; fini in any case. */
enum cola_status cola_bench_compare(const struct cola_options *options, const struct bench_work *work,
                                    const struct cola_model *model, uint32_t n_rounds,
                                    struct bench_round *round, struct bench_compare *out);
/* COLA_ERR_MISMATCH if too many answers of the exact mode differ: then not the same work was measured. */
enum cola_status cola_bench_compare_verdict(const struct bench_compare *compare, bool exact);
void cola_bench_compare_fini(struct bench_compare *compare);

struct bench_hf; /* cola-hf-loop, or what --hf-command names */

/* Starts it and waits for its model. Its standard error is ours. */
enum cola_status cola_bench_hf_open(const struct cola_options *options, struct bench_hf **out);
/* One line out, one line in; *answer is the caller's. Failures name the line that the loop refused, or how
 * the loop ended. */
enum cola_status cola_bench_hf_ask(struct bench_hf *hf, const json_t *request, json_t **answer);
void cola_bench_hf_close(struct bench_hf *hf); /* waits for its end; NULL allowed */

/* bench_request.c: a line of `cola eval`; NULL: out of memory. */
json_t *cola_bench_request(const struct cola_sample *sample, const struct cola_chain *chain);
/* COLA_ERR_INPUT where the answer is not one to such a request. *difference: the largest of the scores. */
enum cola_status cola_bench_agrees(const struct cola_sample *sample, const struct cola_result *ours,
                                   const json_t *theirs, bool *agrees, double *difference);
/* FLOPs of the products that the loop executes for it: prompts once a continuation, padding included. */
double cola_bench_their_flops(const struct cola_model *model, const struct cola_sample *sample,
                              const struct cola_chain *chain, uint32_t n_tokens);

#endif

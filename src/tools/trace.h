/* trace.h - recorded runs of published search code on a synthetic reward: the file, and its replay.
 *
 *     struct trace *t;
 *     COLA_TRY(trace_open("polar.json", &t));
 *     for (size_t i = 0; i < t->n_runs; i++)
 *         if (trace_replay(t->preset, &t->run[i]) != COLA_OK) ...  cola_error_text() says where
 *     trace_close(t);
 *
 * The form is docs/search.md's, "Traces". A tool for the search's tests and for people with other traces; not
 * part of cola. */
#ifndef COLA_TOOLS_TRACE_H
#define COLA_TOOLS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/chain.h"

enum { TRACE_LAYERS_MAX = 256 }; /* the reward hashes a layer as a byte */

/* A chain of its own memory. */
struct trace_chain {
    cola_layer *layer;
    uint32_t n_layers;
};

struct trace_step { /* one simulation */
    struct trace_chain chain;
    bool has_new, is_new; /* "new", if the file tells it: whether something was evaluated */
    double reward;        /* backed up */
};

struct trace_list { /* of chains */
    bool given;
    struct trace_chain *chain; /* [n] */
    size_t n;
};

struct trace_run {
    uint8_t salt;
    double p; /* share of right chains */
    uint32_t simulations, layers;
    uint32_t min_length, max_length; /* in layers; 0: the preset's */
    bool has_base_reward;
    double base_reward;
    double *uniform; /* [n_draws] */
    size_t n_draws;
    struct trace_step *step; /* [n_steps] */
    size_t n_steps;
    struct trace_list evaluated, good; /* in order of evaluation: all chains, the right ones */
};

struct trace {
    char preset[32];
    struct trace_run *run; /* [n_runs] */
    size_t n_runs;
};

/* COLA_ERR_IO: cannot be read; COLA_ERR_INPUT: what is wrong with it, by line or by run, field and index. */
enum cola_status trace_open(const char *path, struct trace **out);
void trace_close(struct trace *trace); /* NULL allowed */

/* Runs the preset's search on the run's draws and reward and compares all that the trace tells. COLA_OK: it
 * equals. COLA_ERR_MISMATCH: the first difference, expected and found. COLA_ERR_INPUT: too few draws.
 * COLA_ERR_USAGE, COLA_ERR_UNSUPPORTED: the preset or its numbers cannot be replayed. */
enum cola_status trace_replay(const char *preset, const struct trace_run *run);

/* The synthetic reward: 1 where FNV-1a 64 over the bytes salt, layer, layer, .. is below p. */
double trace_reward(uint8_t salt, double p, const struct cola_chain *chain);

#endif

/* prefix.h - states that chains of one sample share: a trie of chain prefixes a sample, with the packed
 * hidden rows after every stride-th position, so that a chain that begins like an earlier one starts
 * where they part. For a generating job a state also holds the prompt's keys of its stride positions,
 * which decoding will read.
 *
 * A state is a function of (model, sample, prefix) alone, so sharing changes no bit. Memory is bounded: a
 * sample may hold its share of what there is for states, the least recently used goes first, and a sample's
 * states go when its search ends. Who uses a state uses all those above it, so no state outlives one that its
 * use needs. */
#ifndef COLA_ENGINE_PREFIX_H
#define COLA_ENGINE_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/chain.h"
#include "cola/status.h"
#include "engine/keys.h"

enum { COLA_STRIDE_MAX = 4 };

struct cola_prefix_node {
    cola_layer layer[COLA_STRIDE_MAX];              /* its edge: the next `stride` layers */
    uint32_t first_child, next_sibling;             /* 0: none; node 0 is the root */
    float *hidden;                                  /* device [n_rows, D]; NULL: no state, or dropped */
    struct cola_stored_keys *keys[COLA_STRIDE_MAX]; /* [stride] of a state for generating; else NULL */
    uint64_t used;                                  /* when last stored or passed, by the tries' own count */
};

struct cola_prefix_tree { /* of one sample */
    uint32_t sample, n_rows, stride;
    struct cola_prefix_node *node; /* [n_nodes] */
    size_t n_nodes, room;
    uint64_t state_bytes, held_bytes; /* of one state, its keys included; of all */
};

struct cola_prefixes {
    struct cola_prefix_tree *tree; /* [n_trees], samples with a trie */
    size_t n_trees, room;
    uint64_t limit_bytes; /* UINT64_MAX: what the engine's memory leaves */
    uint64_t held_bytes, most_bytes, clock;
};

struct cola_engine;
struct job;

/* Moves a job that begins to the longest stored prefix of its chain: fills its rows, its keys up to there,
 * and job->at. *found: false if there is none, and the job begins with its embeddings. */
enum cola_status cola_prefix_take(struct cola_engine *e, struct job *job, bool *found);

/* Layers of the job's chain that stored states cover; *stride: of its sample's trie, 1 where there is none.
 */
uint32_t cola_prefix_depth(const struct cola_engine *e, const struct job *job, uint32_t *stride);

/* Stores the job's rows if job->at is a multiple of the stride and they are all complete. */
enum cola_status cola_prefix_store(struct cola_engine *e, const struct job *job);

bool cola_prefix_drop_one(struct cola_engine *e); /* of the largest trie; false: no state is held */
void cola_prefix_forget(struct cola_engine *e, uint32_t sample);
void cola_prefix_release(struct cola_engine *e); /* everything */

#endif

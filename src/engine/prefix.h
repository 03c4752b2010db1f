/* prefix.h - hidden states that chains of one sample share: a trie of chain prefixes a sample, with the
 * packed rows after every COLA_STRIDE-th position, so that a chain that begins like an earlier one starts
 * where they part.
 *
 * A state is a function of (model, sample, prefix) alone, so sharing changes no bit. Memory is bounded: a
 * sample may hold its share of the budget, the least recently used state goes first, and a sample's states go
 * when its search ends. */
#ifndef COLA_ENGINE_PREFIX_H
#define COLA_ENGINE_PREFIX_H

#include <stddef.h>
#include <stdint.h>

#include "cola/chain.h"
#include "cola/status.h"

enum {
    COLA_STRIDE = 4
}; /* nearly all of the reuse of stride 1 at a quarter of the memory (DESIGN section 5) */

struct cola_prefix_block { /* an edge of the trie: the next COLA_STRIDE layers */
    cola_layer layer[COLA_STRIDE];
};

struct cola_prefix_node {
    struct cola_prefix_block block;
    uint32_t first_child, next_sibling; /* 0: none; node 0 is the root */
    float *state;                       /* device [n_rows, D]; NULL: none, or dropped */
    uint64_t used;                      /* when it was last stored or taken, by the tries' own count */
};

struct cola_prefix_tree { /* of one sample */
    uint32_t sample;
    struct cola_prefix_node *node; /* [n_nodes] */
    size_t n_nodes, room;
    size_t n_states, state_bytes; /* states held; bytes of one */
};

struct cola_prefixes {
    struct cola_prefix_tree *tree; /* [n_trees], samples with a trie */
    size_t n_trees, room;
    uint64_t budget_bytes, held_bytes, clock;
};

struct cola_engine;
struct job;

/* Moves a new job to the longest stored prefix of its chain: fills its rows and job->at. *found: false if
 * there is none, and the job begins with its embeddings. */
enum cola_status cola_prefix_take(struct cola_engine *e, struct job *job, bool *found);

/* Stores the job's rows if job->at is a multiple of the stride and they are all complete. */
enum cola_status cola_prefix_store(struct cola_engine *e, const struct job *job);

void cola_prefix_forget(struct cola_engine *e, uint32_t sample);
void cola_prefix_release(struct cola_engine *e); /* everything */

#endif

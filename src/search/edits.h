/* edits.h - the edits of a chain as numbers 0 .. E-1, and a keyed order over them that is not stored.
 *
 *     uint32_t n_edits = cola_edits_count(&space, chain.n_layers);
 *     uint64_t key = cola_permutation_key(seed, sample, node);
 *     for (uint32_t i = 0; i < n_edits; i++)
 *         edit = cola_edits_at(&space, chain.n_layers, cola_permutation(key, n_edits, i));
 *
 * A node of a 30-layer model has over 500 edits and expands a handful: so "one untried edit, uniformly" is
 * the next element of a permutation computed on demand, and a node remembers one number. docs/search.md gives
 * both exactly. Knows nothing of trees and policies. */
#ifndef COLA_SEARCH_EDITS_H
#define COLA_SEARCH_EDITS_H

#include <stdint.h>

#include "cola/chain.h"

/* Which edits a search may make. A field of 0 switches that kind off. */
struct cola_edit_space {
    uint32_t max_skip;               /* skip blocks of 1 .. max_skip */
    uint32_t max_block, max_times;   /* repeat blocks of 1 .. max_block another 1 .. max_times times */
    uint32_t min_layers, max_layers; /* bounds on the child's length */
};

/* Number of edits of a chain of n_layers entries that fit it and keep the child's length in bounds. */
uint32_t cola_edits_count(const struct cola_edit_space *space, uint32_t n_layers);

/* The edit of this number, 0 .. count-1: skips by block, then position; repeats by block, times, position. */
struct cola_edit cola_edits_at(const struct cola_edit_space *space, uint32_t n_layers, uint32_t number);

/* The key of a node's permutation; node: its index in order of creation. */
uint64_t cola_permutation_key(uint64_t seed, uint64_t sample, uint32_t node);

/* Element i of the permutation of 0 .. n-1 that belongs to the key; i < n. */
uint32_t cola_permutation(uint64_t key, uint32_t n, uint32_t i);

#endif

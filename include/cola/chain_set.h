/* chain_set.h - a list of different chains in one order that does not depend on how they came: ascending
 * layer by layer, a chain before those that go on from it. That is also the depth-first order of the trie of
 * chains, so that neighbours share the longest beginnings.
 *
 *     struct cola_chain_set set = {0};
 *     COLA_TRY(cola_chain_set_add(&set, &chain));             any order, any number of times
 *     COLA_TRY(cola_chain_set_seal(&set));                    sorted, each once; from now on read only
 *     for (uint32_t i = 0; i < set.n; i++) struct cola_chain chain = cola_chain_set_get(&set, i);
 *     cola_chain_set_fini(&set);
 *
 * Knows no model: whether the layers exist is asked with cola_chain_check. Plain data. */
#ifndef COLA_CHAIN_SET_H
#define COLA_CHAIN_SET_H

#include "cola/chain.h"
#include "cola/hash.h"

enum { COLA_CHAIN_SET_MAX = 1 << 24 }; /* chains; keeps every number of one in 32 bits */

struct cola_chain_set { /* {0} is empty */
    cola_layer *layer;  /* of all chains, one after the other */
    uint64_t *offset;   /* [n + 1] of layer; NULL while empty */
    uint32_t n;
    size_t layer_room, offset_room;
};

void cola_chain_set_fini(struct cola_chain_set *set);

/* Copies the chain. COLA_ERR_INPUT: no layer, or too many chains. Before seal only. */
enum cola_status cola_chain_set_add(struct cola_chain_set *set, const struct cola_chain *chain);
enum cola_status cola_chain_set_seal(struct cola_chain_set *set);

/* The i-th, i < n; borrowed until fini. */
struct cola_chain cola_chain_set_get(const struct cola_chain_set *set, uint32_t i);
/* The number of a chain of a sealed set; false: it is not there. */
bool cola_chain_set_find(const struct cola_chain_set *set, const struct cola_chain *chain, uint32_t *out);
/* < 0, 0, > 0: a comes before b, is b, comes behind b. */
int cola_chain_compare(const struct cola_chain *a, const struct cola_chain *b);

/* Of a sealed set's chains in their order. */
enum cola_status cola_chain_set_fingerprint(const struct cola_chain_set *set, char text[COLA_HASH_TEXT]);

#endif

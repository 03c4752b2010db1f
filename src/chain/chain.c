/* chain.c - chains as plain data: validity, the base chain, equality, hash.
 *
 * The lowest module above base: text.c and edit.c stand on it, and everything that names a chain uses it.
 * Knows nothing of models, engines or search; allocates nothing. */
#include "cola/chain.h"

#include <assert.h>
#include <string.h>

#include "cola/hash.h"

enum cola_status cola_chain_check(const struct cola_chain *chain, uint32_t n_model_layers)
{
    if (n_model_layers < 1 || n_model_layers > COLA_LAYERS_MAX)
        return cola_fail(COLA_ERR_INPUT, "chain: a model of %u layers, expected 1 .. %u", n_model_layers,
                         COLA_LAYERS_MAX);
    if (chain->n_layers < 1 || chain->n_layers > COLA_CHAIN_MAX(n_model_layers))
        return cola_fail(COLA_ERR_INPUT,
                         "chain: %u entries, expected 1 .. %u (4 times the model's %u layers)",
                         chain->n_layers, COLA_CHAIN_MAX(n_model_layers), n_model_layers);
    for (uint32_t i = 0; i < chain->n_layers; i++)
        if (chain->layer[i] >= n_model_layers)
            return cola_fail(COLA_ERR_INPUT, "chain: entry %u is layer %u, the model's layers are 0 .. %u", i,
                             chain->layer[i], n_model_layers - 1);
    return COLA_OK;
}

struct cola_chain cola_chain_base(uint32_t n_model_layers, cola_layer *room)
{
    assert(n_model_layers >= 1 && n_model_layers <= COLA_LAYERS_MAX);
    for (uint32_t i = 0; i < n_model_layers; i++) room[i] = (cola_layer)i;
    return (struct cola_chain){.layer = room, .n_layers = n_model_layers};
}

bool cola_chain_equal(const struct cola_chain *a, const struct cola_chain *b)
{
    return a->n_layers == b->n_layers && memcmp(a->layer, b->layer, a->n_layers * sizeof *a->layer) == 0;
}

uint64_t cola_chain_hash(const struct cola_chain *chain)
{
    return cola_hash64(chain->layer, chain->n_layers * sizeof *chain->layer);
}

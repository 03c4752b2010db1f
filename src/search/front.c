/* front.c - the Pareto front of a search: which chains no other beats in both reward and length. */
#include "cola/search.h"

#include "search/policy.h"

/* The best node a length, the older of equals; then, from short to long, those that earn more than every
 * shorter one. Linear in nodes and in 4 L. */
void cola_search_front(const struct cola_search *search, bool *on_front)
{
    enum { MAX_LAYERS = COLA_CHAIN_MAX(COLA_LAYERS_MAX) };
    uint32_t best[MAX_LAYERS + 1], most = COLA_CHAIN_MAX(search->n_model_layers);
    uint32_t n_nodes = cola_search_n_nodes(search), last = COLA_NO_NODE;
    const struct cola_node *node = search->tree.node;
    for (uint32_t n = 1; n <= most; n++) best[n] = COLA_NO_NODE;
    for (uint32_t i = 0; i < n_nodes; i++) {
        uint32_t *b = &best[node[i].n_layers];
        if (*b == COLA_NO_NODE || node[i].reward > node[*b].reward) *b = i;
        on_front[i] = false;
    }
    for (uint32_t n = 1; n <= most; n++) {
        if (best[n] == COLA_NO_NODE) continue;
        if (last != COLA_NO_NODE && !(node[best[n]].reward > node[last].reward)) continue;
        last = best[n];
        on_front[last] = true;
    }
}

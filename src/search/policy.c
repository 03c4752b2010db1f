/* policy.c - pieces of procedures that several policies use (policy.h). */
#include "search/policy.h"

#include <string.h>

#include "cola/memory.h"

double cola_policy_back_up_plain(struct cola_search *search, uint32_t node)
{
    double reward = search->tree.node[node].reward;
    cola_tree_back_up(&search->tree, node, reward);
    return reward;
}

bool cola_policy_stop_early(const struct cola_search *search, uint32_t node)
{
    const struct cola_node *base = &search->tree.node[0], *n = &search->tree.node[node];
    return n->reward > base->reward || (n->reward > 0 && n->n_layers + 2u <= base->n_layers);
}

enum cola_status cola_policy_copy_items(const void *from, size_t n, size_t size, void **to, size_t *to_room)
{
    COLA_TRY(cola_grow(to, to_room, n, size, "search policy"));
    if (n) memcpy(*to, from, n * size);
    if (*to_room > n) memset((char *)*to + n * size, 0, (*to_room - n) * size);
    return COLA_OK;
}

/* policy.c - pieces of procedures that several policies use (policy.h). */
#include "search/policy.h"

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

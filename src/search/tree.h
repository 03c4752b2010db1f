/* tree.h - the chains that a search has visited: nodes in order of creation, each chain found by its content.
 *
 *     COLA_TRY(cola_tree_add(&tree, &chain, &edit, parent, &node));     copies the chain
 *     if (cola_tree_find(&tree, &chain) != COLA_NO_NODE) ...            in the tree already
 *
 * Knows what every policy shares: chain, parent, children in order of age, visits and rewards. What one
 * policy needs besides lies in that policy's private state. Chains of all nodes lie in one arena, so a node
 * costs about 70 bytes and its chain 2 bytes an entry: a `cola` tree of 200 nodes about 60 KB. */
#ifndef COLA_SEARCH_TREE_H
#define COLA_SEARCH_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "cola/chain.h"
#include "cola/status.h"

#define COLA_NO_NODE UINT32_MAX

struct cola_node {
    double total_reward;   /* of n_visits simulations */
    uint32_t first_entry;  /* of its chain, in the arena */
    uint32_t parent;       /* COLA_NO_NODE: the base */
    uint32_t first_child;  /* children from the oldest to the youngest; COLA_NO_NODE: none */
    uint32_t last_child;   /* so that a child is appended in constant time */
    uint32_t next_sibling; /* the next younger child of its parent; COLA_NO_NODE: none */
    uint32_t depth;        /* edges to the base */
    uint32_t simulation;   /* that evaluated it */
    uint32_t n_visits;     /* 0: waiting for its evaluation */
    float reward;          /* of its own evaluation */
    int32_t prediction;    /* of its own evaluation */
    uint16_t n_layers;     /* its chain's length: 4 L fits 16 bits */
    struct cola_edit edit; /* from its parent */
};

struct cola_tree {
    struct cola_node *node; /* [n_nodes] */
    cola_layer *entry;      /* [n_entries]: the arena of chains */
    uint32_t *slot;         /* [n_slots]: hash table of node indices + 1, 0 free; at most half full */
    size_t n_nodes, node_room, n_entries, entry_room, n_slots; /* n_slots: a power of two, or 0 */
};

void cola_tree_fini(struct cola_tree *tree); /* a zeroed struct is an empty tree */

/* *to becomes equal to *from, in its own memory, of which it keeps what it has. After COLA_ERR_MEMORY it may
 * be emptied or copied again, nothing else. */
enum cola_status cola_tree_copy(const struct cola_tree *from, struct cola_tree *to);

/* Appends a node and links it as its parent's youngest child. COLA_ERR_MEMORY leaves the tree as it was. */
enum cola_status cola_tree_add(struct cola_tree *tree, const struct cola_chain *chain,
                               const struct cola_edit *edit, uint32_t parent, uint32_t *out);

/* The oldest node with this chain, or COLA_NO_NODE. */
uint32_t cola_tree_find(const struct cola_tree *tree, const struct cola_chain *chain);

/* Borrowed until the next cola_tree_add. */
struct cola_chain cola_tree_chain(const struct cola_tree *tree, uint32_t node);

/* One more visit with this reward, to the node and all its ancestors. */
void cola_tree_back_up(struct cola_tree *tree, uint32_t node, double reward);

size_t cola_tree_bytes(const struct cola_tree *tree); /* held, growth room included */

#endif

/* tree.c - nodes, arena and hash set of tree.h. Holds what a policy decided; decides nothing itself. */
#include "search/tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

enum { FIRST_SLOTS = 64 };

void cola_tree_fini(struct cola_tree *tree)
{
    free(tree->node);
    free(tree->entry);
    free(tree->slot);
    *tree = (struct cola_tree){0};
}

struct cola_chain cola_tree_chain(const struct cola_tree *tree, uint32_t node)
{
    assert(node < tree->n_nodes);
    const struct cola_node *n = &tree->node[node];
    return (struct cola_chain){.layer = tree->entry + n->first_entry, .n_layers = n->n_layers};
}

/* The slot that holds an equal chain, or the free one where it belongs. */
static size_t find_slot(const struct cola_tree *tree, const struct cola_chain *chain)
{
    size_t at = (size_t)cola_chain_hash(chain) & (tree->n_slots - 1);
    for (; tree->slot[at]; at = (at + 1) & (tree->n_slots - 1)) {
        struct cola_chain other = cola_tree_chain(tree, tree->slot[at] - 1);
        if (cola_chain_equal(&other, chain)) break;
    }
    return at;
}

uint32_t cola_tree_find(const struct cola_tree *tree, const struct cola_chain *chain)
{
    if (tree->n_slots == 0) return COLA_NO_NODE;
    uint32_t found = tree->slot[find_slot(tree, chain)];
    return found ? found - 1 : COLA_NO_NODE;
}

static void enter(struct cola_tree *tree, uint32_t node)
{
    struct cola_chain chain = cola_tree_chain(tree, node);
    size_t at = find_slot(tree, &chain);
    if (tree->slot[at] == 0) tree->slot[at] = node + 1; /* of equals the oldest stays */
}

static enum cola_status grow_slots(struct cola_tree *tree)
{
    size_t n_slots = tree->n_slots ? 2 * tree->n_slots : FIRST_SLOTS;
    uint32_t *slot = NULL;
    COLA_TRY(cola_alloc((void **)&slot, n_slots, sizeof *slot, "search tree"));
    free(tree->slot);
    tree->slot = slot;
    tree->n_slots = n_slots;
    for (size_t i = 0; i < tree->n_nodes; i++) enter(tree, (uint32_t)i);
    return COLA_OK;
}

static enum cola_status make_room(struct cola_tree *tree, uint32_t n_layers)
{
    if (tree->n_entries + n_layers > UINT32_MAX || tree->n_nodes + 1 >= COLA_NO_NODE)
        return cola_fail(COLA_ERR_MEMORY, "search tree: %zu nodes of %zu entries in all; no more fit 32 bits",
                         tree->n_nodes, tree->n_entries);
    COLA_TRY(cola_grow((void **)&tree->node, &tree->node_room, tree->n_nodes + 1, sizeof *tree->node,
                       "search tree"));
    COLA_TRY(cola_grow((void **)&tree->entry, &tree->entry_room, tree->n_entries + n_layers,
                       sizeof *tree->entry, "search tree"));
    return 2 * (tree->n_nodes + 1) > tree->n_slots ? grow_slots(tree) : COLA_OK;
}

enum cola_status cola_tree_add(struct cola_tree *tree, const struct cola_chain *chain,
                               const struct cola_edit *edit, uint32_t parent, uint32_t *out)
{
    COLA_TRY(make_room(tree, chain->n_layers));
    uint32_t index = (uint32_t)tree->n_nodes++;
    struct cola_node *node = &tree->node[index];
    *node = (struct cola_node){.first_entry = (uint32_t)tree->n_entries,
                               .n_layers = (uint16_t)chain->n_layers,
                               .parent = parent,
                               .first_child = COLA_NO_NODE,
                               .last_child = COLA_NO_NODE,
                               .next_sibling = COLA_NO_NODE,
                               .edit = *edit};
    memcpy(tree->entry + tree->n_entries, chain->layer, chain->n_layers * sizeof *chain->layer);
    tree->n_entries += chain->n_layers;
    if (parent != COLA_NO_NODE) {
        struct cola_node *above = &tree->node[parent];
        node->depth = above->depth + 1;
        if (above->first_child == COLA_NO_NODE)
            above->first_child = index;
        else
            tree->node[above->last_child].next_sibling = index;
        above->last_child = index;
    }
    enter(tree, index);
    *out = index;
    return COLA_OK;
}

enum cola_status cola_tree_copy(const struct cola_tree *from, struct cola_tree *to)
{
    COLA_TRY(cola_grow((void **)&to->node, &to->node_room, from->n_nodes, sizeof *to->node, "search tree"));
    COLA_TRY(
        cola_grow((void **)&to->entry, &to->entry_room, from->n_entries, sizeof *to->entry, "search tree"));
    if (to->n_slots != from->n_slots) {
        uint32_t *slot = NULL;
        COLA_TRY(cola_alloc((void **)&slot, from->n_slots, sizeof *slot, "search tree"));
        free(to->slot);
        to->slot = slot;
        to->n_slots = from->n_slots;
    }
    to->n_nodes = from->n_nodes;
    to->n_entries = from->n_entries;
    if (from->n_nodes) memcpy(to->node, from->node, from->n_nodes * sizeof *to->node);
    if (from->n_entries) memcpy(to->entry, from->entry, from->n_entries * sizeof *to->entry);
    if (from->n_slots) memcpy(to->slot, from->slot, from->n_slots * sizeof *to->slot);
    return COLA_OK;
}

void cola_tree_back_up(struct cola_tree *tree, uint32_t node, double reward)
{
    for (; node != COLA_NO_NODE; node = tree->node[node].parent) {
        tree->node[node].n_visits++;
        tree->node[node].total_reward += reward;
    }
}

size_t cola_tree_bytes(const struct cola_tree *tree)
{
    return tree->node_room * sizeof *tree->node + tree->entry_room * sizeof *tree->entry +
           tree->n_slots * sizeof *tree->slot;
}

/* policy_cola.c - the search of "Skip a Layer or Loop it?" (arXiv 2507.07996), in our reading where the paper
 * is silent. docs/search.md is this file in words, exact enough to reimplement it.
 *
 * A simulation walks down from the base. At a node with untried edits it expands if the node has no live
 * child, or else with probability epsilon; otherwise it goes to the live child with the largest bound. With
 * "expand until all edits are tried" instead, 200 simulations never leave depth 1: a node has over 500 edits.
 *
 * Private state: a few bytes a node. A node whose permutation ran out is closed; closed without a live child
 * it is dead, and so may be its parent then. Every turn of simulate's loop either makes a node or closes one,
 * so it ends. */
#include "search/policy.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "cola/exact_math.h"
#include "cola/memory.h"

struct expansion {
    uint32_t n_tried;         /* elements of the node's permutation that were taken */
    uint32_t n_live_children; /* children that are not dead */
    bool closed, dead;
};

struct state {
    struct expansion *node; /* [room], zeroed beyond the tree's nodes */
    size_t room;
    cola_layer *child; /* [4 L] scratch */
};

static enum cola_status create(struct cola_search *search)
{
    struct state *state = NULL;
    COLA_TRY(cola_alloc((void **)&state, 1, sizeof *state, "search policy"));
    search->private = state;
    return cola_alloc((void **)&state->child, COLA_CHAIN_MAX(search->n_model_layers), sizeof *state->child,
                      "search policy");
}

static void destroy(struct cola_search *search)
{
    struct state *state = search->private;
    if (!state) return;
    free(state->node);
    free(state->child);
    free(state);
}

static size_t bytes(const struct cola_search *search)
{
    const struct state *state = search->private;
    return sizeof *state + state->room * sizeof *state->node +
           COLA_CHAIN_MAX(search->n_model_layers) * sizeof *state->child;
}

static enum cola_status copy(const struct cola_search *from, struct cola_search *to)
{
    const struct state *have = from->private;
    struct state *state = to->private;
    return cola_policy_copy_items(have->node, have->room, sizeof *have->node, (void **)&state->node,
                                  &state->room);
}

/* Q/v + c sqrt(ln V / v) - lambda n / L, in this order of operations (docs/search.md). */
static double bound(const struct cola_search *search, const struct cola_node *node, double log_simulations)
{
    const struct cola_search_options *o = &search->options;
    double v = node->n_visits;
    double mean = node->total_reward / v;
    double explore = o->exploration * sqrt(log_simulations / v);
    double length = o->length_penalty * node->n_layers / search->n_model_layers;
    return mean + explore - length;
}

static uint32_t best_child(const struct cola_search *search, uint32_t node)
{
    const struct state *state = search->private;
    const struct cola_tree *tree = &search->tree;
    double log_simulations = cola_exact_log(search->n_simulations), best_bound = 0;
    uint32_t best = COLA_NO_NODE;
    for (uint32_t i = tree->node[node].first_child; i != COLA_NO_NODE; i = tree->node[i].next_sibling) {
        if (state->node[i].dead) continue;
        double b = bound(search, &tree->node[i], log_simulations);
        if (best == COLA_NO_NODE || b > best_bound) best = i, best_bound = b; /* ties stay with the older */
    }
    assert(best != COLA_NO_NODE);
    return best;
}

/* Marks the node as without untried edits; without a live child it dies, and with it closed ancestors that
 * have no other. */
static void close_node(struct cola_search *search, uint32_t node)
{
    struct state *state = search->private;
    state->node[node].closed = true;
    while (state->node[node].closed && state->node[node].n_live_children == 0) {
        state->node[node].dead = true;
        node = search->tree.node[node].parent;
        if (node == COLA_NO_NODE) return;
        state->node[node].n_live_children--;
    }
}

/* Takes edits of the node's permutation until one gives a chain that is new to the tree, and adds it; without
 * one the node is closed and *child is COLA_NO_NODE. */
static enum cola_status expand(struct cola_search *search, uint32_t node, uint32_t *child)
{
    struct state *state = search->private;
    const struct cola_edit_space *space = &search->space;
    struct cola_chain parent = cola_tree_chain(&search->tree, node), made;
    uint32_t n_edits = cola_edits_count(space, parent.n_layers);
    uint64_t key = cola_permutation_key(search->options.seed, search->sample, node);
    *child = COLA_NO_NODE;
    while (state->node[node].n_tried < n_edits) {
        uint32_t number = cola_permutation(key, n_edits, state->node[node].n_tried++);
        struct cola_edit edit = cola_edits_at(space, parent.n_layers, number);
        bool fits = cola_chain_edit(&parent, &edit, search->n_model_layers, space->min_layers,
                                    space->max_layers, state->child, &made);
        assert(fits);
        if (!fits || cola_tree_find(&search->tree, &made) != COLA_NO_NODE) continue;
        size_t n = search->tree.n_nodes + 1;
        COLA_TRY(cola_grow((void **)&state->node, &state->room, n, sizeof *state->node, "search policy"));
        COLA_TRY(cola_tree_add(&search->tree, &made, &edit, node, child));
        state->node[node].n_live_children++;
        return COLA_OK;
    }
    close_node(search, node);
    return COLA_OK;
}

static bool wants_to_expand(struct cola_search *search, uint32_t node)
{
    const struct expansion *e = &((const struct state *)search->private)->node[node];
    if (e->closed) return false;
    if (e->n_live_children == 0) return true;
    return cola_draws_uniform(&search->draws) < search->options.epsilon;
}

static enum cola_status simulate(struct cola_search *search, struct cola_step *step)
{
    struct state *state = search->private;
    COLA_TRY(cola_grow((void **)&state->node, &state->room, search->tree.n_nodes, sizeof *state->node,
                       "search policy"));
    for (uint32_t node = 0; !state->node[0].dead;) {
        if (!wants_to_expand(search, node)) {
            node = best_child(search, node);
            continue;
        }
        COLA_TRY(expand(search, node, &step->node));
        if (step->node != COLA_NO_NODE) return COLA_OK;
        if (state->node[node].dead) node = 0; /* else it was closed with live children: go on down */
    }
    return COLA_OK;
}

const struct cola_policy cola_policy_cola = {
    .name = "cola",
    .source = "arXiv 2507.07996, Algorithm 1; our reading in docs/search.md",
    .create = create,
    .destroy = destroy,
    .copy = copy,
    .simulate = simulate,
    .back_up = cola_policy_back_up_plain,
    .bytes = bytes,
};

const struct cola_policy cola_policy_drllm = {
    .name = "drllm",
    .source = "cola's procedure with the early stop of arXiv 2510.12773",
    .create = create,
    .destroy = destroy,
    .copy = copy,
    .simulate = simulate,
    .back_up = cola_policy_back_up_plain,
    .stop = cola_policy_stop_early,
    .bytes = bytes,
};

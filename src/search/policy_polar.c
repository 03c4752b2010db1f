/* policy_polar.c - the search of PoLar (arXiv 2606.06574) as its published code does it, replayed exactly
 * from recorded runs (tests/data/traces/polar.json). docs/search.md is this file in words; what looks odd
 * there (the score that is backed up again, the bound that grows old) is the published behaviour.
 *
 *     descend -> generate, pick one of the sorted children -> evaluate, unless it has a score -> back up
 *
 * A node's candidates are all generated at once and most are never evaluated, so the authors' tree is
 * private: a second cola_tree and a few bytes a node. search->tree holds the evaluated chains alone; a
 * chain's parent there is its nearest evaluated ancestor. */
#include "search/policy.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "cola/exact_math.h"
#include "cola/memory.h"

struct extra {
    double bound;  /* of the node's last back-up; -infinity: never visited */
    uint32_t node; /* of search->tree; COLA_NO_NODE: it has no score */
    bool done;
};

struct state {
    struct cola_tree all; /* every generated chain; n_visits and total_reward are the authors' */
    struct extra *extra;  /* [room], of the nodes of `all` */
    size_t room;
    double last_score;        /* the score that the simulation before backed up; at first the base's */
    uint32_t reached;         /* node of `all` that this simulation backs up from */
    bool evaluates;           /* its score is new */
    cola_layer *child;        /* [4 L] scratch */
    uint16_t *occurrences;    /* [L] scratch: of each layer in the chain that is expanded */
    struct cola_chain *order; /* [order_room] scratch: children to be sorted */
    size_t order_room;
};

/* --- numbers ------------------------------------------------------------------------------------------ */

#define MIN_LENGTH 0.57 /* of the preset: while they stand, the bounds are by depth */
#define MAX_LENGTH 1.15
#define SQRT_2     0x1.6a09e667f3bcdp+0

/* The authors' bounds for the depths of their models; for others ceil(0.57 L) .. floor(1.15 L), which is
 * close to those for 28 layers. In whole numbers, since 1.15 as a double is a bit less. A bound that was
 * given stays as it is. */
static void set_bounds(struct cola_search *search)
{
    static const struct {
        uint32_t depth, least, most;
    } table[] = {{24, 16, 28}, {28, 16, 32}, {36, 24, 44}, {48, 36, 54}};
    uint32_t L = search->n_model_layers, least = (57 * L + 99) / 100, most = 115 * L / 100;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].depth == L) least = table[i].least, most = table[i].most;
    if (search->options.min_length == MIN_LENGTH) search->space.min_layers = least;
    if (search->options.max_length == MAX_LENGTH) search->space.max_layers = most;
}

/* total / visits - 5 length / L + sqrt(2 ln(V + 1) / visits), V the root's visits now; the authors' grouping.
 * The 2 is c squared: with c = sqrt 2 exactly 2, not its rounded square. */
static double bound(const struct cola_search *search, const struct cola_node *node, uint32_t root_visits)
{
    const struct cola_search_options *o = &search->options;
    double c2 = o->exploration == SQRT_2 ? 2 : o->exploration * o->exploration, visits = node->n_visits;
    double length = o->length_penalty * node->n_layers / search->n_model_layers;
    return node->total_reward / visits - length + sqrt(c2 * cola_exact_log(root_visits + 1.0) / visits);
}

/* --- life --------------------------------------------------------------------------------------------- */

static enum cola_status create(struct cola_search *search)
{
    struct state *state = NULL;
    uint32_t L = search->n_model_layers;
    set_bounds(search);
    COLA_TRY(cola_alloc((void **)&state, 1, sizeof *state, "search policy"));
    search->private = state;
    COLA_TRY(cola_alloc((void **)&state->occurrences, L, sizeof *state->occurrences, "search policy"));
    return cola_alloc((void **)&state->child, COLA_CHAIN_MAX(L), sizeof *state->child, "search policy");
}

static void destroy(struct cola_search *search)
{
    struct state *state = search->private;
    if (!state) return;
    cola_tree_fini(&state->all);
    free(state->extra);
    free(state->child);
    free(state->occurrences);
    free(state->order);
    free(state);
}

static size_t bytes(const struct cola_search *search)
{
    const struct state *state = search->private;
    uint32_t L = search->n_model_layers;
    return sizeof *state + cola_tree_bytes(&state->all) + state->room * sizeof *state->extra +
           state->order_room * sizeof *state->order + COLA_CHAIN_MAX(L) * sizeof *state->child +
           L * sizeof *state->occurrences;
}

static enum cola_status copy(const struct cola_search *from, struct cola_search *to)
{
    const struct state *have = from->private;
    struct state *state = to->private;
    COLA_TRY(cola_tree_copy(&have->all, &state->all));
    COLA_TRY(cola_policy_copy_items(have->extra, have->all.n_nodes, sizeof *have->extra,
                                    (void **)&state->extra, &state->room));
    state->last_score = have->last_score;
    state->reached = have->reached;
    state->evaluates = have->evaluates;
    return COLA_OK;
}

static enum cola_status add_node(struct state *state, const struct cola_chain *chain,
                                 const struct cola_edit *edit, uint32_t parent)
{
    uint32_t node;
    COLA_TRY(cola_grow((void **)&state->extra, &state->room, state->all.n_nodes + 1, sizeof *state->extra,
                       "search policy"));
    COLA_TRY(cola_tree_add(&state->all, chain, edit, parent, &node));
    state->extra[node] = (struct extra){.bound = -INFINITY, .node = COLA_NO_NODE};
    return COLA_OK;
}

/* The root, once the base has its score. */
static enum cola_status begin(struct cola_search *search)
{
    struct state *state = search->private;
    struct cola_chain base = cola_tree_chain(&search->tree, 0);
    struct cola_edit none = {.kind = COLA_EDIT_NONE};
    COLA_TRY(add_node(state, &base, &none, COLA_NO_NODE));
    state->extra[0].node = 0;
    state->last_score = search->tree.node[0].reward;
    return COLA_OK;
}

/* --- descend ------------------------------------------------------------------------------------------ */

/* The i-th child that is not done, in order of generation. */
static uint32_t open_child(const struct state *state, uint32_t node, uint32_t i)
{
    uint32_t child = state->all.node[node].first_child;
    for (; child != COLA_NO_NODE; child = state->all.node[child].next_sibling)
        if (!state->extra[child].done && i-- == 0) break;
    return child;
}

static uint32_t n_open_children(const struct state *state, uint32_t node)
{
    uint32_t n = 0, child = state->all.node[node].first_child;
    for (; child != COLA_NO_NODE; child = state->all.node[child].next_sibling) n += !state->extra[child].done;
    return n;
}

/* The one with the largest stored bound, the first of equals. */
static uint32_t best_child(const struct state *state, uint32_t node)
{
    uint32_t best = COLA_NO_NODE, child = state->all.node[node].first_child;
    for (; child != COLA_NO_NODE; child = state->all.node[child].next_sibling) {
        if (state->extra[child].done) continue;
        if (best == COLA_NO_NODE || state->extra[child].bound > state->extra[best].bound) best = child;
    }
    return best;
}

static uint32_t descend(struct cola_search *search)
{
    const struct state *state = search->private;
    for (uint32_t node = 0;;) {
        uint32_t n_open = n_open_children(state, node);
        if (n_open == 0) return node; /* no children, or all done */
        if (cola_draws_uniform(&search->draws) < search->options.epsilon)
            node = open_child(state, node, cola_draws_choice(&search->draws, n_open));
        else
            node = best_child(state, node);
    }
}

/* --- expand ------------------------------------------------------------------------------------------- */

static enum cola_status add_candidate(struct cola_search *search, uint32_t parent,
                                      const struct cola_edit *edit)
{
    struct state *state = search->private;
    struct cola_chain from = cola_tree_chain(&state->all, parent), made;
    if (!cola_chain_edit(&from, edit, search->n_model_layers, search->space.min_layers,
                         search->space.max_layers, state->child, &made))
        return COLA_OK;
    if (cola_tree_find(&state->all, &made) != COLA_NO_NODE) return COLA_OK;
    return add_node(state, &made, edit, parent);
}

static enum cola_status add_candidates_at(struct cola_search *search, uint32_t parent, uint32_t position)
{
    const struct state *state = search->private;
    struct cola_edit edit = {.kind = COLA_EDIT_SKIP, .position = (uint16_t)position};
    uint32_t largest_skip = parent == 0 || search->space.max_skip < 1 ? search->space.max_skip : 1;
    uint32_t largest_repeat = parent == 0 || search->space.max_block < 1 ? search->space.max_block : 1;
    for (uint32_t block = 1; block <= largest_skip; block++) {
        edit.block = (uint8_t)block;
        COLA_TRY(add_candidate(search, parent, &edit));
    }
    edit.kind = COLA_EDIT_REPEAT;
    edit.times = 1;
    cola_layer layer = cola_tree_chain(&state->all, parent).layer[position];
    for (uint32_t block = 1; block <= largest_repeat; block++) {
        if (block == 1 && state->occurrences[layer] >= 2) continue;
        edit.block = (uint8_t)block;
        COLA_TRY(add_candidate(search, parent, &edit));
    }
    return COLA_OK;
}

static enum cola_status generate(struct cola_search *search, uint32_t parent)
{
    struct state *state = search->private;
    struct cola_chain chain = cola_tree_chain(&state->all, parent);
    uint32_t n = chain.n_layers;
    for (uint32_t i = 0; i < search->n_model_layers; i++) state->occurrences[i] = 0;
    for (uint32_t i = 0; i < n; i++) state->occurrences[chain.layer[i]]++;
    for (uint32_t position = 0; position < n; position++)
        COLA_TRY(add_candidates_at(search, parent, position));
    return COLA_OK;
}

/* Layer by layer; of two that begin alike the shorter is first. */
static int compare_chains(const void *a, const void *b)
{
    const struct cola_chain *x = a, *y = b;
    for (uint32_t i = 0; i < x->n_layers && i < y->n_layers; i++)
        if (x->layer[i] != y->layer[i]) return x->layer[i] < y->layer[i] ? -1 : 1;
    return (x->n_layers > y->n_layers) - (x->n_layers < y->n_layers);
}

/* One of the node's children, drawn from their sorted list. */
static enum cola_status pick_sorted_child(struct cola_search *search, uint32_t parent, uint32_t *child)
{
    struct state *state = search->private;
    uint32_t n = 0, i = state->all.node[parent].first_child;
    for (; i != COLA_NO_NODE; i = state->all.node[i].next_sibling) {
        COLA_TRY(cola_grow((void **)&state->order, &state->order_room, n + 1, sizeof *state->order,
                           "search policy"));
        state->order[n++] = cola_tree_chain(&state->all, i);
    }
    qsort(state->order, n, sizeof *state->order, compare_chains);
    *child = cola_tree_find(&state->all, &state->order[cola_draws_choice(&search->draws, n)]);
    return COLA_OK;
}

/* --- a simulation ------------------------------------------------------------------------------------- */

/* Enters a generated node among the evaluated chains. Its edit counts from its parent: between it and a more
 * remote ancestor there are several. */
static enum cola_status enter(struct cola_search *search, uint32_t node, uint32_t *out)
{
    struct state *state = search->private;
    struct cola_chain chain = cola_tree_chain(&state->all, node);
    struct cola_edit edit = state->all.node[node].edit;
    uint32_t above = state->all.node[node].parent;
    for (; state->extra[above].node == COLA_NO_NODE; above = state->all.node[above].parent)
        edit = (struct cola_edit){.kind = COLA_EDIT_NONE};
    COLA_TRY(cola_tree_add(&search->tree, &chain, &edit, state->extra[above].node, out));
    state->extra[node].node = *out;
    return COLA_OK;
}

static enum cola_status simulate(struct cola_search *search, struct cola_step *step)
{
    struct state *state = search->private;
    if (state->all.n_nodes == 0) COLA_TRY(begin(search));
    uint32_t node = descend(search);
    if (!state->extra[node].done) {
        COLA_TRY(generate(search, node));
        if (state->all.node[node].first_child == COLA_NO_NODE)
            state->extra[node].done = true;
        else
            COLA_TRY(pick_sorted_child(search, node, &node));
    }
    state->reached = node;
    state->evaluates = state->extra[node].node == COLA_NO_NODE;
    step->known = !state->evaluates;
    if (state->evaluates) return enter(search, node, &step->node);
    step->node = state->extra[node].node;
    return COLA_OK;
}

/* Node by node, the root last: its visits before this simulation enter all bounds below it. */
static double back_up(struct cola_search *search, uint32_t evaluated)
{
    struct state *state = search->private;
    if (state->evaluates) state->last_score = search->tree.node[evaluated].reward;
    for (uint32_t i = state->reached; i != COLA_NO_NODE; i = state->all.node[i].parent) {
        struct cola_node *node = &state->all.node[i];
        struct extra *extra = &state->extra[i];
        node->n_visits++;
        node->total_reward += state->last_score;
        extra->bound = bound(search, node, state->all.node[0].n_visits);
        if (node->first_child != COLA_NO_NODE && n_open_children(state, i) == 0) extra->done = true;
        if (extra->node == COLA_NO_NODE) continue;
        search->tree.node[extra->node].n_visits = node->n_visits;
        search->tree.node[extra->node].total_reward = node->total_reward;
    }
    return state->last_score;
}

const struct cola_policy cola_policy_polar = {
    .name = "polar",
    .source = "arXiv 2606.06574, the authors' code",
    .fixed = COLA_NUMBER_MAX_TIMES,
    .base_is_outside = true,
    .is_published_code = true,
    .create = create,
    .destroy = destroy,
    .copy = copy,
    .simulate = simulate,
    .back_up = back_up,
    .bytes = bytes,
};

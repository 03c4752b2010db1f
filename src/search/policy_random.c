/* policy_random.c - the baseline that a search must beat at equal evaluations: chains made by 1 + geometric
 * many random edits of the base (docs/search.md). Learns nothing from rewards; every chain is a child of the
 * base. */
#include "search/policy.h"

#include <stdlib.h>

#include "cola/memory.h"

enum { MAX_REDRAWS = 1000 };

struct state {
    cola_layer *room[2]; /* [4 L] each: a chain and its next edit, in turns */
};

static enum cola_status create(struct cola_search *search)
{
    struct state *state = NULL;
    COLA_TRY(cola_alloc((void **)&state, 1, sizeof *state, "search policy"));
    search->private = state;
    for (int i = 0; i < 2; i++)
        COLA_TRY(cola_alloc((void **)&state->room[i], COLA_CHAIN_MAX(search->n_model_layers),
                            sizeof(cola_layer), "search policy"));
    return COLA_OK;
}

static void destroy(struct cola_search *search)
{
    struct state *state = search->private;
    if (!state) return;
    free(state->room[0]);
    free(state->room[1]);
    free(state);
}

static size_t bytes(const struct cola_search *search)
{
    return sizeof(struct state) + 2 * COLA_CHAIN_MAX(search->n_model_layers) * sizeof(cola_layer);
}

/* Applies 1 + geometric(1/2) random edits to the base; *edit is the edit if it was one, else NONE. A chain
 * without any edit in bounds stays as it is. */
static struct cola_chain draw_chain(struct cola_search *search, struct cola_edit *edit)
{
    struct state *state = search->private;
    struct cola_chain chain = cola_tree_chain(&search->tree, 0);
    uint32_t n_wanted = 1, n_made = 0;
    while (cola_draws_uniform(&search->draws) < 0.5) n_wanted++;
    *edit = (struct cola_edit){.kind = COLA_EDIT_NONE};
    while (n_made < n_wanted) {
        uint32_t n_edits = cola_edits_count(&search->space, chain.n_layers);
        if (n_edits == 0) break;
        uint32_t number = (uint32_t)cola_random_below(&search->draws.keyed, n_edits);
        struct cola_edit next = cola_edits_at(&search->space, chain.n_layers, number);
        cola_chain_edit(&chain, &next, search->n_model_layers, search->space.min_layers,
                        search->space.max_layers, state->room[n_made & 1], &chain);
        *edit = n_made++ == 0 ? next : (struct cola_edit){.kind = COLA_EDIT_NONE};
    }
    return chain;
}

static enum cola_status simulate(struct cola_search *search, struct cola_step *step)
{
    for (int i = 0; i <= MAX_REDRAWS; i++) {
        struct cola_edit edit;
        struct cola_chain chain = draw_chain(search, &edit);
        if (cola_tree_find(&search->tree, &chain) == COLA_NO_NODE)
            return cola_tree_add(&search->tree, &chain, &edit, 0, &step->node);
    }
    return COLA_OK;
}

const struct cola_policy cola_policy_random = {
    .name = "random",
    .source = "baseline: random edits of the base chain, no learning",
    .fixed = COLA_NUMBER_EXPLORATION | COLA_NUMBER_LENGTH_PENALTY | COLA_NUMBER_EPSILON,
    .create = create,
    .destroy = destroy,
    .simulate = simulate,
    .back_up = cola_policy_back_up_plain,
    .bytes = bytes,
};

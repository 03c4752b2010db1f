/* policy_exhaustive.c - every single edit of the base, one a simulation, in the order of their numbers
 * (edits.h): a map of which blocks of a model matter. No chance, no learning, no state: the node's number
 * tells how many edits are done. The base's layers are all different, so different edits make different
 * chains. */
#include "search/policy.h"

#include <assert.h>
#include <stdlib.h>

#include "cola/memory.h"

static enum cola_status add_edit(struct cola_search *search, uint32_t number, cola_layer *room,
                                 uint32_t *node)
{
    const struct cola_edit_space *space = &search->space;
    struct cola_chain base = cola_tree_chain(&search->tree, 0), made;
    struct cola_edit edit = cola_edits_at(space, base.n_layers, number);
    bool fits = cola_chain_edit(&base, &edit, search->n_model_layers, space->min_layers, space->max_layers,
                                room, &made);
    assert(fits && cola_tree_find(&search->tree, &made) == COLA_NO_NODE);
    if (!fits) return COLA_OK;
    return cola_tree_add(&search->tree, &made, &edit, 0, node);
}

static enum cola_status simulate(struct cola_search *search, struct cola_step *step)
{
    uint32_t number = (uint32_t)search->tree.n_nodes - 1;
    cola_layer *room = NULL;
    if (number == cola_edits_count(&search->space, search->n_model_layers)) return COLA_OK;
    COLA_TRY(cola_alloc((void **)&room, COLA_CHAIN_MAX(search->n_model_layers), sizeof *room, "search"));
    enum cola_status status = add_edit(search, number, room, &step->node);
    free(room);
    return status;
}

const struct cola_policy cola_policy_exhaustive = {
    .name = "exhaustive",
    .source = "every single edit of the base chain",
    .fixed = COLA_NUMBER_EXPLORATION | COLA_NUMBER_LENGTH_PENALTY | COLA_NUMBER_EPSILON,
    .simulate = simulate,
    .back_up = cola_policy_back_up_plain,
};

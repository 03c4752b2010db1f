/* steps.c - see steps.h. The base's evaluation is the first step, every further one is the policy's. */
#include "search/steps.h"

#include <assert.h>
#include <stdlib.h>

#include "cola/memory.h"

static enum cola_status add_base(struct cola_search *state, uint32_t *node)
{
    cola_layer *room = NULL;
    COLA_TRY(cola_alloc((void **)&room, state->n_model_layers, sizeof *room, "search"));
    struct cola_chain base = cola_chain_base(state->n_model_layers, room);
    struct cola_edit none = {.kind = COLA_EDIT_NONE};
    enum cola_status status = cola_tree_add(&state->tree, &base, &none, COLA_NO_NODE, node);
    free(room);
    return status;
}

/* The next step: the base, then what the policy says. */
static enum cola_status next_step(struct cola_search *state, struct cola_step *step)
{
    step->known = false;
    if (state->tree.n_nodes == 0) return add_base(state, &step->node);
    COLA_TRY(state->policy->simulate(state, step));
    if (state->draws.ran_out)
        return cola_fail(COLA_ERR_INPUT, "search: too few draws: the list of %zu ran out in simulation %u",
                         state->draws.n_list, state->n_simulations);
    return COLA_OK;
}

/* The step's chain has its result. */
static void end_step(struct cola_search *state, const struct cola_step *step)
{
    const struct cola_policy *policy = state->policy;
    if (state->n_steps++ == 0 && policy->base_is_outside) return;
    double reward = policy->back_up(state, step->node);
    if (state->observer) {
        struct cola_simulation simulation = {
            .chain = cola_tree_chain(&state->tree, step->node), .evaluated = !step->known, .reward = reward};
        state->observer(state->observer_user, &simulation);
    }
    state->n_simulations++;
    if (policy->stop && policy->stop(state, step->node)) state->finished = true;
}

void cola_steps_fail(struct cola_search *state)
{
    state->failed = state->finished = true;
}

void cola_steps_begin(struct cola_search *state)
{
    assert(!state->waiting);
    while (!state->finished && state->n_simulations < state->options.n_simulations) {
        struct cola_step step = {.node = COLA_NO_NODE};
        size_t n_before = state->tree.n_nodes;
        if (next_step(state, &step) != COLA_OK) {
            state->waiting = state->tree.n_nodes > n_before;
            cola_steps_fail(state);
            return;
        }
        if (step.node == COLA_NO_NODE) break;
        if (!step.known) {
            assert(step.node == state->tree.n_nodes - 1);
            state->waiting = true;
            return;
        }
        end_step(state, &step); /* published code simulates on without an evaluation */
    }
    state->finished = true;
}

struct cola_chain cola_steps_chain(const struct cola_search *state)
{
    assert(state->waiting);
    return cola_tree_chain(&state->tree, (uint32_t)state->tree.n_nodes - 1);
}

void cola_steps_end(struct cola_search *state, const struct cola_verdict *verdict)
{
    assert(state->waiting);
    struct cola_step step = {.node = (uint32_t)state->tree.n_nodes - 1};
    struct cola_node *node = &state->tree.node[step.node];
    node->simulation = state->n_steps;
    node->reward = verdict->reward;
    node->prediction = verdict->prediction;
    state->waiting = false;
    end_step(state, &step);
}

/* policy_drllm_code.c - the search of Dr.LLM (arXiv 2510.12773) as its published code does it, replayed
 * exactly from recorded runs (tests/data/traces/drllm-code.json). docs/search.md is this file in words.
 *
 * A node only gets a child while it has none, and a simulation goes down while there are children: so the
 * tree is a path, and what the selection rule would choose between is one child. Its formula is therefore not
 * computed here; its draws are made, since the numbers that follow depend on them.
 *
 * Nodes of the path may have equal chains (a repeat of count 0 makes one, so may two edits that undo each
 * other). A chain is evaluated once and is one node of search->tree; the path's nodes point there. */
#include "search/policy.h"

#include <stdlib.h>

#include "cola/memory.h"

struct path_node {
    uint32_t node; /* of search->tree: its chain and result */
    bool first;    /* the shallowest with this chain: every simulation through another passes it, too */
};

struct state {
    struct path_node *path; /* [n_path], root first */
    size_t n_path, path_room;
    struct cola_edit *action; /* [n_actions] left to the deepest node, shuffled; taken from the end */
    size_t n_actions, action_room;
    bool visited;      /* a simulation has been backed up */
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
    free(state->path);
    free(state->action);
    free(state->child);
    free(state);
}

static size_t bytes(const struct cola_search *search)
{
    const struct state *state = search->private;
    return sizeof *state + state->path_room * sizeof *state->path +
           state->action_room * sizeof *state->action +
           COLA_CHAIN_MAX(search->n_model_layers) * sizeof *state->child;
}

static enum cola_status copy(const struct cola_search *from, struct cola_search *to)
{
    const struct state *have = from->private;
    struct state *state = to->private;
    COLA_TRY(cola_policy_copy_items(have->path, have->n_path, sizeof *have->path, (void **)&state->path,
                                    &state->path_room));
    COLA_TRY(cola_policy_copy_items(have->action, have->n_actions, sizeof *have->action,
                                    (void **)&state->action, &state->action_room));
    state->n_path = have->n_path;
    state->n_actions = have->n_actions;
    state->visited = have->visited;
    return COLA_OK;
}

static enum cola_status add_action(struct state *state, struct cola_edit edit)
{
    COLA_TRY(cola_grow((void **)&state->action, &state->action_room, state->n_actions + 1,
                       sizeof *state->action, "search policy"));
    state->action[state->n_actions++] = edit;
    return COLA_OK;
}

/* The actions of a chain of n entries, in the code's order. A skip of all entries is among them, because the
 * list's length decides every draw of the shuffle; pop_action passes over it. */
static enum cola_status list_actions(struct cola_search *search, uint32_t n)
{
    struct state *state = search->private;
    const struct cola_edit_space *space = &search->space;
    state->n_actions = 0;
    for (uint32_t start = 0; start < n; start++)
        for (uint32_t size = 1; size <= space->max_skip && start + size <= n; size++)
            COLA_TRY(add_action(state, (struct cola_edit){.kind = COLA_EDIT_SKIP,
                                                          .block = (uint8_t)size,
                                                          .position = (uint16_t)start}));
    for (uint32_t start = 0; start < n && space->max_block > 0; start++) /* 0 in the space without repeats */
        for (uint32_t times = 0; times <= space->max_times && n + times <= space->max_layers; times++)
            COLA_TRY(add_action(state, (struct cola_edit){.kind = COLA_EDIT_REPEAT,
                                                          .block = 1,
                                                          .times = (uint8_t)times,
                                                          .position = (uint16_t)start}));
    return COLA_OK;
}

/* A new deepest node with the chain of this node of search->tree; its actions are shuffled at once. */
static enum cola_status append(struct cola_search *search, uint32_t node, bool first)
{
    struct state *state = search->private;
    COLA_TRY(cola_grow((void **)&state->path, &state->path_room, state->n_path + 1, sizeof *state->path,
                       "search policy"));
    state->path[state->n_path++] = (struct path_node){.node = node, .first = first};
    COLA_TRY(list_actions(search, search->tree.node[node].n_layers));
    cola_draws_shuffle(&search->draws, state->action, (uint32_t)state->n_actions);
    return COLA_OK;
}

/* The node of search->tree that an action leads to from the deepest; added if its chain is new. */
static enum cola_status follow(struct cola_search *search, const struct cola_edit *action,
                               struct cola_step *step)
{
    struct state *state = search->private;
    uint32_t from = state->path[state->n_path - 1].node;
    struct cola_chain parent = cola_tree_chain(&search->tree, from), made = parent;
    if (action->kind == COLA_EDIT_SKIP || action->times > 0) /* a repeat of count 0 changes nothing */
        cola_chain_edit(&parent, action, search->n_model_layers, 1, COLA_CHAIN_MAX(search->n_model_layers),
                        state->child, &made);
    step->node = cola_tree_find(&search->tree, &made);
    step->known = step->node != COLA_NO_NODE;
    return step->known ? COLA_OK : cola_tree_add(&search->tree, &made, action, from, &step->node);
}

/* The last action of the list, false if there is none. A skip of all entries is dropped: the code makes an
 * empty chain of it, which we do not have. */
static bool pop_action(const struct cola_search *search, struct cola_edit *action)
{
    struct state *state = search->private;
    uint32_t n = search->tree.node[state->path[state->n_path - 1].node].n_layers;
    while (state->n_actions > 0) {
        *action = state->action[--state->n_actions];
        if (action->kind != COLA_EDIT_SKIP || action->block < n) return true;
    }
    return false;
}

/* One draw decides at every node with a child, a second one picks among its only child. */
static void descend(struct cola_search *search)
{
    const struct state *state = search->private;
    for (size_t i = 1; i < state->n_path; i++)
        if (cola_draws_uniform(&search->draws) < search->options.epsilon)
            cola_draws_choice(&search->draws, 1);
}

static enum cola_status simulate(struct cola_search *search, struct cola_step *step)
{
    struct state *state = search->private;
    if (state->n_path == 0) COLA_TRY(append(search, 0, true));
    descend(search);
    struct cola_edit action;
    if (state->visited && pop_action(search, &action)) {
        COLA_TRY(follow(search, &action, step));
        return append(search, step->node, !step->known);
    }
    step->node =
        state->path[state->n_path - 1].node; /* the deepest again: the root at first, or a dead end */
    step->known = true;
    return COLA_OK;
}

static double back_up(struct cola_search *search, uint32_t node)
{
    struct state *state = search->private;
    double reward = search->tree.node[node].reward;
    state->visited = true;
    for (size_t i = 0; i < state->n_path; i++) {
        if (!state->path[i].first) continue;
        struct cola_node *passed = &search->tree.node[state->path[i].node];
        passed->n_visits++;
        passed->total_reward += reward;
    }
    return reward;
}

const struct cola_policy cola_policy_drllm_code = {
    .name = "drllm-code",
    .source = "arXiv 2510.12773, the authors' code",
    .fixed =
        COLA_NUMBER_MAX_BLOCK | COLA_NUMBER_MIN_LENGTH | COLA_NUMBER_EXPLORATION | COLA_NUMBER_LENGTH_PENALTY,
    .base_is_outside = true,
    .is_published_code = true,
    .create = create,
    .destroy = destroy,
    .copy = copy,
    .simulate = simulate,
    .back_up = back_up,
    .stop = cola_policy_stop_early,
    .bytes = bytes,
};

/* ask_tell.c - the life of one search behind search.h: create, ask for a chain, tell its verdict, look at the
 * nodes. The policy decides what comes next (policy.h).
 *
 * One ticket is out at a time: the next simulation depends on this one's reward. Tickets are simulation
 * numbers, so that asking ahead (speculation) can come without changing a caller. */
#include "cola/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "search/policy.h"

static struct cola_edit_space edit_space(const struct cola_search_options *o, uint32_t n_model_layers)
{
    double least = ceil(o->min_length * n_model_layers), most = floor(o->max_length * n_model_layers);
    bool skips = o->space != COLA_SPACE_REPEAT, repeats = o->space != COLA_SPACE_SKIP;
    return (struct cola_edit_space){.max_skip = skips ? o->max_skip : 0,
                                    .max_block = repeats ? o->max_block : 0,
                                    .max_times = repeats ? o->max_times : 0,
                                    .min_layers = least < 1 ? 1 : (uint32_t)least,
                                    .max_layers = (uint32_t)most};
}

enum cola_status cola_search_create(const struct cola_search_options *options, uint32_t n_model_layers,
                                    uint32_t sample, struct cola_search **out)
{
    COLA_TRY(cola_search_check(options));
    if (n_model_layers < 1 || n_model_layers > COLA_LAYERS_MAX)
        return cola_fail(COLA_ERR_INPUT, "search: a model of %u layers, expected 1 .. %u", n_model_layers,
                         COLA_LAYERS_MAX);
    struct cola_search *search = NULL;
    COLA_TRY(cola_alloc((void **)&search, 1, sizeof *search, "search"));
    search->options = *options;
    search->policy = cola_policy_find(options->policy);
    search->options.policy = search->policy->name; /* the caller's string may go away */
    search->n_model_layers = n_model_layers;
    search->sample = sample;
    search->space = edit_space(options, n_model_layers);
    search->draws = cola_draws_keyed(options->seed, sample, COLA_STREAM_SEARCH);
    enum cola_status status = search->policy->create ? search->policy->create(search) : COLA_OK;
    if (status != COLA_OK) {
        cola_search_destroy(search);
        return status;
    }
    *out = search;
    return COLA_OK;
}

/* What only further simulations need. Finished trees are kept by the thousand, so it goes early. */
static void drop_private(struct cola_search *search)
{
    if (search->policy->destroy) search->policy->destroy(search);
    search->private = NULL;
}

void cola_search_destroy(struct cola_search *search)
{
    if (!search) return;
    drop_private(search);
    cola_tree_fini(&search->tree);
    free(search);
}

/* --- replaying published code ------------------------------------------------------------------------- */

enum cola_status cola_search_inject(struct cola_search *search, const double *uniform, size_t n)
{
    assert(search->tree.n_nodes == 0);
    if (!search->policy->is_published_code)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "search: policy %s is not published code that draws plain uniforms; polar and "
                         "drllm-code are",
                         search->policy->name);
    for (size_t i = 0; i < n; i++)
        if (!(uniform[i] >= 0 && uniform[i] < 1))
            return cola_fail(COLA_ERR_INPUT, "search: uniform %zu of the list is %g, expected 0 <= u < 1", i,
                             uniform[i]);
    search->draws.injected = true;
    search->draws.list = uniform;
    search->draws.n_list = n;
    return COLA_OK;
}

size_t cola_search_n_injected_used(const struct cola_search *search)
{
    return search->draws.n_used;
}

void cola_search_observe(struct cola_search *search, cola_simulation_fn *observer, void *user)
{
    search->observer = observer;
    search->observer_user = user;
}

/* --- ask and tell ------------------------------------------------------------------------------------- */

static enum cola_status add_base(struct cola_search *search, uint32_t *node)
{
    cola_layer *room = NULL;
    COLA_TRY(cola_alloc((void **)&room, search->n_model_layers, sizeof *room, "search"));
    struct cola_chain base = cola_chain_base(search->n_model_layers, room);
    struct cola_edit none = {.kind = COLA_EDIT_NONE};
    enum cola_status status = cola_tree_add(&search->tree, &base, &none, COLA_NO_NODE, node);
    free(room);
    return status;
}

/* The next step: the base, then what the policy says. */
static enum cola_status next_step(struct cola_search *search, struct cola_step *step)
{
    step->known = false;
    if (search->tree.n_nodes == 0) return add_base(search, &step->node);
    COLA_TRY(search->policy->simulate(search, step));
    if (search->draws.ran_out)
        return cola_fail(COLA_ERR_INPUT, "search: too few draws: the list of %zu ran out in simulation %u",
                         search->draws.n_list, search->n_simulations);
    return COLA_OK;
}

/* The step's chain has its result. */
static void end_step(struct cola_search *search, const struct cola_step *step)
{
    const struct cola_policy *policy = search->policy;
    if (search->n_tickets++ == 0 && policy->base_is_outside) return;
    double reward = policy->back_up(search, step->node);
    if (search->observer) {
        struct cola_simulation simulation = {
            .chain = cola_tree_chain(&search->tree, step->node), .evaluated = !step->known, .reward = reward};
        search->observer(search->observer_user, &simulation);
    }
    search->n_simulations++;
    if (policy->stop && policy->stop(search, step->node)) search->finished = true;
}

enum cola_ask cola_search_ask(struct cola_search *search, uint32_t *ticket, struct cola_chain *chain)
{
    if (search->waiting) return COLA_ASK_WAIT;
    while (!search->finished && search->n_simulations < search->options.n_simulations) {
        struct cola_step step = {.node = COLA_NO_NODE};
        search->failed = next_step(search, &step) != COLA_OK;
        search->finished = search->failed || step.node == COLA_NO_NODE;
        if (search->finished) break;
        if (step.known) { /* published code simulates on without an evaluation */
            end_step(search, &step);
            continue;
        }
        assert(step.node == search->tree.n_nodes - 1);
        search->waiting = true;
        *ticket = search->n_tickets;
        *chain = cola_tree_chain(&search->tree, step.node);
        return COLA_ASK_CHAIN;
    }
    drop_private(search);
    return COLA_ASK_DONE;
}

void cola_search_tell(struct cola_search *search, uint32_t ticket, const struct cola_verdict *verdict)
{
    assert(search->waiting && ticket == search->n_tickets);
    struct cola_step step = {.node = (uint32_t)search->tree.n_nodes - 1};
    struct cola_node *node = &search->tree.node[step.node];
    node->simulation = ticket;
    node->reward = verdict->reward;
    node->prediction = verdict->prediction;
    search->waiting = false;
    end_step(search, &step);
}

bool cola_search_failed(const struct cola_search *search)
{
    return search->failed;
}

uint32_t cola_search_n_nodes(const struct cola_search *search)
{
    return (uint32_t)search->tree.n_nodes - (search->waiting ? 1 : 0);
}

uint32_t cola_search_n_simulations(const struct cola_search *search)
{
    return search->n_simulations;
}

uint32_t cola_search_most_simulations(const struct cola_search_options *options, uint32_t n_model_layers)
{
    if (strcmp(options->policy, cola_policy_exhaustive.name) != 0) return options->n_simulations;
    struct cola_edit_space space = edit_space(options, n_model_layers);
    uint32_t all = 1 + cola_edits_count(&space, n_model_layers);
    return all < options->n_simulations ? all : options->n_simulations;
}

uint64_t cola_search_bytes(const struct cola_search *search)
{
    size_t private = search->private && search->policy->bytes ? search->policy->bytes(search) : 0;
    return sizeof *search + cola_tree_bytes(&search->tree) + private;
}

void cola_search_node(const struct cola_search *search, uint32_t index, struct cola_node_view *out)
{
    assert(index < cola_search_n_nodes(search));
    const struct cola_node *node = &search->tree.node[index];
    *out = (struct cola_node_view){.chain = cola_tree_chain(&search->tree, index),
                                   .edit = node->edit,
                                   .parent = node->parent == COLA_NO_NODE ? -1 : (int32_t)node->parent,
                                   .depth = node->depth,
                                   .simulation = node->simulation,
                                   .n_visits = node->n_visits,
                                   .total_reward = node->total_reward,
                                   .reward = node->reward,
                                   .prediction = node->prediction};
}

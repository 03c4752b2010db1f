/* ask_tell.c - the life of one search behind search.h: create, ask for a chain, tell its verdict, look at the
 * nodes. The policy decides what comes next (policy.h).
 *
 * One ticket is out at a time: the next simulation depends on this one's reward. Tickets are simulation
 * numbers, so that asking ahead (speculation) can come without changing a caller. */
#include "cola/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "cola/memory.h"
#include "search/policy.h"

static bool in_range(double x, double low, double high)
{
    return x >= low && x <= high; /* false for NaN */
}

static enum cola_status check_options(const struct cola_search_options *o, uint32_t n_model_layers)
{
    if (!cola_policy_find(o->policy))
        return cola_fail(COLA_ERR_USAGE, "search: no policy '%s'; there are %s", o->policy,
                         cola_policy_names());
    if (n_model_layers < 1 || n_model_layers > COLA_LAYERS_MAX)
        return cola_fail(COLA_ERR_INPUT, "search: a model of %u layers, expected 1 .. %u", n_model_layers,
                         COLA_LAYERS_MAX);
    if (o->n_simulations < 1) return cola_fail(COLA_ERR_USAGE, "search: 0 simulations, expected at least 1");
    if (o->space > COLA_SPACE_REPEAT)
        return cola_fail(COLA_ERR_USAGE, "search: space %d, expected both, skip or repeat", (int)o->space);
    if (o->max_skip > UINT8_MAX || o->max_block > UINT8_MAX || o->max_times > UINT8_MAX)
        return cola_fail(COLA_ERR_USAGE, "search: skip %u, block %u, times %u: each at most %u", o->max_skip,
                         o->max_block, o->max_times, UINT8_MAX);
    if (!in_range(o->min_length, 0, 4) || !in_range(o->max_length, o->min_length, 4))
        return cola_fail(COLA_ERR_USAGE, "search: length %g .. %g of L, expected 0 <= min <= max <= 4",
                         o->min_length, o->max_length);
    if (!in_range(o->epsilon, 0, 1))
        return cola_fail(COLA_ERR_USAGE, "search: epsilon %g, expected 0 .. 1", o->epsilon);
    if (!in_range(o->exploration, 0, 1e6) || !in_range(o->length_penalty, -1e6, 1e6))
        return cola_fail(COLA_ERR_USAGE,
                         "search: exploration %g, length penalty %g: expected 0 .. 1e6 and -1e6 .. 1e6",
                         o->exploration, o->length_penalty);
    return COLA_OK;
}

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
    COLA_TRY(check_options(options, n_model_layers));
    struct cola_search *search = NULL;
    COLA_TRY(cola_alloc((void **)&search, 1, sizeof *search, "search"));
    search->options = *options;
    search->policy = cola_policy_find(options->policy);
    search->options.policy = search->policy->name; /* the caller's string may go away */
    search->n_model_layers = n_model_layers;
    search->sample = sample;
    search->space = edit_space(options, n_model_layers);
    search->random = cola_random_keyed(options->seed, sample, COLA_STREAM_SEARCH);
    enum cola_status status = search->policy->create ? search->policy->create(search) : COLA_OK;
    if (status != COLA_OK) {
        cola_search_destroy(search);
        return status;
    }
    *out = search;
    return COLA_OK;
}

void cola_search_destroy(struct cola_search *search)
{
    if (!search) return;
    if (search->policy->destroy) search->policy->destroy(search);
    cola_tree_fini(&search->tree);
    free(search);
}

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

enum cola_ask cola_search_ask(struct cola_search *search, uint32_t *ticket, struct cola_chain *chain)
{
    if (search->waiting) return COLA_ASK_WAIT;
    if (search->finished || search->n_simulations == search->options.n_simulations) return COLA_ASK_DONE;
    uint32_t node = COLA_NO_NODE;
    enum cola_status status =
        search->tree.n_nodes == 0 ? add_base(search, &node) : search->policy->simulate(search, &node);
    search->failed = status != COLA_OK;
    search->finished = search->failed || node == COLA_NO_NODE;
    if (search->finished) return COLA_ASK_DONE;
    assert(node == search->tree.n_nodes - 1);
    search->waiting = true;
    *ticket = search->n_simulations;
    *chain = cola_tree_chain(&search->tree, node);
    return COLA_ASK_CHAIN;
}

void cola_search_tell(struct cola_search *search, uint32_t ticket, const struct cola_verdict *verdict)
{
    assert(search->waiting && ticket == search->n_simulations);
    uint32_t index = (uint32_t)search->tree.n_nodes - 1;
    struct cola_node *node = &search->tree.node[index];
    node->simulation = ticket;
    node->reward = verdict->reward;
    node->prediction = verdict->prediction;
    search->policy->back_up(search, index);
    search->waiting = false;
    search->n_simulations++;
    if (search->policy->stop && search->policy->stop(search)) search->finished = true;
}

void cola_policy_back_up_plain(struct cola_search *search, uint32_t node)
{
    cola_tree_back_up(&search->tree, node, search->tree.node[node].reward);
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

uint64_t cola_search_bytes(const struct cola_search *search)
{
    size_t private = search->policy->bytes ? search->policy->bytes(search) : 0;
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

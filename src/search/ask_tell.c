/* ask_tell.c - the life of one search behind search.h: create, ask for a chain, tell its verdict, look at the
 * nodes. The policy decides what comes next (policy.h).
 *
 * The next simulation depends on this one's reward, so the search itself has one chain out at a time. With
 * options.speculate above 1 a copy of it runs ahead on guesses and gives further chains (speculation.h); then
 * the search finds their results told when it comes to them. */
#include "cola/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "search/policy.h"
#include "search/speculation.h"
#include "search/steps.h"

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
    if (status == COLA_OK && options->speculate > 1)
        status = cola_speculation_create(search, &search->speculation);
    if (status != COLA_OK) {
        cola_search_destroy(search);
        return status;
    }
    *out = search;
    return COLA_OK;
}

/* What only further simulations need. */
static void drop_private(struct cola_search *search)
{
    cola_speculation_destroy(search->speculation);
    search->speculation = NULL;
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

/* The search is over. Finished trees are kept by the thousand, so what only going on needs goes at once. */
static enum cola_ask end(struct cola_search *search)
{
    drop_private(search);
    return COLA_ASK_DONE;
}

static enum cola_ask ask_one(struct cola_search *search, uint32_t *ticket, struct cola_chain *chain)
{
    if (!search->finished && search->waiting) return COLA_ASK_WAIT;
    if (!search->finished) cola_steps_begin(search);
    if (search->finished) return end(search);
    *ticket = search->ticket = search->n_steps;
    *chain = cola_steps_chain(search);
    return COLA_ASK_CHAIN;
}

/* The search's own chain first; while it is out, those of the copy that runs ahead. */
static enum cola_ask ask_several(struct cola_search *search, uint32_t *ticket, struct cola_chain *chain)
{
    struct cola_speculation *speculation = search->speculation;
    enum cola_progress progress = cola_speculation_advance(speculation, search);
    assert(progress == COLA_PROGRESS_OUT || search->failed ||
           !cola_speculation_is_ahead(speculation, search));
    if (progress == COLA_PROGRESS_NEW) {
        if (cola_speculation_issue(speculation, search, ticket, chain) == COLA_OK) return COLA_ASK_CHAIN;
        cola_steps_fail(search);
    }
    if (search->finished) return end(search);
    return cola_speculation_issue_ahead(speculation, search, ticket, chain) ? COLA_ASK_CHAIN : COLA_ASK_WAIT;
}

enum cola_ask cola_search_ask(struct cola_search *search, uint32_t *ticket, struct cola_chain *chain)
{
    if (!search->finished && search->speculation) return ask_several(search, ticket, chain);
    return ask_one(search, ticket, chain);
}

void cola_search_tell(struct cola_search *search, uint32_t ticket, const struct cola_verdict *verdict)
{
    if (search->finished && search->options.speculate > 1) return; /* its chain was not needed */
    if (search->speculation) cola_speculation_tell(search->speculation, ticket, verdict);
    if (!search->speculation) assert(search->waiting && ticket == search->ticket);
    if (search->waiting && ticket == search->ticket) cola_steps_end(search, verdict);
}

bool cola_search_release(struct cola_search *search, uint32_t ticket)
{
    if (search->finished) return true;
    return search->speculation && cola_speculation_release(search->speculation, search, ticket);
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

/* drllm-code knows no bound but that of all chains; the others keep to their space, which a policy may set.
 */
enum cola_status cola_search_most_layers(const struct cola_search_options *options, uint32_t n_model_layers,
                                         uint32_t *out)
{
    struct cola_search_options alone = *options;
    struct cola_search *search;
    alone.speculate = 1;
    COLA_TRY(cola_search_create(&alone, n_model_layers, 0, &search));
    bool unbounded = search->policy == &cola_policy_drllm_code;
    *out = unbounded ? COLA_CHAIN_MAX(n_model_layers) : search->space.max_layers;
    if (*out < n_model_layers) *out = n_model_layers; /* the base chain */
    cola_search_destroy(search);
    return COLA_OK;
}

uint64_t cola_search_bytes(const struct cola_search *search)
{
    size_t private = search->private && search->policy->bytes ? search->policy->bytes(search) : 0;
    size_t ahead = search->speculation ? cola_speculation_bytes(search->speculation) : 0;
    return sizeof *search + cola_tree_bytes(&search->tree) + private + ahead;
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

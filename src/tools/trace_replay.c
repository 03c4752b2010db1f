/* trace_replay.c - one recorded run through cola_search_ask and _tell, the same that `cola search` uses: only
 * the random numbers and the evaluations come from the trace. Stops at the first difference. */
#include <stdio.h>
#include <string.h>

#include "cola/search.h"
#include "tools/trace.h"

double trace_reward(uint8_t salt, double p, const struct cola_chain *chain)
{
    const uint64_t prime = 0x100000001b3;
    uint64_t h = (0xcbf29ce484222325 ^ salt) * prime;
    for (uint32_t i = 0; i < chain->n_layers; i++) h = (h ^ (uint8_t)chain->layer[i]) * prime;
    return (double)(h >> 11) * 0x1p-53 < p;
}

struct replay {
    const struct trace_run *run;
    size_t n_steps;          /* simulations seen */
    enum cola_status status; /* of the first difference */
};

enum { CHAIN_TEXT = 300 };

static bool equal(const struct trace_chain *a, const struct cola_chain *b)
{
    struct cola_chain chain = {.layer = a->layer, .n_layers = a->n_layers};
    return cola_chain_equal(&chain, b);
}

static void print_expected(const struct trace_chain *chain, char text[CHAIN_TEXT])
{
    struct cola_chain plain = {.layer = chain->layer, .n_layers = chain->n_layers};
    cola_chain_print(&plain, text, CHAIN_TEXT);
}

/* Called by the search after each simulation. */
static void compare_step(void *user, const struct cola_simulation *found)
{
    struct replay *replay = user;
    size_t i = replay->n_steps++;
    char want[CHAIN_TEXT], have[CHAIN_TEXT];
    if (replay->status != COLA_OK) return;
    cola_chain_print(&found->chain, have, sizeof have);
    if (i >= replay->run->n_steps) {
        replay->status = cola_fail(COLA_ERR_MISMATCH, "simulation %zu: expected the end, found %s", i, have);
        return;
    }
    const struct trace_step *step = &replay->run->step[i];
    bool same_new = !step->has_new || step->is_new == found->evaluated;
    if (same_new && step->reward == found->reward && equal(&step->chain, &found->chain)) return;
    print_expected(&step->chain, want);
    const char *want_new = !step->has_new ? "" : step->is_new ? ", new" : ", not new";
    const char *have_new = !step->has_new ? "" : found->evaluated ? ", new" : ", not new";
    replay->status =
        cola_fail(COLA_ERR_MISMATCH, "simulation %zu: expected %s, reward %g%s; found %s, reward %g%s", i,
                  want, step->reward, want_new, have, found->reward, have_new);
}

/* Bounds in layers as multiples of L that ceil and floor take back exactly. */
static enum cola_status set_options(const char *preset, const struct trace_run *run,
                                    struct cola_search_options *options)
{
    COLA_TRY(cola_search_preset(preset, options));
    options->n_simulations = run->simulations;
    if (run->min_length) options->min_length = (run->min_length - 0.5) / run->layers;
    if (run->max_length == COLA_CHAIN_MAX(run->layers))
        options->max_length = 4;
    else if (run->max_length)
        options->max_length = (run->max_length + 0.5) / run->layers;
    return COLA_OK;
}

static enum cola_status run_search(struct cola_search *search, struct replay *replay)
{
    const struct trace_run *run = replay->run;
    uint32_t ticket;
    struct cola_chain chain;
    bool base = true;
    while (replay->status == COLA_OK && cola_search_ask(search, &ticket, &chain) == COLA_ASK_CHAIN) {
        struct cola_verdict verdict = {.prediction = -1};
        verdict.reward = (float)trace_reward(run->salt, run->p, &chain);
        if (base && run->has_base_reward && run->base_reward != (double)verdict.reward)
            return cola_fail(COLA_ERR_MISMATCH, "base_reward: expected %g, found %g", run->base_reward,
                             (double)verdict.reward);
        base = false;
        cola_search_tell(search, ticket, &verdict);
    }
    if (replay->status != COLA_OK) return replay->status;
    return cola_search_failed(search) ? COLA_ERR_INPUT : COLA_OK; /* the search said why */
}

/* The evaluated chains with at least this reward, against the trace's list. */
static enum cola_status compare_list(const struct cola_search *search, const char *name,
                                     const struct trace_list *list, float least_reward)
{
    char want[CHAIN_TEXT] = "the end", have[CHAIN_TEXT] = "the end";
    struct cola_node_view node;
    size_t i = 0;
    if (!list->given) return COLA_OK;
    for (uint32_t n = 0; n < cola_search_n_nodes(search); n++) {
        cola_search_node(search, n, &node);
        if (node.reward < least_reward) continue;
        if (i < list->n && equal(&list->chain[i], &node.chain)) {
            i++;
            continue;
        }
        cola_chain_print(&node.chain, have, sizeof have);
        break;
    }
    if (i == list->n && strcmp(have, want) == 0) return COLA_OK;
    if (i < list->n) print_expected(&list->chain[i], want);
    return cola_fail(COLA_ERR_MISMATCH, "%s[%zu]: expected %s, found %s", name, i, want, have);
}

static enum cola_status compare_end(const struct cola_search *search, const struct replay *replay)
{
    const struct trace_run *run = replay->run;
    char want[CHAIN_TEXT];
    if (replay->n_steps < run->n_steps) {
        print_expected(&run->step[replay->n_steps].chain, want);
        return cola_fail(COLA_ERR_MISMATCH, "simulation %zu: expected %s, found the end", replay->n_steps,
                         want);
    }
    if (cola_search_n_injected_used(search) != run->n_draws)
        return cola_fail(COLA_ERR_MISMATCH, "draws: expected all %zu to be used, found %zu used",
                         run->n_draws, cola_search_n_injected_used(search));
    COLA_TRY(compare_list(search, "evaluated", &run->evaluated, 0));
    return compare_list(search, "good", &run->good, 1);
}

enum cola_status trace_replay(const char *preset, const struct trace_run *run)
{
    struct cola_search_options options;
    struct cola_search *search;
    struct replay replay = {.run = run};
    COLA_TRY(set_options(preset, run, &options));
    COLA_TRY(cola_search_create(&options, run->layers, 0, &search));
    cola_search_observe(search, compare_step, &replay);
    enum cola_status status = cola_search_inject(search, run->uniform, run->n_draws);
    if (status == COLA_OK) status = run_search(search, &replay);
    if (status == COLA_OK) status = compare_end(search, &replay);
    cola_search_destroy(search);
    return status;
}

/* simulate_sharing.c - what sharing chain prefixes could save, without a model: searches of a preset on
 * made-up rewards, their chains through a trie of prefixes as src/engine/prefix.c keeps it (least recently
 * used first, a state's ancestors count as used with it), for several strides and numbers of states a sample.
 *
 *     simulate_sharing [PRESET [SIMULATIONS [MODEL_LAYERS]]]
 *
 * A third of the samples is nearly always wrong, a third sometimes right, a third mostly. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "cola/random.h"
#include "cola/search.h"

enum { N_SAMPLES = 40, MAX_STRIDE = 4 };

struct node {
    cola_layer layer[MAX_STRIDE];
    uint32_t first_child, next_sibling, parent;
    bool held;
    uint64_t used;
};

struct trie {
    struct node *node;
    size_t n_nodes, room;
    uint32_t stride, n_held, n_most; /* n_most 0: no bound */
    uint64_t clock;
};

static uint32_t child_of(const struct trie *t, uint32_t node, const cola_layer *layer)
{
    uint32_t child = t->node[node].first_child;
    while (child && memcmp(t->node[child].layer, layer, t->stride * sizeof *layer) != 0)
        child = t->node[child].next_sibling;
    return child;
}

static enum cola_status reach(struct trie *t, uint32_t node, const cola_layer *layer, uint32_t *out)
{
    *out = child_of(t, node, layer);
    if (*out) return COLA_OK;
    COLA_TRY(cola_grow((void **)&t->node, &t->room, t->n_nodes + 1, sizeof *t->node, "nodes"));
    struct node *child = &t->node[t->n_nodes];
    *child = (struct node){0};
    memcpy(child->layer, layer, t->stride * sizeof *layer);
    child->next_sibling = t->node[node].first_child;
    child->parent = node;
    t->node[node].first_child = (uint32_t)t->n_nodes;
    *out = (uint32_t)t->n_nodes++;
    return COLA_OK;
}

static void touch(struct trie *t, uint32_t node)
{
    t->clock++;
    for (; node; node = t->node[node].parent) t->node[node].used = t->clock;
}

static void drop_oldest(struct trie *t)
{
    struct node *oldest = NULL;
    for (size_t i = 1; i < t->n_nodes; i++)
        if (t->node[i].held && (!oldest || t->node[i].used <= oldest->used)) oldest = &t->node[i];
    oldest->held = false;
    t->n_held--;
}

/* Layers that the chain need not execute; then its own states are held. */
static enum cola_status pass(struct trie *t, const struct cola_chain *chain, uint32_t *n_shared)
{
    uint32_t node = 0, best = 0;
    *n_shared = 0;
    for (uint32_t at = 0; at + t->stride <= chain->n_layers; at += t->stride) {
        node = child_of(t, node, chain->layer + at);
        if (!node) break;
        if (t->node[node].held) best = node, *n_shared = at + t->stride;
    }
    if (best) touch(t, best);
    node = 0;
    for (uint32_t at = 0; at + t->stride < chain->n_layers; at += t->stride) {
        COLA_TRY(reach(t, node, chain->layer + at, &node));
        if (at + t->stride <= *n_shared) continue;
        touch(t, node);
        if (t->node[node].held) continue;
        if (t->n_most && t->n_held == t->n_most) drop_oldest(t);
        t->node[node].held = true;
        t->n_held++;
    }
    return COLA_OK;
}

struct totals {
    uint64_t n_chains, asked, shared, most;
};

static enum cola_status search_sample(const struct cola_search_options *options, uint32_t n_model_layers,
                                      uint32_t sample, struct trie *t, struct totals *sum)
{
    static const double right[] = {0.02, 0.3, 0.8};
    struct cola_random random = cola_random_keyed(7, sample, COLA_STREAM_SYNTHETIC);
    struct cola_search *search;
    struct cola_chain chain;
    uint32_t ticket, shared;
    t->n_nodes = 0, t->n_held = 0;
    COLA_TRY(cola_grow((void **)&t->node, &t->room, 1, sizeof *t->node, "nodes"));
    t->node[t->n_nodes++] = (struct node){0};
    COLA_TRY(cola_search_create(options, n_model_layers, sample, &search));
    enum cola_status status = COLA_OK;
    while (status == COLA_OK && cola_search_ask(search, &ticket, &chain) == COLA_ASK_CHAIN) {
        struct cola_verdict verdict = {.reward = cola_random_uniform(&random) < right[sample % 3]};
        status = pass(t, &chain, &shared);
        sum->n_chains++;
        sum->asked += chain.n_layers;
        sum->shared += shared;
        cola_search_tell(search, ticket, &verdict);
    }
    if (t->n_held > sum->most) sum->most = t->n_held;
    cola_search_destroy(search);
    return status;
}

static enum cola_status simulate(const struct cola_search_options *options, uint32_t n_model_layers)
{
    static const uint32_t n_most[] = {0, 1600, 800, 400, 200, 100, 50};
    printf("stride  states a sample  layers shared  mean chain\n");
    for (uint32_t stride = 1; stride <= MAX_STRIDE; stride *= 2)
        for (size_t i = 0; i < sizeof n_most / sizeof *n_most; i++) {
            struct trie trie = {.stride = stride, .n_most = n_most[i]};
            struct totals sum = {0};
            enum cola_status status = COLA_OK;
            for (uint32_t s = 0; s < N_SAMPLES && status == COLA_OK; s++)
                status = search_sample(options, n_model_layers, s, &trie, &sum);
            free(trie.node);
            COLA_TRY(status);
            printf("%6u  %8llu%-7s  %11.1f %%  %10.1f\n", stride, (unsigned long long)sum.most,
                   n_most[i] ? "" : " (all)", 100.0 * (double)sum.shared / (double)sum.asked,
                   (double)sum.asked / (double)sum.n_chains);
        }
    return COLA_OK;
}

int main(int argc, char **argv)
{
    struct cola_search_options options;
    uint32_t n_model_layers = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 30;
    enum cola_status status = cola_search_preset(argc > 1 ? argv[1] : "cola", &options);
    if (status == COLA_OK && argc > 2) options.n_simulations = (uint32_t)strtoul(argv[2], NULL, 10);
    if (status == COLA_OK) status = simulate(&options, n_model_layers);
    if (status == COLA_OK) return 0;
    fprintf(stderr, "simulate_sharing: %s\n", cola_error_text());
    return 1;
}

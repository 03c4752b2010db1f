/* naive.h - the search procedures written again from docs/search.md, slowly and plainly, and with defects
 * that can be switched on: what the tree of src/search is compared with. Shares base (Philox, log) and
 * nothing else with it. */
#ifndef COLA_TEST_NAIVE_H
#define COLA_TEST_NAIVE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cola/exact_math.h"
#include "cola/random.h"
#include "unit/search/landscape.h"

enum naive_defect {
    NAIVE_RIGHT,
    NAIVE_TIES_TO_YOUNGER,
    NAIVE_V_ONE_MORE,         /* V counts the present simulation */
    NAIVE_V_OF_PARENT,        /* UCT's usual visits of the parent */
    NAIVE_DRAW_WITHOUT_CHILD, /* a draw where none is due */
    NAIVE_DRAW_WHEN_CLOSED,
    NAIVE_KEY_OF_PARENT, /* all nodes share the base's permutation */
    NAIVE_DUPLICATES_COUNT,
    NAIVE_DEAD_STAY, /* a node whose subtree is used up is still selected: the search ends there */
    NAIVE_PENALTY_BY_DEPTH,
    N_NAIVE_DEFECTS, /* of cola's procedure; the rest: of drllm's early stop */
    NAIVE_STOPS_ONE_SHORTER = N_NAIVE_DEFECTS,
    NAIVE_STOPS_AT_ANY_RIGHT,
    NAIVE_STOPS_ONLY_ABOVE_BASE,
    NAIVE_STOPS_ONLY_SHORTER,
    N_NAIVE_STOP_DEFECTS
};

enum { NAIVE_NODES = 256, NAIVE_LAYERS = 4 * 32, NAIVE_EDITS = 2048 };

struct naive_edit {
    uint32_t kind, block, times, position;
};

struct naive_node {
    cola_layer layer[NAIVE_LAYERS];
    uint32_t n_layers;
    int parent; /* -1: base */
    struct naive_edit edit;
    uint32_t depth, n_visits, n_tried;
    double total;
    int closed;
};

struct naive {
    const struct cola_search_options *options;
    uint32_t L, sample;
    enum landscape landscape;
    enum naive_defect defect;
    struct cola_random random;
    uint32_t n_nodes;
    struct naive_node node[NAIVE_NODES];
};

static inline uint32_t naive_edits(const struct naive *s, uint32_t n, struct naive_edit *edit)
{
    uint32_t n_edits = 0;
    double least = ceil(s->options->min_length * s->L), most = floor(s->options->max_length * s->L);
    if (least < 1) least = 1;
    for (uint32_t k = 1; k <= s->options->max_skip && s->options->space != COLA_SPACE_REPEAT; k++)
        for (uint32_t p = 0; p + k <= n; p++)
            if (n - k >= least && n - k <= most) edit[n_edits++] = (struct naive_edit){1, k, 0, p};
    for (uint32_t k = 1; k <= s->options->max_block && s->options->space != COLA_SPACE_SKIP; k++)
        for (uint32_t r = 1; r <= s->options->max_times; r++)
            for (uint32_t p = 0; p + k <= n; p++)
                if (n + k * r >= least && n + k * r <= most)
                    edit[n_edits++] = (struct naive_edit){2, k, r, p};
    return n_edits;
}

static inline uint32_t naive_apply(const cola_layer *from, uint32_t n, const struct naive_edit *edit,
                                   cola_layer *to)
{
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (edit->kind == 1 && i >= edit->position && i < edit->position + edit->block) continue;
        to[m++] = from[i];
        if (edit->kind == 2 && i == edit->position + edit->block - 1)
            for (uint32_t j = 0; j < edit->times * edit->block; j++)
                to[m++] = from[edit->position + j % edit->block];
    }
    return m;
}

static inline uint32_t naive_permutation(const struct naive *s, uint32_t node, uint32_t n_edits, uint32_t i)
{
    uint64_t seed = s->options->seed;
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)}, counter[4] = {node, 3u << 16, s->sample, 0};
    uint32_t own[4], h = 1;
    cola_philox(counter, key, own); /* words 0 and 1 are the node's key */
    while (pow(4, h) < n_edits) h++;
    do {
        uint32_t left = i >> h, right = i % (1u << h);
        for (uint32_t round = 0; round < 10; round++) {
            uint32_t block[4], at[4] = {right, round, 0, 0};
            cola_philox(at, own, block);
            uint32_t next = left ^ (block[0] >> (32 - h));
            left = right;
            right = next;
        }
        i = left * (1u << h) + right;
    } while (i >= n_edits);
    return i;
}

static inline int naive_known(const struct naive *s, const cola_layer *layer, uint32_t n)
{
    for (uint32_t i = 0; i < s->n_nodes; i++)
        if (s->node[i].n_layers == n && memcmp(s->node[i].layer, layer, n * sizeof *layer) == 0) return 1;
    return 0;
}

static inline int naive_dead(const struct naive *s, uint32_t node)
{
    if (!s->node[node].closed) return 0;
    for (uint32_t i = 0; i < s->n_nodes; i++)
        if (s->node[i].parent == (int)node && !naive_dead(s, i)) return 0;
    return 1;
}

static inline void naive_evaluate(struct naive *s, int parent, const struct naive_edit *edit,
                                  const cola_layer *layer, uint32_t n)
{
    struct naive_node *node = &s->node[s->n_nodes++];
    memset(node, 0, sizeof *node);
    memcpy(node->layer, layer, n * sizeof *layer);
    node->n_layers = n;
    node->parent = parent;
    node->edit = *edit;
    node->depth = parent < 0 ? 0 : s->node[parent].depth + 1;
    struct cola_chain chain = {.layer = layer, .n_layers = n};
    double reward = landscape_judge(s->landscape, &chain, s->L).reward;
    for (int i = (int)s->n_nodes - 1; i >= 0; i = s->node[i].parent) {
        s->node[i].n_visits++;
        s->node[i].total += reward;
    }
}

static inline int naive_best(const struct naive *s, uint32_t node)
{
    const struct cola_search_options *o = s->options;
    int best = -1;
    double best_bound = 0, V = s->n_nodes;
    if (s->defect == NAIVE_V_ONE_MORE) V += 1;
    if (s->defect == NAIVE_V_OF_PARENT) V = s->node[node].n_visits;
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const struct naive_node *c = &s->node[i];
        if (c->parent != (int)node || (naive_dead(s, i) && s->defect != NAIVE_DEAD_STAY)) continue;
        double v = c->n_visits, n = s->defect == NAIVE_PENALTY_BY_DEPTH ? c->depth : c->n_layers;
        double b =
            (c->total / v + o->exploration * sqrt(cola_exact_log(V) / v)) - o->length_penalty * n / s->L;
        int better = best < 0 || b > best_bound || (s->defect == NAIVE_TIES_TO_YOUNGER && b == best_bound);
        if (better) best = (int)i, best_bound = b;
    }
    return best;
}

/* One simulation of `cola` after the first; 0: the search is over. */
static inline int naive_simulate_cola(struct naive *s)
{
    static struct naive_edit edit[NAIVE_EDITS];
    for (uint32_t at = 0; !naive_dead(s, 0);) {
        int has_live_child = 0;
        for (uint32_t i = 0; i < s->n_nodes; i++)
            has_live_child |= s->node[i].parent == (int)at && !naive_dead(s, i);
        int draw = (!s->node[at].closed && has_live_child) ||
                   (s->defect == NAIVE_DRAW_WITHOUT_CHILD && !has_live_child) ||
                   (s->defect == NAIVE_DRAW_WHEN_CLOSED && s->node[at].closed);
        double u = draw ? cola_random_uniform(&s->random) : 0;
        if (s->node[at].closed || (has_live_child && u >= s->options->epsilon)) {
            int best = naive_best(s, at);
            if (best < 0) return 0;
            at = (uint32_t)best;
            continue;
        }
        uint32_t n_edits = naive_edits(s, s->node[at].n_layers, edit);
        while (s->node[at].n_tried < n_edits) {
            uint32_t key_node = s->defect == NAIVE_KEY_OF_PARENT ? 0 : at;
            struct naive_edit *e = &edit[naive_permutation(s, key_node, n_edits, s->node[at].n_tried++)];
            cola_layer layer[NAIVE_LAYERS];
            uint32_t n = naive_apply(s->node[at].layer, s->node[at].n_layers, e, layer);
            if (naive_known(s, layer, n) && s->defect != NAIVE_DUPLICATES_COUNT) continue;
            naive_evaluate(s, (int)at, e, layer, n);
            return 1;
        }
        s->node[at].closed = 1;
        if (naive_dead(s, at)) at = 0;
    }
    return 0;
}

static inline int naive_simulate_random(struct naive *s)
{
    static struct naive_edit edit[NAIVE_EDITS];
    for (int draw = 0; draw < 1001; draw++) {
        uint32_t m = 1, n = s->L, made = 0;
        cola_layer layer[NAIVE_LAYERS], next[NAIVE_LAYERS];
        memcpy(layer, s->node[0].layer, n * sizeof *layer);
        while (cola_random_uniform(&s->random) < 0.5) m++;
        struct naive_edit only = {0};
        for (; made < m; made++) {
            uint32_t n_edits = naive_edits(s, n, edit);
            if (n_edits == 0) break;
            struct naive_edit *e = &edit[cola_random_below(&s->random, n_edits)];
            n = naive_apply(layer, n, e, next);
            memcpy(layer, next, n * sizeof *layer);
            only = *e;
        }
        if (naive_known(s, layer, n)) continue;
        if (made != 1) memset(&only, 0, sizeof only);
        naive_evaluate(s, 0, &only, layer, n);
        return 1;
    }
    return 0;
}

static inline double naive_reward(const struct naive *s, uint32_t node)
{
    struct cola_chain chain = {.layer = s->node[node].layer, .n_layers = s->node[node].n_layers};
    return landscape_judge(s->landscape, &chain, s->L).reward;
}

/* The early stop of `drllm`, after the youngest node. */
static inline int naive_stops(const struct naive *s)
{
    double base = naive_reward(s, 0), reward = naive_reward(s, s->n_nodes - 1);
    uint32_t shorter = s->defect == NAIVE_STOPS_ONE_SHORTER ? 1 : 2, n = s->node[s->n_nodes - 1].n_layers;
    if (s->defect == NAIVE_STOPS_AT_ANY_RIGHT && reward > 0) return 1;
    if (s->defect != NAIVE_STOPS_ONLY_SHORTER && reward > base) return 1;
    return s->defect != NAIVE_STOPS_ONLY_ABOVE_BASE && reward > 0 && n + shorter <= s->L;
}

/* Caller frees. */
static inline struct naive *naive_run(const struct cola_search_options *options, uint32_t L, uint32_t sample,
                                      enum landscape landscape, enum naive_defect defect)
{
    struct naive *s = calloc(1, sizeof *s);
    s->options = options;
    s->L = L;
    s->sample = sample;
    s->landscape = landscape;
    s->defect = defect;
    s->random = cola_random_keyed(options->seed, sample, 1);
    struct naive_edit none = {0};
    cola_layer base[NAIVE_LAYERS];
    for (uint32_t i = 0; i < L; i++) base[i] = (cola_layer)i;
    naive_evaluate(s, -1, &none, base, L);
    int random = strcmp(options->policy, "random") == 0, stops = strcmp(options->policy, "drllm") == 0;
    while (s->n_nodes < options->n_simulations && !(stops && naive_stops(s)) &&
           (random ? naive_simulate_random(s) : naive_simulate_cola(s))) {
    }
    return s;
}

#endif

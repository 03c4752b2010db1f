/* naive_published.h - the two published procedures written again from docs/search.md, slowly and plainly, and
 * with defects that can be switched on: what policy_polar.c and policy_drllm_code.c are compared with, and
 * what shows that the recorded runs tell such defects apart. Shares base and chain text with them, nothing
 * else. */
#ifndef COLA_TEST_NAIVE_PUBLISHED_H
#define COLA_TEST_NAIVE_PUBLISHED_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cola/chain.h"
#include "cola/exact_math.h"
#include "cola/random.h"

enum published_defect {
    PUBLISHED_RIGHT,
    POLAR_FIRST_DEFECT,
    POLAR_ROOT_UPDATED_FIRST = POLAR_FIRST_DEFECT, /* V of the bounds counts the present simulation */
    POLAR_BASE_COUNTS,                             /* the root's visits start at 1 */
    POLAR_VISITS_OF_PARENT,                        /* in place of the root's */
    POLAR_FRESH_BOUNDS,                            /* computed when a child is chosen, not stored */
    POLAR_UNVISITED_FIRST,                         /* +infinity */
    POLAR_TIES_TO_YOUNGER,
    POLAR_CHOICE_NOT_SORTED,
    POLAR_SHORTER_SORTED_FIRST, /* by length, then by layers */
    POLAR_OWN_SCORE,            /* a node with a score backs up its own, not the score before */
    POLAR_DONE_NOT_KEPT,        /* nodes without candidates stay selectable */
    POLAR_DONE_NOT_PASSED_UP,
    POLAR_BLOCKS_EVERYWHERE,
    POLAR_NO_BLOCKS,
    POLAR_THIRD_PASS_ALLOWED,
    POLAR_KNOWN_CHAINS_AGAIN,
    POLAR_SKIPS_BEFORE_REPEATS, /* all positions' skips, then all repeats */
    POLAR_EPSILON_INCLUDED,     /* u <= epsilon */
    POLAR_LAST_DEFECT = POLAR_EPSILON_INCLUDED,
    CODE_FIRST_DEFECT,
    CODE_NO_COUNT_ZERO = CODE_FIRST_DEFECT,
    CODE_SHUFFLES_UPWARDS,
    CODE_TAKES_FROM_FRONT,
    CODE_ROOT_NOT_SHUFFLED,
    CODE_NO_SECOND_DRAW,
    CODE_DRAWS_AT_LEAF,
    CODE_EXPANDS_AT_ONCE, /* the root gets a child in the first simulation */
    CODE_REPEATS_FIRST,
    CODE_BY_SIZE_FIRST, /* skips by size, then start */
    CODE_STOPS_AT_ONE_SHORTER,
    CODE_STOPS_ONLY_ABOVE_BASE,
    CODE_STOPS_AT_EQUAL_REWARD,
    CODE_EPSILON_INCLUDED,
    CODE_LAST_DEFECT = CODE_EPSILON_INCLUDED
};

enum { PUBLISHED_ENTRIES = 4 * 48, PUBLISHED_STEPS = 256 };

struct published_node {
    cola_layer layer[PUBLISHED_ENTRIES];
    uint32_t n_layers, parent, n_visits;
    double total, bound, score;
    bool scored, done;
    uint32_t *child, n_children;
};

struct published_step {
    cola_layer layer[PUBLISHED_ENTRIES];
    uint32_t n_layers;
    bool is_new;
    double reward;
};

struct published {
    /* what is asked */
    uint32_t L, least, most, max_skip, max_block, n_simulations;
    double epsilon;
    enum published_defect defect;
    double (*reward)(const void *user, const struct cola_chain *chain);
    const void *user;
    struct cola_random keyed; /* used if list is NULL */
    const double *list;
    size_t n_list;
    /* what came of it */
    size_t n_used;
    bool ran_out;
    struct published_step step[PUBLISHED_STEPS];
    uint32_t n_steps;
    /* while it runs */
    struct published_node *node;
    uint32_t n_nodes, node_room;
    double last;
};

static inline double published_draw(struct published *s)
{
    if (!s->list) return s->n_used++, cola_random_uniform(&s->keyed);
    if (s->n_used < s->n_list) return s->list[s->n_used++];
    s->ran_out = true;
    return 0;
}

static inline uint32_t published_choice(struct published *s, uint32_t n)
{
    return (uint32_t)floor(published_draw(s) * n);
}

static inline double published_reward(struct published *s, const struct published_node *node)
{
    struct cola_chain chain = {.layer = node->layer, .n_layers = node->n_layers};
    return s->reward(s->user, &chain);
}

static inline bool published_is_random(struct published *s)
{
    double u = published_draw(s);
    bool included = s->defect == POLAR_EPSILON_INCLUDED || s->defect == CODE_EPSILON_INCLUDED;
    return u < s->epsilon || (included && u == s->epsilon);
}

static inline uint32_t published_add(struct published *s, const cola_layer *layer, uint32_t n,
                                     uint32_t parent)
{
    if (s->n_nodes == s->node_room) {
        s->node_room = 2 * s->node_room + 64;
        s->node = realloc(s->node, s->node_room * sizeof *s->node);
    }
    struct published_node *node = &s->node[s->n_nodes];
    memset(node, 0, sizeof *node);
    memcpy(node->layer, layer, n * sizeof *layer);
    node->n_layers = n;
    node->parent = parent;
    node->bound = s->defect == POLAR_UNVISITED_FIRST ? INFINITY : -INFINITY;
    return s->n_nodes++;
}

static inline void published_base(struct published *s)
{
    cola_layer layer[PUBLISHED_ENTRIES];
    for (uint32_t i = 0; i < s->L; i++) layer[i] = (cola_layer)i;
    published_add(s, layer, s->L, UINT32_MAX);
    s->node[0].score = published_reward(s, &s->node[0]);
    s->node[0].scored = true;
}

static inline void published_note(struct published *s, const struct published_node *node, bool is_new,
                                  double reward)
{
    struct published_step *step = &s->step[s->n_steps++];
    memcpy(step->layer, node->layer, sizeof step->layer);
    step->n_layers = node->n_layers;
    step->is_new = is_new;
    step->reward = reward;
}

static inline void published_free(struct published *s)
{
    for (uint32_t i = 0; i < s->n_nodes; i++) free(s->node[i].child);
    free(s->node);
    free(s);
}

/* --- polar -------------------------------------------------------------------------------------------- */

static inline bool polar_seen(const struct published *s, const cola_layer *layer, uint32_t n)
{
    for (uint32_t i = s->n_nodes; i-- > 0;)
        if (s->node[i].n_layers == n && memcmp(s->node[i].layer, layer, n * sizeof *layer) == 0) return true;
    return false;
}

static inline void polar_candidate(struct published *s, uint32_t at, bool repeat, uint32_t i, uint32_t k)
{
    cola_layer made[PUBLISHED_ENTRIES], *from = s->node[at].layer;
    uint32_t n = s->node[at].n_layers, m = 0, occurs = 0;
    if (i + k > n || (repeat && n + k > PUBLISHED_ENTRIES)) return;
    for (uint32_t j = 0; j < n; j++) occurs += from[j] == from[i];
    if (repeat && k == 1 && occurs > 1 && s->defect != POLAR_THIRD_PASS_ALLOWED) return;
    for (uint32_t j = 0; j < i + (repeat ? k : 0); j++) made[m++] = from[j];
    for (uint32_t j = repeat ? i : i + k; j < n; j++) made[m++] = from[j];
    if (m < s->least || m > s->most) return;
    if (s->defect != POLAR_KNOWN_CHAINS_AGAIN && polar_seen(s, made, m)) return;
    uint32_t child = published_add(s, made, m, at);
    struct published_node *node = &s->node[at];
    node->child = realloc(node->child, (node->n_children + 1) * sizeof *node->child);
    node->child[node->n_children++] = child;
}

static inline void polar_candidates(struct published *s, uint32_t at)
{
    bool blocks = (at == 0 && s->defect != POLAR_NO_BLOCKS) || s->defect == POLAR_BLOCKS_EVERYWHERE;
    for (int pass = 0; pass < (s->defect == POLAR_SKIPS_BEFORE_REPEATS ? 2 : 1); pass++)
        for (uint32_t i = 0; i < s->node[at].n_layers; i++)
            for (int repeat = 0; repeat < 2; repeat++) {
                if (s->defect == POLAR_SKIPS_BEFORE_REPEATS && repeat != pass) continue;
                uint32_t most = repeat ? s->max_block : s->max_skip;
                for (uint32_t k = 1; k <= most && (k == 1 || blocks); k++)
                    polar_candidate(s, at, repeat, i, k);
            }
}

static inline double polar_bound(const struct published *s, uint32_t i)
{
    const struct published_node *node = &s->node[i];
    double V = s->node[s->defect == POLAR_VISITS_OF_PARENT && i ? node->parent : 0].n_visits;
    if (node->n_visits == 0) return node->bound;
    double v = node->n_visits;
    return node->total / v - 5.0 * node->n_layers / s->L + sqrt(2 * cola_exact_log(V + 1) / v);
}

static inline uint32_t polar_descend(struct published *s)
{
    for (uint32_t at = 0;;) {
        const struct published_node *node = &s->node[at];
        uint32_t *open = malloc((node->n_children + 1) * sizeof *open), n = 0, best = 0;
        for (uint32_t i = 0; i < node->n_children; i++)
            if (!s->node[node->child[i]].done) open[n++] = node->child[i];
        if (n == 0) {
            free(open);
            return at;
        }
        if (published_is_random(s)) {
            best = published_choice(s, n);
        } else {
            double bound = 0;
            for (uint32_t i = 0; i < n; i++) {
                double b = s->defect == POLAR_FRESH_BOUNDS ? polar_bound(s, open[i]) : s->node[open[i]].bound;
                if (i == 0 || b > bound || (b == bound && s->defect == POLAR_TIES_TO_YOUNGER))
                    best = i, bound = b;
            }
        }
        at = open[best];
        free(open);
    }
}

/* Whether a is before b in the order of sorted(). */
static inline bool polar_before(const struct published *s, uint32_t a, uint32_t b)
{
    const struct published_node *x = &s->node[a], *y = &s->node[b];
    if (s->defect == POLAR_SHORTER_SORTED_FIRST && x->n_layers != y->n_layers)
        return x->n_layers < y->n_layers;
    for (uint32_t i = 0; i < x->n_layers && i < y->n_layers; i++)
        if (x->layer[i] != y->layer[i]) return x->layer[i] < y->layer[i];
    return x->n_layers != y->n_layers ? x->n_layers < y->n_layers : a < b;
}

static inline uint32_t polar_pick(struct published *s, uint32_t at)
{
    const struct published_node *node = &s->node[at];
    uint32_t wanted = published_choice(s, node->n_children);
    if (s->defect == POLAR_CHOICE_NOT_SORTED) return node->child[wanted];
    for (uint32_t i = 0; i < node->n_children; i++) { /* the one that has `wanted` before it */
        uint32_t n_before = 0;
        for (uint32_t j = 0; j < node->n_children; j++)
            n_before += polar_before(s, node->child[j], node->child[i]);
        if (n_before == wanted) return node->child[i];
    }
    abort();
}

static inline void polar_back_up(struct published *s, uint32_t reached)
{
    if (s->defect == POLAR_ROOT_UPDATED_FIRST) s->node[0].n_visits++;
    for (uint32_t i = reached; i != UINT32_MAX; i = s->node[i].parent) {
        struct published_node *node = &s->node[i];
        bool all_done = node->n_children > 0;
        if (i > 0 || s->defect != POLAR_ROOT_UPDATED_FIRST) node->n_visits++;
        node->total += s->last;
        node->bound = polar_bound(s, i);
        for (uint32_t j = 0; j < node->n_children; j++) all_done &= s->node[node->child[j]].done;
        if (all_done && s->defect != POLAR_DONE_NOT_PASSED_UP) node->done = true;
    }
}

static inline void polar_simulate(struct published *s)
{
    uint32_t at = polar_descend(s);
    if (!s->node[at].done) {
        if (s->node[at].n_children == 0) polar_candidates(s, at);
        if (s->node[at].n_children)
            at = polar_pick(s, at);
        else if (s->defect != POLAR_DONE_NOT_KEPT)
            s->node[at].done = true;
    }
    struct published_node *node = &s->node[at];
    bool is_new = !node->scored;
    if (is_new) node->score = published_reward(s, node);
    node->scored = true;
    if (is_new || s->defect == POLAR_OWN_SCORE) s->last = node->score;
    published_note(s, node, is_new, s->last);
    polar_back_up(s, at);
}

static inline void polar_run(struct published *s)
{
    published_base(s);
    s->last = s->node[0].score;
    if (s->defect == POLAR_BASE_COUNTS) s->node[0].n_visits = 1;
    while (s->n_steps < s->n_simulations && !s->ran_out) polar_simulate(s);
}

/* --- drllm-code: the nodes of s are its path ------------------------------------------------------------ */

struct code_action {
    bool repeat;
    uint32_t start, amount; /* size of a skip, count of a repeat */
};

struct code_list {
    struct code_action action[2 * PUBLISHED_ENTRIES + 2 * PUBLISHED_ENTRIES];
    uint32_t n;
};

static inline void code_skips(const struct published *s, uint32_t n, struct code_list *list)
{
    bool by_size = s->defect == CODE_BY_SIZE_FIRST;
    for (uint32_t a = 0; a < (by_size ? s->max_skip : n); a++)
        for (uint32_t b = 0; b < (by_size ? n : s->max_skip); b++) {
            uint32_t start = by_size ? b : a, size = 1 + (by_size ? a : b);
            if (start + size <= n) list->action[list->n++] = (struct code_action){false, start, size};
        }
}

static inline void code_repeats(const struct published *s, uint32_t n, struct code_list *list)
{
    for (uint32_t start = 0; start < n && s->max_block; start++)
        for (uint32_t count = s->defect == CODE_NO_COUNT_ZERO; count < 2; count++)
            if (n + count <= s->most) list->action[list->n++] = (struct code_action){true, start, count};
}

static inline void code_make_list(struct published *s, uint32_t n, struct code_list *list)
{
    list->n = 0;
    if (s->defect == CODE_REPEATS_FIRST) code_repeats(s, n, list);
    code_skips(s, n, list);
    if (s->defect != CODE_REPEATS_FIRST) code_repeats(s, n, list);
    if (s->defect == CODE_ROOT_NOT_SHUFFLED && s->n_nodes == 1) return;
    for (uint32_t step = 1; step < list->n; step++) {
        bool upwards = s->defect == CODE_SHUFFLES_UPWARDS;
        uint32_t i = upwards ? step : list->n - step, j = published_choice(s, i + 1);
        struct code_action kept = list->action[i];
        list->action[i] = list->action[j];
        list->action[j] = kept;
    }
}

/* false: nothing is left but skips of all entries, which are passed over. */
static inline bool code_expand(struct published *s, struct code_list *list)
{
    cola_layer made[PUBLISHED_ENTRIES + 1];
    struct published_node *leaf = &s->node[s->n_nodes - 1];
    bool front = s->defect == CODE_TAKES_FROM_FRONT;
    uint32_t at = front ? 0 : list->n, m = 0;
    struct code_action action;
    do {
        if (front ? at == list->n : at == 0) return false;
        action = front ? list->action[at++] : list->action[--at];
    } while (!action.repeat && action.amount == leaf->n_layers);
    for (uint32_t i = 0; i < leaf->n_layers; i++) {
        bool inside = i >= action.start && i < action.start + action.amount;
        if (action.repeat || !inside) made[m++] = leaf->layer[i];
        if (action.repeat && i == action.start && action.amount) made[m++] = leaf->layer[i];
    }
    published_add(s, made, m, s->n_nodes - 1);
    code_make_list(s, m, list);
    return true;
}

static inline bool code_stops(const struct published *s, const struct published_node *node)
{
    uint32_t shorter = s->defect == CODE_STOPS_AT_ONE_SHORTER ? 1 : 2;
    if (node->score > s->node[0].score) return true;
    if (s->defect == CODE_STOPS_AT_EQUAL_REWARD && node->score == s->node[0].score) return true;
    return s->defect != CODE_STOPS_ONLY_ABOVE_BASE && node->score > 0 && node->n_layers + shorter <= s->L;
}

static inline bool code_simulate(struct published *s, struct code_list *list)
{
    uint32_t n_draws = s->n_nodes - 1 + (s->defect == CODE_DRAWS_AT_LEAF);
    for (uint32_t i = 0; i < n_draws; i++)
        if (published_is_random(s) && s->defect != CODE_NO_SECOND_DRAW) published_draw(s);
    bool visited = s->n_steps > 0 || s->defect == CODE_EXPANDS_AT_ONCE, known = false;
    if (visited && list->n) code_expand(s, list); /* makes the child's list: the rest is never needed */
    struct published_node *leaf = &s->node[s->n_nodes - 1];
    for (uint32_t i = 0; i < s->n_nodes; i++)
        known |= s->node[i].scored && s->node[i].n_layers == leaf->n_layers &&
                 memcmp(s->node[i].layer, leaf->layer, leaf->n_layers * sizeof *leaf->layer) == 0;
    leaf->score = published_reward(s, leaf);
    leaf->scored = true;
    published_note(s, leaf, !known, leaf->score);
    return !code_stops(s, leaf);
}

static inline void code_run(struct published *s)
{
    static struct code_list list;
    published_base(s);
    code_make_list(s, s->L, &list);
    while (s->n_steps < s->n_simulations && !s->ran_out && code_simulate(s, &list)) {
    }
}

#endif

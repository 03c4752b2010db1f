/* prefix.c - the tries of prefix.h. First passes share states; a generated token's pass does not: its row
 * depends on the whole chain. The last position of a chain leaves no state: only its scored rows were
 * finished. */
#include "engine/state.h"

#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

/* --- memory ------------------------------------------------------------------------------------------- */

static size_t hidden_floats(const struct cola_engine *e, const struct cola_prefix_tree *tree)
{
    return cola_memory_class((size_t)tree->n_rows * e->config->n_hidden);
}

static void drop_state(struct cola_engine *e, struct cola_prefix_tree *tree, struct cola_prefix_node *node)
{
    cola_memory_release(e, node->hidden, hidden_floats(e, tree));
    node->hidden = NULL;
    for (uint32_t i = 0; i < tree->stride; i++) {
        cola_keys_drop(e, node->keys[i]);
        node->keys[i] = NULL;
    }
    tree->held_bytes -= tree->state_bytes;
    e->prefixes.held_bytes -= tree->state_bytes;
}

/* Of equally old ones the youngest node: a node is younger than those above it. */
static void drop_oldest(struct cola_engine *e, struct cola_prefix_tree *tree)
{
    struct cola_prefix_node *oldest = NULL;
    for (size_t i = 0; i < tree->n_nodes; i++)
        if (tree->node[i].hidden && (!oldest || tree->node[i].used <= oldest->used)) oldest = &tree->node[i];
    if (oldest) drop_state(e, tree, oldest);
}

bool cola_prefix_drop_one(struct cola_engine *e)
{
    struct cola_prefixes *p = &e->prefixes;
    struct cola_prefix_tree *largest = NULL;
    for (size_t i = 0; i < p->n_trees; i++)
        if (p->tree[i].held_bytes && (!largest || p->tree[i].held_bytes > largest->held_bytes))
            largest = &p->tree[i];
    if (largest) drop_oldest(e, largest);
    return largest != NULL;
}

/* What all states together may take now. */
static uint64_t budget(const struct cola_engine *e)
{
    const struct cola_memory *m = &e->memory;
    const struct cola_prefixes *p = &e->prefixes;
    uint64_t others = m->held_bytes + m->promised_bytes - (p->held_bytes < m->held_bytes ? p->held_bytes : 0);
    uint64_t left = m->limit_bytes > others ? m->limit_bytes - others : 0;
    return left < p->limit_bytes ? left : p->limit_bytes;
}

/* Makes room for one more state of `tree`: within its share of the budget, and within the budget in all. */
static bool make_room(struct cola_engine *e, struct cola_prefix_tree *tree)
{
    struct cola_prefixes *p = &e->prefixes;
    uint64_t share = budget(e) / p->n_trees;
    if (tree->state_bytes > share) return false;
    while (tree->held_bytes + tree->state_bytes > share) drop_oldest(e, tree);
    while (p->held_bytes && p->held_bytes + tree->state_bytes > p->limit_bytes) cola_prefix_drop_one(e);
    return cola_memory_make_room(e, hidden_floats(e, tree) * sizeof(float));
}

/* --- tries -------------------------------------------------------------------------------------------- */

static struct cola_prefix_tree *find_tree(const struct cola_prefixes *p, uint32_t sample)
{
    for (size_t i = 0; i < p->n_trees; i++)
        if (p->tree[i].sample == sample) return &p->tree[i];
    return NULL;
}

static uint32_t find_child(const struct cola_prefix_tree *tree, uint32_t node, const cola_layer *layer)
{
    uint32_t child = tree->node[node].first_child;
    while (child && memcmp(tree->node[child].layer, layer, tree->stride * sizeof *layer) != 0)
        child = tree->node[child].next_sibling;
    return child;
}

static enum cola_status add_child(struct cola_prefix_tree *tree, uint32_t node, const cola_layer *layer,
                                  uint32_t *out)
{
    COLA_TRY(cola_grow((void **)&tree->node, &tree->room, tree->n_nodes + 1, sizeof *tree->node, "prefixes"));
    struct cola_prefix_node *child = &tree->node[tree->n_nodes];
    memcpy(child->layer, layer, tree->stride * sizeof *layer);
    child->next_sibling = tree->node[node].first_child;
    tree->node[node].first_child = (uint32_t)tree->n_nodes;
    *out = (uint32_t)tree->n_nodes++;
    return COLA_OK;
}

/* The stride that shares most within a sample's share of the budget, if all requests were of different
 * samples. How many states of stride 1 and 2 it must hold for that: simulated on searches of preset cola
 * (docs/PERFORMANCE.md, "Sharing prefixes"). Where states have keys, which every position needs at any
 * stride, a larger stride saves less, so fewer states of stride 2 are enough. */
static void choose_stride(const struct cola_engine *e, struct cola_prefix_tree *tree, uint64_t key_bytes)
{
    const struct {
        uint32_t stride, n_states;
    } least[] = {{1, 1200}, {2, key_bytes ? 80 : 220}, {COLA_STRIDE_MAX, 0}};
    const uint32_t expected = COLA_DEFAULT_REQUESTS; /* more requests than that are several of a sample */
    size_t n_samples = e->max_requests < expected ? e->max_requests : expected;
    if (n_samples <= e->prefixes.n_trees) n_samples = e->prefixes.n_trees + 1;
    uint64_t share = budget(e) / n_samples;
    for (int i = 0; i < 3; i++) {
        tree->stride = least[i].stride;
        tree->state_bytes = hidden_floats(e, tree) * sizeof(float) + tree->stride * key_bytes;
        if (share / tree->state_bytes >= least[i].n_states) return;
    }
}

static enum cola_status open_tree(struct cola_engine *e, const struct job *job, struct cola_prefix_tree **out)
{
    struct cola_prefixes *p = &e->prefixes;
    *out = find_tree(p, job->sample->index);
    if (*out) return COLA_OK;
    COLA_TRY(cola_grow((void **)&p->tree, &p->room, p->n_trees + 1, sizeof *p->tree, "prefixes"));
    struct cola_prefix_tree tree = {.sample = job->sample->index, .n_nodes = 1, .n_rows = job->n_rows};
    choose_stride(e, &tree, job->token ? cola_keys_bytes(e, job->n_rows) : 0);
    COLA_TRY(cola_grow((void **)&tree.node, &tree.room, 1, sizeof *tree.node, "prefixes"));
    p->tree[p->n_trees] = tree;
    *out = &p->tree[p->n_trees++];
    return COLA_OK;
}

/* The node of the chain's first n layers, made where it is not there. */
static enum cola_status reach(struct cola_engine *e, struct cola_prefix_tree *tree, const cola_layer *chain,
                              uint32_t n, uint32_t *out)
{
    uint32_t node = 0;
    e->prefixes.clock++;
    for (uint32_t at = 0; at < n; at += tree->stride) {
        uint32_t child = find_child(tree, node, chain + at);
        if (!child) COLA_TRY(add_child(tree, node, chain + at, &child));
        node = child;
        tree->node[node].used = e->prefixes.clock;
    }
    *out = node;
    return COLA_OK;
}

/* --- taking and storing ------------------------------------------------------------------------------- */

static bool generates(const struct job *job)
{
    return job->sample->rule == COLA_SCORE_GENERATE;
}

/* The deepest state of a chain that can be used: *at layers deep; 0: none. A generating job needs the keys of
 * all positions before, so a gap ends its way. */
static uint32_t find_state(const struct cola_prefix_tree *tree, const struct job *job, uint32_t *at)
{
    uint32_t node = 0, best = 0;
    *at = 0;
    for (uint32_t depth = 0; depth + tree->stride <= job->n_layers; depth += tree->stride) {
        node = find_child(tree, node, job->chain + depth);
        if (!node || (generates(job) && !tree->node[node].hidden)) break;
        if (!tree->node[node].hidden) continue;
        best = node;
        *at = depth + tree->stride;
    }
    return best;
}

/* Walks down to the state again: it is in use, with all above it; a generating job holds their keys. */
static void pass_states(struct cola_engine *e, struct cola_prefix_tree *tree, struct job *job)
{
    uint32_t node = 0;
    e->prefixes.clock++;
    for (uint32_t depth = 0; depth < job->at; depth += tree->stride) {
        node = find_child(tree, node, job->chain + depth);
        tree->node[node].used = e->prefixes.clock;
        for (uint32_t i = 0; job->token && i < tree->stride; i++)
            job->keys[depth + i] = cola_keys_hold(tree->node[node].keys[i]);
    }
}

uint32_t cola_prefix_depth(const struct cola_engine *e, const struct job *job, uint32_t *stride)
{
    const struct cola_prefix_tree *tree = find_tree(&e->prefixes, job->sample->index);
    uint32_t at = 0;
    *stride = tree ? tree->stride : 1;
    if (tree) find_state(tree, job, &at);
    return at;
}

enum cola_status cola_prefix_take(struct cola_engine *e, struct job *job, bool *found)
{
    struct cola_prefix_tree *tree = find_tree(&e->prefixes, job->sample->index);
    uint32_t at = 0, node = tree ? find_state(tree, job, &at) : 0;
    *found = node != 0;
    if (!node) return COLA_OK;
    job->at = at;
    pass_states(e, tree, job);
    return e->backend->scatter(e->device, tree->node[node].hidden, job->row, job->n_rows, e->config->n_hidden,
                               e->arena.hidden);
}

enum cola_status cola_prefix_store(struct cola_engine *e, const struct job *job)
{
    struct cola_prefixes *p = &e->prefixes;
    struct cola_prefix_tree *tree;
    uint32_t at;
    if (!p->limit_bytes || job->n_tokens || job->at == job->n_layers) return COLA_OK;
    COLA_TRY(open_tree(e, job, &tree));
    if (job->at % tree->stride) return COLA_OK;
    COLA_TRY(reach(e, tree, job->chain, job->at, &at));
    if (tree->node[at].hidden || !make_room(e, tree)) return COLA_OK;
    struct cola_prefix_node *node = &tree->node[at];
    COLA_TRY(cola_memory_allocate(e, hidden_floats(e, tree), "prefix states", &node->hidden));
    for (uint32_t i = 0; job->token && i < tree->stride; i++)
        node->keys[i] = cola_keys_hold(job->keys[job->at - tree->stride + i]);
    tree->held_bytes += tree->state_bytes;
    p->held_bytes += tree->state_bytes;
    if (p->held_bytes > p->most_bytes) p->most_bytes = p->held_bytes;
    return e->backend->gather(e->device, e->arena.hidden, job->row, job->n_rows, e->config->n_hidden,
                              node->hidden);
}

/* --- forgetting --------------------------------------------------------------------------------------- */

static void release_tree(struct cola_engine *e, struct cola_prefix_tree *tree)
{
    for (size_t i = 0; i < tree->n_nodes; i++)
        if (tree->node[i].hidden) drop_state(e, tree, &tree->node[i]);
    free(tree->node);
}

void cola_prefix_forget(struct cola_engine *e, uint32_t sample)
{
    struct cola_prefixes *p = &e->prefixes;
    struct cola_prefix_tree *tree = find_tree(p, sample);
    if (!tree) return;
    release_tree(e, tree);
    *tree = p->tree[--p->n_trees];
}

void cola_prefix_release(struct cola_engine *e)
{
    struct cola_prefixes *p = &e->prefixes;
    for (size_t i = 0; i < p->n_trees; i++) release_tree(e, &p->tree[i]);
    free(p->tree);
    *p = (struct cola_prefixes){0};
}

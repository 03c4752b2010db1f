/* prefix.c - the tries of prefix.h. Only first passes of letter and loglik share states: a generating job
 * needs the keys of every chain position besides. The last position of a chain leaves no state: only its
 * scored rows were finished. */
#include "engine/state.h"

#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

static struct cola_prefix_tree *find_tree(struct cola_prefixes *p, uint32_t sample)
{
    for (size_t i = 0; i < p->n_trees; i++)
        if (p->tree[i].sample == sample) return &p->tree[i];
    return NULL;
}

static void drop_state(struct cola_engine *e, struct cola_prefix_tree *tree, struct cola_prefix_node *node)
{
    e->backend->release(e->device, node->state);
    node->state = NULL;
    tree->n_states--;
    e->prefixes.held_bytes -= tree->state_bytes;
}

static void drop_oldest(struct cola_engine *e, struct cola_prefix_tree *tree)
{
    struct cola_prefix_node *oldest = NULL;
    for (size_t i = 0; i < tree->n_nodes; i++)
        if (tree->node[i].state && (!oldest || tree->node[i].used < oldest->used)) oldest = &tree->node[i];
    if (oldest) drop_state(e, tree, oldest);
}

/* Makes room for one more state of `tree`: within its share of the budget, and within the budget in all. */
static bool make_room(struct cola_engine *e, struct cola_prefix_tree *tree)
{
    struct cola_prefixes *p = &e->prefixes;
    uint64_t share = p->budget_bytes / p->n_trees;
    if (tree->state_bytes > share) return false;
    while ((tree->n_states + 1) * tree->state_bytes > share) drop_oldest(e, tree);
    while (p->held_bytes + tree->state_bytes > p->budget_bytes) {
        struct cola_prefix_tree *largest = tree;
        for (size_t i = 0; i < p->n_trees; i++)
            if (p->tree[i].n_states * p->tree[i].state_bytes > largest->n_states * largest->state_bytes)
                largest = &p->tree[i];
        if (largest->n_states == 0) return false;
        drop_oldest(e, largest);
    }
    return true;
}

static uint32_t find_child(const struct cola_prefix_tree *tree, uint32_t node, const cola_layer *layer)
{
    uint32_t child = tree->node[node].first_child;
    while (child && memcmp(tree->node[child].block.layer, layer, sizeof tree->node[child].block.layer) != 0)
        child = tree->node[child].next_sibling;
    return child;
}

static enum cola_status add_child(struct cola_prefix_tree *tree, uint32_t node, const cola_layer *layer,
                                  uint32_t *out)
{
    COLA_TRY(cola_grow((void **)&tree->node, &tree->room, tree->n_nodes + 1, sizeof *tree->node, "prefixes"));
    struct cola_prefix_node *child = &tree->node[tree->n_nodes];
    memcpy(child->block.layer, layer, sizeof child->block.layer);
    child->next_sibling = tree->node[node].first_child;
    tree->node[node].first_child = (uint32_t)tree->n_nodes;
    *out = (uint32_t)tree->n_nodes++;
    return COLA_OK;
}

static enum cola_status open_tree(struct cola_engine *e, const struct job *job, struct cola_prefix_tree **out)
{
    struct cola_prefixes *p = &e->prefixes;
    *out = find_tree(p, job->sample->index);
    if (*out) return COLA_OK;
    COLA_TRY(cola_grow((void **)&p->tree, &p->room, p->n_trees + 1, sizeof *p->tree, "prefixes"));
    struct cola_prefix_tree tree = {.sample = job->sample->index,
                                    .n_nodes = 1,
                                    .state_bytes = (size_t)job->n_rows * e->config->n_hidden * sizeof(float)};
    COLA_TRY(cola_grow((void **)&tree.node, &tree.room, 1, sizeof *tree.node, "prefixes"));
    p->tree[p->n_trees] = tree;
    *out = &p->tree[p->n_trees++];
    return COLA_OK;
}

static bool shares(const struct cola_engine *e, const struct job *job)
{
    return e->prefixes.budget_bytes && !job->token;
}

enum cola_status cola_prefix_take(struct cola_engine *e, struct job *job, bool *found)
{
    struct cola_prefix_tree *tree = shares(e, job) ? find_tree(&e->prefixes, job->sample->index) : NULL;
    uint32_t node = 0, best = 0, at = 0;
    *found = false;
    while (tree && at + COLA_STRIDE <= job->n_layers) {
        node = find_child(tree, node, job->chain + at);
        if (!node) break;
        at += COLA_STRIDE;
        if (!tree->node[node].state) continue;
        best = node;
        job->at = at;
    }
    if (best == 0) return COLA_OK;
    tree->node[best].used = ++e->prefixes.clock;
    *found = true;
    return e->backend->scatter(e->device, tree->node[best].state, job->row, job->n_rows, e->config->n_hidden,
                               e->arena.hidden);
}

enum cola_status cola_prefix_store(struct cola_engine *e, const struct job *job)
{
    struct cola_prefix_tree *tree;
    uint32_t node = 0;
    if (!shares(e, job) || job->at % COLA_STRIDE != 0 || job->at == job->n_layers) return COLA_OK;
    COLA_TRY(open_tree(e, job, &tree));
    for (uint32_t at = 0; at < job->at; at += COLA_STRIDE) {
        uint32_t child = find_child(tree, node, job->chain + at);
        if (!child) COLA_TRY(add_child(tree, node, job->chain + at, &child));
        node = child;
    }
    tree->node[node].used = ++e->prefixes.clock;
    if (tree->node[node].state || !make_room(e, tree)) return COLA_OK;
    COLA_TRY(e->backend->allocate(e->device, tree->state_bytes / sizeof(float), "prefix states",
                                  &tree->node[node].state));
    tree->n_states++;
    e->prefixes.held_bytes += tree->state_bytes;
    return e->backend->gather(e->device, e->arena.hidden, job->row, job->n_rows, e->config->n_hidden,
                              tree->node[node].state);
}

static void release_tree(struct cola_engine *e, struct cola_prefix_tree *tree)
{
    for (size_t i = 0; i < tree->n_nodes; i++)
        if (tree->node[i].state) drop_state(e, tree, &tree->node[i]);
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

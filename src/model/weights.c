/* weights.c - gives every tensor of a checkpoint its role, by the architecture's rules, and leaves none over.
 *
 * Place: last step of cola_model_open; knows tables, no files. Strict both ways: a missing weight cannot be
 * computed with, and a surplus one (a bias, an adapter, a 33rd layer) means that the model is not the one
 * that config.json describes. Two exceptions carry nothing: stored inverse frequencies (architecture.c), and
 * a stored head of a tied model that equals the embedding. Experts may be stored one by one or all in one
 * tensor; a view of the part that is one expert's makes the two the same. */
#include "model/weights.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

enum { EXPERT_ROLES = 3 }; /* gate, up, down */

struct mapping {
    const struct cola_model_config *config;
    struct cola_tensor_table *table;
    struct cola_weights w;
};

static enum cola_status check_shape(const struct cola_stored_tensor *t, const uint64_t *shape,
                                    uint32_t n_dims)
{
    const struct cola_safetensors_entry *e = &t->entry;
    if (e->n_dims == n_dims && memcmp(e->shape, shape, n_dims * sizeof *shape) == 0) return COLA_OK;
    char expected[COLA_SHAPE_TEXT], found[COLA_SHAPE_TEXT];
    cola_shape_print(shape, n_dims, expected);
    cola_shape_print(e->shape, e->n_dims, found);
    return cola_fail(COLA_ERR_INPUT, "%s: tensor %s: expected shape %s by config.json, found %s", t->file,
                     e->name, expected, found);
}

static void rule_shape(const struct cola_weight_rule *rule, const struct cola_model_config *config,
                       uint64_t shape[2])
{
    for (int i = 0; i < 2; i++) shape[i] = cola_axis_size((enum cola_axis)rule->axis[i], config);
}

/* A weight with a tensor of its own. */
static enum cola_status take(const struct mapping *m, const struct cola_weight_rule *rule, uint32_t layer,
                             uint32_t expert, struct cola_tensor *out)
{
    char name[COLA_WEIGHT_NAME_BYTES];
    uint64_t shape[2];
    cola_weight_name(rule->name, layer, expert, name);
    struct cola_stored_tensor *t = cola_tensor_table_find(m->table, name);
    if (!t)
        return cola_fail(COLA_ERR_INPUT, "%s: tensor %s is missing; a %s model of %u layers needs it",
                         m->table->source, name, m->config->model_type, m->config->n_layers);
    rule_shape(rule, m->config, shape);
    COLA_TRY(check_shape(t, shape, rule->n_dims));
    t->used = true;
    *out = (struct cola_tensor){
        .data = t->entry.data, .dtype = t->entry.dtype, .n_dims = rule->n_dims, .mapped = m->table->mapped};
    memcpy(out->shape, shape, rule->n_dims * sizeof *shape);
    return COLA_OK;
}

/* transformers 4 ignores such a head, transformers 5 computes with it: only where they are the same bytes
 * does the model have one meaning. */
static enum cola_status take_duplicate_head(const struct mapping *m, const struct cola_weight_rule *rule)
{
    struct cola_tensor head;
    const struct cola_tensor *embedding = &m->w.outer[COLA_OUTER_EMBEDDING];
    const struct cola_stored_tensor *t = cola_tensor_table_find(m->table, rule->name);
    if (!t) return COLA_OK;
    COLA_TRY(take(m, rule, 0, 0, &head));
    if (head.dtype != embedding->dtype ||
        memcmp(head.data, embedding->data,
               cola_tensor_n_elements(embedding) * cola_dtype_bytes(embedding->dtype)) != 0)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "%s: tensor %s differs from the embedding, but config.json ties them "
                         "(tie_word_embeddings true): set it to false or remove the tensor",
                         t->file, t->entry.name);
    return COLA_OK;
}

/* All experts of a layer in one tensor [E, n_parts * rows, columns]: each gets a view of its rows. */
static enum cola_status split_fused(struct mapping *m, const struct cola_weight_rule *rule, uint32_t layer,
                                    struct cola_stored_tensor *t)
{
    uint64_t shape[2], n_experts = m->config->experts.n_experts;
    rule_shape(rule, m->config, shape);
    const uint64_t whole[3] = {n_experts, rule->n_parts * shape[0], shape[1]};
    COLA_TRY(check_shape(t, whole, 3));
    t->used = true;
    uint64_t n_bytes = shape[0] * shape[1] * cola_dtype_bytes(t->entry.dtype);
    for (uint32_t e = 0; e < n_experts; e++)
        *cola_weights_expert(&m->w, layer, e, (enum cola_weight)rule->role) = (struct cola_tensor){
            .data = (const char *)t->entry.data + ((uint64_t)e * rule->n_parts + rule->part) * n_bytes,
            .dtype = t->entry.dtype,
            .n_dims = 2,
            .shape = {shape[0], shape[1]},
            .mapped = m->table->mapped};
    return COLA_OK;
}

static enum cola_status take_experts(struct mapping *m, const struct cola_weight_rule *rule, uint32_t layer)
{
    char name[COLA_WEIGHT_NAME_BYTES];
    const uint32_t n_experts = m->config->experts.n_experts;
    if (!m->w.expert[layer]) /* layer by layer: a wrong count fails before much was asked for */
        COLA_TRY(cola_alloc((void **)&m->w.expert[layer], EXPERT_ROLES * (size_t)n_experts,
                            sizeof(struct cola_tensor), "experts"));
    cola_weight_name(rule->fused, layer, 0, name);
    struct cola_stored_tensor *fused = cola_tensor_table_find(m->table, name);
    if (fused)
        COLA_TRY(split_fused(m, rule, layer, fused));
    else
        for (uint32_t e = 0; e < n_experts; e++)
            COLA_TRY(
                take(m, rule, layer, e, cola_weights_expert(&m->w, layer, e, (enum cola_weight)rule->role)));
    uint64_t n_each =
        cola_tensor_n_elements(cola_weights_expert(&m->w, layer, 0, (enum cola_weight)rule->role));
    m->w.n_parameters += n_experts * n_each;
    return COLA_OK;
}

static enum cola_status take_one(struct mapping *m, const struct cola_weight_rule *rule, uint32_t layer)
{
    if (rule->place == COLA_OF_EXPERT) return take_experts(m, rule, layer);
    struct cola_tensor *to = rule->place == COLA_OF_MODEL
                                 ? &m->w.outer[rule->role]
                                 : &m->w.layer[(size_t)layer * COLA_N_WEIGHTS + rule->role];
    COLA_TRY(take(m, rule, layer, 0, to));
    m->w.n_parameters += cola_tensor_n_elements(to);
    return COLA_OK;
}

static enum cola_status take_all(struct mapping *m)
{
    for (size_t i = 0; i < cola_n_weight_rules; i++) {
        const struct cola_weight_rule *rule = &cola_weight_rules[i];
        if (rule->place != COLA_OF_MODEL) continue;
        if (cola_weight_rule_applies(rule, m->config, 0))
            COLA_TRY(take_one(m, rule, 0));
        else if (rule->where == COLA_IF_UNTIED)
            COLA_TRY(take_duplicate_head(m, rule));
    }
    for (uint32_t l = 0; l < m->config->n_layers; l++)
        for (size_t i = 0; i < cola_n_weight_rules; i++) {
            const struct cola_weight_rule *rule = &cola_weight_rules[i];
            if (rule->place != COLA_OF_MODEL && cola_weight_rule_applies(rule, m->config, l))
                COLA_TRY(take_one(m, rule, l));
        }
    return COLA_OK;
}

static enum cola_status check_nothing_left(const struct mapping *m)
{
    for (size_t i = 0; i < m->table->n_tensors; i++) {
        const struct cola_stored_tensor *t = &m->table->tensor[i];
        if (!t->used && !cola_tensor_is_buffer(t->entry.name))
            return cola_fail(COLA_ERR_INPUT,
                             "%s: tensor %s is left over; a %s model of %u layers has none such", t->file,
                             t->entry.name, m->config->model_type, m->config->n_layers);
    }
    return COLA_OK;
}

enum cola_status cola_weights_map(const struct cola_model_config *config, struct cola_tensor_table *table,
                                  struct cola_weights *out)
{
    struct mapping m = {.config = config, .table = table, .w.n_layers = config->n_layers};
    enum cola_status status;
    COLA_TRY_DONE(cola_alloc((void **)&m.w.layer, (size_t)config->n_layers * COLA_N_WEIGHTS,
                             sizeof *m.w.layer, "weights"));
    COLA_TRY_DONE(cola_alloc((void **)&m.w.expert, config->n_layers, sizeof *m.w.expert, "experts"));
    COLA_TRY_DONE(take_all(&m));
    COLA_TRY_DONE(check_nothing_left(&m));
    *out = m.w;
    return COLA_OK;
done:
    cola_weights_fini(&m.w);
    return status;
}

struct cola_tensor *cola_weights_expert(const struct cola_weights *weights, uint32_t layer, uint32_t expert,
                                        enum cola_weight role)
{
    assert(role == COLA_WEIGHT_GATE || role == COLA_WEIGHT_UP || role == COLA_WEIGHT_DOWN);
    struct cola_tensor *of_layer = weights->expert[layer];
    return of_layer ? &of_layer[EXPERT_ROLES * (size_t)expert + (size_t)(role - COLA_WEIGHT_GATE)] : NULL;
}

void cola_weights_fini(struct cola_weights *weights)
{
    for (uint32_t l = 0; weights->expert && l < weights->n_layers; l++) free(weights->expert[l]);
    free(weights->expert);
    free(weights->layer);
    *weights = (struct cola_weights){0};
}

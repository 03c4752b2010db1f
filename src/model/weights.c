/* weights.c - gives every tensor of a checkpoint its role, by the architecture's rules, and leaves none over.
 *
 * Place: last step of cola_model_open; knows tables, no files. Strict both ways: a missing weight cannot be
 * computed with, and a surplus one (a bias, an adapter, a 33rd layer) means that the model is not the one
 * that config.json describes. Two exceptions carry nothing: stored inverse frequencies (architecture.c), and
 * a stored head of a tied model that equals the embedding. */
#include "model/weights.h"

#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

static enum cola_status check_shape(const struct cola_stored_tensor *t, const struct cola_weight_rule *rule,
                                    const struct cola_model_config *config)
{
    const struct cola_safetensors_entry *e = &t->entry;
    uint64_t shape[2] = {cola_axis_size(rule->axis[0], config), cola_axis_size(rule->axis[1], config)};
    if (e->n_dims == rule->n_dims && e->shape[0] == shape[0] && (e->n_dims == 1 || e->shape[1] == shape[1]))
        return COLA_OK;
    char expected[COLA_SHAPE_TEXT], found[COLA_SHAPE_TEXT];
    cola_shape_print(shape, rule->n_dims, expected);
    cola_shape_print(e->shape, e->n_dims, found);
    return cola_fail(COLA_ERR_INPUT, "%s: tensor %s: expected shape %s by config.json, found %s", t->file,
                     e->name, expected, found);
}

static enum cola_status take(const struct cola_model_config *config, struct cola_tensor_table *table,
                             const struct cola_weight_rule *rule, uint32_t layer, struct cola_tensor *out)
{
    char name[COLA_WEIGHT_NAME_BYTES];
    cola_weight_rule_name(rule, layer, name);
    struct cola_stored_tensor *t = cola_tensor_table_find(table, name);
    if (!t)
        return cola_fail(COLA_ERR_INPUT, "%s: tensor %s is missing; a %s model of %u layers needs it",
                         table->source, name, config->model_type, config->n_layers);
    COLA_TRY(check_shape(t, rule, config));
    t->used = true;
    *out = (struct cola_tensor){.data = t->entry.data, .dtype = t->entry.dtype, .n_dims = t->entry.n_dims};
    for (uint32_t i = 0; i < t->entry.n_dims; i++) out->shape[i] = t->entry.shape[i];
    return COLA_OK;
}

/* transformers 4 ignores such a head, transformers 5 computes with it: only where they are the same bytes
 * does the model have one meaning. */
static enum cola_status take_duplicate_head(const struct cola_model_config *config,
                                            struct cola_tensor_table *table,
                                            const struct cola_weight_rule *rule,
                                            const struct cola_tensor *embedding)
{
    struct cola_tensor head;
    const struct cola_stored_tensor *t = cola_tensor_table_find(table, rule->name);
    if (!t) return COLA_OK;
    COLA_TRY(take(config, table, rule, 0, &head));
    if (head.dtype != embedding->dtype ||
        memcmp(head.data, embedding->data,
               cola_tensor_n_elements(embedding) * cola_dtype_bytes(embedding->dtype)) != 0)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "%s: tensor %s differs from the embedding, but config.json ties them "
                         "(tie_word_embeddings true): set it to false or remove the tensor",
                         t->file, t->entry.name);
    return COLA_OK;
}

static enum cola_status take_all(const struct cola_model_config *config, struct cola_tensor_table *table,
                                 struct cola_weights *w)
{
    const struct cola_architecture *a = cola_architecture_find(config->model_type);
    for (size_t i = 0; i < a->n_rules; i++) {
        const struct cola_weight_rule *rule = &a->rule[i];
        if (rule->if_untied && config->tied_head) {
            COLA_TRY(take_duplicate_head(config, table, rule, &w->outer[COLA_OUTER_EMBEDDING]));
            continue;
        }
        for (uint32_t l = 0; l < (rule->of_layer ? config->n_layers : 1); l++) {
            struct cola_tensor *to =
                rule->of_layer ? &w->layer[(size_t)l * COLA_N_WEIGHTS + rule->role] : &w->outer[rule->role];
            COLA_TRY(take(config, table, rule, l, to));
            w->n_parameters += cola_tensor_n_elements(to);
        }
    }
    return COLA_OK;
}

static enum cola_status check_nothing_left(const struct cola_model_config *config,
                                           const struct cola_tensor_table *table)
{
    for (size_t i = 0; i < table->n_tensors; i++) {
        const struct cola_stored_tensor *t = &table->tensor[i];
        if (!t->used && !cola_tensor_is_buffer(t->entry.name))
            return cola_fail(COLA_ERR_INPUT,
                             "%s: tensor %s is left over; a %s model of %u layers has none such", t->file,
                             t->entry.name, config->model_type, config->n_layers);
    }
    return COLA_OK;
}

enum cola_status cola_weights_map(const struct cola_model_config *config, struct cola_tensor_table *table,
                                  struct cola_weights *out)
{
    struct cola_weights w = {0};
    enum cola_status status;
    COLA_TRY_DONE(
        cola_alloc((void **)&w.layer, (size_t)config->n_layers * COLA_N_WEIGHTS, sizeof *w.layer, "weights"));
    COLA_TRY_DONE(take_all(config, table, &w));
    COLA_TRY_DONE(check_nothing_left(config, table));
    *out = w;
    return COLA_OK;
done:
    cola_weights_fini(&w);
    return status;
}

void cola_weights_fini(struct cola_weights *weights)
{
    free(weights->layer);
    *weights = (struct cola_weights){0};
}

/* fingerprint.c - what makes two models the same: config values that are computed with, and every weight's
 * name, dtype, shape and bytes.
 *
 * Place: called by model.c on demand (reads all weights). The order is the architecture table's, so neither
 * sharding nor the order in a file counts; nor do file names, the spelling of config.json, or tensors that
 * carry nothing. The first string is the recipe's version: a change of recipe must change it. */
#include "model/fingerprint.h"

#include <string.h>

static void add_real(struct cola_hash *h, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    cola_hash_u64(h, bits);
}

static void add_config(struct cola_hash *h, const struct cola_model_config *c)
{
    cola_hash_string(h, "cola model fingerprint 1");
    cola_hash_string(h, c->model_type);
    const uint32_t sizes[] = {c->n_layers,  c->n_hidden, c->n_heads, c->n_kv_heads,
                              c->head_size, c->n_ff,     c->n_vocab, c->max_positions};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) cola_hash_u64(h, sizes[i]);
    add_real(h, (double)c->norm_eps);
    add_real(h, c->rope.theta);
    cola_hash_u64(h, (uint64_t)c->rope.scaling);
    add_real(h, c->rope.factor);
    add_real(h, c->rope.low_freq_factor);
    add_real(h, c->rope.high_freq_factor);
    cola_hash_u64(h, c->rope.original_max_positions);
    cola_hash_u64(h, c->tied_head);
}

static void add_tensor(struct cola_hash *h, const struct cola_weight_rule *rule, uint32_t layer,
                       const struct cola_tensor *tensor)
{
    char name[COLA_WEIGHT_NAME_BYTES];
    cola_weight_rule_name(rule, layer, name);
    cola_hash_string(h, name);
    cola_hash_string(h, cola_dtype_name(tensor->dtype));
    cola_hash_u64(h, tensor->n_dims);
    for (uint32_t i = 0; i < tensor->n_dims; i++) cola_hash_u64(h, tensor->shape[i]);
    cola_hash_bytes(h, tensor->data, cola_tensor_n_elements(tensor) * cola_dtype_bytes(tensor->dtype));
}

enum cola_status cola_weights_fingerprint(const struct cola_model_config *config,
                                          const struct cola_weights *weights, char text[COLA_HASH_TEXT])
{
    const struct cola_architecture *a = cola_architecture_find(config->model_type);
    struct cola_hash *h;
    COLA_TRY(cola_hash_create(&h));
    add_config(h, config);
    for (size_t i = 0; i < a->n_rules; i++)
        if (!a->rule[i].of_layer && weights->outer[a->rule[i].role].data)
            add_tensor(h, &a->rule[i], 0, &weights->outer[a->rule[i].role]);
    for (uint32_t l = 0; l < config->n_layers; l++)
        for (size_t i = 0; i < a->n_rules; i++)
            if (a->rule[i].of_layer)
                add_tensor(h, &a->rule[i], l, &weights->layer[(size_t)l * COLA_N_WEIGHTS + a->rule[i].role]);
    cola_hash_text(h, text);
    cola_hash_destroy(h);
    return COLA_OK;
}

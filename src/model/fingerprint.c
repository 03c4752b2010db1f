/* fingerprint.c - what makes two models the same: config values that are computed with, and every weight's
 * name, dtype, shape and bytes.
 *
 * Place: called by model.c on demand (reads all weights). The order is the architecture table's, so neither
 * sharding nor the order in a file counts; nor do file names, whether experts are stored in one tensor, the
 * spelling of config.json, or tensors that carry nothing. The first string is the recipe's version: a change
 * of recipe must change it. */
#include "model/fingerprint.h"

#include <string.h>

static void add_real(struct cola_hash *h, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    cola_hash_u64(h, bits);
}

/* Values that only some types have are hashed for these types only, so that a fingerprint outlives new ones.
 */
static void add_experts(struct cola_hash *h, const struct cola_experts *experts)
{
    const uint32_t sizes[] = {experts->n_experts, experts->n_active, experts->n_ff, experts->n_shared_ff};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) cola_hash_u64(h, sizes[i]);
    cola_hash_u64(h, experts->normalise);
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
    if (cola_architecture_find(c->model_type)->n_experts) add_experts(h, &c->experts);
}

/* Piece by piece, so that the file's pages do not stay in this process: they count as its memory. */
static void hash_elements(struct cola_hash *h, const struct cola_tensor *tensor)
{
    const uint64_t piece = 4 << 20, n = cola_tensor_n_elements(tensor),
                   size = cola_dtype_bytes(tensor->dtype);
    for (uint64_t first = 0; first < n; first += piece) {
        uint64_t n_now = n - first < piece ? n - first : piece;
        cola_hash_bytes(h, (const char *)tensor->data + first * size, n_now * size);
        cola_tensor_leave(tensor, first, n_now);
    }
}

static void add_tensor(struct cola_hash *h, const struct cola_weight_rule *rule, uint32_t layer,
                       uint32_t expert, const struct cola_tensor *tensor)
{
    char name[COLA_WEIGHT_NAME_BYTES];
    cola_weight_name(rule->name, layer, expert, name);
    cola_hash_string(h, name);
    cola_hash_string(h, cola_dtype_name(tensor->dtype));
    cola_hash_u64(h, tensor->n_dims);
    for (uint32_t i = 0; i < tensor->n_dims; i++) cola_hash_u64(h, tensor->shape[i]);
    hash_elements(h, tensor);
}

static void add_layer(struct cola_hash *h, const struct cola_model_config *config,
                      const struct cola_weights *weights, uint32_t layer)
{
    for (size_t i = 0; i < cola_n_weight_rules; i++) {
        const struct cola_weight_rule *rule = &cola_weight_rules[i];
        if (rule->place == COLA_OF_MODEL || !cola_weight_rule_applies(rule, config, layer)) continue;
        if (rule->place == COLA_OF_LAYER)
            add_tensor(h, rule, layer, 0, &weights->layer[(size_t)layer * COLA_N_WEIGHTS + rule->role]);
        else
            for (uint32_t e = 0; e < config->experts.n_experts; e++)
                add_tensor(h, rule, layer, e,
                           cola_weights_expert(weights, layer, e, (enum cola_weight)rule->role));
    }
}

enum cola_status cola_weights_fingerprint(const struct cola_model_config *config,
                                          const struct cola_weights *weights, char text[COLA_HASH_TEXT])
{
    struct cola_hash *h;
    COLA_TRY(cola_hash_create(&h));
    add_config(h, config);
    for (size_t i = 0; i < cola_n_weight_rules; i++) {
        const struct cola_weight_rule *rule = &cola_weight_rules[i];
        if (rule->place == COLA_OF_MODEL && cola_weight_rule_applies(rule, config, 0))
            add_tensor(h, rule, 0, 0, &weights->outer[rule->role]);
    }
    for (uint32_t l = 0; l < config->n_layers; l++) add_layer(h, config, weights, l);
    cola_hash_text(h, text);
    cola_hash_destroy(h);
    return COLA_OK;
}

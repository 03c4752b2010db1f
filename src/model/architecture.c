/* architecture.c - the one table of what differs between model types: which weights there are, what Hugging
 * Face calls them, and their shapes.
 *
 * Place: read by config.c (is the type known?), weights.c (names to roles) and fingerprint.c (canonical
 * order: outer weights first in the table's order, then layer by layer). Knows no files. A new model type is
 * a new row of `architectures` and, where its layers have other weights, a new list of rules. */
#include "model/architecture.h"

#include <stdio.h>
#include <string.h>

#define OUTER(role, name, ...)                                                                               \
    {                                                                                                        \
        name, false, COLA_OUTER_##role, false, __VA_ARGS__                                                   \
    }
#define UNTIED(role, name, ...)                                                                              \
    {                                                                                                        \
        name, false, COLA_OUTER_##role, true, __VA_ARGS__                                                    \
    }
#define LAYER(role, name, ...)                                                                               \
    {                                                                                                        \
        "model.layers.*." name, true, COLA_WEIGHT_##role, false, __VA_ARGS__                                 \
    }
#define VECTOR(n)                                                                                            \
    1,                                                                                                       \
    {                                                                                                        \
        COLA_AXIS_##n, COLA_AXIS_NONE                                                                        \
    }
#define MATRIX(out, in)                                                                                      \
    2,                                                                                                       \
    {                                                                                                        \
        COLA_AXIS_##out, COLA_AXIS_##in                                                                      \
    }

static const struct cola_weight_rule llama_rules[] = {
    OUTER(EMBEDDING, "model.embed_tokens.weight", MATRIX(V, D)),
    OUTER(FINAL_NORM, "model.norm.weight", VECTOR(D)),
    UNTIED(HEAD, "lm_head.weight", MATRIX(V, D)),
    LAYER(ATTENTION_NORM, "input_layernorm.weight", VECTOR(D)),
    LAYER(Q, "self_attn.q_proj.weight", MATRIX(H_d, D)),
    LAYER(K, "self_attn.k_proj.weight", MATRIX(G_d, D)),
    LAYER(V, "self_attn.v_proj.weight", MATRIX(G_d, D)),
    LAYER(O, "self_attn.o_proj.weight", MATRIX(D, H_d)),
    LAYER(MLP_NORM, "post_attention_layernorm.weight", VECTOR(D)),
    LAYER(GATE, "mlp.gate_proj.weight", MATRIX(F, D)),
    LAYER(UP, "mlp.up_proj.weight", MATRIX(F, D)),
    LAYER(DOWN, "mlp.down_proj.weight", MATRIX(D, F)),
};

static const struct cola_architecture architectures[] = {
    {"llama", llama_rules, sizeof llama_rules / sizeof *llama_rules},
};
enum { N_ARCHITECTURES = sizeof architectures / sizeof *architectures };

const struct cola_architecture *cola_architecture_find(const char *model_type)
{
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        if (strcmp(architectures[i].model_type, model_type) == 0) return &architectures[i];
    return NULL;
}

void cola_architecture_names(char *text, size_t n_text)
{
    size_t at = (size_t)snprintf(text, n_text, "expected ");
    for (size_t i = 0; i < N_ARCHITECTURES && at < n_text; i++)
        at += (size_t)snprintf(text + at, n_text - at, "%s%s", i ? " or " : "", architectures[i].model_type);
}

void cola_weight_rule_name(const struct cola_weight_rule *rule, uint32_t layer,
                           char name[COLA_WEIGHT_NAME_BYTES])
{
    const char *star = strchr(rule->name, '*');
    if (star)
        snprintf(name, COLA_WEIGHT_NAME_BYTES, "%.*s%u%s", (int)(star - rule->name), rule->name, layer,
                 star + 1);
    else
        snprintf(name, COLA_WEIGHT_NAME_BYTES, "%s", rule->name);
}

uint64_t cola_axis_size(enum cola_axis axis, const struct cola_model_config *c)
{
    switch (axis) {
    case COLA_AXIS_D: return c->n_hidden;
    case COLA_AXIS_H_d: return (uint64_t)c->n_heads * c->head_size;
    case COLA_AXIS_G_d: return (uint64_t)c->n_kv_heads * c->head_size;
    case COLA_AXIS_F: return c->n_ff;
    case COLA_AXIS_V: return c->n_vocab;
    case COLA_AXIS_NONE: break;
    }
    return 1;
}

/* Inverse frequencies of the rotary embedding: transformers before 4.32 stored them with every layer. */
bool cola_tensor_is_buffer(const char *name)
{
    static const char ending[] = ".rotary_emb.inv_freq";
    size_t n = strlen(name), n_ending = sizeof ending - 1;
    return n > n_ending && strcmp(name + n - n_ending, ending) == 0;
}

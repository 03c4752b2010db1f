/* architecture.c - the two tables of what differs between model types: which weights there are, what Hugging
 * Face calls them and their shapes; and what a type's config.json means where it says nothing.
 *
 * Place: read by config.c and its parts (defaults, what is refused), weights.c (names to roles) and
 * fingerprint.c (canonical order). Knows no files. A new model type is a new row of `architectures` and,
 * where its layers have other weights, new rules under a condition of their own. */
#include "model/architecture.h"

#include <stdio.h>
#include <string.h>

#define MODEL(role, name, where, ...)                                                                        \
    {                                                                                                        \
        name, COLA_OF_MODEL, COLA_OUTER_##role, COLA_IF_##where, __VA_ARGS__, NULL, 0, 0                     \
    }
#define LAYER(role, name, where, ...)                                                                        \
    {                                                                                                        \
        "model.layers.*." name, COLA_OF_LAYER, COLA_WEIGHT_##role, COLA_IF_##where, __VA_ARGS__, NULL, 0, 0  \
    }
#define EXPERT(role, name, out, in, fused, part, n_parts)                                                    \
    {                                                                                                        \
        "model.layers.*.mlp.experts.*." name, COLA_OF_EXPERT, COLA_WEIGHT_##role, COLA_IF_EXPERTS,           \
            MATRIX(out, in), "model.layers.*.mlp.experts." fused, part, n_parts                              \
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

const struct cola_weight_rule cola_weight_rules[] = {
    MODEL(EMBEDDING, "model.embed_tokens.weight", ANY, MATRIX(V, D)),
    MODEL(FINAL_NORM, "model.norm.weight", ANY, VECTOR(D)),
    MODEL(HEAD, "lm_head.weight", UNTIED, MATRIX(V, D)),
    LAYER(ATTENTION_NORM, "input_layernorm.weight", ANY, VECTOR(D)),
    LAYER(Q, "self_attn.q_proj.weight", ANY, MATRIX(H_d, D)),
    LAYER(K, "self_attn.k_proj.weight", ANY, MATRIX(G_d, D)),
    LAYER(V, "self_attn.v_proj.weight", ANY, MATRIX(G_d, D)),
    LAYER(O, "self_attn.o_proj.weight", ANY, MATRIX(D, H_d)),
    LAYER(MLP_NORM, "post_attention_layernorm.weight", ANY, VECTOR(D)),
    LAYER(GATE, "mlp.gate_proj.weight", DENSE, MATRIX(F, D)),
    LAYER(UP, "mlp.up_proj.weight", DENSE, MATRIX(F, D)),
    LAYER(DOWN, "mlp.down_proj.weight", DENSE, MATRIX(D, F)),
    LAYER(Q_BIAS, "self_attn.q_proj.bias", QKV_BIAS, VECTOR(H_d)),
    LAYER(K_BIAS, "self_attn.k_proj.bias", QKV_BIAS, VECTOR(G_d)),
    LAYER(V_BIAS, "self_attn.v_proj.bias", QKV_BIAS, VECTOR(G_d)),
    LAYER(Q_NORM, "self_attn.q_norm.weight", HEAD_NORM, VECTOR(d)),
    LAYER(K_NORM, "self_attn.k_norm.weight", HEAD_NORM, VECTOR(d)),
    LAYER(Q_NORM, "self_attn.q_norm.weight", PROJECTION_NORM, VECTOR(H_d)),
    LAYER(K_NORM, "self_attn.k_norm.weight", PROJECTION_NORM, VECTOR(G_d)),
    LAYER(ROUTER, "mlp.gate.weight", EXPERTS, MATRIX(E, D)),
    LAYER(SHARED_ROUTER, "mlp.shared_expert_gate.weight", SHARED_EXPERT, MATRIX(1, D)),
    LAYER(SHARED_GATE, "mlp.shared_expert.gate_proj.weight", SHARED_EXPERT, MATRIX(FS, D)),
    LAYER(SHARED_UP, "mlp.shared_expert.up_proj.weight", SHARED_EXPERT, MATRIX(FS, D)),
    LAYER(SHARED_DOWN, "mlp.shared_expert.down_proj.weight", SHARED_EXPERT, MATRIX(D, FS)),
    EXPERT(GATE, "gate_proj.weight", FE, D, "gate_up_proj", 0, 2),
    EXPERT(UP, "up_proj.weight", FE, D, "gate_up_proj", 1, 2),
    EXPERT(DOWN, "down_proj.weight", D, FE, "down_proj", 0, 1),
};
const size_t cola_n_weight_rules = sizeof cola_weight_rules / sizeof *cola_weight_rules;

/* From the configuration classes of transformers 5.23; the six have had these defaults since they exist. */
static const struct cola_architecture architectures[] = {
    {
        .model_type = "llama",
        .max_positions = 2048,
        .norm_eps = 1e-6,
        .window_use = COLA_WINDOW_UNLESS_OFF,
    },
    {
        .model_type = "mistral",
        .max_positions = 131072,
        .n_kv_heads = 8,
        .norm_eps = 1e-6,
        .window_use = COLA_WINDOW_ALWAYS,
        .window = 4096,
    },
    {
        .model_type = "qwen2",
        .qkv_bias = true,
        .max_positions = 32768,
        .n_kv_heads = 32,
        .norm_eps = 1e-6,
        .window_use = COLA_WINDOW_IF_ASKED_FOR,
        .window = 4096,
    },
    {
        .model_type = "qwen3",
        .qk_norm = COLA_QK_NORM_HEAD,
        .max_positions = 32768,
        .n_kv_heads = 32,
        .head_size = 128,
        .norm_eps = 1e-6,
        .window_use = COLA_WINDOW_IF_ASKED_FOR,
        .window = 4096,
    },
    {
        .model_type = "olmoe",
        .qk_norm = COLA_QK_NORM_PROJECTION,
        .max_positions = 4096,
        .norm_eps = 1e-5,
        .window_use = COLA_WINDOW_UNLESS_OFF,
        .n_experts = 64,
        .n_active = 8,
        .ff_key = "intermediate_size",
    },
    {
        .model_type = "qwen2_moe",
        .qkv_bias = true,
        .qkv_bias_key = "qkv_bias",
        .max_positions = 32768,
        .n_kv_heads = 16,
        .norm_eps = 1e-6,
        .window_use = COLA_WINDOW_IF_ASKED_FOR,
        .window = 4096,
        .n_experts = 60,
        .n_active = 4,
        .ff_key = "moe_intermediate_size",
        .n_ff = 1408,
        .n_shared_ff = 5632,
        .has_dense_layers = true,
    },
};
enum { N_ARCHITECTURES = sizeof architectures / sizeof *architectures };

const struct cola_architecture *cola_architecture_find(const char *model_type)
{
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        if (strcmp(architectures[i].model_type, model_type) == 0) return &architectures[i];
    return NULL;
}

const struct cola_architecture *cola_architecture_at(size_t i)
{
    return i < N_ARCHITECTURES ? &architectures[i] : NULL;
}

void cola_architecture_names(char *text, size_t n_text)
{
    size_t at = (size_t)snprintf(text, n_text, "expected ");
    for (size_t i = 0; i < N_ARCHITECTURES && at < n_text; i++) {
        const char *before = i == 0 ? "" : i + 1 == N_ARCHITECTURES ? " or " : ", ";
        at += (size_t)snprintf(text + at, n_text - at, "%s%s", before, architectures[i].model_type);
    }
}

bool cola_weight_rule_applies(const struct cola_weight_rule *rule, const struct cola_model_config *c,
                              uint32_t layer)
{
    enum cola_qk_norm norm = cola_architecture_find(c->model_type)->qk_norm;
    switch ((enum cola_weight_if)rule->where) {
    case COLA_IF_ANY: return true;
    case COLA_IF_UNTIED: return !c->tied_head;
    case COLA_IF_QKV_BIAS: return c->qkv_bias;
    case COLA_IF_HEAD_NORM: return norm == COLA_QK_NORM_HEAD;
    case COLA_IF_PROJECTION_NORM: return norm == COLA_QK_NORM_PROJECTION;
    case COLA_IF_DENSE: return !cola_layer_has_experts(c, layer);
    case COLA_IF_EXPERTS: return cola_layer_has_experts(c, layer);
    case COLA_IF_SHARED_EXPERT: return cola_layer_has_experts(c, layer) && c->experts.n_shared_ff;
    }
    return false;
}

void cola_weight_name(const char *pattern, uint32_t layer, uint32_t expert, char name[COLA_WEIGHT_NAME_BYTES])
{
    size_t at = 0;
    uint32_t number = layer;
    for (const char *from = pattern; *from && at < COLA_WEIGHT_NAME_BYTES - 1; from++) {
        if (*from != '*') {
            name[at++] = *from;
            continue;
        }
        at += (size_t)snprintf(name + at, COLA_WEIGHT_NAME_BYTES - at, "%u", number);
        number = expert;
    }
    name[at < COLA_WEIGHT_NAME_BYTES ? at : COLA_WEIGHT_NAME_BYTES - 1] = '\0';
}

uint64_t cola_axis_size(enum cola_axis axis, const struct cola_model_config *c)
{
    switch (axis) {
    case COLA_AXIS_D: return c->n_hidden;
    case COLA_AXIS_d: return c->head_size;
    case COLA_AXIS_H_d: return (uint64_t)c->n_heads * c->head_size;
    case COLA_AXIS_G_d: return (uint64_t)c->n_kv_heads * c->head_size;
    case COLA_AXIS_F: return c->n_ff;
    case COLA_AXIS_V: return c->n_vocab;
    case COLA_AXIS_E: return c->experts.n_experts;
    case COLA_AXIS_FE: return c->experts.n_ff;
    case COLA_AXIS_FS: return c->experts.n_shared_ff;
    case COLA_AXIS_1:
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

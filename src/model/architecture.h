/* architecture.h - the tables of what differs between model types. Internal to src/model.
 *
 *     const struct cola_architecture *a = cola_architecture_find("qwen3");
 *     for (size_t i = 0; i < cola_n_weight_rules; i++)
 *         if (cola_weight_rule_applies(&cola_weight_rules[i], config, layer))
 *             ... this weight, under this name, with this shape
 */
#ifndef COLA_MODEL_ARCHITECTURE_H
#define COLA_MODEL_ARCHITECTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/model.h"

/* Weights outside of the layers. */
enum cola_outer_weight {
    COLA_OUTER_EMBEDDING = 0,
    COLA_OUTER_FINAL_NORM,
    COLA_OUTER_HEAD,
    COLA_N_OUTER_WEIGHTS
};

/* An axis of a shape, in the letters of engine.h; FE: F of one expert, FS: of the shared one. */
enum cola_axis {
    COLA_AXIS_NONE = 0,
    COLA_AXIS_1,
    COLA_AXIS_D,
    COLA_AXIS_d,
    COLA_AXIS_H_d,
    COLA_AXIS_G_d,
    COLA_AXIS_F,
    COLA_AXIS_V,
    COLA_AXIS_E,
    COLA_AXIS_FE,
    COLA_AXIS_FS
};

enum cola_weight_place { COLA_OF_MODEL = 0, COLA_OF_LAYER, COLA_OF_EXPERT };

/* What a model, or a layer of it, must have for a rule to apply to it. */
enum cola_weight_if {
    COLA_IF_ANY = 0,
    COLA_IF_UNTIED, /* the head is not the embedding */
    COLA_IF_QKV_BIAS,
    COLA_IF_HEAD_NORM,       /* of queries and keys, over a head */
    COLA_IF_PROJECTION_NORM, /* the same over the whole projection */
    COLA_IF_DENSE,           /* the layer has no experts */
    COLA_IF_EXPERTS,         /* the layer has */
    COLA_IF_SHARED_EXPERT    /* and one that every row goes through */
};

struct cola_weight_rule {
    /* Hugging Face's; the first '*' stands for the layer's number, a second one for the expert's */
    const char *name;
    uint8_t place;   /* enum cola_weight_place */
    uint8_t role;    /* enum cola_outer_weight if of the model, else enum cola_weight */
    uint8_t where;   /* enum cola_weight_if */
    uint8_t n_dims;  /* 1 or 2 */
    uint8_t axis[2]; /* enum cola_axis */
    /* Of experts: the tensor that may hold them all instead, [E, n_parts * rows, columns]; an expert's rows
     * of this rule are those of `part`. */
    const char *fused;
    uint8_t part, n_parts;
};

/* In canonical order: the model's own first, then a layer's, then an expert's. */
extern const struct cola_weight_rule cola_weight_rules[];
extern const size_t cola_n_weight_rules;

enum cola_qk_norm { COLA_QK_NORM_NONE = 0, COLA_QK_NORM_HEAD, COLA_QK_NORM_PROJECTION };

/* How a type reads sliding_window. */
enum cola_window_use {
    COLA_WINDOW_ALWAYS = 0,  /* in every layer, whatever other keys say */
    COLA_WINDOW_UNLESS_OFF,  /* unless use_sliding_window is false */
    COLA_WINDOW_IF_ASKED_FOR /* if use_sliding_window is true */
};

/* What a type's config.json means. Numbers are what an absent key means to transformers. */
struct cola_architecture {
    const char *model_type;
    enum cola_qk_norm qk_norm;
    bool qkv_bias;            /* if absent, or without a key */
    const char *qkv_bias_key; /* NULL: the type has no choice */
    uint32_t max_positions;
    uint32_t n_kv_heads; /* 0: as many as heads */
    uint32_t head_size;  /* 0: D / H */
    double norm_eps;
    enum cola_window_use window_use;
    uint32_t window;       /* 0: none */
    uint32_t n_experts;    /* 0: the type has none */
    uint32_t n_active;     /* num_experts_per_tok */
    const char *ff_key;    /* feed-forward size of one expert */
    uint32_t n_ff;         /* 0: required */
    uint32_t n_shared_ff;  /* 0: the type has no shared expert */
    bool has_dense_layers; /* reads decoder_sparse_step and mlp_only_layers */
};

const struct cola_architecture *cola_architecture_find(const char *model_type); /* NULL: unknown */
const struct cola_architecture *cola_architecture_at(size_t i);                 /* NULL behind the last */
void cola_architecture_names(char *text, size_t n_text); /* "expected llama, ... or ..." */

/* Whether the model has that weight; `layer` does not matter for weights of the model. Its type is known. */
bool cola_weight_rule_applies(const struct cola_weight_rule *rule, const struct cola_model_config *config,
                              uint32_t layer);

/* Writes a tensor's name: rule->name or rule->fused, with the numbers it asks for. Names are shorter than
 * this by construction of the table. */
enum { COLA_WEIGHT_NAME_BYTES = 128 };
void cola_weight_name(const char *pattern, uint32_t layer, uint32_t expert,
                      char name[COLA_WEIGHT_NAME_BYTES]);

uint64_t cola_axis_size(enum cola_axis axis, const struct cola_model_config *config);

static inline bool cola_layer_has_experts(const struct cola_model_config *config, uint32_t layer)
{
    return config->experts.in_layer[layer / 64] >> layer % 64 & 1;
}

/* Tensors of a checkpoint that carry nothing: buffers that old programs stored and every reader computes. */
bool cola_tensor_is_buffer(const char *name);

#endif

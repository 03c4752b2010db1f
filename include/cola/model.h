/* model.h - a Hugging Face model directory, checked and mapped: config.json and *.safetensors.
 *
 *     struct cola_model *model;
 *     COLA_TRY(cola_model_open("models/SmolLM2-135M-Instruct", &model));
 *     const struct cola_tensor *q = cola_model_weight(model, 3, COLA_WEIGHT_Q);      [H*d, D], borrowed
 *     cola_model_close(model);
 *
 * Reads both spellings of config.json (transformers 4: rope_theta, rope_scaling, torch_dtype; 5:
 * rope_parameters, dtype). Every tensor the architecture needs is present with the right shape and dtype, and
 * none is left over, or opening fails naming file and tensor. Files are mapped read-only, so ranks of one
 * node share the pages; they must not change while open. Thread-safe after opening. Knows nothing of engines.
 */
#ifndef COLA_MODEL_H
#define COLA_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "cola/chain.h"
#include "cola/hash.h"
#include "cola/status.h"

enum cola_dtype { COLA_F32 = 0, COLA_BF16 = 1, COLA_F16 = 2 };
enum { COLA_N_DTYPES = 3 };
const char *cola_dtype_name(enum cola_dtype dtype); /* "F32", "BF16", "F16" */
uint32_t cola_dtype_bytes(enum cola_dtype dtype);   /* of one element */

struct cola_tensor {
    const void *data; /* host, little-endian, row major; not aligned: read it through cola_tensor_widen */
    enum cola_dtype dtype;
    uint32_t n_dims;
    uint64_t shape[2]; /* product weights: [out, in] as Hugging Face stores them */
    bool mapped;       /* data lies in a mapping of its file: its pages can be read again */
};

enum cola_rope_scaling { COLA_ROPE_PLAIN = 0, COLA_ROPE_LLAMA3 = 1 };

struct cola_rope {
    double theta;
    enum cola_rope_scaling scaling;
    double factor, low_freq_factor, high_freq_factor; /* llama3 */
    uint32_t original_max_positions;                  /* llama3 */
};

/* Mixture of experts; all zero where every layer is dense. */
struct cola_experts {
    uint32_t n_experts, n_active; /* E; experts a row goes through */
    uint32_t n_ff;                /* feed-forward size of one expert */
    uint32_t n_shared_ff;         /* of the shared expert; 0: none */
    bool normalise;               /* the active experts' weights are divided by their sum */
    /* bit l % 64 of word l / 64: layer l has experts, and no dense feed-forward part */
    uint64_t in_layer[COLA_LAYERS_MAX / 64];
};

/* Shapes by the alphabet of engine.h: L layers, D hidden, H query heads, G key/value heads, d head size,
 * F feed-forward, V vocabulary, E experts. */
struct cola_model_config {
    char model_type[32]; /* "llama" */
    uint32_t n_layers, n_hidden, n_heads, n_kv_heads, head_size, n_ff, n_vocab, max_positions;
    float norm_eps;
    struct cola_rope rope;
    struct cola_experts experts;
    uint32_t window; /* a sliding window that max_positions was lowered to; 0: none. Attention sees all. */
    bool qkv_bias;   /* Q, K and V have biases */
    bool tied_head;  /* the head's weight is the embedding's */
};

/* The weights of one layer, by role. What a layer has decides what it does: there is no other switch between
 * architectures. Which types have which: src/model/architecture.c. */
enum cola_weight {
    /* every layer */
    COLA_WEIGHT_ATTENTION_NORM = 0, /* [D] */
    COLA_WEIGHT_Q,                  /* [H*d, D] */
    COLA_WEIGHT_K,                  /* [G*d, D] */
    COLA_WEIGHT_V,                  /* [G*d, D] */
    COLA_WEIGHT_O,                  /* [D, H*d] */
    COLA_WEIGHT_MLP_NORM,           /* [D] */
    /* dense layers: SwiGLU */
    COLA_WEIGHT_GATE, /* [F, D] */
    COLA_WEIGHT_UP,   /* [F, D] */
    COLA_WEIGHT_DOWN, /* [D, F] */
    /* qwen2, qwen2_moe: added to the projections */
    COLA_WEIGHT_Q_BIAS, /* [H*d] */
    COLA_WEIGHT_K_BIAS, /* [G*d] */
    COLA_WEIGHT_V_BIAS, /* [G*d] */
    /* RMS norm of queries and keys before the rotation: of each head (qwen3: [d]), or of the whole projection
     * (olmoe: [H*d], [G*d]) */
    COLA_WEIGHT_Q_NORM,
    COLA_WEIGHT_K_NORM,
    /* layers with experts; the experts' own weights: cola_model_expert */
    COLA_WEIGHT_ROUTER,        /* [E, D] */
    COLA_WEIGHT_SHARED_ROUTER, /* [1, D]: its sigmoid scales the shared expert (qwen2_moe) */
    COLA_WEIGHT_SHARED_GATE,   /* [n_shared_ff, D] */
    COLA_WEIGHT_SHARED_UP,     /* [n_shared_ff, D] */
    COLA_WEIGHT_SHARED_DOWN,   /* [D, n_shared_ff] */
    COLA_N_WEIGHTS
};

struct cola_model;

enum cola_status cola_model_open(const char *dir, struct cola_model **out);
void cola_model_close(struct cola_model *model); /* NULL allowed */

const struct cola_model_config *cola_model_config(const struct cola_model *model);
const struct cola_tensor *cola_model_embedding(const struct cola_model *model);  /* [V, D] */
const struct cola_tensor *cola_model_final_norm(const struct cola_model *model); /* [D] */
const struct cola_tensor *cola_model_head(const struct cola_model *model); /* [V, D], the embedding if tied */
/* NULL where the architecture has no such weight (a bias that is not there). */
const struct cola_tensor *cola_model_weight(const struct cola_model *model, uint32_t layer,
                                            enum cola_weight weight);

/* role: GATE [n_ff, D], UP [n_ff, D] or DOWN [D, n_ff] of one expert. NULL in a dense layer. */
const struct cola_tensor *cola_model_expert(const struct cola_model *model, uint32_t layer, uint32_t expert,
                                            enum cola_weight role);

uint64_t cola_model_n_parameters(const struct cola_model *model); /* a tied head counts once */
uint64_t cola_model_file_bytes(const struct cola_model *model);   /* of all safetensors files */
uint32_t cola_model_n_files(const struct cola_model *model);

/* Hash over config values and every tensor's name, dtype, shape and bytes in canonical order (sharding does
 * not matter); computed at the first call (reads all weights), then remembered. Not thread-safe at the first
 * call. */
enum cola_status cola_model_fingerprint(struct cola_model *model, char text[COLA_HASH_TEXT]);

uint64_t cola_tensor_n_elements(const struct cola_tensor *tensor);

/* Widens element i of a tensor: exact for every dtype. */
float cola_tensor_at(const struct cola_tensor *tensor, uint64_t i);
/* Widens n elements from `first` into out. */
void cola_tensor_widen(const struct cola_tensor *tensor, uint64_t first, uint64_t n, float *out);
/* The pages of n elements from `first` leave this process, not the system's cache: they were read for now.
 * What reads them again gets them again. Does nothing unless mapped. */
void cola_tensor_leave(const struct cola_tensor *tensor, uint64_t first, uint64_t n);

#endif

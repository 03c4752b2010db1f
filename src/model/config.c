/* config.c - reads config.json: the sizes that the weights are checked against, and what must be refused.
 *
 * Place: first step of cola_model_open; knows no files and no tensors. Two rules: a number is taken only
 * within its limits, and a setting that would change results is either computed or refused by name. Settings
 * of training (dropout, initializer_range) and of sampling are not read. Defaults are those of transformers
 * for the model's type (architecture.c). Experts: config_experts.c; sliding windows: config_window.c; rotary
 * embedding: rope.c. docs/format-model.md lists all of this. */
#include "model/config.h"

#include <string.h>

#include "cola/chain.h"

static enum cola_status fail_unsupported(const struct cola_json_at *at, const char *key, const json_t *value,
                                         const char *why)
{
    char found[COLA_JSON_SHOWN];
    cola_json_show(value, found);
    return cola_fail(COLA_ERR_UNSUPPORTED, "%s: %s %s is not supported: %s", at->file, key, found, why);
}

static enum cola_status read_model_type(const struct cola_json_at *at, struct cola_model_config *config,
                                        const struct cola_architecture **a)
{
    const char *type;
    COLA_TRY(cola_json_string(at, "model_type", NULL, &type));
    *a = cola_architecture_find(type);
    if (!*a || strlen(type) >= sizeof config->model_type) {
        char names[256];
        cola_architecture_names(names, sizeof names);
        return fail_unsupported(at, "model_type", cola_json_get(at, "model_type"), names);
    }
    memcpy(config->model_type, type, strlen(type) + 1);
    return COLA_OK;
}

/* num_key_value_heads and head_dim: null means "from the other sizes", absent what the type's class has. */
static enum cola_status read_heads(const struct cola_json_at *at, const struct cola_architecture *a,
                                   struct cola_model_config *c)
{
    const bool no_kv = cola_json_absent(at, "num_key_value_heads"), no_dim = cola_json_absent(at, "head_dim");
    const uint32_t default_kv = no_kv && a->n_kv_heads ? a->n_kv_heads : c->n_heads;
    COLA_TRY(cola_json_count(at, "num_key_value_heads", COLA_DIMENSION_MAX, &default_kv, &c->n_kv_heads));
    if (c->n_heads % c->n_kv_heads != 0)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: num_attention_heads %u is no multiple of num_key_value_heads %u%s", at->file,
                         c->n_heads, c->n_kv_heads, no_kv ? " (which is absent: the type's default)" : "");
    const bool quotient = !cola_json_get(at, "head_dim") && !(no_dim && a->head_size);
    if (quotient && c->n_hidden % c->n_heads != 0)
        return cola_fail(
            COLA_ERR_INPUT,
            "%s: hidden_size %u is no multiple of num_attention_heads %u, and head_dim is missing", at->file,
            c->n_hidden, c->n_heads);
    const uint32_t default_size = quotient ? c->n_hidden / c->n_heads : a->head_size;
    COLA_TRY(cola_json_count(at, "head_dim", COLA_DIMENSION_MAX, &default_size, &c->head_size));
    if (c->head_size % 2 != 0)
        return cola_fail(COLA_ERR_INPUT, "%s: head_dim %u is odd; rotary embeddings turn pairs", at->file,
                         c->head_size);
    if ((uint64_t)c->n_heads * c->head_size > COLA_DIMENSION_MAX)
        return cola_fail(COLA_ERR_INPUT, "%s: num_attention_heads %u times head_dim %u is more than %u",
                         at->file, c->n_heads, c->head_size, (unsigned)COLA_DIMENSION_MAX);
    return COLA_OK;
}

static enum cola_status read_sizes(const struct cola_json_at *at, const struct cola_architecture *a,
                                   struct cola_model_config *c)
{
    COLA_TRY(cola_json_count(at, "num_hidden_layers", COLA_LAYERS_MAX, NULL, &c->n_layers));
    COLA_TRY(cola_json_count(at, "hidden_size", COLA_DIMENSION_MAX, NULL, &c->n_hidden));
    COLA_TRY(cola_json_count(at, "intermediate_size", COLA_DIMENSION_MAX, NULL, &c->n_ff));
    COLA_TRY(cola_json_count(at, "vocab_size", COLA_DIMENSION_MAX, NULL, &c->n_vocab));
    COLA_TRY(cola_json_count(at, "max_position_embeddings", COLA_DIMENSION_MAX, &a->max_positions,
                             &c->max_positions));
    COLA_TRY(cola_json_count(at, "num_attention_heads", COLA_DIMENSION_MAX, NULL, &c->n_heads));
    COLA_TRY(read_heads(at, a, c));
    if (a->n_experts) COLA_TRY(cola_experts_parse(at, a, c->n_layers, &c->experts));
    return COLA_OK;
}

/* Each size is at most 2^24, so are H d and G d, and there are at most 2^12 experts: a layer has at most
 * 2^50 + (2 + 2^12) 3 2^48 < 2^62 parameters, and nothing here wraps. Layers count as if they had both parts.
 */
static enum cola_status check_total(const struct cola_json_at *at, const struct cola_model_config *c)
{
    const uint64_t limit = 1ull << 56;
    uint64_t attention = 2ull * c->n_hidden * c->head_size * ((uint64_t)c->n_heads + c->n_kv_heads);
    uint64_t units = c->n_ff + c->experts.n_shared_ff + (uint64_t)c->experts.n_experts * c->experts.n_ff;
    uint64_t layer = attention + 3ull * c->n_hidden * units;
    if (layer > limit / c->n_layers || layer * c->n_layers + 2ull * c->n_vocab * c->n_hidden > limit)
        return cola_fail(COLA_ERR_INPUT, "%s: these sizes make a model of more than 2^56 parameters",
                         at->file);
    return COLA_OK;
}

static enum cola_status read_norm(const struct cola_json_at *at, const struct cola_architecture *a,
                                  struct cola_model_config *c)
{
    double eps;
    /* from the smallest normal float on: below it, the norm would divide by zero for a row of zeros */
    COLA_TRY(cola_json_real(at, "rms_norm_eps", 0x1p-126, 1, &a->norm_eps, &eps));
    c->norm_eps = (float)eps;
    return COLA_OK;
}

static enum cola_status refuse_if_true(const struct cola_json_at *at, const char *key, const char *why)
{
    bool on;
    COLA_TRY(cola_json_flag(at, key, false, &on));
    return on ? fail_unsupported(at, key, cola_json_get(at, key), why) : COLA_OK;
}

static enum cola_status refuse_if_present(const struct cola_json_at *at, const char *key, const char *why)
{
    const json_t *value = cola_json_get(at, key);
    return value ? fail_unsupported(at, key, value, why) : COLA_OK;
}

static enum cola_status refuse_dtype(const struct cola_json_at *at, const char *key)
{
    const char *dtype;
    COLA_TRY(cola_json_string(at, key, "float32", &dtype));
    if (strcmp(dtype, "float32") != 0 && strcmp(dtype, "bfloat16") != 0 && strcmp(dtype, "float16") != 0)
        return fail_unsupported(at, key, cola_json_get(at, key), "expected float32, bfloat16 or float16");
    return COLA_OK;
}

/* Types with biases on Q, K and V have no attention_bias: their classes do not read it, and a bias on O would
 * be a tensor left over. */
static enum cola_status read_biases(const struct cola_json_at *at, const struct cola_architecture *a,
                                    struct cola_model_config *c)
{
    c->qkv_bias = a->qkv_bias;
    if (a->qkv_bias_key) COLA_TRY(cola_json_flag(at, a->qkv_bias_key, a->qkv_bias, &c->qkv_bias));
    if (!a->qkv_bias)
        COLA_TRY(refuse_if_true(at, "attention_bias", "this model type is computed without biases"));
    return refuse_if_true(at, "mlp_bias", "this model type is computed without biases");
}

static enum cola_status refuse_features(const struct cola_json_at *at)
{
    const char *act;
    COLA_TRY(cola_json_string(at, "hidden_act", "silu", &act));
    if (strcmp(act, "silu") != 0)
        return fail_unsupported(at, "hidden_act", cola_json_get(at, "hidden_act"), "expected silu");
    COLA_TRY(refuse_if_present(at, "clip_qkv", "queries, keys and values are not clipped here"));
    COLA_TRY(refuse_if_present(at, "compression_config", "weights must be F32, BF16 or F16"));
    COLA_TRY(refuse_dtype(at, "torch_dtype"));
    return refuse_dtype(at, "dtype");
}

static enum cola_status read_config(const struct cola_json_at *at, struct cola_model_config *config)
{
    const struct cola_architecture *a;
    COLA_TRY(read_model_type(at, config, &a));
    COLA_TRY(refuse_if_present(at, "quantization_config", "weights must be F32, BF16 or F16"));
    COLA_TRY(read_sizes(at, a, config));
    COLA_TRY(check_total(at, config));
    COLA_TRY(read_norm(at, a, config));
    COLA_TRY(cola_rope_parse(at, &config->rope));
    COLA_TRY(cola_json_flag(at, "tie_word_embeddings", false, &config->tied_head));
    COLA_TRY(read_biases(at, a, config));
    COLA_TRY(refuse_features(at));
    return cola_window_parse(at, a, config);
}

enum cola_status cola_config_parse(const char *text, size_t n, const char *file,
                                   struct cola_model_config *out)
{
    json_t *root;
    COLA_TRY(cola_json_parse(text, n, file, &root));
    struct cola_model_config config = {0};
    struct cola_json_at at = {root, file, ""};
    enum cola_status status = read_config(&at, &config);
    json_decref(root);
    if (status == COLA_OK) *out = config;
    return status;
}

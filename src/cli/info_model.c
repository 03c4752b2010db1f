/* info_model.c - the part of `cola info` about a model directory: sizes by the alphabet of engine.h, what the
 * weights are, and the fingerprint that runs record. Knows model.h only. */
#include "cli/info.h"

#include <stdio.h>
#include <stdlib.h>

#include "cola/model.h"

/* The float as the shortest decimal that reads back to it: 1e-05, not 9.99999975e-06. */
static double shortest(float value)
{
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    return strtod(text, NULL);
}

static enum cola_status add_sizes(const struct cola_model_config *c, json_t *facts)
{
    const struct {
        const char *key;
        uint32_t value;
    } sizes[] = {{"layers", c->n_layers},     {"hidden_size", c->n_hidden},
                 {"heads", c->n_heads},       {"kv_heads", c->n_kv_heads},
                 {"head_size", c->head_size}, {"feed_forward_size", c->n_ff},
                 {"vocabulary", c->n_vocab},  {"max_positions", c->max_positions}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        COLA_TRY(cola_info_add(facts, sizes[i].key, json_integer(sizes[i].value)));
    return COLA_OK;
}

static enum cola_status add_rope(const struct cola_rope *rope, json_t *facts)
{
    COLA_TRY(
        cola_info_add_text(facts, "rope_scaling", rope->scaling == COLA_ROPE_LLAMA3 ? "llama3" : "none"));
    COLA_TRY(cola_info_add(facts, "rope_theta", json_real(rope->theta)));
    if (rope->scaling != COLA_ROPE_LLAMA3) return COLA_OK;
    COLA_TRY(cola_info_add(facts, "rope_factor", json_real(rope->factor)));
    COLA_TRY(cola_info_add(facts, "rope_low_freq_factor", json_real(rope->low_freq_factor)));
    COLA_TRY(cola_info_add(facts, "rope_high_freq_factor", json_real(rope->high_freq_factor)));
    return cola_info_add(facts, "rope_original_positions", json_integer(rope->original_max_positions));
}

/* Why max_positions is less than config.json's max_position_embeddings. */
static enum cola_status add_window(const struct cola_model_config *c, json_t *facts)
{
    char text[96];
    if (!c->window) return COLA_OK;
    snprintf(text, sizeof text, "%u: beyond it attention would not see all, so longer sequences are refused",
             c->window);
    return cola_info_add_text(facts, "sliding_window", text);
}

static enum cola_status add_experts(const struct cola_model_config *c, json_t *facts)
{
    const struct cola_experts *x = &c->experts;
    uint32_t n_layers = 0;
    if (!x->n_experts) return COLA_OK;
    for (uint32_t l = 0; l < c->n_layers; l++) n_layers += x->in_layer[l / 64] >> l % 64 & 1;
    COLA_TRY(cola_info_add(facts, "experts", json_integer(x->n_experts)));
    COLA_TRY(cola_info_add(facts, "active_experts", json_integer(x->n_active)));
    COLA_TRY(cola_info_add(facts, "layers_with_experts", json_integer(n_layers)));
    COLA_TRY(cola_info_add(facts, "expert_size", json_integer(x->n_ff)));
    if (x->n_shared_ff) COLA_TRY(cola_info_add(facts, "shared_expert_size", json_integer(x->n_shared_ff)));
    return cola_info_add(facts, "normalised_weights", json_boolean(x->normalise));
}

static void count(const struct cola_tensor *tensor, uint64_t n_elements[COLA_N_DTYPES])
{
    if (tensor) n_elements[tensor->dtype] += cola_tensor_n_elements(tensor);
}

/* Parameters and bytes by dtype; a tied head counts once. */
static enum cola_status add_weights(const struct cola_model *model, json_t *facts)
{
    const struct cola_model_config *c = cola_model_config(model);
    uint64_t n_elements[COLA_N_DTYPES] = {0}, n_bytes = 0;
    char text[128] = "";
    size_t at = 0;
    count(cola_model_embedding(model), n_elements);
    count(cola_model_final_norm(model), n_elements);
    if (!c->tied_head) count(cola_model_head(model), n_elements);
    for (uint32_t l = 0; l < c->n_layers; l++) {
        for (int w = 0; w < COLA_N_WEIGHTS; w++)
            count(cola_model_weight(model, l, (enum cola_weight)w), n_elements);
        for (uint32_t e = 0; e < c->experts.n_experts; e++)
            for (int w = COLA_WEIGHT_GATE; w <= COLA_WEIGHT_DOWN; w++)
                count(cola_model_expert(model, l, e, (enum cola_weight)w), n_elements);
    }
    for (int d = 0; d < COLA_N_DTYPES; d++) {
        if (!n_elements[d]) continue;
        n_bytes += n_elements[d] * cola_dtype_bytes((enum cola_dtype)d);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? ", " : "",
                               cola_dtype_name((enum cola_dtype)d));
    }
    COLA_TRY(cola_info_add(facts, "parameters", json_integer((json_int_t)cola_model_n_parameters(model))));
    COLA_TRY(cola_info_add_text(facts, "dtypes", text));
    COLA_TRY(cola_info_add(facts, "weight_bytes", json_integer((json_int_t)n_bytes)));
    COLA_TRY(cola_info_add(facts, "files", json_integer(cola_model_n_files(model))));
    return cola_info_add(facts, "file_bytes", json_integer((json_int_t)cola_model_file_bytes(model)));
}

static enum cola_status describe(struct cola_model *model, json_t *facts)
{
    const struct cola_model_config *c = cola_model_config(model);
    char fingerprint[COLA_HASH_TEXT];
    COLA_TRY(cola_info_add_text(facts, "model_type", c->model_type));
    COLA_TRY(add_sizes(c, facts));
    COLA_TRY(add_window(c, facts));
    COLA_TRY(add_experts(c, facts));
    COLA_TRY(cola_info_add(facts, "norm_eps", json_real(shortest(c->norm_eps))));
    COLA_TRY(add_rope(&c->rope, facts));
    COLA_TRY(cola_info_add(facts, "tied_head", json_boolean(c->tied_head)));
    COLA_TRY(add_weights(model, facts));
    COLA_TRY(cola_model_fingerprint(model, fingerprint));
    return cola_info_add_text(facts, "fingerprint", fingerprint);
}

enum cola_status cola_info_model(const char *dir, json_t *facts)
{
    struct cola_model *model;
    COLA_TRY(cola_model_open(dir, &model));
    enum cola_status status = describe(model, facts);
    cola_model_close(model);
    return status;
}

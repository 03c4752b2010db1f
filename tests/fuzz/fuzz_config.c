/* fuzz_config.c - config.json from arbitrary bytes. What is accepted must be within the limits that the rest
 * of the program relies on; what is refused must have said why, in one line. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cola/chain.h"
#include "model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth) abort();
}

static void check_experts(const struct cola_architecture *a, const struct cola_model_config *c)
{
    const struct cola_experts *x = &c->experts;
    uint32_t n_layers = 0;
    for (uint32_t l = 0; l < COLA_LAYERS_MAX; l++) {
        bool here = cola_layer_has_experts(c, l);
        n_layers += here;
        require(!here || l < c->n_layers);
    }
    require((n_layers > 0) == (x->n_experts > 0));
    require(a->n_experts || !x->n_experts);
    require(a->has_dense_layers || !a->n_experts || n_layers == c->n_layers);
    if (!x->n_experts) {
        require(!x->n_active && !x->n_ff && !x->n_shared_ff && !x->normalise);
        return;
    }
    require(x->n_active >= 1 && x->n_active <= x->n_experts && x->n_ff >= 1 && x->n_ff <= COLA_DIMENSION_MAX);
    require((x->n_shared_ff >= 1) == (a->n_shared_ff >= 1));
}

static void check_accepted(const struct cola_model_config *c)
{
    const struct cola_architecture *a = cola_architecture_find(c->model_type);
    require(a != NULL);
    require(c->n_layers >= 1 && c->n_layers <= COLA_LAYERS_MAX);
    require(c->n_hidden >= 1 && c->n_ff >= 1 && c->n_vocab >= 1 && c->max_positions >= 1);
    require(!c->window || c->window == c->max_positions);
    require(c->n_kv_heads >= 1 && c->n_heads % c->n_kv_heads == 0 && c->head_size % 2 == 0 &&
            c->head_size >= 2);
    require((uint64_t)c->n_heads * c->head_size <= COLA_DIMENSION_MAX);
    require(isfinite(c->norm_eps) && c->norm_eps > 0);
    require(isfinite(c->rope.theta) && c->rope.theta >= 1);
    if (c->rope.scaling == COLA_ROPE_LLAMA3)
        require(c->rope.factor >= 1 && c->rope.low_freq_factor < c->rope.high_freq_factor &&
                c->rope.original_max_positions >= 1);
    require(c->qkv_bias == a->qkv_bias || a->qkv_bias_key);
    check_experts(a, c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char file[] = "config.json: "; /* every error begins with the file's name */
    struct cola_model_config config;
    if (cola_config_parse((const char *)data, size, "config.json", &config) == COLA_OK)
        check_accepted(&config);
    else
        require(strncmp(cola_error_text(), file, sizeof file - 1) == 0 && !strchr(cola_error_text(), '\n'));
    return 0;
}

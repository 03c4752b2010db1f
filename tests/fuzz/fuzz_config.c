/* fuzz_config.c - config.json from arbitrary bytes. What is accepted must be within the limits that the rest
 * of the program relies on; what is refused must have said why, in one line. */
#include <math.h>
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

static void check_accepted(const struct cola_model_config *c)
{
    require(strcmp(c->model_type, "llama") == 0);
    require(c->n_layers >= 1 && c->n_layers <= COLA_LAYERS_MAX);
    require(c->n_hidden >= 1 && c->n_ff >= 1 && c->n_vocab >= 1 && c->max_positions >= 1);
    require(c->n_kv_heads >= 1 && c->n_heads % c->n_kv_heads == 0 && c->head_size % 2 == 0 &&
            c->head_size >= 2);
    require((uint64_t)c->n_heads * c->head_size <= COLA_DIMENSION_MAX);
    require(isfinite(c->norm_eps) && c->norm_eps > 0);
    require(isfinite(c->rope.theta) && c->rope.theta >= 1);
    if (c->rope.scaling == COLA_ROPE_LLAMA3)
        require(c->rope.factor >= 1 && c->rope.low_freq_factor < c->rope.high_freq_factor &&
                c->rope.original_max_positions >= 1);
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

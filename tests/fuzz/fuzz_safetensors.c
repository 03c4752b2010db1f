/* fuzz_safetensors.c - a safetensors file from arbitrary bytes, then the index of shards from the same bytes.
 * What is accepted must tile the data; the tensors are mapped to the roles of a tiny llama and of a tiny
 * qwen2_moe, and if that succeeds every element is read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/safetensors.h"
#include "model/shard_index.h"
#include "model/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth) abort();
}

static void read_all(const struct cola_tensor *t)
{
    volatile float sum = 0; /* each element is an address that must be readable */
    for (uint64_t i = 0; t->data && i < cola_tensor_n_elements(t); i++) sum = sum + cola_tensor_at(t, i);
}

/* The seeds have these sizes: model.safetensors; experts.safetensors and fused.safetensors. */
static const struct cola_model_config configs[] = {
    {.model_type = "llama",
     .n_layers = 1,
     .n_hidden = 2,
     .n_heads = 2,
     .n_kv_heads = 1,
     .head_size = 2,
     .n_ff = 3,
     .n_vocab = 4,
     .tied_head = true},
    {.model_type = "qwen2_moe",
     .n_layers = 1,
     .n_hidden = 2,
     .n_heads = 1,
     .n_kv_heads = 1,
     .head_size = 2,
     .n_ff = 3,
     .n_vocab = 4,
     .experts = {.n_experts = 2, .n_active = 1, .n_ff = 3, .n_shared_ff = 1, .in_layer = {1}},
     .qkv_bias = true,
     .tied_head = true}};

static void map_roles(struct cola_tensor_table *table, const struct cola_model_config *config)
{
    struct cola_weights weights;
    for (size_t i = 0; i < table->n_tensors; i++) table->tensor[i].used = false;
    if (cola_weights_map(config, table, &weights) != COLA_OK) return;
    for (int i = 0; i < COLA_N_OUTER_WEIGHTS; i++) read_all(&weights.outer[i]);
    for (int i = 0; i < COLA_N_WEIGHTS; i++) read_all(&weights.layer[i]);
    for (uint32_t e = 0; e < config->experts.n_experts; e++)
        for (int role = COLA_WEIGHT_GATE; role <= COLA_WEIGHT_DOWN; role++)
            read_all(cola_weights_expert(&weights, 0, e, (enum cola_weight)role));
    cola_weights_fini(&weights);
}

static void fuzz_file(const uint8_t *data, size_t size)
{
    static const char file[] = "x.safetensors: ";
    struct cola_safetensors st;
    struct cola_tensor_table table = {.source = "x.safetensors"};
    if (cola_safetensors_parse(data, size, "x.safetensors", &st) != COLA_OK) {
        require(strncmp(cola_error_text(), file, sizeof file - 1) == 0 && !strchr(cola_error_text(), '\n'));
        return;
    }
    uint64_t at = 0;
    for (size_t i = 0; i < st.n_entries; at = st.entry[i++].end) {
        require(st.entry[i].begin == at && st.entry[i].end >= at);
        require((const uint8_t *)st.entry[i].data >= data + 8 &&
                (const uint8_t *)st.entry[i].data + (st.entry[i].end - at) <= data + size);
    }
    require(cola_tensor_table_add(&table, &st, "x.safetensors") == COLA_OK);
    require(cola_tensor_table_sort(&table) == COLA_OK); /* one file has no name twice */
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) map_roles(&table, &configs[i]);
    cola_tensor_table_fini(&table);
    cola_safetensors_fini(&st);
}

static void fuzz_index(const char *text, size_t n)
{
    struct cola_shard_index index;
    if (cola_shard_index_parse(text, n, "index.json", &index) != COLA_OK) return;
    for (size_t i = 0; i < index.n_shards; i++) {
        require(index.shard[i][0] != '.' && !strchr(index.shard[i], '/'));
        require(i == 0 || strcmp(index.shard[i - 1], index.shard[i]) < 0);
    }
    cola_shard_index_fini(&index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_file(data, size);
    fuzz_index((const char *)data, size);
    return 0;
}

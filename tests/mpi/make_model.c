/* make_model.c - make_model DIR: a model of SmolLM2-135M's sizes whose weights are all zero, for tests of
 * memory: 135 million parameters that take no disk (the file is one hole). Every logit is zero, so every
 * score is the same.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAYERS = 30, HIDDEN = 576, KV = 192, FF = 1536, VOCABULARY = 49152 };

static const char config[] =
    "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"hidden_act\": \"silu\",\n"
    " \"hidden_size\": 576, \"intermediate_size\": 1536, \"num_hidden_layers\": 30, \"num_attention_heads\": "
    "9,\n"
    " \"num_key_value_heads\": 3, \"head_dim\": 64, \"max_position_embeddings\": 2048, \"rms_norm_eps\": "
    "1e-05,\n"
    " \"rope_theta\": 100000.0, \"attention_bias\": false, \"mlp_bias\": false, \"tie_word_embeddings\": "
    "true,\n"
    " \"torch_dtype\": \"bfloat16\", \"vocab_size\": 49152}\n";

struct header {
    char text[1 << 16];
    size_t n;
    uint64_t at; /* bytes of the tensors so far */
};

/* columns 0: a vector */
static void add(struct header *h, const char *name, uint64_t rows, uint64_t columns)
{
    uint64_t n_bytes = 2 * rows * (columns ? columns : 1);
    h->n +=
        (size_t)snprintf(h->text + h->n, sizeof h->text - h->n,
                         "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":[%" PRIu64, h->n > 1 ? "," : "", name, rows);
    if (columns) h->n += (size_t)snprintf(h->text + h->n, sizeof h->text - h->n, ",%" PRIu64, columns);
    h->n += (size_t)snprintf(h->text + h->n, sizeof h->text - h->n,
                             "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", h->at, h->at + n_bytes);
    h->at += n_bytes;
}

static void add_layer(struct header *h, int layer)
{
    static const struct {
        const char *name;
        uint64_t rows, columns;
    } weight[] = {{"input_layernorm", HIDDEN, 0},       {"self_attn.q_proj", HIDDEN, HIDDEN},
                  {"self_attn.k_proj", KV, HIDDEN},     {"self_attn.v_proj", KV, HIDDEN},
                  {"self_attn.o_proj", HIDDEN, HIDDEN}, {"post_attention_layernorm", HIDDEN, 0},
                  {"mlp.gate_proj", FF, HIDDEN},        {"mlp.up_proj", FF, HIDDEN},
                  {"mlp.down_proj", HIDDEN, FF}};
    for (size_t i = 0; i < sizeof weight / sizeof *weight; i++) {
        char name[96];
        snprintf(name, sizeof name, "model.layers.%d.%s.weight", layer, weight[i].name);
        add(h, name, weight[i].rows, weight[i].columns);
    }
}

static bool write_config(const char *dir)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/config.json", dir);
    FILE *file = fopen(path, "w");
    return file && fputs(config, file) >= 0 && fclose(file) == 0;
}

static bool write_weights(const char *dir)
{
    static struct header h;
    char path[4096];
    h.n = 1, h.text[0] = '{';
    add(&h, "model.embed_tokens.weight", VOCABULARY, HIDDEN);
    for (int l = 0; l < LAYERS; l++) add_layer(&h, l);
    add(&h, "model.norm.weight", HIDDEN, 0);
    h.text[h.n++] = '}';
    while (h.n % 8) h.text[h.n++] = ' ';
    uint64_t n_header = h.n;
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    FILE *file = fopen(path, "w");
    bool good = file && fwrite(&n_header, sizeof n_header, 1, file) == 1 &&
                fwrite(h.text, 1, h.n, file) == h.n && fflush(file) == 0 &&
                ftruncate(fileno(file), (off_t)(8 + h.n + h.at)) == 0;
    return file && fclose(file) == 0 && good;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_model DIR\n");
        return 2;
    }
    mkdir(argv[1], 0755);
    if (write_config(argv[1]) && write_weights(argv[1])) return 0;
    perror("make_model");
    return 1;
}

/* tiny_model.h - a llama of two layers written by the tests themselves, so that every byte of its files can
 * be made wrong. L 2, D 4, H 2, G 1, d 4, F 6, V 8: no two axes of a product are equal, so a transposed
 * weight shows.
 *
 * What is written depends on texts only: a case changes config, header or index by replacing one piece of
 * text, and a piece that does not occur fails the test. */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TINY_CONFIG                                                                                          \
    "{\"model_type\": \"llama\", \"num_hidden_layers\": 2, \"hidden_size\": 4, \"num_attention_heads\": 2, " \
    "\"num_key_value_heads\": 1, \"head_dim\": 4, \"intermediate_size\": 6, \"vocab_size\": 8, "             \
    "\"max_position_embeddings\": 32, \"rms_norm_eps\": 1e-5, \"rope_theta\": 10000.0, "                     \
    "\"rope_scaling\": null, \"tie_word_embeddings\": false, \"hidden_act\": \"silu\", "                     \
    "\"attention_bias\": false, \"mlp_bias\": false, \"torch_dtype\": \"float32\"}"

struct tiny_tensor {
    const char *name;
    int rows, columns, depth; /* columns 0: one axis; depth 0: at most two */
};

static const struct tiny_tensor tiny_tensors[] = {
    {"lm_head.weight", 8, 4, 0},
    {"model.embed_tokens.weight", 8, 4, 0},
    {"model.layers.0.input_layernorm.weight", 4, 0, 0},
    {"model.layers.0.mlp.down_proj.weight", 4, 6, 0},
    {"model.layers.0.mlp.gate_proj.weight", 6, 4, 0},
    {"model.layers.0.mlp.up_proj.weight", 6, 4, 0},
    {"model.layers.0.post_attention_layernorm.weight", 4, 0, 0},
    {"model.layers.0.self_attn.k_proj.weight", 4, 4, 0},
    {"model.layers.0.self_attn.o_proj.weight", 4, 8, 0},
    {"model.layers.0.self_attn.q_proj.weight", 8, 4, 0},
    {"model.layers.0.self_attn.v_proj.weight", 4, 4, 0},
    {"model.layers.1.input_layernorm.weight", 4, 0, 0},
    {"model.layers.1.mlp.down_proj.weight", 4, 6, 0},
    {"model.layers.1.mlp.gate_proj.weight", 6, 4, 0},
    {"model.layers.1.mlp.up_proj.weight", 6, 4, 0},
    {"model.layers.1.post_attention_layernorm.weight", 4, 0, 0},
    {"model.layers.1.self_attn.k_proj.weight", 4, 4, 0},
    {"model.layers.1.self_attn.o_proj.weight", 4, 8, 0},
    {"model.layers.1.self_attn.q_proj.weight", 8, 4, 0},
    {"model.layers.1.self_attn.v_proj.weight", 4, 4, 0},
    {"model.norm.weight", 4, 0, 0},
};
enum {
    N_TINY_TENSORS = sizeof tiny_tensors / sizeof *tiny_tensors,
    TINY_N_PARAMETERS = 2 * 8 * 4 + 4 + 2 * (2 * 4 + 3 * 4 * 6 + 2 * 4 * 4 + 2 * 4 * 8),
    TINY_SHARD = 9,           /* tensors of the first of two shards */
    TINY_TEXT_BYTES = 1 << 14 /* room for a header or an index */
};

static inline size_t tiny_elements(const struct tiny_tensor *t)
{
    return (size_t)t->rows * (size_t)(t->columns ? t->columns : 1) * (size_t)(t->depth ? t->depth : 1);
}

/* The header of n tensors, all F32; returns the bytes of their data. */
static inline size_t tiny_header_of(char text[TINY_TEXT_BYTES], const struct tiny_tensor *tensor, size_t n)
{
    size_t n_data = 0, at = (size_t)sprintf(text, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (const struct tiny_tensor *t = tensor; t < tensor + n; t++) {
        size_t end = n_data + 4 * tiny_elements(t);
        at += (size_t)sprintf(text + at, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%d", t->name, t->rows);
        if (t->columns) at += (size_t)sprintf(text + at, ",%d", t->columns);
        if (t->depth) at += (size_t)sprintf(text + at, ",%d", t->depth);
        at += (size_t)sprintf(text + at, "],\"data_offsets\":[%zu,%zu]}", n_data, end);
        n_data = end;
    }
    sprintf(text + at, "}");
    return n_data;
}

/* The same of tiny_tensors first .. last-1. */
static inline size_t tiny_header(char text[TINY_TEXT_BYTES], size_t first, size_t last)
{
    return tiny_header_of(text, tiny_tensors + first, last - first);
}

/* Element i of the model, counted over all tensors: what the data sections hold. */
static inline float tiny_value(size_t i)
{
    return (float)i / 64 - 3;
}

static inline void replace_once(char text[TINY_TEXT_BYTES], const char *from, const char *to)
{
    char *at = strstr(text, from), rest[TINY_TEXT_BYTES];
    assert_non_null(at);
    snprintf(rest, sizeof rest, "%s", at + strlen(from));
    snprintf(at, TINY_TEXT_BYTES - (size_t)(at - text), "%s%s", to, rest);
}

static inline void write_bytes(const char *dir, const char *name, const void *bytes, size_t n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static inline void write_text(const char *dir, const char *name, const char *text)
{
    write_bytes(dir, name, text, strlen(text));
}

/* A safetensors file: length, header, then n_data bytes of the model's data from element `first` on. */
static inline size_t tiny_file(unsigned char *to, const char *header, size_t first, size_t n_data)
{
    size_t n = strlen(header);
    for (int i = 0; i < 8; i++) to[i] = (unsigned char)((uint64_t)n >> 8 * i);
    memcpy(to + 8, header, n);
    for (size_t i = 0; i < n_data; i += 4) {
        float value = tiny_value(first + i / 4);
        memcpy(to + 8 + n + i, &value, n_data - i < 4 ? n_data - i : 4);
    }
    return 8 + n + n_data;
}

static inline void write_safetensors(const char *dir, const char *name, const char *header, size_t first,
                                     size_t n_data)
{
    unsigned char *bytes = malloc(8 + strlen(header) + n_data);
    assert_non_null(bytes);
    write_bytes(dir, name, bytes, tiny_file(bytes, header, first, n_data));
    free(bytes);
}

static inline void make_dir(char dir[64])
{
    strcpy(dir, "/tmp/cola-test-model-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static inline void remove_dir(const char *dir)
{
    DIR *list = opendir(dir);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list));) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (entry->d_name[0] != '.') assert_int_equal(remove(path), 0);
    }
    closedir(list);
    assert_int_equal(rmdir(dir), 0);
}

/* The whole model in one file. */
static inline void write_tiny_single(const char *dir)
{
    char header[TINY_TEXT_BYTES];
    size_t n_data = tiny_header(header, 0, N_TINY_TENSORS);
    write_text(dir, "config.json", TINY_CONFIG);
    write_safetensors(dir, "model.safetensors", header, 0, n_data);
}

/* The text of the index of two shards, a.safetensors with the first TINY_SHARD tensors and b.safetensors. */
static inline void tiny_index(char text[TINY_TEXT_BYTES])
{
    size_t at = (size_t)sprintf(text, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");
    for (size_t i = 0; i < N_TINY_TENSORS; i++)
        at += (size_t)sprintf(text + at, "%s\"%s\":\"%s\"", i ? "," : "", tiny_tensors[i].name,
                              i < TINY_SHARD ? "a.safetensors" : "b.safetensors");
    sprintf(text + at, "}}");
}

static inline void write_tiny_sharded(const char *dir)
{
    char text[TINY_TEXT_BYTES];
    size_t n_a = tiny_header(text, 0, TINY_SHARD);
    write_safetensors(dir, "a.safetensors", text, 0, n_a);
    size_t n_b = tiny_header(text, TINY_SHARD, N_TINY_TENSORS);
    write_safetensors(dir, "b.safetensors", text, n_a / 4, n_b);
    tiny_index(text);
    write_text(dir, "model.safetensors.index.json", text);
    write_text(dir, "config.json", TINY_CONFIG);
}

/* The last error has each of the words. */
static inline void assert_error_names(const char *error, const char *const words[], size_t n_words)
{
    for (size_t i = 0; i < n_words; i++)
        if (words[i] && !strstr(error, words[i])) fail_msg("error '%s' does not name '%s'", error, words[i]);
}

#endif

/* test_model_experts.c - a qwen2_moe of two layers, one dense and one with experts, written by the test: both
 * ways to store experts are one model, every misfit of the roles that llama does not have is named, and the
 * fingerprint sees each of them. */
#include "unit/model/tiny_model.h"

#include "cola/model.h"

/* D 4, H 2, G 1, d 4, F 6, V 8; layer 1 has E 2 experts of F_e 3 and a shared one of F_s 5. */
#define CONFIG                                                                                               \
    "{\"model_type\": \"qwen2_moe\", \"num_hidden_layers\": 2, \"hidden_size\": 4, "                         \
    "\"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"head_dim\": 4, \"intermediate_size\": 6, "    \
    "\"vocab_size\": 8, \"max_position_embeddings\": 32, \"num_experts\": 2, \"num_experts_per_tok\": 1, "   \
    "\"moe_intermediate_size\": 3, \"shared_expert_intermediate_size\": 5, \"norm_topk_prob\": false, "      \
    "\"decoder_sparse_step\": 2, \"mlp_only_layers\": [], \"qkv_bias\": true}"
#define ATTENTION(l)                                                                                         \
    {"model.layers." l ".input_layernorm.weight", 4, 0, 0},                                                  \
        {"model.layers." l ".post_attention_layernorm.weight", 4, 0, 0},                                     \
        {"model.layers." l ".self_attn.q_proj.weight", 8, 4, 0},                                             \
        {"model.layers." l ".self_attn.k_proj.weight", 4, 4, 0},                                             \
        {"model.layers." l ".self_attn.v_proj.weight", 4, 4, 0},                                             \
        {"model.layers." l ".self_attn.o_proj.weight", 4, 8, 0},                                             \
        {"model.layers." l ".self_attn.q_proj.bias", 8, 0, 0},                                               \
        {"model.layers." l ".self_attn.k_proj.bias", 4, 0, 0},                                               \
    {                                                                                                        \
        "model.layers." l ".self_attn.v_proj.bias", 4, 0, 0                                                  \
    }
#define EXPERTS "model.layers.1.mlp.experts."
#define COMMON                                                                                               \
    {"lm_head.weight", 8, 4, 0}, {"model.embed_tokens.weight", 8, 4, 0}, {"model.norm.weight", 4, 0, 0},     \
        ATTENTION("0"), ATTENTION("1"), {"model.layers.0.mlp.gate_proj.weight", 6, 4, 0},                    \
        {"model.layers.0.mlp.up_proj.weight", 6, 4, 0}, {"model.layers.0.mlp.down_proj.weight", 4, 6, 0},    \
        {"model.layers.1.mlp.gate.weight", 2, 4, 0},                                                         \
        {"model.layers.1.mlp.shared_expert_gate.weight", 1, 4, 0},                                           \
        {"model.layers.1.mlp.shared_expert.gate_proj.weight", 5, 4, 0},                                      \
        {"model.layers.1.mlp.shared_expert.up_proj.weight", 5, 4, 0},                                        \
    {                                                                                                        \
        "model.layers.1.mlp.shared_expert.down_proj.weight", 4, 5, 0                                         \
    }

/* In the order in which the fused tensors hold the same bytes. */
static const struct tiny_tensor one_by_one[] = {
    COMMON,
    {EXPERTS "0.gate_proj.weight", 3, 4, 0},
    {EXPERTS "0.up_proj.weight", 3, 4, 0},
    {EXPERTS "1.gate_proj.weight", 3, 4, 0},
    {EXPERTS "1.up_proj.weight", 3, 4, 0},
    {EXPERTS "0.down_proj.weight", 4, 3, 0},
    {EXPERTS "1.down_proj.weight", 4, 3, 0},
};
static const struct tiny_tensor fused[] = {
    COMMON, {EXPERTS "gate_up_proj", 2, 6, 4}, {EXPERTS "down_proj", 2, 4, 3}};
enum {
    N_ONE_BY_ONE = sizeof one_by_one / sizeof *one_by_one,
    N_FUSED = sizeof fused / sizeof *fused,
    N_PARAMETERS = 2 * 32 + 4 + 2 * (8 + 2 * 32 + 2 * 16 + 16) + 3 * 24 + 8 + 4 + 3 * 20 + 2 * 3 * 12
};

static struct cola_model *opened(const char *dir)
{
    struct cola_model *model = NULL;
    if (cola_model_open(dir, &model) != COLA_OK) fail_msg("%s: %s", dir, cola_error_text());
    return model;
}

static void write_model(const char *dir, const struct tiny_tensor *tensor, size_t n)
{
    char header[TINY_TEXT_BYTES];
    size_t n_data = tiny_header_of(header, tensor, n);
    write_text(dir, "config.json", CONFIG);
    write_safetensors(dir, "model.safetensors", header, 0, n_data);
}

/* Where a tensor of `one_by_one` begins, in elements. */
static size_t begin_of(const char *name)
{
    size_t begin = 0;
    for (size_t i = 0; i < N_ONE_BY_ONE; begin += tiny_elements(&one_by_one[i++]))
        if (strcmp(one_by_one[i].name, name) == 0) return begin;
    fail_msg("no tensor %s", name);
    return 0;
}

static void assert_experts(const struct cola_model *m)
{
    static const char *const names[] = {"gate", "up", "down"};
    for (uint32_t e = 0; e < 2; e++)
        for (int r = 0; r < 3; r++) {
            const struct cola_tensor *t =
                cola_model_expert(m, 1, e, (enum cola_weight)(COLA_WEIGHT_GATE + r));
            char name[96];
            snprintf(name, sizeof name, EXPERTS "%u.%s_proj.weight", e, names[r]);
            assert_non_null(t);
            assert_int_equal(t->n_dims, 2);
            assert_int_equal(t->shape[0], r == 2 ? 4 : 3);
            assert_int_equal(t->shape[1], r == 2 ? 3 : 4);
            for (size_t i = 0; i < 12; i++)
                assert_true(cola_tensor_at(t, i) == tiny_value(begin_of(name) + i));
            assert_null(cola_model_expert(m, 0, e, (enum cola_weight)(COLA_WEIGHT_GATE + r)));
        }
    assert_null(cola_model_weight(m, 1, COLA_WEIGHT_GATE));
    assert_non_null(cola_model_weight(m, 0, COLA_WEIGHT_GATE));
    assert_null(cola_model_weight(m, 0, COLA_WEIGHT_ROUTER));
    assert_int_equal(cola_model_n_parameters(m), N_PARAMETERS);
}

static void both_ways_to_store_experts_are_one_model(void **state)
{
    (void)state;
    char dir[64], of_ones[COLA_HASH_TEXT], of_fused[COLA_HASH_TEXT];
    make_dir(dir);
    write_model(dir, one_by_one, N_ONE_BY_ONE);
    struct cola_model *m = opened(dir);
    assert_experts(m);
    assert_int_equal(cola_model_fingerprint(m, of_ones), COLA_OK);
    cola_model_close(m);
    write_model(dir, fused, N_FUSED);
    m = opened(dir);
    assert_experts(m);
    assert_int_equal(cola_model_fingerprint(m, of_fused), COLA_OK);
    cola_model_close(m);
    assert_string_equal(of_ones, of_fused);
    remove_dir(dir);
}

/* What a change of config.json or of the header leads to, and the words of the refusal. A header may only
 * change so that every tensor keeps its bytes. */
struct misfit {
    const char *config_from, *config_to; /* NULL: unchanged */
    const char *from, *to;               /* NULL: unchanged */
    const char *word[2];
};
#define CONFIG_CHANGE(from, to) from, to, NULL, NULL
#define HEADER_CHANGE(from, to) NULL, NULL, from, to
#define SURPLUS(name)                                                                                        \
    HEADER_CHANGE("{\"__metadata__\"", "{\"" name "\":{\"dtype\":\"F32\",\"shape\":[0],"                     \
                                       "\"data_offsets\":[0,0]},\"__metadata__\"")

static const struct misfit of_one_by_one[] = {
    {HEADER_CHANGE("1.self_attn.k_proj.bias", "1.x"), {"model.layers.1.self_attn.k_proj.bias", "missing"}},
    {HEADER_CHANGE("1.mlp.gate.weight", "1.x"), {"model.layers.1.mlp.gate.weight", "missing"}},
    {HEADER_CHANGE("shared_expert_gate", "x"), {"model.layers.1.mlp.shared_expert_gate.weight", "missing"}},
    {HEADER_CHANGE("shared_expert.up", "x"), {"model.layers.1.mlp.shared_expert.up_proj.weight", "missing"}},
    {HEADER_CHANGE("experts.1.down_proj", "x"), {EXPERTS "1.down_proj.weight", "missing"}},
    {HEADER_CHANGE("experts.0.up_proj", "x"), {EXPERTS "0.up_proj.weight", "missing"}},
    {SURPLUS("model.layers.1.self_attn.o_proj.bias"), {"model.layers.1.self_attn.o_proj.bias", "left over"}},
    {SURPLUS("model.layers.1.self_attn.q_norm.weight"), {"self_attn.q_norm.weight", "left over"}},
    {SURPLUS("model.layers.1.mlp.up_proj.weight"), {"model.layers.1.mlp.up_proj.weight", "left over"}},
    {SURPLUS("model.layers.0.mlp.gate.weight"), {"model.layers.0.mlp.gate.weight", "left over"}},
    {SURPLUS(EXPERTS "2.up_proj.weight"), {EXPERTS "2.up_proj.weight", "left over"}},
    {SURPLUS(EXPERTS "0.up_proj.bias"), {EXPERTS "0.up_proj.bias", "left over"}},
    {SURPLUS(EXPERTS "down_proj"),
     {EXPERTS "down_proj", "expected shape [2, 4, 3] by config.json, found [0]"}},
    {HEADER_CHANGE("[1,4]", "[4]"), {"shared_expert_gate.weight", "expected shape [1, 4]"}},
    {HEADER_CHANGE("[4,5]", "[5,4]"), {"shared_expert.down_proj.weight", "expected shape [4, 5]"}},
    {HEADER_CHANGE("[4,3]", "[3,4]"), {EXPERTS "0.down_proj.weight", "expected shape [4, 3]"}},
    {HEADER_CHANGE("q_proj.bias\":{\"dtype\":\"F32\",\"shape\":[8]",
                   "q_proj.bias\":{\"dtype\":\"F32\",\"shape\":[8,1]"),
     {"layers.0.self_attn.q_proj.bias", "found [8, 1]"}},
    {CONFIG_CHANGE("\"qkv_bias\": true", "\"qkv_bias\": false"), {"self_attn.k_proj.bias", "left over"}},
    {CONFIG_CHANGE("_step\": 2", "_step\": 1"), {"model.layers.0.mlp.gate.weight", "missing"}},
    {CONFIG_CHANGE("_step\": 2", "_step\": 3"), {"model.layers.1.mlp.gate_proj.weight", "missing"}},
    {CONFIG_CHANGE("\"mlp_only_layers\": []", "\"mlp_only_layers\": [1]"),
     {"layers.1.mlp.gate_proj", "missing"}},
    {CONFIG_CHANGE("\"num_experts\": 2", "\"num_experts\": 0"),
     {"model.layers.1.mlp.gate_proj.weight", "missing"}},
    {CONFIG_CHANGE("\"num_experts\": 2", "\"num_experts\": 3"),
     {"1.mlp.gate.weight", "expected shape [3, 4]"}},
    {CONFIG_CHANGE("\"moe_intermediate_size\": 3", "\"moe_intermediate_size\": 2"),
     {EXPERTS "0.gate_proj.weight", "expected shape [2, 4]"}},
    {CONFIG_CHANGE("\"shared_expert_intermediate_size\": 5", "\"shared_expert_intermediate_size\": 6"),
     {"mlp.shared_expert.gate_proj.weight", "expected shape [6, 4]"}},
};

static const struct misfit of_fused[] = {
    {HEADER_CHANGE("experts.down_proj", "x"), {EXPERTS "0.down_proj.weight", "missing"}},
    {HEADER_CHANGE("experts.gate_up_proj", "x"), {EXPERTS "0.gate_proj.weight", "missing"}},
    {HEADER_CHANGE("[2,6,4]", "[2,4,6]"), {EXPERTS "gate_up_proj", "expected shape [2, 6, 4]"}},
    {HEADER_CHANGE("[2,4,3]", "[2,3,4]"), {EXPERTS "down_proj", "expected shape [2, 4, 3]"}},
    {HEADER_CHANGE("[2,4,3]", "[24]"), {EXPERTS "down_proj", "found [24]"}},
    {HEADER_CHANGE("[2,6,4]", "[2,6,4,1]"), {EXPERTS "gate_up_proj", "found [2, 6, 4, 1]"}},
    {SURPLUS(EXPERTS "1.gate_proj.weight"), {EXPERTS "1.gate_proj.weight", "left over"}},
    {SURPLUS("model.layers.0.mlp.experts.gate_up_proj"),
     {"model.layers.0.mlp.experts.gate_up_proj", "left over"}},
};

static void assert_refused(const char *dir, const char *what, const char *const word[2])
{
    struct cola_model *m = NULL;
    const char *const file[] = {dir, "/model.safetensors"};
    enum cola_status status = cola_model_open(dir, &m);
    if (status != COLA_ERR_INPUT)
        fail_msg("%s: status %d: %s", what, status, status ? cola_error_text() : "accepted");
    assert_error_names(cola_error_text(), word, 2);
    assert_error_names(cola_error_text(), file, 2);
}

static void assert_misfits(const struct misfit *misfit, size_t n, const struct tiny_tensor *tensor,
                           size_t n_tensors)
{
    char dir[64];
    make_dir(dir);
    for (size_t i = 0; i < n; i++) {
        char header[TINY_TEXT_BYTES], config[TINY_TEXT_BYTES] = CONFIG;
        size_t n_data = tiny_header_of(header, tensor, n_tensors);
        if (misfit[i].config_from) replace_once(config, misfit[i].config_from, misfit[i].config_to);
        if (misfit[i].from) replace_once(header, misfit[i].from, misfit[i].to);
        write_text(dir, "config.json", config);
        write_safetensors(dir, "model.safetensors", header, 0, n_data);
        assert_refused(dir, misfit[i].config_to ? misfit[i].config_to : misfit[i].to, misfit[i].word);
    }
    remove_dir(dir);
}

static void misfits_are_named(void **state)
{
    (void)state;
    assert_misfits(of_one_by_one, sizeof of_one_by_one / sizeof *of_one_by_one, one_by_one, N_ONE_BY_ONE);
    assert_misfits(of_fused, sizeof of_fused / sizeof *of_fused, fused, N_FUSED);
}

/* As many experts as config.json says, where the router agrees with it. */
static void experts_are_counted(void **state)
{
    (void)state;
    static const char *const missing[] = {EXPERTS "2.gate_proj.weight", "missing"}, *const left[] = {
                                                                                        EXPERTS "1.",
                                                                                        "left over"};
    char dir[64];
    make_dir(dir);
    for (int n_experts = 1; n_experts <= 3; n_experts += 2) {
        struct tiny_tensor changed[N_ONE_BY_ONE];
        char config[TINY_TEXT_BYTES] = CONFIG, to[32];
        memcpy(changed, one_by_one, sizeof changed);
        for (size_t i = 0; i < N_ONE_BY_ONE; i++)
            if (strcmp(changed[i].name, "model.layers.1.mlp.gate.weight") == 0) changed[i].rows = n_experts;
        write_model(dir, changed, N_ONE_BY_ONE);
        snprintf(to, sizeof to, "\"num_experts\": %d", n_experts);
        replace_once(config, "\"num_experts\": 2", to);
        write_text(dir, "config.json", config);
        assert_refused(dir, to, n_experts == 3 ? missing : left);
    }
    remove_dir(dir);
}

static void fingerprint_of(const char *dir, char text[COLA_HASH_TEXT])
{
    struct cola_model *m = opened(dir);
    assert_int_equal(cola_model_fingerprint(m, text), COLA_OK);
    cola_model_close(m);
}

/* One bit in any one tensor, or one value of config.json that no shape shows. */
static void fingerprint_covers_experts(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"\"num_experts_per_tok\": 1", "\"num_experts_per_tok\": 2"},
        {"\"norm_topk_prob\": false", "\"norm_topk_prob\": true"},
        {"\"max_position_embeddings\": 32", "\"max_position_embeddings\": 32, \"use_sliding_window\": true, "
                                            "\"sliding_window\": 31"},
    };
    char dir[64], header[TINY_TEXT_BYTES], original[COLA_HASH_TEXT], changed[COLA_HASH_TEXT];
    make_dir(dir);
    write_model(dir, one_by_one, N_ONE_BY_ONE);
    fingerprint_of(dir, original);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char config[TINY_TEXT_BYTES] = CONFIG;
        replace_once(config, changes[i][0], changes[i][1]);
        write_text(dir, "config.json", config);
        fingerprint_of(dir, changed);
        assert_string_not_equal(original, changed);
    }
    write_text(dir, "config.json", CONFIG);
    size_t n_data = tiny_header_of(header, one_by_one, N_ONE_BY_ONE);
    unsigned char *bytes = malloc(8 + strlen(header) + n_data);
    assert_non_null(bytes);
    size_t n = tiny_file(bytes, header, 0, n_data), at = 8 + strlen(header);
    for (size_t i = 0; i < N_ONE_BY_ONE; at += 4 * tiny_elements(&one_by_one[i++])) {
        size_t last = at + 4 * tiny_elements(&one_by_one[i]) - 4;
        bytes[last] ^= 1;
        write_bytes(dir, "model.safetensors", bytes, n);
        fingerprint_of(dir, changed);
        if (strcmp(original, changed) == 0) fail_msg("a bit of %s does not count", one_by_one[i].name);
        bytes[last] ^= 1;
    }
    free(bytes);
    remove_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_to_store_experts_are_one_model),
        cmocka_unit_test(misfits_are_named),
        cmocka_unit_test(experts_are_counted),
        cmocka_unit_test(fingerprint_covers_experts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

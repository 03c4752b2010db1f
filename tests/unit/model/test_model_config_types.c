/* test_model_config_types.c - config.json of the types other than llama: what absent and null keys mean to
 * each, where a sliding window limits the positions, in which layers experts are, and what is refused. The
 * defaults are written out from the configuration classes of transformers 5.23. */
#include "unit/model/tiny_model.h"

#include <stdbool.h>

#include "model/config.h"

/* The keys without which no type opens, then `more`. */
#define BARE(type, more)                                                                                     \
    "{\"model_type\": \"" type "\", \"num_hidden_layers\": 4, \"hidden_size\": 128, "                        \
    "\"num_attention_heads\": 32, \"intermediate_size\": 6, \"vocab_size\": 8" more "}"
#define FULL4                                                                                                \
    "\"layer_types\": [\"full_attention\", \"full_attention\", \"full_attention\", \"full_attention\"]"
#define SLIDING4                                                                                             \
    "\"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\", \"full_attention\"]"

static enum cola_status parse(const char *text, struct cola_model_config *config)
{
    return cola_config_parse(text, strlen(text), "m/config.json", config);
}

static void absent_keys_mean_what_the_types_class_has(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t n_kv_heads, head_size, max_positions, window;
        float eps;
        bool qkv_bias;
        struct cola_experts experts;
    } expected[] = {
        {BARE("llama", ""), 32, 4, 2048, 0, 1e-6f, false, {0}},
        {BARE("mistral", ""), 8, 4, 4096, 4096, 1e-6f, false, {0}},
        {BARE("qwen2", ""), 32, 4, 32768, 0, 1e-6f, true, {0}},
        {BARE("qwen3", ""), 32, 128, 32768, 0, 1e-6f, false, {0}},
        {BARE("olmoe", ""), 32, 4, 4096, 0, 1e-5f, false, {64, 8, 6, 0, false, {15}}},
        {BARE("qwen2_moe", ""), 16, 4, 32768, 0, 1e-6f, true, {60, 4, 1408, 5632, false, {15}}},
        /* null is not the same: no window, as many heads as queries, the quotient as head size */
        {BARE("mistral", ", \"num_key_value_heads\": null, \"sliding_window\": null"),
         32,
         4,
         131072,
         0,
         1e-6f,
         false,
         {0}},
        {BARE("qwen3", ", \"head_dim\": null, \"num_key_value_heads\": null"),
         32,
         4,
         32768,
         0,
         1e-6f,
         false,
         {0}},
        {BARE("qwen2_moe", ", \"num_key_value_heads\": null, \"mlp_only_layers\": null"),
         32,
         4,
         32768,
         0,
         1e-6f,
         true,
         {60, 4, 1408, 5632, false, {15}}},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct cola_model_config c;
        if (parse(expected[i].text, &c) != COLA_OK) fail_msg("%s: %s", expected[i].text, cola_error_text());
        assert_int_equal(c.n_kv_heads, expected[i].n_kv_heads);
        assert_int_equal(c.head_size, expected[i].head_size);
        assert_int_equal(c.max_positions, expected[i].max_positions);
        assert_int_equal(c.window, expected[i].window);
        assert_true(c.norm_eps == expected[i].eps);
        assert_true(c.rope.theta == 10000);
        assert_int_equal(c.qkv_bias, expected[i].qkv_bias);
        assert_false(c.tied_head);
        assert_int_equal(c.experts.n_experts, expected[i].experts.n_experts);
        assert_int_equal(c.experts.n_active, expected[i].experts.n_active);
        assert_int_equal(c.experts.n_ff, expected[i].experts.n_ff);
        assert_int_equal(c.experts.n_shared_ff, expected[i].experts.n_shared_ff);
        assert_int_equal(c.experts.normalise, expected[i].experts.normalise);
        assert_memory_equal(c.experts.in_layer, expected[i].experts.in_layer, sizeof c.experts.in_layer);
    }
}

/* Both spellings of the rotary embedding, for a type that is not llama. */
static void spellings_agree_for_every_type(void **state)
{
    (void)state;
    static const char *const old_way[] = {
        BARE("qwen3", ", \"rope_theta\": 1000000, \"rope_scaling\": null, \"torch_dtype\": \"bfloat16\""),
        BARE("olmoe", ", \"rope_theta\": 1000000, \"torch_dtype\": \"bfloat16\"")};
    static const char *const new_way[] = {
        BARE("qwen3", ", \"rope_parameters\": {\"rope_theta\": 1e6, \"rope_type\": \"default\"}, \"dtype\": "
                      "\"float32\""),
        BARE("olmoe", ", \"rope_parameters\": {\"rope_theta\": 1e6, \"rope_type\": \"default\"}")};
    for (size_t i = 0; i < 2; i++) {
        struct cola_model_config a, b;
        memset(&a, 0, sizeof a);
        memset(&b, 0, sizeof b);
        assert_int_equal(parse(old_way[i], &a), COLA_OK);
        assert_int_equal(parse(new_way[i], &b), COLA_OK);
        assert_true(a.rope.theta == 1e6);
        assert_memory_equal(&a.rope, &b.rope, sizeof a.rope);
    }
}

/* Attention over the last W keys sees all of a sequence of W. */
static void windows_limit_the_positions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t max_positions, window;
    } expected[] = {
        {BARE("mistral", ", \"sliding_window\": 4096, \"max_position_embeddings\": 32768"), 4096, 4096},
        {BARE("mistral", ", \"sliding_window\": 4096, \"max_position_embeddings\": 4096"), 4096, 0},
        {BARE("mistral", ", \"sliding_window\": 4095, \"max_position_embeddings\": 4096"), 4095, 4095},
        {BARE("mistral",
              ", \"sliding_window\": 4, \"max_position_embeddings\": 8, \"use_sliding_window\": false"),
         4, 4},
        {BARE("mistral", ", \"sliding_window\": 4, \"max_position_embeddings\": 8, " FULL4), 4, 4},
        {BARE("mistral", ", \"sliding_window\": 0, \"max_position_embeddings\": 8"), 8, 0},
        {BARE("mistral", ", \"max_position_embeddings\": 4000"), 4000, 0},
        {BARE("qwen2", ", \"sliding_window\": 4, \"max_position_embeddings\": 8"), 8, 0},
        {BARE("qwen2",
              ", \"sliding_window\": 4, \"max_position_embeddings\": 8, \"use_sliding_window\": false"),
         8, 0},
        {BARE("qwen2",
              ", \"sliding_window\": 4, \"max_position_embeddings\": 8, \"use_sliding_window\": true"),
         4, 4},
        {BARE("qwen2", ", \"use_sliding_window\": true"), 4096, 4096},
        {BARE("qwen2", ", \"sliding_window\": null, \"use_sliding_window\": true"), 32768, 0},
        {BARE("qwen3", ", \"sliding_window\": 4, \"use_sliding_window\": true, " FULL4), 32768, 0},
        {BARE("qwen3", ", \"sliding_window\": 4, \"use_sliding_window\": true, " SLIDING4), 4, 4},
        {BARE("qwen2_moe", ", \"sliding_window\": 0, \"use_sliding_window\": false, " FULL4), 32768, 0},
        {BARE("qwen2_moe", ", \"sliding_window\": 4, \"use_sliding_window\": true"), 4, 4},
        {BARE("olmoe", ", \"sliding_window\": 4"), 4, 4},
        {BARE("llama", ", \"sliding_window\": 4, \"use_sliding_window\": false"), 2048, 0},
        {BARE("llama", ", \"sliding_window\": 4"), 4, 4},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct cola_model_config c;
        if (parse(expected[i].text, &c) != COLA_OK) fail_msg("%s: %s", expected[i].text, cola_error_text());
        if (c.max_positions != expected[i].max_positions || c.window != expected[i].window)
            fail_msg("%s: found %u positions, window %u", expected[i].text, c.max_positions, c.window);
    }
}

/* Layer l has experts if l is not in mlp_only_layers, there are any, and (l + 1) % decoder_sparse_step == 0.
 */
static void experts_are_in_the_right_layers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t in_layer; /* bit l */
    } expected[] = {
        {BARE("qwen2_moe", ", \"decoder_sparse_step\": 1"), 15},
        {BARE("qwen2_moe", ", \"decoder_sparse_step\": 2"), 10},
        {BARE("qwen2_moe", ", \"decoder_sparse_step\": 3"), 4},
        {BARE("qwen2_moe", ", \"decoder_sparse_step\": 4"), 8},
        {BARE("qwen2_moe", ", \"decoder_sparse_step\": 5"), 0},
        {BARE("qwen2_moe", ", \"decoder_sparse_step\": 4294967295"), 0},
        {BARE("qwen2_moe", ", \"mlp_only_layers\": [0, 2]"), 10},
        {BARE("qwen2_moe", ", \"mlp_only_layers\": [3, 0, 3], \"decoder_sparse_step\": 2"), 2},
        {BARE("qwen2_moe", ", \"mlp_only_layers\": [0, 1, 2, 3]"), 0},
        {BARE("qwen2_moe", ", \"num_experts\": 0"), 0},
        {BARE("olmoe", ", \"mlp_only_layers\": [0, 1, 2, 3], \"decoder_sparse_step\": 2"),
         15}, /* not its keys */
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct cola_model_config c;
        if (parse(expected[i].text, &c) != COLA_OK) fail_msg("%s: %s", expected[i].text, cola_error_text());
        if (c.experts.in_layer[0] != expected[i].in_layer)
            fail_msg("%s: found %#llx", expected[i].text, (unsigned long long)c.experts.in_layer[0]);
        static const struct cola_experts none;
        if (!expected[i].in_layer) assert_memory_equal(&c.experts, &none, sizeof none);
    }
}

static void keys_that_change_nothing_are_accepted(void **state)
{
    (void)state;
    static const char *const accepted[] = {
        BARE("qwen2", ", \"attention_bias\": true"), /* its class does not read that key */
        BARE("qwen2_moe", ", \"attention_bias\": true"),
        BARE("olmoe",
             ", \"clip_qkv\": null, \"output_router_logits\": false, \"router_aux_loss_coef\": 0.01"),
        BARE("olmoe", ", \"num_experts\": 8, \"num_local_experts\": 8"),
        BARE("olmoe", ", \"num_experts\": 4096, \"num_experts_per_tok\": 4096"),
        BARE("qwen3", ", \"max_window_layers\": 28, \"partial_rotary_factor\": 1.0"),
    };
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        struct cola_model_config c;
        if (parse(accepted[i], &c) != COLA_OK) fail_msg("%s: %s", accepted[i], cola_error_text());
    }
}

static void refused_configs_name_file_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum cola_status status;
        const char *word[2];
    } refused[] = {
        {BARE("qwen3_moe", ""),
         COLA_ERR_UNSUPPORTED,
         {"qwen3_moe", "llama, mistral, qwen2, qwen3, olmoe or qwen2_moe"}},
        {BARE("mixtral", ""), COLA_ERR_UNSUPPORTED, {"model_type \"mixtral\""}},
        /* features that would change results */
        {BARE("mistral", ", \"attention_bias\": true"), COLA_ERR_UNSUPPORTED, {"attention_bias true"}},
        {BARE("qwen3", ", \"attention_bias\": true"), COLA_ERR_UNSUPPORTED, {"attention_bias true"}},
        {BARE("olmoe", ", \"attention_bias\": true"), COLA_ERR_UNSUPPORTED, {"attention_bias true"}},
        {BARE("qwen2", ", \"mlp_bias\": true"), COLA_ERR_UNSUPPORTED, {"mlp_bias true"}},
        {BARE("olmoe", ", \"clip_qkv\": 8.0"), COLA_ERR_UNSUPPORTED, {"clip_qkv 8.0"}},
        {BARE("olmoe", ", \"clip_qkv\": 0"), COLA_ERR_UNSUPPORTED, {"clip_qkv 0"}},
        {BARE("qwen2_moe", ", \"hidden_act\": \"gelu\""), COLA_ERR_UNSUPPORTED, {"hidden_act \"gelu\""}},
        {BARE("qwen2", ", \"quantization_config\": {\"bits\": 4}"),
         COLA_ERR_UNSUPPORTED,
         {"quantization_config"}},
        {BARE("qwen2", ", \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0}"),
         COLA_ERR_UNSUPPORTED,
         {"yarn"}},
        {BARE("qwen3", ", \"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 4.0}"),
         COLA_ERR_UNSUPPORTED,
         {"dynamic"}},
        {BARE("mistral", ", \"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 2.0}"),
         COLA_ERR_UNSUPPORTED,
         {"linear"}},
        {BARE("olmoe", ", \"rope_scaling\": {\"type\": \"longrope\"}"), COLA_ERR_UNSUPPORTED, {"longrope"}},
        {BARE("qwen3", ", \"partial_rotary_factor\": 0.5"), COLA_ERR_UNSUPPORTED, {"partial_rotary_factor"}},
        {BARE("qwen2", ", \"dtype\": \"float64\""), COLA_ERR_UNSUPPORTED, {"dtype", "float64"}},
        /* layer types and windows */
        {BARE("qwen2", ", " SLIDING4), COLA_ERR_UNSUPPORTED, {"layer_types", "sliding_window"}},
        {BARE("qwen3", ", \"sliding_window\": null, \"use_sliding_window\": true, " SLIDING4),
         COLA_ERR_UNSUPPORTED,
         {"layer_types", "sliding_window"}},
        {BARE("qwen3",
              ", \"layer_types\": [\"full_attention\", \"full_attention\", \"linear_attention\", \"x\"]"),
         COLA_ERR_UNSUPPORTED,
         {"layer_types", "linear_attention"}},
        {BARE("qwen3", ", \"layer_types\": [\"full_attention\", \"full_attention\", 1, \"x\"]"),
         COLA_ERR_UNSUPPORTED,
         {"layer_types entry 1"}},
        {BARE("qwen3", ", \"layer_types\": [\"full_attention\"]"),
         COLA_ERR_INPUT,
         {"layer_types", "4 entries"}},
        {BARE("qwen3", ", \"layer_types\": \"full_attention\""),
         COLA_ERR_INPUT,
         {"layer_types", "4 entries"}},
        {BARE("mistral", ", \"sliding_window\": -1"), COLA_ERR_INPUT, {"sliding_window", "found -1"}},
        {BARE("mistral", ", \"sliding_window\": 4096.0"), COLA_ERR_INPUT, {"sliding_window", "4096.0"}},
        {BARE("qwen2", ", \"use_sliding_window\": 1"), COLA_ERR_INPUT, {"use_sliding_window", "found 1"}},
        /* numbers */
        {BARE("mistral", ", \"num_key_value_heads\": 5"), COLA_ERR_INPUT, {"num_key_value_heads 5"}},
        {BARE("olmoe", ", \"num_experts\": 0"), COLA_ERR_INPUT, {"num_experts", "1 .. 4096, found 0"}},
        {BARE("olmoe", ", \"num_experts\": 4097"), COLA_ERR_INPUT, {"num_experts", "4097"}},
        {BARE("qwen2_moe", ", \"num_experts\": -1"), COLA_ERR_INPUT, {"num_experts", "-1"}},
        {BARE("olmoe", ", \"num_experts\": 8, \"num_local_experts\": 9"),
         COLA_ERR_INPUT,
         {"num_local_experts 9"}},
        {BARE("olmoe", ", \"num_experts\": 4, \"num_experts_per_tok\": 5"),
         COLA_ERR_INPUT,
         {"num_experts_per_tok 5", "num_experts 4"}},
        {BARE("olmoe", ", \"num_experts\": 4"),
         COLA_ERR_INPUT,
         {"num_experts_per_tok 8"}}, /* 8: the default */
        {BARE("olmoe", ", \"num_experts_per_tok\": 0"), COLA_ERR_INPUT, {"num_experts_per_tok", "found 0"}},
        {BARE("olmoe", ", \"norm_topk_prob\": 1"), COLA_ERR_INPUT, {"norm_topk_prob", "found 1"}},
        {BARE("qwen2_moe", ", \"qkv_bias\": 0"), COLA_ERR_INPUT, {"qkv_bias", "found 0"}},
        {BARE("qwen2_moe", ", \"moe_intermediate_size\": 0"), COLA_ERR_INPUT, {"moe_intermediate_size"}},
        {BARE("qwen2_moe", ", \"shared_expert_intermediate_size\": 0"),
         COLA_ERR_INPUT,
         {"shared_expert_intermediate_size"}},
        {BARE("qwen2_moe", ", \"decoder_sparse_step\": 0"),
         COLA_ERR_INPUT,
         {"decoder_sparse_step", "found 0"}},
        {BARE("qwen2_moe", ", \"mlp_only_layers\": 3"), COLA_ERR_INPUT, {"mlp_only_layers", "list"}},
        {BARE("qwen2_moe", ", \"mlp_only_layers\": [4]"),
         COLA_ERR_INPUT,
         {"mlp_only_layers", "0 .. 3, found 4"}},
        {BARE("qwen2_moe", ", \"mlp_only_layers\": [-1]"), COLA_ERR_INPUT, {"mlp_only_layers", "found -1"}},
        {BARE("qwen2_moe", ", \"mlp_only_layers\": [1.0]"), COLA_ERR_INPUT, {"mlp_only_layers", "found 1.0"}},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct cola_model_config config = {.n_layers = 77};
        enum cola_status status = parse(refused[i].text, &config);
        if (status != refused[i].status)
            fail_msg("%s: status %d: %s", refused[i].text, status, status ? cola_error_text() : "accepted");
        const char *const file[] = {"m/config.json"};
        assert_error_names(cola_error_text(), file, 1);
        assert_error_names(cola_error_text(), refused[i].word, 2);
        assert_int_equal(config.n_layers, 77); /* untouched */
    }
}

/* Experts count: with D 2^24 this would be 3 2^60 parameters a layer. */
static void experts_beyond_64_bits_are_refused(void **state)
{
    (void)state;
    struct cola_model_config config;
    char text[TINY_TEXT_BYTES] =
        BARE("qwen2_moe", ", \"head_dim\": 2, \"num_experts\": 4096, \"moe_intermediate_size\": 16777216");
    assert_int_equal(parse(text, &config), COLA_OK); /* with D 128 3 2^43 */
    replace_once(text, "\"hidden_size\": 128", "\"hidden_size\": 16777216");
    assert_int_equal(parse(text, &config), COLA_ERR_INPUT);
    assert_non_null(strstr(cola_error_text(), "2^56"));
}

/* A default that does not fit the other sizes says that it is one. */
static void default_that_does_not_fit_is_named(void **state)
{
    (void)state;
    struct cola_model_config config;
    char text[TINY_TEXT_BYTES] = BARE("mistral", "");
    replace_once(text, "\"num_attention_heads\": 32", "\"num_attention_heads\": 4");
    assert_int_equal(parse(text, &config), COLA_ERR_INPUT);
    static const char *const words[] = {"num_attention_heads 4", "num_key_value_heads 8", "default"};
    assert_error_names(cola_error_text(), words, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_keys_mean_what_the_types_class_has),
        cmocka_unit_test(spellings_agree_for_every_type),
        cmocka_unit_test(windows_limit_the_positions),
        cmocka_unit_test(experts_are_in_the_right_layers),
        cmocka_unit_test(keys_that_change_nothing_are_accepted),
        cmocka_unit_test(refused_configs_name_file_and_key),
        cmocka_unit_test(experts_beyond_64_bits_are_refused),
        cmocka_unit_test(default_that_does_not_fit_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

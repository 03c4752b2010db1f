/* test_model_config.c - config.json: both spellings mean the same, defaults, and one case for everything that
 * is refused, each with the words its error must have. */
#include "unit/model/tiny_model.h"

#include <stdbool.h>

#include "model/config.h"

#define ROPE_4 "\"rope_theta\": 10000.0, \"rope_scaling\": null"
#define LLAMA3                                                                                               \
    "\"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "                                 \
    "\"original_max_position_embeddings\": 16"

static enum cola_status parse(const char *text, struct cola_model_config *config)
{
    return cola_config_parse(text, strlen(text), "m/config.json", config);
}

static void parse_with(const char *from, const char *to, struct cola_model_config *config)
{
    char text[TINY_TEXT_BYTES] = TINY_CONFIG;
    replace_once(text, from, to);
    if (parse(text, config) != COLA_OK) fail_msg("%s: %s", to, cola_error_text());
}

static void sizes_are_read(void **state)
{
    (void)state;
    struct cola_model_config c;
    assert_int_equal(parse(TINY_CONFIG, &c), COLA_OK);
    assert_string_equal(c.model_type, "llama");
    assert_int_equal(c.n_layers, 2);
    assert_int_equal(c.n_hidden, 4);
    assert_int_equal(c.n_heads, 2);
    assert_int_equal(c.n_kv_heads, 1);
    assert_int_equal(c.head_size, 4);
    assert_int_equal(c.n_ff, 6);
    assert_int_equal(c.n_vocab, 8);
    assert_int_equal(c.max_positions, 32);
    assert_true(c.norm_eps == 1e-5f);
    assert_true(c.rope.theta == 10000);
    assert_int_equal(c.rope.scaling, COLA_ROPE_PLAIN);
    assert_false(c.tied_head);
}

static void defaults_are_those_of_transformers(void **state)
{
    (void)state;
    struct cola_model_config c;
    assert_int_equal(parse("{\"model_type\":\"llama\",\"num_hidden_layers\":1,\"hidden_size\":12,"
                           "\"num_attention_heads\":3,\"intermediate_size\":5,\"vocab_size\":7,"
                           "\"num_key_value_heads\":null,\"head_dim\":null}",
                           &c),
                     COLA_OK);
    assert_int_equal(c.n_kv_heads, 3);
    assert_int_equal(c.head_size, 4);
    assert_int_equal(c.max_positions, 2048);
    assert_true(c.norm_eps == 1e-6f);
    assert_true(c.rope.theta == 10000);
    assert_false(c.tied_head);
}

/* The six ways to write one llama3 scaling give the same config, byte for byte. */
static void spellings_agree(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "\"rope_theta\": 5e5, \"rope_scaling\": {\"rope_type\": \"llama3\", " LLAMA3 "}",
        "\"rope_theta\": 500000, \"rope_scaling\": {\"type\": \"llama3\", " LLAMA3 "}",
        "\"rope_theta\": 500000, \"rope_scaling\": {\"type\": \"llama3\", \"rope_type\": \"llama3\", " LLAMA3
        "}",
        "\"rope_parameters\": {\"rope_theta\": 500000.0, \"rope_type\": \"llama3\", " LLAMA3 "}",
        "\"rope_theta\": 5e5, \"rope_parameters\": {\"rope_theta\": 500000.0, \"rope_type\": "
        "\"llama3\", " LLAMA3 "}",
        "\"rope_theta\": 5e5, \"rope_parameters\": {\"rope_type\": \"llama3\", \"beta_fast\": null, "
        "\"partial_rotary_factor\": 1.0, " LLAMA3 "}",
    };
    struct cola_model_config first, other;
    memset(&first, 0, sizeof first);
    parse_with(ROPE_4, ways[0], &first);
    assert_int_equal(first.rope.scaling, COLA_ROPE_LLAMA3);
    assert_true(first.rope.theta == 500000 && first.rope.factor == 8 && first.rope.low_freq_factor == 1 &&
                first.rope.high_freq_factor == 4);
    assert_int_equal(first.rope.original_max_positions, 16);
    for (size_t i = 1; i < sizeof ways / sizeof *ways; i++) {
        memset(&other, 0, sizeof other);
        parse_with(ROPE_4, ways[i], &other);
        assert_memory_equal(&first.rope, &other.rope, sizeof first.rope);
    }
}

static void harmless_settings_are_accepted(void **state)
{
    (void)state;
    static const char *const replacements[][2] = {
        {"\"torch_dtype\": \"float32\"", "\"dtype\": \"bfloat16\""},
        {"\"torch_dtype\": \"float32\"", "\"pretraining_tp\": 1, \"attention_dropout\": 0.0"},
        {"\"torch_dtype\": \"float32\"", "\"sliding_window\": null, \"use_sliding_window\": true"},
        {"\"torch_dtype\": \"float32\"", "\"sliding_window\": 0, \"use_sliding_window\": false"},
        {"\"torch_dtype\": \"float32\"",
         "\"sliding_window\": 31, \"layer_types\": [\"full_attention\", \"full_attention\"]"},
        {"\"torch_dtype\": \"float32\"", "\"quantization_config\": null"},
        {ROPE_4, "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 10000}"},
        {ROPE_4, "\"rope_scaling\": {}"},
        {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 4096"},
        {"\"vocab_size\": 8", "\"vocab_size\": 16777216"},
    };
    for (size_t i = 0; i < sizeof replacements / sizeof *replacements; i++) {
        struct cola_model_config c;
        parse_with(replacements[i][0], replacements[i][1], &c);
    }
}

static const struct {
    const char *from, *to; /* replaced in TINY_CONFIG */
    enum cola_status status;
    const char *word[2]; /* in the error, beside the file's name */
} refused[] = {
    /* what is no model */
    {"{", "[", COLA_ERR_INPUT, {"line 1", "JSON"}},
    {"\"hidden_act\"", "hidden_act", COLA_ERR_INPUT, {"JSON", "near 'hidden'"}},
    {"\"vocab_size\": 8",
     "\"vocab_size\": 8, \"vocab_size\": 9",
     COLA_ERR_INPUT,
     {"vocab_size", "duplicate"}},
    {"\"float32\"}", "\"float32\"} x", COLA_ERR_INPUT, {"JSON"}},
    {"\"model_type\": \"llama\", ", "", COLA_ERR_INPUT, {"model_type", "missing"}},
    {"\"llama\"", "\"gpt2\"", COLA_ERR_UNSUPPORTED, {"gpt2", "expected llama"}},
    {"\"llama\"", "7", COLA_ERR_INPUT, {"model_type", "string"}},
    /* numbers */
    {"\"vocab_size\": 8, ", "", COLA_ERR_INPUT, {"vocab_size", "missing"}},
    {"\"vocab_size\": 8", "\"vocab_size\": null", COLA_ERR_INPUT, {"vocab_size", "missing"}},
    {"\"vocab_size\": 8", "\"vocab_size\": \"8\"", COLA_ERR_INPUT, {"vocab_size", "whole number"}},
    {"\"vocab_size\": 8", "\"vocab_size\": true", COLA_ERR_INPUT, {"vocab_size", "true"}},
    {"\"vocab_size\": 8", "\"vocab_size\": 8.0", COLA_ERR_INPUT, {"vocab_size", "8.0"}},
    {"\"vocab_size\": 8", "\"vocab_size\": 8.5", COLA_ERR_INPUT, {"vocab_size", "8.5"}},
    {"\"vocab_size\": 8", "\"vocab_size\": 0", COLA_ERR_INPUT, {"vocab_size", "found 0"}},
    {"\"vocab_size\": 8", "\"vocab_size\": -8", COLA_ERR_INPUT, {"vocab_size", "-8"}},
    {"\"vocab_size\": 8", "\"vocab_size\": NaN", COLA_ERR_INPUT, {"vocab_size", "JSON"}},
    {"\"vocab_size\": 8", "\"vocab_size\": 16777217", COLA_ERR_INPUT, {"vocab_size", "16777216"}},
    {"\"vocab_size\": 8", "\"vocab_size\": 4294967304", COLA_ERR_INPUT, {"vocab_size", "4294967304"}},
    {"\"vocab_size\": 8", "\"vocab_size\": 99999999999999999999", COLA_ERR_INPUT, {"vocab_size", "integer"}},
    {"\"num_hidden_layers\": 2",
     "\"num_hidden_layers\": 4097",
     COLA_ERR_INPUT,
     {"num_hidden_layers", "4096"}},
    {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0", COLA_ERR_INPUT, {"num_hidden_layers"}},
    {"\"hidden_size\": 4", "\"hidden_size\": 16777217", COLA_ERR_INPUT, {"hidden_size"}},
    {"\"intermediate_size\": 6", "\"intermediate_size\": -1", COLA_ERR_INPUT, {"intermediate_size"}},
    {"\"max_position_embeddings\": 32", "\"max_position_embeddings\": 0", COLA_ERR_INPUT, {"max_position"}},
    {"\"head_dim\": 4", "\"head_dim\": 5", COLA_ERR_INPUT, {"head_dim", "odd"}},
    {"\"head_dim\": 4", "\"head_dim\": 16777216", COLA_ERR_INPUT, {"head_dim", "more than 16777216"}},
    {"\"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"head_dim\": 4",
     "\"num_attention_heads\": 3",
     COLA_ERR_INPUT,
     {"num_attention_heads 3", "head_dim"}},
    {"\"num_key_value_heads\": 1", "\"num_key_value_heads\": 4", COLA_ERR_INPUT, {"num_key_value_heads 4"}},
    {"\"num_key_value_heads\": 1", "\"num_key_value_heads\": 0", COLA_ERR_INPUT, {"num_key_value_heads"}},
    {"1e-5", "0", COLA_ERR_INPUT, {"rms_norm_eps", "found 0"}},
    {"1e-5", "-1e-5", COLA_ERR_INPUT, {"rms_norm_eps"}},
    {"1e-5", "1e-60", COLA_ERR_INPUT, {"rms_norm_eps"}},
    {"1e-5", "1.5", COLA_ERR_INPUT, {"rms_norm_eps", "found 1.5"}},
    {"1e-5", "1e400", COLA_ERR_INPUT, {"rms_norm_eps", "overflow"}},
    {"1e-5", "Infinity", COLA_ERR_INPUT, {"rms_norm_eps"}},
    {"\"tie_word_embeddings\": false", "\"tie_word_embeddings\": 0", COLA_ERR_INPUT, {"tie_word_embeddings"}},
    /* rope */
    {"10000.0", "1e19", COLA_ERR_INPUT, {"rope_theta", "1e+18"}},
    {"10000.0", "0.5", COLA_ERR_INPUT, {"rope_theta"}},
    {"10000.0", "\"x\"", COLA_ERR_INPUT, {"rope_theta"}},
    {ROPE_4, "\"rope_scaling\": 7", COLA_ERR_INPUT, {"rope_scaling", "object"}},
    {ROPE_4, "\"rope_parameters\": []", COLA_ERR_INPUT, {"rope_parameters", "object"}},
    {ROPE_4, "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}", COLA_ERR_UNSUPPORTED, {"linear"}},
    {ROPE_4,
     "\"rope_parameters\": {\"rope_type\": \"yarn\"}",
     COLA_ERR_UNSUPPORTED,
     {"yarn", "rope_parameters"}},
    {ROPE_4,
     "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}",
     COLA_ERR_UNSUPPORTED,
     {"full_attention"}},
    {ROPE_4, "\"rope_scaling\": {\"factor\": 2.0}", COLA_ERR_UNSUPPORTED, {"factor 2.0"}},
    {ROPE_4,
     "\"rope_scaling\": {\"rope_type\": \"llama3\", \"attention_factor\": 2.0, " LLAMA3 "}",
     COLA_ERR_UNSUPPORTED,
     {"attention_factor"}},
    {ROPE_4,
     "\"rope_scaling\": {\"type\": \"default\", \"rope_type\": \"llama3\", " LLAMA3 "}",
     COLA_ERR_INPUT,
     {"differ"}},
    {ROPE_4, "\"rope_theta\": 2.0, \"rope_parameters\": {\"rope_theta\": 3.0}", COLA_ERR_INPUT, {"differ"}},
    {ROPE_4,
     "\"rope_scaling\": {\"rope_theta\": 2.0}, \"rope_parameters\": {\"rope_theta\": 3.0}",
     COLA_ERR_INPUT,
     {"differ"}},
    {ROPE_4,
     "\"rope_scaling\": {\"rope_type\": \"llama3\"}",
     COLA_ERR_INPUT,
     {"rope_scaling.factor", "missing"}},
    {ROPE_4,
     "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, "
     "\"high_freq_factor\": 4, \"original_max_position_embeddings\": 16}",
     COLA_ERR_INPUT,
     {"low_freq_factor 4", "high_freq_factor 4"}},
    {ROPE_4,
     "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 0.5, \"low_freq_factor\": 1, "
     "\"high_freq_factor\": 4, \"original_max_position_embeddings\": 16}",
     COLA_ERR_INPUT,
     {"rope_scaling.factor"}},
    {ROPE_4, "\"partial_rotary_factor\": 0.5", COLA_ERR_UNSUPPORTED, {"partial_rotary_factor"}},
    {ROPE_4,
     "\"rope_parameters\": {\"partial_rotary_factor\": 0.5}",
     COLA_ERR_UNSUPPORTED,
     {"rope_parameters.partial_rotary_factor"}},
    /* features that would change results */
    {"\"silu\"", "\"gelu\"", COLA_ERR_UNSUPPORTED, {"hidden_act", "gelu"}},
    {"\"attention_bias\": false", "\"attention_bias\": true", COLA_ERR_UNSUPPORTED, {"attention_bias"}},
    {"\"mlp_bias\": false", "\"mlp_bias\": true", COLA_ERR_UNSUPPORTED, {"mlp_bias"}},
    {"\"mlp_bias\": false",
     "\"quantization_config\": {\"bits\": 4}",
     COLA_ERR_UNSUPPORTED,
     {"quantization_config"}},
    {"\"float32\"", "\"float64\"", COLA_ERR_UNSUPPORTED, {"torch_dtype", "float64"}},
    {"\"torch_dtype\": \"float32\"",
     "\"dtype\": \"float8_e4m3fn\"",
     COLA_ERR_UNSUPPORTED,
     {"dtype", "float8_e4m3fn"}},
    {"\"mlp_bias\": false",
     "\"layer_types\": [\"full_attention\", \"sliding_attention\"]",
     COLA_ERR_UNSUPPORTED,
     {"sliding_attention"}},
};

static void refused_configs_name_file_and_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char text[TINY_TEXT_BYTES] = TINY_CONFIG;
        struct cola_model_config config = {.n_layers = 77};
        replace_once(text, refused[i].from, refused[i].to);
        enum cola_status status = parse(text, &config);
        if (status != refused[i].status)
            fail_msg("%s: status %d: %s", refused[i].to, status, status ? cola_error_text() : "accepted");
        const char *const file[] = {"m/config.json"};
        assert_error_names(cola_error_text(), file, 1);
        assert_error_names(cola_error_text(), refused[i].word, 2);
        assert_int_equal(config.n_layers, 77); /* untouched */
    }
}

static void total_size_beyond_64_bits_is_refused(void **state)
{
    (void)state;
    char text[TINY_TEXT_BYTES] = TINY_CONFIG;
    struct cola_model_config config;
    replace_once(text, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 4096");
    replace_once(text, "\"hidden_size\": 4", "\"hidden_size\": 16777216");
    replace_once(text, "\"intermediate_size\": 6", "\"intermediate_size\": 16777216");
    assert_int_equal(parse(text, &config), COLA_ERR_INPUT);
    assert_non_null(strstr(cola_error_text(), "2^56"));
}

/* Every proper prefix of a good text is refused, and no byte beyond n is read (AddressSanitizer sees it). */
static void every_prefix_is_refused(void **state)
{
    (void)state;
    struct cola_model_config config;
    for (size_t n = 0; n < sizeof TINY_CONFIG - 1; n++) {
        char *text = malloc(n ? n : 1);
        assert_non_null(text);
        memcpy(text, TINY_CONFIG, n);
        assert_int_equal(cola_config_parse(text, n, "m/config.json", &config), COLA_ERR_INPUT);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(defaults_are_those_of_transformers),
        cmocka_unit_test(spellings_agree),
        cmocka_unit_test(harmless_settings_are_accepted),
        cmocka_unit_test(refused_configs_name_file_and_key),
        cmocka_unit_test(total_size_beyond_64_bits_is_refused),
        cmocka_unit_test(every_prefix_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_model_open.c - whole model directories: the goldens against values read by numpy, fingerprints, every
 * dtype, and one case for each way in which files and config.json can fail to fit together. */
#include "unit/model/tiny_model.h"

#include <math.h>

#include "cola/model.h"

static struct cola_model *opened(const char *dir)
{
    struct cola_model *model = NULL;
    if (cola_model_open(dir, &model) != COLA_OK) fail_msg("%s: %s", dir, cola_error_text());
    return model;
}

static void assert_shape(const struct cola_tensor *t, uint64_t rows, uint64_t columns)
{
    assert_non_null(t);
    assert_int_equal(t->n_dims, columns ? 2 : 1);
    assert_int_equal(t->shape[0], rows);
    if (columns) assert_int_equal(t->shape[1], columns);
}

static void assert_value(const struct cola_tensor *t, uint64_t row, uint64_t column, double expected)
{
    float value = cola_tensor_at(t, t->n_dims == 2 ? row * t->shape[1] + column : row);
    if ((double)value != expected) fail_msg("expected %a, found %a", expected, (double)value);
}

/* The values of these three tests: numpy on the files' bytes, at corners that a transposed or shifted read
 * would miss. */
static void golden_with_tied_head(void **state)
{
    (void)state;
    struct cola_model *m = opened(COLA_TEST_DATA "/models/llama_gqa_tied");
    const struct cola_model_config *c = cola_model_config(m);
    assert_int_equal(c->n_layers, 6);
    assert_int_equal(c->n_heads, 8);
    assert_int_equal(c->n_kv_heads, 2);
    assert_int_equal(c->head_size, 8);
    assert_true(c->tied_head);
    assert_true(c->rope.theta == 100000);
    assert_int_equal(cola_model_n_parameters(m), 267072);
    assert_int_equal(cola_model_n_files(m), 1);
    assert_ptr_equal(cola_model_head(m), cola_model_embedding(m));
    assert_shape(cola_model_embedding(m), 320, 64);
    assert_shape(cola_model_final_norm(m), 64, 0);
    assert_shape(cola_model_weight(m, 0, COLA_WEIGHT_K), 16, 64);
    assert_shape(cola_model_weight(m, 5, COLA_WEIGHT_DOWN), 64, 160);
    assert_value(cola_model_embedding(m), 319, 63, 0x1.4ffe4ep-2);
    assert_value(cola_model_weight(m, 3, COLA_WEIGHT_K), 15, 1, -0x1.a8d57ap-6);
    assert_value(cola_model_weight(m, 5, COLA_WEIGHT_DOWN), 63, 159, -0x1.209a14p-5);
    assert_value(cola_model_final_norm(m), 7, 0, 0x1.1599e8p+0);
    cola_model_close(m);
}

static void golden_with_llama3_rope(void **state)
{
    (void)state;
    struct cola_model *m = opened(COLA_TEST_DATA "/models/llama3_rope_scaling");
    const struct cola_rope *rope = &cola_model_config(m)->rope;
    assert_int_equal(rope->scaling, COLA_ROPE_LLAMA3);
    assert_true(rope->theta == 500000 && rope->factor == 8 && rope->low_freq_factor == 1 &&
                rope->high_freq_factor == 4);
    assert_int_equal(rope->original_max_positions, 64);
    assert_int_equal(cola_model_n_parameters(m), 392000);
    assert_ptr_not_equal(cola_model_head(m), cola_model_embedding(m));
    assert_shape(cola_model_weight(m, 0, COLA_WEIGHT_Q), 128, 64);
    assert_shape(cola_model_weight(m, 0, COLA_WEIGHT_O), 64, 128);
    assert_value(cola_model_head(m), 2, 5, -0x1.ed97e6p-4);
    assert_value(cola_model_weight(m, 0, COLA_WEIGHT_Q), 127, 0, 0x1.29967cp-5);
    assert_value(cola_model_weight(m, 2, COLA_WEIGHT_MLP_NORM), 63, 0, 0x1.8d1b6cp+0);
    cola_model_close(m);
}

static void golden_in_bf16_shards(void **state)
{
    (void)state;
    struct cola_model *m = opened(COLA_TEST_DATA "/models/llama_sharded_bf16_v4");
    assert_true(cola_model_config(m)->rope.theta == 250000);
    assert_int_equal(cola_model_config(m)->head_size, 24);
    assert_int_equal(cola_model_n_parameters(m), 318272);
    assert_int_equal(cola_model_n_files(m), 4);
    for (uint32_t l = 0; l < 6; l++)
        for (int w = 0; w <= COLA_WEIGHT_DOWN; w++)
            assert_int_equal(cola_model_weight(m, l, (enum cola_weight)w)->dtype, COLA_BF16);
    assert_value(cola_model_head(m), 319, 63, 0x1.7ep-5);
    assert_value(cola_model_weight(m, 4, COLA_WEIGHT_O), 1, 95, 0x1.96p-5);
    assert_value(cola_model_weight(m, 1, COLA_WEIGHT_UP), 143, 63, 0x1.8ep-5);
    cola_model_close(m);
}

/* Every role of every layer finds its own tensor: their first elements are all different by construction. */
static void every_role_finds_its_tensor(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum cola_weight weight;
    } roles[] = {{"input_layernorm", COLA_WEIGHT_ATTENTION_NORM},
                 {"q_proj", COLA_WEIGHT_Q},
                 {"k_proj", COLA_WEIGHT_K},
                 {"v_proj", COLA_WEIGHT_V},
                 {"o_proj", COLA_WEIGHT_O},
                 {"post_attention", COLA_WEIGHT_MLP_NORM},
                 {"gate_proj", COLA_WEIGHT_GATE},
                 {"up_proj", COLA_WEIGHT_UP},
                 {"down_proj", COLA_WEIGHT_DOWN}};
    char dir[64];
    make_dir(dir);
    write_tiny_single(dir);
    struct cola_model *m = opened(dir);
    size_t first = 0, n_found = 0;
    for (size_t i = 0; i < N_TINY_TENSORS; first += tiny_elements(&tiny_tensors[i++])) {
        const char *name = tiny_tensors[i].name;
        const struct cola_tensor *t = strstr(name, "lm_head")        ? cola_model_head(m)
                                      : strstr(name, "embed_tokens") ? cola_model_embedding(m)
                                                                     : cola_model_final_norm(m);
        for (size_t r = 0; r < sizeof roles / sizeof *roles; r++)
            if (strstr(name, roles[r].name)) {
                t = cola_model_weight(m, strstr(name, "layers.1") ? 1 : 0, roles[r].weight);
                n_found++;
            }
        assert_shape(t, (uint64_t)tiny_tensors[i].rows, (uint64_t)tiny_tensors[i].columns);
        assert_true(cola_tensor_at(t, 0) == tiny_value(first));
    }
    assert_int_equal(n_found, 2 * sizeof roles / sizeof *roles);
    assert_int_equal(cola_model_n_parameters(m), TINY_N_PARAMETERS);
    cola_model_close(m);
    remove_dir(dir);
}

static void fingerprint_of(const char *dir, char text[COLA_HASH_TEXT])
{
    char again[COLA_HASH_TEXT];
    struct cola_model *m = opened(dir);
    assert_int_equal(cola_model_fingerprint(m, text), COLA_OK);
    assert_int_equal(cola_model_fingerprint(m, again), COLA_OK);
    assert_string_equal(text, again);
    assert_int_equal(strlen(text), COLA_HASH_TEXT - 1);
    cola_model_close(m);
}

static void fingerprint_ignores_sharding_and_spelling(void **state)
{
    (void)state;
    char a[64], b[64], of_a[COLA_HASH_TEXT], of_b[COLA_HASH_TEXT];
    char config[TINY_TEXT_BYTES] = TINY_CONFIG;
    make_dir(a);
    make_dir(b);
    write_tiny_single(a);
    write_tiny_sharded(b);
    replace_once(config, "\"rope_theta\": 10000.0, \"rope_scaling\": null",
                 "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 1e4}");
    write_text(b, "config.json", config);
    fingerprint_of(a, of_a);
    fingerprint_of(b, of_b);
    assert_string_equal(of_a, of_b);
    remove_dir(a);
    remove_dir(b);
}

/* One bit of one weight, or one value of the config, and it is another model. */
static void fingerprint_sees_every_difference(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"10000.0", "10000.5"},
        {"1e-5", "2e-5"},
        {"\"max_position_embeddings\": 32", "\"max_position_embeddings\": 33"},
        {"\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8, "
                                   "\"low_freq_factor\": 1, \"high_freq_factor\": 4, "
                                   "\"original_max_position_embeddings\": 16}"}};
    char dir[64], header[TINY_TEXT_BYTES], original[COLA_HASH_TEXT], changed[COLA_HASH_TEXT];
    make_dir(dir);
    write_tiny_single(dir);
    fingerprint_of(dir, original);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char config[TINY_TEXT_BYTES] = TINY_CONFIG;
        replace_once(config, changes[i][0], changes[i][1]);
        write_text(dir, "config.json", config);
        fingerprint_of(dir, changed);
        assert_string_not_equal(original, changed);
    }
    write_text(dir, "config.json", TINY_CONFIG);
    size_t n_data = tiny_header(header, 0, N_TINY_TENSORS);
    unsigned char *bytes = malloc(8 + strlen(header) + n_data);
    assert_non_null(bytes);
    size_t n = tiny_file(bytes, header, 0, n_data);
    for (size_t i = 8 + strlen(header); i < n; i += 331) { /* a step that visits most tensors */
        bytes[i] ^= 1;
        write_bytes(dir, "model.safetensors", bytes, n);
        fingerprint_of(dir, changed);
        assert_string_not_equal(original, changed);
        bytes[i] ^= 1;
    }
    write_bytes(dir, "model.safetensors", bytes, n);
    fingerprint_of(dir, changed);
    assert_string_equal(original, changed);
    free(bytes);
    remove_dir(dir);
}

/* All 65,536 patterns of both 16-bit types, against ldexp; reading at odd addresses too. */
static void widening_is_exact(void **state)
{
    (void)state;
    static uint8_t bytes[2 * 65536 + 1];
    static float wide[65536];
    for (uint32_t i = 0; i < 65536; i++) bytes[1 + 2 * i] = (uint8_t)i, bytes[2 + 2 * i] = (uint8_t)(i >> 8);
    struct cola_tensor t = {.data = bytes + 1, .dtype = COLA_F16, .n_dims = 1, .shape = {65536}};
    cola_tensor_widen(&t, 0, 65536, wide);
    for (uint32_t i = 0; i < 65536; i++) {
        int exponent = (int)(i >> 10 & 31), fraction = (int)(i & 1023);
        double value = exponent == 31  ? (fraction ? NAN : INFINITY)
                       : exponent == 0 ? ldexp(fraction, -24)
                                       : ldexp(1024 + fraction, exponent - 25);
        if (isnan(value))
            assert_true(isnan(wide[i]));
        else
            assert_true((double)fabsf(wide[i]) == value);
        assert_int_equal(!!signbit(wide[i]), i >> 15);
        assert_memory_equal(&(float){cola_tensor_at(&t, i)}, &wide[i], sizeof(float));
    }
    t.dtype = COLA_BF16;
    cola_tensor_widen(&t, 0, 65536, wide);
    for (uint32_t i = 0; i < 65536; i++) {
        uint32_t bits;
        memcpy(&bits, &wide[i], sizeof bits);
        assert_int_equal(bits, i << 16);
    }
    t.dtype = COLA_F32;
    cola_tensor_widen(&t, 3, 1, wide);
    assert_memory_equal(wide, bytes + 1 + 12, 4);
}

/* A file in F16 and BF16, with a stored inverse frequency of an old program, opens. */
static void mixed_dtypes_and_old_buffers_are_accepted(void **state)
{
    (void)state;
    char dir[64], header[TINY_TEXT_BYTES];
    make_dir(dir);
    write_text(dir, "config.json", TINY_CONFIG);
    size_t n_data = tiny_header(header, 0, N_TINY_TENSORS);
    replace_once(
        header, "\"F32\",\"shape\":[8,4],\"data_offsets\":[0,128]",
        "\"F16\",\"shape\":[8,4],\"data_offsets\":[0,64]}, \"model.layers.0.self_attn.rotary_emb.inv_freq\":{"
        "\"dtype\":\"BF16\",\"shape\":[32],\"data_offsets\":[64,128]");
    write_safetensors(dir, "model.safetensors", header, 0, n_data);
    struct cola_model *m = opened(dir);
    assert_int_equal(cola_model_head(m)->dtype, COLA_F16);
    assert_int_equal(cola_model_n_parameters(m), TINY_N_PARAMETERS);
    cola_model_close(m);
    remove_dir(dir);
}

static void tied_model_may_store_the_embedding_twice(void **state)
{
    (void)state;
    char dir[64], header[TINY_TEXT_BYTES], config[TINY_TEXT_BYTES] = TINY_CONFIG;
    struct cola_model *m;
    make_dir(dir);
    write_tiny_single(dir);
    replace_once(config, "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
    write_text(dir, "config.json", config);
    /* another head: transformers 4 and 5 would compute different things */
    assert_int_equal(cola_model_open(dir, &m), COLA_ERR_UNSUPPORTED);
    const char *const words[] = {"/model.safetensors", "lm_head.weight", "tie_word_embeddings"};
    assert_error_names(cola_error_text(), words, 3);
    /* the same bytes twice */
    size_t n_data = tiny_header(header, 0, N_TINY_TENSORS);
    unsigned char *bytes = malloc(8 + strlen(header) + n_data);
    assert_non_null(bytes);
    size_t n = tiny_file(bytes, header, 0, n_data), data = 8 + strlen(header);
    memcpy(bytes + data, bytes + data + 128, 128);
    write_bytes(dir, "model.safetensors", bytes, n);
    free(bytes);
    m = opened(dir);
    assert_ptr_equal(cola_model_head(m), cola_model_embedding(m));
    assert_int_equal(cola_model_n_parameters(m), TINY_N_PARAMETERS - 32);
    cola_model_close(m);
    remove_dir(dir);
}

static void assert_refused(const char *dir, enum cola_status expected, const char *what,
                           const char *const words[], size_t n_words)
{
    struct cola_model *m = NULL;
    enum cola_status status = cola_model_open(dir, &m);
    if (status != expected)
        fail_msg("%s: status %d: %s", what, status, status ? cola_error_text() : "accepted");
    assert_error_names(cola_error_text(), words, n_words);
    assert_error_names(cola_error_text(), &dir, 1);
    assert_null(m);
}

static void misfit_tensors_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *config_from, *config_to; /* NULL: unchanged */
        const char *from, *to;               /* in the header; NULL: unchanged */
        const char *word[3];
    } cases[] = {
        {NULL,
         NULL,
         "model.norm.weight",
         "model.norm.w",
         {"/model.safetensors", "model.norm.weight", "missing"}},
        {NULL, NULL, "lm_head.weight", "x", {"/model.safetensors", "lm_head.weight", "missing"}},
        {NULL,
         NULL,
         "layers.1.self_attn.v_proj.weight",
         "layers.1.self_attn.v_proj.bias",
         {"/model.safetensors", "model.layers.1.self_attn.v_proj.weight", "missing"}},
        {NULL,
         NULL,
         "[4,6]",
         "[6,4]",
         {"/model.safetensors", "layers.0.mlp.down_proj", "expected shape [4, 6]"}},
        {NULL, NULL, "[4,8]", "[8,4]", {"/model.safetensors", "layers.0.self_attn.o_proj", "found [8, 4]"}},
        {NULL, NULL, "[4,4]", "[16]", {"/model.safetensors", "layers.0.self_attn.k_proj", "found [16]"}},
        {NULL, NULL, "[4,4]", "[4,4,1]", {"/model.safetensors", "layers.0.self_attn.k_proj", "[4, 4, 1]"}},
        {NULL, NULL, "[4],", "[4,1],", {"/model.safetensors", "layers.0.input_layernorm", "found [4, 1]"}},
        {NULL, NULL, "\"F32\"", "\"I32\"", {"/model.safetensors", "lm_head.weight", "I32"}},
        {NULL, NULL, "[0,128]", "[0,127]", {"/model.safetensors", "lm_head.weight", "127"}},
        {NULL,
         NULL,
         "{\"__metadata__\"",
         "{\"model.layers.0.self_attn.q_proj.bias\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
         "\"__metadata__\"",
         {"/model.safetensors", "model.layers.0.self_attn.q_proj.bias", "left over"}},
        {"\"num_hidden_layers\": 2",
         "\"num_hidden_layers\": 1",
         NULL,
         NULL,
         {"/model.safetensors", "model.layers.1.", "left over"}},
        {"\"num_hidden_layers\": 2",
         "\"num_hidden_layers\": 3",
         NULL,
         NULL,
         {"/model.safetensors", "model.layers.2.input_layernorm.weight", "missing"}},
        {"\"vocab_size\": 8",
         "\"vocab_size\": 9",
         NULL,
         NULL,
         {"/model.safetensors", "model.embed_tokens.weight", "expected shape [9, 4]"}},
        {"\"num_key_value_heads\": 1",
         "\"num_key_value_heads\": 2",
         NULL,
         NULL,
         {"/model.safetensors", "self_attn.k_proj.weight", "expected shape [8, 4]"}},
    };
    char dir[64];
    make_dir(dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[TINY_TEXT_BYTES], config[TINY_TEXT_BYTES] = TINY_CONFIG;
        size_t n_data = tiny_header(header, 0, N_TINY_TENSORS);
        if (cases[i].config_from) replace_once(config, cases[i].config_from, cases[i].config_to);
        if (cases[i].from) replace_once(header, cases[i].from, cases[i].to);
        write_text(dir, "config.json", config);
        write_safetensors(dir, "model.safetensors", header, 0, n_data);
        enum cola_status expected = strstr(header, "I32") ? COLA_ERR_UNSUPPORTED : COLA_ERR_INPUT;
        assert_refused(dir, expected, cases[i].word[1], cases[i].word, 3);
    }
    remove_dir(dir);
}

static void cut_or_absent_files_are_named(void **state)
{
    (void)state;
    char dir[64], header[TINY_TEXT_BYTES];
    const char *const config[] = {"/config.json"}, *const none[] = {"neither model.safetensors nor"},
                      *const cut[] = {"/model.safetensors", "model.norm.weight", "cut short"},
                      *const empty[] = {"/model.safetensors", "0 bytes"},
                      *const directory[] = {"/model.safetensors", "not a regular file"};
    make_dir(dir);
    assert_refused(dir, COLA_ERR_IO, "no config", config, 1);
    write_text(dir, "config.json", "");
    assert_refused(dir, COLA_ERR_INPUT, "empty config", config, 1);
    write_text(dir, "config.json", TINY_CONFIG);
    assert_refused(dir, COLA_ERR_IO, "no weights", none, 1);
    size_t n_data = tiny_header(header, 0, N_TINY_TENSORS);
    write_safetensors(dir, "model.safetensors", header, 0, n_data - 1);
    assert_refused(dir, COLA_ERR_INPUT, "cut by a byte", cut, 3);
    write_text(dir, "model.safetensors", "");
    assert_refused(dir, COLA_ERR_INPUT, "empty file", empty, 2);
    remove_dir(dir);
    /* a directory in the place of the file */
    char other[64], link[128];
    make_dir(dir);
    make_dir(other);
    write_text(dir, "config.json", TINY_CONFIG);
    snprintf(link, sizeof link, "%s/model.safetensors", dir);
    assert_int_equal(symlink(other, link), 0);
    assert_refused(dir, COLA_ERR_IO, "a directory", directory, 2);
    remove_dir(other);
    remove_dir(dir);
}

static void shards_and_index_must_agree(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to; /* in the index */
        enum cola_status status;
        const char *word[3];
    } cases[] = {
        {"\"lm_head.weight\":\"a.", "\"lm_head.weight\":\"c.", COLA_ERR_IO, {"index.json", "c.safetensors"}},
        {"\"lm_head.weight\":\"a.",
         "\"lm_head.weight\":\"b.",
         COLA_ERR_INPUT,
         {"index.json", "lm_head.weight", "b.safetensors"}},
        {"\"lm_head.weight\":\"a.safetensors\",",
         "",
         COLA_ERR_INPUT,
         {"/a.safetensors", "lm_head.weight", "not in the index"}},
        {"\"weight_map\":{",
         "\"weight_map\":{\"x.weight\":\"a.safetensors\",",
         COLA_ERR_INPUT,
         {"index.json", "x.weight", "a.safetensors"}},
        {"\"lm_head.weight\":\"a.",
         "\"lm_head.weight\":\"../a.",
         COLA_ERR_INPUT,
         {"index.json", "lm_head.weight", "../a.safetensors"}},
        {"\"weight_map\"", "\"weights\"", COLA_ERR_INPUT, {"index.json", "weight_map"}},
    };
    char dir[64], text[TINY_TEXT_BYTES];
    make_dir(dir);
    write_tiny_sharded(dir);
    cola_model_close(opened(dir));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny_index(text);
        replace_once(text, cases[i].from, cases[i].to);
        write_text(dir, "model.safetensors.index.json", text);
        assert_refused(dir, cases[i].status, cases[i].to, cases[i].word, 3);
    }
    /* the second shard also holds what the first one does */
    tiny_index(text);
    write_text(dir, "model.safetensors.index.json", text);
    size_t n_data = tiny_header(text, TINY_SHARD - 1, N_TINY_TENSORS);
    write_safetensors(dir, "b.safetensors", text, 0, n_data);
    const char *const twice[] = {tiny_tensors[TINY_SHARD - 1].name, "/a.safetensors", "/b.safetensors"};
    assert_refused(dir, COLA_ERR_INPUT, "a tensor in two shards", twice, 3);
    remove_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_with_tied_head),
        cmocka_unit_test(golden_with_llama3_rope),
        cmocka_unit_test(golden_in_bf16_shards),
        cmocka_unit_test(every_role_finds_its_tensor),
        cmocka_unit_test(fingerprint_ignores_sharding_and_spelling),
        cmocka_unit_test(fingerprint_sees_every_difference),
        cmocka_unit_test(widening_is_exact),
        cmocka_unit_test(mixed_dtypes_and_old_buffers_are_accepted),
        cmocka_unit_test(tied_model_may_store_the_embedding_twice),
        cmocka_unit_test(misfit_tensors_are_named),
        cmocka_unit_test(cut_or_absent_files_are_named),
        cmocka_unit_test(shards_and_index_must_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

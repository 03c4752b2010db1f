/* test_goldens.c - every reference case of the tiny models: ref within the contract's bounds of transformers,
 * and every other way of computing (AVX2, AVX-512, threads, order, batch) equal to ref in bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "parity/goldens.h"

static const struct way {
    const char *backend, *isa;
    uint32_t n_threads, max_rows, max_requests;
    enum goldens_order order;
} ways[] = {
    {"ref", "auto", 1, 0, 0, GOLDENS_ALONE},      {"ref", "auto", 1, 0, 0, GOLDENS_SHUFFLED},
    {"cpu", "avx2", 1, 0, 0, GOLDENS_TOGETHER},   {"cpu", "avx2", 2, 0, 0, GOLDENS_SHUFFLED},
    {"cpu", "avx2", 3, 1, 7, GOLDENS_TOGETHER},   {"cpu", "avx512", 1, 0, 0, GOLDENS_ALONE},
    {"cpu", "avx512", 2, 0, 0, GOLDENS_TOGETHER}, {"cpu", "avx512", 2, 64, 80, GOLDENS_SHUFFLED},
    {"cpu", "avx512", 5, 0, 3, GOLDENS_SHUFFLED},
};

static bool can_run(const struct way *way)
{
    if (strcmp(way->backend, "ref") == 0) return true;
    if (strcmp(way->isa, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
    return __builtin_cpu_supports("avx2");
}

/* The reference of llama_sharded_bf16_v4 was computed by a model that had been cast to bf16 and back, its
 * inverse frequencies with it (a buffer, not a weight): 1 / theta^(2i/d) rounded to 8 bits. Loading the same
 * files with transformers keeps them in float32, and SmolLM2, a bf16 checkpoint too, equals its reference
 * only so. To compare all the rest within the bounds, this puts the reference's rounded table into the
 * engine. */
static void round_frequencies_to_bf16(const struct goldens *g, struct cola_engine *engine)
{
    const struct cola_model_config *config = cola_model_config(goldens_model(g));
    uint32_t d = config->head_size;
    assert_int_equal(cola_rope_cover(engine, 256), COLA_OK);
    for (uint32_t i = 0; i < d / 2; i++) {
        float inv_freq = 1.0f / (float)pow(config->rope.theta, 2.0 * i / d);
        uint32_t bits;
        memcpy(&bits, &inv_freq, sizeof bits);
        bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u;
        memcpy(&inv_freq, &bits, sizeof bits);
        for (uint32_t p = 0; p < 256; p++) {
            engine->rope[(size_t)p * d + i] = cosf((float)p * inv_freq);
            engine->rope[(size_t)p * d + d / 2 + i] = sinf((float)p * inv_freq);
        }
    }
}

static float *run_way(const struct goldens *g, const struct way *way, bool rounded_frequencies)
{
    struct cola_engine_options options = {.backend = way->backend,
                                          .isa = way->isa,
                                          .n_threads = way->n_threads,
                                          .max_rows = way->max_rows,
                                          .max_requests = way->max_requests};
    struct cola_engine *engine;
    float *value = calloc(goldens_n_values(g), sizeof *value);
    assert_non_null(value);
    if (cola_engine_create(goldens_model(g), &options, &engine) != COLA_OK) fail_msg("%s", cola_error_text());
    if (rounded_frequencies) round_frequencies_to_bf16(g, engine);
    goldens_run(g, engine, way->order, value);
    cola_engine_destroy(engine);
    return value;
}

static void check_greedy(const struct goldens *g, const struct way *way, bool rounded_frequencies)
{
    struct cola_engine_options options = {
        .backend = way->backend, .isa = way->isa, .n_threads = way->n_threads};
    struct cola_engine *engine;
    if (cola_engine_create(goldens_model(g), &options, &engine) != COLA_OK) fail_msg("%s", cola_error_text());
    if (rounded_frequencies) round_frequencies_to_bf16(g, engine);
    size_t n = goldens_check_greedy(g, engine, GOLDENS_GREEDY_GAP);
    if (way == &ways[0]) printf("greedy tokens equal: %zu\n", n);
    assert_true(n >= 20);
    cola_engine_destroy(engine);
}

static void check_model(const char *name, bool rounded_frequencies)
{
    struct goldens *g = goldens_open(name);
    float *reference = run_way(g, &ways[0], rounded_frequencies);
    struct goldens_distance distance = goldens_compare(g, reference);
    printf("%s: largest difference from transformers: logits %.2e, log-probability sums %.2e\n", name,
           distance.logit, distance.logprob);
    bool has_experts = cola_model_config(goldens_model(g))->experts.n_experts > 0;
    assert_true(distance.logit <= (has_experts ? GOLDENS_EXPERT_BOUND : GOLDENS_LOGIT_BOUND));
    assert_true(distance.logprob <= GOLDENS_LOGPROB_BOUND);
    check_greedy(g, &ways[0], rounded_frequencies);
    for (size_t i = 1; i < sizeof ways / sizeof *ways; i++) {
        if (!can_run(&ways[i])) {
            printf("skipped: %s, this CPU does not have it\n", ways[i].isa);
            continue;
        }
        float *value = run_way(g, &ways[i], rounded_frequencies);
        if (memcmp(reference, value, goldens_n_values(g) * sizeof *value) != 0)
            fail_msg("%s: way %zu (%s %s, %u threads) differs from ref in bytes", name, i, ways[i].backend,
                     ways[i].isa, ways[i].n_threads);
        free(value);
        check_greedy(g, &ways[i], rounded_frequencies);
    }
    free(reference);
    goldens_close(g);
}

static void llama_grouped_heads_tied_head_equals_transformers(void **state)
{
    (void)state;
    check_model("llama_gqa_tied", false);
}

static void llama3_rope_scaling_equals_transformers(void **state)
{
    (void)state;
    check_model("llama3_rope_scaling", false);
}

static void llama_bf16_shards_of_transformers_4_equals_transformers(void **state)
{
    (void)state;
    check_model("llama_sharded_bf16_v4", true);
}

static void mistral_equals_transformers(void **state)
{
    (void)state;
    check_model("mistral", false);
}

static void qwen2_equals_transformers(void **state)
{
    (void)state;
    check_model("qwen2", false);
}

static void qwen3_equals_transformers(void **state)
{
    (void)state;
    check_model("qwen3", false);
}

static void olmoe_equals_transformers(void **state)
{
    (void)state;
    check_model("olmoe", false);
}

static void olmoe_norm_topk_equals_transformers(void **state)
{
    (void)state;
    check_model("olmoe_norm_topk", false);
}

static void qwen2_moe_equals_transformers(void **state)
{
    (void)state;
    check_model("qwen2_moe", false);
}

static void qwen2_moe_sparse2_equals_transformers(void **state)
{
    (void)state;
    check_model("qwen2_moe_sparse2", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llama_grouped_heads_tied_head_equals_transformers),
        cmocka_unit_test(llama3_rope_scaling_equals_transformers),
        cmocka_unit_test(llama_bf16_shards_of_transformers_4_equals_transformers),
        cmocka_unit_test(mistral_equals_transformers),
        cmocka_unit_test(qwen2_equals_transformers),
        cmocka_unit_test(qwen3_equals_transformers),
        cmocka_unit_test(olmoe_equals_transformers),
        cmocka_unit_test(olmoe_norm_topk_equals_transformers),
        cmocka_unit_test(qwen2_moe_equals_transformers),
        cmocka_unit_test(qwen2_moe_sparse2_equals_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

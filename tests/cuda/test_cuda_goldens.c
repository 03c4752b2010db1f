/* test_cuda_goldens.c - whole evaluations on the cuda back end: every reference case of the tiny models,
 * scores and generated answers, equal to ref in bytes, whatever the batch and the order of requests; on the
 * stand-in in three orders of threads and streams. That ref is right is test_goldens.c's business. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/gpu.h"
#include "engine/state.h"
#include "parity/goldens.h"

struct way {
    const char *backend;
    uint32_t max_rows, max_requests;
    enum goldens_order order;
    uint64_t state_bytes;
};
static const struct way by_ref = {"ref", 0, 0, GOLDENS_TOGETHER, 0};
static const struct way ways[] = {{"cuda", 0, 0, GOLDENS_TOGETHER, 0},
                                  {"cuda", 64, 7, GOLDENS_SHUFFLED, 0},
                                  {"cuda", 200, 80, GOLDENS_SHUFFLED, 0},
                                  {"cuda", 0, 0, GOLDENS_ALONE, 0}};

/* What the head gave, step by step, of generated answers. */
enum { MAX_SEEN = 4096 };
static struct {
    const struct cola_backend *real;
    struct cola_logits logit[MAX_SEEN];
    size_t n;
} seen;

static enum cola_status watch_logits(struct cola_device *device, const float *logits, uint32_t n_rows,
                                     uint32_t n_vocab, struct cola_logits *logit,
                                     const struct cola_pick *pick, uint32_t n_picks, float *picked)
{
    enum cola_status status =
        seen.real->reduce_logits(device, logits, n_rows, n_vocab, logit, pick, n_picks, picked);
    for (uint32_t i = 0; i < n_rows && seen.n < MAX_SEEN; i++) seen.logit[seen.n++] = logit[i];
    return status;
}

static enum cola_status ignore(void *user, const struct cola_result *result)
{
    (void)user, (void)result;
    return COLA_OK;
}

static bool everything(void)
{
    return gpu_full() || gpu_n_orders == 1;
}

/* The logits of every generated token, one request after the other. */
static void generate_all(const struct goldens *g, struct cola_engine *engine)
{
    struct cola_backend watched = *engine->backend;
    seen.real = engine->backend;
    seen.n = 0;
    watched.reduce_logits = watch_logits;
    engine->backend = &watched;
    for (size_t i = 0; i < goldens_n_cases(g); i += everything() ? 1 : 10) {
        const struct golden_case *item = goldens_case(g, i);
        struct cola_sample sample = item->next;
        sample.rule = COLA_SCORE_GENERATE;
        sample.max_new_tokens = 5;
        struct cola_request request = {.sample = &sample, .chain = item->chain};
        gpu_ok(cola_engine_submit(engine, &request));
        while (cola_engine_n_pending(engine)) gpu_ok(cola_engine_step(engine, ignore, NULL));
    }
    engine->backend = seen.real;
}

static struct cola_engine *create(const struct goldens *g, const struct way *way)
{
    struct cola_engine_options options = {.backend = way->backend,
                                          .n_threads = 1,
                                          .max_rows = way->max_rows,
                                          .max_requests = way->max_requests,
                                          .state_bytes = way->state_bytes};
    struct cola_engine *engine;
    gpu_ok(cola_engine_create(goldens_model(g), &options, &engine));
    return engine;
}

static float *values_of(const struct goldens *g, const struct way *way)
{
    struct cola_engine *engine = create(g, way);
    float *value = calloc(goldens_n_values(g), sizeof *value);
    assert_non_null(value);
    goldens_run(g, engine, way->order, value);
    cola_engine_destroy(engine);
    return value;
}

static void check_generating(const struct goldens *g, const char *name)
{
    struct cola_engine *engine = create(g, &by_ref);
    generate_all(g, engine);
    cola_engine_destroy(engine);
    size_t n = seen.n;
    struct cola_logits *expected = malloc(n * sizeof *expected);
    memcpy(expected, seen.logit, n * sizeof *expected);
    engine = create(g, &ways[0]);
    generate_all(g, engine);
    cola_engine_destroy(engine);
    assert_true(n > 0 && n < MAX_SEEN);
    assert_int_equal(seen.n, n);
    for (size_t i = 0; i < n; i++)
        if (memcmp(&expected[i], &seen.logit[i], sizeof *expected) != 0)
            fail_msg("%s: logits of generated token %zu differ from ref", name, i);
    free(expected);
}

/* n_orders orders, in each n_ways ways; the model's number says which come first */
static void check_model(const char *name, size_t number, size_t n_orders, size_t n_ways)
{
    struct goldens *g = goldens_open(name);
    float *expected = values_of(g, &by_ref);
    for (size_t o = 0; o < n_orders; o++) {
        size_t i = (number + o) % gpu_n_orders;
        gpu_set_order(gpu_order[i]);
        for (size_t w = 0; w < n_ways; w++) {
            const struct way *way = &ways[(number + o + w) % (sizeof ways / sizeof *ways)];
            float *value = values_of(g, way);
            if (memcmp(expected, value, goldens_n_values(g) * sizeof *value) != 0)
                fail_msg("%s, order %s, %u rows, %u requests: differs from ref in bytes", name, gpu_order[i],
                         way->max_rows, way->max_requests);
            free(value);
        }
        if (o == 0 || gpu_full()) check_generating(g, name);
    }
    printf("%s: cuda equals ref\n", name);
    free(expected);
    goldens_close(g);
}

/* Without COLA_TESTS_FULL, on the stand-in: one model of each kind that takes other operations, the first in
 * each order, the others in one, one way an order. */
static void tiny_models_equal_ref_in_bytes(void **state)
{
    static const struct {
        const char *name;
        bool always;
    } model[] = {{"llama_gqa_tied", true},
                 {"llama3_rope_scaling", false},
                 {"llama_sharded_bf16_v4", true},
                 {"mistral", false},
                 {"qwen2", false},
                 {"qwen3", false},
                 {"olmoe", false},
                 {"olmoe_norm_topk", false},
                 {"qwen2_moe", true},
                 {"qwen2_moe_sparse2", false}};
    (void)state;
    gpu_or_skip();
    for (size_t i = 0; i < sizeof model / sizeof *model; i++)
        if (model[i].always || everything())
            check_model(model[i].name, i, everything() || i == 0 ? gpu_n_orders : 1, everything() ? 4 : 1);
}

/* States shared between chains, with little memory: blocks come and go, and what is dropped is computed
 * again. */
static void shared_states_in_little_memory_change_no_byte(void **state)
{
    (void)state;
    gpu_or_skip();
    struct goldens *g = goldens_open("llama_gqa_tied");
    float *expected = values_of(g, &by_ref);
    struct cola_engine_options options = {
        .backend = "cuda", .n_threads = 1, .max_rows = 64, .state_bytes = UINT64_MAX};
    struct cola_engine_needs needs;
    gpu_ok(cola_engine_estimate(goldens_model(g), &options, &needs));
    options.memory_bytes = needs.least_bytes + (600 << 10);
    struct cola_engine *engine;
    float *value = calloc(goldens_n_values(g), sizeof *value);
    gpu_set_order("forward");
    gpu_ok(cola_engine_create(goldens_model(g), &options, &engine));
    for (size_t i = 0; i < goldens_n_cases(g); i++) { /* a sample of its own a prompt and rule */
        struct golden_case *item = (struct golden_case *)goldens_case(g, i);
        item->next.index = (uint32_t)(2 * i), item->loglik.index = (uint32_t)(2 * i + 1);
    }
    goldens_run(g, engine, GOLDENS_SHUFFLED, value);
    struct cola_engine_counters counters;
    cola_engine_counters(engine, &counters);
    assert_true(counters.most_state_bytes > 0);
    assert_true(counters.most_memory_bytes <= options.memory_bytes);
    assert_memory_equal(expected, value, goldens_n_values(g) * sizeof *value);
    cola_engine_destroy(engine);
    free(value), free(expected);
    goldens_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiny_models_equal_ref_in_bytes),
        cmocka_unit_test(shared_states_in_little_memory_change_no_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

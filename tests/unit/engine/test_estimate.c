/* test_estimate.c - what an engine is said to allocate before a weight is loaded is what it then allocates,
 * for every back end, mode and architecture of the test models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "cola/engine.h"
#include "cola/log.h"

static const char *const models[] = {"llama_gqa_tied", "qwen2", "qwen3", "mistral", "olmoe", "qwen2_moe"};

static void compare(const char *name, const char *backend, bool bf16, uint32_t max_rows)
{
    char path[512];
    struct cola_model *model;
    struct cola_engine *engine;
    struct cola_engine_needs needs;
    struct cola_engine_info info;
    struct cola_engine_counters counters;
    const struct cola_engine_options options = {.backend = backend,
                                                .n_threads = 1,
                                                .max_rows = max_rows,
                                                .bf16 = bf16,
                                                .bf16_products = "exact",
                                                .state_bytes = UINT64_MAX};
    snprintf(path, sizeof path, "%s/models/%s", COLA_TEST_DATA, name);
    if (cola_model_open(path, &model) != COLA_OK) fail_msg("%s", cola_error_text());
    if (cola_engine_estimate(model, &options, &needs) != COLA_OK) fail_msg("%s", cola_error_text());
    if (cola_engine_create(model, &options, &engine) != COLA_OK) fail_msg("%s", cola_error_text());
    cola_engine_info(engine, &info);
    cola_engine_counters(engine, &counters);
    assert_int_equal(needs.weight_bytes, info.weight_bytes);
    assert_int_equal(needs.batch_bytes, info.batch_bytes);
    assert_true(needs.least_batch_bytes <= needs.batch_bytes);
    assert_true(needs.weight_bytes > 0 && counters.memory_bytes >= needs.weight_bytes);
    assert_int_equal(needs.state_row_bytes, 4 * cola_model_config(model)->n_hidden);
    assert_string_equal(needs.device, info.device);
    assert_string_equal(needs.backend, info.backend);
    cola_engine_destroy(engine);
    cola_model_close(model);
}

static void estimate_of_every_model_is_what_its_engine_allocates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        compare(models[i], "ref", false, 0);
        compare(models[i], "cpu", false, 0);
        compare(models[i], "cpu", false, 64);
        compare(models[i], "cpu", true, 0);
    }
}

static void estimate_of_an_unknown_back_end_is_refused(void **state)
{
    (void)state;
    char path[512];
    struct cola_model *model;
    struct cola_engine_needs needs = {.weight_bytes = 7};
    const struct cola_engine_options options = {.backend = "abacus"};
    snprintf(path, sizeof path, "%s/models/qwen2", COLA_TEST_DATA);
    assert_int_equal(cola_model_open(path, &model), COLA_OK);
    assert_true(cola_engine_estimate(model, &options, &needs) != COLA_OK);
    assert_int_equal(needs.weight_bytes, 7);
    cola_model_close(model);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimate_of_every_model_is_what_its_engine_allocates),
        cmocka_unit_test(estimate_of_an_unknown_back_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_info_model.c - `cola info` of model types that have more to tell than llama: experts and, where a
 * sliding window limits the positions, that it does. Facts only, no printing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/info.h"

static json_t *facts_of(const char *dir)
{
    json_t *facts = json_object();
    assert_non_null(facts);
    if (cola_info_model(dir, facts) != COLA_OK) fail_msg("%s: %s", dir, cola_error_text());
    return facts;
}

static json_int_t number(json_t *facts, const char *key)
{
    json_t *value = json_object_get(facts, key);
    if (!json_is_integer(value)) fail_msg("no number %s", key);
    return json_integer_value(value);
}

static void experts_are_described(void **state)
{
    (void)state;
    json_t *facts = facts_of(COLA_TEST_DATA "/models/qwen2_moe_sparse2");
    assert_int_equal(number(facts, "experts"), 8);
    assert_int_equal(number(facts, "active_experts"), 3);
    assert_int_equal(number(facts, "layers_with_experts"), 3);
    assert_int_equal(number(facts, "expert_size"), 40);
    assert_int_equal(number(facts, "shared_expert_size"), 96);
    assert_true(json_is_true(json_object_get(facts, "normalised_weights")));
    assert_int_equal(number(facts, "parameters"), 449792);
    assert_int_equal(number(facts, "weight_bytes"), 4 * 449792); /* every expert counts */
    assert_null(json_object_get(facts, "sliding_window"));
    json_decref(facts);
    facts = facts_of(COLA_TEST_DATA "/models/olmoe");
    assert_int_equal(number(facts, "layers_with_experts"), 6);
    assert_null(json_object_get(facts, "shared_expert_size"));
    assert_true(json_is_false(json_object_get(facts, "normalised_weights")));
    json_decref(facts);
    facts = facts_of(COLA_TEST_DATA "/models/qwen3");
    assert_null(json_object_get(facts, "experts"));
    json_decref(facts);
}

/* The mistral golden with a window of 100: 512 positions become 100, and a sentence says why. */
static void window_is_named(void **state)
{
    (void)state;
    char dir[] = "/tmp/cola-test-info-XXXXXX", path[128];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_int_equal(symlink(COLA_TEST_DATA "/models/mistral/model.safetensors", path), 0);
    json_t *config = json_load_file(COLA_TEST_DATA "/models/mistral/config.json", 0, NULL);
    assert_non_null(config);
    json_object_set_new(config, "sliding_window", json_integer(100));
    snprintf(path, sizeof path, "%s/config.json", dir);
    assert_int_equal(json_dump_file(config, path, 0), 0);
    json_decref(config);
    json_t *facts = facts_of(dir);
    assert_int_equal(number(facts, "max_positions"), 100);
    const char *window = json_string_value(json_object_get(facts, "sliding_window"));
    assert_non_null(window);
    assert_non_null(strstr(window, "100: "));
    assert_non_null(strstr(window, "refused"));
    json_decref(facts);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(experts_are_described),
        cmocka_unit_test(window_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

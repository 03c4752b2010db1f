/* test_need.c - the check before anything is evaluated is exact: with the least memory that an engine says it
 * needs for the largest request, all requests up to that one are evaluated, in any order; with a byte less it
 * is refused with the arithmetic. And what a request needs does not depend on those before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "engine/state.h"

enum { N_SAMPLES = 5, N_CHAINS = 3, MOST_PROMPT = 400, MOST_LAYERS = 12 };

static struct {
    int32_t prompt[MOST_PROMPT];
    struct cola_tokens letter[2], continuation[2];
    cola_layer chain[MOST_LAYERS];
    uint32_t n_results;
} data;

static int set_up(void **state)
{
    (void)state;
    for (int32_t t = 0; t < MOST_PROMPT; t++) data.prompt[t] = 5 + t * 7 % 300;
    for (int l = 0; l < MOST_LAYERS; l++) data.chain[l] = (cola_layer)(l % 2);
    data.letter[0] = (struct cola_tokens){data.prompt, 1};
    data.letter[1] = (struct cola_tokens){data.prompt + 1, 1};
    data.continuation[0] = (struct cola_tokens){data.prompt, 3};
    data.continuation[1] = (struct cola_tokens){data.prompt, 20};
    return 0;
}

static struct cola_sample sample_of(enum cola_score_rule rule, uint32_t index, uint32_t n_prompt)
{
    bool generates = rule == COLA_SCORE_GENERATE;
    return (struct cola_sample){.index = index,
                                .prompt = data.prompt,
                                .n_prompt_tokens = n_prompt,
                                .rule = rule,
                                .n_candidates = generates ? 0 : 2,
                                .candidate = rule == COLA_SCORE_LETTER ? data.letter : data.continuation,
                                .max_new_tokens = generates ? 9 : 0};
}

static enum cola_status count(void *user, const struct cola_result *result)
{
    (void)user, (void)result;
    data.n_results++;
    return COLA_OK;
}

static void submit(struct cola_engine *e, const struct cola_sample *sample, uint32_t n_layers)
{
    const struct cola_request request = {.sample = sample, .chain = {data.chain, n_layers}};
    while (!cola_engine_room(e))
        if (cola_engine_step(e, count, NULL) != COLA_OK) fail_msg("%s", cola_error_text());
    if (cola_engine_submit(e, &request) != COLA_OK) fail_msg("%s", cola_error_text());
}

static void finish(struct cola_engine *e)
{
    while (cola_engine_n_pending(e))
        if (cola_engine_step(e, count, NULL) != COLA_OK) fail_msg("%s", cola_error_text());
}

/* Prompts from short to long, so that a table or buffer of one is grown for the next. */
static void evaluate_all(struct cola_engine *e, enum cola_score_rule rule)
{
    static const uint32_t n_prompt[N_SAMPLES] = {6, 250, 300, MOST_PROMPT - 30, 40};
    struct cola_sample sample[N_SAMPLES];
    data.n_results = 0;
    for (uint32_t s = 0; s < N_SAMPLES; s++) sample[s] = sample_of(rule, s, n_prompt[s]);
    for (uint32_t i = 0; i < N_SAMPLES * N_CHAINS; i++)
        submit(e, &sample[i % N_SAMPLES], MOST_LAYERS - 5 * (i / N_SAMPLES));
    finish(e);
    assert_int_equal(data.n_results, N_SAMPLES * N_CHAINS);
}

static struct cola_model *open_model(const char *name)
{
    char path[512];
    struct cola_model *model;
    snprintf(path, sizeof path, "%s/models/%s", COLA_TEST_DATA, name);
    if (cola_model_open(path, &model) != COLA_OK) fail_msg("%s", cola_error_text());
    return model;
}

static void least_memory_of(const char *name, enum cola_score_rule rule)
{
    struct cola_model *model = open_model(name);
    struct cola_engine *e;
    struct cola_engine_needs needs;
    struct cola_sample longest = sample_of(rule, 3, MOST_PROMPT - 30);
    struct cola_engine_options options = {
        .backend = "cpu", .n_threads = 1, .state_bytes = UINT64_MAX, .max_requests = 4};
    options.demand = cola_engine_demand(&longest, MOST_LAYERS);
    assert_int_equal(cola_engine_estimate(model, &options, &needs), COLA_OK);
    options.memory_bytes = needs.least_bytes;
    if (cola_engine_create(model, &options, &e) != COLA_OK) fail_msg("%s", cola_error_text());
    evaluate_all(e, rule);
    assert_true(e->memory.most_bytes <= needs.least_bytes);
    cola_engine_destroy(e);
    options.memory_bytes = needs.least_bytes - 1;
    assert_int_equal(cola_engine_create(model, &options, &e), COLA_ERR_MEMORY);
    assert_non_null(strstr(cola_error_text(), "sample 3, the longest"));
    assert_non_null(strstr(cola_error_text(), "12 layers over"));
    assert_non_null(strstr(cola_error_text(), "--memory must be 1 MiB larger"));
    assert_int_equal(cola_engine_estimate(model, &options, &needs), COLA_ERR_MEMORY);
    cola_model_close(model);
}

static void with_the_least_memory_everything_is_evaluated_with_a_byte_less_nothing(void **state)
{
    static const char *const name[] = {"llama_gqa_tied", "qwen2", "olmoe"};
    (void)state;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        for (int rule = 0; rule < COLA_N_SCORE_RULES; rule++)
            least_memory_of(name[i], (enum cola_score_rule)rule);
}

/* One request needs many keys, the other many positions; the memory is what the hungrier one needs alone. */
static void need_does_not_depend_on_what_came_before(void **state)
{
    struct cola_model *model = open_model("llama_gqa_tied");
    struct cola_engine *e;
    struct cola_engine_needs needs;
    struct cola_sample keys = sample_of(COLA_SCORE_GENERATE, 0, 120), positions = keys;
    struct cola_engine_options options = {.backend = "cpu", .n_threads = 1};
    (void)state;
    positions.index = 1;
    positions.n_prompt_tokens = 30;
    positions.max_new_tokens = 400;
    options.demand = cola_engine_demand(&keys, MOST_LAYERS);
    assert_int_equal(cola_engine_estimate(model, &options, &needs), COLA_OK);
    options.memory_bytes = needs.least_bytes;
    options.demand = cola_engine_demand(&positions, 1);
    assert_int_equal(cola_engine_estimate(model, &options, &needs), COLA_OK);
    assert_true(needs.least_bytes < options.memory_bytes); /* else they are the wrong way round */
    options.demand = cola_engine_demand(&keys, MOST_LAYERS);
    assert_int_equal(cola_engine_create(model, &options, &e), COLA_OK);
    for (int i = 0; i < 2; i++) {
        submit(e, &positions, 1);
        submit(e, &keys, MOST_LAYERS);
        submit(e, &positions, 1);
        finish(e);
    }
    cola_engine_destroy(e);
    cola_model_close(model);
}

/* Without a demand there is nothing to refuse; more memory than the least gives larger batches. */
static void batches_shrink_for_the_largest_request(void **state)
{
    struct cola_model *model = open_model("llama_gqa_tied");
    struct cola_engine *e;
    struct cola_engine_needs needs;
    struct cola_sample longest = sample_of(COLA_SCORE_GENERATE, 3, 300);
    struct cola_engine_options options = {.backend = "cpu", .n_threads = 1};
    struct cola_engine_info info;
    (void)state;
    options.demand = cola_engine_demand(&longest, MOST_LAYERS);
    assert_int_equal(cola_engine_estimate(model, &options, &needs), COLA_OK);
    options.memory_bytes = needs.least_bytes;
    assert_int_equal(cola_engine_create(model, &options, &e), COLA_OK);
    cola_engine_info(e, &info);
    assert_true(info.max_rows < COLA_DEFAULT_ROWS);
    cola_engine_destroy(e);
    options.memory_bytes = 100 * needs.least_bytes;
    assert_int_equal(cola_engine_create(model, &options, &e), COLA_OK);
    cola_engine_info(e, &info);
    assert_int_equal(info.max_rows, COLA_DEFAULT_ROWS);
    cola_engine_destroy(e);
    options.memory_bytes = needs.least_bytes - 1;
    options.demand = (struct cola_engine_demand){0};
    assert_int_equal(cola_engine_create(model, &options, &e), COLA_OK);
    cola_engine_destroy(e);
    cola_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_the_least_memory_everything_is_evaluated_with_a_byte_less_nothing),
        cmocka_unit_test(need_does_not_depend_on_what_came_before),
        cmocka_unit_test(batches_shrink_for_the_largest_request),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

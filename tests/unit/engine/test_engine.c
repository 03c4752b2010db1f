/* test_engine.c - the engine's contract beyond the numbers: what it refuses and that it goes on afterwards,
 * its room, and that a model with non-finite weights gives a result, the same on every back end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"

static const int32_t prompt[] = {5, 6, 7}, tail[] = {8, 9};
static const struct cola_tokens letter[] = {{prompt, 1}, {tail, 1}},
                                continuation[] = {{tail, 2}, {prompt, 3}};
static const cola_layer layers[] = {0, 1, 2, 3, 4, 5, 5, 5};

struct seen {
    uint32_t n;
    float score[2];
    uint8_t outcome;
    int32_t argmax;
};

static enum cola_status see(void *user, const struct cola_result *result)
{
    struct seen *seen = user;
    seen->n++;
    seen->outcome = result->outcome;
    seen->argmax = result->argmax;
    memcpy(seen->score, result->score, result->n_scores * sizeof(float));
    return COLA_OK;
}

static struct cola_sample good_sample(enum cola_score_rule rule)
{
    return (struct cola_sample){.prompt = prompt,
                                .n_prompt_tokens = 3,
                                .n_candidates = 2,
                                .rule = rule,
                                .candidate = rule == COLA_SCORE_LETTER ? letter : continuation};
}

static struct cola_model *open_model(void)
{
    struct cola_model *model;
    if (cola_model_open(COLA_TEST_DATA "/models/llama_gqa_tied", &model) != COLA_OK)
        fail_msg("%s", cola_error_text());
    return model;
}

static struct cola_engine *open_engine(const struct cola_model *model, const char *backend,
                                       uint32_t max_requests)
{
    struct cola_engine_options options = {.backend = backend, .n_threads = 2, .max_requests = max_requests};
    struct cola_engine *engine;
    if (cola_engine_create(model, &options, &engine) != COLA_OK) fail_msg("%s", cola_error_text());
    return engine;
}

static enum cola_status submit(struct cola_engine *engine, const struct cola_sample *sample,
                               const cola_layer *layer, uint32_t n_layers)
{
    struct cola_request request = {.id = 1, .sample = sample, .chain = {layer, n_layers}};
    return cola_engine_submit(engine, &request);
}

static void refused(struct cola_engine *engine, struct cola_sample sample, const cola_layer *layer,
                    uint32_t n_layers, const char *word)
{
    assert_int_not_equal(submit(engine, &sample, layer, n_layers), COLA_OK);
    if (!strstr(cola_error_text(), word)) fail_msg("'%s' does not say '%s'", cola_error_text(), word);
    assert_int_equal(cola_engine_n_pending(engine), 0);
}

static void bad_requests_are_refused_and_the_engine_goes_on(void **state)
{
    static const cola_layer beyond[] = {0, 6};
    static const int32_t negative[] = {-1}, large[] = {320};
    static const struct cola_tokens bad[] = {{large, 1}, {tail, 1}}, empty[] = {{tail, 0}, {tail, 1}};
    static int32_t long_prompt[600];
    cola_layer too_long[25] = {0};
    struct cola_model *model = open_model();
    struct cola_engine *engine = open_engine(model, "cpu", 2);
    struct cola_sample sample = good_sample(COLA_SCORE_LETTER);
    (void)state;
    refused(engine, sample, beyond, 2, "6");
    refused(engine, sample, layers, 0, "");
    refused(engine, sample, too_long, 25, "24");
    struct cola_sample wrong = sample;
    wrong.prompt = negative, wrong.n_prompt_tokens = 1;
    refused(engine, wrong, layers, 6, "prompt");
    wrong = sample, wrong.n_prompt_tokens = 0;
    refused(engine, wrong, layers, 6, "empty");
    wrong = sample, wrong.candidate = bad;
    refused(engine, wrong, layers, 6, "320");
    wrong = sample, wrong.candidate = empty;
    refused(engine, wrong, layers, 6, "candidate 0");
    wrong = sample, wrong.candidate = continuation;
    refused(engine, wrong, layers, 6, "a letter has one");
    wrong = sample, wrong.prompt = long_prompt, wrong.n_prompt_tokens = 600;
    refused(engine, wrong, layers, 6, "512 positions");
    wrong = sample, wrong.rule = COLA_SCORE_GENERATE;
    refused(engine, wrong, layers, 6, "generate");
    wrong.max_new_tokens = 600;
    refused(engine, wrong, layers, 6, "512 positions");
    struct seen seen = {0};
    assert_int_equal(submit(engine, &sample, layers, 6), COLA_OK);
    while (cola_engine_n_pending(engine)) assert_int_equal(cola_engine_step(engine, see, &seen), COLA_OK);
    assert_int_equal(seen.n, 1);
    assert_true(isfinite(seen.score[0]) && isfinite(seen.score[1]));
    cola_engine_destroy(engine);
    cola_model_close(model);
}

static void room_counts_requests_in_flight(void **state)
{
    struct cola_model *model = open_model();
    struct cola_engine *engine = open_engine(model, "ref", 2);
    struct cola_sample sample = good_sample(COLA_SCORE_LOGLIK);
    struct seen seen = {0};
    (void)state;
    assert_int_equal(cola_engine_room(engine), 2);
    assert_int_equal(submit(engine, &sample, layers, 8), COLA_OK);
    assert_int_equal(submit(engine, &sample, layers, 1), COLA_OK);
    assert_int_equal(cola_engine_room(engine), 0);
    assert_int_not_equal(submit(engine, &sample, layers, 1), COLA_OK);
    while (cola_engine_room(engine) == 0) assert_int_equal(cola_engine_step(engine, see, &seen), COLA_OK);
    assert_int_equal(seen.n + cola_engine_n_pending(engine), 2);
    assert_int_equal(submit(engine, &sample, layers, 8), COLA_OK);
    cola_engine_destroy(engine); /* with one still in flight: nothing leaks */
    cola_model_close(model);
}

static struct seen with_weight(const struct cola_model *model, const char *backend, float value,
                               enum cola_score_rule rule)
{
    struct cola_engine *engine = open_engine(model, backend, 2);
    struct cola_sample sample = good_sample(rule);
    struct seen seen = {0};
    engine->weights.layer[2].vector[COLA_WEIGHT_MLP_NORM][3] = value; /* host memory in ref and cpu */
    assert_int_equal(submit(engine, &sample, layers, 6), COLA_OK);
    while (cola_engine_n_pending(engine)) assert_int_equal(cola_engine_step(engine, see, &seen), COLA_OK);
    cola_engine_destroy(engine);
    return seen;
}

static void non_finite_logits_are_a_result_on_every_back_end(void **state)
{
    static const float weight[] = {INFINITY, -INFINITY, NAN, 3e38f};
    static const char *const backend[] = {"ref", "cpu"};
    static const enum cola_score_rule rule[] = {COLA_SCORE_LETTER, COLA_SCORE_LOGLIK};
    struct cola_model *model = open_model();
    (void)state;
    for (int w = 0; w < 4; w++)
        for (int b = 0; b < 2; b++)
            for (int r = 0; r < 2; r++) {
                struct seen seen = with_weight(model, backend[b], weight[w], rule[r]);
                const float quiet = NAN;
                assert_int_equal(seen.n, 1);
                assert_int_equal(seen.outcome, COLA_OUTCOME_NON_FINITE);
                assert_memory_equal(&seen.score[0], &quiet,
                                    sizeof quiet); /* the one NaN: digests depend on it */
                assert_memory_equal(&seen.score[1], &quiet, sizeof quiet);
                assert_int_equal(seen.argmax, -1);
            }
    cola_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_requests_are_refused_and_the_engine_goes_on),
        cmocka_unit_test(room_counts_requests_in_flight),
        cmocka_unit_test(non_finite_logits_are_a_result_on_every_back_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

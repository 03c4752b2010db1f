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

#include "cola/random.h"
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
    wrong.max_new_tokens = 2, wrong.stop_token = large, wrong.n_stop_tokens = 1;
    refused(engine, wrong, layers, 6, "stop");
    wrong.n_stop_tokens = 0, wrong.max_new_tokens = 600;
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

/* --- shared prefixes
 * ---------------------------------------------------------------------------------------- */

enum { N_CHAINS = 300, N_SAMPLES = 3 };

struct shared { /* results of many chains of several samples */
    float score[N_CHAINS][2];
    uint64_t layers_executed, n_bytes_most;
    struct cola_engine *engine;
};

static enum cola_status keep_score(void *user, const struct cola_result *result)
{
    struct shared *shared = user;
    memcpy(shared->score[result->id], result->score, 2 * sizeof(float));
    shared->layers_executed += result->cost.layers_executed;
    if (shared->engine->prefixes.held_bytes > shared->n_bytes_most)
        shared->n_bytes_most = shared->engine->prefixes.held_bytes;
    return COLA_OK;
}

/* Chains that mostly begin alike, of three samples, several in flight; one sample is forgotten on the way. */
static void run_shared(const struct cola_model *model, const char *backend, uint64_t state_bytes,
                       struct shared *out)
{
    static const int32_t other[] = {9, 9, 9, 4, 300};
    struct cola_engine_options options = {
        .backend = backend, .n_threads = 2, .max_requests = 5, .state_bytes = state_bytes};
    struct cola_sample sample[N_SAMPLES] = {good_sample(COLA_SCORE_LOGLIK), good_sample(COLA_SCORE_LETTER),
                                            good_sample(COLA_SCORE_LOGLIK)};
    struct cola_random random = cola_random_keyed(3, 0, COLA_STREAM_SYNTHETIC);
    memset(out, 0, sizeof *out);
    sample[2].prompt = other, sample[2].n_prompt_tokens = 5;
    if (cola_engine_create(model, &options, &out->engine) != COLA_OK) fail_msg("%s", cola_error_text());
    for (uint32_t i = 0; i < N_CHAINS; i++) {
        cola_layer chain[24];
        uint32_t n = 1 + (uint32_t)cola_random_below(&random, 24), s = i % N_SAMPLES;
        bool runs_on =
            i % 7 < 3; /* whole chains that are beginnings of others: their last layer leaves no state */
        for (uint32_t l = 0; l < n; l++) /* few different beginnings, any end */
            chain[l] =
                (cola_layer)(runs_on || l < n - n / 3 ? (l + i % 5) % 6 : cola_random_below(&random, 6));
        sample[s].index = s;
        struct cola_request request = {.id = i, .sample = &sample[s], .chain = {chain, n}};
        while (cola_engine_room(out->engine) == 0)
            assert_int_equal(cola_engine_step(out->engine, keep_score, out), COLA_OK);
        assert_int_equal(cola_engine_submit(out->engine, &request), COLA_OK);
        if (i == N_CHAINS / 2) cola_engine_forget(out->engine, 1);
    }
    while (cola_engine_n_pending(out->engine))
        assert_int_equal(cola_engine_step(out->engine, keep_score, out), COLA_OK);
    for (uint32_t s = 0; s < N_SAMPLES; s++) cola_engine_forget(out->engine, s);
    assert_int_equal(out->engine->prefixes.held_bytes, 0);
    cola_engine_destroy(out->engine);
}

static void shared_prefixes_change_no_bit_and_stay_within_memory(void **state)
{
    static struct shared none, much, little, ref;
    struct cola_model *model = open_model();
    uint64_t few_states = 8 * 6 * 64 * sizeof(float); /* eight states of six rows of D = 64 */
    (void)state;
    run_shared(model, "cpu", 0, &none);
    run_shared(model, "cpu", 1 << 30, &much);
    run_shared(model, "cpu", few_states, &little);
    run_shared(model, "ref", 1 << 30, &ref);
    assert_memory_equal(none.score, much.score, sizeof none.score);
    assert_memory_equal(none.score, little.score, sizeof none.score);
    assert_memory_equal(none.score, ref.score, sizeof none.score);
    assert_int_equal(none.n_bytes_most, 0);
    assert_true(little.n_bytes_most > 0 && little.n_bytes_most <= few_states);
    assert_true(much.layers_executed < none.layers_executed * 3 / 4);
    assert_true(little.layers_executed < none.layers_executed &&
                little.layers_executed > much.layers_executed);
    cola_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_requests_are_refused_and_the_engine_goes_on),
        cmocka_unit_test(room_counts_requests_in_flight),
        cmocka_unit_test(shared_prefixes_change_no_bit_and_stay_within_memory),
        cmocka_unit_test(non_finite_logits_are_a_result_on_every_back_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

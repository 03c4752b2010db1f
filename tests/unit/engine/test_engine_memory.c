/* test_engine_memory.c - the bound on memory: kept at every step of hundreds of random requests, whatever
 * their rules, down to little more than one of them needs; the results are the same bytes; what was taken
 * comes back; what can never fit is refused with its numbers. And states shared by generating requests, with
 * the same tokens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/random.h"
#include "engine/state.h"

enum { N_REQUESTS = 300, N_SAMPLES = 6, MOST_PROMPT = 40, MOST_TOKENS = 7 };

struct outcome { /* of one request, compared byte by byte */
    float score[2], logsumexp;
    int32_t argmax, token[MOST_TOKENS];
    uint32_t n_tokens, n_seen;
};

struct run {
    struct cola_engine *engine;
    struct outcome outcome[N_REQUESTS];
    uint64_t layers_executed, most_states;
};

static struct {
    int32_t prompt[N_SAMPLES][MOST_PROMPT], tail[3];
    struct cola_tokens letter[2], continuation[2];
    struct cola_sample sample[N_SAMPLES];
    const char *bf16_products; /* NULL: exact f32 */
} data;

/* Samples of all rules, with prompts of 5 to 40 tokens. */
static int set_up(void **state)
{
    static const enum cola_score_rule rule[] = {COLA_SCORE_LETTER, COLA_SCORE_LOGLIK, COLA_SCORE_GENERATE};
    struct cola_random random = cola_random_keyed(8, 0, COLA_STREAM_SYNTHETIC);
    (void)state;
    for (int i = 0; i < 3; i++) data.tail[i] = 11 * i + 3;
    data.letter[0] = (struct cola_tokens){data.tail, 1},
    data.letter[1] = (struct cola_tokens){data.tail + 1, 1};
    data.continuation[0] = (struct cola_tokens){data.tail, 2};
    data.continuation[1] = (struct cola_tokens){data.tail, 3};
    for (uint32_t s = 0; s < N_SAMPLES; s++) {
        for (int t = 0; t < MOST_PROMPT; t++) data.prompt[s][t] = (int32_t)cola_random_below(&random, 320);
        data.sample[s] = (struct cola_sample){.index = s,
                                              .prompt = data.prompt[s],
                                              .n_prompt_tokens = 5 + s * 7,
                                              .rule = rule[s % 3],
                                              .n_candidates = s % 3 < 2 ? 2 : 0,
                                              .candidate = s % 3 ? data.continuation : data.letter,
                                              .max_new_tokens = s % 3 < 2 ? 0
                                                                : s == 2  ? MOST_TOKENS
                                                                          : 1};
    }
    return 0;
}

static struct cola_model *open_model(void)
{
    struct cola_model *model;
    if (cola_model_open(COLA_TEST_DATA "/models/llama_gqa_tied", &model) != COLA_OK)
        fail_msg("%s", cola_error_text());
    return model;
}

static void within_the_bound(const struct cola_engine *e)
{
    const struct cola_memory *m = &e->memory;
    assert_true(m->held_bytes + m->kept_bytes <= m->limit_bytes && m->most_bytes <= m->limit_bytes);
    assert_true(m->promised_bytes <= m->limit_bytes - m->held_bytes);
}

static enum cola_status keep(void *user, const struct cola_result *result)
{
    struct run *run = user;
    struct outcome *o = &run->outcome[result->id];
    o->n_seen++;
    if (result->n_scores) memcpy(o->score, result->score, result->n_scores * sizeof(float));
    if (result->n_tokens) memcpy(o->token, result->token, result->n_tokens * sizeof(int32_t));
    o->n_tokens = result->n_tokens;
    o->logsumexp = result->logsumexp;
    o->argmax = result->argmax;
    run->layers_executed += result->cost.layers_executed;
    return COLA_OK;
}

static void step(struct run *run)
{
    if (cola_engine_step(run->engine, keep, run) != COLA_OK) fail_msg("%s", cola_error_text());
    within_the_bound(run->engine);
    if (run->engine->prefixes.held_bytes > run->most_states)
        run->most_states = run->engine->prefixes.held_bytes;
}

/* Chains that mostly begin alike. */
static uint32_t draw_chain(struct cola_random *random, uint32_t i, cola_layer chain[24])
{
    uint32_t n = 1 + (uint32_t)cola_random_below(random, 24);
    for (uint32_t l = 0; l < n; l++)
        chain[l] = (cola_layer)(l < n - n / 3 ? (l + i % 3) % 6 : cola_random_below(random, 6));
    return n;
}

/* What is allocated when nothing is in flight and no state is left: buffers that are kept for the next one.
 */
static void only_buffers_are_held(const struct cola_engine *e)
{
    uint64_t buffers = e->weights.n_bytes + cola_scratch_bytes(e, e->scratch.n_rows) +
                       (uint64_t)e->arena.n_rows * e->config->n_hidden * sizeof(float) +
                       (uint64_t)e->n_positions * e->config->head_size * sizeof(float);
    assert_int_equal(e->memory.held_bytes, buffers);
    assert_int_equal(e->memory.promised_bytes, 0);
    assert_int_equal(e->prefixes.held_bytes, 0);
    assert_int_equal(e->arena.n_free, e->arena.n_rows);
}

static void run_requests(const struct cola_model *model, const char *backend, uint64_t memory_bytes,
                         uint64_t state_bytes, uint32_t max_requests, struct run *run)
{
    struct cola_engine_options options = {.backend = backend,
                                          .n_threads = 2,
                                          .max_requests = max_requests,
                                          .memory_bytes = memory_bytes,
                                          .state_bytes = state_bytes,
                                          .bf16 = data.bf16_products != NULL,
                                          .bf16_products = data.bf16_products};
    struct cola_random random = cola_random_keyed(3, 0, COLA_STREAM_SYNTHETIC);
    memset(run, 0, sizeof *run);
    if (cola_engine_create(model, &options, &run->engine) != COLA_OK) fail_msg("%s", cola_error_text());
    within_the_bound(run->engine);
    for (uint32_t i = 0; i < N_REQUESTS; i++) {
        cola_layer chain[24];
        uint32_t s = (uint32_t)cola_random_below(&random, N_SAMPLES), n = draw_chain(&random, i, chain);
        struct cola_request request = {.id = i, .sample = &data.sample[s], .chain = {chain, n}};
        while (cola_engine_room(run->engine) == 0) step(run);
        if (cola_engine_submit(run->engine, &request) != COLA_OK) fail_msg("%s", cola_error_text());
        if (i % 50 == 49) cola_engine_forget(run->engine, i / 50 % N_SAMPLES);
        within_the_bound(run->engine);
    }
    while (cola_engine_n_pending(run->engine)) step(run);
    for (uint32_t s = 0; s < N_SAMPLES; s++) cola_engine_forget(run->engine, s);
    only_buffers_are_held(run->engine);
    for (uint32_t i = 0; i < N_REQUESTS; i++) assert_int_equal(run->outcome[i].n_seen, 1);
    cola_engine_destroy(run->engine);
}

/* Weights, the smallest batch, and what the largest request takes: 24 positions' keys of 40 tokens and its
 * tail. */
static uint64_t least_memory(const struct cola_model *model, const char *backend)
{
    struct cola_engine_options options = {.backend = backend, .n_threads = 1};
    struct cola_engine *e;
    assert_int_equal(cola_engine_create(model, &options, &e), COLA_OK);
    uint64_t n_bytes = e->weights.n_bytes + cola_scratch_bytes(e, COLA_HEAD_ROWS) +
                       24 * cola_keys_bytes(e, 40) + cola_generate_tail_bytes(e, 24, MOST_TOKENS + 1) +
                       45 * 64 * sizeof(float) + 2 * cola_rope_growth(e, 64);
    cola_engine_destroy(e);
    return n_bytes;
}

static void bound_is_kept_and_changes_no_byte(void **state)
{
    static struct run free_run, run;
    static const uint64_t more[] = {0, 30000, 100000, 300000, 1000000, 10000000};
    static const char *const backend[] = {"cpu", "ref"};
    struct cola_model *model = open_model();
    (void)state;
    run_requests(model, "cpu", 0, 0, 7, &free_run);
    uint64_t layers_before = UINT64_MAX;
    for (int b = 0; b < 2; b++)
        for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
            if (b && i % 2) continue;
            run_requests(model, backend[b], least_memory(model, backend[b]) + more[i], UINT64_MAX, 7, &run);
            assert_memory_equal(run.outcome, free_run.outcome, sizeof run.outcome);
            if (b) continue;
            assert_true(run.layers_executed <=
                        layers_before + layers_before / 20); /* more memory shares more */
            layers_before = run.layers_executed;
        }
    assert_true(layers_before < free_run.layers_executed * 3 / 4);
    cola_model_close(model);
}

static void request_that_cannot_fit_alone_is_refused_with_its_numbers(void **state)
{
    struct cola_model *model = open_model();
    struct run run = {0};
    cola_layer chain[24] = {0};
    struct cola_engine_options options = {
        .backend = "cpu", .n_threads = 1, .memory_bytes = least_memory(model, "cpu") - 70000};
    struct cola_request large = {.sample = &data.sample[5], .chain = {chain, 24}},
                        small = {.sample = &data.sample[0], .chain = {chain, 24}};
    (void)state;
    assert_int_equal(cola_engine_create(model, &options, &run.engine), COLA_OK);
    assert_int_equal(cola_engine_submit(run.engine, &large), COLA_ERR_MEMORY);
    assert_non_null(strstr(cola_error_text(), "24 layers over 40 rows needs"));
    assert_non_null(strstr(cola_error_text(), "--memory"));
    assert_int_equal(cola_engine_submit(run.engine, &small), COLA_OK); /* the engine goes on */
    while (cola_engine_n_pending(run.engine)) step(&run);
    cola_engine_destroy(run.engine);
    options.memory_bytes = 100000;
    assert_int_equal(cola_engine_create(model, &options, &run.engine), COLA_ERR_MEMORY);
    assert_non_null(strstr(cola_error_text(), "the weights take"));
    cola_model_close(model);
}

/* Generating requests that begin alike: the keys of shared positions are read from the trie, their tokens are
 * those that no sharing gives, and fewer layers are executed, with much memory and with little. */
static void generating_requests_share_states_and_keep_their_tokens(void **state)
{
    static struct run none, much, little;
    struct cola_sample all[N_SAMPLES];
    struct cola_model *model = open_model();
    (void)state;
    memcpy(all, data.sample, sizeof all);
    for (uint32_t s = 0; s < N_SAMPLES; s++) {
        data.sample[s].rule = COLA_SCORE_GENERATE;
        data.sample[s].n_candidates = 0;
        data.sample[s].max_new_tokens = MOST_TOKENS - s;
    }
    uint64_t least = least_memory(model, "cpu");
    run_requests(model, "cpu", 0, 0, 5, &none);
    run_requests(model, "cpu", 0, UINT64_MAX, 5, &much);
    run_requests(model, "cpu", least + 150000, UINT64_MAX, 5, &little);
    assert_memory_equal(none.outcome, much.outcome, sizeof none.outcome);
    assert_memory_equal(none.outcome, little.outcome, sizeof none.outcome);
    assert_int_equal(none.most_states, 0);
    assert_true(little.most_states > 0 && little.most_states < much.most_states);
    assert_true(much.layers_executed < none.layers_executed);
    assert_true(little.layers_executed < none.layers_executed);
    memcpy(data.sample, all, sizeof all);
    cola_model_close(model);
}

static bool usable(struct cola_model *model, const char *products)
{
    struct cola_engine_options options = {
        .backend = "cpu", .n_threads = 1, .bf16 = true, .bf16_products = products};
    struct cola_engine *e;
    if (cola_engine_create(model, &options, &e) != COLA_OK) return false;
    cola_engine_destroy(e);
    return true;
}

/* All rules in the bf16 mode, by whichever products this machine has. */
static void bf16_mode_is_as_independent_of_memory(void **state)
{
    static const char *const products[] = {"exact", "onednn"};
    static struct run none, much, little;
    struct cola_model *model = open_model();
    uint64_t least = least_memory(model, "cpu");
    (void)state;
    for (int i = 0; i < 2; i++) {
        data.bf16_products = products[i];
        if (!usable(model, products[i])) continue;
        run_requests(model, "cpu", 0, 0, 3, &none);
        run_requests(model, "cpu", 0, UINT64_MAX, 7, &much);
        run_requests(model, "cpu", least + 150000, UINT64_MAX, 5, &little);
        assert_memory_equal(none.outcome, much.outcome, sizeof none.outcome);
        assert_memory_equal(none.outcome, little.outcome, sizeof none.outcome);
        assert_true(much.layers_executed < none.layers_executed * 3 / 4);
        assert_true(little.layers_executed > much.layers_executed);
    }
    data.bf16_products = NULL;
    cola_model_close(model);
}

static void engines_of_a_machine_divide_its_memory(void **state)
{
    struct cola_model *model = open_model();
    struct cola_engine_options options = {.backend = "cpu", .n_threads = 1, .machine_memory_bytes = 40 << 20};
    struct cola_engine_info info;
    struct cola_engine *e;
    uint64_t weights;
    (void)state;
    for (uint32_t n = 0; n <= 3; n++) {
        options.sharing = (struct cola_weight_sharing){.key = 0, .rank = n ? n - 1 : 0, .n_ranks = n};
        assert_int_equal(cola_engine_create(model, &options, &e), COLA_OK);
        cola_engine_info(e, &info);
        assert_int_equal(info.memory_bytes, (40 << 20) / (n ? n : 1));
        weights = info.weight_bytes;
        cola_engine_destroy(e);
    }
    options.sharing = (struct cola_weight_sharing){.key = 0x1234567890abcdefull, .rank = 0, .n_ranks = 2};
    assert_int_equal(cola_engine_create(model, &options, &e), COLA_OK);
    cola_engine_info(e, &info);
    assert_true(info.weights_are_shared && !info.weights_were_here);
    assert_int_equal(info.memory_bytes, weights + ((40 << 20) - weights) / 2);
    assert_int_equal(info.state_bytes, 0);
    cola_engine_destroy(e);
    options.memory_bytes = 9 << 20; /* said for each: goes first */
    options.state_bytes = UINT64_MAX;
    options.sharing.key = 0;
    assert_int_equal(cola_engine_create(model, &options, &e), COLA_OK);
    cola_engine_info(e, &info);
    assert_int_equal(info.memory_bytes, 9 << 20);
    assert_int_equal(info.state_bytes, (9 << 20) - info.weight_bytes - info.batch_bytes);
    cola_engine_destroy(e);
    cola_model_close(model);
}

/* Three engines, one copy: the second and third pack nothing and give the first one's bytes, also after it
 * has gone. Another machine's key, or none: a copy of its own. */
static void engines_share_one_copy_of_the_weights(void **state)
{
    static struct run alone, run;
    struct cola_model *model = open_model();
    struct cola_engine *e[4];
    struct cola_engine_info info[4];
    struct cola_engine_options options = {.backend = "cpu", .n_threads = 1};
    uint64_t key = ((uint64_t)getpid() << 32) + 5;
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        options.sharing = (struct cola_weight_sharing){.key = i < 3 ? key : 0, .rank = i, .n_ranks = 3};
        assert_int_equal(cola_engine_create(model, &options, &e[i]), COLA_OK);
        cola_engine_info(e[i], &info[i]);
        assert_int_equal(info[i].weights_are_shared, i < 3);
        assert_int_equal(info[i].weights_were_here, i == 1 || i == 2);
        assert_int_equal(info[i].weight_bytes, info[0].weight_bytes);
    }
    assert_memory_equal(e[1]->weights.room, e[3]->weights.room, e[3]->weights.room_bytes);
    assert_ptr_not_equal(e[1]->weights.room, e[0]->weights.room);
    cola_layer chain[] = {0, 1, 2, 3, 4, 5, 2};
    struct cola_request request = {.sample = &data.sample[1], .chain = {chain, 7}};
    for (uint32_t i = 0; i < 4; i++) { /* in turn, each destroyed before the next is asked */
        struct run *r = i ? &run : &alone;
        r->engine = e[i];
        assert_int_equal(cola_engine_submit(e[i], &request), COLA_OK);
        while (cola_engine_n_pending(e[i])) step(r);
        cola_engine_destroy(e[i]);
        r->outcome[0].n_seen = 1;
        if (i) assert_memory_equal(&alone.outcome[0], &run.outcome[0], sizeof run.outcome[0]);
    }
    cola_model_close(model);
}

/* The first engine's weights lie in another layout: the second must not read them. */
static void other_layout_is_not_shared(void **state)
{
    static const char *const backend[][2] = {{"ref", "auto"}, {"cpu", "avx2"}};
    static struct run runs[2];
    struct cola_model *model = open_model();
    cola_layer chain[] = {0, 1, 2, 3, 4, 5};
    struct cola_request request = {.sample = &data.sample[1], .chain = {chain, 6}};
    (void)state;
    for (uint32_t b = 0; b < 2; b++) {
        struct cola_engine_options options = {.n_threads = 1};
        struct cola_engine_info info[2];
        memset(runs, 0, sizeof runs);
        for (uint32_t i = 0; i < 2; i++) { /* the second: whatever "auto" is here, of cpu */
            options.backend = i ? "cpu" : backend[b][0];
            options.isa = i ? "auto" : backend[b][1];
            options.sharing = (struct cola_weight_sharing){
                .key = ((uint64_t)getpid() << 32) + 7 + b, .rank = i, .n_ranks = 2};
            assert_int_equal(cola_engine_create(model, &options, &runs[i].engine), COLA_OK);
            cola_engine_info(runs[i].engine, &info[i]);
        }
        if (strncmp(info[0].device, info[1].device, 5) != 0) assert_false(info[1].weights_are_shared);
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(cola_engine_submit(runs[i].engine, &request), COLA_OK);
            while (cola_engine_n_pending(runs[i].engine)) step(&runs[i]);
            cola_engine_destroy(runs[i].engine);
        }
        assert_memory_equal(&runs[0].outcome[0], &runs[1].outcome[0], sizeof runs[0].outcome[0]);
    }
    cola_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_is_kept_and_changes_no_byte),
        cmocka_unit_test(request_that_cannot_fit_alone_is_refused_with_its_numbers),
        cmocka_unit_test(generating_requests_share_states_and_keep_their_tokens),
        cmocka_unit_test(bf16_mode_is_as_independent_of_memory),
        cmocka_unit_test(engines_of_a_machine_divide_its_memory),
        cmocka_unit_test(engines_share_one_copy_of_the_weights),
        cmocka_unit_test(other_layout_is_not_shared),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

/* test_decoding.c - generating with stored keys gives the bytes of recomputing the whole sequence, for every
 * architecture and for chains with loops: at each token the head's reduced logits (largest, sum of
 * exponentials, argmax) of the decoding pass are compared with those of a fresh request whose prompt ends
 * with the tokens so far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "parity/goldens.h"

enum { N_NEW = 12, MAX_SEEN = 64 };

/* What the head gave, step by step; a test runs one engine at a time. */
static struct {
    const struct cola_backend *real;
    struct cola_logits logit[MAX_SEEN];
    uint32_t n;
} seen;

static enum cola_status watch_logits(struct cola_device *device, const float *logits, uint32_t n_rows,
                                     uint32_t n_vocab, struct cola_logits *logit,
                                     const struct cola_pick *pick, uint32_t n_picks, float *picked)
{
    enum cola_status status =
        seen.real->reduce_logits(device, logits, n_rows, n_vocab, logit, pick, n_picks, picked);
    assert_int_equal(n_rows, 1);
    assert_true(seen.n < MAX_SEEN);
    seen.logit[seen.n++] = logit[0];
    return status;
}

struct answer {
    int32_t token[N_NEW];
    uint32_t n_tokens;
};

static enum cola_status take_answer(void *user, const struct cola_result *result)
{
    struct answer *answer = user;
    if (!answer) return COLA_OK;
    assert_int_equal(result->outcome, COLA_OUTCOME_SCORED);
    memcpy(answer->token, result->token, result->n_tokens * sizeof *result->token);
    answer->n_tokens = result->n_tokens;
    return COLA_OK;
}

static void run(struct cola_engine *engine, const struct cola_sample *sample, struct cola_chain chain,
                struct answer *answer)
{
    struct cola_request request = {.sample = sample, .chain = chain};
    if (cola_engine_submit(engine, &request) != COLA_OK) fail_msg("%s", cola_error_text());
    while (cola_engine_n_pending(engine))
        assert_int_equal(cola_engine_step(engine, take_answer, answer), COLA_OK);
}

static void check_case(struct cola_engine *engine, const struct golden_case *item)
{
    struct answer answer = {.n_tokens = 0};
    struct cola_logits decoded[MAX_SEEN];
    struct cola_sample sample = item->next;
    sample.rule = COLA_SCORE_GENERATE;
    sample.max_new_tokens = N_NEW;
    seen.n = 0;
    run(engine, &sample, item->chain, &answer);
    assert_int_equal(seen.n, N_NEW); /* no stop token was given */
    memcpy(decoded, seen.logit, sizeof decoded);
    uint32_t n_prompt = item->next.n_prompt_tokens;
    int32_t *prompt = malloc((n_prompt + N_NEW) * sizeof *prompt);
    memcpy(prompt, item->next.prompt, n_prompt * sizeof *prompt);
    memcpy(prompt + n_prompt, answer.token, sizeof answer.token);
    for (uint32_t t = 0; t < N_NEW; t++) {
        struct cola_sample whole = {.prompt = prompt,
                                    .n_prompt_tokens = n_prompt + t,
                                    .candidate = item->next.candidate,
                                    .n_candidates = 1,
                                    .rule = COLA_SCORE_LETTER};
        seen.n = 0;
        run(engine, &whole, item->chain, NULL);
        assert_memory_equal(&seen.logit[0], &decoded[t], sizeof decoded[t]);
        assert_int_equal(answer.token[t], decoded[t].argmax);
    }
    free(prompt);
}

static void check_model(const char *name, const char *backend)
{
    struct goldens *g = goldens_open(name);
    struct cola_engine_options options = {.backend = backend, .n_threads = 2};
    struct cola_engine *engine;
    size_t n_looped = 0;
    if (cola_engine_create(goldens_model(g), &options, &engine) != COLA_OK) fail_msg("%s", cola_error_text());
    struct cola_backend watched = *engine->backend;
    seen.real = engine->backend;
    watched.reduce_logits = watch_logits;
    engine->backend = &watched;
    for (size_t i = 0; i < goldens_n_cases(g); i++) {
        check_case(engine, goldens_case(g, i));
        n_looped += goldens_case(g, i)->chain.n_layers > cola_model_config(goldens_model(g))->n_layers;
    }
    assert_true(n_looped > 0);
    engine->backend = seen.real;
    cola_engine_destroy(engine);
    goldens_close(g);
}

static void decoding_equals_recomputing_in_bytes(void **state)
{
    static const char *const model[] = {"llama_gqa_tied",
                                        "llama3_rope_scaling",
                                        "llama_sharded_bf16_v4",
                                        "mistral",
                                        "qwen2",
                                        "qwen3",
                                        "olmoe",
                                        "olmoe_norm_topk",
                                        "qwen2_moe",
                                        "qwen2_moe_sparse2"};
    (void)state;
    for (size_t i = 0; i < sizeof model / sizeof *model; i++) check_model(model[i], "cpu");
    check_model("llama_gqa_tied", "ref");
    check_model("qwen2_moe", "ref");
}

/* The planted error: a decoding step that reads one stored key less must be seen. */
static enum cola_status attend_short(struct cola_device *device, const struct cola_attention *a)
{
    struct cola_span span[8];
    struct cola_attention wrong = *a;
    memcpy(span, a->span, a->n_spans * sizeof *span);
    if (a->n_spans == 1 && span[0].n_rows == 1 && span[0].n_first > 8) span[0].n_first--;
    wrong.span = span;
    return cola_backend_ref.attention(device, &wrong);
}

static void a_missing_key_changes_the_bytes(void **state)
{
    struct goldens *g = goldens_open("llama_gqa_tied");
    struct cola_engine_options options = {.backend = "ref"};
    struct cola_engine *engine;
    struct answer right = {.n_tokens = 0}, wrong = {.n_tokens = 0};
    struct cola_backend broken = cola_backend_ref;
    struct cola_logits first[MAX_SEEN];
    (void)state;
    assert_int_equal(cola_engine_create(goldens_model(g), &options, &engine), COLA_OK);
    struct cola_sample sample = goldens_case(g, 1)->next;
    sample.rule = COLA_SCORE_GENERATE;
    sample.max_new_tokens = N_NEW;
    broken.reduce_logits = watch_logits;
    seen.real = &cola_backend_ref;
    engine->backend = &broken;
    seen.n = 0;
    run(engine, &sample, goldens_case(g, 1)->chain, &right);
    memcpy(first, seen.logit, sizeof first);
    broken.attention = attend_short;
    seen.n = 0;
    run(engine, &sample, goldens_case(g, 1)->chain, &wrong);
    assert_memory_not_equal(first, seen.logit, N_NEW * sizeof *first);
    engine->backend = &cola_backend_ref;
    cola_engine_destroy(engine);
    goldens_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_equals_recomputing_in_bytes),
        cmocka_unit_test(a_missing_key_changes_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_smollm2.c - SmolLM2-135M-Instruct against Hugging Face transformers (float32): letters' logits and
 * continuations' log-probabilities of real questions under base, skipping and looping chains. Skipped (77)
 * without the model, which jobs/fetch_model.py makes; COLA_SMOLLM2 names its directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/engine.h"

/* The contract's bounds; transformers' own float32 has errors of this order at logits around 30. */
static const double LOGIT_BOUND = 2e-3, SUM_BOUND = 5e-3, GREEDY_GAP = 1e-2;

enum { MAX_CANDIDATES = 16, MAX_TOKENS = 512, MAX_LAYERS = 120 };

struct item {
    struct cola_sample sample;
    struct cola_tokens candidate[MAX_CANDIDATES];
    int32_t prompt[MAX_TOKENS], token[MAX_CANDIDATES][MAX_TOKENS];
    cola_layer layer[MAX_LAYERS];
    struct cola_chain chain;
    double expected[MAX_CANDIDATES], logsumexp;
    int32_t argmax;
    int32_t
        greedy[MAX_CANDIDATES * 2]; /* generate: expected tokens and the gap of the two best logits at each */
    double gap[MAX_CANDIDATES * 2];
    uint32_t n_greedy;
};

static struct {
    struct item *item;
    size_t n_items;
    double logit, sum, logsumexp;              /* largest differences */
    size_t n_done, n_argmax_differs, n_greedy; /* n_greedy: tokens compared */
} run;

static uint32_t read_list(const json_t *list, int32_t *out)
{
    assert_true(json_array_size(list) <= MAX_TOKENS);
    for (size_t i = 0; i < json_array_size(list); i++)
        out[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return (uint32_t)json_array_size(list);
}

/* Expected tokens; the references were made without a stop token but the chat's end, 2. */
static void read_generate(const json_t *root, struct item *out)
{
    static const int32_t stop[] = {2};
    const json_t *tokens = json_object_get(root, "tokens"), *gaps = json_object_get(root, "gaps");
    assert_true(json_array_size(tokens) <= sizeof out->greedy / sizeof *out->greedy);
    out->n_greedy = read_list(tokens, out->greedy);
    for (uint32_t i = 0; i < out->n_greedy; i++) out->gap[i] = json_number_value(json_array_get(gaps, i));
    out->sample =
        (struct cola_sample){.prompt = out->prompt,
                             .n_prompt_tokens = read_list(json_object_get(root, "prompt"), out->prompt),
                             .rule = COLA_SCORE_GENERATE,
                             .max_new_tokens = out->n_greedy,
                             .stop_token = stop,
                             .n_stop_tokens = 1};
}

static void read_item(const json_t *root, struct item *out)
{
    bool letter = strcmp(json_string_value(json_object_get(root, "kind")), "letter") == 0;
    const json_t *chain = json_object_get(root, "chain");
    const json_t *list = json_object_get(root, letter ? "letters" : "continuations");
    const json_t *expected = json_object_get(root, letter ? "letter_logits" : "logprob");
    for (size_t i = 0; i < json_array_size(chain); i++)
        out->layer[i] = (cola_layer)json_integer_value(json_array_get(chain, i));
    out->chain = (struct cola_chain){out->layer, (uint32_t)json_array_size(chain)};
    if (!list) {
        read_generate(root, out);
        return;
    }
    for (size_t c = 0; c < json_array_size(list); c++) {
        const json_t *tokens = json_array_get(list, c);
        out->candidate[c].token = out->token[c];
        if (letter) out->token[c][0] = (int32_t)json_integer_value(tokens);
        out->candidate[c].n_tokens = letter ? 1 : read_list(tokens, out->token[c]);
        out->expected[c] = json_number_value(json_array_get(expected, c));
    }
    if (letter) {
        out->logsumexp = json_number_value(json_object_get(root, "logsumexp"));
        out->argmax = (int32_t)json_integer_value(json_array_get(json_object_get(root, "top5"), 0));
    }
    out->sample =
        (struct cola_sample){.prompt = out->prompt,
                             .n_prompt_tokens = read_list(json_object_get(root, "prompt"), out->prompt),
                             .candidate = out->candidate,
                             .n_candidates = (uint32_t)json_array_size(list),
                             .rule = letter ? COLA_SCORE_LETTER : COLA_SCORE_LOGLIK};
}

static void compare_greedy(const struct item *item, const struct cola_result *result)
{
    for (uint32_t i = 0; i < item->n_greedy && item->gap[i] >= GREEDY_GAP; i++) {
        assert_true(i < result->n_tokens);
        assert_int_equal(result->token[i], item->greedy[i]);
        run.n_greedy++;
    }
}

static enum cola_status compare(void *user, const struct cola_result *result)
{
    const struct item *item = &run.item[result->id];
    bool letter = item->sample.rule == COLA_SCORE_LETTER;
    (void)user;
    if (item->sample.rule == COLA_SCORE_GENERATE) compare_greedy(item, result);
    for (uint32_t c = 0; c < result->n_scores; c++) {
        double difference = fabs(result->score[c] - item->expected[c]);
        if (letter && difference > run.logit) run.logit = difference;
        if (!letter && difference > run.sum) run.sum = difference;
    }
    if (letter && fabs(result->logsumexp - item->logsumexp) > run.logsumexp)
        run.logsumexp = fabs(result->logsumexp - item->logsumexp);
    if (letter && result->argmax != item->argmax) run.n_argmax_differs++;
    run.n_done++;
    return COLA_OK;
}

static const char *model_dir(void)
{
    const char *dir = getenv("COLA_SMOLLM2");
    return dir ? dir : COLA_TEST_DATA "/../../models/SmolLM2-135M-Instruct";
}

static void logits_and_sums_equal_transformers(void **state)
{
    struct cola_model *model;
    struct cola_engine *engine;
    struct cola_engine_options options = {.backend = "auto"};
    (void)state;
    json_t *root = json_load_file(COLA_TEST_DATA "/smollm2/cases.json", 0, NULL),
           *cases = json_object_get(root, "cases");
    assert_true(json_array_size(cases) > 0);
    run.item = calloc(json_array_size(cases), sizeof *run.item);
    for (size_t i = 0; i < json_array_size(cases); i++)
        read_item(json_array_get(cases, i), &run.item[run.n_items++]);
    json_decref(root);
    if (cola_model_open(model_dir(), &model) != COLA_OK) fail_msg("%s", cola_error_text());
    assert_int_equal(cola_engine_create(model, &options, &engine), COLA_OK);
    for (size_t i = 0; i < run.n_items; i++) {
        struct cola_request request = {.id = i, .sample = &run.item[i].sample, .chain = run.item[i].chain};
        while (cola_engine_room(engine) == 0)
            assert_int_equal(cola_engine_step(engine, compare, NULL), COLA_OK);
        assert_int_equal(cola_engine_submit(engine, &request), COLA_OK);
    }
    while (cola_engine_n_pending(engine)) assert_int_equal(cola_engine_step(engine, compare, NULL), COLA_OK);
    cola_engine_destroy(engine);
    cola_model_close(model);
    printf("%zu cases; largest difference: letter logits %.2e, logsumexp %.2e, log-probability sums %.2e\n",
           run.n_done, run.logit, run.logsumexp, run.sum);
    printf("greedy tokens equal: %zu\n", run.n_greedy);
    assert_true(run.n_greedy > 0);
    assert_int_equal(run.n_done, run.n_items);
    assert_true(run.logit <= LOGIT_BOUND && run.logsumexp <= LOGIT_BOUND);
    assert_true(run.sum <= SUM_BOUND);
    assert_int_equal(run.n_argmax_differs, 0);
    free(run.item);
}

int main(void)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/config.json", model_dir());
    FILE *config = fopen(path, "r");
    if (!config) {
        printf("skipped: no %s (jobs/fetch_model.py makes it)\n", path);
        return 77;
    }
    fclose(config);
    const struct CMUnitTest tests[] = {cmocka_unit_test(logits_and_sums_equal_transformers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

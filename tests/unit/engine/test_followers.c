/* test_followers.c - several chains of one sample submitted at once share as much as submitted one after the
 * other: the later ones wait for the states of the older (src/engine/follow.c). Same bytes, all finish, also
 * where memory keeps no state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cola/engine.h"
#include "cola/random.h"

enum { N_CHAINS = 9, MOST_LAYERS = 16, MOST_TOKENS = 5, PROMPT = 21 };

struct outcome {
    float score[2], logsumexp;
    int32_t token[MOST_TOKENS];
    uint32_t n_tokens, n_seen;
};

static struct {
    int32_t prompt[PROMPT], tail[2];
    struct cola_tokens candidate[2];
    cola_layer chain[N_CHAINS][MOST_LAYERS];
    uint32_t n_layers[N_CHAINS];
} data;

/* A base chain, then chains that leave it ever later, one that is a prefix of it, and the base again. */
static int set_up(void **state)
{
    struct cola_random random = cola_random_keyed(5, 1, COLA_STREAM_SYNTHETIC);
    (void)state;
    for (int i = 0; i < PROMPT; i++) data.prompt[i] = (int32_t)cola_random_below(&random, 320);
    data.tail[0] = 5, data.tail[1] = 9;
    data.candidate[0] = (struct cola_tokens){data.tail, 1};
    data.candidate[1] = (struct cola_tokens){data.tail + 1, 1};
    for (uint32_t c = 0; c < N_CHAINS; c++) {
        data.n_layers[c] = c == N_CHAINS - 2 ? 7 : MOST_LAYERS;
        for (uint32_t l = 0; l < MOST_LAYERS; l++)
            data.chain[c][l] = (cola_layer)((l + (c < N_CHAINS - 2 && c && l >= 2 * c)) % 6);
    }
    return 0;
}

static enum cola_status keep(void *user, const struct cola_result *result)
{
    struct outcome *o = (struct outcome *)user + result->id;
    if (result->n_scores) memcpy(o->score, result->score, result->n_scores * sizeof(float));
    if (result->n_tokens) memcpy(o->token, result->token, result->n_tokens * sizeof(int32_t));
    o->n_tokens = result->n_tokens, o->logsumexp = result->logsumexp, o->n_seen++;
    return COLA_OK;
}

static void finish(struct cola_engine *e, struct outcome *outcome)
{
    while (cola_engine_n_pending(e))
        if (cola_engine_step(e, keep, outcome) != COLA_OK) fail_msg("%s", cola_error_text());
}

/* Layers executed over rows; outcome [N_CHAINS] */
static uint64_t run(enum cola_score_rule rule, uint64_t state_bytes, bool at_once, struct outcome *outcome)
{
    struct cola_engine_options options = {.backend = "cpu", .n_threads = 1, .state_bytes = state_bytes};
    struct cola_sample sample = {.prompt = data.prompt,
                                 .n_prompt_tokens = PROMPT,
                                 .rule = rule,
                                 .n_candidates = rule == COLA_SCORE_GENERATE ? 0 : 2,
                                 .candidate = data.candidate,
                                 .max_new_tokens = rule == COLA_SCORE_GENERATE ? MOST_TOKENS : 0};
    struct cola_model *model;
    struct cola_engine *e;
    assert_int_equal(cola_model_open(COLA_TEST_DATA "/models/llama_gqa_tied", &model), COLA_OK);
    assert_int_equal(cola_engine_create(model, &options, &e), COLA_OK);
    memset(outcome, 0, N_CHAINS * sizeof *outcome);
    for (uint32_t c = 0; c < N_CHAINS; c++) {
        struct cola_request request = {
            .id = c, .sample = &sample, .chain = {data.chain[c], data.n_layers[c]}};
        assert_int_equal(cola_engine_submit(e, &request), COLA_OK);
        if (!at_once) finish(e, outcome);
    }
    finish(e, outcome);
    for (uint32_t c = 0; c < N_CHAINS; c++) assert_int_equal(outcome[c].n_seen, 1);
    struct cola_engine_counters counters;
    cola_engine_counters(e, &counters);
    cola_engine_destroy(e);
    cola_model_close(model);
    return counters.n_rows;
}

static void chains_at_once_share_as_much_as_one_after_the_other(void **state)
{
    static struct outcome alone[N_CHAINS], after[N_CHAINS], at_once[N_CHAINS];
    (void)state;
    for (int rule = COLA_SCORE_LETTER; rule <= COLA_SCORE_GENERATE; rule++) {
        uint64_t n_alone = run((enum cola_score_rule)rule, 0, true, alone);
        uint64_t n_after = run((enum cola_score_rule)rule, UINT64_MAX, false, after);
        uint64_t n_at_once = run((enum cola_score_rule)rule, UINT64_MAX, true, at_once);
        assert_true(n_after < n_alone * 3 / 4);
        assert_int_equal(n_at_once, n_after);
        assert_memory_equal(after, alone, sizeof alone);
        assert_memory_equal(at_once, alone, sizeof alone);
    }
}

/* A few kilobytes keep no state: waiting is in vain, and ends. */
static void without_room_for_states_all_finish(void **state)
{
    static struct outcome alone[N_CHAINS], at_once[N_CHAINS];
    (void)state;
    uint64_t n_alone = run(COLA_SCORE_LETTER, 0, true, alone);
    assert_int_equal(run(COLA_SCORE_LETTER, 3000, true, at_once), n_alone);
    assert_memory_equal(at_once, alone, sizeof alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(chains_at_once_share_as_much_as_one_after_the_other, set_up),
        cmocka_unit_test_setup(without_room_for_states_all_finish, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

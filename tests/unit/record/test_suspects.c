/* test_suspects.c - requests that were out when a process died: counted over its next lives, forgotten when
 * answered, set aside after three, and none where the process said why it ended. And journals of version
 * 1.0, which say less. */
#include "cola/log.h"
#include "record/journal.h"
#include "unit/record/small_run.h"

static cola_layer bad_layer[5] = {0, 1, 1, 2, 3};
static const struct cola_chain bad = {bad_layer, 5};

/* One life in which the chain is sent and never answered. */
static void die_with_it(struct small_run *run, bool resume)
{
    small_run_open(run, resume);
    small_run_steps(run, 1, 2);
    assert_int_equal(cola_record_started(run->record, 0, &bad), COLA_OK);
    small_run_stop(run);
}

static void request_out_at_three_deaths_is_set_aside(void **state)
{
    (void)state;
    struct small_run run;
    struct cola_result result;
    small_run_create(&run);
    for (uint32_t death = 0; death < 3; death++) {
        die_with_it(&run, death > 0);
        small_run_open(&run, true);
        assert_int_equal(cola_record_n_suspects(run.record), death < 2 ? 1 : 0);
        assert_int_equal(cola_record_attempts(run.record, 0, &bad), death < 2 ? death + 1 : 0);
        assert_int_equal(cola_record_attempts(run.record, 1, &bad), 0);
        assert_int_equal(cola_record_known(run.record, 0, &bad, &result), death == 2);
        small_run_stop(&run);
    }
    for (int again = 0; again < 2; again++) { /* it stays so */
        small_run_open(&run, true);
        assert_int_equal(cola_record_n_crashed(run.record), 1);
        assert_true(cola_record_known(run.record, 0, &bad, &result));
        assert_int_equal(result.outcome, COLA_OUTCOME_CRASHED);
        assert_int_equal(result.n_scores, cola_tasks_sample(run.tasks, 0)->n_candidates);
        assert_true(result.score[0] != result.score[0]);
        small_run_stop(&run);
    }
    small_run_destroy(&run);
}

/* The chain that crashes is one that the search asks for: the search ends all the same, the chain is in its
 * tree with that outcome, and the file is whole. */
static void search_goes_on_with_a_chain_set_aside(void **state)
{
    (void)state;
    struct small_run run;
    cola_layer layer[COLA_CHAIN_MAX(SMALL_LAYERS)];
    struct cola_chain chain;
    char digest[COLA_HASH_TEXT];
    small_run_create(&run);
    small_run_open(&run, false);
    small_run_steps(&run, 0, 3);
    uint32_t ticket;
    assert_int_equal(cola_search_ask(run.search[0], &ticket, &chain), COLA_ASK_CHAIN);
    memcpy(layer, chain.layer, chain.n_layers * sizeof *layer);
    chain.layer = layer;
    for (int death = 0; death < 3; death++) {
        assert_int_equal(cola_record_started(run.record, 0, &chain), COLA_OK);
        small_run_stop(&run);
        small_run_open(&run, true);
    }
    small_run_all(&run);
    small_run_fold(&run);
    small_run_digest(run.run_path, digest);
    struct cola_run *out = small_run_read(run.run_path);
    uint32_t n_crashed = 0;
    for (uint64_t row = 0; row < cola_run_n_chains(out); row++) {
        struct cola_run_chain c;
        cola_run_chain(out, row, &c);
        if (c.outcome != COLA_OUTCOME_CRASHED) continue;
        n_crashed++;
        assert_true(cola_chain_equal(&c.node.chain, &chain));
        assert_true(c.node.reward <= 0 && c.node.prediction == -1);
    }
    assert_int_equal(n_crashed, 1);
    assert_string_equal(cola_run_attribute(out, "complete"), "1");
    cola_run_close(out);
    small_run_destroy(&run);
}

static void answer_clears_a_suspect(void **state)
{
    (void)state;
    struct small_run run;
    float score[4];
    int32_t token[2];
    struct cola_result result;
    small_run_create(&run);
    for (int death = 0; death < 2; death++) die_with_it(&run, death > 0);
    small_run_open(&run, true);
    assert_int_equal(cola_record_attempts(run.record, 0, &bad), 2);
    small_evaluate(cola_tasks_sample(run.tasks, 0), &bad, score, token, &result);
    assert_int_equal(cola_record_started(run.record, 0, &bad), COLA_OK);
    assert_int_equal(cola_record_evaluated(run.record, 0, &bad, &result), COLA_OK);
    assert_int_equal(cola_record_attempts(run.record, 0, &bad), 0);
    small_run_stop(&run);
    small_run_open(&run, true);
    assert_int_equal(cola_record_n_suspects(run.record), 0);
    assert_true(cola_record_known(run.record, 0, &bad, &result));
    assert_int_equal(result.outcome, COLA_OUTCOME_SCORED);
    small_run_destroy(&run);
}

/* No space, a worker out of memory: that is no crash, however often. */
static void end_that_was_understood_makes_no_suspect(void **state)
{
    (void)state;
    struct small_run run;
    small_run_create(&run);
    for (int end = 0; end < 5; end++) {
        small_run_open(&run, end > 0);
        assert_int_equal(cola_record_n_suspects(run.record), 0);
        assert_int_equal(cola_record_started(run.record, 0, &bad), COLA_OK);
        assert_int_equal(cola_record_ended(run.record), COLA_OK);
        small_run_stop(&run);
    }
    die_with_it(&run, true); /* what counted before stays counted */
    small_run_open(&run, true);
    assert_int_equal(cola_record_started(run.record, 0, &bad), COLA_OK);
    assert_int_equal(cola_record_ended(run.record), COLA_OK);
    small_run_stop(&run);
    small_run_open(&run, true);
    assert_int_equal(cola_record_attempts(run.record, 0, &bad), 1);
    small_run_destroy(&run);
}

/* A chain set aside is this run's misfortune: another run that takes its results evaluates it. */
static void memo_does_not_take_a_crash_over(void **state)
{
    (void)state;
    struct small_run run, other;
    struct cola_chain chain;
    struct cola_result result;
    cola_layer layer[COLA_CHAIN_MAX(SMALL_LAYERS)];
    uint32_t ticket;
    uint64_t n_added;
    small_run_create(&run);
    small_run_create(&other);
    small_run_open(&run, false);
    small_run_steps(&run, 0, 3);
    assert_int_equal(cola_search_ask(run.search[0], &ticket, &chain), COLA_ASK_CHAIN);
    memcpy(layer, chain.layer, chain.n_layers * sizeof *layer);
    chain.layer = layer;
    for (int death = 0; death < 3; death++) {
        assert_int_equal(cola_record_started(run.record, 0, &chain), COLA_OK);
        small_run_stop(&run);
        small_run_open(&run, true);
    }
    small_run_all(&run);
    small_run_fold(&run);
    small_run_open(&other, false);
    assert_int_equal(cola_record_memo(other.record, run.run_path, &n_added), COLA_OK);
    assert_true(n_added > 3);
    assert_false(cola_record_known(other.record, 0, &chain, &result));
    small_run_stop(&run); /* this run itself, without its journal, keeps it */
    assert_int_equal(unlink(run.journal_path), 0);
    small_run_open(&run, true);
    assert_true(cola_record_known(run.record, 0, &chain, &result));
    assert_int_equal(result.outcome, COLA_OUTCOME_CRASHED);
    small_run_destroy(&other);
    small_run_destroy(&run);
}

static void journal_of_version_1_0_is_continued_as_such(void **state)
{
    (void)state;
    struct small_run run, whole;
    char expected[COLA_HASH_TEXT], found[COLA_HASH_TEXT];
    size_t n;
    small_run_create(&whole);
    small_run_whole(&whole, expected);
    small_run_create(&run);
    uint8_t *old = small_read(COLA_TEST_DATA "/runs/journal-1.0", &n);
    small_write(run.journal_path, old, n);
    for (int life = 0; life < 3; life++) {
        small_run_open(&run, true);
        assert_true(cola_record_n_resumed(run.record) >= 7);
        small_run_steps(&run, 2, (uint32_t)life + 1);
        assert_int_equal(cola_record_ended(run.record), COLA_OK);
        small_run_stop(&run);
    }
    size_t n_now;
    uint8_t *now = small_read(run.journal_path, &n_now);
    assert_true(n_now > n && memcmp(now, old, n) == 0 && now[12] == 1 && now[14] == 0);
    small_run_open(&run, true);
    small_run_all(&run);
    small_run_fold(&run);
    small_run_digest(run.run_path, found);
    assert_string_equal(expected, found);
    small_run_stop(&run);
    old[n / 2] ^= 1; /* every valid record behind a bad one shows damage in this version */
    small_write(run.journal_path, old, n);
    assert_int_equal(unlink(run.run_path), 0);
    assert_int_equal(small_run_try_open(&run, true), COLA_ERR_INPUT);
    assert_error_names("damaged at offset");
    assert_file_is(run.journal_path, old, n);
    free(now);
    free(old);
    small_run_destroy(&whole);
    small_run_destroy(&run);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_out_at_three_deaths_is_set_aside),
        cmocka_unit_test(search_goes_on_with_a_chain_set_aside),
        cmocka_unit_test(answer_clears_a_suspect),
        cmocka_unit_test(end_that_was_understood_makes_no_suspect),
        cmocka_unit_test(memo_does_not_take_a_crash_over),
        cmocka_unit_test(journal_of_version_1_0_is_continued_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

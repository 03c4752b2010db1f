/* test_record_generated.c - runs of generated answers, from tokens to run.h5 and back: what is stored, for a
 * run and its control; a resumed run replays its answers without the model; nothing is stored that the tokens
 * do not say. */
#include "cola/log.h"
#include "unit/record/small_run.h"

static int set_up(void **state)
{
    (void)state;
    cola_log_setup(COLA_LOG_ERROR, -1);
    return 0;
}

static void assert_text(struct cola_text text, const char *expected)
{
    assert_int_equal(text.n_bytes, strlen(expected));
    assert_memory_equal(text.bytes, expected, strlen(expected));
}

struct counts {
    uint32_t target, other, none, non_finite;
};

/* Each stored chain against what the evaluator gives for it; by the small evaluator's rules, not by a grader.
 */
static void check_chain(const struct small_run *run, const struct cola_run_sample *sample,
                        const struct cola_run_chain *found, const struct cola_result *stored,
                        struct counts *counts)
{
    const struct cola_sample *task = cola_tasks_sample(run->tasks, sample->index);
    struct cola_result result;
    float score[4];
    int32_t token[2];
    small_evaluate(task, &found->node.chain, score, token, &result);
    const char *answer = token[0] == TOKEN_DIGIT + 1 ? "18" : token[0] == TOKEN_DIGIT + 5 ? "5" : "";
    bool is_five = sample->target == 1, finite = result.outcome == COLA_OUTCOME_SCORED;
    if (!finite) answer = "";
    int32_t prediction = !*answer                      ? COLA_PREDICTION_NONE
                         : (*answer == '5') == is_five ? sample->target
                                                       : COLA_PREDICTION_OTHER;
    assert_text(found->answer, answer);
    assert_int_equal(found->node.prediction, prediction);
    assert_true(found->node.reward == (prediction == sample->target ? 1 : 0));
    assert_int_equal(found->n_scores, 0);
    assert_int_equal(found->outcome, result.outcome);
    assert_int_equal(stored->n_tokens, 2);
    assert_memory_equal(stored->token, token, sizeof token);
    counts->target += prediction == sample->target;
    counts->other += prediction == COLA_PREDICTION_OTHER;
    counts->none += prediction == COLA_PREDICTION_NONE && finite;
    counts->non_finite += !finite;
}

static void check_file(const struct small_run *run, bool control)
{
    static const char *const gold[] = {"18", "5", "6 + 12 = #### 18"};
    struct cola_run *file = small_run_read(run->run_path);
    struct counts counts = {0};
    assert_string_equal(cola_run_attribute(file, "score"), "generate");
    assert_string_equal(cola_run_attribute(file, "grader"), "number");
    assert_true(cola_run_by_row(file));
    for (uint32_t i = 0; i < SMALL_SAMPLES; i++) {
        struct cola_run_sample sample;
        cola_run_sample(file, i, &sample);
        assert_int_equal(sample.gold, i);
        if (control)
            assert_true(i == 1 ? sample.target == 0 || sample.target == 2 : sample.target == 1);
        else
            assert_int_equal(sample.target, i);
        assert_text(sample.target_text, gold[sample.target]);
        assert_text(cola_run_choice(file, i, 0), gold[i]);
        for (uint64_t row = sample.first_chain; row < sample.first_chain + sample.n_chains; row++) {
            struct cola_run_chain chain;
            struct cola_result result;
            cola_run_chain(file, row, &chain);
            cola_run_result(file, row, &result);
            check_chain(run, &sample, &chain, &result, &counts);
        }
    }
    assert_true(counts.target > 0 && counts.other > 0 && counts.none > 0 && counts.non_finite > 0);
    cola_run_close(file);
}

static void run_and_control_store_what_the_tokens_say(void **state)
{
    (void)state;
    char digest[2][COLA_HASH_TEXT];
    for (int control = 0; control < 2; control++) {
        struct small_run run;
        small_run_create_with(&run, tasks_file_make_generate, control);
        small_run_whole(&run, digest[control]);
        check_file(&run, control);
        small_run_destroy(&run);
    }
    assert_string_not_equal(digest[0], digest[1]);
}

static void letters_predict_candidates(void **state)
{
    (void)state;
    struct small_run run;
    char digest[COLA_HASH_TEXT];
    uint32_t n_letters = 0, n_none = 0, n_right = 0;
    small_run_create_with(&run, tasks_file_make_generate_letter, false);
    small_run_whole(&run, digest);
    struct cola_run *file = small_run_read(run.run_path);
    assert_false(cola_run_by_row(file));
    for (uint32_t i = 0; i < SMALL_SAMPLES; i++) {
        struct cola_run_sample sample;
        cola_run_sample(file, i, &sample);
        assert_int_equal(sample.gold, cola_tasks_sample(run.tasks, i)->gold);
        for (uint64_t row = sample.first_chain; row < sample.first_chain + sample.n_chains; row++) {
            struct cola_run_chain chain;
            cola_run_chain(file, row, &chain);
            bool letter = chain.answer.n_bytes > 0;
            if (letter) assert_text(chain.answer, "B");
            assert_int_equal(chain.node.prediction, letter ? 1 : -1);
            assert_true(chain.node.reward == (letter && sample.target == 1 ? 1 : 0));
            n_letters += letter;
            n_none += !letter;
            n_right += chain.node.reward > 0;
        }
    }
    assert_true(n_letters > 0 && n_none > 0 && n_right > 0 && n_right < n_letters);
    cola_run_close(file);
    small_run_destroy(&run);
}

/* --- resuming ---------------------------------------------------------------------------------------------
 */

static void finish_run(struct small_run *run, char digest[COLA_HASH_TEXT])
{
    small_run_all(run);
    small_run_fold(run);
    small_run_digest(run->run_path, digest);
}

static void resumed_run_replays_answers_without_the_model(void **state)
{
    (void)state;
    struct small_run run;
    char whole[COLA_HASH_TEXT], resumed[COLA_HASH_TEXT];
    small_run_create_with(&run, tasks_file_make_generate, false);
    small_run_whole(&run, whole);
    for (int fold = 0; fold < 2; fold++) { /* interrupted before and after a fold */
        unlink(run.run_path);
        unlink(run.journal_path);
        small_run_open(&run, false);
        small_run_steps(&run, 0, 100);
        small_run_steps(&run, 1, 5);
        uint64_t n_before = run.n_evaluated;
        if (fold) small_run_fold(&run);
        small_run_stop(&run);
        small_run_open(&run, true);
        assert_int_equal(cola_record_n_resumed(run.record), n_before);
        finish_run(&run, resumed);
        assert_int_equal(run.n_evaluated, cola_record_n_known(run.record) - n_before);
        assert_string_equal(resumed, whole);
        small_run_stop(&run);
    }
    unlink(run.journal_path); /* from run.h5's tokens alone */
    small_run_open(&run, true);
    finish_run(&run, resumed);
    assert_int_equal(run.n_evaluated, 0);
    assert_string_equal(resumed, whole);
    small_run_destroy(&run);
}

static void memo_of_a_control_serves_the_run(void **state)
{
    (void)state;
    struct small_run control, run;
    char digest[COLA_HASH_TEXT], with_memo[COLA_HASH_TEXT], alone[COLA_HASH_TEXT];
    uint64_t n_added = 0, n_alone;
    small_run_create_with(&control, tasks_file_make_generate, true);
    small_run_whole(&control, digest);
    small_run_create_with(&run, tasks_file_make_generate, false);
    small_run_open(&run, false);
    finish_run(&run, alone);
    n_alone = run.n_evaluated;
    small_run_stop(&run);
    unlink(run.run_path);
    unlink(run.journal_path);
    small_run_open(&run, false);
    assert_int_equal(cola_record_memo(run.record, control.run_path, &n_added), COLA_OK);
    assert_true(n_added > 0);
    finish_run(&run, with_memo);
    assert_true(run.n_evaluated < n_alone);
    assert_string_equal(with_memo, alone); /* answers are for this run's targets, not the control's */
    small_run_destroy(&run);
    small_run_destroy(&control);
}

/* --- what does not follow ---------------------------------------------------------------------------------
 */

static void prediction_that_the_tokens_do_not_give_is_not_folded(void **state)
{
    (void)state;
    struct small_run run;
    uint32_t ticket;
    struct cola_chain chain;
    struct cola_result result;
    float score[4];
    int32_t token[2];
    small_run_create_with(&run, tasks_file_make_generate, false);
    small_run_open(&run, false);
    small_run_steps(&run, 0, 3);
    assert_int_equal(cola_search_ask(run.search[0], &ticket, &chain), COLA_ASK_CHAIN);
    small_evaluate(cola_tasks_sample(run.tasks, 0), &chain, score, token, &result);
    assert_int_equal(cola_record_evaluated(run.record, 0, &chain, &result), COLA_OK);
    struct cola_judgement j;
    assert_int_equal(cola_judge_result(run.tasks, 0, COLA_METRIC_ACC, 0, &result, &j), COLA_OK);
    j.verdict.prediction = j.verdict.prediction == 0 ? COLA_PREDICTION_OTHER : 0;
    cola_search_tell(run.search[0], ticket, &j.verdict);
    assert_int_equal(small_run_try_fold(&run), COLA_ERR_MISMATCH);
    assert_error_names("sample 0");
    assert_error_names("prediction");
    assert_int_not_equal(access(run.run_path, F_OK), 0);
    small_run_destroy(&run);
}

static void scores_of_generated_answers_are_refused(void **state)
{
    (void)state;
    static const cola_layer layer[] = {0, 1};
    const struct cola_chain chain = {layer, 2};
    const float score = 1;
    struct small_run run;
    struct cola_result result = {.score = &score, .n_scores = 1}, known;
    small_run_create_with(&run, tasks_file_make_generate, false);
    small_run_open(&run, false);
    assert_int_equal(cola_record_evaluated(run.record, 0, &chain, &result), COLA_ERR_INPUT);
    assert_error_names("1 scores, expected 0");
    result.outcome = COLA_OUTCOME_NON_FINITE; /* whatever the back end left is not kept */
    assert_int_equal(cola_record_evaluated(run.record, 0, &chain, &result), COLA_OK);
    assert_true(cola_record_known(run.record, 0, &chain, &known));
    assert_int_equal(known.n_scores, 0);
    small_run_destroy(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_and_control_store_what_the_tokens_say),
        cmocka_unit_test(letters_predict_candidates),
        cmocka_unit_test(resumed_run_replays_answers_without_the_model),
        cmocka_unit_test(memo_of_a_control_serves_the_run),
        cmocka_unit_test(prediction_that_the_tokens_do_not_give_is_not_folded),
        cmocka_unit_test(scores_of_generated_answers_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

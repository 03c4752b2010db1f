/* test_judge.c - predictions, rewards, and the control's wrong answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "cola/task.h"

static const struct cola_tokens candidate[4] = {{(const int32_t[]){1}, 1}};
static const uint32_t n_bytes[4] = {2, 4, 4, 8};

static struct cola_sample sample_of(enum cola_score_rule rule)
{
    return (struct cola_sample){.index = 3,
                                .candidate = candidate,
                                .candidate_bytes = n_bytes,
                                .n_candidates = 4,
                                .gold = 1,
                                .rule = rule};
}

static struct cola_verdict judge(enum cola_score_rule rule, enum cola_metric metric, int32_t target, float a,
                                 float b, float c, float d)
{
    struct cola_sample sample = sample_of(rule);
    float score[4] = {a, b, c, d};
    struct cola_result result = {.score = score, .n_scores = 4, .argmax = -1};
    return cola_judge(&sample, metric, target, &result);
}

static void judge_largest_score_is_the_prediction(void **state)
{
    (void)state;
    struct cola_verdict v = judge(COLA_SCORE_LOGLIK, COLA_METRIC_ACC, 2, -9, -8, -7, -8);
    assert_int_equal(v.prediction, 2);
    assert_true(v.reward == 1);
    v = judge(COLA_SCORE_LETTER, COLA_METRIC_ACC, 1, 3, 2, 1, 0);
    assert_int_equal(v.prediction, 0);
    assert_true(v.reward == 0);
}

static void judge_ties_go_to_the_lower_index(void **state)
{
    (void)state;
    assert_int_equal(judge(COLA_SCORE_LOGLIK, COLA_METRIC_ACC, 0, -5, -1, -1, -1).prediction, 1);
    assert_int_equal(judge(COLA_SCORE_LETTER, COLA_METRIC_ACC, 0, 0.0f, -0.0f, 0.0f, 0.0f).prediction, 0);
    assert_int_equal(judge(COLA_SCORE_LOGLIK, COLA_METRIC_ACC_NORM, 0, -2, -4, -4, -8).prediction, 0);
}

static void judge_acc_norm_divides_by_bytes_under_loglik_only(void **state)
{
    (void)state; /* sums -4, -5, -6, -7; per byte -2, -1.25, -1.5, -0.875 */
    assert_int_equal(judge(COLA_SCORE_LOGLIK, COLA_METRIC_ACC, 3, -4, -5, -6, -7).prediction, 0);
    assert_int_equal(judge(COLA_SCORE_LOGLIK, COLA_METRIC_ACC_NORM, 3, -4, -5, -6, -7).prediction, 3);
    assert_int_equal(judge(COLA_SCORE_LETTER, COLA_METRIC_ACC_NORM, 3, -4, -5, -6, -7).prediction, 0);
}

static void judge_acc_norm_without_bytes_predicts_nothing(void **state)
{
    (void)state;
    struct cola_sample sample = sample_of(COLA_SCORE_LOGLIK);
    struct cola_result result = {.score = (const float[]){-1, -2, -3, -4}, .n_scores = 4};
    sample.candidate_bytes = NULL;
    assert_int_equal(cola_judge(&sample, COLA_METRIC_ACC_NORM, 0, &result).prediction, -1);
    assert_int_equal(cola_judge(&sample, COLA_METRIC_ACC, 0, &result).prediction, 0);
}

static void judge_anything_not_finite_predicts_nothing(void **state)
{
    (void)state;
    struct cola_verdict v = judge(COLA_SCORE_LOGLIK, COLA_METRIC_ACC, 1, -1, NAN, -2, -3);
    assert_int_equal(v.prediction, -1);
    assert_true(v.reward == 0);
    v = judge(COLA_SCORE_LOGLIK, COLA_METRIC_ACC, 0, INFINITY, -1, -2, -3);
    assert_int_equal(v.prediction, -1);
    v = judge(COLA_SCORE_LOGLIK, COLA_METRIC_ACC, -1, NAN, NAN, NAN,
              NAN); /* no target, no prediction: no reward */
    assert_int_equal(v.prediction, -1);
    assert_true(v.reward == 0);
}

static void judge_other_outcomes_and_counts_predict_nothing(void **state)
{
    (void)state;
    struct cola_sample sample = sample_of(COLA_SCORE_LOGLIK);
    struct cola_result result = {.score = (const float[]){-1, -2, -3, -4}, .n_scores = 4};
    for (uint8_t outcome = COLA_OUTCOME_NON_FINITE; outcome <= COLA_OUTCOME_CRASHED; outcome++) {
        result.outcome = outcome;
        assert_int_equal(cola_judge(&sample, COLA_METRIC_ACC, 0, &result).prediction, -1);
    }
    result.outcome = COLA_OUTCOME_SCORED;
    result.n_scores = 3;
    assert_int_equal(cola_judge(&sample, COLA_METRIC_ACC, 0, &result).prediction, -1);
    result.n_scores = 4;
    sample.rule = COLA_SCORE_GENERATE;
    assert_int_equal(cola_judge(&sample, COLA_METRIC_ACC, 0, &result).prediction, -1);
}

static void control_target_is_every_wrong_candidate_equally_often(void **state)
{
    (void)state;
    struct cola_sample sample = sample_of(COLA_SCORE_LOGLIK);
    for (int32_t gold = 0; gold < 4; gold++) {
        uint32_t count[4] = {0};
        sample.gold = gold;
        for (uint32_t i = 0; i < 3000; i++) {
            sample.index = i;
            int32_t target = cola_control_target(&sample, 7);
            assert_in_range(target, 0, 3);
            count[target]++;
            assert_int_equal(cola_control_target(&sample, 7), target);
        }
        for (int32_t c = 0; c < 4; c++)
            if (c == gold)
                assert_int_equal(count[c], 0);
            else
                assert_in_range(count[c], 1000 - 130, 1000 + 130); /* 5 standard deviations of 25.8 */
    }
}

static void control_target_depends_on_the_seed(void **state)
{
    (void)state;
    struct cola_sample sample = sample_of(COLA_SCORE_LOGLIK);
    uint32_t n_different = 0;
    for (uint32_t i = 0; i < 300; i++) {
        sample.index = i;
        n_different += cola_control_target(&sample, 1) != cola_control_target(&sample, 2);
    }
    assert_in_range(n_different, 150, 250); /* two in three */
}

static void control_target_without_another_candidate_is_none(void **state)
{
    (void)state;
    struct cola_sample sample = sample_of(COLA_SCORE_LOGLIK);
    sample.gold = -1;
    assert_int_equal(cola_control_target(&sample, 0), -1);
    sample.gold = 4;
    assert_int_equal(cola_control_target(&sample, 0), -1);
    sample.gold = 0;
    sample.n_candidates = 1;
    assert_int_equal(cola_control_target(&sample, 0), -1);
    sample.n_candidates = 2;
    assert_int_equal(cola_control_target(&sample, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judge_largest_score_is_the_prediction),
        cmocka_unit_test(judge_ties_go_to_the_lower_index),
        cmocka_unit_test(judge_acc_norm_divides_by_bytes_under_loglik_only),
        cmocka_unit_test(judge_acc_norm_without_bytes_predicts_nothing),
        cmocka_unit_test(judge_anything_not_finite_predicts_nothing),
        cmocka_unit_test(judge_other_outcomes_and_counts_predict_nothing),
        cmocka_unit_test(control_target_is_every_wrong_candidate_equally_often),
        cmocka_unit_test(control_target_depends_on_the_seed),
        cmocka_unit_test(control_target_without_another_candidate_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_judge_generated.c - generated answers: from tokens to prediction, reward and stored answer; what a
 * search looks for; the control's draw of another sample's answer: never an equal one, uniform, keyed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "cola/judge.h"
#include "unit/task/tasks_file.h"

static char path[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/cola-judge-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) return -1;
    close(fd);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static struct cola_tasks *open_tasks(hid_t file)
{
    struct cola_tasks *tasks = NULL;
    H5Fclose(file);
    if (cola_tasks_open(path, &tasks) != COLA_OK) fail_msg("%s", cola_error_text());
    return tasks;
}

static struct cola_tasks *open_golds(const char *grader, const char *const *gold, uint32_t n)
{
    hid_t file = tasks_file_create(path);
    tasks_file_generate_settings(file, grader);
    tasks_file_put_golds(file, gold, n);
    return open_tasks(file);
}

/* --- verdicts ---------------------------------------------------------------------------------------------
 */

static struct cola_judgement judge(const struct cola_tasks *tasks, uint32_t row, int32_t target,
                                   const int32_t *token, uint32_t n)
{
    struct cola_result result = {.outcome = COLA_OUTCOME_SCORED, .token = token, .n_tokens = n};
    struct cola_judgement out;
    if (cola_judge_result(tasks, row, COLA_METRIC_ACC, target, &result, &out) != COLA_OK)
        fail_msg("%s", cola_error_text());
    return out;
}

static void assert_judged(const struct cola_tasks *tasks, uint32_t row, int32_t target, const int32_t *token,
                          uint32_t n, int32_t prediction, const char *answer)
{
    struct cola_judgement j = judge(tasks, row, target, token, n);
    assert_int_equal(j.verdict.prediction, prediction);
    assert_true(j.verdict.reward == (prediction == target ? 1 : 0));
    assert_string_equal(j.grade.answer, answer);
}
#define JUDGED(tasks, row, target, prediction, answer, ...)                                                  \
    assert_judged((tasks), (row), (target), (const int32_t[]){__VA_ARGS__},                                  \
                  sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t), (prediction), (answer))
#define DIGIT(d) (TOKEN_DIGIT + (d))

static void number_is_the_target_another_or_none(void **state)
{
    (void)state;
    hid_t file = tasks_file_create(path);
    tasks_file_make_generate(file); /* golds 18, 5, 18 */
    struct cola_tasks *tasks = open_tasks(file);
    JUDGED(tasks, 0, 0, 0, "18", DIGIT(1), DIGIT(8), TOKEN_STOP);
    JUDGED(tasks, 2, 2, 2, "18", DIGIT(1), DIGIT(8)); /* the limit cut it */
    JUDGED(tasks, 0, 0, COLA_PREDICTION_OTHER, "5", DIGIT(5), TOKEN_STOP);
    JUDGED(tasks, 0, 1, 1, "5", DIGIT(5), TOKEN_STOP); /* a control that looks for row 1's answer */
    JUDGED(tasks, 0, 1, COLA_PREDICTION_OTHER, "18", DIGIT(1), DIGIT(8), TOKEN_STOP);
    JUDGED(tasks, 0, 0, COLA_PREDICTION_NONE, "", 1, 1, TOKEN_STOP);
    JUDGED(tasks, 0, 0, COLA_PREDICTION_NONE, "", TOKEN_STOP);
    JUDGED(tasks, 1, 1, COLA_PREDICTION_NONE, "", TOKEN_EMPTY);
    cola_tasks_close(tasks);
}

static void number_before_the_stop_token_counts_alone(void **state)
{
    (void)state;
    hid_t file = tasks_file_create(path);
    tasks_file_make_generate(file);
    struct cola_tasks *tasks = open_tasks(file);
    JUDGED(tasks, 1, 1, 1, "5", DIGIT(5), TOKEN_START, TOKEN_SPACE, DIGIT(7));
    JUDGED(tasks, 1, 1, COLA_PREDICTION_OTHER, "7", DIGIT(5), TOKEN_SPACE, DIGIT(7));
    JUDGED(tasks, 1, 1, COLA_PREDICTION_OTHER, "57", DIGIT(5), DIGIT(7));
    cola_tasks_close(tasks);
}

static void token_beyond_the_vocabulary_stands_for_nothing(void **state)
{
    (void)state;
    hid_t file = tasks_file_create(path);
    tasks_file_make_generate(file);
    struct cola_tasks *tasks = open_tasks(file);
    JUDGED(tasks, 0, 0, 0, "18", DIGIT(1), TOKEN_BEYOND, DIGIT(8), INT32_MAX, TOKEN_STOP);
    JUDGED(tasks, 0, 0, COLA_PREDICTION_NONE, "", TOKEN_BEYOND);
    const int32_t negative[] = {DIGIT(1), -3};
    struct cola_result result = {.token = negative, .n_tokens = 2};
    struct cola_judgement untouched = {.verdict = {.prediction = 77}};
    assert_int_equal(cola_judge_result(tasks, 0, COLA_METRIC_ACC, 0, &result, &untouched), COLA_ERR_INPUT);
    assert_non_null(strstr(cola_error_text(), "-3"));
    assert_int_equal(untouched.verdict.prediction, 77);
    cola_tasks_close(tasks);
}

static void boxed_answers_are_compared_by_value(void **state)
{
    (void)state;
    static const char *const gold[] = {"\\frac{10}{2}", "7"};
    struct cola_tasks *tasks = open_golds("boxed", gold, 2);
    JUDGED(tasks, 0, 0, 0, "5", TOKEN_ANSWER, TOKEN_BOX, DIGIT(5), TOKEN_CLOSE, TOKEN_STOP);
    JUDGED(tasks, 0, 0, COLA_PREDICTION_OTHER, "7", TOKEN_BOX, DIGIT(7), TOKEN_CLOSE);
    JUDGED(tasks, 0, 1, 1, "7", TOKEN_BOX, DIGIT(7), TOKEN_CLOSE);
    JUDGED(tasks, 0, 0, COLA_PREDICTION_NONE, "", DIGIT(5), TOKEN_STOP); /* not in a box */
    cola_tasks_close(tasks);
}

static void letter_predicts_a_candidate_whatever_the_target(void **state)
{
    (void)state;
    hid_t file = tasks_file_create(path);
    tasks_file_make_generate_letter(file); /* 4, 3, 2 choices; golds 2, 0, 1 */
    struct cola_tasks *tasks = open_tasks(file);
    for (int32_t target = 0; target < 4; target++)
        for (int32_t c = 0; c < 4; c++) {
            const char answer[] = {(char)('A' + c), '\0'};
            const int32_t token[] = {TOKEN_ANSWER, TOKEN_LETTER + c, TOKEN_STOP};
            assert_judged(tasks, 0, target, token, 3, c, answer);
            assert_int_equal(judge(tasks, 0, target, token, 3).grade.verdict,
                             c == target ? COLA_GRADE_RIGHT : COLA_GRADE_WRONG);
        }
    JUDGED(tasks, 2, 1, COLA_PREDICTION_NONE, "", TOKEN_ANSWER, TOKEN_LETTER + 3); /* D is no choice there */
    JUDGED(tasks, 0, 2, COLA_PREDICTION_NONE, "", DIGIT(4), TOKEN_STOP);
    cola_tasks_close(tasks);
}

static void anything_but_a_scored_result_predicts_nothing(void **state)
{
    (void)state;
    hid_t file = tasks_file_create(path);
    tasks_file_make_generate(file);
    struct cola_tasks *tasks = open_tasks(file);
    const int32_t right[] = {DIGIT(1), DIGIT(8)};
    for (uint8_t outcome = COLA_OUTCOME_SCORED; outcome <= COLA_OUTCOME_CRASHED; outcome++) {
        struct cola_result result = {.outcome = outcome, .token = right, .n_tokens = 2};
        struct cola_judgement j;
        assert_int_equal(cola_judge_result(tasks, 0, COLA_METRIC_ACC, 0, &result, &j), COLA_OK);
        assert_int_equal(j.verdict.prediction, outcome == COLA_OUTCOME_SCORED ? 0 : COLA_PREDICTION_NONE);
        assert_true(j.verdict.reward == (outcome == COLA_OUTCOME_SCORED ? 1 : 0));
    }
    struct cola_judgement without = judge(tasks, 0, -1, right, 2); /* -1 == -1 is no hit */
    assert_int_equal(without.verdict.prediction, COLA_PREDICTION_NONE);
    assert_true(without.verdict.reward == 0);
    cola_tasks_close(tasks);
}

static void other_rules_are_judged_by_their_scores(void **state)
{
    (void)state;
    struct cola_tasks *tasks = open_tasks(tasks_file_create(path)); /* loglik */
    const float score[] = {-3, -1, -2, -5};
    struct cola_result result = {.score = score, .n_scores = 4};
    struct cola_judgement j;
    assert_int_equal(cola_judge_result(tasks, 0, COLA_METRIC_ACC, 1, &result, &j), COLA_OK);
    assert_int_equal(j.verdict.prediction, 1);
    assert_true(j.verdict.reward == 1);
    assert_int_equal(j.grade.verdict, COLA_GRADE_UNPARSED);
    assert_int_equal(j.grade.n_bytes, 0);
    cola_tasks_close(tasks);
}

/* --- targets ----------------------------------------------------------------------------------------------
 */

static int32_t target_of(const struct cola_tasks *tasks, uint32_t row, bool control, uint64_t seed)
{
    int32_t target = -77;
    if (cola_judge_target(tasks, row, control, seed, &target) != COLA_OK) fail_msg("%s", cola_error_text());
    return target;
}

static void assert_target_text(const struct cola_tasks *tasks, uint32_t row, int32_t target, const char *text)
{
    struct cola_text found = cola_judge_target_text(tasks, row, target);
    assert_int_equal(found.n_bytes, strlen(text));
    assert_memory_equal(found.bytes, text, strlen(text));
}

static void target_is_gold_in_its_own_terms(void **state)
{
    (void)state;
    hid_t file = tasks_file_create(path);
    tasks_file_make_generate(file);
    struct cola_tasks *tasks = open_tasks(file);
    assert_true(cola_judge_by_row(cola_tasks_info(tasks)));
    for (int32_t i = 0; i < 3; i++) {
        assert_int_equal(target_of(tasks, (uint32_t)i, false, 9), i);
        assert_int_equal(cola_judge_gold(tasks, (uint32_t)i), i);
    }
    assert_target_text(tasks, 0, 1, "5");
    assert_target_text(tasks, 0, -1, "");
    cola_tasks_close(tasks);
    file = tasks_file_create(path);
    tasks_file_make_generate_letter(file);
    TASKS_FILE_PUT(file, "samples/gold", H5T_NATIVE_INT32, int32_t, 2, -1, 1);
    tasks = open_tasks(file);
    assert_false(cola_judge_by_row(cola_tasks_info(tasks)));
    assert_int_equal(target_of(tasks, 0, false, 9), 2);
    assert_int_equal(target_of(tasks, 1, false, 9), -1);
    assert_int_equal(target_of(tasks, 1, true, 9), -1);
    assert_int_equal(target_of(tasks, 2, true, 9), 0); /* the only other choice */
    assert_int_equal(target_of(tasks, 0, true, 9), cola_control_target(cola_tasks_sample(tasks, 0), 9));
    assert_target_text(tasks, 0, 0, "green");
    cola_tasks_close(tasks);
}

enum { N_ROWS = 120, N_VALUES = 6 };

/* Row i has the value i % N_VALUES, in one of several spellings. */
static struct cola_tasks *open_many(const char *grader)
{
    static char text[N_ROWS][40];
    const char *gold[N_ROWS];
    for (int i = 0; i < N_ROWS; i++) {
        static const char *const boxed[] = {"%d", "%d.0", "\\frac{%d}{1}", "\\dfrac{%d}{1}"},
                                 *const number[] = {"%d", "$%d.00", "#### %d", "so 7 - 1 = 6. #### %d"};
        const char *form = (*grader == 'b' ? boxed : number)[i / N_VALUES % 4];
        snprintf(text[i], sizeof text[i], form, i % N_VALUES);
        gold[i] = text[i];
    }
    return open_golds(grader, gold, N_ROWS);
}

static void control_never_asks_for_an_equal_answer(void **state)
{
    (void)state;
    static const char *const grader[] = {"number", "boxed"};
    for (int g = 0; g < 2; g++) {
        struct cola_tasks *tasks = open_many(grader[g]);
        for (uint64_t seed = 0; seed < 5; seed++)
            for (uint32_t i = 0; i < N_ROWS; i++) {
                int32_t target = target_of(tasks, i, true, seed);
                assert_in_range(target, 0, N_ROWS - 1);
                assert_int_not_equal(target % N_VALUES, (int32_t)i % N_VALUES);
                assert_int_equal(target_of(tasks, i, true, seed), target);
            }
        cola_tasks_close(tasks);
    }
}

static void control_draws_every_other_row_equally_often(void **state)
{
    (void)state;
    struct cola_tasks *tasks = open_many("number");
    uint32_t count[N_ROWS] = {0};
    enum { DRAWN = 20000, OTHERS = N_ROWS - N_ROWS / N_VALUES }; /* 200 each, standard deviation 14.1 */
    for (uint64_t seed = 0; seed < DRAWN; seed++) count[target_of(tasks, 7, true, seed)]++;
    for (int i = 0; i < N_ROWS; i++)
        if (i % N_VALUES == 7 % N_VALUES)
            assert_int_equal(count[i], 0);
        else
            assert_in_range(count[i], DRAWN / OTHERS - 71, DRAWN / OTHERS + 71); /* 5 of them */
    cola_tasks_close(tasks);
}

static void control_is_keyed_by_seed_and_row(void **state)
{
    (void)state;
    struct cola_tasks *tasks = open_many("number");
    uint32_t by_seed = 0, by_row = 0;
    for (uint32_t i = 0; i + N_VALUES < N_ROWS; i++) {
        by_seed += target_of(tasks, i, true, 1) != target_of(tasks, i, true, 2);
        by_row += target_of(tasks, i, true, 1) != target_of(tasks, i + N_VALUES, true, 1); /* an equal gold */
    }
    assert_in_range(by_seed, 100, N_ROWS - N_VALUES);
    assert_in_range(by_row, 100, N_ROWS - N_VALUES);
    cola_tasks_close(tasks);
}

/* One row in 400 differs: nearly always beyond the draws, so the list of what fits is drawn from. */
static void control_finds_the_few_rows_that_differ(void **state)
{
    (void)state;
    enum { MANY = 400 };
    const char *gold[MANY];
    for (int i = 0; i < MANY; i++) gold[i] = i == 17 || i == 388 ? "3" : i % 2 ? "4" : "4.0";
    struct cola_tasks *tasks = open_golds("number", gold, MANY);
    uint32_t first = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        int32_t target = target_of(tasks, 5, true, seed);
        assert_true(target == 17 || target == 388);
        first += target == 17;
    }
    assert_in_range(first, 65, 135); /* 100, standard deviation 7 */
    assert_int_not_equal(target_of(tasks, 17, true, 1), 388);
    cola_tasks_close(tasks);
}

static void control_of_equal_answers_has_no_target(void **state)
{
    (void)state;
    static const char *const gold[] = {"4", "4.0", "#### 4"};
    struct cola_tasks *tasks = open_golds("number", gold, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(target_of(tasks, i, true, 3), -1);
        assert_int_equal(target_of(tasks, i, false, 3), (int32_t)i);
    }
    cola_tasks_close(tasks);
    tasks = open_golds("boxed", gold, 1);
    assert_int_equal(target_of(tasks, 0, true, 3), -1);
    cola_tasks_close(tasks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_is_the_target_another_or_none),
        cmocka_unit_test(number_before_the_stop_token_counts_alone),
        cmocka_unit_test(token_beyond_the_vocabulary_stands_for_nothing),
        cmocka_unit_test(boxed_answers_are_compared_by_value),
        cmocka_unit_test(letter_predicts_a_candidate_whatever_the_target),
        cmocka_unit_test(anything_but_a_scored_result_predicts_nothing),
        cmocka_unit_test(other_rules_are_judged_by_their_scores),
        cmocka_unit_test(target_is_gold_in_its_own_terms),
        cmocka_unit_test(control_never_asks_for_an_equal_answer),
        cmocka_unit_test(control_draws_every_other_row_equally_often),
        cmocka_unit_test(control_is_keyed_by_seed_and_row),
        cmocka_unit_test(control_finds_the_few_rows_that_differ),
        cmocka_unit_test(control_of_equal_answers_has_no_target),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

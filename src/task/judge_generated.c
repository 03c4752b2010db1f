/* judge_generated.c - judges an evaluation under any score rule: letter and loglik by their scores (judge.c),
 * generate by decoding the tokens and grading the text. Also what a search looks for. Linear in the answer,
 * with the grader's bounded cost on top. Judges what it is given: whether the tasks are sound was checked
 * when they were opened. */
#include <stdlib.h>

#include "cola/judge.h"
#include "cola/memory.h"
#include "task/control_generated.h"
#include "task/tasks_state.h"

/* --- targets ----------------------------------------------------------------------------------------------
 */

bool cola_judge_by_row(const struct cola_tasks_info *info)
{
    return info->rule == COLA_SCORE_GENERATE && info->grader != COLA_GRADE_LETTER;
}

int32_t cola_judge_gold(const struct cola_tasks *tasks, uint32_t row)
{
    const struct cola_sample *sample = cola_tasks_sample(tasks, row);
    if (!cola_judge_by_row(cola_tasks_info(tasks))) return sample->gold;
    return sample->gold < 0 ? -1 : (int32_t)row;
}

enum cola_status cola_judge_target(const struct cola_tasks *tasks, uint32_t row, bool control, uint64_t seed,
                                   int32_t *out)
{
    if (control && cola_judge_by_row(cola_tasks_info(tasks))) return cola_control_row(tasks, row, seed, out);
    *out = control ? cola_control_target(cola_tasks_sample(tasks, row), seed) : cola_judge_gold(tasks, row);
    return COLA_OK;
}

struct cola_text cola_judge_target_text(const struct cola_tasks *tasks, uint32_t row, int32_t target)
{
    if (target < 0) return (struct cola_text){"", 0};
    if (cola_judge_by_row(cola_tasks_info(tasks))) return cola_tasks_choice(tasks, (uint32_t)target, 0);
    return cola_tasks_choice(tasks, row, (uint32_t)target);
}

/* --- generated answers ------------------------------------------------------------------------------------
 */

struct cola_grading cola_tasks_grading(const struct cola_tasks *tasks, uint32_t row, int32_t target)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"; /* the grader refuses more choices by name */
    enum { N_LETTERS = sizeof letters - 1 };
    const struct cola_tasks_info *info = cola_tasks_info(tasks);
    if (info->grader != COLA_GRADE_LETTER)
        return (struct cola_grading){.rule = (enum cola_grade_rule)info->grader,
                                     .gold = cola_tasks_choice(tasks, (uint32_t)target, 0)};
    return (struct cola_grading){.rule = COLA_GRADE_LETTER,
                                 .gold = {letters + (target < N_LETTERS ? target : 0), 1},
                                 .n_choices = cola_tasks_sample(tasks, row)->n_candidates};
}

static bool is_stop(const struct cola_tasks_info *info, int32_t token)
{
    for (uint32_t i = 0; i < info->n_stop_tokens; i++)
        if (info->stop_token[i] == token) return true;
    return false;
}

/* An embedding often has more rows than the tokenizer has tokens (it is rounded up), and a strange chain may
 * pick one of them: it stands for no bytes. */
static enum cola_status decode(const struct cola_tasks *tasks, const struct cola_result *result,
                               struct cola_text *out)
{
    const struct cola_tasks_info *info = cola_tasks_info(tasks);
    const struct cola_vocabulary *vocabulary = cola_tasks_vocabulary(tasks);
    int32_t *token;
    uint32_t n = 0;
    COLA_TRY(cola_alloc((void **)&token, result->n_tokens, sizeof *token, "generated tokens"));
    for (uint32_t i = 0; i < result->n_tokens && !is_stop(info, result->token[i]); i++)
        if (result->token[i] < 0 || (uint32_t)result->token[i] < vocabulary->n_tokens)
            token[n++] = result->token[i];
    enum cola_status status = cola_vocabulary_decode(vocabulary, token, n, NULL, 0, out);
    free(token);
    return status;
}

static int32_t predict(const struct cola_tasks *tasks, int32_t target, const struct cola_grade *grade)
{
    if (grade->verdict == COLA_GRADE_UNPARSED) return COLA_PREDICTION_NONE;
    if (cola_tasks_info(tasks)->grader == COLA_GRADE_LETTER) return grade->answer[0] - 'A';
    return grade->verdict == COLA_GRADE_RIGHT ? target : COLA_PREDICTION_OTHER;
}

static enum cola_status judge_tokens(const struct cola_tasks *tasks, uint32_t row, int32_t target,
                                     const struct cola_result *result, struct cola_judgement *out)
{
    struct cola_judgement judgement = {.verdict = {.prediction = COLA_PREDICTION_NONE},
                                       .grade = {.verdict = COLA_GRADE_UNPARSED}};
    if (target >= 0 && result->outcome == COLA_OUTCOME_SCORED) {
        struct cola_grading grading = cola_tasks_grading(tasks, row, target);
        struct cola_text text;
        COLA_TRY(decode(tasks, result, &text));
        enum cola_status status = cola_grade(&grading, text, &judgement.grade);
        free((void *)text.bytes);
        COLA_TRY(status);
        judgement.verdict.prediction = predict(tasks, target, &judgement.grade);
        judgement.verdict.reward = judgement.verdict.prediction == target ? 1 : 0;
    }
    *out = judgement;
    return COLA_OK;
}

enum cola_status cola_judge_result(const struct cola_tasks *tasks, uint32_t row, enum cola_metric metric,
                                   int32_t target, const struct cola_result *result,
                                   struct cola_judgement *out)
{
    if (cola_tasks_info(tasks)->rule == COLA_SCORE_GENERATE)
        return judge_tokens(tasks, row, target, result, out);
    *out =
        (struct cola_judgement){.verdict = cola_judge(cola_tasks_sample(tasks, row), metric, target, result),
                                .grade = {.verdict = COLA_GRADE_UNPARSED}};
    return COLA_OK;
}

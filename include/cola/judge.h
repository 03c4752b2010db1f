/* judge.h - what a search looks for in a sample, and what an evaluation means for it, under any score rule.
 *
 *     int32_t target;
 *     COLA_TRY(cola_judge_target(tasks, row, control, seed, &target));       -1: nothing to look for
 *     struct cola_judgement j;
 *     COLA_TRY(cola_judge_result(tasks, row, metric, target, &result, &j));
 *     cola_search_tell(search, ticket, &j.verdict);
 *
 * Targets and predictions are numbers of one kind, so that reward = (prediction == target) everywhere:
 *
 *   with choices (letter, loglik, and generate with grader letter): both are indices of the sample's
 *   candidates; prediction -1: nothing could be parsed, a logit was not finite, or the evaluation crashed;
 *
 *   without choices (generate with grader boxed or number): target is the row of tasks.h5 whose gold answer
 *   is looked for: the sample's own, or in a control another one's. prediction is the target if the answer
 *   equals it, -1 as above, and -2 if an answer was found that is not the target.
 *
 * A grader's failure is never a right answer: out of memory is a status, everything else is -1 or -2. Knows
 * no model, no search and no file; threads: each call is independent. */
#ifndef COLA_JUDGE_H
#define COLA_JUDGE_H

#include "cola/grade.h"
#include "cola/status.h"
#include "cola/task.h"

enum { COLA_PREDICTION_NONE = -1, COLA_PREDICTION_OTHER = -2 };

/* Whether targets and predictions are rows of tasks.h5 instead of candidates: generate without choices. */
bool cola_judge_by_row(const struct cola_tasks_info *info);

/* The right answer in the targets' terms: the gold candidate, or the sample's own row; -1 unknown. */
int32_t cola_judge_gold(const struct cola_tasks *tasks, uint32_t row);

/* What a search of the sample looks for: gold, or with `control` something wrong, drawn by the keyed
 * generator (seed, row): one of the other candidates, each as likely; without choices one of all rows of the
 * tasks whose gold answer the grader tells apart from this sample's, each as likely. *out -1: there is none.
 * Fails for memory only. */
enum cola_status cola_judge_target(const struct cola_tasks *tasks, uint32_t row, bool control, uint64_t seed,
                                   int32_t *out);

/* The target's text, for people: the candidate's choice, or the gold answer of the target's row; target -1:
 * empty. */
struct cola_text cola_judge_target_text(const struct cola_tasks *tasks, uint32_t row, int32_t target);

struct cola_judgement {
    struct cola_verdict verdict;
    struct cola_grade grade; /* generate: with the extracted answer; else unparsed and empty */
};

/* Fails for memory (COLA_ERR_MEMORY) or a token below 0 (COLA_ERR_INPUT); *out is then untouched. */
enum cola_status cola_judge_result(const struct cola_tasks *tasks, uint32_t row, enum cola_metric metric,
                                   int32_t target, const struct cola_result *result,
                                   struct cola_judgement *out);

#endif

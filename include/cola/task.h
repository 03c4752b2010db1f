/* task.h - the samples of a benchmark as tasks.h5 holds them, and the judgement of an evaluation.
 *
 *     struct cola_tasks *tasks;
 *     COLA_TRY(cola_tasks_open("tasks.h5", &tasks));                 needs HDF5; checks everything
 *     const struct cola_sample *s = cola_tasks_sample(tasks, 0);     borrowed from the open file
 *     struct cola_verdict v = cola_judge(s, COLA_METRIC_ACC, target, &result);
 *     cola_tasks_close(tasks);
 *
 * Format: docs/format-tasks.md. Token ids only; text is carried for people and never interpreted here. */
#ifndef COLA_TASK_H
#define COLA_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "cola/hash.h"
#include "cola/result.h"
#include "cola/status.h"

enum cola_score_rule {
    COLA_SCORE_LETTER = 0,  /* next-token logits of the candidates' single tokens */
    COLA_SCORE_LOGLIK = 1,  /* summed log-probability of each candidate's tokens after the prompt */
    COLA_SCORE_GENERATE = 2 /* greedy tokens, then a grader */
};
#define COLA_N_SCORE_RULES 3
extern const char *const cola_score_rule_name[COLA_N_SCORE_RULES]; /* "letter", "loglik", "generate" */

enum cola_metric { COLA_METRIC_ACC = 0, COLA_METRIC_ACC_NORM = 1 }; /* loglik: by sum, or by sum per byte */

struct cola_tokens {
    const int32_t *token; /* [n_tokens], each in 0 .. V-1 */
    uint32_t n_tokens;    /* >= 1 */
};

struct cola_sample {
    uint32_t index;        /* row in tasks.h5: the sample's key everywhere */
    const int32_t *prompt; /* [n_prompt_tokens], >= 1 */
    uint32_t n_prompt_tokens;
    const struct cola_tokens *candidate; /* [n_candidates]; letter: one token each */
    const uint32_t *candidate_bytes;     /* [n_candidates] bytes of each choice's text (acc_norm), or NULL */
    uint32_t n_candidates;
    int32_t gold; /* index of the right candidate, -1 unknown; without choices 0: the only one is right */
    enum cola_score_rule rule;
    uint32_t max_new_tokens;   /* generate: most tokens of an answer; else 0 */
    const int32_t *stop_token; /* [n_stop_tokens] generate: each ends an answer and is part of it */
    uint32_t n_stop_tokens;
};

struct cola_text {
    const char *bytes;
    uint64_t n_bytes;
}; /* UTF-8, not NUL-terminated */

struct cola_tasks_info {
    char task[64];                    /* e.g. "arc_easy" */
    char model_name[256];             /* as given to prepare.py, for people */
    char fingerprint[COLA_HASH_TEXT]; /* over all that a search reads: tokens, candidates, gold, rule */
    char tokenizer_fingerprint[COLA_HASH_TEXT]; /* of the model directory's tokenizer, "" unknown */
    enum cola_score_rule rule;
    uint32_t n_samples;
    int32_t max_token;         /* largest token id: must be < V of the model */
    uint32_t max_new_tokens;   /* generate: most tokens of an answer; else 0 */
    const int32_t *stop_token; /* [n_stop_tokens] generate: tokens that end an answer */
    uint32_t n_stop_tokens;
    int32_t grader; /* generate: enum cola_grade_rule of grade.h; else -1 */
};

struct cola_tasks;
struct cola_vocabulary; /* grade.h */

enum cola_status cola_tasks_open(const char *path, struct cola_tasks **out);
void cola_tasks_close(struct cola_tasks *tasks); /* NULL allowed */
const struct cola_tasks_info *cola_tasks_info(const struct cola_tasks *tasks);
const struct cola_sample *cola_tasks_sample(const struct cola_tasks *tasks, uint32_t index);
struct cola_text cola_tasks_id(const struct cola_tasks *tasks, uint32_t index); /* the benchmark's row id */
struct cola_text cola_tasks_question(const struct cola_tasks *tasks,
                                     uint32_t index); /* empty if not stored */
struct cola_text cola_tasks_choice(const struct cola_tasks *tasks, uint32_t index, uint32_t candidate);
struct cola_text cola_tasks_label(const struct cola_tasks *tasks, uint32_t index, uint32_t candidate);
struct cola_text cola_tasks_token_bytes(const struct cola_tasks *tasks,
                                        int32_t token); /* empty without a vocabulary */
/* Bytes of each token; without a vocabulary one of 0 tokens. Under generate there always is one. */
const struct cola_vocabulary *cola_tasks_vocabulary(const struct cola_tasks *tasks);

/* What an evaluation means for a search that looks for `target`; judge.h says what both numbers mean. */
struct cola_verdict {
    int32_t prediction; /* letter, loglik: candidate with the largest score, ties to the lower index; -1:
                           non-finite, failed */
    float reward;       /* 1 if prediction == target, else 0 */
};

/* The verdict of rules letter and loglik, which needs the sample only. Rule generate: prediction -1, since an
 * answer of tokens needs a grader and the tasks: cola_judge_result judges all rules. */
struct cola_verdict cola_judge(const struct cola_sample *sample, enum cola_metric metric, int32_t target,
                               const struct cola_result *result);

/* The wrong answer that the control asks for: uniform over the candidates but the gold, keyed by (seed,
 * sample). -1 if there is no other candidate or no gold. */
int32_t cola_control_target(const struct cola_sample *sample, uint64_t seed);

#endif

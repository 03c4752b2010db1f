/* grade.h - is a generated answer right? Pure functions over bytes: no files, no model, no locale, no clock.
 *
 *     struct cola_vocabulary vocabulary = {values, offsets, n_tokens};              borrowed from tasks.h5
 *     COLA_TRY(cola_vocabulary_decode(&vocabulary, token, n, stop, n_stop, &text)); owns text.bytes: free()
 *     struct cola_grading grading = {COLA_GRADE_BOXED, gold, 0};
 *     struct cola_grade grade;
 *     COLA_TRY(cola_grade(&grading, text, &grade));
 *     grade.verdict == COLA_GRADE_RIGHT; grade.answer is what was extracted, to be stored
 *
 * Rules, examples and the judged differences from math-verify: docs/graders.md. Time is linear in the text
 * with a bounded cost for each extracted answer, whatever the bytes. Threads: every call is independent. */
#ifndef COLA_GRADE_H
#define COLA_GRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"
#include "cola/task.h"

enum cola_grade_rule {
    COLA_GRADE_LETTER = 0, /* multiple choice: a letter, as people and models write one */
    COLA_GRADE_BOXED = 1,  /* mathematics: every \boxed, compared by value */
    COLA_GRADE_NUMBER = 2  /* GSM8K: one number */
};
#define COLA_N_GRADE_RULES 3
extern const char *const cola_grade_rule_name[COLA_N_GRADE_RULES]; /* "letter", "boxed", "number" */

enum cola_grade_verdict {
    COLA_GRADE_WRONG = 0,
    COLA_GRADE_RIGHT = 1,
    COLA_GRADE_UNPARSED = 2 /* no answer was found: no box, no number, no letter */
};

#define COLA_GRADE_ANSWER_MAX 255 /* bytes of the stored answer; a longer one is cut */
#define COLA_GRADE_BOXES_MAX  64  /* boxes of one text that are looked at: the last ones */

struct cola_grading {
    enum cola_grade_rule rule;
    struct cola_text gold; /* letter: "B"; boxed: LaTeX; number: a number or GSM8K's "... #### 18" */
    uint32_t n_choices;    /* letter: the sample's choices, 1 .. 26; else not read */
};

struct cola_grade {
    uint8_t verdict;    /* enum cola_grade_verdict */
    bool unfinished;    /* boxed and right by value, but leaves work that the gold has done: 3+4 for 7 */
    uint32_t n_answers; /* different answers found: boxes; else 0 or 1 */
    uint32_t n_bytes;
    char answer[COLA_GRADE_ANSWER_MAX + 1]; /* the one that is right, else the last; canonical; NUL-terminated
                                             */
};

/* Fails only for memory (COLA_ERR_MEMORY) or a gold that is no answer under its rule (COLA_ERR_INPUT). */
enum cola_status cola_grade(const struct cola_grading *grading, struct cola_text text,
                            struct cola_grade *out);

/* The check of a gold alone, for whoever opens a task: COLA_ERR_INPUT with words, or COLA_OK. */
enum cola_status cola_grade_check_gold(const struct cola_grading *grading);

/* The bytes that each token stands for: token t is values[offsets[t] .. offsets[t + 1]). */
struct cola_vocabulary {
    const uint8_t *values;
    const uint64_t *offsets; /* [n_tokens + 1] */
    uint32_t n_tokens;
};

/* Concatenates the tokens' bytes, up to and without the first of the stop tokens. A token outside the
 * vocabulary is COLA_ERR_INPUT. The caller owns text.bytes: free((void *)text.bytes). */
enum cola_status cola_vocabulary_decode(const struct cola_vocabulary *vocabulary, const int32_t *token,
                                        uint32_t n_tokens, const int32_t *stop, uint32_t n_stop,
                                        struct cola_text *out);

#endif

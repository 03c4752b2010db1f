/* fuzz_grade.c - libFuzzer target for the graders.
 *
 * Input: one byte for the rule and the number of choices, gold up to a NUL, then the text. Any bytes must
 * give a verdict; then: the same call gives the same, a gold that is accepted is right when boxed itself
 * (boxed rule), what is stored ends in NUL within its bound, and a blank text is no answer. A quadratic way
 * shows as a time-out: the budget is the runner's -timeout. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/grade.h"

static void require(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "fuzz_grade: %s does not hold\n", what);
    abort();
}

static void check_one(const struct cola_grading *grading, struct cola_text text)
{
    struct cola_grade grade, again;
    if (cola_grade(grading, text, &grade) != COLA_OK) {
        require(cola_grade_check_gold(grading) != COLA_OK, "that only a gold is refused");
        return;
    }
    require(grade.verdict <= COLA_GRADE_UNPARSED, "a known verdict");
    require(grade.n_bytes <= COLA_GRADE_ANSWER_MAX && grade.answer[grade.n_bytes] == '\0',
            "the bound of the answer");
    require((grade.verdict == COLA_GRADE_UNPARSED) == (grade.n_bytes == 0), "an answer beside every verdict");
    require(grade.verdict == COLA_GRADE_RIGHT || !grade.unfinished, "that only right answers are unfinished");
    require(cola_grade(grading, text, &again) == COLA_OK, "the same status");
    require(grade.verdict == again.verdict && strcmp(grade.answer, again.answer) == 0, "the same verdict");
    require(cola_grade(grading, (struct cola_text){" ", 1}, &again) == COLA_OK &&
                again.verdict == COLA_GRADE_UNPARSED,
            "that nothing is no answer");
}

/* \boxed{gold} is right where the gold's braces are balanced and it holds no box itself. */
static void check_itself(const struct cola_grading *grading)
{
    struct cola_text gold = grading->gold;
    struct cola_grade grade;
    size_t depth = 0, n = gold.n_bytes;
    for (size_t i = 0; i < n; i++) {
        if (gold.bytes[i] == '\\') {
            if (++i == n) return;
        } else if (gold.bytes[i] == '{') {
            depth++;
        } else if (gold.bytes[i] == '}' && depth-- == 0) {
            return;
        }
    }
    if (depth > 0 || cola_grade_check_gold(grading) != COLA_OK) return;
    for (size_t i = 0; i + 4 < n; i++)
        if (gold.bytes[i] == '\\' && memchr("bBfF", gold.bytes[i + 1], 4)) return;
    char *text = malloc(n + 8);
    require(text != NULL, "memory");
    memcpy(text, "\\boxed{", 7);
    memcpy(text + 7, gold.bytes, n);
    text[n + 7] = '}';
    require(cola_grade(grading, (struct cola_text){text, n + 8}, &grade) == COLA_OK, "a verdict on the gold");
    require(grade.verdict == COLA_GRADE_RIGHT, "gold = gold");
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    const uint8_t *nul = memchr(data + 1, 0, size - 1);
    size_t n_gold = nul ? (size_t)(nul - data - 1) : (size - 1) / 2;
    size_t n_text = size - 1 - n_gold - (nul != NULL);
    char *gold = malloc(n_gold ? n_gold : 1), *text = malloc(n_text ? n_text : 1);
    require(gold && text, "memory"); /* of exact size, so that a byte too many is seen */
    memcpy(gold, data + 1, n_gold);
    memcpy(text, data + size - n_text, n_text);
    struct cola_grading grading = {(enum cola_grade_rule)(data[0] % 3), {gold, n_gold}, data[0] / 3 % 26 + 1};
    check_one(&grading, (struct cola_text){text, n_text});
    if (grading.rule == COLA_GRADE_BOXED) check_itself(&grading);
    free(gold);
    free(text);
    return 0;
}

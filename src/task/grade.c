/* grade.c - the entry to the graders, and the little that they share. A grader sees a text and a gold answer
 * and says right, wrong or that there was nothing to read; it is called by whoever judges generated tokens.
 */
#include "cola/grade.h"

#include <string.h>

#include "task/grade_bytes.h"
#include "task/grade_rules.h"

const char *const cola_grade_rule_name[COLA_N_GRADE_RULES] = {"letter", "boxed", "number"};

struct cola_text cola_text_trim(struct cola_text text)
{
    while (text.n_bytes > 0 && cola_is_space(text.bytes[0])) text.bytes++, text.n_bytes--;
    while (text.n_bytes > 0 && cola_is_space(text.bytes[text.n_bytes - 1])) text.n_bytes--;
    return text;
}

bool cola_text_has(struct cola_text text, uint64_t at, const char *word)
{
    for (; *word; word++, at++)
        if (at >= text.n_bytes || cola_to_lower(text.bytes[at]) != *word) return false;
    return true;
}

void cola_grade_store(struct cola_grade *out, const char *bytes, size_t n)
{
    if (n > COLA_GRADE_ANSWER_MAX) n = COLA_GRADE_ANSWER_MAX;
    memcpy(out->answer, bytes, n);
    out->answer[n] = '\0';
    out->n_bytes = (uint32_t)n;
}

enum cola_status cola_grade(const struct cola_grading *grading, struct cola_text text, struct cola_grade *out)
{
    struct cola_grade grade = {.verdict = COLA_GRADE_UNPARSED};
    switch (grading->rule) {
    case COLA_GRADE_LETTER: COLA_TRY(cola_grade_letter(grading, text, &grade)); break;
    case COLA_GRADE_BOXED: COLA_TRY(cola_grade_boxed(grading, text, &grade)); break;
    case COLA_GRADE_NUMBER: COLA_TRY(cola_grade_number(grading, text, &grade)); break;
    default:
        return cola_fail(COLA_ERR_INPUT, "grade rule %d is none of letter, boxed, number",
                         (int)grading->rule);
    }
    *out = grade;
    return COLA_OK;
}

enum cola_status cola_grade_check_gold(const struct cola_grading *grading)
{
    struct cola_grade ignored;
    return cola_grade(grading, (struct cola_text){"", 0}, &ignored);
}

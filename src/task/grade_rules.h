/* grade_rules.h - one function a rule behind cola_grade, and what they share. Texts are bytes of any kind. */
#ifndef COLA_TASK_GRADE_RULES_H
#define COLA_TASK_GRADE_RULES_H

#include "cola/grade.h"
#include "task/latex.h"

enum cola_status cola_grade_letter(const struct cola_grading *grading, struct cola_text text,
                                   struct cola_grade *out);
enum cola_status cola_grade_boxed(const struct cola_grading *grading, struct cola_text text,
                                  struct cola_grade *out);
enum cola_status cola_grade_number(const struct cola_grading *grading, struct cola_text text,
                                   struct cola_grade *out);

/* The contents of \boxed{..} and \fbox{..}, the last COLA_GRADE_BOXES_MAX of them, in the order of the text.
 * Unclosed, empty and overlong boxes are left out. */
struct cola_boxes {
    struct cola_text box[COLA_GRADE_BOXES_MAX];
    uint32_t n;
};
void cola_boxes_find(struct cola_text text, struct cola_boxes *out);
uint32_t cola_boxes_count_different(const struct cola_boxes *boxes);

struct cola_text cola_text_trim(struct cola_text text); /* without spaces at both ends */
/* Does `word`, lower-case ASCII, stand at `at`, in either case? */
bool cola_text_has(struct cola_text text, uint64_t at, const char *word);
void cola_grade_store(struct cola_grade *out, const char *bytes, size_t n); /* cut where it is too long */

#endif

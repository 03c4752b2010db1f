/* control_generated.c - the control of generated answers looks for another sample's gold answer, uniform over
 * all rows of the file whose gold the grader tells apart from this sample's.
 *
 * Rows are drawn until one fits; after DRAWS misses (nearly all golds are equal) the rows that fit are listed
 * and one of them is drawn, which is uniform too. Which rows a run searches (--samples, --shard) plays no
 * part: a shard's targets are the whole run's. */
#include "task/control_generated.h"

#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "cola/random.h"
#include "task/tasks_state.h"

enum { DRAWS = 64 };

/* Would a model's answer `text`, a gold of this kind, count as wrong for the row's gold? Boxed golds stand as
 * bare LaTeX, answers in a box. */
static enum cola_status is_wrong(const struct cola_tasks *tasks, uint32_t row, struct cola_text text,
                                 bool *wrong)
{
    static const char before[] = "\\boxed{";
    struct cola_grading grading = cola_tasks_grading(tasks, row, (int32_t)row);
    struct cola_grade grade;
    size_t n_before = sizeof before - 1;
    char *boxed = NULL;
    if (grading.rule == COLA_GRADE_BOXED) {
        COLA_TRY(cola_alloc((void **)&boxed, n_before + text.n_bytes + 1, 1, "gold answer"));
        memcpy(boxed, before, n_before);
        memcpy(boxed + n_before, text.bytes, text.n_bytes);
        boxed[n_before + text.n_bytes] = '}';
        text = (struct cola_text){boxed, n_before + text.n_bytes + 1};
    }
    enum cola_status status = cola_grade(&grading, text, &grade);
    free(boxed);
    COLA_TRY(status);
    *wrong = grade.verdict == COLA_GRADE_WRONG;
    return COLA_OK;
}

/* Each must be wrong for the other: then no answer is a hit for both. */
static enum cola_status differ(const struct cola_tasks *tasks, uint32_t row, uint32_t other, bool *out)
{
    struct cola_text ours = cola_tasks_choice(tasks, row, 0), theirs = cola_tasks_choice(tasks, other, 0);
    bool wrong = row != other &&
                 !(ours.n_bytes == theirs.n_bytes && memcmp(ours.bytes, theirs.bytes, ours.n_bytes) == 0);
    if (wrong) COLA_TRY(is_wrong(tasks, row, theirs, &wrong));
    if (wrong) COLA_TRY(is_wrong(tasks, other, ours, &wrong));
    *out = wrong;
    return COLA_OK;
}

static enum cola_status draw_of_all(const struct cola_tasks *tasks, uint32_t row, struct cola_random *random,
                                    int32_t *out)
{
    uint32_t n_rows = cola_tasks_info(tasks)->n_samples, n = 0;
    int32_t *fits = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_alloc((void **)&fits, n_rows, sizeof *fits, "rows of the control"));
    for (uint32_t other = 0; status == COLA_OK && other < n_rows; other++) {
        bool different = false;
        status = differ(tasks, row, other, &different);
        if (different) fits[n++] = (int32_t)other;
    }
    if (status == COLA_OK) *out = n ? fits[cola_random_below(random, n)] : -1;
    free(fits);
    return status;
}

enum cola_status cola_control_row(const struct cola_tasks *tasks, uint32_t row, uint64_t seed, int32_t *out)
{
    struct cola_random random = cola_random_keyed(seed, row, COLA_STREAM_CONTROL);
    for (int draw = 0; draw < DRAWS; draw++) {
        uint32_t other = (uint32_t)cola_random_below(&random, cola_tasks_info(tasks)->n_samples);
        bool different = false;
        COLA_TRY(differ(tasks, row, other, &different));
        if (!different) continue;
        *out = (int32_t)other;
        return COLA_OK;
    }
    return draw_of_all(tasks, row, &random, out);
}

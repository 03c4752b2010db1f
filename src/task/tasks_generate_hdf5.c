/* tasks_generate_hdf5.c - what tasks.h5 has only under score rule generate: the limits of an answer, its
 * grader, and golds that this grader can read. A gold that cannot be graded is found here, by sample, and not
 * by a search that has run for a day. */
#include <stdlib.h>
#include <string.h>

#include "cola/judge.h"
#include "cola/memory.h"
#include "task/h5.h"
#include "task/tasks_state.h"

static enum cola_status load_limits(struct cola_tasks *tasks, const struct cola_h5 *file)
{
    int64_t *value = NULL;
    uint64_t n = 0;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_h5_integers(file, "max_new_tokens", &value, &n));
    if (n != 1 || value[0] < 1 || value[0] > INT32_MAX) {
        status =
            cola_fail(COLA_ERR_INPUT, "%s: attribute max_new_tokens: expected one number from 1, found %s",
                      file->path, n == 1 ? "another" : "none or several");
        goto done;
    }
    tasks->info.max_new_tokens = (uint32_t)value[0];
    free(value);
    value = NULL;
    COLA_TRY_DONE(cola_h5_integers(file, "stop_tokens", &value, &n));
    COLA_TRY_DONE(cola_alloc((void **)&tasks->stop_token, n, sizeof *tasks->stop_token, "stop tokens"));
    for (uint64_t i = 0; i < n; i++) {
        if (value[i] < 0 || value[i] > INT32_MAX) {
            status = cola_fail(COLA_ERR_INPUT, "%s: attribute stop_tokens: %lld is no token id", file->path,
                               (long long)value[i]);
            goto done;
        }
        tasks->stop_token[i] = (int32_t)value[i];
    }
    tasks->info.stop_token = tasks->stop_token;
    tasks->info.n_stop_tokens = (uint32_t)n;
done:
    free(value);
    return status;
}

static enum cola_status load_grader(struct cola_tasks *tasks, const struct cola_h5 *file)
{
    char *text = NULL;
    enum cola_status status = COLA_OK;
    int rule = 0;
    COLA_TRY(cola_h5_string(file, "grader", &text));
    while (text && rule < COLA_N_GRADE_RULES && strcmp(text, cola_grade_rule_name[rule]) != 0) rule++;
    if (!text)
        status = cola_fail(COLA_ERR_INPUT,
                           "%s: attribute grader is missing: score generate needs letter, boxed or number",
                           file->path);
    else if (rule == COLA_N_GRADE_RULES)
        status = cola_fail(COLA_ERR_INPUT, "%s: attribute grader: '%.40s' is none of letter, boxed, number",
                           file->path, text);
    else
        tasks->info.grader = rule;
    free(text);
    return status;
}

enum cola_status cola_tasks_load_generate(struct cola_tasks *tasks, const struct cola_h5 *file)
{
    COLA_TRY(load_limits(tasks, file));
    COLA_TRY(load_grader(tasks, file));
    if (!cola_h5_has_group(file, "vocabulary"))
        return cola_fail(
            COLA_ERR_INPUT,
            "%s: group vocabulary is missing: the grader of score generate decodes tokens with it",
            file->path);
    return COLA_OK;
}

/* --- golds ------------------------------------------------------------------------------------------------
 */

static enum cola_status check_gold(const struct cola_tasks *tasks, uint32_t row)
{
    const struct cola_sample *sample = &tasks->sample[row];
    bool by_row = cola_judge_by_row(&tasks->info);
    if (by_row && (sample->n_candidates != 1 || sample->gold != 0))
        return cola_fail(COLA_ERR_INPUT,
                         "grader %s: expected one candidate, the right answer, and gold 0; found %u "
                         "candidates and gold %d",
                         cola_grade_rule_name[tasks->info.grader], (unsigned)sample->n_candidates,
                         sample->gold);
    struct cola_grading grading = cola_tasks_grading(tasks, row,
                                                     by_row             ? (int32_t)row
                                                     : sample->gold < 0 ? 0
                                                                        : sample->gold);
    return cola_grade_check_gold(&grading);
}

enum cola_status cola_tasks_check_golds(const struct cola_tasks *tasks)
{
    if (cola_judge_by_row(&tasks->info) && tasks->info.n_samples > INT32_MAX)
        return cola_fail(COLA_ERR_INPUT, "%s: data set samples/gold: %u samples, grader %s takes at most %d",
                         tasks->path, (unsigned)tasks->info.n_samples,
                         cola_grade_rule_name[tasks->info.grader], INT32_MAX);
    for (uint32_t i = 0; i < tasks->info.n_samples; i++) {
        struct cola_text id = cola_tasks_id(tasks, i);
        enum cola_status status = check_gold(tasks, i);
        if (status != COLA_OK)
            return cola_fail_in(status, "%s: sample %.*s (row %u)", tasks->path,
                                (int)(id.n_bytes > 200 ? 200 : id.n_bytes), id.bytes, (unsigned)i);
    }
    return COLA_OK;
}

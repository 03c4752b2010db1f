/* tasks_state.h - an open tasks.h5 in memory, shared by what loads and checks it (tasks_hdf5.c,
 * tasks_generate_hdf5.c), hands it out (tasks_access.c) and judges by it (judge_generated.c). */
#ifndef COLA_TASK_TASKS_STATE_H
#define COLA_TASK_TASKS_STATE_H

#include "cola/grade.h"
#include "cola/task.h"

enum column {
    ID_VALUES,
    ID_OFFSETS,
    PROMPT_VALUES,
    PROMPT_OFFSETS,
    GOLD,
    CANDIDATE_OFFSETS,
    TOKEN_VALUES,
    TOKEN_OFFSETS,
    N_BYTES,
    LABEL_VALUES,
    LABEL_OFFSETS,
    QUESTION_VALUES,
    QUESTION_OFFSETS,
    CHOICE_VALUES,
    CHOICE_OFFSETS,
    VOCABULARY_VALUES, /* from here on only where there is the group vocabulary */
    VOCABULARY_OFFSETS,
    N_COLUMNS
};

struct cola_tasks {
    struct cola_tasks_info info;
    char *path;
    void *data[N_COLUMNS];
    uint64_t n[N_COLUMNS];
    uint64_t n_candidates;
    struct cola_sample *sample;    /* [info.n_samples] */
    struct cola_tokens *candidate; /* [n_candidates] */
    int32_t *stop_token;           /* [info.n_stop_tokens] */
    struct cola_vocabulary vocabulary;
};

static inline const uint64_t *cola_tasks_offsets(const struct cola_tasks *tasks, enum column column)
{
    return tasks->data[column];
}

/* tasks_generate_hdf5.c */
struct cola_h5;
enum cola_status cola_tasks_load_generate(struct cola_tasks *tasks, const struct cola_h5 *file);
/* Every sample has the candidates that its grader needs, and a gold answer that the grader can read. After
 * the samples are built. */
enum cola_status cola_tasks_check_golds(const struct cola_tasks *tasks);

/* judge_generated.c: how an answer to sample `row` is graded by a search for `target` (judge.h). */
struct cola_grading cola_tasks_grading(const struct cola_tasks *tasks, uint32_t row, int32_t target);

#endif

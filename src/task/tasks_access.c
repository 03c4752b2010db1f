/* tasks_access.c - hands out what an open tasks.h5 holds. Everything was checked when it was opened; rows are
 * the caller's to keep in range. */
#include <stdlib.h>

#include "task/tasks_state.h"

void cola_tasks_close(struct cola_tasks *tasks)
{
    if (!tasks) return;
    for (int i = 0; i < N_COLUMNS; i++) free(tasks->data[i]);
    free(tasks->path);
    free(tasks->sample);
    free(tasks->candidate);
    free(tasks->stop_token);
    free(tasks);
}

const struct cola_tasks_info *cola_tasks_info(const struct cola_tasks *tasks)
{
    return &tasks->info;
}

const struct cola_sample *cola_tasks_sample(const struct cola_tasks *tasks, uint32_t index)
{
    return &tasks->sample[index];
}

static struct cola_text text_of(const struct cola_tasks *tasks, enum column values, enum column offsets,
                                uint64_t row)
{
    const uint64_t *offset = cola_tasks_offsets(tasks, offsets);
    return (struct cola_text){(const char *)tasks->data[values] + offset[row], offset[row + 1] - offset[row]};
}

static uint64_t candidate_row(const struct cola_tasks *tasks, uint32_t index, uint32_t candidate)
{
    return cola_tasks_offsets(tasks, CANDIDATE_OFFSETS)[index] + candidate;
}

struct cola_text cola_tasks_id(const struct cola_tasks *tasks, uint32_t index)
{
    return text_of(tasks, ID_VALUES, ID_OFFSETS, index);
}

struct cola_text cola_tasks_question(const struct cola_tasks *tasks, uint32_t index)
{
    return text_of(tasks, QUESTION_VALUES, QUESTION_OFFSETS, index);
}

struct cola_text cola_tasks_choice(const struct cola_tasks *tasks, uint32_t index, uint32_t candidate)
{
    return text_of(tasks, CHOICE_VALUES, CHOICE_OFFSETS, candidate_row(tasks, index, candidate));
}

struct cola_text cola_tasks_label(const struct cola_tasks *tasks, uint32_t index, uint32_t candidate)
{
    return text_of(tasks, LABEL_VALUES, LABEL_OFFSETS, candidate_row(tasks, index, candidate));
}

struct cola_text cola_tasks_token_bytes(const struct cola_tasks *tasks, int32_t token)
{
    if (!tasks->data[VOCABULARY_OFFSETS] || token < 0 || (uint64_t)token + 1 >= tasks->n[VOCABULARY_OFFSETS])
        return (struct cola_text){"", 0};
    return text_of(tasks, VOCABULARY_VALUES, VOCABULARY_OFFSETS, (uint64_t)token);
}

const struct cola_vocabulary *cola_tasks_vocabulary(const struct cola_tasks *tasks)
{
    return &tasks->vocabulary;
}

/* control_generated.h - the wrong answer that a control looks for where there are no choices. */
#ifndef COLA_TASK_CONTROL_GENERATED_H
#define COLA_TASK_CONTROL_GENERATED_H

#include "cola/task.h"

/* A row of the tasks whose gold answer is another than this sample's, see judge.h; -1: all are equal. */
enum cola_status cola_control_row(const struct cola_tasks *tasks, uint32_t row, uint64_t seed, int32_t *out);

#endif

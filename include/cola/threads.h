/* threads.h - a pool of threads for data-parallel loops.
 *
 *     static void panel(void *context, uint32_t task, uint32_t thread) { ... }
 *     cola_threads_run(pool, n_panels, panel, &context);            returns when all tasks are done
 *
 * Tasks are handed out one by one; which thread does which is not fixed, so a task's bits must not depend on
 * it. Waiting threads spin a few microseconds, then sleep. One caller at a time. */
#ifndef COLA_THREADS_H
#define COLA_THREADS_H

#include <stdint.h>

#include "cola/status.h"

struct cola_threads;

typedef void cola_task_fn(void *context, uint32_t task, uint32_t thread); /* thread: 0 .. n_threads-1 */

/* n_threads in all, the caller's included; 0: every core this process may run on (sched_getaffinity). */
enum cola_status cola_threads_create(uint32_t n_threads, struct cola_threads **out);
void cola_threads_destroy(struct cola_threads *pool); /* NULL allowed */
uint32_t cola_threads_count(const struct cola_threads *pool);
void cola_threads_run(struct cola_threads *pool, uint32_t n_tasks, cola_task_fn *task, void *context);

/* Cores this process may run on. */
uint32_t cola_threads_cores(void);

#endif

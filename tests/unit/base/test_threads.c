/* test_threads.c - every task exactly once, on a valid thread, over many generations and pool sizes; results
 * visible to the caller; pools that never ran can be destroyed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "cola/threads.h"

enum { MOST = 300 };

struct work {
    uint32_t n_threads, n_tasks;
    uint32_t plain[MOST]; /* not atomic: each belongs to one task */
    atomic_uint n_done, n_wrong;
    atomic_uint by_thread[8];
};

static void do_task(void *context, uint32_t task, uint32_t thread)
{
    struct work *work = context;
    if (task >= work->n_tasks || thread >= work->n_threads) {
        atomic_fetch_add(&work->n_wrong, 1);
        return;
    }
    work->plain[task]++;
    atomic_fetch_add(&work->n_done, 1);
    atomic_fetch_add(&work->by_thread[thread], 1);
}

static void every_task_runs_once_in_every_generation(void **state)
{
    (void)state;
    for (uint32_t n_threads = 1; n_threads <= 8; n_threads++) {
        struct cola_threads *pool;
        assert_int_equal(cola_threads_create(n_threads, &pool), COLA_OK);
        assert_int_equal(cola_threads_count(pool), n_threads);
        for (uint32_t generation = 0; generation < 300; generation++) {
            struct work work = {.n_threads = n_threads, .n_tasks = generation * 7 % (MOST + 1)};
            cola_threads_run(pool, work.n_tasks, do_task, &work);
            assert_int_equal(work.n_wrong, 0);
            assert_int_equal(work.n_done, work.n_tasks);
            for (uint32_t i = 0; i < work.n_tasks; i++) assert_int_equal(work.plain[i], 1);
            if (generation % 100 == 99) usleep(2000); /* long enough for the workers to fall asleep */
        }
        cola_threads_destroy(pool);
    }
}

static void slow_task(void *context, uint32_t task, uint32_t thread)
{
    usleep(task == 0 ? 3000 : 1000);
    do_task(context, task, thread);
}

static void caller_sleeps_until_the_last_task_is_done(void **state)
{
    (void)state;
    struct cola_threads *pool;
    assert_int_equal(cola_threads_create(4, &pool), COLA_OK);
    uint32_t n_by_others = 0;
    for (int generation = 0; generation < 40; generation++) {
        struct work work = {.n_threads = 4, .n_tasks = 4};
        cola_threads_run(pool, 4, slow_task, &work);
        assert_int_equal(work.n_done, 4);
        n_by_others += 4 - work.by_thread[0];
    }
    /* The work is shared: tasks sleep, so even one core runs them side by side. Over all loops, since on a
     * loaded machine a thread may miss one of them. */
    assert_true(n_by_others >= 4);
    cola_threads_destroy(pool);
}

static void pools_live_and_die_without_work(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct cola_threads *pool;
        assert_int_equal(cola_threads_create((uint32_t)i % 8, &pool), COLA_OK);
        if (i % 8 == 0) assert_int_equal(cola_threads_count(pool), cola_threads_cores());
        cola_threads_destroy(pool);
    }
    cola_threads_destroy(NULL);
    assert_true(cola_threads_cores() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once_in_every_generation),
        cmocka_unit_test(caller_sleeps_until_the_last_task_is_done),
        cmocka_unit_test(pools_live_and_die_without_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

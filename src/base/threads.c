/* threads.c - the pool of threads.h: loops are numbered; whoever is awake joins the present one and draws
 * tasks.
 *
 * The caller works too and waits only for threads that joined: one that the system does not schedule (another
 * process has its core) misses the loop and holds nobody up. A thread that finds no new loop spins for a
 * while, then sleeps on a condition variable; so an engine with back-to-back loops rarely sleeps in between
 * (waking takes tens of microseconds on a virtual machine), and a waiting rank does not take a core from
 * another. How long it spins follows what spinning was good for: twice as long after it found a loop, half as
 * long after it did not. */
#include "cola/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cola/memory.h"

enum { LEAST_SPINS = 2000, MOST_SPINS = 20000 }; /* pause instructions: about 20 and 200 us */

struct cola_threads {
    uint32_t n_threads;
    pthread_t *thread; /* [n_threads - 1] */
    uint32_t n_started;
    pthread_mutex_t mutex; /* guards open, n_asleep, and joining */
    pthread_cond_t begin, end;
    bool open;                  /* the present loop may be joined */
    uint32_t n_asleep;          /* threads waiting on `begin` */
    atomic_uint loop, n_joined; /* number of the present loop; pool threads inside it */
    atomic_uint next_task, next_name;
    atomic_bool stop;
    uint32_t n_tasks;
    cola_task_fn *task;
    void *context;
};

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void draw_tasks(struct cola_threads *pool, uint32_t thread)
{
    for (;;) {
        uint32_t task = atomic_fetch_add(&pool->next_task, 1);
        if (task >= pool->n_tasks) return;
        pool->task(pool->context, task, thread);
    }
}

/* Spins until there is a loop other than `seen`, as long as it may; then that is longer or shorter. */
static void spin(const struct cola_threads *pool, unsigned seen, int *n_spins)
{
    for (int i = 0; i < *n_spins; i++) {
        if (atomic_load(&pool->loop) != seen) {
            *n_spins = 2 * *n_spins < MOST_SPINS ? 2 * *n_spins : MOST_SPINS;
            return;
        }
        pause_briefly();
    }
    *n_spins = *n_spins / 2 > LEAST_SPINS ? *n_spins / 2 : LEAST_SPINS;
}

/* Waits for a loop other than `seen` and joins it if it is still open. Returns its number. */
static unsigned wait_and_join(struct cola_threads *pool, unsigned seen, int *n_spins, bool *joined)
{
    spin(pool, seen, n_spins);
    pthread_mutex_lock(&pool->mutex);
    pool->n_asleep++;
    while (atomic_load(&pool->loop) == seen) pthread_cond_wait(&pool->begin, &pool->mutex);
    pool->n_asleep--;
    *joined = pool->open;
    if (pool->open) atomic_fetch_add(&pool->n_joined, 1);
    unsigned loop = atomic_load(&pool->loop);
    pthread_mutex_unlock(&pool->mutex);
    return loop;
}

static void *thread_main(void *argument)
{
    struct cola_threads *pool = argument;
    uint32_t thread = atomic_fetch_add(&pool->next_name, 1);
    int n_spins = MOST_SPINS;
    for (unsigned seen = 0;;) {
        bool joined;
        seen = wait_and_join(pool, seen, &n_spins, &joined);
        if (atomic_load(&pool->stop)) return NULL;
        if (!joined) continue;
        draw_tasks(pool, thread);
        if (atomic_fetch_sub(&pool->n_joined, 1) == 1) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->end);
            pthread_mutex_unlock(&pool->mutex);
        }
    }
}

static void begin_loop(struct cola_threads *pool, bool open)
{
    pthread_mutex_lock(&pool->mutex);
    pool->open = open;
    atomic_fetch_add(&pool->loop, 1);
    if (pool->n_asleep) pthread_cond_broadcast(&pool->begin);
    pthread_mutex_unlock(&pool->mutex);
}

/* Nobody joins any more; waits for those inside. */
static void end_loop(struct cola_threads *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->open = false;
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < LEAST_SPINS && atomic_load(&pool->n_joined); i++) pause_briefly();
    if (atomic_load(&pool->n_joined) == 0) return;
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(&pool->n_joined)) pthread_cond_wait(&pool->end, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

void cola_threads_run(struct cola_threads *pool, uint32_t n_tasks, cola_task_fn *task, void *context)
{
    if (pool->n_threads == 1 || n_tasks <= 1) {
        for (uint32_t i = 0; i < n_tasks; i++) task(context, i, 0);
        return;
    }
    pool->n_tasks = n_tasks;
    pool->task = task;
    pool->context = context;
    atomic_store(&pool->next_task, 0);
    begin_loop(pool, true);
    draw_tasks(pool, 0);
    end_loop(pool);
}

uint32_t cola_threads_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) < 1) return 1;
    return (uint32_t)CPU_COUNT(&set);
}

uint32_t cola_threads_count(const struct cola_threads *pool)
{
    return pool->n_threads;
}

enum cola_status cola_threads_create(uint32_t n_threads, struct cola_threads **out)
{
    struct cola_threads *pool;
    COLA_TRY(cola_alloc((void **)&pool, 1, sizeof *pool, "threads"));
    pool->n_threads = n_threads ? n_threads : cola_threads_cores();
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->begin, NULL);
    pthread_cond_init(&pool->end, NULL);
    atomic_store(&pool->next_name, 1); /* 0 is the caller */
    enum cola_status status =
        cola_alloc((void **)&pool->thread, pool->n_threads, sizeof *pool->thread, "threads");
    while (status == COLA_OK && pool->n_started + 1 < pool->n_threads) {
        int error = pthread_create(&pool->thread[pool->n_started], NULL, thread_main, pool);
        if (error)
            status = cola_fail(COLA_ERR_MEMORY, "threads: cannot start thread %u (error %d)", pool->n_started,
                               error);
        else
            pool->n_started++;
    }
    if (status != COLA_OK) {
        cola_threads_destroy(pool);
        return status;
    }
    *out = pool;
    return COLA_OK;
}

void cola_threads_destroy(struct cola_threads *pool)
{
    if (!pool) return;
    atomic_store(&pool->stop, true);
    begin_loop(pool, false);
    for (uint32_t i = 0; i < pool->n_started; i++) pthread_join(pool->thread[i], NULL);
    pthread_cond_destroy(&pool->begin);
    pthread_cond_destroy(&pool->end);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->thread);
    free(pool);
}

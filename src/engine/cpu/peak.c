/* peak.c - what products are compared with: arithmetic on registers alone, and reading the weights alone, on
 * all threads. No result comes from here. */
#include <stdlib.h>

#include "cola/clock.h"
#include "cola/memory.h"
#include "engine/cpu/device.h"

struct measuring {
    double (*spin)(uint64_t n_rounds);
    const uint64_t *words; /* [n_words] that each thread reads a part of */
    size_t n_words;
    uint32_t n_threads;
    double until_s, *done; /* [n_threads] FLOPs, or bytes */
};

static void spin_until(void *context, uint32_t task, uint32_t thread)
{
    enum { ROUNDS = 100000 };
    struct measuring *m = context;
    (void)thread;
    while (cola_clock_s() < m->until_s) m->done[task] += m->spin(ROUNDS);
}

/* Runs one task a thread; what they did a second. */
static double measure(struct cola_device *device, struct measuring *m, double seconds, cola_task_fn *task)
{
    double start = cola_clock_s(), total = 0;
    m->until_s = start + seconds;
    m->n_threads = device->n_threads;
    if (cola_alloc((void **)&m->done, m->n_threads, sizeof *m->done, "peak") != COLA_OK) return 0;
    cola_threads_run(device->threads, m->n_threads, task, m);
    double took = cola_clock_s() - start;
    for (uint32_t t = 0; t < m->n_threads; t++) total += m->done[t];
    free(m->done);
    return total / took;
}

double cola_cpu_measure_peak(struct cola_device *device, double seconds)
{
    struct measuring m = {.spin = device->kernels->spin};
    if (device->bf16 && device->kernels->spin_bf16) m.spin = device->kernels->spin_bf16;
    return measure(device, &m, seconds, spin_until);
}

/* A thread's own part, again and again, in pieces of a megabyte; the empty asm keeps the sum alive. */
static void read_until(void *context, uint32_t task, uint32_t thread)
{
    enum { PIECE = 1 << 17 };
    struct measuring *m = context;
    size_t first = m->n_words / m->n_threads * task, n = m->n_words / m->n_threads, at = 0;
    (void)thread;
    while (n > 0 && cola_clock_s() < m->until_s) {
        size_t end = at + PIECE < n ? at + PIECE : n;
        uint64_t sum = 0;
        for (size_t i = at; i < end; i++) sum += m->words[first + i];
        __asm__ volatile("" : : "r"(sum));
        m->done[task] += (double)(end - at) * sizeof *m->words;
        at = end < n ? end : 0;
    }
}

double cola_cpu_measure_bandwidth(struct cola_device *device, const void *bytes, size_t n, double seconds)
{
    struct measuring m = {.words = bytes, .n_words = n / sizeof *m.words};
    return measure(device, &m, seconds, read_until);
}

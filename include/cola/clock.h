/* clock.h - seconds: for cost, progress and time limits, never for results. */
#ifndef COLA_CLOCK_H
#define COLA_CLOCK_H

#include <time.h>

/* On the monotonic clock. */
static inline double cola_clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Seconds of processor time that the calling thread has had. */
static inline double cola_clock_thread_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif

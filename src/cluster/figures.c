/* figures.c - what this search cost so far, for timing/sessions/ and timing/workers/ of run.h5: the master's
 * own time, and of each worker what its results told. Before each fold; decides nothing. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/master.h"
#include "cola/clock.h"
#include "cola/memory.h"
#include "cola/timing.h"

static struct cola_text text_of(const char *text)
{
    return (struct cola_text){text, strlen(text)};
}

static double seconds_since_1970(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static struct cola_timing_worker figures_of(const struct cola_master *m, uint32_t rank)
{
    const struct worker_state *w = &m->worker[rank];
    return (struct cola_timing_worker){.rank = rank,
                                       .host = text_of(w->hello.host),
                                       .device = text_of(w->hello.device),
                                       .busy_s = w->busy_s,
                                       .n_evaluations = w->n_results,
                                       .layers_asked = w->layers_asked,
                                       .layers_executed = w->layers_executed,
                                       .row_layers_asked = w->row_layers_asked,
                                       .row_layers_executed = w->row_layers,
                                       .memory_bytes = w->memory_bytes,
                                       .state_bytes = w->state_bytes};
}

enum cola_status cola_figures_record(struct cola_master *m)
{
    struct cola_timing_worker *worker = NULL;
    double search_s = cola_clock_s() - m->began_s;
    const struct cola_timing_session session = {.began = seconds_since_1970() - search_s,
                                                .search_s = search_s,
                                                .master_cpu_s = cola_clock_thread_s() - m->began_cpu_s,
                                                .tree_cpu_s = m->tree_cpu_s,
                                                .n_evaluations = m->counts.n_new};
    COLA_TRY(cola_alloc((void **)&worker, m->n_workers, sizeof *worker, "workers' figures"));
    for (uint32_t i = 0; i < m->n_workers; i++) worker[i] = figures_of(m, i + 1);
    enum cola_status status = cola_record_timing(m->record, &session, worker, m->n_workers);
    free(worker);
    return status;
}

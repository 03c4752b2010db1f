/* plan.c - which layer goes next: the one most rows wait for, so that its weights are read once for all of
 * them; the head counts as one more layer, its rows at a fraction: its weights are several layers', so it
 * waits for more rows. But a job that has waited for MAX_WAIT_LAYERS x L steps goes first, so none starves
 * while others keep coming. The choice changes speed only: a row's bits do not depend on its batch. (Other
 * choices, simulated on the chains of `cola` with 40 samples in flight: docs/PERFORMANCE.md.) */
#include <string.h>

#include "engine/state.h"

enum { MAX_WAIT_LAYERS = 4, HEAD_FRACTION = 2 };

static uint32_t layer_of(const struct cola_engine *e, const struct job *job)
{
    return job->at < job->n_layers ? job->chain[job->at] : e->config->n_layers;
}

static uint32_t choose(struct cola_engine *e)
{
    uint32_t n_layers = e->config->n_layers, best = 0;
    const struct job *oldest = NULL;
    memset(e->layer_rows, 0, (n_layers + 1) * sizeof *e->layer_rows);
    for (uint32_t i = 0; i < e->max_requests; i++) {
        const struct job *job = &e->job[i];
        if (!job->begun) continue;
        e->layer_rows[layer_of(e, job)] += job->n_rows;
        if (!oldest || job->waiting_since < oldest->waiting_since) oldest = job;
    }
    if (e->step - oldest->waiting_since > (uint64_t)MAX_WAIT_LAYERS * n_layers) return layer_of(e, oldest);
    if (e->layer_rows[n_layers] > 1) e->layer_rows[n_layers] /= HEAD_FRACTION;
    for (uint32_t l = 1; l <= n_layers; l++)
        if (e->layer_rows[l] > e->layer_rows[best]) best = l;
    return best;
}

/* Takes waiting jobs, the longest waiting first, while the batch stays within max_rows; at least one. */
uint32_t cola_plan_next(struct cola_engine *e, uint32_t *layer)
{
    if (e->n_begun == 0) return 0;
    *layer = choose(e);
    uint32_t n = 0, n_rows = 0;
    for (uint32_t i = 0; i < e->max_requests; i++) {
        const struct job *job = &e->job[i];
        if (!job->begun || layer_of(e, job) != *layer) continue;
        uint32_t at = n++;
        while (at > 0 && e->job[e->batch[at - 1]].waiting_since > job->waiting_since)
            e->batch[at] = e->batch[at - 1], at--;
        e->batch[at] = i;
    }
    for (uint32_t i = 0; i < n; i++) {
        n_rows += e->job[e->batch[i]].n_rows;
        if (i > 0 && n_rows > e->max_rows) return i;
    }
    return n;
}

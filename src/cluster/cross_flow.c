/* cross_flow.c - see cross_flow.h. The samples in work are few (a window), so they are looked through from
 * the oldest on. */
#include "cluster/cross_flow.h"

#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

enum { NO_SAMPLE = UINT32_MAX };

enum cola_status cola_flow_init(struct cola_flow *flow)
{
    COLA_TRY(cola_alloc((void **)&flow->active, flow->window, sizeof *flow->active, "samples"));
    COLA_TRY(cola_alloc((void **)&flow->helps, (size_t)flow->n_workers + 1, sizeof *flow->helps, "workers"));
    for (uint32_t i = 0; i <= flow->n_workers; i++) flow->helps[i] = NO_SAMPLE;
    return COLA_OK;
}

void cola_flow_fini(struct cola_flow *flow)
{
    free(flow->active);
    free(flow->helps);
}

static void move_first_open(struct cola_flow *flow)
{
    while (flow->first_open < flow->n_samples && flow->n_left(flow->user, flow->first_open) == 0)
        flow->first_open++;
}

bool cola_flow_done(struct cola_flow *flow)
{
    move_first_open(flow);
    return flow->first_open == flow->n_samples;
}

/* The next sample for this worker; NULL: none, or the window is full. */
static struct cola_flow_sample *begin(struct cola_flow *flow, uint32_t worker)
{
    move_first_open(flow);
    while (flow->next_begin < flow->n_samples && flow->n_left(flow->user, flow->next_begin) == 0)
        flow->next_begin++;
    if (flow->next_begin == flow->n_samples || flow->next_begin - flow->first_open >= flow->window)
        return NULL;
    struct cola_flow_sample *s = &flow->active[flow->n_active++];
    *s = (struct cola_flow_sample){
        .sample = flow->next_begin, .owner = worker, .n_unsent = flow->n_left(flow->user, flow->next_begin)};
    flow->next_begin++;
    return s;
}

/* The oldest of the worker's own with fewer than `most` chains out. */
static struct cola_flow_sample *of_its_own(struct cola_flow *flow, uint32_t worker, uint32_t most)
{
    for (uint32_t i = 0; i < flow->n_active; i++) {
        struct cola_flow_sample *s = &flow->active[i];
        if (s->owner == worker && s->n_unsent && s->n_out < most) return s;
    }
    return NULL;
}

/* Another's: the one that it helped with before, or the one with most left. */
static struct cola_flow_sample *of_another(struct cola_flow *flow, uint32_t worker)
{
    struct cola_flow_sample *best = NULL;
    for (uint32_t i = 0; i < flow->n_active; i++) {
        struct cola_flow_sample *s = &flow->active[i];
        if (s->n_unsent && s->sample == flow->helps[worker]) return s;
        if (s->n_unsent && (!best || s->n_unsent > best->n_unsent)) best = s;
    }
    if (best) flow->helps[worker] = best->sample;
    return best;
}

bool cola_flow_next(struct cola_flow *flow, uint32_t worker, uint32_t *sample, uint32_t *chain)
{
    struct cola_flow_sample *s = of_its_own(flow, worker, COLA_FLOW_AT_ONCE);
    if (!s) s = begin(flow, worker);
    if (!s) s = of_its_own(flow, worker, UINT32_MAX);
    if (!s) s = of_another(flow, worker);
    if (!s) return false;
    while (flow->known(flow->user, s->sample, s->next_chain)) s->next_chain++;
    *sample = s->sample;
    *chain = s->next_chain++;
    s->n_unsent--;
    s->n_out++;
    return true;
}

void cola_flow_answered(struct cola_flow *flow, uint32_t sample)
{
    uint32_t i = 0;
    while (i < flow->n_active && flow->active[i].sample != sample) i++;
    if (i == flow->n_active) return; /* a suspect's, sent before the flow began */
    struct cola_flow_sample *s = &flow->active[i];
    s->n_out--;
    if (s->n_out || s->n_unsent) return;
    memmove(s, s + 1, (--flow->n_active - i) * sizeof *s);
}

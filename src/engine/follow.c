/* follow.c - whether a request that has not begun is better off waiting: an older one of its sample is on its
 * way through layers that both chains begin with, and will leave its states there. Guesses ahead ask for
 * several chains of a sample at once; begun together they would all compute what they share.
 *
 * Called by admit.c. Waiting ends when the older job has passed the shared layers or is gone, so it ends; it
 * changes when a request begins, never its result. Only older requests are waited for: no two wait for each
 * other. */
#include "engine/state.h"

/* Layers that both chains begin with, as far as the older job leaves states there: not after its last one. */
static uint32_t shared_layers(const struct job *older, const struct job *job)
{
    uint32_t n = 0, most = older->n_layers - 1 < job->n_layers ? older->n_layers - 1 : job->n_layers;
    while (n < most && older->chain[n] == job->chain[n]) n++;
    return n;
}

/* The older job that will leave the deepest state, if it is deeper than what is stored. */
static void choose_leader(const struct cola_engine *e, struct job *job)
{
    uint32_t stride, deepest = cola_prefix_depth(e, job, &stride);
    job->leader = (struct leader){0};
    for (uint32_t i = 0; i < e->max_requests; i++) {
        const struct job *older = &e->job[i];
        if (!older->begun || older->number >= job->number || older->n_tokens > 0 ||
            older->sample->index != job->sample->index)
            continue;
        uint32_t depth = shared_layers(older, job) / stride * stride;
        if (depth <= deepest || older->at >= depth) continue;
        deepest = depth;
        job->leader = (struct leader){.slot = i, .number = older->number, .depth = depth};
    }
}

bool cola_follow_waits(const struct cola_engine *e, struct job *job)
{
    if (!e->prefixes.limit_bytes) return false;
    const struct job *older = &e->job[job->leader.slot];
    bool ahead = job->leader.depth && older->begun && older->number == job->leader.number &&
                 older->n_tokens == 0 && older->at < job->leader.depth;
    if (!ahead) choose_leader(e, job);
    return job->leader.depth > 0;
}

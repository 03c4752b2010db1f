/* loads.c - the workers in a binary heap by load, so that finding the least loaded one of thousands takes no
 * scan of them a request. Decides no outcome, only who evaluates. */
#include "cluster/master.h"

bool cola_loads_has_credit(const struct worker_state *w)
{
    return w->n_out < w->hello.credit && !w->alone;
}

/* Whether rank a comes before rank b. Shares are compared without division. */
static bool before(const struct cola_master *m, uint32_t a, uint32_t b)
{
    const struct worker_state *x = &m->worker[a], *y = &m->worker[b];
    bool x_takes = cola_loads_has_credit(x), y_takes = cola_loads_has_credit(y);
    if (x_takes != y_takes) return x_takes;
    uint64_t x_load = (uint64_t)x->n_out * y->hello.credit, y_load = (uint64_t)y->n_out * x->hello.credit;
    return x_load != y_load ? x_load < y_load : a < b;
}

static void put(struct cola_master *m, uint32_t place, uint32_t rank)
{
    m->load[place] = rank;
    m->worker[rank].place = place;
}

void cola_loads_changed(struct cola_master *m, uint32_t rank)
{
    uint32_t i = m->worker[rank].place;
    for (; i && before(m, rank, m->load[(i - 1) / 2]); i = (i - 1) / 2) put(m, i, m->load[(i - 1) / 2]);
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= m->n_workers) break;
        if (child + 1 < m->n_workers && before(m, m->load[child + 1], m->load[child])) child++;
        if (!before(m, m->load[child], rank)) break;
        put(m, i, m->load[child]);
        i = child;
    }
    put(m, i, rank);
}

void cola_loads_init(struct cola_master *m)
{
    for (uint32_t i = 0; i < m->n_workers; i++) put(m, i, i + 1);
    for (uint32_t i = m->n_workers; i-- > 0;) cola_loads_changed(m, m->load[i]);
}

uint32_t cola_loads_least(const struct cola_master *m)
{
    return m->n_workers && cola_loads_has_credit(&m->worker[m->load[0]]) ? m->load[0] : 0;
}

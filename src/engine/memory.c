/* memory.c - the account of memory.h. */
#include "engine/memory.h"

#include <string.h>

#include "engine/state.h"

/* Smaller blocks are the allocator's business. */
enum { LEAST_KEPT_FLOATS = 16 << 10 };

static float *take_kept(struct cola_memory *m, uint32_t place)
{
    float *memory = m->kept[place].memory;
    m->kept_bytes -= m->kept[place].n * sizeof(float);
    m->n_kept--;
    memmove(&m->kept[place], &m->kept[place + 1], (m->n_kept - place) * sizeof *m->kept);
    return memory;
}

static float *find_kept(struct cola_memory *m, size_t n)
{
    for (uint32_t i = m->n_kept; i > 0; i--)
        if (m->kept[i - 1].n == n) return take_kept(m, i - 1);
    return NULL;
}

enum cola_status cola_memory_allocate(struct cola_engine *e, size_t n, const char *what, float **out)
{
    struct cola_memory *m = &e->memory;
    uint64_t n_bytes = n * sizeof(float);
    float *memory = find_kept(m, n);
    while (!memory && m->n_kept && m->held_bytes + m->kept_bytes + n_bytes > m->limit_bytes)
        e->backend->release(e->device, take_kept(m, 0));
    if (!memory) COLA_TRY(e->backend->allocate(e->device, n, what, &memory));
    m->held_bytes += n_bytes;
    if (m->held_bytes + m->kept_bytes > m->most_bytes) m->most_bytes = m->held_bytes + m->kept_bytes;
    *out = memory;
    return COLA_OK;
}

void cola_memory_release(struct cola_engine *e, float *memory, size_t n)
{
    struct cola_memory *m = &e->memory;
    if (!memory) return;
    m->held_bytes -= n * sizeof(float);
    if (n < LEAST_KEPT_FLOATS) {
        e->backend->release(e->device, memory);
        return;
    }
    if (m->n_kept == COLA_MEMORY_KEPT) e->backend->release(e->device, take_kept(m, 0));
    m->kept[m->n_kept++] = (struct cola_kept_block){memory, n};
    m->kept_bytes += n * sizeof(float);
}

void cola_memory_give_back(struct cola_engine *e)
{
    while (e->memory.n_kept) e->backend->release(e->device, take_kept(&e->memory, 0));
}

bool cola_memory_make_room(struct cola_engine *e, uint64_t n_bytes)
{
    struct cola_memory *m = &e->memory;
    while (m->held_bytes + m->promised_bytes > m->limit_bytes ||
           n_bytes > m->limit_bytes - m->held_bytes - m->promised_bytes)
        if (!cola_prefix_drop_one(e)) return false;
    return true;
}

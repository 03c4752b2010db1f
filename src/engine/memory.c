/* memory.c - the account of memory.h. */
#include "engine/memory.h"

#include "engine/state.h"

enum cola_status cola_memory_allocate(struct cola_engine *e, size_t n, const char *what, float **out)
{
    struct cola_memory *m = &e->memory;
    COLA_TRY(e->backend->allocate(e->device, n, what, out));
    m->held_bytes += n * sizeof(float);
    if (m->held_bytes > m->most_bytes) m->most_bytes = m->held_bytes;
    return COLA_OK;
}

void cola_memory_release(struct cola_engine *e, float *memory, size_t n)
{
    if (!memory) return;
    e->backend->release(e->device, memory);
    e->memory.held_bytes -= n * sizeof(float);
}

bool cola_memory_make_room(struct cola_engine *e, uint64_t n_bytes)
{
    struct cola_memory *m = &e->memory;
    while (m->held_bytes + m->promised_bytes > m->limit_bytes ||
           n_bytes > m->limit_bytes - m->held_bytes - m->promised_bytes)
        if (!cola_prefix_drop_one(e)) return false;
    return true;
}

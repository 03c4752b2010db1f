/* memory.c - the account of memory.h. */
#include "engine/memory.h"

#include <stdlib.h>

#include "cola/memory.h"
#include "engine/state.h"

/* Smaller blocks are the allocator's business. */
enum { LEAST_KEPT_FLOATS = 16 << 10 };

size_t cola_memory_class(size_t n_floats)
{
    size_t step = 1;
    while (step * 32 <= n_floats) step *= 2; /* 16 .. 31 steps in n_floats */
    return (n_floats + step - 1) / step * step;
}

static struct cola_kept_class *find_class(struct cola_memory *m, size_t n)
{
    for (size_t i = 0; i < m->n_kept; i++)
        if (m->kept[i].n == n) return &m->kept[i];
    return NULL;
}

/* The last block of a class that has one. */
static float *take_kept(struct cola_memory *m, struct cola_kept_class *class)
{
    m->kept_bytes -= class->n * sizeof(float);
    return class->block[--class->n_blocks];
}

/* False: there is no memory for the list. */
static bool keep(struct cola_memory *m, float *memory, size_t n)
{
    struct cola_kept_class *class = find_class(m, n);
    if (!class) {
        if (cola_grow((void **)&m->kept, &m->kept_room, m->n_kept + 1, sizeof *m->kept, "kept blocks"))
            return false;
        class = &m->kept[m->n_kept++];
        class->n = n;
    }
    if (cola_grow((void **)&class->block, &class->room, class->n_blocks + 1, sizeof *class->block,
                  "kept blocks"))
        return false;
    class->block[class->n_blocks++] = memory;
    m->kept_bytes += n * sizeof(float);
    return true;
}

/* Gives kept blocks back, those first whose size has most of them, until n_bytes more are within the limit.
 */
static void give_back_for(struct cola_engine *e, uint64_t n_bytes)
{
    struct cola_memory *m = &e->memory;
    while (m->kept_bytes && m->held_bytes + m->kept_bytes + n_bytes > m->limit_bytes) {
        struct cola_kept_class *most = m->kept;
        for (size_t i = 1; i < m->n_kept; i++)
            if (m->kept[i].n * m->kept[i].n_blocks > most->n * most->n_blocks) most = &m->kept[i];
        e->backend->release(e->device, take_kept(m, most));
    }
}

/* Where a device has the bytes, but in pieces that are too small. False: nothing is left to free. */
static bool free_something(struct cola_engine *e)
{
    bool kept = e->memory.kept_bytes > 0;
    cola_memory_give_back(e);
    return kept || cola_prefix_drop_one(e);
}

enum cola_status cola_memory_allocate(struct cola_engine *e, size_t n, const char *what, float **out)
{
    struct cola_memory *m = &e->memory;
    uint64_t n_bytes = n * sizeof(float);
    struct cola_kept_class *class = find_class(m, n);
    float *memory = class && class->n_blocks ? take_kept(m, class) : NULL;
    enum cola_status status = COLA_OK;
    if (!memory) give_back_for(e, n_bytes);
    while (!memory && (status = e->backend->allocate(e->device, n, what, &memory)) != COLA_OK)
        if (status != COLA_ERR_MEMORY || !free_something(e)) return status;
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
    if (n < LEAST_KEPT_FLOATS || !keep(m, memory, n)) e->backend->release(e->device, memory);
}

void cola_memory_give_back(struct cola_engine *e)
{
    struct cola_memory *m = &e->memory;
    for (size_t i = 0; i < m->n_kept; i++) {
        while (m->kept[i].n_blocks) e->backend->release(e->device, take_kept(m, &m->kept[i]));
        free(m->kept[i].block);
    }
    free(m->kept);
    m->kept = NULL;
    m->n_kept = m->kept_room = 0;
}

bool cola_memory_make_room(struct cola_engine *e, uint64_t n_bytes)
{
    struct cola_memory *m = &e->memory;
    while (m->held_bytes + m->promised_bytes > m->limit_bytes ||
           n_bytes > m->limit_bytes - m->held_bytes - m->promised_bytes)
        if (!cola_prefix_drop_one(e)) return false;
    return true;
}

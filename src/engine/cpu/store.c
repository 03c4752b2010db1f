/* store.c - keys and values of a chain position as decoding reads them. A store is its keys in blocks of 16
 * positions, [ceil(room/16), G, d, 16], then its values, [G, room, d]: a head reads each in one stream. Rows
 * of a block are one task, so that threads write (and take pages for) different cache lines. */
#include <string.h>

#include "cola/memory.h"
#include "engine/cpu/device.h"
#include "engine/numerics.h"

size_t cola_cpu_store_floats(struct cola_device *device, uint32_t room, uint32_t n_kv_heads,
                             uint32_t head_size)
{
    (void)device;
    size_t width = (size_t)n_kv_heads * head_size;
    return (cola_ceil_div(room, COLA_LANES) * COLA_LANES + (size_t)room) * width;
}

struct storing {
    const struct cola_kept_keys *kept;
    const uint32_t *first_task; /* [n_kept + 1] of each */
    uint32_t n_kept, n_kv_heads, head_size;
};

/* Rows from .. to-1, all of one block of 16 positions: whole cache lines of keys one after the other. */
static void store_block(const struct cola_kept_keys *kept, uint32_t from, uint32_t to, uint32_t n_kv_heads,
                        size_t d)
{
    size_t width = n_kv_heads * d, position = kept->first + from;
    float *keys = kept->store + position / COLA_LANES * (COLA_LANES * width) + position % COLA_LANES;
    float *values = kept->store + (size_t)cola_ceil_div(kept->room, COLA_LANES) * COLA_LANES * width;
    const float *k = kept->k + from * width, *v = kept->v + from * width;
    for (size_t i = 0; i < width; i++)
        for (uint32_t r = 0; r < to - from; r++) keys[i * COLA_LANES + r] = k[r * width + i];
    for (uint32_t g = 0; g < n_kv_heads; g++)
        for (uint32_t r = 0; r < to - from; r++)
            memcpy(values + (g * (size_t)kept->room + position + r) * d, v + r * width + g * d,
                   d * sizeof *v);
}

static void store_task(void *context, uint32_t task, uint32_t thread)
{
    const struct storing *s = context;
    uint32_t low = 0, high = s->n_kept; /* first_task[low] <= task < first_task[high] */
    (void)thread;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (s->first_task[middle] <= task)
            low = middle;
        else
            high = middle;
    }
    const struct cola_kept_keys *kept = &s->kept[low];
    uint32_t block = kept->first / COLA_LANES + task - s->first_task[low];
    uint32_t from = block * COLA_LANES > kept->first ? block * COLA_LANES - kept->first : 0;
    uint32_t to = cola_least((block + 1) * COLA_LANES - kept->first, kept->n_rows);
    store_block(kept, from, to, s->n_kv_heads, s->head_size);
}

enum cola_status cola_cpu_store_keys(struct cola_device *device, const struct cola_kept_keys *kept,
                                     uint32_t n_kept, uint32_t n_kv_heads, uint32_t head_size)
{
    enum { ROWS_ALONE = 4 }; /* so few take less than waking a thread */
    uint32_t n_tasks = 0, n_rows = 0;
    COLA_TRY(cola_grow((void **)&device->store_task, &device->store_room, n_kept + 1,
                       sizeof *device->store_task, "stored keys"));
    for (uint32_t i = 0; i < n_kept; i++) {
        device->store_task[i] = n_tasks;
        n_tasks += (kept[i].first % COLA_LANES + kept[i].n_rows + COLA_LANES - 1) / COLA_LANES;
        n_rows += kept[i].n_rows;
    }
    device->store_task[n_kept] = n_tasks;
    struct storing s = {.kept = kept,
                        .first_task = device->store_task,
                        .n_kept = n_kept,
                        .n_kv_heads = n_kv_heads,
                        .head_size = head_size};
    if (n_rows <= ROWS_ALONE)
        for (uint32_t i = 0; i < n_tasks; i++) store_task(&s, i, 0);
    else
        cola_threads_run(device->threads, n_tasks, store_task, &s);
    return COLA_OK;
}

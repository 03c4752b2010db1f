/* attention.c - attention split among threads: a task is one sequence and one key/value head, so that its
 * keys are packed once for all its queries. The arithmetic is the kernels'. docs/numerics.md, "Attention". */
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "engine/cpu/device.h"
#include "engine/numerics.h"

struct attention {
    struct cola_device *device;
    const struct cola_attention *a;
};

/* One sequence (a prompt and the spans that have it as their prefix) and one key/value head. */
static void attend_task(void *context, uint32_t task, uint32_t thread)
{
    const struct attention *t = context;
    const uint32_t *group = t->device->group + task / t->a->n_kv_heads;
    t->device->kernels->attend(t->a, t->a->span + group[0], group[1] - group[0], task % t->a->n_kv_heads,
                               &t->device->scratch[thread]);
}

static enum cola_status cover_scratch(struct cola_device *device, uint32_t n_keys, uint32_t head_size)
{
    if (n_keys <= device->scratch_keys && head_size <= device->scratch_head_size) return COLA_OK;
    uint32_t keys = (n_keys + n_keys / 4 + COLA_LANES) / COLA_LANES * COLA_LANES;
    device->scratch_keys = 0;
    for (uint32_t t = 0; t < device->n_threads; t++) {
        struct cola_cpu_scratch *s = &device->scratch[t];
        free(s->packed_prefix);
        free(s->packed_tail);
        free(s->score);
        *s = (struct cola_cpu_scratch){.score_stride = keys + COLA_LANES};
        COLA_TRY(
            cola_alloc((void **)&s->packed_prefix, (size_t)keys * head_size, sizeof(float), "packed keys"));
        COLA_TRY(
            cola_alloc((void **)&s->packed_tail, (size_t)keys * head_size, sizeof(float), "packed keys"));
        COLA_TRY(cola_alloc((void **)&s->score, COLA_SCORE_ROWS * s->score_stride, sizeof(float),
                            "attention scores"));
    }
    device->scratch_keys = keys;
    device->scratch_head_size = head_size;
    return COLA_OK;
}

enum cola_status cola_cpu_attention(struct cola_device *device, const struct cola_attention *a)
{
    uint32_t n_groups = 0, longest = 0;
    COLA_TRY(cola_grow((void **)&device->group, &device->group_room, a->n_spans + 1, sizeof *device->group,
                       "sequences"));
    for (uint32_t i = 0; i < a->n_spans; i++) {
        const struct cola_span *span = &a->span[i];
        uint32_t n_keys = span->n_prefix + span->n_first + span->n_rows - 1;
        if (n_keys > longest) longest = n_keys;
        const struct cola_span *head = n_groups ? &a->span[device->group[n_groups - 1]] : NULL;
        bool joins =
            head && span->n_prefix && span->prefix.k == (head->n_prefix ? head->prefix.k : head->tail.k);
        if (!joins) device->group[n_groups++] = i;
    }
    device->group[n_groups] = a->n_spans;
    COLA_TRY(cover_scratch(device, longest, a->head_size));
    struct attention t = {.device = device, .a = a};
    cola_threads_run(device->threads, n_groups * a->n_kv_heads, attend_task, &t);
    return COLA_OK;
}

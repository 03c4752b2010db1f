/* rows.c - the operations that work row by row (embedding, copies, norm, rotation, gate, logits), split among
 * threads in runs of rows. The arithmetic is the kernels'. */
#include <string.h>

#include "engine/cpu/device.h"
#include "engine/route.h"

/* A task is 8 rows, some microseconds; fewer than 32 Ki floats are done by the caller alone, for less than
 * waking costs. */
enum { ROWS_PER_TASK = 8, FLOATS_ALONE = 1 << 15 };

struct rows { /* arguments of any row-wise operation; each uses its own */
    const struct cola_cpu_kernels *kernels;
    const struct cola_tensor *table;
    const int32_t *token;
    const uint32_t *index;
    const float *in, *weight;
    float *out;
    float eps;
    uint32_t n_rows, width, n_heads;
    bool scatter;
    struct cola_logits *logit;
};

static void embed_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct rows *r = context;
    (void)thread;
    for (uint32_t i = task * ROWS_PER_TASK; i < cola_least((task + 1) * ROWS_PER_TASK, r->n_rows); i++)
        cola_tensor_widen(r->table, (uint64_t)r->token[i] * r->width, r->width,
                          r->out + (size_t)i * r->width);
}

static void copy_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct rows *r = context;
    (void)thread;
    for (uint32_t i = task * ROWS_PER_TASK; i < cola_least((task + 1) * ROWS_PER_TASK, r->n_rows); i++) {
        size_t from = r->scatter ? i : r->index[i], to = r->scatter ? r->index[i] : i;
        memcpy(r->out + to * r->width, r->in + from * r->width, r->width * sizeof(float));
    }
}

static void norm_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct rows *r = context;
    (void)thread;
    for (uint32_t i = task * ROWS_PER_TASK; i < cola_least((task + 1) * ROWS_PER_TASK, r->n_rows); i++)
        r->kernels->norm(r->in + (size_t)i * r->width, r->weight, r->eps, r->width,
                         r->out + (size_t)i * r->width);
}

static void rotate_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct rows *r = context;
    (void)thread;
    for (uint32_t i = task * ROWS_PER_TASK; i < cola_least((task + 1) * ROWS_PER_TASK, r->n_rows); i++)
        r->kernels->rotate(r->out + (size_t)i * r->n_heads * r->width, r->in + (size_t)r->index[i] * r->width,
                           r->n_heads, r->width);
}

static void gate_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct rows *r = context;
    size_t first = (size_t)task * ROWS_PER_TASK * r->width;
    uint32_t n = cola_least(r->n_rows - task * ROWS_PER_TASK, ROWS_PER_TASK);
    (void)thread;
    r->kernels->gate(r->in + first, r->weight + first, (size_t)n * r->width, r->out + first);
}

static void reduce_rows(void *context, uint32_t row, uint32_t thread)
{
    const struct rows *r = context;
    (void)thread;
    r->kernels->reduce(r->in + (size_t)row * r->width, r->width, &r->logit[row]);
}

static void add_scaled_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct rows *r = context;
    (void)thread;
    for (uint32_t i = task * ROWS_PER_TASK; i < cola_least((task + 1) * ROWS_PER_TASK, r->n_rows); i++)
        r->kernels->add_scaled(r->in + (size_t)i * r->width, r->weight[i], r->width,
                               r->out + (size_t)r->index[i] * r->width);
}

static void add_bias_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct rows *r = context;
    (void)thread;
    for (uint32_t i = task * ROWS_PER_TASK; i < cola_least((task + 1) * ROWS_PER_TASK, r->n_rows); i++)
        r->kernels->add_scaled(r->in, 1.0f, r->width, r->out + (size_t)i * r->width);
}

static enum cola_status run_rows(struct cola_device *device, cola_task_fn *task, struct rows rows)
{
    uint32_t n_tasks = cola_ceil_div(rows.n_rows, ROWS_PER_TASK);
    rows.kernels = device->kernels;
    if ((uint64_t)rows.n_rows * rows.width < FLOATS_ALONE)
        for (uint32_t i = 0; i < n_tasks; i++) task(&rows, i, 0);
    else
        cola_threads_run(device->threads, n_tasks, task, &rows);
    return COLA_OK;
}

enum cola_status cola_cpu_embed(struct cola_device *device, const struct cola_tensor *table,
                                const int32_t *token, uint32_t n_rows, float *out)
{
    return run_rows(device, embed_rows,
                    (struct rows){.table = table,
                                  .token = token,
                                  .n_rows = n_rows,
                                  .out = out,
                                  .width = (uint32_t)table->shape[1]});
}

enum cola_status cola_cpu_gather(struct cola_device *device, const float *in, const uint32_t *row,
                                 uint32_t n_rows, uint32_t width, float *out)
{
    return run_rows(device, copy_rows,
                    (struct rows){.in = in, .index = row, .n_rows = n_rows, .width = width, .out = out});
}

enum cola_status cola_cpu_scatter(struct cola_device *device, const float *in, const uint32_t *row,
                                  uint32_t n_rows, uint32_t width, float *out)
{
    return run_rows(
        device, copy_rows,
        (struct rows){.in = in, .index = row, .n_rows = n_rows, .width = width, .out = out, .scatter = true});
}

enum cola_status cola_cpu_norm(struct cola_device *device, const float *x, const float *weight, float eps,
                               uint32_t n_rows, uint32_t width, float *out)
{
    return run_rows(
        device, norm_rows,
        (struct rows){.in = x, .weight = weight, .eps = eps, .n_rows = n_rows, .width = width, .out = out});
}

enum cola_status cola_cpu_rotate(struct cola_device *device, float *x, const float *table,
                                 const uint32_t *position, uint32_t n_rows, uint32_t n_heads,
                                 uint32_t head_size)
{
    return run_rows(device, rotate_rows,
                    (struct rows){.out = x,
                                  .in = table,
                                  .index = position,
                                  .n_rows = n_rows,
                                  .n_heads = n_heads,
                                  .width = head_size});
}

enum cola_status cola_cpu_gate(struct cola_device *device, const float *gate, const float *up,
                               uint32_t n_rows, uint32_t width, float *out)
{
    return run_rows(device, gate_rows,
                    (struct rows){.in = gate, .weight = up, .n_rows = n_rows, .width = width, .out = out});
}

enum cola_status cola_cpu_reduce_logits(struct cola_device *device, const float *logits, uint32_t n_rows,
                                        uint32_t n_vocab, struct cola_logits *logit,
                                        const struct cola_pick *pick, uint32_t n_picks, float *picked)
{
    struct rows rows = {
        .kernels = device->kernels, .in = logits, .width = n_vocab, .n_rows = n_rows, .logit = logit};
    cola_threads_run(device->threads, n_rows, reduce_rows, &rows);
    for (uint32_t i = 0; i < n_picks; i++)
        picked[i] = logits[(size_t)pick[i].row * n_vocab + (size_t)pick[i].token];
    return COLA_OK;
}

enum cola_status cola_cpu_clear(struct cola_device *device, size_t n, float *x)
{
    (void)device;
    memset(x, 0, n * sizeof *x);
    return COLA_OK;
}

/* fma(1, y, x) rounds once, as x + y does: the same bits. */
enum cola_status cola_cpu_add(struct cola_device *device, const float *y, size_t n, float *x)
{
    device->kernels->add_scaled(y, 1.0f, n, x);
    return COLA_OK;
}

enum cola_status cola_cpu_add_bias(struct cola_device *device, const float *bias, uint32_t n_rows,
                                   uint32_t width, float *x)
{
    return run_rows(device, add_bias_rows,
                    (struct rows){.in = bias, .n_rows = n_rows, .width = width, .out = x});
}

enum cola_status cola_cpu_add_scaled(struct cola_device *device, const float *in, const float *scale,
                                     const uint32_t *row, uint32_t n_rows, uint32_t width, float *out)
{
    return run_rows(
        device, add_scaled_rows,
        (struct rows){.in = in, .weight = scale, .index = row, .n_rows = n_rows, .width = width, .out = out});
}

enum cola_status cola_cpu_route(struct cola_device *device, const float *logits, uint32_t n_rows,
                                const struct cola_experts *experts, uint32_t *expert, float *weight)
{
    (void)device;
    for (uint32_t n = 0; n < n_rows; n++)
        cola_route(logits + (size_t)n * experts->n_experts, experts, expert + (size_t)n * experts->n_active,
                   weight + (size_t)n * experts->n_active);
    return COLA_OK;
}

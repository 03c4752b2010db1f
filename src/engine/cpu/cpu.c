/* cpu.c - the cpu back end: the operation table over a pool of threads and the vector kernels of the best
 * instruction set at hand (or the one asked for). Splitting work among threads changes no bit: a task owns
 * whole output elements, and every element's operations are fixed (docs/numerics.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/clock.h"
#include "cola/memory.h"
#include "cola/threads.h"
#include "engine/cpu/kernels.h"
#include "engine/numerics.h"

struct cola_device {
    const struct cola_cpu_kernels *kernels;
    struct cola_threads *threads;
    uint32_t n_threads;
    float *packed_rows; /* blocks [K, tile_rows] of a product's left side */
    size_t packed_room;
    struct cola_cpu_scratch *scratch; /* [n_threads] */
    uint32_t scratch_keys, scratch_head_size;
    uint32_t *group; /* first span of each sequence of an attention, and the end */
    size_t group_room;
};

struct cola_matrix {
    uint32_t n_out, n_in; /* M, K */
    float *panel;         /* [ceil(M/32), K, 32], zero padded */
};

enum { ROWS_PER_TASK = 8 }; /* of the row-wise operations: some microseconds each */

static uint32_t ceil_div(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}
static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* --- device
 * ------------------------------------------------------------------------------------------------- */

static enum cola_status choose_kernels(const char *isa, const struct cola_cpu_kernels **out)
{
    bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    if (strcmp(isa, "avx512") == 0 || (strcmp(isa, "auto") == 0 && has_avx512)) {
        if (!has_avx512) return cola_fail(COLA_ERR_UNSUPPORTED, "--isa avx512: this CPU has no AVX-512");
        *out = &cola_cpu_kernels_avx512;
    } else if (strcmp(isa, "avx2") == 0 || strcmp(isa, "auto") == 0) {
        if (!has_avx2)
            return cola_fail(COLA_ERR_UNSUPPORTED,
                             "back end cpu: this CPU has no AVX2 with FMA; use --backend ref");
        *out = &cola_cpu_kernels_avx2;
    } else {
        return cola_fail(COLA_ERR_USAGE, "--isa '%s': there are auto, avx2 and avx512", isa);
    }
    return COLA_OK;
}

static void cpu_close(struct cola_device *device)
{
    if (!device) return;
    for (uint32_t t = 0; device->scratch && t < device->n_threads; t++) {
        free(device->scratch[t].packed_prefix);
        free(device->scratch[t].packed_tail);
        free(device->scratch[t].score);
    }
    free(device->scratch);
    free(device->packed_rows);
    free(device->group);
    cola_threads_destroy(device->threads);
    free(device);
}

static enum cola_status cpu_open(const struct cola_device_options *options, struct cola_device **out)
{
    struct cola_device *device = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&device, 1, sizeof *device, "cpu back end"));
    COLA_TRY_DONE(choose_kernels(options->isa, &device->kernels));
    COLA_TRY_DONE(cola_threads_create(options->n_threads, &device->threads));
    device->n_threads = cola_threads_count(device->threads);
    COLA_TRY_DONE(
        cola_alloc((void **)&device->scratch, device->n_threads, sizeof *device->scratch, "attention"));
    *out = device;
    return COLA_OK;
done:
    cpu_close(device);
    return status;
}

static void cpu_describe(const struct cola_device *device, char *text, size_t n_text)
{
    snprintf(text, n_text, "%s, %u thread%s", device->kernels->isa, device->n_threads,
             device->n_threads == 1 ? "" : "s");
}

static enum cola_status cpu_allocate(struct cola_device *device, size_t n, const char *what, float **out)
{
    (void)device;
    return cola_alloc((void **)out, n, sizeof **out, what);
}

static void cpu_release(struct cola_device *device, float *memory)
{
    (void)device;
    free(memory);
}

static enum cola_status cpu_copy(struct cola_device *device, const float *from, size_t n, float *to)
{
    (void)device;
    memcpy(to, from, n * sizeof *to);
    return COLA_OK;
}

/* --- weights
 * ------------------------------------------------------------------------------------------------ */

struct packing {
    const struct cola_tensor *tensor;
    struct cola_matrix *matrix;
};

static void pack_panel(void *context, uint32_t panel, uint32_t thread)
{
    enum { CHUNK = 256 }; /* weights of one row that are widened at a time */
    const struct packing *p = context;
    uint32_t n_in = p->matrix->n_in, first = panel * COLA_PANEL,
             n = least(p->matrix->n_out - first, COLA_PANEL);
    float *to = p->matrix->panel + (size_t)panel * n_in * COLA_PANEL, row[CHUNK];
    (void)thread;
    for (uint32_t k0 = 0; k0 < n_in; k0 += CHUNK)
        for (uint32_t c = 0; c < n; c++) {
            uint32_t n_k = least(n_in - k0, CHUNK);
            cola_tensor_widen(p->tensor, (uint64_t)(first + c) * n_in + k0, n_k, row);
            for (uint32_t k = 0; k < n_k; k++) to[(size_t)(k0 + k) * COLA_PANEL + c] = row[k];
        }
}

static void cpu_release_matrix(struct cola_device *device, struct cola_matrix *matrix)
{
    (void)device;
    if (matrix) free(matrix->panel);
    free(matrix);
}

static enum cola_status cpu_load_matrix(struct cola_device *device, const struct cola_tensor *tensor,
                                        struct cola_matrix **out)
{
    struct cola_matrix *matrix = NULL;
    COLA_TRY(cola_alloc((void **)&matrix, 1, sizeof *matrix, "weight"));
    matrix->n_out = (uint32_t)tensor->shape[0];
    matrix->n_in = (uint32_t)tensor->shape[1];
    uint32_t n_panels = ceil_div(matrix->n_out, COLA_PANEL);
    enum cola_status status = cola_alloc((void **)&matrix->panel, (size_t)n_panels * COLA_PANEL,
                                         matrix->n_in * sizeof(float), "weight");
    if (status != COLA_OK) {
        cpu_release_matrix(device, matrix);
        return status;
    }
    struct packing packing = {.tensor = tensor, .matrix = matrix};
    cola_threads_run(device->threads, n_panels, pack_panel, &packing);
    *out = matrix;
    return COLA_OK;
}

/* --- products
 * ----------------------------------------------------------------------------------------------- */

struct product {
    struct cola_device *device;
    const float *x;
    const struct cola_matrix *matrix;
    uint32_t n_rows, panels_per_task;
    bool add;
    float *out;
};

/* Rows of block b as [K, rows]: one broadcast stream instead of tile_rows of them, whose distance could be a
 * power of two and fall into one cache set (K = 2048 lost a quarter of the speed without this). */
static void pack_rows(void *context, uint32_t block, uint32_t thread)
{
    const struct product *p = context;
    uint32_t tile_rows = p->device->kernels->tile_rows, n_in = p->matrix->n_in, first = block * tile_rows;
    uint32_t rows = least(p->n_rows - first, tile_rows);
    float *to = p->device->packed_rows + (size_t)first * n_in;
    (void)thread;
    for (uint32_t r = 0; r < rows; r++) {
        const float *x = p->x + (size_t)(first + r) * n_in;
        for (uint32_t k = 0; k < n_in; k++) to[(size_t)k * rows + r] = x[k];
    }
}

/* A panel stays in the second-level cache while all blocks of rows pass over it. */
static void multiply_panels(void *context, uint32_t task, uint32_t thread)
{
    const struct product *p = context;
    const struct cola_cpu_kernels *kernels = p->device->kernels;
    uint32_t n_in = p->matrix->n_in, n_out = p->matrix->n_out, tile_rows = kernels->tile_rows;
    uint32_t end = least((task + 1) * p->panels_per_task, ceil_div(n_out, COLA_PANEL));
    (void)thread;
    for (uint32_t panel = task * p->panels_per_task; panel < end; panel++) {
        const float *weights = p->matrix->panel + (size_t)panel * n_in * COLA_PANEL;
        uint32_t column = panel * COLA_PANEL, n_cols = least(n_out - column, COLA_PANEL);
        for (uint32_t row = 0; row < p->n_rows; row += tile_rows)
            kernels->tile(least(p->n_rows - row, tile_rows), p->device->packed_rows + (size_t)row * n_in,
                          weights, n_in, n_cols, p->add, p->out + (size_t)row * n_out + column, n_out);
    }
}

static enum cola_status cpu_product(struct cola_device *device, const float *x,
                                    const struct cola_matrix *matrix, uint32_t n_rows, bool add, float *out)
{
    enum { TASKS_PER_THREAD = 4 };
    uint32_t n_panels = ceil_div(matrix->n_out, COLA_PANEL);
    COLA_TRY(cola_grow((void **)&device->packed_rows, &device->packed_room, (size_t)n_rows * matrix->n_in,
                       sizeof(float), "packed rows"));
    struct product p = {.device = device, .x = x, .matrix = matrix, .n_rows = n_rows, .add = add, .out = out};
    p.panels_per_task = n_panels / (TASKS_PER_THREAD * device->n_threads);
    if (p.panels_per_task == 0) p.panels_per_task = 1;
    cola_threads_run(device->threads, ceil_div(n_rows, device->kernels->tile_rows), pack_rows, &p);
    cola_threads_run(device->threads, ceil_div(n_panels, p.panels_per_task), multiply_panels, &p);
    return COLA_OK;
}

/* --- row-wise operations
 * ------------------------------------------------------------------------------------ */

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
    for (uint32_t i = task * ROWS_PER_TASK; i < least((task + 1) * ROWS_PER_TASK, r->n_rows); i++)
        cola_tensor_widen(r->table, (uint64_t)r->token[i] * r->width, r->width,
                          r->out + (size_t)i * r->width);
}

static void copy_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct rows *r = context;
    (void)thread;
    for (uint32_t i = task * ROWS_PER_TASK; i < least((task + 1) * ROWS_PER_TASK, r->n_rows); i++) {
        size_t from = r->scatter ? i : r->index[i], to = r->scatter ? r->index[i] : i;
        memcpy(r->out + to * r->width, r->in + from * r->width, r->width * sizeof(float));
    }
}

static void norm_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct rows *r = context;
    (void)thread;
    for (uint32_t i = task * ROWS_PER_TASK; i < least((task + 1) * ROWS_PER_TASK, r->n_rows); i++)
        r->kernels->norm(r->in + (size_t)i * r->width, r->weight, r->eps, r->width,
                         r->out + (size_t)i * r->width);
}

static void rotate_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct rows *r = context;
    (void)thread;
    for (uint32_t i = task * ROWS_PER_TASK; i < least((task + 1) * ROWS_PER_TASK, r->n_rows); i++)
        r->kernels->rotate(r->out + (size_t)i * r->n_heads * r->width, r->in + (size_t)r->index[i] * r->width,
                           r->n_heads, r->width);
}

static void gate_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct rows *r = context;
    size_t first = (size_t)task * ROWS_PER_TASK * r->width;
    uint32_t n = least(r->n_rows - task * ROWS_PER_TASK, ROWS_PER_TASK);
    (void)thread;
    r->kernels->gate(r->in + first, r->weight + first, (size_t)n * r->width, r->out + first);
}

static void reduce_rows(void *context, uint32_t row, uint32_t thread)
{
    const struct rows *r = context;
    (void)thread;
    r->kernels->reduce(r->in + (size_t)row * r->width, r->width, &r->logit[row]);
}

static enum cola_status run_rows(struct cola_device *device, cola_task_fn *task, struct rows rows)
{
    rows.kernels = device->kernels;
    cola_threads_run(device->threads, ceil_div(rows.n_rows, ROWS_PER_TASK), task, &rows);
    return COLA_OK;
}

static enum cola_status cpu_embed(struct cola_device *device, const struct cola_tensor *table,
                                  const int32_t *token, uint32_t n_rows, float *out)
{
    return run_rows(device, embed_rows,
                    (struct rows){.table = table,
                                  .token = token,
                                  .n_rows = n_rows,
                                  .out = out,
                                  .width = (uint32_t)table->shape[1]});
}

static enum cola_status cpu_gather(struct cola_device *device, const float *in, const uint32_t *row,
                                   uint32_t n_rows, uint32_t width, float *out)
{
    return run_rows(device, copy_rows,
                    (struct rows){.in = in, .index = row, .n_rows = n_rows, .width = width, .out = out});
}

static enum cola_status cpu_scatter(struct cola_device *device, const float *in, const uint32_t *row,
                                    uint32_t n_rows, uint32_t width, float *out)
{
    return run_rows(
        device, copy_rows,
        (struct rows){.in = in, .index = row, .n_rows = n_rows, .width = width, .out = out, .scatter = true});
}

static enum cola_status cpu_norm(struct cola_device *device, const float *x, const float *weight, float eps,
                                 uint32_t n_rows, uint32_t width, float *out)
{
    return run_rows(
        device, norm_rows,
        (struct rows){.in = x, .weight = weight, .eps = eps, .n_rows = n_rows, .width = width, .out = out});
}

static enum cola_status cpu_rotate(struct cola_device *device, float *x, const float *table,
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

static enum cola_status cpu_gate(struct cola_device *device, const float *gate, const float *up,
                                 uint32_t n_rows, uint32_t width, float *out)
{
    return run_rows(device, gate_rows,
                    (struct rows){.in = gate, .weight = up, .n_rows = n_rows, .width = width, .out = out});
}

static enum cola_status cpu_reduce_logits(struct cola_device *device, const float *logits, uint32_t n_rows,
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

/* --- attention
 * ---------------------------------------------------------------------------------------------- */

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

static enum cola_status cpu_attention(struct cola_device *device, const struct cola_attention *a)
{
    uint32_t n_groups = 0, longest = 0;
    COLA_TRY(cola_grow((void **)&device->group, &device->group_room, a->n_spans + 1, sizeof *device->group,
                       "sequences"));
    for (uint32_t i = 0; i < a->n_spans; i++) {
        const struct cola_span *span = &a->span[i];
        uint32_t n_keys = span->n_prefix + span->n_first + span->n_rows - 1;
        if (n_keys > longest) longest = n_keys;
        const struct cola_span *head = n_groups ? &a->span[device->group[n_groups - 1]] : NULL;
        bool joins = head && span->n_prefix &&
                     span->prefix_row == (head->n_prefix ? head->prefix_row : head->tail_row);
        if (!joins) device->group[n_groups++] = i;
    }
    device->group[n_groups] = a->n_spans;
    COLA_TRY(cover_scratch(device, longest, a->head_size));
    struct attention t = {.device = device, .a = a};
    cola_threads_run(device->threads, n_groups * a->n_kv_heads, attend_task, &t);
    return COLA_OK;
}

/* --- peak
 * --------------------------------------------------------------------------------------------------- */

struct peak {
    const struct cola_cpu_kernels *kernels;
    double until_s, *flops; /* [n_threads] */
};

static void spin_until(void *context, uint32_t task, uint32_t thread)
{
    enum { ROUNDS = 100000 };
    struct peak *peak = context;
    (void)thread;
    while (cola_clock_s() < peak->until_s) peak->flops[task] += peak->kernels->spin(ROUNDS);
}

static double cpu_measure_peak(struct cola_device *device, double seconds)
{
    double start = cola_clock_s(), total = 0;
    struct peak peak = {.kernels = device->kernels, .until_s = start + seconds};
    if (cola_alloc((void **)&peak.flops, device->n_threads, sizeof *peak.flops, "peak") != COLA_OK) return 0;
    cola_threads_run(device->threads, device->n_threads, spin_until, &peak);
    double took = cola_clock_s() - start;
    for (uint32_t t = 0; t < device->n_threads; t++) total += peak.flops[t];
    free(peak.flops);
    return total / took;
}

const struct cola_backend cola_backend_cpu = {
    .name = "cpu",
    .numerics_id = COLA_NUMERICS_F32,
    .open = cpu_open,
    .close = cpu_close,
    .describe = cpu_describe,
    .allocate = cpu_allocate,
    .release = cpu_release,
    .upload = cpu_copy,
    .download = cpu_copy,
    .load_matrix = cpu_load_matrix,
    .release_matrix = cpu_release_matrix,
    .embed = cpu_embed,
    .gather = cpu_gather,
    .scatter = cpu_scatter,
    .norm = cpu_norm,
    .product = cpu_product,
    .rotate = cpu_rotate,
    .attention = cpu_attention,
    .gate = cpu_gate,
    .reduce_logits = cpu_reduce_logits,
    .measure_peak = cpu_measure_peak,
};

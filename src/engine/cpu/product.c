/* product.c - weights in panels of 32 columns and the matrix products over them: rows packed into blocks,
 * then tiles of the vector kernels, split among threads by columns. docs/numerics.md, "Product". */
#include <stdlib.h>

#include "cola/memory.h"
#include "engine/cpu/device.h"

struct cola_matrix {
    uint32_t n_out, n_in; /* M, K */
    const float *panel;   /* [ceil(M/32), K, 32], zero padded; in the room that load_matrix was given */
};

struct packing {
    const struct cola_tensor *tensor;
    const struct cola_matrix *matrix;
    float *panel;
    uint32_t first_panel; /* of the tasks */
};

static void pack_panel(void *context, uint32_t task, uint32_t thread)
{
    enum { CHUNK = 256 }; /* weights of one row that are widened at a time */
    const struct packing *p = context;
    uint32_t panel = p->first_panel + task, n_in = p->matrix->n_in, first = panel * COLA_PANEL,
             n = cola_least(p->matrix->n_out - first, COLA_PANEL);
    float *to = p->panel + (size_t)panel * n_in * COLA_PANEL, row[CHUNK];
    (void)thread;
    for (uint32_t k0 = 0; k0 < n_in; k0 += CHUNK)
        for (uint32_t c = 0; c < n; c++) {
            uint32_t n_k = cola_least(n_in - k0, CHUNK);
            cola_tensor_widen(p->tensor, (uint64_t)(first + c) * n_in + k0, n_k, row);
            for (uint32_t k = 0; k < n_k; k++) to[(size_t)(k0 + k) * COLA_PANEL + c] = row[k];
        }
}

/* Some megabytes of the checkpoint at a time: what was read must not stay in this process beside its copy. */
static void pack(struct cola_device *device, struct packing *p)
{
    const uint64_t piece = 4 << 20, n_in = p->matrix->n_in;
    uint32_t n_panels = cola_ceil_div(p->matrix->n_out, COLA_PANEL);
    uint32_t n_most = piece / (n_in * COLA_PANEL) ? (uint32_t)(piece / (n_in * COLA_PANEL)) : 1;
    for (p->first_panel = 0; p->first_panel < n_panels; p->first_panel += n_most) {
        uint32_t n = cola_least(n_panels - p->first_panel, n_most), row = p->first_panel * COLA_PANEL;
        cola_threads_run(device->threads, n, pack_panel, p);
        cola_tensor_leave(p->tensor, row * n_in, cola_least(p->matrix->n_out - row, n * COLA_PANEL) * n_in);
    }
}

size_t cola_cpu_matrix_bytes(struct cola_device *device, const struct cola_tensor *tensor)
{
    if (device->onednn) return cola_onednn_matrix_bytes(device->onednn, tensor);
    return (tensor->shape[0] + COLA_PANEL - 1) / COLA_PANEL * COLA_PANEL * tensor->shape[1] * sizeof(float);
}

void cola_cpu_release_matrix(struct cola_device *device, struct cola_matrix *matrix)
{
    if (device->onednn) return cola_onednn_release_matrix(device->onednn, matrix);
    free(matrix);
}

enum cola_status cola_cpu_load_matrix(struct cola_device *device, const struct cola_tensor *tensor,
                                      void *room, bool filled, struct cola_matrix **out)
{
    struct cola_matrix *matrix;
    if (device->onednn) return cola_onednn_load_matrix(device->onednn, tensor, room, filled, out);
    COLA_TRY(cola_alloc((void **)&matrix, 1, sizeof *matrix, "weight"));
    *matrix = (struct cola_matrix){
        .n_out = (uint32_t)tensor->shape[0], .n_in = (uint32_t)tensor->shape[1], .panel = room};
    struct packing packing = {.tensor = tensor, .matrix = matrix, .panel = room};
    if (!filled) pack(device, &packing);
    *out = matrix;
    return COLA_OK;
}

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
    uint32_t rows = cola_least(p->n_rows - first, tile_rows);
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
    uint32_t end = cola_least((task + 1) * p->panels_per_task, cola_ceil_div(n_out, COLA_PANEL));
    (void)thread;
    for (uint32_t panel = task * p->panels_per_task; panel < end; panel++) {
        const float *weights = p->matrix->panel + (size_t)panel * n_in * COLA_PANEL;
        uint32_t column = panel * COLA_PANEL, n_cols = cola_least(n_out - column, COLA_PANEL);
        for (uint32_t row = 0; row < p->n_rows; row += tile_rows)
            kernels->tile(cola_least(p->n_rows - row, tile_rows), p->device->packed_rows + (size_t)row * n_in,
                          weights, n_in, n_cols, p->add, p->out + (size_t)row * n_out + column, n_out);
    }
}

size_t cola_cpu_row_floats(struct cola_device *device, uint32_t widest)
{
    (void)device;
    return widest;
}

/* Exactly what the widest product so far needs: the engine counts it (row_floats). */
static enum cola_status cover_packed_rows(struct cola_device *device, size_t n)
{
    if (n <= device->packed_room) return COLA_OK;
    free(device->packed_rows);
    device->packed_rows = NULL;
    device->packed_room = 0;
    COLA_TRY(cola_alloc((void **)&device->packed_rows, n, sizeof(float), "packed rows"));
    device->packed_room = n;
    return COLA_OK;
}

static enum cola_status multiply(struct cola_device *device, const float *x, const struct cola_matrix *matrix,
                                 uint32_t n_rows, bool add, float *out)
{
    enum {
        TASKS_PER_THREAD = 4,
        MADDS_ALONE = 1 << 20
    }; /* alone: 20 us of one thread, less than waking others */
    uint32_t n_panels = cola_ceil_div(matrix->n_out, COLA_PANEL);
    COLA_TRY(cover_packed_rows(device, (size_t)n_rows * matrix->n_in));
    struct product p = {.device = device, .x = x, .matrix = matrix, .n_rows = n_rows, .add = add, .out = out};
    p.panels_per_task = n_panels / (TASKS_PER_THREAD * device->n_threads);
    if (p.panels_per_task == 0) p.panels_per_task = 1;
    uint32_t n_blocks = cola_ceil_div(n_rows, device->kernels->tile_rows);
    uint32_t n_tasks = cola_ceil_div(n_panels, p.panels_per_task);
    if ((uint64_t)n_rows * matrix->n_in * matrix->n_out < MADDS_ALONE) {
        for (uint32_t i = 0; i < n_blocks; i++) pack_rows(&p, i, 0);
        for (uint32_t i = 0; i < n_tasks; i++) multiply_panels(&p, i, 0);
        return COLA_OK;
    }
    cola_threads_run(device->threads, n_blocks, pack_rows, &p);
    cola_threads_run(device->threads, n_tasks, multiply_panels, &p);
    return COLA_OK;
}

enum cola_status cola_cpu_product(struct cola_device *device, const float *x, uint32_t n_rows,
                                  const struct cola_product *product, uint32_t n_products, bool add)
{
    if (device->onednn) return cola_onednn_product(device->onednn, x, n_rows, product, n_products, add);
    for (uint32_t p = 0; p < n_products; p++)
        COLA_TRY(multiply(device, x, product[p].matrix, n_rows, add, product[p].out));
    return COLA_OK;
}

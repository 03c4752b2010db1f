/* product.c - matrix products: weights in panels (panels.h), the left side of a call packed once into blocks,
 * then tiles of the vector kernels (tiles.h) over the panels of all its products, split among threads.
 *
 * docs/numerics.md, "Product" and "The bf16 mode". A task owns whole elements of the output, so how the work
 * is cut changes no bit. Where the bf16 mode runs on a library (onednn.h), nothing below is called. */
#include <stdlib.h>

#include "cola/memory.h"
#include "engine/cpu/device.h"

/* --- weights ------------------------------------------------------------------------------------------ */

struct cola_matrix {
    struct cola_panels panels;
    const void *room; /* all panels, in the memory that load_matrix was given */
};

struct packing {
    const struct cola_tensor *tensor;
    const struct cola_panels *panels;
    void *room;
    uint32_t first_panel; /* of the tasks */
};

static void pack_panel(void *context, uint32_t task, uint32_t thread)
{
    const struct packing *p = context;
    (void)thread;
    cola_panel_pack(p->panels, p->tensor, p->first_panel + task, p->room);
}

/* Some megabytes of the checkpoint at a time: what was read must not stay in this process beside its copy. */
static void pack(struct cola_device *device, struct packing *p)
{
    const uint64_t piece = 4 << 20, n_in = p->panels->n_in, width = p->panels->width;
    uint32_t n_panels = cola_panels_count(p->panels);
    uint32_t n_most = piece / (n_in * width) ? (uint32_t)(piece / (n_in * width)) : 1;
    for (p->first_panel = 0; p->first_panel < n_panels; p->first_panel += n_most) {
        uint32_t n = cola_least(n_panels - p->first_panel, n_most);
        uint64_t row = p->first_panel * width, n_rows = p->panels->n_out - row;
        cola_threads_run(device->threads, n, pack_panel, p);
        cola_tensor_leave(p->tensor, row * n_in, (n_rows < n * width ? n_rows : n * width) * n_in);
    }
}

size_t cola_cpu_matrix_bytes(struct cola_device *device, const struct cola_tensor *tensor)
{
    if (device->onednn) return cola_onednn_matrix_bytes(device->onednn, tensor);
    struct cola_panels panels = cola_panels_of(tensor, device->kernels->panel_width, device->bf16);
    return cola_panels_count(&panels) * cola_panel_bytes(&panels);
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
    if (device->bf16 && tensor->dtype == COLA_F16)
        return cola_fail(COLA_ERR_UNSUPPORTED, "f16 weights lose 3 bits in bf16; use --dtype f32");
    COLA_TRY(cola_alloc((void **)&matrix, 1, sizeof *matrix, "weight"));
    *matrix = (struct cola_matrix){
        .panels = cola_panels_of(tensor, device->kernels->panel_width, device->bf16), .room = room};
    struct packing packing = {.tensor = tensor, .panels = &matrix->panels, .room = room};
    if (!filled) pack(device, &packing);
    *out = matrix;
    return COLA_OK;
}

/* --- products ----------------------------------------------------------------------------------------- */

/* One call. Its rows are cut into n_blocks blocks of nearly equal height, at most the tile's: 15 rows are 8
 * and 7, since a block of one row would cost as much as one of several. Task t multiplies panels t / n_groups
 * * panels_per_task .. of all products in a row with blocks t % n_groups * blocks_per_task .. */
struct work {
    struct cola_device *device;
    const float *x;
    const struct cola_product *product;
    uint32_t n_products, n_rows, n_in;
    bool add;
    uint32_t n_blocks, n_panels, n_groups, panels_per_task, blocks_per_task;
};

static uint32_t block_begin(const struct work *w, uint32_t block)
{
    return (uint32_t)((uint64_t)block * w->n_rows / w->n_blocks);
}

/* Floats, or words of pairs, of a row in a block. */
static size_t row_words(const struct cola_device *device, uint32_t n_in)
{
    uint32_t depth = device->bf16 ? cola_ceil_div(n_in, 2) : n_in;
    return (size_t)cola_ceil_div(depth, COLA_CHUNK) * COLA_CHUNK;
}

static void pack_block(void *context, uint32_t block, uint32_t thread)
{
    const struct work *w = context;
    const struct cola_cpu_kernels *kernels = w->device->kernels;
    uint32_t first = block_begin(w, block), n_rows = block_begin(w, block + 1) - first;
    (void)thread;
    (w->device->bf16 ? kernels->pack_pairs
                     : kernels->pack_rows)(w->x + (size_t)first * w->n_in, n_rows, w->n_in,
                                           w->device->packed_rows + first * row_words(w->device, w->n_in));
}

/* Panels first .. end - 1 of one product, and blocks from .. to - 1. A panel stays in the second-level cache
 * while all blocks pass over it, each bringing a part of the panel that this thread will most likely have
 * next into that cache; one block takes all panels in a row. Matrices that follow each other in a layer lie
 * so in memory, so behind a matrix's last panel the next one's first is found. */
static void multiply_panels(const struct work *w, const struct cola_product *product, uint32_t first,
                            uint32_t end, uint32_t from, uint32_t to)
{
    const struct cola_panels *panels = &product->matrix->panels;
    enum { MOST_BLOCKS_AHEAD = 16 };
    const size_t panel_bytes = cola_panel_bytes(panels), n_lines = panel_bytes / 64;
    uint32_t n_out = panels->n_out, n_blocks = to - from, step = n_blocks == 1 ? end - first : 1;
    uint32_t n_chunks = (uint32_t)row_words(w->device, w->n_in) / COLA_CHUNK;
    uint32_t n_ahead = 0; /* many blocks: the first one's wait for its panel is little of all */
    if (n_blocks > 1 && n_blocks <= MOST_BLOCKS_AHEAD)
        n_ahead = cola_ceil_div((uint32_t)n_lines, n_blocks * n_chunks);
    for (uint32_t panel = first; panel < end; panel += step) {
        uint32_t column = panel * panels->width;
        const char *at = (const char *)product->matrix->room + panel * panel_bytes;
        uint32_t skipped = panel + 1 < end ? 0 : (w->device->n_threads - 1) * w->panels_per_task;
        struct cola_tile tile = {.panel = at,
                                 .ahead = at + (1 + skipped) * panel_bytes,
                                 .n_ahead = n_ahead,
                                 .n_in = w->n_in,
                                 .n_cols = cola_least(n_out - column, step * panels->width),
                                 .add = w->add,
                                 .out_stride = n_out};
        for (uint32_t block = from; block < to; block++) {
            uint32_t row = block_begin(w, block);
            tile.n_rows = block_begin(w, block + 1) - row;
            tile.block = w->device->packed_rows + row * row_words(w->device, w->n_in);
            tile.out = product->out + (size_t)row * n_out + column;
            w->device->kernels->tile[panels->format](&tile);
            tile.ahead += (size_t)n_ahead * n_chunks * 64;
        }
    }
}

static void multiply_task(void *context, uint32_t task, uint32_t thread)
{
    const struct work *w = context;
    (void)thread;
    uint32_t first = task / w->n_groups * w->panels_per_task, from = task % w->n_groups * w->blocks_per_task;
    uint32_t end = first + cola_least(w->panels_per_task, w->n_panels - first), to = from;
    if (from < w->n_blocks) to = from + cola_least(w->blocks_per_task, w->n_blocks - from);
    if (from >= to) return;
    for (uint32_t i = 0, begin = 0; i < w->n_products && first < end; i++) {
        uint32_t n = cola_panels_count(&w->product[i].matrix->panels);
        if (first < begin + n)
            multiply_panels(w, &w->product[i], first - begin, cola_least(end - begin, n), from, to);
        begin += n;
        if (first < begin) first = begin;
    }
}

/* Tasks of whole panels where there are enough of them, else of some blocks too. */
static uint32_t cut(struct work *w)
{
    enum { TASKS_PER_THREAD = 8 }; /* the last ones to run cost an eighth at most */
    uint32_t wanted = w->device->n_threads == 1 ? 1 : TASKS_PER_THREAD * w->device->n_threads;
    w->panels_per_task = w->n_panels > wanted ? w->n_panels / wanted : 1;
    w->n_groups = cola_least(cola_ceil_div(wanted, w->n_panels), w->n_blocks);
    w->blocks_per_task = cola_ceil_div(w->n_blocks, w->n_groups);
    return cola_ceil_div(w->n_panels, w->panels_per_task) * w->n_groups;
}

static void run(const struct work *w, bool alone, uint32_t n_tasks, cola_task_fn *task)
{
    if (alone)
        for (uint32_t i = 0; i < n_tasks; i++) task((void *)(uintptr_t)w, i, 0);
    else
        cola_threads_run(w->device->threads, n_tasks, task, (void *)(uintptr_t)w);
}

size_t cola_cpu_row_floats(struct cola_device *device, uint32_t widest)
{
    return row_words(device, widest);
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

enum cola_status cola_cpu_product(struct cola_device *device, const float *x, uint32_t n_rows,
                                  const struct cola_product *product, uint32_t n_products, bool add)
{
    /* alone: some 10 us of one thread, less than waking others (fused multiply-adds; bytes of weights, which
     * decide where rows are few; floats of the left side) */
    enum { MADDS_ALONE = 1 << 19, BYTES_ALONE = 1 << 18, FLOATS_ALONE = 1 << 15 };
    if (device->onednn) return cola_onednn_product(device->onednn, x, n_rows, product, n_products, add);
    if (n_rows == 0 || n_products == 0) return COLA_OK;
    struct work w = {.device = device,
                     .x = x,
                     .product = product,
                     .n_products = n_products,
                     .n_rows = n_rows,
                     .n_in = product[0].matrix->panels.n_in,
                     .add = add,
                     .n_blocks = cola_ceil_div(n_rows, device->kernels->tile_rows)};
    uint64_t n_madds = 0, n_bytes = 0;
    COLA_TRY(cover_packed_rows(device, n_rows * row_words(device, w.n_in)));
    for (uint32_t i = 0; i < n_products; i++) {
        const struct cola_panels *panels = &product[i].matrix->panels;
        n_madds += (uint64_t)n_rows * w.n_in * panels->n_out;
        n_bytes += cola_panels_count(panels) * cola_panel_bytes(panels);
        w.n_panels += cola_panels_count(panels);
    }
    run(&w, (uint64_t)n_rows * w.n_in < FLOATS_ALONE, w.n_blocks, pack_block);
    uint32_t n_tasks = cut(&w);
    run(&w, n_madds < MADDS_ALONE && n_bytes < BYTES_ALONE, n_tasks, multiply_task);
    return COLA_OK;
}

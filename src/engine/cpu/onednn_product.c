/* onednn_product.c - matrices of the bf16 mode in the library's layout, and products over them: the left side
 * rounded once for all matrices of a call, then one loop of tasks, each one slice of columns for one run of
 * rows. How rows are cut into runs changes no bit (onednn_primitive.c checks that); how columns are cut
 * might, so that depends on the matrix alone. docs/numerics.md, "The bf16 mode". */
#include <stdlib.h>

#include "cola/memory.h"
#include "engine/cpu/onednn_internal.h"

struct cola_matrix {
    uint32_t n_out, n_in;                  /* M, K as the model has them */
    uint32_t padded_in, n_slices;          /* all slices but the last are full */
    struct cola_onednn_shape *full, *last; /* full: NULL where there is one slice */
    const unsigned char *packed;           /* slices one after the other, in the room given to load_matrix */
};

static uint32_t slice_count(uint64_t n_out)
{
    return (uint32_t)((n_out + COLA_ONEDNN_SLICE - 1) / COLA_ONEDNN_SLICE);
}
static uint32_t last_columns(uint64_t n_out)
{
    return (uint32_t)(n_out - (uint64_t)(slice_count(n_out) - 1) * COLA_ONEDNN_SLICE);
}

static const void *slice_at(const struct cola_matrix *m, uint32_t slice)
{
    return m->packed + slice * cola_onednn_slice_bytes(m->padded_in, COLA_ONEDNN_SLICE);
}

size_t cola_onednn_matrix_bytes(struct cola_onednn *o, const struct cola_tensor *tensor)
{
    (void)o;
    uint64_t n_out = tensor->shape[0];
    uint32_t n_in = cola_onednn_pad(tensor->shape[1], COLA_ONEDNN_K);
    return (slice_count(n_out) - 1) * cola_onednn_slice_bytes(n_in, COLA_ONEDNN_SLICE) +
           cola_onednn_slice_bytes(n_in, cola_onednn_pad(last_columns(n_out), COLA_ONEDNN_COLUMNS));
}

/* --- loading
 * ------------------------------------------------------------------------------------------------- */

struct packing {
    struct cola_onednn *o;
    const struct cola_tensor *tensor;
    const struct cola_matrix *matrix;
};

/* Weights are rounded to the nearest bf16, which changes nothing where they are bf16. */
static void stage_row(const struct packing *p, uint64_t row, uint16_t *to)
{
    enum { CHUNK = 256 }; /* a multiple of COLA_ONEDNN_K */
    uint32_t n_in = p->matrix->n_in, padded = p->matrix->padded_in;
    float wide[CHUNK];
    for (uint32_t k = 0; k < padded; k += CHUNK) {
        uint32_t n = k >= n_in ? 0 : n_in - k < CHUNK ? n_in - k : CHUNK;
        cola_tensor_widen(p->tensor, row * n_in + k, n, wide);
        cola_onednn_round(wide, n, padded - k < CHUNK ? padded - k : CHUNK, to + k);
    }
}

static void pack_slice(void *context, uint32_t slice, uint32_t thread)
{
    const struct packing *p = context;
    const struct cola_matrix *m = p->matrix;
    struct cola_onednn_thread *mine = &p->o->thread[thread];
    const struct cola_onednn_shape *shape = slice + 1 == m->n_slices ? m->last : m->full;
    uint64_t first = (uint64_t)slice * COLA_ONEDNN_SLICE;
    cola_onednn_one_thread();
    for (uint32_t c = 0; c < shape->width; c++) {
        uint16_t *to = mine->staging + (size_t)c * m->padded_in;
        if (first + c < m->n_out)
            stage_row(p, first + c, to);
        else
            for (uint32_t k = 0; k < m->padded_in; k++) to[k] = 0;
    }
    dnnl_status_t status = cola_onednn_pack(p->o, shape, thread, mine->staging, (void *)slice_at(m, slice));
    if (status != dnnl_success) mine->failed = status;
}

/* Runs the loop; the first library status that is not success, of any thread, as an error. */
static enum cola_status run(struct cola_onednn *o, uint32_t n_tasks, cola_task_fn *task, void *context,
                            bool alone, const char *what)
{
    for (uint32_t t = 0; t < o->n_threads; t++) o->thread[t].failed = dnnl_success;
    if (alone)
        for (uint32_t i = 0; i < n_tasks; i++) task(context, i, 0);
    else
        cola_threads_run(o->threads, n_tasks, task, context);
    for (uint32_t t = 0; t < o->n_threads; t++) COLA_TRY(cola_onednn_check(o->thread[t].failed, what));
    return COLA_OK;
}

static enum cola_status pack(struct cola_onednn *o, const struct cola_tensor *tensor,
                             const struct cola_matrix *m)
{
    struct packing packing = {.o = o, .tensor = tensor, .matrix = m};
    for (uint32_t t = 0; t < o->n_threads; t++)
        COLA_TRY(cola_grow((void **)&o->thread[t].staging, &o->thread[t].staging_room,
                           (size_t)COLA_ONEDNN_SLICE * m->padded_in, sizeof(uint16_t), "oneDNN weights"));
    COLA_TRY(run(o, m->n_slices, pack_slice, &packing, false, "dnnl_primitive_execute, packing weights"));
    cola_tensor_leave(tensor, 0, (uint64_t)m->n_out * m->n_in);
    return COLA_OK;
}

enum cola_status cola_onednn_load_matrix(struct cola_onednn *o, const struct cola_tensor *tensor, void *room,
                                         bool filled, struct cola_matrix **out)
{
    struct cola_matrix *m = NULL;
    enum cola_status status = COLA_OK;
    uint64_t n_out = tensor->shape[0];
    if (tensor->dtype == COLA_F16)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "bf16: a weight is F16, of whose 11 bits bf16 keeps 8: use --dtype f32");
    COLA_TRY(cola_alloc((void **)&m, 1, sizeof *m, "weight"));
    *m = (struct cola_matrix){.n_out = (uint32_t)n_out,
                              .n_in = (uint32_t)tensor->shape[1],
                              .padded_in = cola_onednn_pad(tensor->shape[1], COLA_ONEDNN_K),
                              .n_slices = slice_count(n_out),
                              .packed = room};
    if (m->n_slices > 1) COLA_TRY_DONE(cola_onednn_shape(o, m->padded_in, COLA_ONEDNN_SLICE, &m->full));
    COLA_TRY_DONE(cola_onednn_shape(o, m->padded_in,
                                    cola_onednn_pad(last_columns(n_out), COLA_ONEDNN_COLUMNS), &m->last));
    if (!filled) COLA_TRY_DONE(pack(o, tensor, m));
    *out = m;
    return COLA_OK;
done:
    free(m);
    return status;
}

void cola_onednn_release_matrix(struct cola_onednn *o, struct cola_matrix *matrix)
{
    (void)o;
    free(matrix);
}

/* --- products
 * ------------------------------------------------------------------------------------------------ */

struct job {
    struct cola_onednn *o;
    const float *x;
    uint32_t n_rows, n_in, padded_in;
    uint32_t run_rows, n_runs; /* rows of a task, the last fewer; tasks that a slice has */
    const struct cola_product *product;
    bool add;
};

enum { ROUND_ROWS = 16 }; /* rows that a task rounds */

static void round_rows(void *context, uint32_t task, uint32_t thread)
{
    const struct job *j = context;
    uint32_t end = (task + 1) * ROUND_ROWS < j->n_rows ? (task + 1) * ROUND_ROWS : j->n_rows;
    (void)thread;
    for (uint32_t r = task * ROUND_ROWS; r < end; r++)
        cola_onednn_round(j->x + (size_t)r * j->n_in, j->n_in, j->padded_in,
                          j->o->rounded + (size_t)r * j->padded_in);
}

static void multiply(void *context, uint32_t task, uint32_t thread)
{
    const struct job *j = context;
    const struct cola_product *p = j->product;
    struct cola_onednn_thread *mine = &j->o->thread[thread];
    for (; task >= p->matrix->n_slices * j->n_runs; p++) task -= p->matrix->n_slices * j->n_runs;
    const struct cola_matrix *m = p->matrix;
    uint32_t slice = task / j->n_runs, row = task % j->n_runs * j->run_rows,
             column = slice * COLA_ONEDNN_SLICE;
    uint32_t n_rows = j->n_rows - row < j->run_rows ? j->n_rows - row : j->run_rows;
    uint32_t n_cols = m->n_out - column < COLA_ONEDNN_SLICE ? m->n_out - column : COLA_ONEDNN_SLICE;
    struct cola_onednn_shape *shape = slice + 1 == m->n_slices ? m->last : m->full;
    cola_onednn_one_thread();
    dnnl_status_t status =
        cola_onednn_execute(j->o, shape, cola_onednn_rows(n_rows), thread,
                            j->o->rounded + (size_t)row * m->padded_in, slice_at(m, slice), mine->out);
    if (status != dnnl_success)
        mine->failed = status;
    else
        cola_onednn_store(mine->out, n_rows, n_cols, shape->width, j->add,
                          p->out + (size_t)row * m->n_out + column, m->n_out);
}

/* Runs of equal length, at most COLA_ONEDNN_ROWS: as many as end first, all threads working, a task costing
 * its rows and as much as TASK_ROWS more. */
static void cut_rows(struct job *j, uint32_t n_slices)
{
    enum { LEAST = 24, TASK_ROWS = 4 }; /* below LEAST a slice's weights are read for too few rows */
    uint64_t best = UINT64_MAX;
    for (uint32_t n = (j->n_rows + COLA_ONEDNN_ROWS - 1) / COLA_ONEDNN_ROWS;; n++) {
        uint32_t rows = n == 1 ? j->n_rows : cola_onednn_pad((j->n_rows + n - 1) / n, COLA_ONEDNN_STEP);
        if (best < UINT64_MAX && rows < LEAST) return;
        uint32_t n_runs = (j->n_rows + rows - 1) / rows;
        uint64_t n_rounds = ((uint64_t)n_slices * n_runs + j->o->n_threads - 1) / j->o->n_threads;
        uint64_t cost = n_rounds * (cola_onednn_rows(rows) + TASK_ROWS);
        if (cost < best) {
            best = cost;
            j->run_rows = rows;
            j->n_runs = n_runs;
        }
        if (rows <= COLA_ONEDNN_STEP) return;
    }
}

/* Every primitive that the loop will use, before threads ask for it. */
static enum cola_status prepare(const struct job *j, const struct cola_matrix *m)
{
    uint32_t first = cola_onednn_rows(j->run_rows);
    uint32_t last = cola_onednn_rows(j->n_rows - (j->n_runs - 1) * j->run_rows);
    struct cola_onednn_shape *shape[] = {m->full, m->last};
    for (int i = 0; i < 2; i++) {
        if (!shape[i]) continue;
        COLA_TRY(cola_onednn_primitive(j->o, shape[i], first));
        COLA_TRY(cola_onednn_primitive(j->o, shape[i], last));
    }
    return COLA_OK;
}

enum cola_status cola_onednn_product(struct cola_onednn *o, const float *x, uint32_t n_rows,
                                     const struct cola_product *product, uint32_t n_products, bool add)
{
    enum { MADDS_ALONE = 1 << 21 }; /* 20 us of one thread, less than waking others */
    if (n_rows == 0 || n_products == 0) return COLA_OK;
    const struct cola_matrix *m = product->matrix;
    struct job job = {.o = o, .x = x, .n_rows = n_rows, .n_in = m->n_in, .padded_in = m->padded_in};
    uint32_t n_slices = 0;
    uint64_t n_madds = 0;
    job.product = product;
    job.add = add;
    for (uint32_t p = 0; p < n_products; p++) {
        n_slices += product[p].matrix->n_slices;
        n_madds += (uint64_t)n_rows * product[p].matrix->n_out * m->n_in;
    }
    cut_rows(&job, n_slices);
    COLA_TRY(cola_grow((void **)&o->rounded, &o->rounded_room,
                       ((size_t)n_rows + COLA_ONEDNN_STEP) * m->padded_in, sizeof *o->rounded,
                       "rounded rows"));
    for (uint32_t p = 0; p < n_products; p++) COLA_TRY(prepare(&job, product[p].matrix));
    bool alone = n_madds < MADDS_ALONE;
    COLA_TRY(run(o, (n_rows + ROUND_ROWS - 1) / ROUND_ROWS, round_rows, &job, alone, "rounding"));
    return run(o, n_slices * job.n_runs, multiply, &job, alone, "dnnl_primitive_execute");
}

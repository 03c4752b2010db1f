/* onednn_primitive.c - the library's matmul for one shape and one number of rows: made at first use, and
 * checked then and there, since the library promises no order of its sums: every row of a full batch must
 * have the bits that it has alone. A primitive that fails is never used.
 *
 * Why one a number of rows: with the number left open until run time, one row alone takes another path than
 * many (other bits). Why "brg": the library's other implementation of a matmul ("gemm:jit") splits sums by
 * rows. */
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "engine/cpu/onednn_internal.h"

/* The library's own names of what may run: its tile kernels for bf16 dot products, or AMX. */
static const char WANTED[] = "brg:avx512_core_bf16";

static enum cola_status describe(struct cola_onednn *o, const struct cola_onednn_shape *s, uint32_t rows,
                                 struct cola_onednn_primitive *p, dnnl_primitive_desc_t *out)
{
    dnnl_dim_t n = rows, k = s->n_in, width = s->width;
    dnnl_matmul_desc_t matmul;
    COLA_ONEDNN_TRY(dnnl_memory_desc_init_by_tag(&p->source, 2, (dnnl_dims_t){n, k}, dnnl_bf16, dnnl_ab));
    COLA_ONEDNN_TRY(dnnl_memory_desc_init_by_tag(&p->product, 2, (dnnl_dims_t){n, width}, dnnl_f32, dnnl_ab));
    COLA_ONEDNN_TRY(dnnl_matmul_desc_init(&matmul, &p->source, &s->packed, NULL, &p->product));
    COLA_ONEDNN_TRY(dnnl_primitive_desc_create(out, &matmul, o->attributes, o->engine, NULL));
    return COLA_OK;
}

static enum cola_status build(struct cola_onednn *o, const struct cola_onednn_shape *s, uint32_t rows,
                              dnnl_primitive_desc_t description, struct cola_onednn_primitive *p)
{
    const char *name = "";
    const dnnl_memory_desc_t *scratch =
        dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    COLA_ONEDNN_TRY(dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name));
    if (strncmp(name, WANTED, sizeof WANTED - 1) != 0)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "oneDNN would multiply %u x %u x %u with '%s', not with '%s...'", rows, s->n_in,
                         s->width, name, WANTED);
    if (!scratch)
        return cola_fail(COLA_ERR_LIBRARY, "oneDNN: a matmul does not say what scratch memory it needs");
    p->scratch = *scratch;
    for (uint32_t t = 0; t < o->n_threads; t++)
        COLA_TRY(cola_grow(&o->thread[t].scratch, &o->thread[t].scratch_room,
                           dnnl_memory_desc_get_size(scratch), 1, "oneDNN scratch"));
    COLA_TRY(cola_alloc((void **)&p->memory, o->n_threads, sizeof *p->memory, "oneDNN arguments"));
    return cola_onednn_check(dnnl_primitive_create(&p->primitive, description), "dnnl_primitive_create");
}

/* Row r of the batch is probe row r mod PROBES, so that each stands at many places. */
static enum cola_status check_rows(struct cola_onednn *o, struct cola_onednn_shape *s, uint32_t rows)
{
    size_t in_bytes = s->n_in * sizeof(uint16_t), out_bytes = s->width * sizeof(float);
    uint16_t *source;
    COLA_TRY(cola_alloc((void **)&source, rows, in_bytes, "oneDNN probe"));
    for (uint32_t r = 0; r < rows; r++)
        memcpy(source + (size_t)r * s->n_in, s->probe + (size_t)(r % COLA_ONEDNN_PROBES) * s->n_in, in_bytes);
    float *out = o->thread[0].out;
    enum cola_status status = cola_onednn_check(
        cola_onednn_execute(o, s, rows, 0, source, s->probe_weights, out), "dnnl_primitive_execute, a check");
    for (uint32_t r = 0; r < rows && status == COLA_OK; r++)
        if (memcmp(out + (size_t)r * s->width, s->alone + (size_t)(r % COLA_ONEDNN_PROBES) * s->width,
                   out_bytes) != 0)
            status = cola_fail(
                COLA_ERR_UNSUPPORTED,
                "oneDNN's product of %u rows (K %u, %u columns) gives row %u other bits than alone: "
                "--bf16-products exact does without the library",
                rows, s->n_in, s->width, r);
    free(source);
    return status;
}

static enum cola_status run_alone(struct cola_onednn *o, struct cola_onednn_shape *s)
{
    for (uint32_t r = 0; r < COLA_ONEDNN_PROBES; r++)
        COLA_ONEDNN_TRY(cola_onednn_execute(o, s, 1, 0, s->probe + (size_t)r * s->n_in, s->probe_weights,
                                            s->alone + (size_t)r * s->width));
    return COLA_OK;
}

enum cola_status cola_onednn_primitive(struct cola_onednn *o, struct cola_onednn_shape *s, uint32_t rows)
{
    struct cola_onednn_primitive *p = &s->of_rows[rows];
    dnnl_primitive_desc_t description = NULL;
    enum cola_status status = COLA_OK;
    if (p->primitive) return COLA_OK;
    cola_onednn_one_thread();
    COLA_TRY_DONE(describe(o, s, rows, p, &description));
    COLA_TRY_DONE(build(o, s, rows, description, p));
    COLA_TRY_DONE(rows == 1 ? run_alone(o, s) : check_rows(o, s, rows));
done:
    if (description) dnnl_primitive_desc_destroy(description);
    if (status != COLA_OK) cola_onednn_primitive_release(o, p);
    return status;
}

void cola_onednn_primitive_release(struct cola_onednn *o, struct cola_onednn_primitive *p)
{
    for (uint32_t t = 0; p->memory && t < o->n_threads; t++) {
        dnnl_memory_destroy(p->memory[t].source);
        dnnl_memory_destroy(p->memory[t].weights);
        dnnl_memory_destroy(p->memory[t].product);
        dnnl_memory_destroy(p->memory[t].scratch);
    }
    free(p->memory);
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    *p = (struct cola_onednn_primitive){0};
}

static dnnl_status_t point(dnnl_memory_t *memory, const dnnl_memory_desc_t *description, dnnl_engine_t engine,
                           const void *at)
{
    void *handle = (void *)at; /* the library reads sources and weights only */
    return *memory ? dnnl_memory_set_data_handle(*memory, handle)
                   : dnnl_memory_create(memory, description, engine, handle);
}

dnnl_status_t cola_onednn_execute(struct cola_onednn *o, struct cola_onednn_shape *s, uint32_t rows,
                                  uint32_t thread, const uint16_t *source, const void *packed, float *out)
{
    struct cola_onednn_primitive *p = &s->of_rows[rows];
    struct cola_onednn_memory *m = &p->memory[thread];
    dnnl_status_t status = point(&m->source, &p->source, o->engine, source);
    if (status == dnnl_success) status = point(&m->weights, &s->packed, o->engine, packed);
    if (status == dnnl_success) status = point(&m->product, &p->product, o->engine, out);
    if (status == dnnl_success)
        status = point(&m->scratch, &p->scratch, o->engine, o->thread[thread].scratch);
    if (status != dnnl_success) return status;
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, m->source},
                                   {DNNL_ARG_WEIGHTS, m->weights},
                                   {DNNL_ARG_DST, m->product},
                                   {DNNL_ARG_SCRATCHPAD, m->scratch}};
    status = dnnl_primitive_execute(p->primitive, o->thread[thread].stream, 4, arguments);
    return status == dnnl_success ? dnnl_stream_wait(o->thread[thread].stream) : status;
}

/* onednn_shape.c - one (inner size, slice width) of the products: the packed layout, asked for once and kept
 * for every number of rows, and a probe of fixed numbers whose single-row products are what every primitive
 * of the shape is checked against and what the numerics id hashes. */
#include <stdlib.h>

#include "cola/memory.h"
#include "cola/random.h"
#include "engine/cpu/onednn_internal.h"

/* The layout that the library likes best for many rows; it would choose another one for few. */
static enum cola_status choose_layout(struct cola_onednn *o, struct cola_onednn_shape *s)
{
    dnnl_dim_t k = s->n_in, n = s->width, rows = COLA_ONEDNN_ROWS;
    dnnl_memory_desc_t source, any, product;
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_desc_t description = NULL;
    COLA_ONEDNN_TRY(dnnl_memory_desc_init_by_tag(&s->plain, 2, (dnnl_dims_t){k, n}, dnnl_bf16, dnnl_ba));
    COLA_ONEDNN_TRY(
        dnnl_memory_desc_init_by_tag(&any, 2, (dnnl_dims_t){k, n}, dnnl_bf16, dnnl_format_tag_any));
    COLA_ONEDNN_TRY(dnnl_memory_desc_init_by_tag(&source, 2, (dnnl_dims_t){rows, k}, dnnl_bf16, dnnl_ab));
    COLA_ONEDNN_TRY(dnnl_memory_desc_init_by_tag(&product, 2, (dnnl_dims_t){rows, n}, dnnl_f32, dnnl_ab));
    COLA_ONEDNN_TRY(dnnl_matmul_desc_init(&matmul, &source, &any, NULL, &product));
    COLA_ONEDNN_TRY(dnnl_primitive_desc_create(&description, &matmul, o->attributes, o->engine, NULL));
    const dnnl_memory_desc_t *packed = dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
    if (packed) s->packed = *packed;
    dnnl_primitive_desc_destroy(description);
    if (!packed) return cola_fail(COLA_ERR_LIBRARY, "oneDNN: a matmul has no layout for its weights");
    /* no padding: the library writes zeros into padding, and a room that is shared must only be read */
    if (dnnl_memory_desc_get_size(&s->packed) != cola_onednn_slice_bytes(s->n_in, s->width))
        return cola_fail(COLA_ERR_UNSUPPORTED, "oneDNN packs a weight of %u x %u with padding", s->width,
                         s->n_in);
    return COLA_OK;
}

static enum cola_status make_pack(struct cola_onednn *o, struct cola_onednn_shape *s)
{
    dnnl_primitive_desc_t description = NULL;
    COLA_ONEDNN_TRY(
        dnnl_reorder_primitive_desc_create(&description, &s->plain, o->engine, &s->packed, o->engine, NULL));
    dnnl_status_t status = dnnl_primitive_create(&s->pack, description);
    dnnl_primitive_desc_destroy(description);
    return cola_onednn_check(status, "dnnl_primitive_create, to pack weights");
}

dnnl_status_t cola_onednn_pack(const struct cola_onednn *o, const struct cola_onednn_shape *shape,
                               uint32_t thread, uint16_t *plain, void *packed)
{
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_status_t status = dnnl_memory_create(&from, &shape->plain, o->engine, plain);
    if (status == dnnl_success) status = dnnl_memory_create(&to, &shape->packed, o->engine, packed);
    if (status == dnnl_success) {
        dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
        status = dnnl_primitive_execute(shape->pack, o->thread[thread].stream, 2, arguments);
    }
    if (status == dnnl_success) status = dnnl_stream_wait(o->thread[thread].stream);
    dnnl_memory_destroy(from);
    dnnl_memory_destroy(to);
    return status;
}

/* Uniform in [-1, 1), rounded to bf16: sums of them in another order nearly always end in other bits. */
static void fill(struct cola_random *random, uint16_t *to, uint32_t n)
{
    enum { A_DRAW = 4 };
    for (uint32_t i = 0; i < n; i += A_DRAW) {
        uint64_t bits = cola_random_bits(random);
        float x[16] = {0};
        uint16_t rounded[16];
        for (int j = 0; j < A_DRAW; j++) x[j] = (float)(int16_t)(bits >> 16 * j) * 0x1p-15f;
        cola_onednn_round(x, A_DRAW, 16, rounded);
        for (uint32_t j = 0; j < A_DRAW && i + j < n; j++) to[i + j] = rounded[j];
    }
}

/* The products of the probe's rows, each alone. */
static enum cola_status probe(struct cola_onednn *o, struct cola_onednn_shape *s)
{
    struct cola_random random = cola_random_keyed(s->n_in, s->width, COLA_STREAM_SYNTHETIC);
    size_t n_weights = (size_t)s->n_in * s->width, n_rows = COLA_ONEDNN_PROBES;
    COLA_TRY(cola_alloc((void **)&s->probe, n_rows * s->n_in, sizeof *s->probe, "oneDNN probe"));
    COLA_TRY(cola_alloc((void **)&s->alone, n_rows * s->width, sizeof *s->alone, "oneDNN probe"));
    COLA_TRY(cola_alloc(&s->probe_weights, n_weights, sizeof(uint16_t), "oneDNN probe"));
    COLA_TRY(cola_grow((void **)&o->thread[0].staging, &o->thread[0].staging_room, n_weights,
                       sizeof(uint16_t), "oneDNN weights"));
    fill(&random, s->probe, (uint32_t)n_rows * s->n_in);
    fill(&random, o->thread[0].staging, (uint32_t)n_weights);
    COLA_ONEDNN_TRY(cola_onednn_pack(o, s, 0, o->thread[0].staging, s->probe_weights));
    return cola_onednn_primitive(o, s, 1); /* fills `alone` */
}

static void hash_alone(struct cola_onednn *o, const struct cola_onednn_shape *s)
{
    cola_hash_u64(o->hash, s->n_in);
    cola_hash_u64(o->hash, s->width);
    cola_hash_bytes(o->hash, s->alone, (size_t)COLA_ONEDNN_PROBES * s->width * sizeof *s->alone);
}

enum cola_status cola_onednn_shape(struct cola_onednn *o, uint32_t n_in, uint32_t width,
                                   struct cola_onednn_shape **out)
{
    struct cola_onednn_shape *s = NULL;
    enum cola_status status = COLA_OK;
    for (uint32_t i = 0; i < o->n_shapes; i++)
        if (o->shape[i]->n_in == n_in && o->shape[i]->width == width) {
            *out = o->shape[i];
            return COLA_OK;
        }
    cola_onednn_one_thread();
    COLA_TRY(
        cola_grow((void **)&o->shape, &o->shape_room, o->n_shapes + 1, sizeof *o->shape, "oneDNN shapes"));
    COLA_TRY(cola_alloc((void **)&s, 1, sizeof *s, "oneDNN shape"));
    s->n_in = n_in;
    s->width = width;
    COLA_TRY_DONE(choose_layout(o, s));
    COLA_TRY_DONE(make_pack(o, s));
    COLA_TRY_DONE(probe(o, s));
    hash_alone(o, s);
    o->shape[o->n_shapes++] = s;
    *out = s;
    return COLA_OK;
done:
    cola_onednn_shape_destroy(o, s);
    return status;
}

void cola_onednn_shape_destroy(struct cola_onednn *o, struct cola_onednn_shape *s)
{
    for (uint32_t rows = 0; rows <= COLA_ONEDNN_ROWS; rows++)
        cola_onednn_primitive_release(o, &s->of_rows[rows]);
    if (s->pack) dnnl_primitive_destroy(s->pack);
    free(s->probe);
    free(s->probe_weights);
    free(s->alone);
    free(s);
}

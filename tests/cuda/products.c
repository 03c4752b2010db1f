/* products.c - matrix products of the cuda back end against ref in bytes: rows on both sides of where another
 * tile is taken, inner sizes around the depth of a slice, all dtypes, several products at once, added or not;
 * guards behind what is written. */
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "cuda/gpu.h"

enum { N_PRODUCTS = 6, GUARD = 8 };
static const uint32_t columns[N_PRODUCTS] = {600, 400, 65, 64, 63, 1};
#define REF  (&cola_backend_ref)
#define CUDA (&cola_backend_cuda)

struct weight {
    struct cola_tensor tensor;
    void *data, *room;
    struct cola_matrix *by_ref, *by_cuda;
};

/* Numbers of -1 .. 1 in the given dtype; f16 and bf16 by their bits. */
static void fill(struct cola_random *random, enum cola_dtype dtype, size_t n, void *out)
{
    for (size_t i = 0; i < n; i++) {
        float value = (float)(2 * cola_random_uniform(random) - 1);
        uint32_t bits = (uint32_t)cola_random_bits(random), low = bits & 0x80FF;
        uint16_t half = (uint16_t)(dtype == COLA_BF16 ? low | 0x3E00 : low | (bits & 0x300) | 0x3000);
        if (dtype == COLA_F32)
            memcpy((float *)out + i, &value, sizeof value);
        else
            memcpy((uint16_t *)out + i, &half, sizeof half);
    }
}

static void load(const struct gpu *g, struct cola_random *random, enum cola_dtype dtype, uint32_t m,
                 uint32_t k, struct weight *w)
{
    size_t n = (size_t)m * k;
    w->data = malloc(n * cola_dtype_bytes(dtype));
    assert_non_null(w->data);
    fill(random, dtype, n, w->data);
    w->tensor = (struct cola_tensor){.data = w->data, .dtype = dtype, .n_dims = 2, .shape = {m, k}};
    gpu_ok(cola_alloc(&w->room, REF->matrix_bytes(g->ref, &w->tensor), 1, "test"));
    gpu_ok(REF->load_matrix(g->ref, &w->tensor, w->room, false, &w->by_ref));
    gpu_ok(CUDA->load_matrix(g->cuda, &w->tensor, NULL, false, &w->by_cuda));
}

static void unload(const struct gpu *g, struct weight *w)
{
    REF->release_matrix(g->ref, w->by_ref);
    CUDA->release_matrix(g->cuda, w->by_cuda);
    free(w->data), free(w->room);
}

/* All products of one call, on top of `before` or not. */
static bool check_call(const struct gpu *g, struct weight *w, const float *x, uint32_t n, uint32_t k,
                       bool add)
{
    struct cola_product ref[N_PRODUCTS], cuda[N_PRODUCTS];
    float *dx = gpu_put(g, x, (size_t)n * k);
    bool same = true;
    for (int p = 0; p < N_PRODUCTS; p++) {
        size_t size = (size_t)n * columns[p] + GUARD;
        float *before = malloc(size * sizeof *before);
        for (size_t i = 0; i < size; i++) before[i] = 0.25f * (float)(i % 17) - 1;
        ref[p] = (struct cola_product){w[p].by_ref, before};
        cuda[p] = (struct cola_product){w[p].by_cuda, gpu_put(g, before, size)};
    }
    gpu_ok(REF->product(g->ref, x, n, ref, N_PRODUCTS, add));
    gpu_ok(CUDA->product(g->cuda, dx, n, cuda, N_PRODUCTS, add));
    for (int p = 0; p < N_PRODUCTS; p++) {
        size_t size = (size_t)n * columns[p] + GUARD;
        float *got = malloc(size * sizeof *got);
        gpu_get(g, cuda[p].out, size, got);
        bool equal = gpu_same(got, ref[p].out, size);
        if (!equal)
            printf("cuda: product of %u rows, K %u, M %u, %s%s differs from ref\n", n, k, columns[p],
                   cola_dtype_name(w[p].tensor.dtype), add ? ", added" : "");
        same = same && equal;
        gpu_free(g, cuda[p].out);
        free(got), free(ref[p].out);
    }
    gpu_free(g, dx);
    return same;
}

static bool check_inner_size(const struct gpu *g, struct cola_random *random, enum cola_dtype dtype,
                             uint32_t k, bool all)
{
    static const uint32_t rows[] = {1, 17, 130, 2, 15, 16, 48, 63, 64, 65, 128, 200};
    struct weight w[N_PRODUCTS];
    bool same = true;
    for (int p = 0; p < N_PRODUCTS; p++) /* the last of another dtype: a call may mix them */
        load(g, random, p + 1 == N_PRODUCTS ? COLA_F32 : dtype, columns[p], k, &w[p]);
    for (size_t i = 0; i < (all ? sizeof rows / sizeof *rows : 3); i++) {
        float *x = gpu_random(random, (size_t)rows[i] * k, 1);
        same = check_call(g, w, x, rows[i], k, i % 2) && same;
        free(x);
    }
    for (int p = 0; p < N_PRODUCTS; p++) unload(g, &w[p]);
    return same;
}

/* A sum that underflows to -0 must stay it: a kernel that goes on past K with zeros gives +0. */
static bool check_negative_zero(const struct gpu *g)
{
    enum { ROWS = 3, K = 5, M = 70 };
    float x[ROWS * K], expected[ROWS * M];
    struct cola_random random = cola_random_keyed(1, 1, COLA_STREAM_SYNTHETIC);
    struct weight w;
    load(g, &random, COLA_F32, M, K, &w);
    CUDA->release_matrix(g->cuda, w.by_cuda);
    REF->release_matrix(g->ref, w.by_ref);
    for (int i = 0; i < M * K; i++) ((float *)w.data)[i] = -1e-30f;
    for (int i = 0; i < ROWS * K; i++) x[i] = 1e-30f;
    gpu_ok(REF->load_matrix(g->ref, &w.tensor, w.room, false, &w.by_ref));
    gpu_ok(CUDA->load_matrix(g->cuda, &w.tensor, NULL, false, &w.by_cuda));
    struct cola_product ref = {w.by_ref, expected}, cuda = {w.by_cuda, gpu_put(g, expected, ROWS * M)};
    float *dx = gpu_put(g, x, ROWS * K), got[ROWS * M];
    gpu_ok(REF->product(g->ref, x, ROWS, &ref, 1, false));
    gpu_ok(CUDA->product(g->cuda, dx, ROWS, &cuda, 1, false));
    gpu_get(g, cuda.out, ROWS * M, got);
    static const float minus_zero = -0.0f;
    assert_memory_equal(&expected[0], &minus_zero, sizeof minus_zero);
    bool same = gpu_same(got, expected, ROWS * M);
    if (!same) printf("cuda: a product that underflows differs from ref\n");
    gpu_free(g, cuda.out), gpu_free(g, dx);
    unload(g, &w);
    return same;
}

bool gpu_products_agree(const struct gpu *g, uint64_t seed, bool all)
{
    static const uint32_t inner[] = {1, 36, 100, 3, 4, 15, 16, 17, 31, 32, 33, 64, 65, 130, 256};
    struct cola_random random = cola_random_keyed(seed, 3, COLA_STREAM_SYNTHETIC);
    bool same = check_negative_zero(g);
    for (size_t i = 0; i < (all ? sizeof inner / sizeof *inner : 3); i++)
        for (int dtype = 0; dtype < COLA_N_DTYPES; dtype++)
            if (all || (size_t)dtype == i)
                same = check_inner_size(g, &random, (enum cola_dtype)dtype, inner[i], all) && same;
    return same;
}

/* operations.c - every operation of the table but products on the cuda back end, against ref in bytes: shapes
 * that the tiny models do not reach, stored keys, special values. */
#include <math.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/engine.h"
#include "cuda/gpu.h"

#define REF  (&cola_backend_ref)
#define CUDA (&cola_backend_cuda)

/* Whether device memory holds these floats; releases it. */
static bool holds(const struct gpu *g, float *device, const float *expected, size_t n)
{
    float *host = malloc(n * sizeof *host + 1);
    assert_non_null(host);
    gpu_get(g, device, n, host);
    bool same = gpu_same(host, expected, n);
    free(host);
    gpu_free(g, device);
    return same;
}

static bool say(bool same, const char *what, uint32_t n, uint32_t width)
{
    if (!same) printf("cuda: %s of %u x %u differs from ref\n", what, n, width);
    return same;
}

/* --- rows: norm, gate, sums --------------------------------------------------------------------------------
 */

static bool check_norm(const struct gpu *g, const float *x, const float *w, uint32_t n, uint32_t width)
{
    size_t size = (size_t)n * width;
    float *expected = calloc(size, sizeof *expected), *dx = gpu_put(g, x, size), *dw = gpu_put(g, w, width);
    REF->norm(g->ref, x, w, 1e-5f, n, width, expected);
    gpu_ok(CUDA->norm(g->cuda, dx, dw, 1e-5f, n, width, dx)); /* in place */
    bool same = holds(g, dx, expected, size);
    gpu_free(g, dw), free(expected);
    return say(same, "norm", n, width);
}

static bool check_gate(const struct gpu *g, const float *x, const float *w, uint32_t n, uint32_t width)
{
    size_t size = (size_t)n * width;
    float *expected = calloc(size, sizeof *expected), *dx = gpu_put(g, x, size), *dw = gpu_put(g, w, size);
    REF->gate(g->ref, x, w, n, width, expected);
    gpu_ok(CUDA->gate(g->cuda, dx, dw, n, width, dx));
    bool same = holds(g, dx, expected, size);
    gpu_free(g, dw), free(expected);
    return say(same, "gate", n, width);
}

static bool check_sums(const struct gpu *g, const float *x, const float *y, uint32_t n, uint32_t width)
{
    size_t size = (size_t)n * width;
    float *expected = malloc(size * sizeof *expected), *dx = gpu_put(g, x, size), *dy = gpu_put(g, y, size);
    uint32_t *row = malloc(n * sizeof *row);
    memcpy(expected, x, size * sizeof *expected);
    for (uint32_t i = 0; i < n; i++) row[i] = n - 1 - i;
    REF->add_bias(g->ref, y, n, width, expected);
    REF->add(g->ref, y, size, expected);
    REF->add_scaled(g->ref, y, x, row, n, width, expected);
    gpu_ok(CUDA->add_bias(g->cuda, dy, n, width, dx));
    gpu_ok(CUDA->add(g->cuda, dy, size, dx));
    gpu_ok(CUDA->add_scaled(g->cuda, dy, x, row, n, width, dx));
    bool same = holds(g, dx, expected, size);
    gpu_free(g, dy), free(expected), free(row);
    return say(same, "sums", n, width);
}

/* Rows there and back: out of order on the way there, some twice. */
static bool check_moves(const struct gpu *g, struct cola_random *random, const float *x, uint32_t n,
                        uint32_t width)
{
    size_t size = (size_t)n * width;
    float *gathered = malloc(size * sizeof *gathered), *scattered = calloc(size, sizeof *scattered);
    float *dx = gpu_put(g, x, size), *a = gpu_put(g, x, size), *b = gpu_put(g, x, size);
    uint32_t *from = malloc(n * sizeof *from), *to = malloc(n * sizeof *to);
    for (uint32_t i = 0; i < n; i++) from[i] = (uint32_t)cola_random_below(random, n), to[i] = n - 1 - i;
    REF->gather(g->ref, x, from, n, width, gathered);
    REF->scatter(g->ref, gathered, to, n, width, scattered);
    gpu_ok(CUDA->gather(g->cuda, dx, from, n, width, a));
    gpu_ok(CUDA->scatter(g->cuda, a, to, n, width, b));
    bool same = holds(g, a, gathered, size);
    gpu_ok(CUDA->copy(g->cuda, b, size, dx));
    gpu_ok(CUDA->clear(g->cuda, size, b));
    same = holds(g, dx, scattered, size) && same;
    memset(scattered, 0, size * sizeof *scattered);
    same = holds(g, b, scattered, size) && same;
    free(gathered), free(scattered), free(from), free(to);
    return say(same, "gather, scatter, copy or clear", n, width);
}

static bool check_embed(const struct gpu *g, struct cola_random *random, uint32_t n, uint32_t width)
{
    enum { VOCABULARY = 50 };
    bool same = true;
    for (int dtype = 0; dtype < COLA_N_DTYPES; dtype++) {
        size_t each = cola_dtype_bytes((enum cola_dtype)dtype), size = (size_t)n * width;
        uint8_t *data = malloc(VOCABULARY * width * each + 2);
        struct cola_tensor table = {
            .data = data + 2, .dtype = (enum cola_dtype)dtype, .n_dims = 2, .shape = {VOCABULARY, width}};
        int32_t *token = malloc(n * sizeof *token);
        float *expected = malloc(size * sizeof *expected), *out;
        for (size_t i = 0; i < VOCABULARY * width * each + 2; i++)
            data[i] = (uint8_t)cola_random_bits(random);
        for (uint32_t i = 0; i < n; i++) token[i] = (int32_t)cola_random_below(random, VOCABULARY);
        REF->embed(g->ref, &table, token, n, expected);
        gpu_ok(CUDA->allocate(g->cuda, size, "rows", &out));
        gpu_ok(CUDA->embed(g->cuda, &table, token, n, out));
        same = holds(g, out, expected, size) && same;
        free(data), free(token), free(expected);
    }
    return say(same, "embedding", n, width);
}

/* --- routing and logits ------------------------------------------------------------------------------------
 */

static bool check_route(const struct gpu *g, const float *x, uint32_t n, uint32_t width)
{
    struct cola_experts experts = {.n_experts = width, .n_active = 1 + width / 3, .normalise = n % 2};
    size_t size = (size_t)n * width, n_values = (size_t)n * experts.n_active;
    uint32_t *e = calloc(2 * n_values, sizeof *e);
    float *w = calloc(2 * n_values, sizeof *w), *dx = gpu_put(g, x, size);
    REF->route(g->ref, x, n, &experts, e, w);
    gpu_ok(CUDA->route(g->cuda, dx, n, &experts, e + n_values, w + n_values));
    bool same = memcmp(e, e + n_values, n_values * sizeof *e) == 0 && gpu_same(w, w + n_values, n_values);
    gpu_free(g, dx), free(e), free(w);
    return say(same, "routing", n, width);
}

static bool check_logits(const struct gpu *g, struct cola_random *random, const float *x, uint32_t n,
                         uint32_t width)
{
    enum { N_PICKS = 20 };
    struct cola_logits *a = calloc(2 * n, sizeof *a), *b = a + n;
    struct cola_pick pick[N_PICKS];
    float picked[2][N_PICKS], *dx = gpu_put(g, x, (size_t)n * width);
    for (int i = 0; i < N_PICKS; i++)
        pick[i] = (struct cola_pick){(uint32_t)cola_random_below(random, n),
                                     (int32_t)cola_random_below(random, width)};
    REF->reduce_logits(g->ref, x, n, width, a, pick, N_PICKS, picked[0]);
    gpu_ok(CUDA->reduce_logits(g->cuda, dx, n, width, b, pick, N_PICKS, picked[1]));
    bool same = gpu_same(picked[0], picked[1], N_PICKS);
    for (uint32_t i = 0; i < n; i++)
        same =
            same && gpu_same(&a[i].sum, &b[i].sum, 1) && a[i].max == b[i].max && a[i].argmax == b[i].argmax;
    gpu_free(g, dx), free(a);
    return say(same, "logits", n, width);
}

/* Ties, infinities and values that are none, in the logits and in the routers' logits. */
static bool check_special(const struct gpu *g, struct cola_random *random)
{
    enum { N = 6, WIDTH = 40 };
    static const float value[N] = {0, -0.0f, INFINITY, -INFINITY, NAN, 3};
    float *x = gpu_random(random, N * WIDTH, 2);
    for (int n = 0; n < N; n++) {
        x[n * WIDTH + 7] = x[n * WIDTH + 31] = x[n * WIDTH + 12] = value[n];
        if (n == 3)
            for (int i = 0; i < WIDTH; i++) x[n * WIDTH + i] = -INFINITY;
    }
    bool same = check_route(g, x, N, WIDTH);
    float *dx = gpu_put(g, x, N * WIDTH);
    struct cola_logits a[N], b[N];
    REF->reduce_logits(g->ref, x, N, WIDTH, a, NULL, 0, NULL);
    gpu_ok(CUDA->reduce_logits(g->cuda, dx, N, WIDTH, b, NULL, 0, NULL));
    for (int n = 0; n < N; n++)
        same = same && gpu_same(&a[n].sum, &b[n].sum, 1) && gpu_same(&a[n].max, &b[n].max, 1) &&
               a[n].argmax == b[n].argmax;
    gpu_free(g, dx), free(x);
    return say(same, "special logits", N, WIDTH);
}

/* --- rotation and attention --------------------------------------------------------------------------------
 */

static bool check_rotation(const struct gpu *g, struct cola_random *random, uint32_t n, uint32_t heads,
                           uint32_t d)
{
    size_t size = (size_t)n * heads * d;
    float *x = gpu_random(random, size, 2), *table = gpu_random(random, (size_t)50 * d, 1);
    float *dx = gpu_put(g, x, size), *dtable = gpu_put(g, table, (size_t)50 * d);
    uint32_t *position = malloc(n * sizeof *position);
    for (uint32_t i = 0; i < n; i++) position[i] = (uint32_t)cola_random_below(random, 50);
    REF->rotate(g->ref, x, table, position, n, heads, d);
    gpu_ok(CUDA->rotate(g->cuda, dx, dtable, position, n, heads, d));
    bool same = holds(g, dx, x, size);
    gpu_free(g, dtable), free(x), free(table), free(position);
    return say(same, "rotation", n * heads, d);
}

/* Keys of `n` rows as a store, on one back end. */
static float *store_of(const struct cola_backend *b, struct cola_device *device, struct cola_keys rows,
                       uint32_t n, uint32_t kv, uint32_t d, uint32_t room)
{
    float *store;
    gpu_ok(b->allocate(device, b->store_floats(device, room, kv, d), "store", &store));
    struct cola_kept_keys kept[] = {
        {rows.k, rows.v, 1, 0, room, store},
        {rows.k + (size_t)kv * d, rows.v + (size_t)kv * d, n - 1, 1, room, store}};
    gpu_ok(b->store_keys(device, kept, n > 1 ? 2 : 1, kv, d));
    return store;
}

/* Spans over keys k, v of one back end: a prompt, two continuations, and a decoding step on stored keys. */
static void list_spans(const float *k, const float *v, size_t w, const float *prefix, const float *tail,
                       uint32_t n_prompt, uint32_t n_tail, struct cola_span span[4])
{
    struct cola_keys all = {k, v, 0}, first = {k + n_prompt * w, v + n_prompt * w, 0};
    struct cola_keys second = {first.k + n_tail * w, first.v + n_tail * w, 0};
    span[0] = (struct cola_span){.first_row = 0, .n_rows = n_prompt, .n_first = 1, .tail = all};
    span[1] = (struct cola_span){n_prompt, n_tail, n_prompt, 1, all, first};
    span[2] = (struct cola_span){n_prompt + n_tail, 1, n_prompt, 1, all, second};
    span[3] =
        (struct cola_span){n_prompt + n_tail + 1, 1, n_prompt, 3, {prefix, NULL, n_prompt}, {tail, NULL, 5}};
}

static bool check_attention(const struct gpu *g, struct cola_random *random, uint32_t heads, uint32_t kv,
                            uint32_t d, uint32_t n_prompt, uint32_t n_tail)
{
    uint32_t n = n_prompt + n_tail + 5; /* at least as many rows as the stores need */
    size_t size = (size_t)n * heads * d, w = (size_t)kv * d, kv_size = n * w;
    float *q = gpu_random(random, size, 3), *k = gpu_random(random, kv_size, 3),
          *v = gpu_random(random, kv_size, 1);
    float *expected = calloc(size, sizeof *expected), *dq = gpu_put(g, q, size), *dk = gpu_put(g, k, kv_size),
          *dv = gpu_put(g, v, kv_size), *out = gpu_put(g, expected, size);
    struct cola_span span[4];
    struct cola_attention a = {.q = q,
                               .out = expected,
                               .n_heads = heads,
                               .n_kv_heads = kv,
                               .head_size = d,
                               .scale = 0.3f,
                               .span = span,
                               .n_spans = 4};
    float *prefix = store_of(REF, g->ref, (struct cola_keys){k, v, 0}, n_prompt, kv, d, n_prompt),
          *tail = store_of(REF, g->ref, (struct cola_keys){k + 2 * w, v + w, 0}, 3, kv, d, 5);
    list_spans(k, v, w, prefix, tail, n_prompt, n_tail, span);
    gpu_ok(REF->attention(g->ref, &a));
    REF->release(g->ref, prefix), REF->release(g->ref, tail);
    prefix = store_of(CUDA, g->cuda, (struct cola_keys){dk, dv, 0}, n_prompt, kv, d, n_prompt);
    tail = store_of(CUDA, g->cuda, (struct cola_keys){dk + 2 * w, dv + w, 0}, 3, kv, d, 5);
    list_spans(dk, dv, w, prefix, tail, n_prompt, n_tail, span);
    a.q = dq, a.out = out;
    gpu_ok(CUDA->attention(g->cuda, &a));
    bool same = holds(g, out, expected, size);
    gpu_free(g, prefix), gpu_free(g, tail), gpu_free(g, dq), gpu_free(g, dk), gpu_free(g, dv);
    free(q), free(k), free(v), free(expected);
    if (!same)
        printf("cuda: attention of %u/%u heads of %u, prompt %u, tail %u differs from ref\n", heads, kv, d,
               n_prompt, n_tail);
    return same;
}

bool gpu_operations_agree(const struct gpu *g, uint64_t seed, int rounds)
{
    static const uint32_t size[] = {1, 2, 3, 5, 7, 8, 13, 14, 15, 16, 17, 29, 31, 32, 33, 48, 64, 65, 100};
    enum { N = sizeof size / sizeof *size };
    struct cola_random random = cola_random_keyed(seed, 2, COLA_STREAM_SYNTHETIC);
    bool same = check_special(g, &random);
    for (int i = 0; i < rounds; i++) {
        uint32_t n = size[cola_random_below(&random, N)], k = size[cola_random_below(&random, N)];
        uint32_t m = size[cola_random_below(&random, N)], kv = 1 + (uint32_t)cola_random_below(&random, 3);
        float *x = gpu_random(&random, (size_t)n * k, 30), *y = gpu_random(&random, (size_t)n * k, 3);
        same = check_norm(g, x, y, n, k) && same;
        same = check_gate(g, x, y, n, k) && same;
        same = check_sums(g, x, y, n, k) && same;
        same = check_moves(g, &random, x, n, k) && same;
        same = check_embed(g, &random, n, k) && same;
        same = check_route(g, x, n, k) && same;
        same = check_logits(g, &random, x, n, k) && same;
        same = check_rotation(g, &random, n, kv, 2 * m) && same;
        same = check_attention(g, &random, kv * (1 + (uint32_t)cola_random_below(&random, 5)), kv, 2 * k, n,
                               m) &&
               same;
        free(x), free(y);
    }
    /* rows longer than a piece of the reduction */
    float *x = gpu_random(&random, 3 * 7001, 12);
    same = check_logits(g, &random, x, 3, 7001) && same;
    free(x);
    return same;
}

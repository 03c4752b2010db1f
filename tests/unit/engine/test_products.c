/* test_products.c - matrix products of the cpu back end against ref in bytes: every number of rows up to 70,
 * odd inner sizes and columns, several products at once, added or not, both modes, all instruction sets, all
 * dtypes of weights, one to five threads, and panels that another process could have packed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "cola/random.h"
#include "engine/backend.h"

enum { ROWS = 70, N_PRODUCTS = 5, N_DEVICES = 5, GUARD = 64 };
static const uint32_t columns[N_PRODUCTS] = {1, 31, 32, 33, 100};
#define REF (&cola_backend_ref)
#define CPU (&cola_backend_cpu)

struct bench {                                /* one mode and instruction set */
    struct cola_device *ref, *cpu[N_DEVICES]; /* cpu[t]: t + 1 threads */
    struct cola_random random;
    const char *what;
};

struct weight { /* one tensor, as ref and as each cpu device has it */
    struct cola_tensor tensor;
    void *data, *ref_room, *cpu_room[N_DEVICES];
    struct cola_matrix *by_ref, *by_cpu[N_DEVICES];
};

/* Equal bytes, any NaN equal to any NaN: their bits are not defined. */
static bool same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

static void *room_of(size_t n_bytes)
{
    void *room;
    assert_int_equal(cola_alloc(&room, n_bytes, 1, "test"), COLA_OK);
    return room;
}

static void fill_floats(struct cola_random *random, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) out[i] = (float)(2 * cola_random_uniform(random) - 1);
}

/* Numbers of -1 .. 1 in the given dtype; f16 and bf16 by their bits. */
static void fill_weights(struct cola_random *random, enum cola_dtype dtype, size_t n, void *out)
{
    if (dtype == COLA_F32) {
        fill_floats(random, n, out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)cola_random_bits(random), low = bits & 0x80FF;
        uint16_t half = (uint16_t)(dtype == COLA_BF16 ? low | 0x3E00 : low | (bits & 0x300) | 0x3000);
        memcpy((uint16_t *)out + i, &half, sizeof half);
    }
}

/* The first device packs; the others get a copy of the bytes elsewhere, as another process would. */
static void load(struct bench *b, struct weight *w, enum cola_dtype dtype, uint32_t m, uint32_t k,
                 const void *data)
{
    size_t n = (size_t)m * k;
    w->data = room_of(n * cola_dtype_bytes(dtype));
    if (data)
        memcpy(w->data, data, n * cola_dtype_bytes(dtype));
    else
        fill_weights(&b->random, dtype, n, w->data);
    w->tensor = (struct cola_tensor){.data = w->data, .dtype = dtype, .n_dims = 2, .shape = {m, k}};
    w->ref_room = room_of(REF->matrix_bytes(b->ref, &w->tensor));
    assert_int_equal(REF->load_matrix(b->ref, &w->tensor, w->ref_room, false, &w->by_ref), COLA_OK);
    for (int d = 0; d < N_DEVICES; d++) {
        size_t n_bytes = CPU->matrix_bytes(b->cpu[d], &w->tensor);
        w->cpu_room[d] = room_of(n_bytes);
        if (d) memcpy(w->cpu_room[d], w->cpu_room[0], n_bytes);
        assert_int_equal(CPU->load_matrix(b->cpu[d], &w->tensor, w->cpu_room[d], d > 0, &w->by_cpu[d]),
                         COLA_OK);
    }
}

static void unload(struct bench *b, struct weight *w)
{
    REF->release_matrix(b->ref, w->by_ref);
    for (int d = 0; d < N_DEVICES; d++) {
        CPU->release_matrix(b->cpu[d], w->by_cpu[d]);
        free(w->cpu_room[d]);
    }
    free(w->data);
    free(w->ref_room);
}

/* --- every shape -------------------------------------------------------------------------------------- */

/* n rows from `first` of x on one device, alone or all matrices in one call: the bytes of those rows in
 * `expected` (the products of all 70 rows by ref), whatever n, first and the threads; nothing is written
 * behind. */
static void check_rows(struct bench *b, struct weight *w, const float *x, float *const *before,
                       float *const *expected, uint32_t first, uint32_t n, bool together, bool add)
{
    int d = (int)(n % N_DEVICES);
    uint32_t k = (uint32_t)w->tensor.shape[1];
    float *out[N_PRODUCTS];
    struct cola_product product[N_PRODUCTS];
    for (int p = 0; p < N_PRODUCTS; p++) {
        size_t size = (size_t)n * columns[p];
        out[p] = room_of((size + GUARD) * sizeof **out);
        memcpy(out[p], before[p] + (size_t)first * columns[p], size * sizeof **out);
        for (int i = 0; i < GUARD; i++) out[p][size + (size_t)i] = 77;
        product[p] = (struct cola_product){w[p].by_cpu[d], out[p]};
    }
    if (together)
        assert_int_equal(CPU->product(b->cpu[d], x + (size_t)first * k, n, product, N_PRODUCTS, add),
                         COLA_OK);
    for (int p = 0; p < N_PRODUCTS; p++) {
        size_t size = (size_t)n * columns[p];
        if (!together)
            assert_int_equal(CPU->product(b->cpu[d], x + (size_t)first * k, n, &product[p], 1, add), COLA_OK);
        if (!same(out[p], expected[p] + (size_t)first * columns[p], size))
            fail_msg("%s: rows %u .. %u, K %u, M %u, %d threads%s%s: differs from ref", b->what, first,
                     first + n - 1, k, columns[p], d + 1, add ? ", added" : "", together ? ", together" : "");
        for (int i = 0; i < GUARD; i++) assert_true(out[p][size + (size_t)i] == 77);
        free(out[p]);
    }
}

static void check_inner_size(struct bench *b, enum cola_dtype dtype, uint32_t k)
{
    struct weight w[N_PRODUCTS];
    float *x = room_of((size_t)ROWS * k * sizeof *x), *before[N_PRODUCTS], *plain[N_PRODUCTS],
          *added[N_PRODUCTS];
    fill_floats(&b->random, (size_t)ROWS * k, x);
    for (int p = 0; p < N_PRODUCTS; p++) {
        size_t size = (size_t)ROWS * columns[p];
        load(b, &w[p], dtype, columns[p], k, NULL);
        before[p] = room_of(size * sizeof **before);
        plain[p] = room_of(size * sizeof **plain);
        added[p] = room_of(size * sizeof **added);
        fill_floats(&b->random, size, before[p]);
        memcpy(added[p], before[p], size * sizeof **added);
        struct cola_product to_plain = {w[p].by_ref, plain[p]}, to_added = {w[p].by_ref, added[p]};
        assert_int_equal(REF->product(b->ref, x, ROWS, &to_plain, 1, false), COLA_OK);
        assert_int_equal(REF->product(b->ref, x, ROWS, &to_added, 1, true), COLA_OK);
    }
    for (uint32_t n = 1; n <= ROWS; n++)
        for (int i = 0; i < 4; i++)
            check_rows(b, w, x, before, i & 1 ? added : plain, n * 37 % (ROWS + 1 - n), n, i & 2, i & 1);
    for (int p = 0; p < N_PRODUCTS; p++) {
        unload(b, &w[p]);
        free(before[p]), free(plain[p]), free(added[p]);
    }
    free(x);
}

/* --- values ------------------------------------------------------------------------------------------- */

/* Zeros, subnormals, infinities, NaN (one whose payload is in the lower 16 bits), ties between two bf16, and
 * what rounds to infinity, on both sides. */
static void check_special_values(struct bench *b, enum cola_dtype dtype)
{
    static const uint32_t special[] = {0,          0x80000000, 1,          0x80000001, 0x007FFFFF, 0x3F808000,
                                       0x3F818000, 0x3F818001, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7F800001,
                                       0x7FC00000, 0x3F800000, 0x00008000, 0x00018000, 0xBF80FFFF};
    enum { N = sizeof special / sizeof *special, M = 16 * N };
    float x[N * N];
    char data[M * N * sizeof(float)];
    for (int i = 0; i < N * N; i++) memcpy(&x[i], &special[(i / N + i % N) % N], sizeof *x);
    for (size_t i = 0; i < M * N; i++) {
        uint32_t bits = i % 3 ? 0x3F800000 : special[(i / 3) % N];
        uint16_t half = (uint16_t)(dtype == COLA_F16 ? i * 61 : bits >> 16);
        if (dtype == COLA_F32)
            memcpy(data + 4 * i, &bits, sizeof bits);
        else
            memcpy(data + 2 * i, &half, sizeof half);
    }
    struct weight w;
    float *expected = room_of((size_t)N * M * sizeof *expected), *out = room_of((size_t)N * M * sizeof *out);
    for (int one_k = 0; one_k < 2; one_k++) { /* K = 1: no sum hides a value behind a NaN */
        uint32_t k = one_k ? 1 : N;
        load(b, &w, dtype, M, k, data);
        struct cola_product by_ref = {w.by_ref, expected}, by_cpu = {w.by_cpu[0], out};
        assert_int_equal(REF->product(b->ref, x, N, &by_ref, 1, false), COLA_OK);
        assert_int_equal(CPU->product(b->cpu[0], x, N, &by_cpu, 1, false), COLA_OK);
        if (!same(out, expected, (size_t)N * M)) fail_msg("%s: special values, K %u, differ", b->what, k);
        unload(b, &w);
    }
    free(expected), free(out);
}

/* --- modes -------------------------------------------------------------------------------------------- */

static bool open_bench(struct bench *b, const char *isa, bool bf16)
{
    static char what[64];
    snprintf(what, sizeof what, "%s, %s", isa, bf16 ? "bf16" : "f32");
    *b = (struct bench){.what = what, .random = cola_random_keyed(1, 3, COLA_STREAM_SYNTHETIC)};
    struct cola_device_options options = {.isa = isa, .bf16 = bf16, .bf16_products = "exact"};
    for (int d = 0; d < N_DEVICES; d++) {
        options.n_threads = (uint32_t)d + 1;
        if (CPU->open(&options, &b->cpu[d]) != COLA_OK) {
            printf("skipped: %s\n", cola_error_text());
            return false;
        }
    }
    assert_int_equal(REF->open(&options, &b->ref), COLA_OK);
    return true;
}

static void close_bench(struct bench *b)
{
    REF->close(b->ref);
    for (int d = 0; d < N_DEVICES; d++) CPU->close(b->cpu[d]);
}

static void check_mode(const char *isa, bool bf16)
{
    static const uint32_t inner[] = {1, 15, 16, 17, 100, 576};
    struct bench b;
    if (!open_bench(&b, isa, bf16)) skip();
    for (int dtype = 0; dtype < COLA_N_DTYPES; dtype++) {
        if (bf16 && dtype == COLA_F16) continue; /* refused: below */
        check_special_values(&b, (enum cola_dtype)dtype);
        for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
            check_inner_size(&b, (enum cola_dtype)dtype, inner[i]);
    }
    close_bench(&b);
}

static void avx2_f32_equals_ref(void **state)
{
    (void)state;
    check_mode("avx2", false);
}
static void avx2_bf16_equals_ref(void **state)
{
    (void)state;
    check_mode("avx2", true);
}
static void avx512_f32_equals_ref(void **state)
{
    (void)state;
    check_mode("avx512", false);
}
static void avx512_bf16_equals_ref(void **state)
{
    (void)state;
    check_mode("avx512", true);
}

static void avx512_bf16_instructions_equal_ref(void **state)
{
    (void)state;
    check_mode("avx512_bf16", false);
    check_mode("avx512_bf16", true);
}

/* A number whose exponent lies in 2^first .. 2^(first + n - 1), with 8 or 24 bits. */
static float number(struct cola_random *random, uint32_t first, uint32_t n, bool bf16)
{
    uint32_t bits = (uint32_t)cola_random_bits(random), exponent = first + 127 + (bits >> 9) % n;
    bits = (uint32_t)cola_random_bits(random);
    bits = (bits & 0x807FFFFF) | exponent << 23;
    float x;
    if (bf16) bits &= 0xFFFF0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Sums around the least normal number 2^-126: what is flushed, with which sign, and what rounds up to it. In
 * every other try the odd product is 2^-126 and the even one takes less than one of its lower ulps away. */
static void check_small_sums(const char *isa)
{
    enum { K = 4, M = 64, N = 14, TRIES = 40 };
    struct bench b;
    if (!open_bench(&b, isa, true)) return;
    uint32_t n_tiny = 0;
    for (int t = 0; t < TRIES; t++) {
        float x[N * K], data[M * K], expected[N * M], out[N * M];
        for (int i = 0; i < N * K; i++) x[i] = number(&b.random, i % K < 2 ? -64 : -72, 2, true);
        for (int i = 0; i < M * K; i++) data[i] = number(&b.random, i % K < 2 ? -63 : -72, 2, true);
        for (int i = 0; i < N * K && t % 2; i += K) /* 2^-126 less 1/4 .. 7/4 of half its ulp below */
            x[i + 1] = 0x1p-63f, x[i] = -0x1p-76f * (1 + (float)(i / K % 4) / 4), x[i + 2] = x[i + 3] = 0;
        for (int i = 0; i < M * K && t % 2; i += K)
            data[i + 1] = 0x1p-63f, data[i] = i / K % 3 ? 0x1p-75f : 0x1p-76f;
        struct weight w;
        load(&b, &w, COLA_F32, M, K, data);
        struct cola_product by_ref = {w.by_ref, expected}, by_cpu = {w.by_cpu[0], out};
        assert_int_equal(REF->product(b.ref, x, N, &by_ref, 1, false), COLA_OK);
        assert_int_equal(CPU->product(b.cpu[0], x, N, &by_cpu, 1, false), COLA_OK);
        for (int i = 0; i < N * M; i++) n_tiny += fabsf(expected[i]) <= 0x1p-126f;
        if (!same(out, expected, N * M)) fail_msg("%s: sums near 2^-126 differ", isa);
        unload(&b, &w);
    }
    assert_in_range(n_tiny, TRIES * N * M / 20, TRIES * N * M); /* the border was met */
    close_bench(&b);
}

static void small_sums_are_flushed_as_defined(void **state)
{
    (void)state;
    check_small_sums("avx2");
    check_small_sums("avx512");
    check_small_sums("avx512_bf16");
}

/* What the flags of the sums must not touch: a subnormal that a finished sum is added to. */
static void adding_a_finished_sum_keeps_subnormals(void **state)
{
    (void)state;
    static const char *const isa[] = {"avx2", "avx512", "avx512_bf16"};
    for (size_t i = 0; i < sizeof isa / sizeof *isa; i++) {
        struct bench b;
        float x[2] = {1, 0}, data[2] = {0, 0}, out = 0x1p-140f;
        if (!open_bench(&b, isa[i], true)) continue;
        struct weight w;
        load(&b, &w, COLA_F32, 1, 2, data);
        struct cola_product product = {w.by_cpu[0], &out};
        assert_int_equal(CPU->product(b.cpu[0], x, 1, &product, 1, true), COLA_OK);
        assert_true(out == 0x1p-140f);
        unload(&b, &w);
        close_bench(&b);
    }
}

/* A bf16 or f16 checkpoint takes half the memory of an f32 one, in the bf16 mode all take that half. */
static void weights_of_16_bits_take_half_the_room(void **state)
{
    struct cola_tensor f32 = {.dtype = COLA_F32, .n_dims = 2, .shape = {96, 50}}, bf16 = f32, f16 = f32;
    struct bench b;
    (void)state;
    bf16.dtype = COLA_BF16, f16.dtype = COLA_F16;
    if (!open_bench(&b, "auto", false)) skip();
    assert_int_equal(CPU->matrix_bytes(b.cpu[0], &f32), 96 * 50 * 4);
    assert_int_equal(CPU->matrix_bytes(b.cpu[0], &bf16), 96 * 50 * 2);
    assert_int_equal(CPU->matrix_bytes(b.cpu[0], &f16), 96 * 50 * 2);
    close_bench(&b);
    assert_true(open_bench(&b, "auto", true));
    assert_int_equal(CPU->matrix_bytes(b.cpu[0], &f32), 96 * 50 * 2);
    assert_int_equal(CPU->matrix_bytes(b.cpu[0], &bf16), 96 * 50 * 2);
    close_bench(&b);
}

static void f16_weights_in_the_bf16_mode_are_refused(void **state)
{
    uint16_t data[4] = {0};
    struct cola_tensor tensor = {.data = data, .dtype = COLA_F16, .n_dims = 2, .shape = {2, 2}};
    struct cola_matrix *matrix = NULL;
    struct bench b;
    (void)state;
    if (!open_bench(&b, "auto", true)) skip();
    void *room = room_of(CPU->matrix_bytes(b.cpu[0], &tensor));
    assert_int_equal(CPU->load_matrix(b.cpu[0], &tensor, room, false, &matrix), COLA_ERR_UNSUPPORTED);
    assert_null(matrix);
    assert_string_equal(cola_error_text(), "f16 weights lose 3 bits in bf16; use --dtype f32");
    free(room);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(avx2_f32_equals_ref),
        cmocka_unit_test(avx2_bf16_equals_ref),
        cmocka_unit_test(avx512_f32_equals_ref),
        cmocka_unit_test(avx512_bf16_equals_ref),
        cmocka_unit_test(avx512_bf16_instructions_equal_ref),
        cmocka_unit_test(small_sums_are_flushed_as_defined),
        cmocka_unit_test(adding_a_finished_sum_keeps_subnormals),
        cmocka_unit_test(weights_of_16_bits_take_half_the_room),
        cmocka_unit_test(f16_weights_in_the_bf16_mode_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

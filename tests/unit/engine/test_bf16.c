/* test_bf16.c - products of the bf16 mode: oneDNN's against ref's within the bound of their sums' roundings,
 * and in bytes against themselves for every batch, split and number of threads; our kernels' against ref's in
 * bytes. Where oneDNN is not built in, or not fit for this CPU, its tests are skipped and say why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cola/memory.h"
#include "cola/random.h"
#include "engine/backend.h"
#include "engine/cpu/onednn.h"
#include "engine/cpu/onednn_rows.h"
#include "engine/numerics.h"

static void ok(enum cola_status status)
{
    if (status != COLA_OK) fail_msg("%s", cola_error_text());
}

static struct cola_device *opened(const char *products, const char *isa, uint32_t n_threads)
{
    struct cola_device_options options = {
        .isa = isa, .n_threads = n_threads, .bf16 = true, .bf16_products = products};
    struct cola_device *device;
    ok(cola_backend_cpu.open(&options, &device));
    return device;
}

static struct cola_device *opened_ref(void)
{
    struct cola_device *device;
    ok(cola_backend_ref.open(&(struct cola_device_options){.bf16 = true}, &device));
    return device;
}

static void skip_without_onednn(void)
{
    struct cola_device *device;
    struct cola_device_options options = {
        .isa = "auto", .n_threads = 1, .bf16 = true, .bf16_products = "onednn"};
    if (cola_backend_cpu.open(&options, &device) == COLA_OK) {
        cola_backend_cpu.close(device);
        return;
    }
    print_message("skipped: %s\n", cola_error_text());
    skip();
}

/* --- a weight, a left side and what a device makes of them
 * -------------------------------------------------- */

struct weight {
    struct cola_tensor tensor;
    float *value;
};

static float *random_floats(struct cola_random *random, size_t n)
{
    float *x = malloc((n ? n : 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = (float)(2 * cola_random_uniform(random) - 1);
    return x;
}

static struct weight make_weight(struct cola_random *random, uint32_t m, uint32_t k)
{
    float *value = random_floats(random, (size_t)m * k);
    return (struct weight){{.data = value, .dtype = COLA_F32, .n_dims = 2, .shape = {m, k}}, value};
}

struct loaded {
    struct cola_matrix *matrix;
    void *room;
};

static struct loaded load(const struct cola_backend *backend, struct cola_device *device,
                          const struct weight *w)
{
    struct loaded l;
    ok(cola_alloc(&l.room, backend->matrix_bytes(device, &w->tensor), 1, "weight"));
    ok(backend->load_matrix(device, &w->tensor, l.room, false, &l.matrix));
    return l;
}

static void unload(const struct cola_backend *backend, struct cola_device *device, struct loaded l)
{
    backend->release_matrix(device, l.matrix);
    free(l.room);
}

/* x [n, k] times w^T on a device, as new memory */
static float *multiplied(const struct cola_backend *backend, struct cola_device *device,
                         const struct weight *w, const float *x, uint32_t n)
{
    struct loaded l = load(backend, device, w);
    float *out = malloc((size_t)n * w->tensor.shape[0] * sizeof *out);
    assert_non_null(out);
    ok(backend->product(device, x, n, &(struct cola_product){l.matrix, out}, 1, false));
    unload(backend, device, l);
    return out;
}

/* --- oneDNN against the definition
 * --------------------------------------------------------------------------- */

/* Products of bf16 numbers are exact in f32, so both sums differ by their roundings alone: at most one an
 * element and one a chunk (64 at most here), each u = 2^-24 of the sum of magnitudes; subnormals count as
 * zero in the CPU's dot products: K 2^-126. Higham, "Accuracy and Stability of Numerical Algorithms", 2002,
 * section 3.1. */
static void check_bound(const struct weight *w, const float *x, uint32_t n, const float *a, const float *b)
{
    uint64_t m = w->tensor.shape[0], k = w->tensor.shape[1];
    double steps = (double)k + 64, gamma = steps * 0x1p-24 / (1 - steps * 0x1p-24);
    for (uint64_t r = 0; r < n; r++)
        for (uint64_t c = 0; c < m; c++) {
            double sum = 0;
            for (uint64_t i = 0; i < k; i++)
                sum += fabs((double)cola_round_bf16(x[r * k + i]) * cola_round_bf16(w->value[c * k + i]));
            double bound = 2 * gamma * sum + (double)k * 0x1p-126;
            double difference = fabs((double)a[r * m + c] - b[r * m + c]);
            if (!(difference <= bound))
                fail_msg("%u rows, K %u, M %u: row %u column %u is %.9g, ref %.9g, bound %.3g", n,
                         (unsigned)k, (unsigned)m, (unsigned)r, (unsigned)c, b[r * m + c], a[r * m + c],
                         bound);
        }
}

static void onednn_meets_the_definition_within_its_roundings(void **state)
{
    (void)state;
    skip_without_onednn();
    static const uint32_t size[][3] = {/* rows, K, M */
                                       {1, 1, 1},     {3, 33, 65},   {7, 48, 192},   {14, 576, 193},
                                       {65, 64, 200}, {81, 130, 64}, {5, 1536, 576}, {130, 96, 400}};
    struct cola_random random = cola_random_keyed(7, 0, COLA_STREAM_SYNTHETIC);
    struct cola_device *cpu = opened("onednn", "auto", 2), *ref = opened_ref();
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        uint32_t n = size[i][0], k = size[i][1], m = size[i][2];
        struct weight w = make_weight(&random, m, k);
        float *x = random_floats(&random, (size_t)n * k);
        if (k > 2) x[0] = 0x1p-130f, x[1] = 3e30f, x[2] = -0.0f; /* subnormal, large, negative zero */
        float *a = multiplied(&cola_backend_ref, ref, &w, x, n);
        float *b = multiplied(&cola_backend_cpu, cpu, &w, x, n);
        check_bound(&w, x, n, a, b);
        free(x), free(a), free(b), free(w.value);
    }
    cola_backend_cpu.close(cpu);
    cola_backend_ref.close(ref);
}

/* --- oneDNN against itself
 * ----------------------------------------------------------------------------------- */

enum { MOST_ROWS = 300 };

/* Every row of batches of many sizes, at many places, on 1 .. 5 threads, has the bits it has alone on one. */
static void check_invariant(uint32_t k, uint32_t m)
{
    static const uint32_t n_rows[] = {2, 3, 7, 14, 40, 63, 65, 81, 128, 129, 134, 257, MOST_ROWS};
    struct cola_random random = cola_random_keyed(k, m, COLA_STREAM_SYNTHETIC);
    struct weight w = make_weight(&random, m, k);
    float *x = random_floats(&random, (size_t)MOST_ROWS * k),
          *alone = malloc((size_t)MOST_ROWS * m * sizeof *alone);
    float *out = malloc((size_t)MOST_ROWS * m * sizeof *out);
    for (uint32_t n_threads = 1; n_threads <= 5; n_threads++) {
        struct cola_device *device = opened("onednn", "auto", n_threads);
        struct loaded l = load(&cola_backend_cpu, device, &w);
        struct cola_product product = {l.matrix, out};
        for (uint32_t r = 0; r < MOST_ROWS && n_threads == 1; r++) {
            struct cola_product one = {l.matrix, alone + (size_t)r * m};
            ok(cola_backend_cpu.product(device, x + (size_t)r * k, 1, &one, 1, false));
        }
        for (size_t i = 0; i < sizeof n_rows / sizeof *n_rows; i++) {
            uint32_t first = (MOST_ROWS - n_rows[i]) / 2;
            ok(cola_backend_cpu.product(device, x + (size_t)first * k, n_rows[i], &product, 1, false));
            if (memcmp(out, alone + (size_t)first * m, (size_t)n_rows[i] * m * sizeof *out) != 0)
                fail_msg("K %u, M %u: a batch of %u rows on %u threads differs from its rows alone", k, m,
                         n_rows[i], n_threads);
        }
        unload(&cola_backend_cpu, device, l);
        cola_backend_cpu.close(device);
    }
    free(w.value), free(x), free(alone), free(out);
}

static void onednn_rows_do_not_depend_on_the_batch_or_the_threads(void **state)
{
    (void)state;
    skip_without_onednn();
    static const uint32_t size[][2] = {{576, 576},  {576, 192}, {576, 1536}, {1536, 576}, /* SmolLM2's K, M */
                                       {576, 2000},                         /* a piece of its head */
                                       {32, 48},    {48, 32},   {33, 259}}; /* tiny and odd */
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) check_invariant(size[i][0], size[i][1]);
}

static void onednn_products_of_one_call_equal_single_calls_and_add_is_one_addition(void **state)
{
    (void)state;
    skip_without_onednn();
    enum { N = 70, K = 96, N_PRODUCTS = 5 };
    static const uint32_t m[N_PRODUCTS] = {400, 64, 64, 193, 1};
    struct cola_random random = cola_random_keyed(3, 3, COLA_STREAM_SYNTHETIC);
    struct cola_device *device = opened("onednn", "auto", 3);
    float *x = random_floats(&random, (size_t)N * K), *single[N_PRODUCTS], *before[N_PRODUCTS];
    struct weight w[N_PRODUCTS];
    struct loaded l[N_PRODUCTS];
    struct cola_product together[N_PRODUCTS];
    for (int p = 0; p < N_PRODUCTS; p++) {
        w[p] = make_weight(&random, m[p], K);
        single[p] = multiplied(&cola_backend_cpu, device, &w[p], x, N);
        before[p] = random_floats(&random, (size_t)N * m[p]);
        l[p] = load(&cola_backend_cpu, device, &w[p]);
        together[p] = (struct cola_product){l[p].matrix, malloc((size_t)N * m[p] * sizeof(float))};
    }
    ok(cola_backend_cpu.product(device, x, N, together, N_PRODUCTS, false));
    for (int p = 0; p < N_PRODUCTS; p++) {
        assert_memory_equal(together[p].out, single[p], (size_t)N * m[p] * sizeof(float));
        memcpy(together[p].out, before[p], (size_t)N * m[p] * sizeof(float));
    }
    ok(cola_backend_cpu.product(device, x, N, together, N_PRODUCTS, true));
    for (int p = 0; p < N_PRODUCTS; p++) {
        for (uint32_t i = 0; i < N * m[p]; i++)
            if (together[p].out[i] != before[p][i] + single[p][i]) fail_msg("product %d: element %u", p, i);
        unload(&cola_backend_cpu, device, l[p]);
        free(w[p].value), free(single[p]), free(before[p]), free(together[p].out);
    }
    free(x);
    cola_backend_cpu.close(device);
}

/* A row of infinities, NaN and huge numbers leaves its neighbours' bits alone. */
static void onednn_rows_that_are_not_numbers_stay_in_their_row(void **state)
{
    (void)state;
    skip_without_onednn();
    enum { N = 20, K = 64, M = 70 };
    struct cola_random random = cola_random_keyed(4, 4, COLA_STREAM_SYNTHETIC);
    struct cola_device *device = opened("onednn", "auto", 2);
    struct weight w = make_weight(&random, M, K);
    float *x = random_floats(&random, (size_t)N * K), *a = multiplied(&cola_backend_cpu, device, &w, x, N);
    for (uint32_t i = 0; i < K; i++) x[7 * K + i] = i % 3 == 0 ? INFINITY : i % 3 == 1 ? NAN : 3e38f;
    float *b = multiplied(&cola_backend_cpu, device, &w, x, N);
    assert_memory_equal(a, b, 7 * M * sizeof *a);
    assert_memory_equal(a + 8 * M, b + 8 * M, (N - 8) * M * sizeof *a);
    for (uint32_t c = 0; c < M; c++) assert_true(isnan(b[7 * M + c]));
    free(x), free(a), free(b), free(w.value);
    cola_backend_cpu.close(device);
}

/* Columns and rows that pad a product meet what an earlier product left in the buffers: NaN here. */
static void onednn_padding_is_clean_after_rows_that_are_not_numbers(void **state)
{
    (void)state;
    skip_without_onednn();
    enum { N = 70, K = 33, WIDE = 128, M = 70 };
    struct cola_random random = cola_random_keyed(10, 10, COLA_STREAM_SYNTHETIC);
    struct cola_device *device = opened("onednn", "auto", 1);
    struct weight w = make_weight(&random, M, K), wide = make_weight(&random, M, WIDE);
    float *x = random_floats(&random, (size_t)N * K), *nan = malloc(2 * N * WIDE * sizeof *nan);
    for (uint32_t i = 0; i < 2 * N * WIDE; i++) nan[i] = NAN;
    float *a = multiplied(&cola_backend_cpu, device, &w, x, N);
    free(multiplied(&cola_backend_cpu, device, &wide, nan, 2 * N));
    float *b = multiplied(&cola_backend_cpu, device, &w, x, N);
    assert_memory_equal(a, b, N * M * sizeof *a);
    free(x), free(nan), free(a), free(b), free(w.value), free(wide.value);
    cola_backend_cpu.close(device);
}

/* --- rooms, refusals, names, threads
 * ------------------------------------------------------------------------- */

static void a_filled_room_is_only_read(void **state)
{
    (void)state;
    skip_without_onednn();
    enum { N = 81, K = 100, M = 300 };
    struct cola_random random = cola_random_keyed(5, 5, COLA_STREAM_SYNTHETIC);
    struct cola_device *first = opened("onednn", "auto", 1), *second = opened("onednn", "auto", 2);
    struct weight w = make_weight(&random, M, K);
    float *x = random_floats(&random, (size_t)N * K), *out = malloc((size_t)N * M * sizeof *out);
    float *expected = multiplied(&cola_backend_cpu, first, &w, x, N);
    size_t n_bytes = cola_backend_cpu.matrix_bytes(first, &w.tensor);
    struct cola_matrix *packed, *matrix;
    void *room = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(room != MAP_FAILED);
    assert_int_equal(cola_backend_cpu.matrix_bytes(second, &w.tensor), n_bytes);
    ok(cola_backend_cpu.load_matrix(first, &w.tensor, room, false, &packed));
    assert_int_equal(mprotect(room, n_bytes, PROT_READ), 0); /* from here on a write ends the test */
    ok(cola_backend_cpu.load_matrix(second, &w.tensor, room, true, &matrix));
    ok(cola_backend_cpu.product(second, x, N, &(struct cola_product){matrix, out}, 1, false));
    assert_memory_equal(out, expected, (size_t)N * M * sizeof *out);
    cola_backend_cpu.release_matrix(first, packed);
    cola_backend_cpu.release_matrix(second, matrix);
    munmap(room, n_bytes);
    free(x), free(out), free(expected), free(w.value);
    cola_backend_cpu.close(first);
    cola_backend_cpu.close(second);
}

static void f16_weights_are_refused(void **state)
{
    (void)state;
    skip_without_onednn();
    uint16_t value[64 * 32] = {0};
    struct cola_tensor tensor = {.data = value, .dtype = COLA_F16, .n_dims = 2, .shape = {64, 32}};
    struct cola_device *device = opened("onednn", "auto", 1);
    struct cola_matrix *matrix;
    void *room;
    ok(cola_alloc(&room, cola_backend_cpu.matrix_bytes(device, &tensor), 1, "weight"));
    assert_int_equal(cola_backend_cpu.load_matrix(device, &tensor, room, false, &matrix),
                     COLA_ERR_UNSUPPORTED);
    assert_non_null(strstr(cola_error_text(), "F16"));
    free(room);
    cola_backend_cpu.close(device);
}

static void ids_tell_the_library_from_the_definition(void **state)
{
    (void)state;
    char exact[32], one[32], three[32], after[32];
    struct cola_device *device = opened("exact", "auto", 1);
    cola_backend_cpu.numerics_id(device, exact, sizeof exact);
    assert_string_equal(exact, COLA_NUMERICS_BF16);
    cola_backend_cpu.close(device);
    device = opened(NULL, "avx2", 1);
    cola_backend_cpu.numerics_id(device, exact, sizeof exact);
    assert_string_equal(exact, COLA_NUMERICS_BF16);
    cola_backend_cpu.close(device);
    struct cola_device_options options = {
        .isa = "avx2", .n_threads = 1, .bf16 = true, .bf16_products = "onednn"};
    assert_int_equal(cola_backend_cpu.open(&options, &device), COLA_ERR_UNSUPPORTED);
    skip_without_onednn();
    struct cola_random random = cola_random_keyed(6, 6, COLA_STREAM_SYNTHETIC);
    struct weight w = make_weight(&random, 70, 70);
    device = opened("onednn", "auto", 1);
    cola_backend_cpu.numerics_id(device, one, sizeof one);
    free(multiplied(&cola_backend_cpu, device, &w, w.value, 1));
    cola_backend_cpu.numerics_id(device, after, sizeof after);
    assert_string_not_equal(one, after); /* a shape of its own: part of the id */
    cola_backend_cpu.close(device);
    device = opened("onednn", "auto", 3);
    cola_backend_cpu.numerics_id(device, three, sizeof three);
    assert_string_equal(one, three);
    free(multiplied(&cola_backend_cpu, device, &w, w.value, 40));
    cola_backend_cpu.numerics_id(device, three, sizeof three);
    assert_string_equal(after, three);
    assert_memory_equal(one, "bf16-onednn", strlen("bf16-onednn"));
    cola_backend_cpu.close(device);
    free(w.value);
}

static uint32_t threads_of_this_process(void)
{
    uint32_t n = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks));) n += entry->d_name[0] != '.';
    closedir(tasks);
    return n;
}

static void the_library_starts_no_threads(void **state)
{
    (void)state;
    skip_without_onednn();
    enum { N = 200, K = 576, M = 1536, N_THREADS = 3 };
    uint32_t before = threads_of_this_process();
    struct cola_random random = cola_random_keyed(8, 8, COLA_STREAM_SYNTHETIC);
    struct cola_device *device = opened("onednn", "auto", N_THREADS);
    struct weight w = make_weight(&random, M, K);
    float *x = random_floats(&random, (size_t)N * K);
    free(multiplied(&cola_backend_cpu, device, &w, x, N));
    assert_int_equal(threads_of_this_process(), before + N_THREADS - 1);
    cola_backend_cpu.close(device);
    free(x), free(w.value);
}

#if defined(COLA_ONEDNN)
/* The vector rounding against the definition's: all exponents, ties, subnormals, infinities; a NaN stays one.
 */
static void rounding_equals_the_definition(void **state)
{
    (void)state;
    if (!__builtin_cpu_supports("avx512bw")) skip();
    enum { N = 45 }; /* two vectors and a part */
    static const uint32_t low[] = {0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x17FFF, 0x18000, 0x18001, 0x7FFFFF};
    for (uint32_t high = 0; high < 512; high++)
        for (size_t l = 0; l < sizeof low / sizeof *low; l++) {
            float x[N];
            uint16_t to[48];
            for (uint32_t i = 0; i < N; i++) {
                uint32_t bits = (high << 23 | low[l]) ^ (i << 16 & 0x7FFFFF);
                memcpy(&x[i], &bits, sizeof bits);
            }
            cola_onednn_round(x, N, 48, to);
            for (uint32_t i = 0; i < 48; i++) {
                float expected = i < N ? cola_round_bf16(x[i]) : 0, got;
                uint32_t wide = (uint32_t)to[i] << 16;
                memcpy(&got, &wide, sizeof got);
                if (memcmp(&got, &expected, sizeof got) != 0 && !(isnan(got) && isnan(expected)))
                    fail_msg("%a is rounded to %a, not to %a", x[i], got, expected);
            }
        }
}
#endif

/* --- our own kernels
 * ----------------------------------------------------------------------------------------- */

static void own_kernels_equal_ref_in_bytes(void **state)
{
    (void)state;
    static const uint32_t size[][3] = {{1, 33, 65}, {15, 576, 192}, {81, 100, 31}}; /* rows, K, M */
    static const char *const isa[] = {"avx2", "avx512"};
    struct cola_random random = cola_random_keyed(9, 9, COLA_STREAM_SYNTHETIC);
    struct cola_device *ref = opened_ref(), *cpu;
    for (int i = 0; i < 2; i++) {
        struct cola_device_options options = {
            .isa = isa[i], .n_threads = 2, .bf16 = true, .bf16_products = "exact"};
        if (cola_backend_cpu.open(&options, &cpu) != COLA_OK) {
            print_message("without %s: %s\n", isa[i], cola_error_text());
            continue;
        }
        for (size_t j = 0; j < sizeof size / sizeof *size; j++) {
            uint32_t n = size[j][0], k = size[j][1], m = size[j][2];
            struct weight w = make_weight(&random, m, k);
            float *x = random_floats(&random, (size_t)n * k);
            x[0] = 0x1p-130f;
            float *a = multiplied(&cola_backend_ref, ref, &w, x, n);
            float *b = multiplied(&cola_backend_cpu, cpu, &w, x, n);
            if (memcmp(a, b, (size_t)n * m * sizeof *a) != 0)
                fail_msg("%s: %u rows, K %u, M %u differ from ref", isa[i], n, k, m);
            free(x), free(a), free(b), free(w.value);
        }
        cola_backend_cpu.close(cpu);
    }
    cola_backend_ref.close(ref);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if defined(COLA_ONEDNN)
        cmocka_unit_test(rounding_equals_the_definition),
#endif
        cmocka_unit_test(the_library_starts_no_threads),
        cmocka_unit_test(onednn_meets_the_definition_within_its_roundings),
        cmocka_unit_test(onednn_rows_do_not_depend_on_the_batch_or_the_threads),
        cmocka_unit_test(onednn_products_of_one_call_equal_single_calls_and_add_is_one_addition),
        cmocka_unit_test(onednn_rows_that_are_not_numbers_stay_in_their_row),
        cmocka_unit_test(onednn_padding_is_clean_after_rows_that_are_not_numbers),
        cmocka_unit_test(a_filled_room_is_only_read),
        cmocka_unit_test(f16_weights_are_refused),
        cmocka_unit_test(ids_tell_the_library_from_the_definition),
        cmocka_unit_test(own_kernels_equal_ref_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_operations.c - every primitive operation of the cpu back end but products (test_products.c), on AVX2
 * and AVX-512, against ref in bytes: odd widths, one row and many, special values, several threads. What the
 * tiny models' shapes do not reach is reached here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/random.h"
#include "engine/backend.h"
#include "engine/numerics.h"

struct pair { /* ref and one cpu device */
    struct cola_device *ref, *cpu;
    const char *isa;
};

static float *random_floats(struct cola_random *random, size_t n, float scale)
{
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = scale * (float)(2 * cola_random_uniform(random) - 1);
    return x;
}

/* Equal bytes, any NaN equal to any NaN: their bits are not defined. */
static bool same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

static void check_rows(const struct pair *p, struct cola_random *random, uint32_t n, uint32_t width)
{
    float *x = random_floats(random, (size_t)n * width, 30), *w = random_floats(random, (size_t)n * width, 3);
    float *a = calloc((size_t)n * width, sizeof *a), *b = calloc((size_t)n * width, sizeof *b);
    struct cola_logits *la = calloc(n, sizeof *la), *lb = calloc(n, sizeof *lb);
    cola_backend_ref.norm(p->ref, x, w, 1e-5f, n, width, a);
    cola_backend_cpu.norm(p->cpu, x, w, 1e-5f, n, width, b);
    if (!same(a, b, (size_t)n * width)) fail_msg("%s: norm of %u x %u differs", p->isa, n, width);
    cola_backend_ref.gate(p->ref, x, w, n, width, a);
    cola_backend_cpu.gate(p->cpu, x, w, n, width, b);
    if (!same(a, b, (size_t)n * width)) fail_msg("%s: gate of %u x %u differs", p->isa, n, width);
    cola_backend_ref.reduce_logits(p->ref, x, n, width, la, NULL, 0, NULL);
    cola_backend_cpu.reduce_logits(p->cpu, x, n, width, lb, NULL, 0, NULL);
    for (uint32_t i = 0; i < n; i++)
        if (!same(&la[i].sum, &lb[i].sum, 1) || la[i].max != lb[i].max || la[i].argmax != lb[i].argmax)
            fail_msg("%s: logits of width %u differ", p->isa, width);
    free(x), free(w), free(a), free(b), free(la), free(lb);
}

static void check_rotation(const struct pair *p, struct cola_random *random, uint32_t n, uint32_t heads,
                           uint32_t d)
{
    size_t size = (size_t)n * heads * d;
    float *a = random_floats(random, size, 2), *b = malloc(size * sizeof *b),
          *table = random_floats(random, 50 * d, 1);
    uint32_t *position = malloc(n * sizeof *position);
    memcpy(b, a, size * sizeof *b);
    for (uint32_t i = 0; i < n; i++) position[i] = (uint32_t)cola_random_below(random, 50);
    cola_backend_ref.rotate(p->ref, a, table, position, n, heads, d);
    cola_backend_cpu.rotate(p->cpu, b, table, position, n, heads, d);
    if (!same(a, b, size)) fail_msg("%s: rotation of %u heads of %u differs", p->isa, heads, d);
    free(a), free(b), free(table), free(position);
}

/* Two sequences: one with two continuations (one of a single row), one a decoding step on stored keys. */
static void check_attention(const struct pair *p, struct cola_random *random, uint32_t heads,
                            uint32_t kv_heads, uint32_t d, uint32_t n_prompt, uint32_t n_tail)
{
    uint32_t rows = n_prompt + n_tail + 1, n = rows + 1 + n_prompt + 3;
    size_t size = (size_t)n * heads * d, kv_size = (size_t)n * kv_heads * d;
    float *q = random_floats(random, size, 3), *k = random_floats(random, kv_size, 3),
          *v = random_floats(random, kv_size, 1);
    float *a = calloc(size, sizeof *a), *b = calloc(size, sizeof *b);
    size_t w = (size_t)kv_heads * d;
#define KEYS(row)                                                                                            \
    {                                                                                                        \
        .k = k + (row)*w, .v = v + (row)*w                                                                   \
    }
    struct cola_span span[] = {
        {.first_row = 0, .n_rows = n_prompt, .n_first = 1, .tail = KEYS(0)},
        {.first_row = n_prompt,
         .n_rows = n_tail,
         .n_prefix = n_prompt,
         .n_first = 1,
         .prefix = KEYS(0),
         .tail = KEYS(n_prompt)},
        {.first_row = n_prompt + n_tail,
         .n_rows = 1,
         .n_prefix = n_prompt,
         .n_first = 1,
         .prefix = KEYS(0),
         .tail = KEYS(n_prompt + n_tail)},
        {.first_row = rows,
         .n_rows = 1,
         .n_prefix = n_prompt,
         .n_first = 3,
         .prefix = KEYS(rows),
         .tail = KEYS(rows + n_prompt)},
    };
#undef KEYS
    struct cola_attention attention = {.q = q,
                                       .out = a,
                                       .n_heads = heads,
                                       .n_kv_heads = kv_heads,
                                       .head_size = d,
                                       .scale = 0.3f,
                                       .span = span,
                                       .n_spans = 4};
    assert_int_equal(cola_backend_ref.attention(p->ref, &attention), COLA_OK);
    attention.out = b;
    assert_int_equal(cola_backend_cpu.attention(p->cpu, &attention), COLA_OK);
    if (!same(a, b, size))
        fail_msg("%s: attention of %u/%u heads of %u, prompt %u, tail %u differs", p->isa, heads, kv_heads, d,
                 n_prompt, n_tail);
    free(q), free(k), free(v), free(a), free(b);
}

/* Bias, sums, scaled rows and routing; the routed experts ascend and, normalised, weigh about 1 in all. */
static void check_sums(const struct pair *p, struct cola_random *random, uint32_t n, uint32_t width)
{
    size_t size = (size_t)n * width;
    float *a = random_floats(random, size, 3), *b = malloc(size * sizeof *b),
          *y = random_floats(random, size, 3);
    float *scale = random_floats(random, n, 1);
    uint32_t *row = malloc(n * sizeof *row);
    memcpy(b, a, size * sizeof *b);
    for (uint32_t i = 0; i < n; i++) row[i] = n - 1 - i;
    cola_backend_ref.add_bias(p->ref, y, n, width, a);
    cola_backend_cpu.add_bias(p->cpu, y, n, width, b);
    cola_backend_ref.add(p->ref, y, size, a);
    cola_backend_cpu.add(p->cpu, y, size, b);
    if (!same(a, b, size)) fail_msg("%s: sums of %u x %u differ", p->isa, n, width);
    cola_backend_ref.add_scaled(p->ref, y, scale, row, n, width, a);
    cola_backend_cpu.add_scaled(p->cpu, y, scale, row, n, width, b);
    if (!same(a, b, size)) fail_msg("%s: scaled rows of %u x %u differ", p->isa, n, width);
    struct cola_experts experts = {.n_experts = width, .n_active = 1 + width / 3, .normalise = true};
    uint32_t *e = calloc(2 * (size_t)n * experts.n_active, sizeof *e), *f = e + (size_t)n * experts.n_active;
    float *we = calloc(2 * (size_t)n * experts.n_active, sizeof *we), *wf = we + (size_t)n * experts.n_active;
    cola_backend_ref.route(p->ref, y, n, &experts, e, we);
    cola_backend_cpu.route(p->cpu, y, n, &experts, f, wf);
    assert_memory_equal(e, f, (size_t)n * experts.n_active * sizeof *e);
    assert_true(same(we, wf, (size_t)n * experts.n_active));
    for (uint32_t i = 0; i < n; i++) {
        double total = 0;
        for (uint32_t j = 0; j < experts.n_active; j++) {
            total += (double)we[i * experts.n_active + j];
            if (j) assert_true(e[i * experts.n_active + j - 1] < e[i * experts.n_active + j]);
        }
        assert_true(fabs(total - 1) < 1e-5);
    }
    free(a), free(b), free(y), free(scale), free(row), free(e), free(we);
}

static void check_all(const struct pair *p)
{
    static const uint32_t size[] = {1, 2, 3, 5, 7, 8, 13, 14, 15, 16, 17, 29, 31, 32, 33, 48, 64, 65, 100};
    enum { N = sizeof size / sizeof *size };
    struct cola_random random = cola_random_keyed(1, 2, COLA_STREAM_SYNTHETIC);
    for (int i = 0; i < 150; i++) {
        uint32_t n = size[cola_random_below(&random, N)], k = size[cola_random_below(&random, N)];
        uint32_t m = size[cola_random_below(&random, N)], kv = 1 + (uint32_t)cola_random_below(&random, 3);
        check_rows(p, &random, n, k);
        check_sums(p, &random, n, k);
        check_rotation(p, &random, n, kv, 2 * m);
        check_attention(p, &random, kv * (1 + (uint32_t)cola_random_below(&random, 5)), kv, 2 * k, n, m);
    }
}

static void run_on(const char *isa, uint32_t n_threads)
{
    struct cola_device_options options = {.isa = isa, .n_threads = n_threads};
    struct pair pair = {.isa = isa};
    if (cola_backend_cpu.open(&options, &pair.cpu) != COLA_OK) {
        printf("skipped: %s\n", cola_error_text());
        skip();
    }
    assert_int_equal(cola_backend_ref.open(&options, &pair.ref), COLA_OK);
    check_all(&pair);
    cola_backend_ref.close(pair.ref);
    cola_backend_cpu.close(pair.cpu);
}

static void avx2_operations_equal_ref(void **state)
{
    (void)state;
    run_on("avx2", 1);
    run_on("avx2", 3);
}

static void avx512_operations_equal_ref(void **state)
{
    (void)state;
    run_on("avx512", 1);
    run_on("avx512", 3);
}

/* Every float whose exponential is neither 0 nor infinite, in steps, and the special ones, through the gate.
 */
static void exponential_is_near_libm_and_equal_on_vectors(void **state)
{
    static const float special[] = {0.0f,     -0.0f,    INFINITY,  -INFINITY, NAN,
                                    88.7228f, 88.7229f, -87.3365f, -87.3366f, -103.0f,
                                    1e-40f,   3e38f,    -3e38f,    0.34657f,  -0.34658f};
    enum { N_SPECIAL = sizeof special / sizeof *special, N = 200000 + N_SPECIAL };
    float *x = malloc(N * sizeof *x), *one = malloc(N * sizeof *one), *a = malloc(N * sizeof *a),
          *b = malloc(N * sizeof *b);
    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = i < N_SPECIAL ? special[i] : -90.0f + 180.0f * (float)(i - N_SPECIAL) / 200000.0f;
        one[i] = 1.0f;
        double expected = exp((double)x[i]);
        if (isfinite((float)expected) && expected >= 0x1p-126)
            assert_true(fabs((double)cola_exp(x[i]) - expected) <= 1.5e-7 * expected);
    }
    assert_true(isnan(cola_exp(NAN)) && cola_exp(INFINITY) == INFINITY && cola_exp(-INFINITY) == 0);
    static const char *const isa[] = {"avx2", "avx512"};
    for (int i = 0; i < 2; i++) {
        struct cola_device_options options = {.isa = isa[i], .n_threads = 1};
        struct cola_device *cpu;
        if (cola_backend_cpu.open(&options, &cpu) != COLA_OK) continue;
        cola_backend_ref.gate(NULL, x, one, 1, N, a);
        cola_backend_cpu.gate(cpu, x, one, 1, N, b);
        assert_true(same(a, b, N));
        cola_backend_cpu.close(cpu);
    }
    free(x), free(one), free(a), free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(avx2_operations_equal_ref),
        cmocka_unit_test(avx512_operations_equal_ref),
        cmocka_unit_test(exponential_is_near_libm_and_equal_on_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

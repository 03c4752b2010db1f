/* test_edits_permutation.c - the numbering of edits against plain loops, and the keyed order: a bijection for
 * every size, its first element and its first pair uniform over keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/edits.h"

static void expect_edit(const struct cola_edit_space *space, uint32_t n_layers, uint32_t number,
                        struct cola_edit expected)
{
    struct cola_edit edit = cola_edits_at(space, n_layers, number);
    assert_int_equal(edit.kind, expected.kind);
    assert_int_equal(edit.block, expected.block);
    assert_int_equal(edit.times, expected.times);
    assert_int_equal(edit.position, expected.position);
}

static void numbers_follow_documented_order(void **state)
{
    (void)state;
    static const struct cola_edit_space spaces[] = {
        {4, 4, 4, 15, 60}, {4, 0, 0, 15, 60}, {0, 4, 4, 15, 60}, {2, 1, 1, 1, 40},
        {4, 4, 4, 1, 8},   {9, 3, 2, 2, 31},  {4, 4, 0, 1, 60},  {0, 0, 0, 1, 60},
    };
    for (size_t s = 0; s < sizeof spaces / sizeof *spaces; s++)
        for (uint32_t n = 1; n <= 62; n++) {
            const struct cola_edit_space *e = &spaces[s];
            uint32_t number = 0;
            for (uint32_t k = 1; k <= e->max_skip; k++)
                for (uint32_t p = 0; p + k <= n; p++)
                    if (n - k >= e->min_layers && n - k <= e->max_layers)
                        expect_edit(e, n, number++, (struct cola_edit){COLA_EDIT_SKIP, k, 0, p});
            for (uint32_t k = 1; k <= e->max_block; k++)
                for (uint32_t r = 1; r <= e->max_times; r++)
                    for (uint32_t p = 0; p + k <= n; p++)
                        if (n + k * r >= e->min_layers && n + k * r <= e->max_layers)
                            expect_edit(e, n, number++, (struct cola_edit){COLA_EDIT_REPEAT, k, r, p});
            assert_int_equal(cola_edits_count(e, n), number);
        }
}

static void permutation_every_size_is_a_bijection(void **state)
{
    (void)state;
    static unsigned char seen[2000];
    for (uint32_t n = 1; n <= 2000; n++) {
        uint64_t key = cola_permutation_key(7, 8, n);
        memset(seen, 0, sizeof seen);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t x = cola_permutation(key, n, i);
            assert_true(x < n);
            assert_int_equal(seen[x]++, 0);
        }
    }
}

typedef uint32_t first_fn(uint64_t key, uint32_t n);

static uint32_t first(uint64_t key, uint32_t n)
{
    return cola_permutation(key, n, 0);
}

/* Planted: reduction by modulo instead of cycle walking. */
static uint32_t first_by_modulo(uint64_t key, uint32_t n)
{
    uint32_t m = 1;
    while (m < n) m *= 4;
    return cola_permutation(key, m, 0) % n;
}

/* Pearson's statistic in standard deviations above its mean, over 400 keys a cell. */
static double excess(first_fn *draw, uint32_t n)
{
    uint32_t *count = calloc(n, sizeof *count), n_keys = 400 * n;
    for (uint32_t i = 0; i < n_keys; i++) count[draw(cola_permutation_key(i % 7, i / 7, i % 200), n)]++;
    double chi2 = 0;
    for (uint32_t x = 0; x < n; x++) chi2 += (count[x] - 400.0) * (count[x] - 400.0) / 400.0;
    free(count);
    return (chi2 - (n - 1)) / sqrt(2.0 * (n - 1));
}

static void permutation_first_element_is_uniform_over_keys(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {2, 3, 4, 5, 7, 16, 17, 37, 100, 257, 570};
    double total = 0;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double e = excess(first, sizes[s]);
        total += e;
        assert_true(e < 4.5);
    }
    assert_true(fabs(total) < 4 * sqrt(sizeof sizes / sizeof *sizes));
    assert_true(excess(first_by_modulo, 5) > 7);
    assert_true(excess(first_by_modulo, 570) > 20);
}

/* All n (n - 1) ordered pairs of the first two elements. */
static void permutation_first_pair_is_uniform_over_keys(void **state)
{
    (void)state;
    for (uint32_t n = 4; n <= 24; n += 5) {
        uint32_t count[24 * 24] = {0}, n_cells = n * (n - 1);
        for (uint32_t i = 0; i < 400 * n_cells; i++) {
            uint64_t key = cola_permutation_key(3, i, 5);
            count[cola_permutation(key, n, 0) * n + cola_permutation(key, n, 1)]++;
        }
        double chi2 = 0;
        for (uint32_t x = 0; x < n * n; x++) {
            if (x / n == x % n)
                assert_int_equal(count[x], 0);
            else
                chi2 += (count[x] - 400.0) * (count[x] - 400.0) / 400.0;
        }
        assert_true((chi2 - (n_cells - 1)) / sqrt(2.0 * (n_cells - 1)) < 4.5);
    }
}

static void permutation_key_depends_on_seed_sample_and_node(void **state)
{
    (void)state;
    uint64_t key = cola_permutation_key(1, 2, 3);
    assert_true(key == cola_permutation_key(1, 2, 3));
    assert_true(key != cola_permutation_key(2, 2, 3));
    assert_true(key != cola_permutation_key(1, 3, 3));
    assert_true(key != cola_permutation_key(1, 2, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_follow_documented_order),
        cmocka_unit_test(permutation_every_size_is_a_bijection),
        cmocka_unit_test(permutation_first_element_is_uniform_over_keys),
        cmocka_unit_test(permutation_first_pair_is_uniform_over_keys),
        cmocka_unit_test(permutation_key_depends_on_seed_sample_and_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

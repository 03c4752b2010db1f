/* test_random.c - Philox's published values, the layout of draws, and draws below n without bias. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "cola/random.h"

static void philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        /* Random123's kat_vectors, philox4x32 10 */
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        cola_philox(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

static void bits_are_the_documented_counter_and_key(void **state)
{
    (void)state;
    uint64_t seed = 0x0123456789abcdefull, sample = 0xfedcba9876543210ull;
    struct cola_random r = cola_random_keyed(seed, sample, COLA_STREAM_CONTROL);
    r.draw = 0x123456789ull;
    uint32_t counter[4] = {0x23456789, 0x1 | 2u << 16, 0x76543210, 0xfedcba98};
    uint32_t key[2] = {0x89abcdef, 0x01234567}, out[4];
    cola_philox(counter, key, out);
    assert_true(cola_random_bits(&r) == ((uint64_t)out[1] << 32 | out[0]));
    assert_true(r.draw == 0x12345678aull);
}

static void draws_replay_and_streams_differ(void **state)
{
    (void)state;
    struct cola_random a = cola_random_keyed(1, 2, COLA_STREAM_SEARCH), b = a;
    uint64_t first = cola_random_bits(&a), second = cola_random_bits(&a);
    assert_true(first != second);
    assert_true(cola_random_bits(&b) == first);
    b.draw = 1;
    assert_true(cola_random_bits(&b) == second);
    struct cola_random other[] = {cola_random_keyed(2, 2, COLA_STREAM_SEARCH),
                                  cola_random_keyed(1, 3, COLA_STREAM_SEARCH),
                                  cola_random_keyed(1, 2, COLA_STREAM_CONTROL)};
    for (int i = 0; i < 3; i++) assert_true(cola_random_bits(&other[i]) != first);
}

static void uniform_lies_in_0_1_with_its_mean_and_variance(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct cola_random r = cola_random_keyed(3, 0, COLA_STREAM_SEARCH);
    double sum = 0, squares = 0, least = 1, most = 0;
    for (int i = 0; i < N; i++) {
        double u = cola_random_uniform(&r);
        assert_true(u >= 0 && u < 1);
        sum += u, squares += (u - 0.5) * (u - 0.5);
        least = fmin(least, u), most = fmax(most, u);
    }
    assert_true(fabs(sum / N - 0.5) < 4 * sqrt(1.0 / 12 / N));
    assert_true(fabs(squares / N - 1.0 / 12) < 4 * sqrt(1.0 / 180 / N));
    assert_true(least < 1e-4 && most > 1 - 1e-4);
}

/* chi-square in standard deviations above its mean */
static double excess(const uint32_t *count, uint32_t n, double expected)
{
    double chi2 = 0;
    for (uint32_t i = 0; i < n; i++) chi2 += (count[i] - expected) * (count[i] - expected) / expected;
    return (chi2 - (n - 1)) / sqrt(2.0 * (n - 1));
}

static void below_small_n_is_uniform(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 60; n++) {
        uint32_t count[60] = {0};
        struct cola_random r = cola_random_keyed(4, n, COLA_STREAM_SEARCH);
        for (uint32_t i = 0; i < 500 * n; i++) {
            uint64_t x = cola_random_below(&r, n);
            assert_true(x < n);
            count[x]++;
        }
        if (n > 1) assert_true(excess(count, n, 500) < 4.5);
    }
}

/* n = 3 * 2^62: without rejection the multiply maps two of four 64-bit values to every third number: the
 * residues modulo 3 would come 2 : 1 : 1. */
static void below_huge_n_rejects_without_bias(void **state)
{
    (void)state;
    enum { N = 30000 };
    uint64_t n = 3ull << 62;
    uint32_t rejecting[3] = {0}, plain[3] = {0};
    struct cola_random r = cola_random_keyed(5, 0, COLA_STREAM_SEARCH), s = r;
    for (int i = 0; i < N; i++) {
        uint64_t x = cola_random_below(&r, n);
        assert_true(x < n);
        rejecting[x % 3]++;
        plain[(uint64_t)((unsigned __int128)cola_random_bits(&s) * n >> 64) % 3]++; /* the planted error */
    }
    assert_true(excess(rejecting, 3, N / 3.0) < 4.5);
    assert_true(excess(plain, 3, N / 3.0) > 100);
    assert_true(fabs((double)r.draw / N - 4.0 / 3) < 0.03); /* a quarter of the draws is rejected */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(bits_are_the_documented_counter_and_key),
        cmocka_unit_test(draws_replay_and_streams_differ),
        cmocka_unit_test(uniform_lies_in_0_1_with_its_mean_and_variance),
        cmocka_unit_test(below_small_n_is_uniform),
        cmocka_unit_test(below_huge_n_rejects_without_bias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

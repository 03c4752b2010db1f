/* test_exact_math.c - log, exp, sin and cos against the C library's long double at many points (the contract:
 * relative error below 1e-14), the edges of their ranges, and their bits at fixed points, since the same bits
 * everywhere are what they are for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "cola/exact_math.h"
#include "cola/random.h"

enum { N = 100000 };
static const double LIMIT = 1e-14;

static double relative_error(double found, long double expected)
{
    if (expected == 0) return fabs(found);
    return (double)fabsl((found - expected) / expected);
}

static struct cola_random numbers(uint64_t sample)
{
    return cola_random_keyed(11, sample, COLA_STREAM_SYNTHETIC);
}

static double between(struct cola_random *r, double low, double high)
{
    return low + (high - low) * cola_random_uniform(r);
}

static void log_every_range_is_within_the_limit(void **state)
{
    (void)state;
    struct cola_random r = numbers(1);
    double worst = 0;
    for (int i = 0; i < N; i++) {
        double wide = ldexp(between(&r, 1, 2), (int)cola_random_below(&r, 2045) - 1022);
        double near = 1 + ldexp(between(&r, -1, 1), -(int)cola_random_below(&r, 52) - 1);
        double subnormal = ldexp(between(&r, 1, 2), -1023 - (int)cola_random_below(&r, 50));
        double whole = 1 + i;
        worst = fmax(worst, relative_error(cola_exact_log(wide), logl(wide)));
        worst = fmax(worst, relative_error(cola_exact_log(near), logl(near)));
        worst = fmax(worst, relative_error(cola_exact_log(subnormal), logl(subnormal)));
        worst = fmax(worst, relative_error(cola_exact_log(whole), logl(whole)));
    }
    print_message("log: largest relative error %.2e\n", worst);
    assert_true(worst < LIMIT);
}

static void log_edges(void **state)
{
    (void)state;
    assert_true(cola_exact_log(1) == 0);
    assert_true(cola_exact_log(0) == -INFINITY);
    assert_true(cola_exact_log(-0.0) == -INFINITY);
    assert_true(isnan(cola_exact_log(-1)));
    assert_true(isnan(cola_exact_log(NAN)));
    assert_true(cola_exact_log(INFINITY) == INFINITY);
    assert_true(relative_error(cola_exact_log(DBL_TRUE_MIN), logl(DBL_TRUE_MIN)) < LIMIT);
    assert_true(relative_error(cola_exact_log(DBL_MAX), logl(DBL_MAX)) < LIMIT);
}

static void exp_every_range_is_within_the_limit(void **state)
{
    (void)state;
    struct cola_random r = numbers(2);
    double worst = 0;
    for (int i = 0; i < N; i++) {
        double wide = between(&r, -700, 700), middle = between(&r, -40, 5);
        double small = ldexp(between(&r, -1, 1), -(int)cola_random_below(&r, 60));
        worst = fmax(worst, relative_error(cola_exact_exp(wide), expl(wide)));
        worst = fmax(worst, relative_error(cola_exact_exp(middle), expl(middle)));
        worst = fmax(worst, relative_error(cola_exact_exp(small), expl(small)));
    }
    print_message("exp: largest relative error %.2e\n", worst);
    assert_true(worst < LIMIT);
}

static void exp_edges(void **state)
{
    (void)state;
    assert_true(cola_exact_exp(0) == 1);
    assert_true(cola_exact_exp(-0.0) == 1);
    assert_true(relative_error(cola_exact_exp(700), expl(700)) < LIMIT);
    assert_true(relative_error(cola_exact_exp(-700), expl(-700)) < LIMIT);
    assert_true(cola_exact_exp(nextafter(700, 701)) == INFINITY);
    assert_true(cola_exact_exp(nextafter(-700, -701)) == 0);
    assert_true(cola_exact_exp(INFINITY) == INFINITY);
    assert_true(cola_exact_exp(-INFINITY) == 0);
    assert_true(isnan(cola_exact_exp(NAN)));
}

static double sincos_error(double x)
{
    double sine, cosine;
    cola_exact_sincos(x, &sine, &cosine);
    return fmax(relative_error(sine, sinl(x)), relative_error(cosine, cosl(x)));
}

/* Also around multiples of pi/2, where the reduction cancels: the doubles nearest to n pi/2. */
static void sincos_to_a_million_is_within_the_limit(void **state)
{
    (void)state;
    struct cola_random r = numbers(3);
    double worst = 0;
    for (int i = 0; i < N; i++) {
        long double quarter =
            1.57079632679489661923132169163975144L * (long double)cola_random_below(&r, 636619);
        worst = fmax(worst, sincos_error(between(&r, -1e6, 1e6)));
        worst = fmax(worst, sincos_error(between(&r, -10, 10)));
        worst = fmax(worst, sincos_error((double)quarter));
        worst = fmax(worst, sincos_error(ldexp(between(&r, -1, 1), -(int)cola_random_below(&r, 60))));
        worst = fmax(worst, sincos_error(i));
    }
    worst = fmax(worst, fmax(sincos_error(1e6), sincos_error(-1e6)));
    print_message("sin, cos: largest relative error %.2e\n", worst);
    assert_true(worst < LIMIT);
}

static void sincos_edges(void **state)
{
    (void)state;
    double sine, cosine;
    cola_exact_sincos(0, &sine, &cosine);
    assert_true(sine == 0 && cosine == 1);
    cola_exact_sincos(2, &sine, &cosine);
    assert_true(sine > 0 && cosine < 0);
    cola_exact_sincos(4, &sine, &cosine);
    assert_true(sine < 0 && cosine < 0);
    cola_exact_sincos(-1, &sine, &cosine);
    assert_true(sine < 0 && cosine > 0);
}

static uint64_t bits(double x)
{
    uint64_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

/* A checksum over the bits of 3 x 1,000 values, recorded once: another compiler, optimisation or instruction
 * set must give the same. A change of the formulas changes it and the numerics id with it. */
static void bits_are_those_recorded(void **state)
{
    (void)state;
    uint64_t sum = 0;
    for (int i = 1; i <= 1000; i++) {
        double sine, cosine;
        cola_exact_sincos(i * 0.7, &sine, &cosine);
        const uint64_t value[] = {bits(cola_exact_log(i * 0.37)), bits(cola_exact_exp(i * 0.31 - 155)),
                                  bits(sine), bits(cosine)};
        for (int j = 0; j < 4; j++) sum = (sum ^ value[j]) * 0x9E3779B97F4A7C15ull;
    }
    print_message("checksum 0x%016llx\n", (unsigned long long)sum);
    assert_true(sum == 0x892fd451669ee20eull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_every_range_is_within_the_limit),
        cmocka_unit_test(log_edges),
        cmocka_unit_test(exp_every_range_is_within_the_limit),
        cmocka_unit_test(exp_edges),
        cmocka_unit_test(sincos_to_a_million_is_within_the_limit),
        cmocka_unit_test(sincos_edges),
        cmocka_unit_test(bits_are_those_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

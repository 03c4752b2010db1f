/* exact_math.c - log, exp, sin and cos in double from IEEE operations only; see exact_math.h. */
#include "cola/exact_math.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static const double LN2_HIGH = 0x1.62e42fefa38p-1; /* ln 2 to 42 bits: n * LN2_HIGH is exact for |n| < 2^11 */
static const double LN2_LOW = 0x1.ef35793c7673p-45;

/* x = m 2^e with m in [sqrt 1/2, sqrt 2); log m = 2 atanh s with s = (m - 1)/(m + 1), |s| < 0.172: the series
 * s^(2i+1)/(2i+1) to i = 11 leaves s^25/25 < 4e-21. */
double cola_exact_log(double x)
{
    if (!(x > 0)) return x == 0 ? -INFINITY : NAN;
    if (x == INFINITY) return x;
    int e = 0;
    if (x < 0x1p-1022) x *= 0x1p54, e = -54;
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    e += (int)(bits >> 52) - 1023;
    bits = (bits & 0x000FFFFFFFFFFFFFull) | 0x3FF0000000000000ull;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 0x1.6a09e667f3bcdp+0) m *= 0.5, e++;
    double s = (m - 1) / (m + 1), s2 = s * s, sum = 0;
    for (int i = 11; i >= 1; i--) sum = fma(sum, s2, 1.0 / (2 * i + 1));
    double log_m = fma(2 * s * s2, sum, 2 * s);
    return fma((double)e, LN2_HIGH, fma((double)e, LN2_LOW, log_m));
}

/* x = n ln 2 + r, |r| <= ln 2 / 2: Taylor to r^16/16! leaves 2e-22; the scale is two exact powers of two. */
double cola_exact_exp(double x)
{
    if (x != x) return x;
    if (x > 700) return INFINITY;
    if (x < -700) return 0;
    double n = nearbyint(x * 0x1.71547652b82fep+0);
    double r = fma(-n, LN2_LOW, fma(-n, LN2_HIGH, x)), sum = 0;
    static const double inverse_factorial[] = {1.0,
                                               1.0,
                                               1.0 / 2,
                                               1.0 / 6,
                                               1.0 / 24,
                                               1.0 / 120,
                                               1.0 / 720,
                                               1.0 / 5040,
                                               1.0 / 40320,
                                               1.0 / 362880,
                                               1.0 / 3628800,
                                               1.0 / 39916800,
                                               1.0 / 479001600.0,
                                               1.0 / 6227020800.0,
                                               1.0 / 87178291200.0,
                                               1.0 / 1307674368000.0,
                                               1.0 / 20922789888000.0};
    for (int i = 16; i >= 0; i--) sum = fma(sum, r, inverse_factorial[i]);
    int64_t k = (int64_t)n, half = k / 2;
    uint64_t b1 = (uint64_t)(half + 1023) << 52, b2 = (uint64_t)(k - half + 1023) << 52;
    double p1, p2;
    memcpy(&p1, &b1, sizeof p1);
    memcpy(&p2, &b2, sizeof p2);
    return sum * p1 * p2;
}

/* x = n pi/2 + r, |r| <= pi/4, pi/2 in three parts (33 + 33 + 53 bits: n * part is exact for n < 2^20);
 * Taylor to r^19/19! and r^18/18! leaves 1e-19. */
void cola_exact_sincos(double x, double *sine, double *cosine)
{
    static const double PIO2_1 = 0x1.921fb54400000p+0, PIO2_2 = 0x1.0b4611a600000p-34,
                        PIO2_3 = 0x1.3198a2e037073p-69;
    double n = nearbyint(x * 0x1.45f306dc9c883p-1);
    double r = fma(-n, PIO2_3, fma(-n, PIO2_2, fma(-n, PIO2_1, x))), r2 = r * r, s = 0, c = 0;
    static const double s_term[] = {-1.0 / 6,
                                    1.0 / 120,
                                    -1.0 / 5040,
                                    1.0 / 362880,
                                    -1.0 / 39916800,
                                    1.0 / 6227020800.0,
                                    -1.0 / 1307674368000.0,
                                    1.0 / 355687428096000.0,
                                    -1.0 / 121645100408832000.0};
    static const double c_term[] = {-1.0 / 2,
                                    1.0 / 24,
                                    -1.0 / 720,
                                    1.0 / 40320,
                                    -1.0 / 3628800,
                                    1.0 / 479001600.0,
                                    -1.0 / 87178291200.0,
                                    1.0 / 20922789888000.0,
                                    -1.0 / 6402373705728000.0};
    for (int i = 8; i >= 0; i--) s = fma(s, r2, s_term[i]), c = fma(c, r2, c_term[i]);
    double sin_r = fma(r * r2, s, r), cos_r = fma(r2, c, 1.0);
    switch ((int64_t)n & 3) {
    case 0: *sine = sin_r, *cosine = cos_r; break;
    case 1: *sine = cos_r, *cosine = -sin_r; break;
    case 2: *sine = -sin_r, *cosine = -cos_r; break;
    default: *sine = -cos_r, *cosine = sin_r; break;
    }
}

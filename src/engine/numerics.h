/* numerics.h - the scalar operations that docs/numerics.md defines, in plain C: the oracle's building blocks.
 *
 * Vector kernels repeat these operation by operation; a change here is a change of the numerics id. Needs
 * -ffp-contract=off: an fma is where fmaf stands, nowhere else. */
#ifndef COLA_ENGINE_NUMERICS_H
#define COLA_ENGINE_NUMERICS_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define COLA_NUMERICS_F32  "f32-1"
#define COLA_NUMERICS_BF16 "bf16-2" /* of ref, and of cpu but where oneDNN multiplies */

enum { COLA_LANES = 16 }; /* partial sums: element i goes to lane i mod 16 */

/* "Exponential": e^x, x = n ln 2 + r. Constants: log2 e; ln 2 in two parts, the first with 15 bits so that n
 * times it is exact for |n| <= 2^8; limits where 2^n leaves the floats. */
#define COLA_EXP_LOG2E    0x1.715476p+0f
#define COLA_EXP_LN2_HIGH 0x1.62e4p-1f
#define COLA_EXP_LN2_LOW  0x1.7f7d1cp-20f
#define COLA_EXP_MAX      0x1.62e42ep+6f  /* 88.72283: above it +inf */
#define COLA_EXP_MIN      -0x1.5d589ep+6f /* -87.33654: below it 0 */
/* 1/7! .. 1/2!, then 1, 1: |r| <= 0.3466 leaves r^8/8! < 5.2e-9, a tenth of an ulp */
#define COLA_EXP_TERMS                                                                                       \
    {                                                                                                        \
        0x1.a01a02p-13f, 0x1.6c16c2p-10f, 0x1.111112p-7f, 0x1.555556p-5f, 0x1.555556p-3f, 0.5f, 1.0f, 1.0f   \
    }

static inline float cola_float_of_bits(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float cola_exp(float x)
{
    static const float term[] = COLA_EXP_TERMS;
    if (x != x) return x;
    if (x > COLA_EXP_MAX) return INFINITY;
    if (x < COLA_EXP_MIN) return 0.0f;
    float n = rintf(x * COLA_EXP_LOG2E);
    float r = fmaf(-n, COLA_EXP_LN2_LOW, fmaf(-n, COLA_EXP_LN2_HIGH, x)), p = term[0];
    for (int i = 1; i < 8; i++) p = fmaf(p, r, term[i]);
    int32_t k = (int32_t)n, half = k >> 1; /* two powers of two: 2^128 is no float, 2^64 2^64 p is */
    return p * cola_float_of_bits((half + 127) << 23) * cola_float_of_bits((k - half + 127) << 23);
}

/* "The bf16 mode": the nearest bf16, ties to even, as a float; NaN stays NaN. */
static inline float cola_round_bf16(float x)
{
    uint32_t bits;
    if (x != x) return x;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* A subnormal is a zero of its sign. */
static inline float cola_flush(float x)
{
    return fabsf(x) < FLT_MIN ? copysignf(0.0f, x) : x;
}

/* "The bf16 mode": fma with subnormals taken and given for zero. A result is tiny if it is below the least
 * normal number after rounding to 24 bits with an unbounded exponent: fmaf alone would round one just below
 * it up to it. */
static inline float cola_fma_flushed(float a, float b, float sum)
{
    a = cola_flush(a), b = cola_flush(b), sum = cola_flush(sum);
    float y = fmaf(a, b, sum);
    if (fabsf(y) == FLT_MIN && fabsf(fmaf(a * 0x1p+24f, b, sum * 0x1p+24f)) < FLT_MIN * 0x1p+24f)
        return copysignf(0.0f, y);
    return cola_flush(y);
}

/* "Lane sum": 16 partial sums to one: lane j += lane j + 8, then + 4, + 2, + 1. */
static inline float cola_lane_sum(const float lane[COLA_LANES])
{
    float s[COLA_LANES];
    memcpy(s, lane, sizeof s);
    for (int width = COLA_LANES / 2; width >= 1; width /= 2)
        for (int j = 0; j < width; j++) s[j] = s[j] + s[j + width];
    return s[0];
}

#endif

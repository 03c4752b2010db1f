/* lanes.h - the kernels whose definition counts in sixteen lanes: norm, rotation, gate and logits (attention:
 * attend.h),
 * written once over the v16 operations of vector_avx512.h or vector_avx2.h, which the including file chose
 * before.
 *
 * Each repeats its paragraph of docs/numerics.md operation by operation; where a vector is only partly filled
 * the missing lanes hold values that leave the others' bits alone. */
#ifndef COLA_ENGINE_CPU_LANES_H
#define COLA_ENGINE_CPU_LANES_H

#include <math.h>
#include <string.h>

#include "engine/cpu/kernels.h"
#include "engine/numerics.h"

/* "Exponential" */
INLINE v16 v_exp(v16 x)
{
    static const float term[] = COLA_EXP_TERMS;
    v16 most = v_set(COLA_EXP_MAX), least = v_set(COLA_EXP_MIN);
    v16 within = v_max(v_min(x, most), least); /* keeps n in range; what was outside is replaced below */
    v16 n = v_round(v_mul(within, v_set(COLA_EXP_LOG2E))), minus_n = v_neg(n);
    v16 r = v_fma(minus_n, v_set(COLA_EXP_LN2_LOW), v_fma(minus_n, v_set(COLA_EXP_LN2_HIGH), within));
    v16 p = v_set(term[0]);
    for (int i = 1; i < 8; i++) p = v_fma(p, r, v_set(term[i]));
    v16 y = v_scale(p, n);
    y = v_if_greater(x, most, v_set(INFINITY), y);
    y = v_if_greater(least, x, v_set(0.0f), y);
    return v_if_nan(x, x, y);
}

INLINE float sum_lanes(v16 x)
{
    float lane[COLA_LANES];
    v_store(lane, x);
    return cola_lane_sum(lane);
}

INLINE float max_lanes(v16 x)
{
    float lane[COLA_LANES], max = -INFINITY;
    v_store(lane, x);
    for (int j = 0; j < COLA_LANES; j++) max = lane[j] > max ? lane[j] : max;
    return max;
}

/* "Norm" */
static void norm(const float *x, const float *weight, float eps, uint32_t width, float *out)
{
    uint32_t whole = width / COLA_LANES * COLA_LANES, rest = width - whole;
    v16 lane = v_set(0.0f);
    for (uint32_t i = 0; i < whole; i += COLA_LANES) lane = v_fma(v_load(x + i), v_load(x + i), lane);
    if (rest) { /* a lane without an element adds 0 * 0: a sum of squares is never -0, so its bits stay */
        v16 last = v_load_part(x + whole, rest);
        lane = v_fma(last, last, lane);
    }
    v16 scale = v_set(1.0f / sqrtf(sum_lanes(lane) / (float)width + eps));
    for (uint32_t i = 0; i < whole; i += COLA_LANES)
        v_store(out + i, v_mul(v_mul(v_load(x + i), scale), v_load(weight + i)));
    if (rest)
        v_store_part(out + whole,
                     v_mul(v_mul(v_load_part(x + whole, rest), scale), v_load_part(weight + whole, rest)),
                     rest);
}

/* "Rotation" */
static void rotate(float *x, const float *table, uint32_t n_heads, uint32_t head_size)
{
    uint32_t half = head_size / 2;
    const float *cosine = table, *sine = table + half;
    for (uint32_t h = 0; h < n_heads; h++, x += head_size)
        for (uint32_t i = 0; i < half; i += COLA_LANES) {
            uint32_t n = half - i < COLA_LANES ? half - i : COLA_LANES;
            bool part = n < COLA_LANES;
            v16 a = part ? v_load_part(x + i, n) : v_load(x + i);
            v16 b = part ? v_load_part(x + half + i, n) : v_load(x + half + i);
            v16 c = part ? v_load_part(cosine + i, n) : v_load(cosine + i);
            v16 s = part ? v_load_part(sine + i, n) : v_load(sine + i);
            v16 first = v_fma(a, c, v_neg(v_mul(b, s))), second = v_fma(b, c, v_mul(a, s));
            if (part)
                v_store_part(x + i, first, n), v_store_part(x + half + i, second, n);
            else
                v_store(x + i, first), v_store(x + half + i, second);
        }
}

/* "Gate" */
static void gate(const float *g, const float *up, size_t n, float *out)
{
    size_t i = 0;
    for (; i + COLA_LANES <= n; i += COLA_LANES) {
        v16 x = v_load(g + i), y = v_div(x, v_add(v_set(1.0f), v_exp(v_neg(x))));
        v_store(out + i, v_mul(y, v_load(up + i)));
    }
    for (; i < n; i++) out[i] = g[i] / (1.0f + cola_exp(-g[i])) * up[i];
}

/* "Sums" (scale 1) and "Experts" */
static void add_scaled(const float *in, float scale, size_t n, float *out)
{
    size_t i = 0;
    for (; i + COLA_LANES <= n; i += COLA_LANES)
        v_store(out + i, v_fma(v_set(scale), v_load(in + i), v_load(out + i)));
    for (; i < n; i++) out[i] = fmaf(scale, in[i], out[i]);
}

/* "Logits" */
static void reduce(const float *x, uint32_t n_vocab, struct cola_logits *out)
{
    uint32_t whole = n_vocab / COLA_LANES * COLA_LANES, rest = n_vocab - whole, first = 0;
    v16 most = v_set(-INFINITY), lane = v_set(0.0f);
    for (uint32_t i = 0; i < whole; i += COLA_LANES) most = v_max(v_load(x + i), most);
    if (rest) most = v_max(v_keep(v_load_part(x + whole, rest), rest, -INFINITY), most);
    float max = max_lanes(most);
    v16 max_v = v_set(max);
    for (uint32_t i = 0; i < whole; i += COLA_LANES) lane = v_add(lane, v_exp(v_sub(v_load(x + i), max_v)));
    if (rest) /* a lane without an element adds +0: its sum is never -0, so its bits stay */
        lane = v_add(lane, v_keep(v_exp(v_sub(v_load_part(x + whole, rest), max_v)), rest, 0.0f));
    while (first < whole && !v_equal(v_load(x + first), max_v)) first += COLA_LANES;
    while (first < n_vocab && x[first] != max) first++;
    *out = (struct cola_logits){
        .max = max, .sum = sum_lanes(lane), .argmax = first < n_vocab ? (int32_t)first : 0};
}

#endif

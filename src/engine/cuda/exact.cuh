/* exact.cuh - scalar operations of docs/numerics.md on the GPU: engine/numerics.h once more, operation by
 * operation. Compiled with -fmad=false, so that an fma is where fmaf stands; division and square root are the
 * rounded ones; subnormals stay. */
#ifndef COLA_ENGINE_CUDA_EXACT_CUH
#define COLA_ENGINE_CUDA_EXACT_CUH

#include "engine/cuda/launch.h"
#include "engine/numerics.h"

#define COLA_DEVICE    __device__ __forceinline__
#define COLA_ALL_LANES 0xFFFFFFFFu
#define COLA_MINUS_INF __int_as_float((int)0xFF800000)
#define COLA_PLUS_INF  __int_as_float(0x7F800000)

/* "Exponential" */
COLA_DEVICE float cola_device_exp(float x)
{
    constexpr float term[] = COLA_EXP_TERMS;
    if (x != x) return x;
    if (x > COLA_EXP_MAX) return COLA_PLUS_INF;
    if (x < COLA_EXP_MIN) return 0.0f;
    float n = rintf(x * COLA_EXP_LOG2E);
    float r = fmaf(-n, COLA_EXP_LN2_LOW, fmaf(-n, COLA_EXP_LN2_HIGH, x)), p = term[0];
#pragma unroll
    for (int i = 1; i < 8; i++) p = fmaf(p, r, term[i]);
    int k = (int)n, half = k >> 1;
    return p * __int_as_float((half + 127) << 23) * __int_as_float((k - half + 127) << 23);
}

/* "Lane sum": the sum of 16 neighbouring threads' lanes, thread j of each 16 holding lane j, given to all of
 * them. All threads of the warp take part. */
COLA_DEVICE float cola_device_lane_sum(float lane)
{
#pragma unroll
    for (int width = COLA_LANES / 2; width >= 1; width /= 2)
        lane = lane + __shfl_down_sync(COLA_ALL_LANES, lane, width, COLA_LANES);
    return __shfl_sync(COLA_ALL_LANES, lane, 0, COLA_LANES);
}

/* bf16 and f16 widened: exact */
COLA_DEVICE float cola_device_widen_bf16(unsigned half)
{
    return __int_as_float((int)(half << 16));
}

COLA_DEVICE float cola_device_widen_f16(unsigned half)
{
    unsigned sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, fraction = half & 0x3FFu;
    if (exponent == 0) { /* zero or subnormal: fraction / 2^24 */
        float magnitude = (float)fraction * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    exponent = exponent == 31 ? 255 : exponent + 112;
    return __int_as_float((int)(sign | exponent << 23 | fraction << 13));
}

/* Four floats at once; p is aligned to 16 bytes. */
COLA_DEVICE float4 cola_load4(const float *p)
{
    return *reinterpret_cast<const float4 *>(p);
}

COLA_DEVICE void cola_store4(float *p, float4 x)
{
    *reinterpret_cast<float4 *>(p) = x;
}

#endif

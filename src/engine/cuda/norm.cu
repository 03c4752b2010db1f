/* norm.cu - RMS norm of rows. docs/numerics.md, "Norm".
 *
 * s = lane sum of squares, 16 lanes, each a chain of fma over ascending i; scale = 1 / sqrt(s / w + eps);
 * y_i = (x_i * scale) * weight_i. A row is 16 threads' work, thread j being lane j: the definition's 16 lanes
 * are all the parallelism that a row's sum has. */
#include "engine/cuda/device.h"
#include "engine/cuda/exact.cuh"

static constexpr unsigned THREADS = 128, ROWS = THREADS / COLA_LANES;

/* x, out [n_rows, width]; out may be x: each thread writes only what it alone has read */
__global__ void norm_rows(const float *x, const float *weight, float eps, uint32_t n_rows, uint32_t width,
                          float *out)
{
    uint32_t row = blockIdx.x * ROWS + threadIdx.x / COLA_LANES, lane = threadIdx.x % COLA_LANES;
    bool inside = row < n_rows; /* all threads take part in the lane sum */
    const float *from = x + (size_t)(inside ? row : 0) * width;
    float sum = 0;
#pragma unroll 8
    for (uint32_t i = lane; i < width; i += COLA_LANES) sum = fmaf(from[i], from[i], sum);
    sum = cola_device_lane_sum(sum);
    float scale = __fdiv_rn(1.0f, __fsqrt_rn(__fdiv_rn(sum, (float)width) + eps));
    if (!inside) return;
    for (uint32_t i = lane; i < width; i += COLA_LANES)
        out[(size_t)row * width + i] = (from[i] * scale) * weight[i];
}

extern "C" enum cola_status cola_cuda_norm(struct cola_device *device, const float *x, const float *weight,
                                           float eps, uint32_t n_rows, uint32_t width, float *out)
{
    if (n_rows == 0) return COLA_OK;
    COLA_LAUNCH(norm_rows, cola_blocks(n_rows, ROWS), THREADS, 0, device->compute, x, weight, eps, n_rows,
                width, out);
    return COLA_LAUNCHED("norm");
}

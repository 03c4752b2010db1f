/* elements.cu - what is done to each element by itself: sums, scaled sums, rotation, gate. A thread an
 * element (rotation: a pair); memory decides their speed. docs/numerics.md, "Sums", "Experts", "Rotation",
 * "Gate". */
#include "engine/cuda/device.h"
#include "engine/cuda/exact.cuh"

static constexpr unsigned THREADS = 256;

static COLA_DEVICE size_t own_index(void)
{
    return (size_t)blockIdx.x * THREADS + threadIdx.x;
}

/* x_i = x_i + y_i, y repeated every `period` elements */
__global__ void add_repeated(const float *y, size_t period, size_t n, float *x)
{
    size_t i = own_index();
    if (i < n) x[i] = x[i] + y[i % period];
}

static enum cola_status launch_add(struct cola_device *device, const float *y, size_t period, size_t n,
                                   float *x)
{
    if (n == 0) return COLA_OK;
    COLA_LAUNCH(add_repeated, cola_blocks(n, THREADS), THREADS, 0, device->compute, y, period, n, x);
    return COLA_LAUNCHED("add");
}

extern "C" enum cola_status cola_cuda_add(struct cola_device *device, const float *y, size_t n, float *x)
{
    return launch_add(device, y, n, n, x);
}

extern "C" enum cola_status cola_cuda_add_bias(struct cola_device *device, const float *bias, uint32_t n_rows,
                                               uint32_t width, float *x)
{
    return launch_add(device, bias, width, (size_t)n_rows * width, x);
}

/* out[row_n, i] = fma(scale_n, in[n, i], out[row_n, i]); no row twice, so the order does not matter */
__global__ void add_rows(const float *in, const float *scale, const uint32_t *row, uint32_t width, size_t n,
                         float *out)
{
    size_t i = own_index();
    if (i >= n) return;
    float *to = &out[(size_t)row[i / width] * width + i % width];
    *to = fmaf(scale[i / width], in[i], *to);
}

extern "C" enum cola_status cola_cuda_add_scaled(struct cola_device *device, const float *in,
                                                 const float *scale, const uint32_t *row, uint32_t n_rows,
                                                 uint32_t width, float *out)
{
    struct cola_cuda_part part[] = {{scale, n_rows * sizeof *scale, NULL}, {row, n_rows * sizeof *row, NULL}};
    size_t n = (size_t)n_rows * width;
    if (n == 0) return COLA_OK;
    COLA_TRY(cola_cuda_stage(device, part, 2));
    COLA_LAUNCH(add_rows, cola_blocks(n, THREADS), THREADS, 0, device->compute, in, (const float *)part[0].at,
                (const uint32_t *)part[1].at, width, n, out);
    return COLA_LAUNCHED("add_scaled");
}

/* Rotate-half: a = x_i, b = x_{i + d/2}: x_i = fma(a, c, -(b * s)); x_{i + d/2} = fma(b, c, a * s). One
 * thread a pair; i counts the pairs of all rows and heads. */
__global__ void rotate_pairs(float *x, const float *table, const uint32_t *position, uint32_t n_heads,
                             uint32_t half, size_t n)
{
    size_t i = own_index();
    if (i >= n) return;
    size_t head = i / half, at = i % half;
    const float *cosine = table + (size_t)position[head / n_heads] * 2 * half + at;
    float *low = x + head * 2 * half + at, *high = low + half;
    float a = *low, b = *high, c = cosine[0], s = cosine[half];
    *low = fmaf(a, c, -(b * s));
    *high = fmaf(b, c, a * s);
}

extern "C" enum cola_status cola_cuda_rotate(struct cola_device *device, float *x, const float *table,
                                             const uint32_t *position, uint32_t n_rows, uint32_t n_heads,
                                             uint32_t head_size)
{
    struct cola_cuda_part part = {position, n_rows * sizeof *position, NULL};
    size_t n = (size_t)n_rows * n_heads * (head_size / 2);
    if (n == 0) return COLA_OK;
    COLA_TRY(cola_cuda_stage(device, &part, 1));
    COLA_LAUNCH(rotate_pairs, cola_blocks(n, THREADS), THREADS, 0, device->compute, x, table,
                (const uint32_t *)part.at, n_heads, head_size / 2, n);
    return COLA_LAUNCHED("rotate");
}

/* y = (g / (1 + exp(-g))) * u; out may be gate */
__global__ void gate_elements(const float *gate, const float *up, size_t n, float *out)
{
    size_t i = own_index();
    if (i >= n) return;
    float g = gate[i];
    out[i] = __fdiv_rn(g, 1.0f + cola_device_exp(-g)) * up[i];
}

extern "C" enum cola_status cola_cuda_gate(struct cola_device *device, const float *gate, const float *up,
                                           uint32_t n_rows, uint32_t width, float *out)
{
    size_t n = (size_t)n_rows * width;
    if (n == 0) return COLA_OK;
    COLA_LAUNCH(gate_elements, cola_blocks(n, THREADS), THREADS, 0, device->compute, gate, up, n, out);
    return COLA_LAUNCHED("gate");
}

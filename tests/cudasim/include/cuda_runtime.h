/* cuda_runtime.h - the stand-in's C++ part: what kernels are written in. Threads of a block are fibers that
 * run one after the other from barrier to barrier (block.cc), so what a missing barrier breaks is broken
 * every time. Shared memory is one heap block a launch, NaN at each block's begin. */
#ifndef COLA_CUDASIM_RUNTIME_H
#define COLA_CUDASIM_RUNTIME_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>

#include "cuda_runtime_api.h"

#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w)
{
    return {x, y, z, w};
}

/* --- where a thread is ---------------------------------------------------------------------------------- */

struct cudasim_place {
    uint3 thread, block, block_dim, grid_dim;
    unsigned char *shared;
};
extern __thread cudasim_place cudasim_here; /* no constructor: its address is known at once */
#define threadIdx               cudasim_here.thread
#define blockIdx                cudasim_here.block
#define blockDim                cudasim_here.block_dim
#define gridDim                 cudasim_here.grid_dim
#define COLA_SHARED(type, name) type *name = reinterpret_cast<type *>(cudasim_here.shared)

/* --- what threads do together --------------------------------------------------------------------------- */

void cudasim_barrier(const char *file, int line);
void cudasim_warp_barrier(unsigned mask, const char *file, int line);
/* The 32 bits that lane `source` of the warp gave. */
uint32_t cudasim_exchange(unsigned mask, uint32_t value, unsigned source, const char *file, int line);
#define __syncthreads() cudasim_barrier(__FILE__, __LINE__)
#define __syncwarp()    cudasim_warp_barrier(0xFFFFFFFFu, __FILE__, __LINE__)

template <typename T> T cudasim_shuffle(unsigned mask, T value, unsigned source, const char *file, int line)
{
    static_assert(sizeof(T) == sizeof(uint32_t), "shuffles of 32 bits");
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits = cudasim_exchange(mask, bits, source, file, line);
    std::memcpy(&value, &bits, sizeof bits);
    return value;
}
inline unsigned cudasim_lane()
{
    return cudasim_here.thread.x % 32;
}
inline unsigned cudasim_within(unsigned source, unsigned width) /* outside of its group a lane reads itself */
{
    unsigned lane = cudasim_lane();
    return source / width == lane / width ? source : lane;
}
#define __shfl_sync(mask, value, source, width)                                                              \
    cudasim_shuffle((mask), (value), cudasim_lane() / (width) * (width) + (unsigned)(source) % (width),      \
                    __FILE__, __LINE__)
#define __shfl_down_sync(mask, value, delta, width)                                                          \
    cudasim_shuffle((mask), (value), cudasim_within(cudasim_lane() + (unsigned)(delta), (width)), __FILE__,  \
                    __LINE__)
#define __shfl_xor_sync(mask, value, bits, width)                                                            \
    cudasim_shuffle((mask), (value), cudasim_within(cudasim_lane() ^ (unsigned)(bits), (width)), __FILE__,   \
                    __LINE__)

/* --- arithmetic ----------------------------------------------------------------------------------------- */

inline float __int_as_float(int bits)
{
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}
inline float __fdiv_rn(float a, float b)
{
    return a / b;
}
inline float __fsqrt_rn(float x)
{
    return sqrtf(x);
}

/* --- launches ------------------------------------------------------------------------------------------- */

void cudasim_launch(const void *kernel, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                    std::function<void()> thread);

/* The arguments are copied now, as a launch does. */
template <typename... P, typename... A>
void cudasim_launch_kernel(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
                           cudaStream_t stream, A... argument)
{
    std::tuple<P...> held(static_cast<P>(argument)...);
    cudasim_launch(reinterpret_cast<const void *>(kernel), grid, block, shared_bytes, stream,
                   [kernel, held]() { std::apply(kernel, held); });
}
#define COLA_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                          \
    cudasim_launch_kernel(kernel, dim3(grid), dim3(block), (shared_bytes), (stream), __VA_ARGS__)

#endif

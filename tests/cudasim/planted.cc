/* planted.cc - the kernels of planted.h: each reverses 64 floats through shared memory. */
#include "planted.h"

#include <cstdio>

#include "engine/cuda/exact.cuh"

static constexpr unsigned N = 64;

__global__ void reverse(enum planted what, const float *in, float *out)
{
    COLA_SHARED(float, shared);
    unsigned i = threadIdx.x;
    if (what == PLANTED_MISALIGNED && i == 0) out[0] = cola_load4(in + 1).x;
    if (what != PLANTED_STALE_SHARED || i != 5)
        shared[i] = in[what == PLANTED_BEYOND_MEMORY && i == 63 ? N : i];
    if (what == PLANTED_HALF_AT_BARRIER && i >= N / 2) return;
    if (what == PLANTED_TWO_BARRIERS && i % 2) {
        __syncthreads();
    } else {
        __syncthreads();
    }
    float x = shared[N - 1 - i];
    if (what != PLANTED_HALF_WARP_SHUFFLES || i % 32 < 16) x = __shfl_xor_sync(COLA_ALL_LANES, x, 1, 32);
    x = __shfl_xor_sync(COLA_ALL_LANES, x, 1, 32);
    out[i] = x;
}

static bool ok(cudaError_t error)
{
    if (error != cudaSuccess) fprintf(stderr, "%s\n", cudaGetErrorString(error));
    return error == cudaSuccess;
}

int planted_run(enum planted what)
{
    void *in, *out, *pinned;
    cudaStream_t stream;
    size_t n_bytes = N * sizeof(float), shared = what == PLANTED_BEYOND_SHARED ? n_bytes - 4 : n_bytes;
    if (!ok(cudaStreamCreateWithFlags(&stream, 0)) || !ok(cudaMalloc(&in, n_bytes)) ||
        !ok(cudaMalloc(&out, n_bytes)) || !ok(cudaHostAlloc(&pinned, n_bytes, 0)))
        return 0;
    float *x = static_cast<float *>(pinned);
    for (unsigned i = 0; i < N; i++) x[i] = (float)i;
    ok(cudaMemcpyAsync(in, x, n_bytes, cudaMemcpyHostToDevice, stream));
    COLA_LAUNCH(reverse, 1, N, shared, stream, what, static_cast<const float *>(in),
                static_cast<float *>(out));
    ok(cudaGetLastError());
    ok(cudaMemcpyAsync(x, out, n_bytes, cudaMemcpyDeviceToHost, stream));
    ok(cudaStreamSynchronize(stream));
    bool right = true;
    for (unsigned i = 0; i < N; i++) right = right && x[i] == (float)(N - 1 - i);
    cudaFreeHost(pinned), cudaFree(in), cudaFree(out), cudaStreamDestroy(stream);
    return right;
}

/* cuda_runtime_api.h - a stand-in for the part of the CUDA runtime that src/engine/cuda calls, so that its
 * files run on a CPU and are tested without a GPU. Same names and meanings as NVIDIA's header; the
 * differences are what tests want: device memory begins as NaN and cannot be touched by the host, work of a
 * stream runs as late as its order allows (or as early, by COLA_CUDASIM_ORDER), blocks of the arena are
 * watched by AddressSanitizer.
 *
 * Environment, read when a stream is created or GPUs are counted:
 *   COLA_CUDASIM_ORDER    forward, reversed or a number: in which order threads of a block run, and streams
 *   COLA_CUDASIM_GPUS     how many there are; 2
 *   COLA_CUDASIM_MEMORY   MiB of each; 96
 *   COLA_CUDASIM_MACHINE  makes the GPUs' UUIDs; the process's number, so that tests side by side share none
 */
#ifndef COLA_CUDASIM_RUNTIME_API_H
#define COLA_CUDASIM_RUNTIME_API_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101
} cudaError_t;
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaHostAllocDefault = 0 };

typedef struct CUstream_st *cudaStream_t;
typedef struct CUevent_st *cudaEvent_t;
struct cudaDeviceProp {
    char name[256];
    struct {
        char bytes[16];
    } uuid;
    int major, minor, multiProcessorCount;
    size_t sharedMemPerBlockOptin;
};

const char *cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError(void);
cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *property, int device);
cudaError_t cudaMemGetInfo(size_t *n_free, size_t *n_all);
cudaError_t cudaFuncSetAttribute(const void *kernel, enum cudaFuncAttribute attribute, int value);

cudaError_t cudaMalloc(void **out, size_t n_bytes);
cudaError_t cudaFree(void *memory);
cudaError_t cudaHostAlloc(void **out, size_t n_bytes, unsigned flags);
cudaError_t cudaFreeHost(void *memory);

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n_bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *memory, int value, size_t n_bytes, cudaStream_t stream);

/* A wait knows where it stands, so that a test can leave it out: cudasim.h. */
cudaError_t cudasim_wait_event(cudaStream_t stream, cudaEvent_t event, const char *file, int line);
cudaError_t cudasim_finish_event(cudaEvent_t event, const char *file, int line);
cudaError_t cudasim_finish_stream(cudaStream_t stream, const char *file, int line);
#define cudaStreamWaitEvent(stream, event, flags) cudasim_wait_event((stream), (event), __FILE__, __LINE__)
#define cudaEventSynchronize(event)               cudasim_finish_event((event), __FILE__, __LINE__)
#define cudaStreamSynchronize(stream)             cudasim_finish_stream((stream), __FILE__, __LINE__)

/* The arena's blocks (src/engine/cuda/device.h): taken ones are NaN, released ones must not be touched, each
 * from its place in the stream's order on. */
void cudasim_block(cudaStream_t stream, void *block, size_t n_bytes, bool taken);
#define COLA_CUDA_BLOCK_TAKEN(stream, block, n_bytes)    cudasim_block((stream), (block), (n_bytes), true)
#define COLA_CUDA_BLOCK_RELEASED(stream, block, n_bytes) cudasim_block((stream), (block), (n_bytes), false)

#ifdef __cplusplus
}
#endif
#endif

/* launch.h - the few spellings of CUDA C++ that are no C++: how a kernel is launched and where its shared
 * memory is. A stand-in for CUDA (tests/cudasim) defines them first. */
#ifndef COLA_ENGINE_CUDA_LAUNCH_H
#define COLA_ENGINE_CUDA_LAUNCH_H

#include <cuda_runtime.h>

/* kernel: a pointer to one, so that no comma of a template's arguments stands in a macro. */
#ifndef COLA_LAUNCH
#define COLA_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                          \
    kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__)
#endif

/* Declares `name`, the block's shared memory, as large as the launch said, aligned to 16 bytes. */
#ifndef COLA_SHARED
#define COLA_SHARED(type, name)                                                                              \
    extern __shared__ __align__(16) unsigned char cola_shared_bytes[];                                       \
    type *name = reinterpret_cast<type *>(cola_shared_bytes)
#endif

/* After a launch: whether it was possible. What a kernel does wrong shows when something waits for it. */
#define COLA_LAUNCHED(what) cola_cuda_check(cudaGetLastError(), "launch of " what)

enum { COLA_WARP = 32 };

static inline unsigned cola_blocks(size_t n, size_t each)
{
    return (unsigned)((n + each - 1) / each);
}

#endif

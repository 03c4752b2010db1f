/* gpu.c - which GPU a rank takes: by its number among the worker ranks of its machine, one rank a GPU unless
 * more were asked for.
 *
 * Ranks may all see all GPUs, or each only its own (CUDA_VISIBLE_DEVICES, as batch systems set it), so a
 * count of GPUs says nothing about who else uses one. A rank therefore claims its GPU by UUID: it binds a
 * name in Linux's abstract socket namespace, which the kernel takes back when the process ends, however it
 * ends. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/cuda/device.h"

enum cola_status cola_cuda_check(cudaError_t error, const char *call)
{
    if (error == cudaSuccess) return COLA_OK;
    return cola_fail(error == cudaErrorMemoryAllocation ? COLA_ERR_MEMORY : COLA_ERR_LIBRARY,
                     "CUDA: %.200s: %s", call, cudaGetErrorString(error));
}

bool cola_cuda_present(void)
{
    int n = 0;
    return cudaGetDeviceCount(&n) == cudaSuccess && n > 0;
}

static void write_uuid(const struct cudaDeviceProp *p, char text[48])
{
    int at = snprintf(text, 48, "GPU-");
    for (int i = 0; i < 16; i++)
        at += snprintf(text + at, 48 - (size_t)at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                       (unsigned)(uint8_t)p->uuid.bytes[i]);
}

/* The arena takes what is free, of its share, but for what the driver and kernels' stacks may still need. */
static enum cola_status measure(const struct cola_device_options *options, struct cola_device *device)
{
    size_t n_free, n_all, share, spare;
    COLA_CUDA_TRY(cudaMemGetInfo(&n_free, &n_all));
    share = n_all / device->ranks_per_gpu;
    spare = share / 64;
    if (n_free < share) share = n_free;
    device->arena_bytes = share > spare ? share - spare : 0;
    /* what memory_limit makes of it is then what was asked for */
    uint64_t wanted = options->memory_bytes + options->memory_bytes / 15 + (64 << 20);
    if (options->memory_bytes && wanted < device->arena_bytes) device->arena_bytes = (size_t)wanted;
    return COLA_OK;
}

enum cola_status cola_cuda_choose(const struct cola_device_options *options, struct cola_device *device)
{
    int n_gpus = 0;
    struct cudaDeviceProp property;
    cudaError_t error = cudaGetDeviceCount(&n_gpus);
    if (error != cudaSuccess || n_gpus == 0)
        return cola_fail(
            COLA_ERR_UNSUPPORTED,
            "back end cuda: no GPU on this machine (%s); use --backend cpu, which gives the same bytes",
            error == cudaSuccess ? "CUDA counts 0" : cudaGetErrorString(error));
    device->ranks_per_gpu = options->ranks_per_gpu ? options->ranks_per_gpu : 1;
    device->number = (int)(options->rank / device->ranks_per_gpu % (uint32_t)n_gpus);
    COLA_CUDA_TRY(cudaSetDevice(device->number));
    COLA_CUDA_TRY(cudaGetDeviceProperties(&property, device->number));
    const char *name = property.name;
    if (strncmp(name, "NVIDIA ", 7) == 0) name += 7;
    snprintf(device->name, sizeof device->name, "%.63s", name);
    write_uuid(&property, device->uuid);
    device->shared_limit = property.sharedMemPerBlockOptin;
    device->n_processors = (uint32_t)property.multiProcessorCount;
    if (property.major < 8)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "back end cuda: %s has compute capability %d.%d, 8.0 is needed", device->name,
                         property.major, property.minor);
    return measure(options, device);
}

enum cola_status cola_cuda_claim(struct cola_device *device)
{
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0) return cola_fail(COLA_ERR_IO, "a socket to claim %s: %s", device->uuid, strerror(errno));
    for (uint32_t place = 0; place < device->ranks_per_gpu; place++) {
        struct sockaddr_un name = {.sun_family = AF_UNIX}; /* sun_path[0] is 0: abstract */
        int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "cola %s %u", device->uuid, place);
        socklen_t n_name = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
        if (bind(s, (const struct sockaddr *)&name, n_name) == 0) {
            device->claim = s;
            return COLA_OK;
        }
    }
    close(s);
    return cola_fail(COLA_ERR_UNSUPPORTED,
                     "back end cuda: %s (%s) is in use by %s of this machine; start one rank a GPU, or give "
                     "--ranks-per-gpu %u to all",
                     device->name, device->uuid,
                     device->ranks_per_gpu == 1 ? "another worker" : "other workers",
                     device->ranks_per_gpu + 1);
}

/* staging.c - bytes between host and GPU: a ring of pinned memory on the way there, one pinned block on the
 * way back. What goes there never waits for the GPU, unless the host is a whole round of the ring ahead of
 * it.
 *
 * The order of events is what keeps it right (device.h): a copy into memory that kernels may still read or
 * write waits for those; kernels launched after a copy wait for it; a segment of the ring is written again
 * when the kernels that were launched before it was left are done. So an operation takes all that it stages
 * in one call: had it taken two, the first could lie in a segment that was left before its kernel was
 * launched.
 */
#include <string.h>

#include "engine/cuda/device.h"

enum cola_status cola_cuda_staging_open(struct cola_device *device)
{
    struct cola_cuda_staging *s = &device->staging;
    size_t n_bytes = (size_t)COLA_CUDA_SEGMENTS * COLA_CUDA_SEGMENT_BYTES;
    COLA_CUDA_TRY(cudaHostAlloc((void **)&s->host, n_bytes, cudaHostAllocDefault));
    COLA_CUDA_TRY(cudaHostAlloc((void **)&device->result_host, COLA_CUDA_RESULT_BYTES, cudaHostAllocDefault));
    COLA_TRY(cola_cuda_allocate_bytes(device, n_bytes, "staged tables", (void **)&s->device));
    COLA_TRY(cola_cuda_allocate_bytes(device, COLA_CUDA_RESULT_BYTES, "results", (void **)&device->result));
    for (int i = 0; i < COLA_CUDA_SEGMENTS; i++)
        COLA_CUDA_TRY(cudaEventCreateWithFlags(&s->done[i], cudaEventDisableTiming));
    COLA_CUDA_TRY(cudaEventCreateWithFlags(&s->copied, cudaEventDisableTiming));
    COLA_CUDA_TRY(cudaEventCreateWithFlags(&s->computed, cudaEventDisableTiming));
    return COLA_OK;
}

void cola_cuda_staging_close(struct cola_device *device)
{
    struct cola_cuda_staging *s = &device->staging;
    for (int i = 0; i < COLA_CUDA_SEGMENTS; i++)
        if (s->done[i]) cudaEventDestroy(s->done[i]);
    if (s->copied) cudaEventDestroy(s->copied);
    if (s->computed) cudaEventDestroy(s->computed);
    if (s->host) cudaFreeHost(s->host);
    if (device->result_host) cudaFreeHost(device->result_host);
    device->result_host = NULL;
    *s = (struct cola_cuda_staging){0};
}

/* The next segment, once nothing needs what is in it. */
static enum cola_status turn(struct cola_device *device)
{
    struct cola_cuda_staging *s = &device->staging;
    COLA_CUDA_TRY(cudaEventRecord(s->done[s->segment], device->compute));
    s->segment = (s->segment + 1) % COLA_CUDA_SEGMENTS;
    s->n_used = 0;
    COLA_CUDA_TRY(cudaEventSynchronize(s->done[s->segment])); /* at once for one never recorded */
    return COLA_OK;
}

enum cola_status cola_cuda_stage_room(struct cola_device *device, size_t n_bytes, void **host)
{
    enum { ALIGNMENT = 16 };
    struct cola_cuda_staging *s = &device->staging;
    size_t n = (n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (n > COLA_CUDA_SEGMENT_BYTES)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "tables of one batch take %zu bytes, the cuda back end takes %u; fewer rows or "
                         "requests in flight need less",
                         n_bytes, COLA_CUDA_SEGMENT_BYTES);
    if (s->n_used + n > COLA_CUDA_SEGMENT_BYTES) COLA_TRY(turn(device));
    *host = s->host + (size_t)s->segment * COLA_CUDA_SEGMENT_BYTES + s->n_used;
    s->n_used += n;
    return COLA_OK;
}

enum cola_status cola_cuda_stage_send(struct cola_device *device, const void *host, size_t n_bytes, void *to,
                                      const void **at)
{
    struct cola_cuda_staging *s = &device->staging;
    if (to) { /* the ring's own twin is free since turn; other memory may be in use */
        COLA_CUDA_TRY(cudaEventRecord(s->computed, device->compute));
        COLA_CUDA_TRY(cudaStreamWaitEvent(device->copy, s->computed, 0));
    } else {
        to = s->device + ((const uint8_t *)host - s->host);
        *at = to;
    }
    COLA_CUDA_TRY(cudaMemcpyAsync(to, host, n_bytes, cudaMemcpyHostToDevice, device->copy));
    COLA_CUDA_TRY(cudaEventRecord(s->copied, device->copy));
    COLA_CUDA_TRY(cudaStreamWaitEvent(device->compute, s->copied, 0));
    return COLA_OK;
}

static size_t aligned(size_t n_bytes)
{
    return (n_bytes + 15) / 16 * 16;
}

enum cola_status cola_cuda_stage(struct cola_device *device, struct cola_cuda_part *part, uint32_t n_parts)
{
    size_t n_bytes = 0;
    const void *sent;
    void *host;
    for (uint32_t i = 0; i < n_parts; i++) n_bytes += aligned(part[i].n_bytes);
    COLA_TRY(cola_cuda_stage_room(device, n_bytes, &host));
    for (size_t i = 0, at = 0; i < n_parts; at += aligned(part[i++].n_bytes))
        memcpy((uint8_t *)host + at, part[i].host, part[i].n_bytes);
    COLA_TRY(cola_cuda_stage_send(device, host, n_bytes, NULL, &sent));
    for (size_t i = 0, at = 0; i < n_parts; at += aligned(part[i++].n_bytes))
        part[i].at = (const uint8_t *)sent + at;
    return COLA_OK;
}

enum cola_status cola_cuda_fetch_result(struct cola_device *device, size_t n_bytes)
{
    COLA_CUDA_TRY(cudaMemcpyAsync(device->result_host, device->result, n_bytes, cudaMemcpyDeviceToHost,
                                  device->compute));
    COLA_CUDA_TRY(cudaStreamSynchronize(device->compute));
    return COLA_OK;
}

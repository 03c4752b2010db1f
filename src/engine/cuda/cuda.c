/* cuda.c - the cuda back end: its life, its memory, what it says of itself, and the operation table.
 *
 * open finds the rank's GPU and how much memory it may take; the arena and all else come with the first
 * allocation, so that estimates take nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/memory.h"
#include "engine/cuda/device.h"
#include "engine/numerics.h"

static void cuda_close(struct cola_device *device)
{
    if (!device) return;
    if (device->compute) cudaStreamSynchronize(device->compute);
    if (device->copy) cudaStreamSynchronize(device->copy);
    cola_cuda_staging_close(device);
    cola_cuda_pool_destroy(&device->pool);
    if (device->compute) cudaStreamDestroy(device->compute);
    if (device->copy) cudaStreamDestroy(device->copy);
    if (device->claim >= 0) close(device->claim);
    free(device);
}

static enum cola_status cuda_open(const struct cola_device_options *options, struct cola_device **out)
{
    struct cola_device *device = NULL;
    enum cola_status status = COLA_OK;
    if (options->bf16)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "back end cuda: --dtype bf16 is not built for it; use --dtype f32 or --backend cpu");
    COLA_TRY(cola_alloc((void **)&device, 1, sizeof *device, "cuda back end"));
    device->claim = -1;
    COLA_TRY_DONE(cola_cuda_choose(options, device));
    *out = device;
    return COLA_OK;
done:
    cuda_close(device);
    return status;
}

static enum cola_status start(struct cola_device *device)
{
    COLA_CUDA_TRY(cudaSetDevice(device->number));
    COLA_TRY(cola_cuda_claim(device));
    COLA_CUDA_TRY(cudaStreamCreateWithFlags(&device->compute, cudaStreamNonBlocking));
    COLA_CUDA_TRY(cudaStreamCreateWithFlags(&device->copy, cudaStreamNonBlocking));
    COLA_TRY(cola_cuda_pool_create(device->arena_bytes, &device->pool));
    COLA_CUDA_BLOCK_RELEASED(device->compute, device->pool.base, device->pool.n_bytes);
    return cola_cuda_staging_open(device);
}

static void cuda_describe(const struct cola_device *device, char *text, size_t n_text)
{
    snprintf(text, n_text, "%.22s %s", device->name, device->uuid);
}

static void cuda_numerics_id(const struct cola_device *device, char *text, size_t n_text)
{
    (void)device;
    snprintf(text, n_text, "%s", COLA_NUMERICS_F32);
}

static void cuda_layout(const struct cola_device *device, char *text, size_t n_text)
{
    (void)device;
    snprintf(text, n_text, "cuda");
}

/* What the account may give out: blocks are rounded up, and gaps between them that fit nothing cost some. */
static uint64_t cuda_memory_limit(const struct cola_device *device)
{
    size_t own = (size_t)COLA_CUDA_SEGMENTS * COLA_CUDA_SEGMENT_BYTES + COLA_CUDA_RESULT_BYTES;
    return device->arena_bytes > own ? (device->arena_bytes - own) / 16 * 15 : 0;
}

enum cola_status cola_cuda_allocate_bytes(struct cola_device *device, size_t n_bytes, const char *what,
                                          void **out)
{
    if (!device->pool.base) COLA_TRY(start(device));
    COLA_TRY(cola_cuda_pool_take(&device->pool, n_bytes, what, out));
    COLA_CUDA_BLOCK_TAKEN(device->compute, *out, n_bytes);
    return COLA_OK;
}

void cola_cuda_release_bytes(struct cola_device *device, void *block)
{
    if (!block) return;
    size_t n_bytes = cola_cuda_pool_release(&device->pool, block);
    COLA_CUDA_BLOCK_RELEASED(device->compute, block, n_bytes);
    (void)n_bytes;
}

static enum cola_status cuda_allocate(struct cola_device *device, size_t n, const char *what, float **out)
{
    void *block;
    COLA_TRY(cola_cuda_allocate_bytes(device, n * sizeof **out, what, &block));
    enum cola_status status =
        cola_cuda_check(cudaMemsetAsync(block, 0, n * sizeof **out, device->compute), "cudaMemsetAsync");
    if (status != COLA_OK) {
        cola_cuda_release_bytes(device, block);
        return status;
    }
    *out = block;
    return COLA_OK;
}

static void cuda_release(struct cola_device *device, float *memory)
{
    cola_cuda_release_bytes(device, memory);
}

static enum cola_status cuda_upload(struct cola_device *device, const float *host, size_t n, float *out)
{
    enum { CHUNK = COLA_CUDA_SEGMENT_BYTES / sizeof(float) };
    for (size_t at = 0; at < n; at += CHUNK) {
        size_t n_bytes = (n - at < CHUNK ? n - at : CHUNK) * sizeof *host;
        void *room;
        COLA_TRY(cola_cuda_stage_room(device, n_bytes, &room));
        memcpy(room, host + at, n_bytes);
        COLA_TRY(cola_cuda_stage_send(device, room, n_bytes, out + at, NULL));
    }
    return COLA_OK;
}

static enum cola_status cuda_download(struct cola_device *device, const float *memory, size_t n, float *host)
{
    enum { CHUNK = COLA_CUDA_RESULT_BYTES / sizeof(float) };
    for (size_t at = 0; at < n; at += CHUNK) {
        size_t n_bytes = (n - at < CHUNK ? n - at : CHUNK) * sizeof *host;
        COLA_CUDA_TRY(cudaMemcpyAsync(device->result_host, memory + at, n_bytes, cudaMemcpyDeviceToHost,
                                      device->compute));
        COLA_CUDA_TRY(cudaStreamSynchronize(device->compute));
        memcpy(host + at, device->result_host, n_bytes);
    }
    return COLA_OK;
}

static enum cola_status cuda_copy(struct cola_device *device, const float *in, size_t n, float *out)
{
    COLA_CUDA_TRY(cudaMemcpyAsync(out, in, n * sizeof *out, cudaMemcpyDeviceToDevice, device->compute));
    return COLA_OK;
}

static enum cola_status cuda_clear(struct cola_device *device, size_t n, float *x)
{
    COLA_CUDA_TRY(cudaMemsetAsync(x, 0, n * sizeof *x, device->compute));
    return COLA_OK;
}

static size_t cuda_row_floats(struct cola_device *device, uint32_t widest)
{
    (void)device, (void)widest;
    return 0;
}

const struct cola_backend cola_backend_cuda = {
    .name = "cuda",
    .own_matrices = true,
    .open = cuda_open,
    .close = cuda_close,
    .describe = cuda_describe,
    .numerics_id = cuda_numerics_id,
    .layout = cuda_layout,
    .memory_limit = cuda_memory_limit,
    .allocate = cuda_allocate,
    .release = cuda_release,
    .upload = cuda_upload,
    .download = cuda_download,
    .matrix_bytes = cola_cuda_matrix_bytes,
    .load_matrix = cola_cuda_load_matrix,
    .release_matrix = cola_cuda_release_matrix,
    .embed = cola_cuda_embed,
    .gather = cola_cuda_gather,
    .scatter = cola_cuda_scatter,
    .copy = cuda_copy,
    .clear = cuda_clear,
    .add = cola_cuda_add,
    .add_bias = cola_cuda_add_bias,
    .add_scaled = cola_cuda_add_scaled,
    .route = cola_cuda_route,
    .norm = cola_cuda_norm,
    .product = cola_cuda_product,
    .row_floats = cuda_row_floats,
    .rotate = cola_cuda_rotate,
    .store_floats = cola_cuda_store_floats,
    .store_keys = cola_cuda_store_keys,
    .attention = cola_cuda_attention,
    .gate = cola_cuda_gate,
    .reduce_logits = cola_cuda_reduce_logits,
};

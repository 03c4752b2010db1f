/* rows.cu - whole rows from here to there: embedding, gather, scatter, stored keys. No arithmetic but the
 * exact widening of an embedding's row.
 *
 * out[i, :] = in[row[i], :], or the other way round; a block a row, four floats a thread at a time where the
 * width allows it. Row tables are host memory and travel by the staging ring; rows of the embedding travel as
 * the checkpoint has them, in as many pieces as the ring asks for. */
#include <string.h>

#include "engine/cuda/device.h"
#include "engine/cuda/exact.cuh"

static constexpr unsigned THREADS = 128;

__global__ void move_rows(const float *in, const uint32_t *row, uint32_t width, bool gather, float *out)
{
    size_t there = (size_t)row[blockIdx.x] * width, here = (size_t)blockIdx.x * width;
    const float *from = in + (gather ? there : here);
    float *to = out + (gather ? here : there);
    if (width % 4 == 0) {
        for (uint32_t i = 4 * threadIdx.x; i < width; i += 4 * THREADS)
            cola_store4(to + i, cola_load4(from + i));
    } else {
        for (uint32_t i = threadIdx.x; i < width; i += THREADS) to[i] = from[i];
    }
}

static enum cola_status move(struct cola_device *device, const float *in, const uint32_t *row,
                             uint32_t n_rows, uint32_t width, bool gather, float *out)
{
    struct cola_cuda_part table = {row, n_rows * sizeof *row, NULL};
    if (n_rows == 0) return COLA_OK;
    COLA_TRY(cola_cuda_stage(device, &table, 1));
    COLA_LAUNCH(move_rows, n_rows, THREADS, 0, device->compute, in, (const uint32_t *)table.at, width, gather,
                out);
    return COLA_LAUNCHED("gather or scatter");
}

extern "C" enum cola_status cola_cuda_gather(struct cola_device *device, const float *in, const uint32_t *row,
                                             uint32_t n_rows, uint32_t width, float *out)
{
    return move(device, in, row, n_rows, width, true, out);
}

extern "C" enum cola_status cola_cuda_scatter(struct cola_device *device, const float *in,
                                              const uint32_t *row, uint32_t n_rows, uint32_t width,
                                              float *out)
{
    return move(device, in, row, n_rows, width, false, out);
}

/* --- "Embedding" --------------------------------------------------------------------------------------- */

__global__ void widen(const void *in, enum cola_dtype dtype, size_t n, float *out)
{
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= n) return;
    if (dtype == COLA_F32)
        out[i] = static_cast<const float *>(in)[i];
    else if (dtype == COLA_BF16)
        out[i] = cola_device_widen_bf16(static_cast<const uint16_t *>(in)[i]);
    else
        out[i] = cola_device_widen_f16(static_cast<const uint16_t *>(in)[i]);
}

extern "C" enum cola_status cola_cuda_embed(struct cola_device *device, const struct cola_tensor *table,
                                            const int32_t *token, uint32_t n_rows, float *out)
{
    size_t width = table->shape[1], row_bytes = width * cola_dtype_bytes(table->dtype);
    size_t most = COLA_CUDA_SEGMENT_BYTES / row_bytes;
    for (size_t first = 0; first < n_rows; first += most) {
        size_t n = n_rows - first < most || most == 0 ? n_rows - first : most;
        const void *sent;
        void *room;
        COLA_TRY(cola_cuda_stage_room(device, n * row_bytes, &room)); /* refuses a row wider than the ring */
        for (size_t i = 0; i < n; i++)
            memcpy((uint8_t *)room + i * row_bytes,
                   (const uint8_t *)table->data + (size_t)token[first + i] * row_bytes, row_bytes);
        COLA_TRY(cola_cuda_stage_send(device, room, n * row_bytes, NULL, &sent));
        COLA_LAUNCH(widen, cola_blocks(n * width, THREADS), THREADS, 0, device->compute, sent, table->dtype,
                    n * width, out + first * width);
        COLA_TRY(COLA_LAUNCHED("widening of embedded rows"));
    }
    return COLA_OK;
}

/* --- stored keys: the rows of k for all positions of the store, then those of v ------------------------- */

extern "C" size_t cola_cuda_store_floats(struct cola_device *device, uint32_t room, uint32_t n_kv_heads,
                                         uint32_t head_size)
{
    (void)device;
    return 2 * (size_t)room * n_kv_heads * head_size;
}

/* Row blockIdx.y of k and of v of one entry of the table, blockIdx.x, to its store. */
__global__ void store_rows(const struct cola_kept_keys *kept, uint32_t width)
{
    const struct cola_kept_keys &one = kept[blockIdx.x];
    for (uint32_t row = blockIdx.y; row < one.n_rows; row += gridDim.y) {
        size_t from = (size_t)row * width, to = (size_t)(one.first + row) * width;
        float *v = one.store + (size_t)one.room * width;
        for (uint32_t i = threadIdx.x; i < width; i += THREADS) {
            one.store[to + i] = one.k[from + i];
            v[to + i] = one.v[from + i];
        }
    }
}

extern "C" enum cola_status cola_cuda_store_keys(struct cola_device *device,
                                                 const struct cola_kept_keys *kept, uint32_t n_kept,
                                                 uint32_t n_kv_heads, uint32_t head_size)
{
    constexpr uint32_t MOST = COLA_CUDA_SEGMENT_BYTES / sizeof *kept, MOST_ROWS = 1024; /* of a launch */
    for (uint32_t first = 0; first < n_kept; first += MOST) {
        uint32_t n = n_kept - first < MOST ? n_kept - first : MOST, n_rows = 1;
        struct cola_cuda_part part = {kept + first, n * sizeof *kept, NULL};
        for (uint32_t i = 0; i < n; i++)
            if (kept[first + i].n_rows > n_rows) n_rows = kept[first + i].n_rows;
        COLA_TRY(cola_cuda_stage(device, &part, 1));
        COLA_LAUNCH(store_rows, dim3(n, n_rows < MOST_ROWS ? n_rows : MOST_ROWS), THREADS, 0, device->compute,
                    (const struct cola_kept_keys *)part.at, n_kv_heads * head_size);
        COLA_TRY(COLA_LAUNCHED("store_keys"));
    }
    return COLA_OK;
}

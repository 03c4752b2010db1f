/* logits.cu - logits reduced to what scores need. docs/numerics.md, "Logits".
 *
 * m = the largest of a row, argmax the lowest t with x_t = m; S = lane sum of exp(x_t - m). A block a row:
 * all threads look for m; then pieces of the row go through shared memory, all threads taking exponentials of
 * the next piece while 16 of them, one a lane, add those of the last one in ascending t. */
#include <string.h>

#include "engine/cuda/device.h"
#include "engine/cuda/exact.cuh"

static constexpr unsigned THREADS = 512, WARPS = THREADS / COLA_WARP, PIECE = 4 * THREADS;
static constexpr int NONE = 0x7FFFFFFF; /* no element was larger than minus infinity */

/* The larger of two; of equals the one that comes first. */
static COLA_DEVICE void take_better(float other, int other_at, float *max, int *at)
{
    if (other > *max || (other == *max && other_at < *at)) *max = other, *at = other_at;
}

/* The block's best (max, at), in every thread. scratch: 2 * WARPS words of shared memory. */
static COLA_DEVICE void reduce_best(float *scratch, float *max, int *at)
{
    int *scratch_at = reinterpret_cast<int *>(scratch + WARPS);
#pragma unroll
    for (int width = COLA_WARP / 2; width >= 1; width /= 2) {
        float other = __shfl_xor_sync(COLA_ALL_LANES, *max, width, COLA_WARP);
        int other_at = __shfl_xor_sync(COLA_ALL_LANES, *at, width, COLA_WARP);
        take_better(other, other_at, max, at);
    }
    if (threadIdx.x % COLA_WARP == 0)
        scratch[threadIdx.x / COLA_WARP] = *max, scratch_at[threadIdx.x / COLA_WARP] = *at;
    __syncthreads();
    for (unsigned w = 0; w < WARPS; w++) take_better(scratch[w], scratch_at[w], max, at);
}

/* logits [n_rows, V]; out [n_rows] */
__global__ __launch_bounds__(THREADS) void reduce_rows(const float *logits, uint32_t n_vocab,
                                                       struct cola_logits *out)
{
    COLA_SHARED(float, shared); /* [2, PIECE], then reduce_best's */
    const float *x = logits + (size_t)blockIdx.x * n_vocab;
    float max = COLA_MINUS_INF, sum = 0;
    int at = NONE;
    for (uint32_t i = threadIdx.x; i < n_vocab; i += THREADS)
        if (x[i] > max) max = x[i], at = (int)i;
    reduce_best(shared + 2 * PIECE, &max, &at);
    for (uint32_t first = 0, turn = 0; first < n_vocab; first += PIECE, turn ^= 1) {
        float *piece = shared + turn * PIECE;
        uint32_t n = n_vocab - first < PIECE ? n_vocab - first : PIECE;
        for (uint32_t i = threadIdx.x; i < n; i += THREADS) piece[i] = cola_device_exp(x[first + i] - max);
        __syncthreads();
        if (threadIdx.x < COLA_LANES)
#pragma unroll 8
            for (uint32_t i = threadIdx.x; i < n; i += COLA_LANES) sum = sum + piece[i];
    }
    if (threadIdx.x >= COLA_WARP)
        return; /* the lane sum takes a whole warp; threads 16 .. 31 hold 0, unused */
    sum = cola_device_lane_sum(sum);
    if (threadIdx.x == 0) out[blockIdx.x] = {max, sum, at == NONE ? 0 : at};
}

__global__ void pick_logits(const float *logits, uint32_t n_vocab, const struct cola_pick *pick, uint32_t n,
                            float *out)
{
    uint32_t i = blockIdx.x * THREADS + threadIdx.x;
    if (i < n) out[i] = logits[(size_t)pick[i].row * n_vocab + (size_t)pick[i].token];
}

static enum cola_status launch_reduce(struct cola_device *device, const float *logits, uint32_t n_rows,
                                      uint32_t n_vocab)
{
    size_t shared = (2 * PIECE + 2 * WARPS) * sizeof(float);
    COLA_LAUNCH(reduce_rows, n_rows, THREADS, shared, device->compute, logits, n_vocab,
                (struct cola_logits *)device->result);
    return COLA_LAUNCHED("reduce_logits");
}

extern "C" enum cola_status cola_cuda_reduce_logits(struct cola_device *device, const float *logits,
                                                    uint32_t n_rows, uint32_t n_vocab,
                                                    struct cola_logits *logit, const struct cola_pick *pick,
                                                    uint32_t n_picks, float *picked)
{
    constexpr size_t ROWS = COLA_CUDA_RESULT_BYTES / sizeof *logit;
    constexpr size_t SENT = COLA_CUDA_SEGMENT_BYTES, FETCHED = COLA_CUDA_RESULT_BYTES;
    constexpr size_t PICKS = (SENT < FETCHED ? SENT : FETCHED) / sizeof *pick;
    for (size_t first = 0; first < n_rows; first += ROWS) {
        size_t n = n_rows - first < ROWS ? n_rows - first : ROWS;
        COLA_TRY(launch_reduce(device, logits + first * n_vocab, (uint32_t)n, n_vocab));
        COLA_TRY(cola_cuda_fetch_result(device, n * sizeof *logit));
        memcpy(logit + first, device->result_host, n * sizeof *logit);
    }
    for (size_t first = 0; first < n_picks; first += PICKS) {
        size_t n = n_picks - first < PICKS ? n_picks - first : PICKS;
        struct cola_cuda_part part = {pick + first, n * sizeof *pick, NULL};
        COLA_TRY(cola_cuda_stage(device, &part, 1));
        COLA_LAUNCH(pick_logits, cola_blocks(n, THREADS), THREADS, 0, device->compute, logits, n_vocab,
                    (const struct cola_pick *)part.at, (uint32_t)n, (float *)device->result);
        COLA_TRY(COLA_LAUNCHED("picked logits"));
        COLA_TRY(cola_cuda_fetch_result(device, n * sizeof *picked));
        memcpy(picked + first, device->result_host, n * sizeof *picked);
    }
    return COLA_OK;
}

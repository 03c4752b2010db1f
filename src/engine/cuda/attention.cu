/* attention.cu - attention of query rows over the keys before them. docs/numerics.md, "Attention".
 *
 * s_j = fma chain over i, times scale; m = the largest; e_j = exp(s_j - m); S = lane sum of e_j by absolute
 * position; o_i = fma(e_j, v_ji, o_i) in ascending j; the result is o_i * (1 / S).
 *
 * A block is one key/value head and up to QUERIES query rows of it: the rows of a span times the query heads
 * that share the head, so that decoding, with one row, still fills a tile. It passes over the keys twice, in
 * steps of KEYS: first for m, then for e, S and o. The scores are computed twice, so that no length is too
 * long for shared memory and no running maximum rescales what was added: rescaling would round. A warp owns
 * QUERIES / WARPS rows from scores to output; a thread one key's scores, then some columns of the output.
 * A row's keys end where its own position does: nothing is added for those behind, not even 0 * v. */
#include <string.h>

#include "engine/cuda/device.h"
#include "engine/cuda/exact.cuh"

static constexpr uint32_t QUERIES = 32, KEYS = 32, THREADS = 256, WARPS = THREADS / COLA_WARP;
static constexpr uint32_t OWN = QUERIES / WARPS; /* rows of a warp */
static_assert(KEYS == COLA_WARP && KEYS % COLA_LANES == 0, "a thread a key, whole rounds of lanes");
static constexpr uint32_t HALVES = OWN / 2; /* a half-warp keeps the lanes of every second row */

struct tile {
    uint32_t span, first; /* of the span's rows times heads, row by row */
};
struct attention {
    const float *q;
    float *out;
    const struct cola_span *span;            /* device */
    const struct tile *tile;                 /* device, blockIdx.x */
    uint32_t n_heads, n_kv_heads, d, stride; /* stride of rows in shared memory: a multiple of four, over d */
    float scale;
};

/* Where a span's keys (or values) are: the prefix's rows, then the tail's. */
struct key_rows {
    const float *prefix, *tail;
    uint32_t n_prefix;
};

static COLA_DEVICE const float *first_of(const struct cola_keys &keys, bool value, size_t width)
{
    if (!value) return keys.k;
    return keys.room ? keys.k + keys.room * width
                     : keys.v; /* a store: keys of all its positions, then values */
}

/* d floats of one row into shared memory, by a warp */
static COLA_DEVICE void copy_row(const float *from, uint32_t d, float *to)
{
    uint32_t lane = threadIdx.x % COLA_WARP;
    if (d % 4 == 0) {
        for (uint32_t i = 4 * lane; i < d; i += 4 * COLA_WARP) cola_store4(to + i, cola_load4(from + i));
    } else {
        for (uint32_t i = lane; i < d; i += COLA_WARP) to[i] = from[i];
    }
}

/* Keys or values first .. , up to n_keys, [KEYS, stride] */
static COLA_DEVICE void copy_keys(const struct attention *a, struct key_rows rows, uint32_t first,
                                  uint32_t n_keys, float *to)
{
    size_t width = (size_t)a->n_kv_heads * a->d;
    for (uint32_t j = threadIdx.x / COLA_WARP; j < KEYS && first + j < n_keys; j += WARPS) {
        uint32_t at = first + j;
        const float *from =
            at < rows.n_prefix ? rows.prefix + at * width : rows.tail + (at - rows.n_prefix) * width;
        copy_row(from + blockIdx.y * a->d, a->d, to + j * a->stride);
    }
}

/* score[r] of the warp's rows with the thread's key; q, k rows in shared memory */
static COLA_DEVICE void score_rows(const struct attention *a, const float *q, const float *k,
                                   float score[OWN])
{
    uint32_t i = 0;
#pragma unroll
    for (uint32_t r = 0; r < OWN; r++) score[r] = 0;
#pragma unroll 2 /* more would spill registers */
    for (; i + 4 <= a->d; i += 4) {
        float4 y = cola_load4(k + i);
#pragma unroll
        for (uint32_t r = 0; r < OWN; r++) {
            float4 x = cola_load4(q + r * a->stride + i);
            score[r] = fmaf(x.w, y.w, fmaf(x.z, y.z, fmaf(x.y, y.y, fmaf(x.x, y.x, score[r]))));
        }
    }
    for (; i < a->d; i++)
#pragma unroll
        for (uint32_t r = 0; r < OWN; r++) score[r] = fmaf(q[r * a->stride + i], k[i], score[r]);
#pragma unroll
    for (uint32_t r = 0; r < OWN; r++) score[r] = score[r] * a->scale;
}

static COLA_DEVICE float warp_max(float x)
{
#pragma unroll
    for (int width = COLA_WARP / 2; width >= 1; width /= 2) {
        float other = __shfl_xor_sync(COLA_ALL_LANES, x, width, COLA_WARP);
        x = other > x ? other : x;
    }
    return x;
}

/* COLUMNS: of a thread; head sizes up to COLUMNS * 32 */
template <int COLUMNS>
__global__ __launch_bounds__(THREADS, COLUMNS > 4 ? 1 : 2) void attend(struct attention a)
{
    COLA_SHARED(float, shared);
    float *q = shared, *k = q + QUERIES * a.stride, *v = k + KEYS * a.stride, *e = v + KEYS * a.stride;
    const struct tile tile = a.tile[blockIdx.x];
    const struct cola_span &span = a.span[tile.span];
    size_t width = (size_t)a.n_kv_heads * a.d;
    const struct key_rows keys = {first_of(span.prefix, false, width), first_of(span.tail, false, width),
                                  span.n_prefix};
    const struct key_rows values = {first_of(span.prefix, true, width), first_of(span.tail, true, width),
                                    span.n_prefix};
    uint32_t group = a.n_heads / a.n_kv_heads, n_flat = span.n_rows * group, lane = threadIdx.x % COLA_WARP;
    uint32_t own = threadIdx.x / COLA_WARP * OWN,
             last = tile.first + QUERIES < n_flat ? tile.first + QUERIES : n_flat;
    uint32_t n_keys = span.n_prefix + span.n_first + (last - 1) / group; /* of the block's last row */
    uint32_t limit[OWN]; /* keys of each of the warp's rows; 0: no such row */
    uint32_t place[OWN]; /* of its head among all heads of all rows, in q and out */
    float max[OWN], total[HALVES], sum[OWN][COLUMNS] = {};
#pragma unroll
    for (uint32_t r = 0; r < OWN; r++) {
        uint32_t flat = tile.first + own + r, row = flat / group, head = blockIdx.y * group + flat % group;
        limit[r] = flat < last ? span.n_prefix + span.n_first + row : 0;
        place[r] = (span.first_row + row) * a.n_heads + head;
        if (flat < last) copy_row(a.q + (size_t)place[r] * a.d, a.d, q + (own + r) * a.stride);
        max[r] = COLA_MINUS_INF;
    }
    for (uint32_t first = 0; first < n_keys; first += KEYS) { /* m */
        float score[OWN];
        copy_keys(&a, keys, first, n_keys, k);
        __syncthreads();
        score_rows(&a, q + own * a.stride, k + lane * a.stride, score);
#pragma unroll
        for (uint32_t r = 0; r < OWN; r++)
            if (first + lane < limit[r] && score[r] > max[r]) max[r] = score[r];
        __syncthreads();
    }
#pragma unroll
    for (uint32_t r = 0; r < OWN; r++) max[r] = warp_max(max[r]);
#pragma unroll
    for (uint32_t h = 0; h < HALVES; h++) total[h] = 0;
    for (uint32_t first = 0; first < n_keys; first += KEYS) { /* e, S, o */
        float score[OWN];
        copy_keys(&a, keys, first, n_keys, k);
        copy_keys(&a, values, first, n_keys, v);
        __syncthreads();
        score_rows(&a, q + own * a.stride, k + lane * a.stride, score);
#pragma unroll
        for (uint32_t r = 0; r < OWN; r++) e[(own + r) * KEYS + lane] = cola_device_exp(score[r] - max[r]);
        __syncwarp();
#pragma unroll
        for (uint32_t h = 0; h < HALVES;
             h++) { /* lane % 16 is the key's position mod 16: first is a multiple */
            uint32_t r = 2 * h + lane / COLA_LANES, of = lane % COLA_LANES;
            uint32_t end = lane / COLA_LANES ? limit[2 * h + 1] : limit[2 * h];
            for (uint32_t j = of; j < KEYS; j += COLA_LANES)
                if (first + j < end) total[h] = total[h] + e[(own + r) * KEYS + j];
        }
#pragma unroll
        for (uint32_t r = 0; r < OWN; r++)
#pragma unroll 2
            for (uint32_t j = 0; j < KEYS && first + j < limit[r]; j++) {
                float weight = e[(own + r) * KEYS + j];
#pragma unroll
                for (int c = 0; c < COLUMNS; c++)
                    if (lane + c * COLA_WARP < a.d)
                        sum[r][c] = fmaf(weight, v[j * a.stride + lane + c * COLA_WARP], sum[r][c]);
            }
        __syncthreads();
    }
#pragma unroll
    for (uint32_t h = 0; h < HALVES; h++) total[h] = cola_device_lane_sum(total[h]);
#pragma unroll
    for (uint32_t r = 0; r < OWN; r++) {
        float whole = __shfl_sync(COLA_ALL_LANES, total[r / 2], r % 2 * COLA_LANES, COLA_WARP);
        float inverse = __fdiv_rn(1.0f, whole);
#pragma unroll
        for (int c = 0; c < COLUMNS; c++)
            if (limit[r] && lane + c * COLA_WARP < a.d)
                a.out[(size_t)place[r] * a.d + lane + c * COLA_WARP] = sum[r][c] * inverse;
    }
}

/* --- launcher --------------------------------------------------------------------------------------------
 */

template <int COLUMNS>
static enum cola_status launch(struct cola_device *device, const struct attention *a, uint32_t n_tiles)
{
    size_t shared = ((QUERIES + 2 * KEYS) * a->stride + QUERIES * KEYS) * sizeof(float);
    auto kernel = attend<COLUMNS>;
    if (shared > device->shared_limit)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "attention with heads of %u takes %zu bytes of shared memory, %s has %zu", a->d,
                         shared, device->name, device->shared_limit);
    if (shared > 48 << 10)
        COLA_CUDA_TRY(cudaFuncSetAttribute((const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           (int)shared));
    COLA_LAUNCH(kernel, dim3(n_tiles, a->n_kv_heads), THREADS, shared, device->compute, *a);
    return COLA_LAUNCHED("attention");
}

static uint32_t count_tiles(const struct cola_attention *a)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < a->n_spans; s++)
        n += cola_blocks((size_t)a->span[s].n_rows * (a->n_heads / a->n_kv_heads), QUERIES);
    return n;
}

/* Spans and tiles through the ring: the tiles are written where they are sent from. */
static enum cola_status stage_tables(struct cola_device *device, const struct cola_attention *a,
                                     uint32_t n_tiles, struct attention *out)
{
    size_t span_bytes = a->n_spans * sizeof *a->span, n_bytes = span_bytes + n_tiles * sizeof(struct tile);
    const void *sent;
    void *room;
    COLA_TRY(cola_cuda_stage_room(device, n_bytes, &room));
    memcpy(room, a->span, span_bytes);
    struct tile *tile = (struct tile *)((uint8_t *)room + span_bytes);
    for (uint32_t s = 0; s < a->n_spans; s++)
        for (uint32_t at = 0; at < a->span[s].n_rows * (a->n_heads / a->n_kv_heads); at += QUERIES)
            *tile++ = {s, at};
    COLA_TRY(cola_cuda_stage_send(device, room, n_bytes, NULL, &sent));
    out->span = (const struct cola_span *)sent;
    out->tile = (const struct tile *)((const uint8_t *)sent + span_bytes);
    return COLA_OK;
}

extern "C" enum cola_status cola_cuda_attention(struct cola_device *device, const struct cola_attention *a)
{
    uint32_t d = a->head_size, n_tiles = count_tiles(a);
    struct attention k = {a->q,    a->out, NULL, NULL, a->n_heads, a->n_kv_heads, d, (d + 3) / 4 * 4 + 4,
                          a->scale};
    if (n_tiles == 0) return COLA_OK;
    COLA_TRY(stage_tables(device, a, n_tiles, &k));
    if (d <= 32) return launch<1>(device, &k, n_tiles);
    if (d <= 64) return launch<2>(device, &k, n_tiles);
    if (d <= 128) return launch<4>(device, &k, n_tiles);
    if (d <= 256) return launch<8>(device, &k, n_tiles);
    return cola_fail(COLA_ERR_UNSUPPORTED, "attention with heads of %u: the cuda back end has up to 256", d);
}

/* lanes.h - the kernels whose definition counts in sixteen lanes: norm, rotation, gate, logits and attention,
 * written once over the v16 operations of vector_avx512.h or vector_avx2.h, which the including file chose
 * before.
 *
 * Each repeats its paragraph of docs/numerics.md operation by operation; where a vector is only partly filled
 * the missing lanes hold values that leave the others' bits alone. */
#ifndef COLA_ENGINE_CPU_LANES_H
#define COLA_ENGINE_CPU_LANES_H

#include <math.h>
#include <string.h>

#include "engine/cpu/kernels.h"
#include "engine/numerics.h"

/* "Exponential" */
INLINE v16 v_exp(v16 x)
{
    static const float term[] = COLA_EXP_TERMS;
    v16 most = v_set(COLA_EXP_MAX), least = v_set(COLA_EXP_MIN);
    v16 within = v_max(v_min(x, most), least); /* keeps n in range; what was outside is replaced below */
    v16 n = v_round(v_mul(within, v_set(COLA_EXP_LOG2E))), minus_n = v_neg(n);
    v16 r = v_fma(minus_n, v_set(COLA_EXP_LN2_LOW), v_fma(minus_n, v_set(COLA_EXP_LN2_HIGH), within));
    v16 p = v_set(term[0]);
    for (int i = 1; i < 8; i++) p = v_fma(p, r, v_set(term[i]));
    v16 y = v_scale(p, n);
    y = v_if_greater(x, most, v_set(INFINITY), y);
    y = v_if_greater(least, x, v_set(0.0f), y);
    return v_if_nan(x, x, y);
}

INLINE float sum_lanes(v16 x)
{
    float lane[COLA_LANES];
    v_store(lane, x);
    return cola_lane_sum(lane);
}

INLINE float max_lanes(v16 x)
{
    float lane[COLA_LANES], max = -INFINITY;
    v_store(lane, x);
    for (int j = 0; j < COLA_LANES; j++) max = lane[j] > max ? lane[j] : max;
    return max;
}

/* "Norm" */
static void norm(const float *x, const float *weight, float eps, uint32_t width, float *out)
{
    uint32_t whole = width / COLA_LANES * COLA_LANES, rest = width - whole;
    v16 lane = v_set(0.0f);
    for (uint32_t i = 0; i < whole; i += COLA_LANES) lane = v_fma(v_load(x + i), v_load(x + i), lane);
    if (rest) { /* a lane without an element adds 0 * 0: a sum of squares is never -0, so its bits stay */
        v16 last = v_load_part(x + whole, rest);
        lane = v_fma(last, last, lane);
    }
    v16 scale = v_set(1.0f / sqrtf(sum_lanes(lane) / (float)width + eps));
    for (uint32_t i = 0; i < whole; i += COLA_LANES)
        v_store(out + i, v_mul(v_mul(v_load(x + i), scale), v_load(weight + i)));
    if (rest)
        v_store_part(out + whole,
                     v_mul(v_mul(v_load_part(x + whole, rest), scale), v_load_part(weight + whole, rest)),
                     rest);
}

/* "Rotation" */
static void rotate(float *x, const float *table, uint32_t n_heads, uint32_t head_size)
{
    uint32_t half = head_size / 2;
    const float *cosine = table, *sine = table + half;
    for (uint32_t h = 0; h < n_heads; h++, x += head_size)
        for (uint32_t i = 0; i < half; i += COLA_LANES) {
            uint32_t n = half - i < COLA_LANES ? half - i : COLA_LANES;
            bool part = n < COLA_LANES;
            v16 a = part ? v_load_part(x + i, n) : v_load(x + i);
            v16 b = part ? v_load_part(x + half + i, n) : v_load(x + half + i);
            v16 c = part ? v_load_part(cosine + i, n) : v_load(cosine + i);
            v16 s = part ? v_load_part(sine + i, n) : v_load(sine + i);
            v16 first = v_fma(a, c, v_neg(v_mul(b, s))), second = v_fma(b, c, v_mul(a, s));
            if (part)
                v_store_part(x + i, first, n), v_store_part(x + half + i, second, n);
            else
                v_store(x + i, first), v_store(x + half + i, second);
        }
}

/* "Gate" */
static void gate(const float *g, const float *up, size_t n, float *out)
{
    size_t i = 0;
    for (; i + COLA_LANES <= n; i += COLA_LANES) {
        v16 x = v_load(g + i), y = v_div(x, v_add(v_set(1.0f), v_exp(v_neg(x))));
        v_store(out + i, v_mul(y, v_load(up + i)));
    }
    for (; i < n; i++) out[i] = g[i] / (1.0f + cola_exp(-g[i])) * up[i];
}

/* "Sums" (scale 1) and "Experts" */
static void add_scaled(const float *in, float scale, size_t n, float *out)
{
    size_t i = 0;
    for (; i + COLA_LANES <= n; i += COLA_LANES)
        v_store(out + i, v_fma(v_set(scale), v_load(in + i), v_load(out + i)));
    for (; i < n; i++) out[i] = fmaf(scale, in[i], out[i]);
}

/* "Logits" */
static void reduce(const float *x, uint32_t n_vocab, struct cola_logits *out)
{
    uint32_t whole = n_vocab / COLA_LANES * COLA_LANES, rest = n_vocab - whole, first = 0;
    v16 most = v_set(-INFINITY), lane = v_set(0.0f);
    for (uint32_t i = 0; i < whole; i += COLA_LANES) most = v_max(v_load(x + i), most);
    if (rest) most = v_max(v_keep(v_load_part(x + whole, rest), rest, -INFINITY), most);
    float max = max_lanes(most);
    v16 max_v = v_set(max);
    for (uint32_t i = 0; i < whole; i += COLA_LANES) lane = v_add(lane, v_exp(v_sub(v_load(x + i), max_v)));
    if (rest) /* a lane without an element adds +0: its sum is never -0, so its bits stay */
        lane = v_add(lane, v_keep(v_exp(v_sub(v_load_part(x + whole, rest), max_v)), rest, 0.0f));
    while (first < whole && !v_equal(v_load(x + first), max_v)) first += COLA_LANES;
    while (first < n_vocab && x[first] != max) first++;
    *out = (struct cola_logits){
        .max = max, .sum = sum_lanes(lane), .argmax = first < n_vocab ? (int32_t)first : 0};
}

/* Keys of one head in blocks of 16, so that a vector holds one dimension of 16 keys: block b is [d, 16] at
 * k + b * stride. */
struct blocks {
    const float *k;
    size_t stride;
};

/* n keys of one head as blocks: where they are stored so, or packed into `room` [ceil(n/16), d, 16]. */
static struct blocks pack_keys(const struct cola_attention *a, uint32_t kv_head, const struct cola_keys *keys,
                               uint32_t n, float *room)
{
    uint32_t d = a->head_size, rest = n % COLA_LANES;
    size_t width = (size_t)a->n_kv_heads * d, block = (size_t)d * COLA_LANES;
    if (keys->room) return (struct blocks){keys->k + kv_head * block, a->n_kv_heads * block};
    const float *k = keys->k + (size_t)kv_head * d;
    if (rest) memset(room + n / COLA_LANES * block, 0, block * sizeof *room);
    for (uint32_t j = 0; j < n; j++, k += width) {
        float *to = room + j / COLA_LANES * block + j % COLA_LANES;
        for (uint32_t i = 0; i < d; i++) to[(size_t)i * COLA_LANES] = k[i];
    }
    return (struct blocks){room, block};
}

/* Where the values of one head begin; rows of G*d floats. */
static const float *values_of(const struct cola_attention *a, uint32_t kv_head, const struct cola_keys *keys)
{
    size_t width = (size_t)a->n_kv_heads * a->head_size;
    size_t stored = (size_t)(keys->room + COLA_LANES - 1) / COLA_LANES * COLA_LANES * width;
    return (keys->room ? keys->k + stored : keys->v) + (size_t)kv_head * a->head_size;
}

/* score[r][j] = (q[r] . key j) * scale for n_blocks blocks of 16 keys. rows is a constant where this is
 * inlined. */
INLINE void score_blocks(const int rows, const float *const *q, struct blocks blocks, uint32_t n_blocks,
                         uint32_t d, v16 scale, float *score, size_t stride)
{
    const float *packed = blocks.k;
    for (uint32_t b = 0; b < n_blocks; b++, packed += blocks.stride) {
        v16 sum[COLA_SCORE_ROWS];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[r] = v_set(0.0f);
        for (uint32_t i = 0; i < d; i++) {
            v16 key = v_load(packed + (size_t)i * COLA_LANES);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) sum[r] = v_fma(v_set(q[r][i]), key, sum[r]);
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            v_store(score + (size_t)r * stride + (size_t)b * COLA_LANES, v_mul(sum[r], scale));
    }
}

/* Scores to weights e^(s - max) in place; returns 1 / their sum, 16 lanes by absolute position. */
static float soften(float *score, uint32_t n_keys)
{
    uint32_t whole = n_keys / COLA_LANES * COLA_LANES, rest = n_keys - whole;
    v16 most = v_set(-INFINITY), lane = v_set(0.0f);
    for (uint32_t j = 0; j < whole; j += COLA_LANES) most = v_max(v_load(score + j), most);
    if (rest) most = v_max(v_keep(v_load_part(score + whole, rest), rest, -INFINITY), most);
    v16 max = v_set(max_lanes(most));
    for (uint32_t j = 0; j < whole; j += COLA_LANES) {
        v16 e = v_exp(v_sub(v_load(score + j), max));
        v_store(score + j, e);
        lane = v_add(lane, e);
    }
    if (rest) {
        v16 e = v_exp(v_sub(v_load_part(score + whole, rest), max));
        v_store_part(score + whole, e, rest);
        lane = v_add(lane, v_keep(e, rest, 0.0f));
    }
    return 1.0f / sum_lanes(lane);
}

/* sum[r] += weight[r][j] * v[j] for j = from .. to-1 ascending, over one vector of columns. */
INLINE void add_values(const int rows, const float *v, size_t width, uint32_t n_columns, const float *weight,
                       size_t stride, uint32_t from, uint32_t to, v16 *sum)
{
    for (uint32_t j = from; j < to; j++, v += width) {
        v16 value = n_columns < COLA_LANES ? v_load_part(v, n_columns) : v_load(v);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[r] = v_fma(v_set(weight[(size_t)r * stride + j]), value, sum[r]);
    }
}

INLINE uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

struct block { /* rows of one span that are worked on together: queries ascending, heads of a group within */
    const float *q[COLA_SCORE_ROWS];
    float *out[COLA_SCORE_ROWS];
    uint32_t n_keys[COLA_SCORE_ROWS];
};

/* Values of one block: keys that all rows see first, for all rows at once; then each row's own further keys.
 */
INLINE void mix_values(const int rows, const struct cola_attention *a, const struct cola_span *span,
                       uint32_t kv_head, const struct block *block, const float *weight, size_t stride,
                       const float *inverse)
{
    size_t width = (size_t)a->n_kv_heads * a->head_size;
    const float *prefix_v = span->n_prefix ? values_of(a, kv_head, &span->prefix) : NULL;
    const float *tail_v = values_of(a, kv_head, &span->tail);
    uint32_t common = block->n_keys[0], n_prefix = span->n_prefix;
    for (uint32_t column = 0; column < a->head_size; column += COLA_LANES) {
        uint32_t n = least(a->head_size - column, COLA_LANES), split = least(common, n_prefix);
        const float *prefix = prefix_v ? prefix_v + column : NULL, *tail = tail_v + column;
        v16 sum[COLA_SCORE_ROWS];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[r] = v_set(0.0f);
        add_values(rows, prefix, width, n, weight, stride, 0, split, sum);
        add_values(rows, tail, width, n, weight, stride, n_prefix, common, sum);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            add_values(1, tail + (size_t)(common - n_prefix) * width, width, n, weight + (size_t)r * stride,
                       stride, common, block->n_keys[r], &sum[r]);
            v16 y = v_mul(sum[r], v_set(inverse[r]));
            if (n < COLA_LANES)
                v_store_part(block->out[r] + column, y, n);
            else
                v_store(block->out[r] + column, y);
        }
    }
}

INLINE void attend_block(const int rows, const struct cola_attention *a, const struct cola_span *span,
                         uint32_t kv_head, const struct block *block, struct blocks prefix,
                         struct blocks tail, struct cola_cpu_scratch *s)
{
    uint32_t d = a->head_size, n_tail = block->n_keys[rows - 1] - span->n_prefix;
    v16 scale = v_set(a->scale);
    float inverse[COLA_SCORE_ROWS];
    /* The prefix's last block may run over into the tail's scores, which are written after it. */
    score_blocks(rows, block->q, prefix, (span->n_prefix + COLA_LANES - 1) / COLA_LANES, d, scale, s->score,
                 s->score_stride);
    score_blocks(rows, block->q, tail, (n_tail + COLA_LANES - 1) / COLA_LANES, d, scale,
                 s->score + span->n_prefix, s->score_stride);
    for (int r = 0; r < rows; r++)
        inverse[r] = soften(s->score + (size_t)r * s->score_stride, block->n_keys[r]);
    mix_values(rows, a, span, kv_head, block, s->score, s->score_stride, inverse);
}

static void attend_rows(uint32_t rows, const struct cola_attention *a, const struct cola_span *span,
                        uint32_t kv_head, const struct block *block, struct blocks prefix, struct blocks tail,
                        struct cola_cpu_scratch *s)
{
    switch (rows) {
    case 8: attend_block(8, a, span, kv_head, block, prefix, tail, s); break;
    case 7: attend_block(7, a, span, kv_head, block, prefix, tail, s); break;
    case 6: attend_block(6, a, span, kv_head, block, prefix, tail, s); break;
    case 5: attend_block(5, a, span, kv_head, block, prefix, tail, s); break;
    case 4: attend_block(4, a, span, kv_head, block, prefix, tail, s); break;
    case 3: attend_block(3, a, span, kv_head, block, prefix, tail, s); break;
    case 2: attend_block(2, a, span, kv_head, block, prefix, tail, s); break;
    default: attend_block(1, a, span, kv_head, block, prefix, tail, s); break;
    }
}

static void attend_span(const struct cola_attention *a, const struct cola_span *span, uint32_t kv_head,
                        struct blocks prefix, struct blocks tail, struct cola_cpu_scratch *s)
{
    uint32_t group = a->n_heads / a->n_kv_heads, n = span->n_rows * group;
    for (uint32_t first = 0; first < n; first += V_SCORE_ROWS) {
        uint32_t rows = least(n - first, V_SCORE_ROWS);
        struct block block;
        for (uint32_t r = 0; r < rows; r++) {
            uint32_t query = (first + r) / group, head = kv_head * group + (first + r) % group;
            size_t at = ((size_t)(span->first_row + query) * a->n_heads + head) * a->head_size;
            block.q[r] = a->q + at;
            block.out[r] = a->out + at;
            block.n_keys[r] = span->n_prefix + span->n_first + query;
        }
        attend_rows(rows, a, span, kv_head, &block, prefix, tail, s);
    }
}

/* "Attention". The prompt's packed keys serve all continuations that have it as their prefix. */
static void attend(const struct cola_attention *a, const struct cola_span *span, uint32_t n_spans,
                   uint32_t kv_head, struct cola_cpu_scratch *s)
{
    const float *packed = NULL; /* whose keys `prefix` holds */
    uint32_t n_packed = 0;
    struct blocks prefix = {NULL, 0};
    for (uint32_t i = 0; i < n_spans; i++, span++) {
        uint32_t n_tail = span->n_first + span->n_rows - 1;
        if (span->n_prefix == 0) {
            prefix = pack_keys(a, kv_head, &span->tail, n_tail, s->packed_prefix);
            packed = span->tail.k, n_packed = n_tail;
            attend_span(a, span, kv_head, prefix, prefix, s);
            continue;
        }
        if (packed != span->prefix.k || n_packed < span->n_prefix) {
            prefix = pack_keys(a, kv_head, &span->prefix, span->n_prefix, s->packed_prefix);
            packed = span->prefix.k, n_packed = span->n_prefix;
        }
        attend_span(a, span, kv_head, prefix, pack_keys(a, kv_head, &span->tail, n_tail, s->packed_tail), s);
    }
}

#endif

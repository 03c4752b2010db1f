/* attend.h - the attention kernel: all queries of one sequence for one key/value head, written once over the
 * v16 operations, as lanes.h is. docs/numerics.md, "Attention".
 *
 * Rows (queries, and the heads that share keys) go in blocks of V_SCORE_ROWS: scores of 16 keys a vector,
 * softened in place, then values of 16 columns a vector. Each sum is one fma per ascending dimension or key,
 * however many sums are worked on at once. */
#ifndef COLA_ENGINE_CPU_ATTEND_H
#define COLA_ENGINE_CPU_ATTEND_H

#include "engine/cpu/lanes.h"

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

/* Values of one head: that of key j is [d] at v + j * stride. */
struct values {
    const float *v;
    size_t stride;
};

static struct values values_of(const struct cola_attention *a, uint32_t kv_head, const struct cola_keys *keys)
{
    size_t d = a->head_size, width = a->n_kv_heads * d;
    if (!keys->room) return (struct values){keys->v + kv_head * d, width};
    size_t n_keys = (size_t)(keys->room + COLA_LANES - 1) / COLA_LANES * COLA_LANES;
    return (struct values){keys->k + n_keys * width + kv_head * d * keys->room, d};
}

/* How many blocks or columns are worked on at once so that the sums fill the registers: a sum waits four
 * cycles for its last addition, and what is loaded serves all. */
INLINE int at_once(int rows)
{
    return rows * 4 <= V_SUMS ? 4 : rows * 2 <= V_SUMS ? 2 : 1;
}

/* So few rows read keys and values about as fast as they come from memory. */
enum { FEW_ROWS = 4 };

/* score[r][j] = (q[r] . key j) * scale for the keys of n blocks from `keys` on. rows and n are constants
 * where this is inlined. Few rows ask for as much memory from `ahead` on as they read here. */
INLINE void score_some(const int rows, const int n, const float *const *q, const float *keys,
                       size_t block_stride, uint32_t d, v16 scale, float *score, size_t stride,
                       const float *ahead)
{
    v16 sum[V_SUMS];
#pragma GCC unroll 16
    for (int i = 0; i < rows * n; i++) sum[i] = v_set(0.0f);
    for (uint32_t i = 0; i < d; i++) {
        v16 key[4];
#pragma GCC unroll 4
        for (int b = 0; b < n; b++) key[b] = v_load(keys + b * block_stride + (size_t)i * COLA_LANES);
        if (rows <= FEW_ROWS)
#pragma GCC unroll 4
            for (int b = 0; b < n; b++) __builtin_prefetch(ahead + ((size_t)i * n + b) * COLA_LANES);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            v16 x = v_set(q[r][i]);
#pragma GCC unroll 4
            for (int b = 0; b < n; b++) sum[r * n + b] = v_fma(x, key[b], sum[r * n + b]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int b = 0; b < n; b++)
            v_store(score + (size_t)r * stride + (size_t)b * COLA_LANES, v_mul(sum[r * n + b], scale));
}

INLINE void score_blocks(const int rows, const float *const *q, struct blocks blocks, uint32_t n_blocks,
                         uint32_t d, v16 scale, float *score, size_t stride, const float *ahead)
{
    const uint32_t n = (uint32_t)at_once(rows);
    uint32_t b = 0;
    for (; b + n <= n_blocks; b += n)
        score_some(rows, at_once(rows), q, blocks.k + b * blocks.stride, blocks.stride, d, scale,
                   score + (size_t)b * COLA_LANES, stride, ahead + (size_t)b * COLA_LANES * d);
    for (; b < n_blocks; b++)
        score_some(rows, 1, q, blocks.k + b * blocks.stride, blocks.stride, d, scale,
                   score + (size_t)b * COLA_LANES, stride, ahead + (size_t)b * COLA_LANES * d);
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

INLINE v16 v_load_columns(const float *p, uint32_t n)
{
    return n < COLA_LANES ? v_load_part(p, n) : v_load(p);
}

/* sum[r][c] += weight[r][j] * v[j] for j = from .. to-1 ascending, over n vectors of columns, the last of
 * n_last columns. rows and n are constants where this is inlined. */
INLINE void add_values(const int rows, const int n, struct values values, uint32_t n_last,
                       const float *weight, size_t stride, uint32_t from, uint32_t to, v16 *sum)
{
    const float *v = values.v;
    for (uint32_t j = from; j < to; j++, v += values.stride) {
        v16 value[4];
#pragma GCC unroll 4
        for (int c = 0; c < n; c++)
            value[c] = v_load_columns(v + c * COLA_LANES, c + 1 < n ? COLA_LANES : n_last);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            v16 w = v_set(weight[(size_t)r * stride + j]);
#pragma GCC unroll 4
            for (int c = 0; c < n; c++) sum[r * n + c] = v_fma(w, value[c], sum[r * n + c]);
        }
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

/* What the values of one block of rows are mixed from. */
struct mix {
    const struct block *block;
    struct values prefix, tail;
    uint32_t n_prefix;
    const float *weight; /* [rows, stride] */
    size_t stride;
    const float *inverse; /* [rows] 1 / the sum of a row's weights */
};

INLINE struct values moved(struct values values, size_t n_keys, uint32_t column)
{
    return (struct values){values.v + n_keys * values.stride + column, values.stride};
}

/* n vectors of columns from `column` on: keys that all rows see first, for all rows at once; then each row's
 * own further keys. */
INLINE void mix_columns(const int rows, const int n, const struct mix *m, uint32_t column, uint32_t n_last)
{
    const struct block *block = m->block;
    uint32_t common = block->n_keys[0], split = m->n_prefix < common ? m->n_prefix : common;
    v16 sum[V_SUMS];
#pragma GCC unroll 16
    for (int i = 0; i < rows * n; i++) sum[i] = v_set(0.0f);
    add_values(rows, n, moved(m->prefix, 0, column), n_last, m->weight, m->stride, 0, split, sum);
    add_values(rows, n, moved(m->tail, 0, column), n_last, m->weight, m->stride, m->n_prefix, common, sum);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        add_values(1, n, moved(m->tail, common - m->n_prefix, column), n_last,
                   m->weight + (size_t)r * m->stride, m->stride, common, block->n_keys[r], &sum[r * n]);
#pragma GCC unroll 4
        for (int c = 0; c < n; c++) {
            v16 y = v_mul(sum[r * n + c], v_set(m->inverse[r]));
            float *out = block->out[r] + column + c * COLA_LANES;
            if (c + 1 < n || n_last == COLA_LANES)
                v_store(out, y);
            else
                v_store_part(out, y, n_last);
        }
    }
}

INLINE void mix_values(const int rows, const struct mix *m, uint32_t head_size)
{
    const uint32_t wide = (uint32_t)at_once(rows) * COLA_LANES;
    uint32_t column = 0;
    for (; column + wide <= head_size; column += wide)
        mix_columns(rows, at_once(rows), m, column, COLA_LANES);
    for (; column < head_size; column += COLA_LANES)
        mix_columns(rows, 1, m, column, least(head_size - column, COLA_LANES));
}

INLINE void attend_block(const int rows, const struct cola_attention *a, const struct cola_span *span,
                         uint32_t kv_head, const struct block *block, struct blocks prefix,
                         struct blocks tail, struct cola_cpu_scratch *s)
{
    uint32_t d = a->head_size, n_tail = block->n_keys[rows - 1] - span->n_prefix;
    v16 scale = v_set(a->scale);
    float inverse[COLA_SCORE_ROWS];
    struct mix mix = {.block = block,
                      .prefix = values_of(a, kv_head, span->n_prefix ? &span->prefix : &span->tail),
                      .tail = values_of(a, kv_head, &span->tail),
                      .n_prefix = span->n_prefix,
                      .weight = s->score,
                      .stride = s->score_stride,
                      .inverse = inverse};
    /* The prefix's last block may run over into the tail's scores, which are written after it. */
    score_blocks(rows, block->q, prefix, (span->n_prefix + COLA_LANES - 1) / COLA_LANES, d, scale, s->score,
                 s->score_stride, mix.prefix.v);
    score_blocks(rows, block->q, tail, (n_tail + COLA_LANES - 1) / COLA_LANES, d, scale,
                 s->score + span->n_prefix, s->score_stride, mix.tail.v);
    for (int r = 0; r < rows; r++)
        inverse[r] = soften(s->score + (size_t)r * s->score_stride, block->n_keys[r]);
    mix_values(rows, &mix, d);
}

static void attend_rows(uint32_t rows, const struct cola_attention *a, const struct cola_span *span,
                        uint32_t kv_head, const struct block *block, struct blocks prefix, struct blocks tail,
                        struct cola_cpu_scratch *s)
{
    switch (rows) {
#if V_SCORE_ROWS == 8
    case 8: attend_block(8, a, span, kv_head, block, prefix, tail, s); break;
    case 7: attend_block(7, a, span, kv_head, block, prefix, tail, s); break;
#endif
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

/* tile.h - a register tile of rows x columns of a product, over a block of the left side and panels of the
 * weights (panels.h), written once over the vectors of vector_avx512.h or vector_avx2.h, which the including
 * file chose before, together with V_TILE_ROWS.
 *
 * docs/numerics.md, "Product" and "The bf16 mode": every sum is one fma per k in the written order from 0 and
 * the columns are the lanes, so neither the tile's size nor the block's place changes a bit.
 *
 * A block is [ceil(n/16), rows, 16], of floats (n = K) or words (n = ceil(K/2) pairs): packing it copies
 * whole cache lines, one line of a row serves 16 consecutive k or pairs, and a tile reads one stream in which
 * all displacements are constants. (Rows read where they stand may lie a power of two apart and fall into one
 * cache set: K = 2048 lost a quarter of the speed.) */
#ifndef COLA_ENGINE_CPU_TILE_H
#define COLA_ENGINE_CPU_TILE_H

#include "engine/cpu/kernels.h"

/* UBSan's checks of the register arrays, all of whose indices are constants, would make every tile minutes to
 * compile; ASan's of memory stay. */
#define TILE INLINE __attribute__((no_sanitize("undefined")))
#ifdef __SANITIZE_ADDRESS__
#define UNROLL_K _Pragma("GCC unroll 1")
#else
#define UNROLL_K _Pragma("GCC unroll 4")
#endif
#ifdef __AVX512BF16__
#define TILE_DOT 1 /* w_dot is there */
#else
#define TILE_DOT 0
#endif

enum { TILE_WIDTH = 2 * W_LANES, TILE_LINE = 64, TILE_PREFETCH = 4096 };

/* Bytes of one k, or of one pair, of a panel. */
#define TILE_STEP(format)                                                                                    \
    ((size_t)TILE_WIDTH * ((format) == COLA_PANEL_F32 || (format) == COLA_PANEL_PAIRS ? 4 : 2))
/* k, or pairs, of an inner size. */
#define TILE_DEPTH(format, n_in) ((format) == COLA_PANEL_PAIRS ? ((n_in) + 1) / 2 : (n_in))

/* The weights of one k in a panel, as two vectors of floats: exact in all three formats. */
INLINE void weights_of(const enum cola_panel_format format, const char *at, w_vector *low, w_vector *high)
{
    switch (format) {
    case COLA_PANEL_F32: w_load_f32(at, low, high); break;
    case COLA_PANEL_BF16: w_load_bf16(at, low, high); break;
    case COLA_PANEL_F16: w_load_f16(at, low, high); break;
    case COLA_PANEL_PAIRS: *low = *high = w_zero(); break; /* never: add_pair */
    }
}

/* One k on the sums of one panel: `x` is its place in the block. */
TILE void add_one(const enum cola_panel_format format, const int rows, const float *x, const char *weights,
                  w_vector *low, w_vector *high)
{
    w_vector w_low, w_high;
    weights_of(format, weights, &w_low, &w_high);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        w_vector left = w_set(x[r * COLA_CHUNK]);
        low[r] = w_fma(left, w_low, low[r]);
        high[r] = w_fma(left, w_high, high[r]);
    }
}

/* One pair of k: the odd one first, then the even one, each fused, subnormals taken and given as zero; what a
 * dot product instruction does is repeated with fma (flush_subnormals is on). */
TILE void add_pair(const int rows, const float *x, const char *weights, w_vector *low, w_vector *high)
{
#if TILE_DOT
    w_words w_low = w_words_load(weights), w_high = w_words_load(weights + 4 * W_LANES);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
        w_words left = w_words_set(((const uint32_t *)x)[r * COLA_CHUNK]);
        low[r] = w_dot(left, w_low, low[r]);
        high[r] = w_dot(left, w_high, high[r]);
    }
#else
#pragma GCC unroll 2
    for (int even = 0; even < 2; even++) {
        w_words words_low = w_words_load(weights), words_high = w_words_load(weights + 4 * W_LANES);
        w_vector w_low = even ? w_even(words_low) : w_odd(words_low);
        w_vector w_high = even ? w_even(words_high) : w_odd(words_high);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            w_words pair = w_words_set(((const uint32_t *)x)[r * COLA_CHUNK]);
            w_vector left = even ? w_even(pair) : w_odd(pair);
            low[r] = w_fma(left, w_low, low[r]);
            high[r] = w_fma(left, w_high, high[r]);
        }
    }
#endif
}

/* n k or pairs of a chunk, n at most 16: `x` is the chunk's place in the block for its first one, `at` the
 * weights'. The prefetch runs over the end of a panel into the next one. */
TILE void add_chunk(const enum cola_panel_format format, const int rows, const int panels, const int n,
                    const float *x, const char *at, size_t next_panel, w_vector *low, w_vector *high)
{
    UNROLL_K
    for (int j = 0; j < n; j++, x++, at += TILE_STEP(format))
#pragma GCC unroll 4
        for (int p = 0; p < panels; p++) {
            const char *weights = at + (size_t)p * next_panel;
            for (size_t line = 0; line < TILE_STEP(format); line += TILE_LINE)
                __builtin_prefetch(weights + TILE_PREFETCH + line);
            if (format == COLA_PANEL_PAIRS)
                add_pair(rows, x, weights, low + p * rows, high + p * rows);
            else
                add_one(format, rows, x, weights, low + p * rows, high + p * rows);
        }
}

/* The sums stay on their side of a change of the rounding mode's flags. */
INLINE void hold_sums(const int n, w_vector *low, w_vector *high)
{
#pragma GCC unroll 16
    for (int i = 0; i < n; i++) __asm__ volatile("" : "+v"(low[i]), "+v"(high[i]));
}

/* All k or pairs of a tile. Where no instruction multiplies pairs, subnormals are flushed for the time of the
 * sums alone: what is added to them later keeps its own. */
TILE void sum_tile(const enum cola_panel_format format, const int rows, const int panels,
                   const struct cola_tile *t, const char *panel, w_vector *low, w_vector *high)
{
    enum { FLUSH = 0x8040 }; /* flush results to zero, take subnormals for zero */
    const bool flush = format == COLA_PANEL_PAIRS && !TILE_DOT;
    const uint32_t depth = TILE_DEPTH(format, t->n_in), flags = flush ? _mm_getcsr() : 0;
    const size_t step = TILE_STEP(format), next_panel = step * depth;
    const float *block = t->block;
    const char *ahead = t->ahead;
    uint32_t k = 0;
    if (flush) _mm_setcsr(flags | FLUSH), hold_sums(rows * panels, low, high);
    for (; k + COLA_CHUNK <= depth; k += COLA_CHUNK, panel += COLA_CHUNK * step, block += rows * COLA_CHUNK) {
        for (uint32_t i = 0; i < t->n_ahead; i++, ahead += TILE_LINE) __builtin_prefetch(ahead, 0, 2);
        add_chunk(format, rows, panels, COLA_CHUNK, block, panel, next_panel, low, high);
    }
    for (; k < depth; k++, panel += step, block++)
        add_chunk(format, rows, panels, 1, block, panel, next_panel, low, high);
    if (flush) hold_sums(rows * panels, low, high), _mm_setcsr(flags);
}

/* One tile: rows x (panels * TILE_WIDTH) sums in registers; rows, panels and format are constants where this
 * is inlined. */
TILE void tile_of(const enum cola_panel_format format, const int rows, const int panels,
                  const struct cola_tile *t, const char *panel, float *out, uint32_t n_cols)
{
    w_vector low[V_TILE_ROWS], high[V_TILE_ROWS];
#pragma GCC unroll 16
    for (int i = 0; i < rows * panels; i++) low[i] = high[i] = w_zero();
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < panels; p++) {
            __builtin_prefetch(out + (size_t)r * t->out_stride + p * TILE_WIDTH, 1);
            __builtin_prefetch(out + (size_t)r * t->out_stride + (p + 1) * TILE_WIDTH - 1, 1);
        }
    sum_tile(format, rows, panels, t, panel, low, high);
#pragma GCC unroll 4
    for (int p = 0; p < panels; p++) {
        const uint32_t first = (uint32_t)p * TILE_WIDTH, n = n_cols - first;
        float *to = out + first;
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++, to += t->out_stride) {
            w_put(to, low[p * rows + r], n, t->add);
            if (n > W_LANES) w_put(to + W_LANES, high[p * rows + r], n - W_LANES, t->add);
        }
    }
}

/* Panels at once: with few rows, sums of several panels hide the latency of the fma. */
#define PANELS_AT_ONCE(rows) ((rows) == 1 ? 4 : (rows) <= 3 ? 2 : 1)

TILE void row_of_tiles(const enum cola_panel_format format, const int rows, const struct cola_tile *t)
{
    const size_t panel_bytes = TILE_STEP(format) * TILE_DEPTH(format, t->n_in);
    const char *panel = t->panel;
    float *out = t->out;
    for (uint32_t left = t->n_cols; left > 0;) {
        int n = 1; /* panels of this tile */
        if (PANELS_AT_ONCE(rows) >= 4 && left > 3 * TILE_WIDTH)
            n = 4, tile_of(format, rows, PANELS_AT_ONCE(rows) >= 4 ? 4 : 1, t, panel, out, left);
        else if (PANELS_AT_ONCE(rows) >= 2 && left > TILE_WIDTH)
            n = 2, tile_of(format, rows, PANELS_AT_ONCE(rows) >= 2 ? 2 : 1, t, panel, out, left);
        else
            tile_of(format, rows, 1, t, panel, out, left);
        panel += (size_t)n * panel_bytes;
        out += n * TILE_WIDTH;
        left -= left < (uint32_t)n * TILE_WIDTH ? left : (uint32_t)n * TILE_WIDTH;
    }
}

#define CASE(rows)                                                                                           \
    case rows:                                                                                               \
        row_of_tiles(FORMAT, rows, t);                                                                       \
        break;

#endif

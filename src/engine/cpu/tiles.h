/* tiles.h - the product kernels: the left side into blocks, and a register tile of rows x columns over a
 * block and a panel, written once over the vectors of vector_avx512.h or vector_avx2.h, which the including
 * file chose before, together with V_TILE_ROWS and CASES (kernels_avx512.c).
 *
 * docs/numerics.md, "Product": every sum is one fma per ascending k from 0 and the columns are the lanes, so
 * neither the tile's size nor the block's place changes a bit. Panels: panels.h.
 *
 * A block is [ceil(K/16), rows, 16]: packing it copies whole cache lines, one line of a row serves 16
 * consecutive k, and a tile reads one stream in which all displacements are constants. (Rows read where they
 * stand may lie a power of two apart and fall into one cache set: K = 2048 lost a quarter of the speed.) */
#ifndef COLA_ENGINE_CPU_TILES_H
#define COLA_ENGINE_CPU_TILES_H

#include "engine/cpu/kernels.h"

/* UBSan's checks of the register arrays, all of whose indices are constants, would make every tile minutes to
 * compile; ASan's of memory stay. */
#define TILE INLINE __attribute__((no_sanitize("undefined")))
#ifdef __SANITIZE_ADDRESS__
#define UNROLL_K _Pragma("GCC unroll 1")
#else
#define UNROLL_K _Pragma("GCC unroll 4")
#endif

enum { TILE_WIDTH = 2 * W_LANES, TILE_LINE = 64 };

/* Rows x [n_rows, K] as a block; bf16: rounded ("The bf16 mode"). What is beyond K is not read by tiles. */
static void pack_rows(const float *x, uint32_t n_rows, uint32_t n_in, bool bf16, float *block)
{
    for (uint32_t r = 0; r < n_rows; r++, x += n_in) {
        float *to = block + (size_t)r * COLA_CHUNK;
        for (uint32_t k = 0; k < n_in; k += COLA_CHUNK, to += (size_t)n_rows * COLA_CHUNK) {
            v16 part = n_in - k < COLA_CHUNK ? v_load_part(x + k, n_in - k) : v_load(x + k);
            v_store(to, bf16 ? v_round_bf16(part) : part);
        }
    }
}

/* The weights of one k in a panel, as two vectors of floats: exact in all three formats. */
INLINE void weights_of(const enum cola_panel_format format, const char *at, w_vector *low, w_vector *high)
{
    switch (format) {
    case COLA_PANEL_F32: w_load_f32(at, low, high); break;
    case COLA_PANEL_BF16: w_load_bf16(at, low, high); break;
    case COLA_PANEL_F16: w_load_f16(at, low, high); break;
    }
}

/* n k of a chunk, n at most 16: `x` is the chunk's place in the block for its first k, `at` the weights'. */
TILE void add_chunk(const enum cola_panel_format format, const int rows, const int panels, const int n,
                    const float *x, const char *at, size_t next_panel, w_vector *low, w_vector *high)
{
    enum { PREFETCH = 4096 };
    const size_t step = (size_t)TILE_WIDTH * (format == COLA_PANEL_F32 ? 4 : 2);
    UNROLL_K
    for (int j = 0; j < n; j++, x++, at += step)
#pragma GCC unroll 4
        for (int p = 0; p < panels; p++) {
            const char *weights = at + (size_t)p * next_panel;
            w_vector w_low, w_high;
            weights_of(format, weights, &w_low, &w_high);
            for (size_t line = 0; line < step; line += TILE_LINE)
                __builtin_prefetch(weights + PREFETCH + line);
#pragma GCC unroll 16
            for (int r = 0; r < rows; r++) {
                w_vector left = w_set(x[r * COLA_CHUNK]);
                low[p * rows + r] = w_fma(left, w_low, low[p * rows + r]);
                high[p * rows + r] = w_fma(left, w_high, high[p * rows + r]);
            }
        }
}

/* One tile: rows x (panels * TILE_WIDTH) sums in registers; rows, panels and format are constants where this
 * is inlined. The prefetch runs over the end of a panel into the next one. */
TILE void tile_of(const enum cola_panel_format format, const int rows, const int panels,
                  const struct cola_tile *t, const char *panel, float *out, uint32_t n_cols)
{
    const size_t step = (size_t)TILE_WIDTH * (format == COLA_PANEL_F32 ? 4 : 2), next_panel = step * t->n_in;
    const float *block = t->block;
    w_vector low[V_TILE_ROWS], high[V_TILE_ROWS];
    uint32_t k = 0;
#pragma GCC unroll 16
    for (int i = 0; i < rows * panels; i++) low[i] = high[i] = w_zero();
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < panels; p++) {
            __builtin_prefetch(out + (size_t)r * t->out_stride + p * TILE_WIDTH, 1);
            __builtin_prefetch(out + (size_t)r * t->out_stride + (p + 1) * TILE_WIDTH - 1, 1);
        }
    for (; k + COLA_CHUNK <= t->n_in; k += COLA_CHUNK, panel += COLA_CHUNK * step, block += rows * COLA_CHUNK)
        add_chunk(format, rows, panels, COLA_CHUNK, block, panel, next_panel, low, high);
    for (; k < t->n_in; k++, panel += step, block++)
        add_chunk(format, rows, panels, 1, block, panel, next_panel, low, high);
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
    const size_t panel_bytes = (size_t)TILE_WIDTH * (format == COLA_PANEL_F32 ? 4 : 2) * t->n_in;
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

#define FORMAT COLA_PANEL_F32
static void tile_f32(const struct cola_tile *t)
{
    switch (t->n_rows) {
        CASES
    }
}
#undef FORMAT
#define FORMAT COLA_PANEL_BF16
static void tile_bf16(const struct cola_tile *t)
{
    switch (t->n_rows) {
        CASES
    }
}
#undef FORMAT
#define FORMAT COLA_PANEL_F16
static void tile_f16(const struct cola_tile *t)
{
    switch (t->n_rows) {
        CASES
    }
}
#undef FORMAT

#define TILES                                                                                                \
    {                                                                                                        \
        [COLA_PANEL_F32] = tile_f32, [COLA_PANEL_BF16] = tile_bf16, [COLA_PANEL_F16] = tile_f16              \
    }

#endif

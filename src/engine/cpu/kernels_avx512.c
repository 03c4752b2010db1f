/* kernels_avx512.c - the kernels for AVX-512: a product tile of 14 rows x 32 columns (28 accumulators, 2
 * vectors of the panel, 1 broadcast of 32 registers) and lanes.h. Compiled for AVX-512; cpu.c calls it only
 * where the CPU has it. */
#include "engine/cpu/vector_avx512.h"

#define V_SCORE_ROWS 8u
#define V_SUMS 16 /* of attention in registers: 16 of 32, 2 to 4 vectors of keys or values, a broadcast */
#include "engine/cpu/attend.h"

enum { TILE_ROWS = 14 };

/* "Product": every sum is one fma per ascending k from 0; the columns are the lanes. rows is constant when
 * inlined. */
INLINE void tile_rows(const int rows, const float *block, const float *panel, uint32_t n_in, uint32_t n_cols,
                      bool add, float *out, size_t stride)
{
    __m512 low[TILE_ROWS], high[TILE_ROWS];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) low[r] = high[r] = _mm512_setzero_ps();
    for (uint32_t k = 0; k < n_in; k++, block += rows, panel += COLA_PANEL) {
        __m512 w_low = _mm512_load_ps(panel), w_high = _mm512_load_ps(panel + 16);
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            __m512 x = _mm512_set1_ps(block[r]);
            low[r] = _mm512_fmadd_ps(x, w_low, low[r]);
            high[r] = _mm512_fmadd_ps(x, w_high, high[r]);
        }
    }
    __mmask16 m_low = (__mmask16)(n_cols >= 16 ? 0xFFFF : (1u << n_cols) - 1);
    __mmask16 m_high = (__mmask16)(n_cols >= 32 ? 0xFFFF : n_cols <= 16 ? 0 : (1u << (n_cols - 16)) - 1);
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++, out += stride) {
        if (add) low[r] = _mm512_add_ps(_mm512_maskz_loadu_ps(m_low, out), low[r]);
        if (add) high[r] = _mm512_add_ps(_mm512_maskz_loadu_ps(m_high, out + 16), high[r]);
        _mm512_mask_storeu_ps(out, m_low, low[r]);
        _mm512_mask_storeu_ps(out + 16, m_high, high[r]);
    }
}

#define TILE(rows)                                                                                           \
    case rows: tile_rows(rows, block, panel, n_in, n_cols, add, out, stride); break;

static void tile(uint32_t n_rows, const float *block, const float *panel, uint32_t n_in, uint32_t n_cols,
                 bool add, float *out, size_t stride)
{
    switch (n_rows) {
        TILE(1)
        TILE(2)
        TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12) TILE(13) TILE(14)
    }
}

/* 24 independent sums hide the latency of 4 cycles on two units; the empty asm keeps them in registers and
 * alive. */
static double spin(uint64_t n_rounds)
{
    __m512 sum[24], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(1e-3f);
#pragma GCC unroll 24
    for (int i = 0; i < 24; i++) sum[i] = _mm512_set1_ps((float)i);
    for (uint64_t n = 0; n < n_rounds; n++)
#pragma GCC unroll 24
        for (int i = 0; i < 24; i++) {
            sum[i] = _mm512_fmadd_ps(sum[i], x, y);
            __asm__ volatile("" : "+v"(sum[i]));
        }
    return (double)n_rounds * 24 * 16 * 2;
}

const struct cola_cpu_kernels cola_cpu_kernels_avx512 = {
    .isa = "avx512",
    .tile_rows = TILE_ROWS,
    .tile = tile,
    .norm = norm,
    .rotate = rotate,
    .gate = gate,
    .add_scaled = add_scaled,
    .reduce = reduce,
    .attend = attend,
    .spin = spin,
};

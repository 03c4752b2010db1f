/* kernels_avx2.c - the kernels for AVX2 and FMA: a product tile of 6 rows x 16 columns (12 accumulators, 2
 * vectors of the panel, 1 broadcast of 16 registers), twice for a panel of 32, and lanes.h. */
#include "engine/cpu/vector_avx2.h"

#define V_SCORE_ROWS 6u
#define V_SUMS 6 /* of attention in registers: 12 halves of 16 */
#include "engine/cpu/attend.h"

enum { TILE_ROWS = 6, HALF_PANEL = 16 };

/* out (+)= sum on the first n of 8 columns. */
INLINE void put(float *out, __m256 sum, uint32_t n, bool add)
{
    __m256i mask = v_first(n, 0);
    if (add) sum = _mm256_add_ps(_mm256_maskload_ps(out, mask), sum);
    _mm256_maskstore_ps(out, mask, sum);
}

/* "Product": every sum is one fma per ascending k from 0; the columns are the lanes. rows is constant when
 * inlined. */
INLINE void half_tile(const int rows, const float *block, const float *panel, uint32_t n_in, uint32_t n_cols,
                      bool add, float *out, size_t stride)
{
    __m256 low[TILE_ROWS], high[TILE_ROWS];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) low[r] = high[r] = _mm256_setzero_ps();
    for (uint32_t k = 0; k < n_in; k++, block += rows, panel += COLA_PANEL) {
        __m256 w_low = _mm256_load_ps(panel), w_high = _mm256_load_ps(panel + 8);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            __m256 x = _mm256_set1_ps(block[r]);
            low[r] = _mm256_fmadd_ps(x, w_low, low[r]);
            high[r] = _mm256_fmadd_ps(x, w_high, high[r]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++, out += stride) {
        put(out, low[r], n_cols, add);
        if (n_cols > 8) put(out + 8, high[r], n_cols - 8, add);
    }
}

INLINE void both_halves(const int rows, const float *block, const float *panel, uint32_t n_in,
                        uint32_t n_cols, bool add, float *out, size_t stride)
{
    half_tile(rows, block, panel, n_in, least(n_cols, HALF_PANEL), add, out, stride);
    if (n_cols > HALF_PANEL)
        half_tile(rows, block, panel + HALF_PANEL, n_in, n_cols - HALF_PANEL, add, out + HALF_PANEL, stride);
}

#define TILE(rows)                                                                                           \
    case rows: both_halves(rows, block, panel, n_in, n_cols, add, out, stride); break;

static void tile(uint32_t n_rows, const float *block, const float *panel, uint32_t n_in, uint32_t n_cols,
                 bool add, float *out, size_t stride)
{
    switch (n_rows) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
    }
}

/* 12 independent sums hide the latency of 4 cycles on two units; the empty asm keeps them in registers and
 * alive. */
static double spin(uint64_t n_rounds)
{
    __m256 sum[12], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-3f);
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) sum[i] = _mm256_set1_ps((float)i);
    for (uint64_t n = 0; n < n_rounds; n++)
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++) {
            sum[i] = _mm256_fmadd_ps(sum[i], x, y);
            __asm__ volatile("" : "+x"(sum[i]));
        }
    return (double)n_rounds * 12 * 8 * 2;
}

const struct cola_cpu_kernels cola_cpu_kernels_avx2 = {
    .isa = "avx2",
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

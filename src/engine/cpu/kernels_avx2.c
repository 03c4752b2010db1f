/* kernels_avx2.c - the kernels for AVX2 and FMA: a product tile of 6 rows x 16 columns (12 accumulators, 2
 * vectors of the panel, 1 broadcast of 16 registers) of tiles.h, and lanes.h. */
#include "engine/cpu/vector_avx2.h"

#define V_SCORE_ROWS 6u
#define V_SUMS       6 /* of attention in registers: 12 halves of 16 */
#include "engine/cpu/attend.h"

#define V_TILE_ROWS 6u
#define CASES       CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#include "engine/cpu/tiles.h"

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
    .tile_rows = V_TILE_ROWS,
    .panel_width = TILE_WIDTH,
    .pack_rows = pack_rows,
    .pack_pairs = pack_pairs,
    .tile = TILES,
    .norm = norm,
    .rotate = rotate,
    .gate = gate,
    .add_scaled = add_scaled,
    .reduce = reduce,
    .attend = attend,
    .spin = spin,
};

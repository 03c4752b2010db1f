/* kernels_avx512.c - the kernels for AVX-512: a product tile of 14 rows x 32 columns (28 accumulators, 2
 * vectors of the panel, 1 broadcast of 32 registers) of tiles.h, and lanes.h. Compiled for AVX-512;
 * cpu.c calls it only where the CPU has it. The second table has the tile of pairs of pairs_avx512bf16.c. */
#include "engine/cpu/vector_avx512.h"

#define V_SCORE_ROWS 8u
#define V_SUMS       16 /* of attention in registers: 16 of 32, 2 to 4 vectors of keys or values, a broadcast */
#include "engine/cpu/attend.h"

#include "engine/cpu/rows_avx512.h"
#include "engine/cpu/tiles.h"

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

/* What both tables share. */
#define KERNELS                                                                                              \
    .tile_rows = V_TILE_ROWS, .panel_width = TILE_WIDTH, .pack_rows = pack_rows, .pack_pairs = pack_pairs,   \
    .norm = norm, .rotate = rotate, .gate = gate, .add_scaled = add_scaled, .reduce = reduce,                \
    .attend = attend, .spin = spin

const struct cola_cpu_kernels cola_cpu_kernels_avx512 = {.isa = "avx512", .tile = TILES, KERNELS};

const struct cola_cpu_kernels cola_cpu_kernels_avx512_bf16 = {
    .isa = "avx512_bf16",
    .tile = {[COLA_PANEL_F32] = tile_f32,
             [COLA_PANEL_BF16] = tile_bf16,
             [COLA_PANEL_F16] = tile_f16,
             [COLA_PANEL_PAIRS] = cola_cpu_tile_pairs},
    .spin_bf16 = cola_cpu_spin_bf16,
    KERNELS};

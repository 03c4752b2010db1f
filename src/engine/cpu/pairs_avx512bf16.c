/* pairs_avx512bf16.c - what AVX512_BF16 adds to kernels_avx512.c: the tile of the bf16 mode's products, one
 * dot product instruction (vdpbf16ps) a pair of k and 16 columns, and the peak that its speed is compared
 * with.
 *
 * The instruction takes subnormals for zero, adds the odd product first, then the even one, each with one
 * rounding: docs/numerics.md, "The bf16 mode", is written after it, so every other CPU can give its bits.
 * cpu.c calls this only where the CPU has it, after a check of the bits (pairs_check.c). */
#include <string.h>

#include "engine/cpu/vector_avx512.h"

#include "engine/cpu/rows_avx512.h"
#include "engine/cpu/tile.h"

#define FORMAT COLA_PANEL_PAIRS
void cola_cpu_tile_pairs(const struct cola_tile *t)
{
    switch (t->n_rows) {
        CASES
    }
}

/* 24 independent sums, as in the f32 loop; the empty asm keeps them in registers and alive. A sum is 16 lanes
 * of 2 products and 2 additions. */
double cola_cpu_spin_bf16(uint64_t n_rounds)
{
    static const uint16_t tiny = 0x3a83; /* about 1e-3 */
    uint16_t value[32];
    __m512 sum[24];
    __m512bh x;
    for (int i = 0; i < 32; i++) value[i] = tiny;
    memcpy(&x, value, sizeof x);
#pragma GCC unroll 24
    for (int i = 0; i < 24; i++) sum[i] = _mm512_set1_ps((float)i);
    for (uint64_t n = 0; n < n_rounds; n++)
#pragma GCC unroll 24
        for (int i = 0; i < 24; i++) {
            sum[i] = _mm512_dpbf16_ps(sum[i], x, x);
            __asm__ volatile("" : "+v"(sum[i]));
        }
    return (double)n_rounds * 24 * 16 * 4;
}

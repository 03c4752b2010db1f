/* spin_bf16_avx512.c - the peak that the bf16 mode is compared with: products of pairs of bf16 summed in f32
 * (vdpbf16ps) on registers alone. cpu.c calls it only where the CPU has AVX512_BF16. No result comes from
 * here. */
#include <string.h>

#include "engine/cpu/device.h"
#include "engine/cpu/vector_avx512.h"

/* 24 independent sums, as in the f32 loop; the empty asm keeps them in registers and alive. A sum is 16 lanes
 * of 2 products and 2 additions. */
__attribute__((target("avx512bf16"))) double cola_cpu_spin_bf16(uint64_t n_rounds)
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

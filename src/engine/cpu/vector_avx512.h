/* vector_avx512.h - sixteen floats as one AVX-512 register: the operations that lanes.h is written in; then
 * those of tiles.h, whose vectors are the same ones. */
#ifndef COLA_ENGINE_CPU_VECTOR_H
#define COLA_ENGINE_CPU_VECTOR_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

typedef __m512 v16;
#define INLINE static inline __attribute__((always_inline))

INLINE v16 v_set(float x)
{
    return _mm512_set1_ps(x);
}
INLINE v16 v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
INLINE void v_store(float *p, v16 x)
{
    _mm512_storeu_ps(p, x);
}
INLINE __mmask16 v_first(uint32_t n)
{
    return (__mmask16)((1u << n) - 1);
}
/* The first n < 16 lanes; the others are zero, or not written. */
INLINE v16 v_load_part(const float *p, uint32_t n)
{
    return _mm512_maskz_loadu_ps(v_first(n), p);
}
INLINE void v_store_part(float *p, v16 x, uint32_t n)
{
    _mm512_mask_storeu_ps(p, v_first(n), x);
}
INLINE v16 v_keep(v16 x, uint32_t n, float other)
{
    return _mm512_mask_mov_ps(v_set(other), v_first(n), x);
}
INLINE v16 v_add(v16 a, v16 b)
{
    return _mm512_add_ps(a, b);
}
INLINE v16 v_sub(v16 a, v16 b)
{
    return _mm512_sub_ps(a, b);
}
INLINE v16 v_mul(v16 a, v16 b)
{
    return _mm512_mul_ps(a, b);
}
INLINE v16 v_div(v16 a, v16 b)
{
    return _mm512_div_ps(a, b);
}
INLINE v16 v_fma(v16 a, v16 b, v16 c)
{
    return _mm512_fmadd_ps(a, b, c);
}
INLINE v16 v_neg(v16 a)
{
    return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a), _mm512_set1_epi32(INT32_MIN)));
}
INLINE v16 v_round(v16 a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* a > b ? a : b, and a < b ? a : b: the second operand where either is NaN */
INLINE v16 v_max(v16 a, v16 b)
{
    return _mm512_max_ps(a, b);
}
INLINE v16 v_min(v16 a, v16 b)
{
    return _mm512_min_ps(a, b);
}
/* where a > b (NaN: no): yes, else no */
INLINE v16 v_if_greater(v16 a, v16 b, v16 yes, v16 no)
{
    return _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), yes);
}
INLINE v16 v_if_nan(v16 a, v16 yes, v16 no)
{
    return _mm512_mask_mov_ps(no, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), yes);
}
/* p 2^n as two multiplications by 2^(n >> 1) and 2^(n - (n >> 1)); n whole */
INLINE v16 v_scale(v16 p, v16 n)
{
    __m512i k = _mm512_cvtps_epi32(n), half = _mm512_srai_epi32(k, 1), bias = _mm512_set1_epi32(127);
    v16 first = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(half, bias), 23));
    v16 second =
        _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_sub_epi32(k, half), bias), 23));
    return _mm512_mul_ps(_mm512_mul_ps(p, first), second);
}
/* A bit a lane where a == b. */
INLINE uint32_t v_equal(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}

/* --- the vectors of tiles: half a panel of 32 columns ------------------------------------------------- */

typedef __m512 w_vector;
enum { W_LANES = 16 };

INLINE w_vector w_zero(void)
{
    return _mm512_setzero_ps();
}
INLINE w_vector w_set(float x)
{
    return _mm512_set1_ps(x);
}
INLINE w_vector w_fma(w_vector a, w_vector b, w_vector c)
{
    return _mm512_fmadd_ps(a, b, c);
}
/* One k of a panel: lanes of `low` are columns 0 .. 15, of `high` 16 .. 31. */
INLINE void w_load_f32(const char *at, w_vector *low, w_vector *high)
{
    *low = _mm512_load_ps(at), *high = _mm512_load_ps(at + 64);
}
INLINE void w_load_bf16(const char *at, w_vector *low, w_vector *high)
{
    __m512i pair = _mm512_load_si512(at);
    *low = _mm512_castsi512_ps(_mm512_slli_epi32(pair, 16));
    *high = _mm512_castsi512_ps(_mm512_and_si512(pair, _mm512_set1_epi32(~0xFFFF)));
}
INLINE void w_load_f16(const char *at, w_vector *low, w_vector *high)
{
    *low = _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)at));
    *high = _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(at + 32)));
}
/* Pairs of bf16, one word a lane: "The bf16 mode". */
typedef __m512i w_words;
INLINE w_words w_words_set(uint32_t pair)
{
    return _mm512_set1_epi32((int)pair);
}
INLINE w_words w_words_load(const char *at)
{
    return _mm512_load_si512(at);
}
INLINE w_vector w_even(w_words pairs)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
}
INLINE w_vector w_odd(w_words pairs)
{
    return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(~0xFFFF)));
}
#ifdef __AVX512BF16__
INLINE w_vector w_dot(w_words a, w_words b, w_vector sum)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}
#endif
/* Sixteen floats rounded to bf16, a NaN quiet: words 0 .. 7 hold two each, in order. (vcvtneps2bf16 would
 * flush subnormals.) */
INLINE void v_store_pairs(uint32_t *to, v16 x)
{
    __m512i bits = _mm512_castps_si512(x), high = _mm512_srli_epi32(bits, 16);
    __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
    __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
    __m512i rounded = _mm512_mask_or_epi32(_mm512_srli_epi32(up, 16), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q),
                                           high, _mm512_set1_epi32(0x0040));
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi32_epi16(rounded));
}
/* out (+)= sum on the first n >= 1 columns, 16 at most. */
INLINE void w_put(float *out, w_vector sum, uint32_t n, bool add)
{
    __mmask16 mask = (__mmask16)(n >= W_LANES ? 0xFFFF : (1u << n) - 1);
    if (add) sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, out), sum);
    _mm512_mask_storeu_ps(out, mask, sum);
}

#endif

/* vector_avx2.h - sixteen floats as two AVX2 registers: the operations that lanes.h is written in; then those
 * of tiles.h, whose vectors are single registers. */
#ifndef COLA_ENGINE_CPU_VECTOR_H
#define COLA_ENGINE_CPU_VECTOR_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    __m256 low, high;
} v16;
#define INLINE static inline __attribute__((always_inline))

INLINE v16 v_set(float x)
{
    return (v16){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
INLINE v16 v_load(const float *p)
{
    return (v16){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
INLINE void v_store(float *p, v16 x)
{
    _mm256_storeu_ps(p, x.low), _mm256_storeu_ps(p + 8, x.high);
}
/* Lanes 8 h .. 8 h + 7 that are among the first n, as all-ones. */
INLINE __m256i v_first(uint32_t n, int h)
{
    __m256i lane = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(8 * h));
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}
/* The first n < 16 lanes; the others are zero, or not written. */
INLINE v16 v_load_part(const float *p, uint32_t n)
{
    return (v16){_mm256_maskload_ps(p, v_first(n, 0)), _mm256_maskload_ps(p + 8, v_first(n, 1))};
}
INLINE void v_store_part(float *p, v16 x, uint32_t n)
{
    _mm256_maskstore_ps(p, v_first(n, 0), x.low);
    _mm256_maskstore_ps(p + 8, v_first(n, 1), x.high);
}
INLINE v16 v_keep(v16 x, uint32_t n, float other)
{
    __m256 o = _mm256_set1_ps(other);
    return (v16){_mm256_blendv_ps(o, x.low, _mm256_castsi256_ps(v_first(n, 0))),
                 _mm256_blendv_ps(o, x.high, _mm256_castsi256_ps(v_first(n, 1)))};
}
INLINE v16 v_add(v16 a, v16 b)
{
    return (v16){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
INLINE v16 v_sub(v16 a, v16 b)
{
    return (v16){_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
INLINE v16 v_mul(v16 a, v16 b)
{
    return (v16){_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
INLINE v16 v_div(v16 a, v16 b)
{
    return (v16){_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}
INLINE v16 v_fma(v16 a, v16 b, v16 c)
{
    return (v16){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
INLINE v16 v_neg(v16 a)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    return (v16){_mm256_xor_ps(a.low, sign), _mm256_xor_ps(a.high, sign)};
}
INLINE v16 v_round(v16 a)
{
    return (v16){_mm256_round_ps(a.low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                 _mm256_round_ps(a.high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
/* a > b ? a : b, and a < b ? a : b: the second operand where either is NaN */
INLINE v16 v_max(v16 a, v16 b)
{
    return (v16){_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
INLINE v16 v_min(v16 a, v16 b)
{
    return (v16){_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
INLINE __m256 v_if_greater_half(__m256 a, __m256 b, __m256 yes, __m256 no)
{
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
}
/* where a > b (NaN: no): yes, else no */
INLINE v16 v_if_greater(v16 a, v16 b, v16 yes, v16 no)
{
    return (v16){v_if_greater_half(a.low, b.low, yes.low, no.low),
                 v_if_greater_half(a.high, b.high, yes.high, no.high)};
}
INLINE v16 v_if_nan(v16 a, v16 yes, v16 no)
{
    return (v16){_mm256_blendv_ps(no.low, yes.low, _mm256_cmp_ps(a.low, a.low, _CMP_UNORD_Q)),
                 _mm256_blendv_ps(no.high, yes.high, _mm256_cmp_ps(a.high, a.high, _CMP_UNORD_Q))};
}
INLINE __m256 v_scale_half(__m256 p, __m256 n)
{
    __m256i k = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(k, 1), bias = _mm256_set1_epi32(127);
    __m256 first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    __m256 second =
        _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(k, half), bias), 23));
    return _mm256_mul_ps(_mm256_mul_ps(p, first), second);
}
/* p 2^n as two multiplications by 2^(n >> 1) and 2^(n - (n >> 1)); n whole */
INLINE v16 v_scale(v16 p, v16 n)
{
    return (v16){v_scale_half(p.low, n.low), v_scale_half(p.high, n.high)};
}
/* A bit a lane where a == b. */
INLINE uint32_t v_equal(v16 a, v16 b)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a.low, b.low, _CMP_EQ_OQ)) |
           (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a.high, b.high, _CMP_EQ_OQ)) << 8;
}

/* --- the vectors of tiles: half a panel of 16 columns ------------------------------------------------- */

typedef __m256 w_vector;
enum { W_LANES = 8 };

INLINE w_vector w_zero(void)
{
    return _mm256_setzero_ps();
}
INLINE w_vector w_set(float x)
{
    return _mm256_set1_ps(x);
}
INLINE w_vector w_fma(w_vector a, w_vector b, w_vector c)
{
    return _mm256_fmadd_ps(a, b, c);
}
/* One k of a panel: lanes of `low` are columns 0 .. 7, of `high` 8 .. 15. */
INLINE void w_load_f32(const char *at, w_vector *low, w_vector *high)
{
    *low = _mm256_load_ps((const float *)at), *high = _mm256_load_ps((const float *)at + 8);
}
INLINE void w_load_bf16(const char *at, w_vector *low, w_vector *high)
{
    __m256i pair = _mm256_load_si256((const __m256i *)at);
    *low = _mm256_castsi256_ps(_mm256_slli_epi32(pair, 16));
    *high = _mm256_castsi256_ps(_mm256_and_si256(pair, _mm256_set1_epi32(~0xFFFF)));
}
INLINE void w_load_f16(const char *at, w_vector *low, w_vector *high)
{
    *low = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)at));
    *high = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(at + 16)));
}
/* Pairs of bf16, one word a lane: "The bf16 mode". */
typedef __m256i w_words;
INLINE w_words w_words_set(uint32_t pair)
{
    return _mm256_set1_epi32((int)pair);
}
INLINE w_words w_words_load(const char *at)
{
    return _mm256_load_si256((const __m256i *)at);
}
INLINE w_vector w_even(w_words pairs)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}
INLINE w_vector w_odd(w_words pairs)
{
    return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(~0xFFFF)));
}
INLINE __m256i v_bf16_half(__m256 x)
{
    __m256i bits = _mm256_castps_si256(x), high = _mm256_srli_epi32(bits, 16);
    __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    __m256i up = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(_mm256_srli_epi32(up, 16), _mm256_or_si256(high, _mm256_set1_epi32(0x0040)),
                              nan);
}
/* Sixteen floats rounded to bf16, a NaN quiet: words 0 .. 7 hold two each, in order. */
INLINE void v_store_pairs(uint32_t *to, v16 x)
{
    __m256i halves = _mm256_packus_epi32(v_bf16_half(x.low), v_bf16_half(x.high));
    _mm256_storeu_si256((__m256i *)to, _mm256_permute4x64_epi64(halves, 0xD8)); /* packus works by 128 bits */
}
/* out (+)= sum on the first n >= 1 columns, 8 at most. */
INLINE void w_put(float *out, w_vector sum, uint32_t n, bool add)
{
    if (n >= W_LANES) {
        _mm256_storeu_ps(out, add ? _mm256_add_ps(_mm256_loadu_ps(out), sum) : sum);
        return;
    }
    __m256i mask = v_first(n, 0);
    if (add) sum = _mm256_add_ps(_mm256_maskload_ps(out, mask), sum);
    _mm256_maskstore_ps(out, mask, sum);
}

#endif

/* onednn_rows_avx512.c - what goes in and out of the library's products, row by row: the left side rounded to
 * bf16, and a slice of columns stored to its place in the output. docs/numerics.md, "The bf16 mode". */
#include "engine/cpu/onednn_rows.h"
#include "engine/cpu/vector_avx512.h"

/* Nearest, ties to even, in integers: vcvtneps2bf16 would flush subnormals. A NaN keeps its sign and becomes
 * quiet, which adding could turn into a number. */
static __m256i round_16(__m512 x)
{
    const __m512i one = _mm512_set1_epi32(1), half = _mm512_set1_epi32(0x7FFF),
                  quiet = _mm512_set1_epi32(0x0040);
    __m512i bits = _mm512_castps_si512(x), high = _mm512_srli_epi32(bits, 16);
    __m512i up = _mm512_add_epi32(half, _mm512_and_si512(high, one));
    __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, up), 16);
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(rounded, nan, high, quiet));
}

void cola_onednn_round(const float *x, uint32_t n, uint32_t padded, uint16_t *to)
{
    uint32_t i = 0;
    for (; i + 16 <= n; i += 16) _mm256_storeu_si256((__m256i *)(to + i), round_16(_mm512_loadu_ps(x + i)));
    for (; i < padded; i += 16) { /* padded: a multiple of 16 */
        __mmask16 inside = i < n ? (__mmask16)((1u << (n - i)) - 1) : 0;
        _mm256_storeu_si256((__m256i *)(to + i), round_16(_mm512_maskz_loadu_ps(inside, x + i)));
    }
}

void cola_onednn_store(const float *from, uint32_t n_rows, uint32_t n_cols, uint32_t width, bool add,
                       float *out, size_t stride)
{
    for (uint32_t r = 0; r < n_rows; r++, from += width, out += stride)
        for (uint32_t c = 0; c < n_cols; c += 16) {
            __mmask16 inside = n_cols - c < 16 ? (__mmask16)((1u << (n_cols - c)) - 1) : 0xFFFF;
            __m512 y = _mm512_maskz_loadu_ps(inside, from + c);
            if (add) y = _mm512_add_ps(_mm512_maskz_loadu_ps(inside, out + c), y);
            _mm512_mask_storeu_ps(out + c, inside, y);
        }
}

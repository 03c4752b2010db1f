/* onednn_rows.h - rows on their way into and out of the library's products; no library call. */
#ifndef COLA_ENGINE_CPU_ONEDNN_ROWS_H
#define COLA_ENGINE_CPU_ONEDNN_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* to[0 .. n-1] = x rounded to bf16, nearest, ties to even; to[n .. padded-1] = 0; padded is a multiple of 16.
 * A NaN stays one. */
void cola_onednn_round(const float *x, uint32_t n, uint32_t padded, uint16_t *to);

/* out[r, c] = (add ? out[r, c] : 0) + from[r, c], one rounding; rows of `from` are `width` floats apart, of
 * out `stride`. */
void cola_onednn_store(const float *from, uint32_t n_rows, uint32_t n_cols, uint32_t width, bool add,
                       float *out, size_t stride);

#endif

/* panels.c - packs weights into panels (panels.h), a piece of 256 k of one pair of columns at a time.
 *
 * Runs once a matrix when the model is loaded; the kernels only read the result. Knows nothing of products.
 */
#include "engine/cpu/panels.h"

#include <string.h>

#include "engine/numerics.h"

enum { PIECE = 256 }; /* weights of a row in hand at a time */

struct cola_panels cola_panels_of(const struct cola_tensor *tensor, uint32_t width, bool bf16)
{
    static const enum cola_panel_format stored_as[COLA_N_DTYPES] = {
        [COLA_F32] = COLA_PANEL_F32, [COLA_BF16] = COLA_PANEL_BF16, [COLA_F16] = COLA_PANEL_F16};
    return (struct cola_panels){.n_out = (uint32_t)tensor->shape[0],
                                .n_in = (uint32_t)tensor->shape[1],
                                .width = width,
                                .format = bf16 ? COLA_PANEL_PAIRS : stored_as[tensor->dtype]};
}

uint32_t cola_panels_count(const struct cola_panels *panels)
{
    return (panels->n_out + panels->width - 1) / panels->width;
}

size_t cola_panel_bytes(const struct cola_panels *panels)
{
    size_t element = panels->format == COLA_PANEL_F32 ? sizeof(float) : sizeof(uint16_t);
    size_t n_in = panels->format == COLA_PANEL_PAIRS ? panels->n_in + panels->n_in % 2 : panels->n_in;
    return n_in * panels->width * element;
}

/* n weights of row `column` from k as 16 bits: those of the checkpoint, or a float rounded to bf16, whose NaN
 * stays one. Rows beyond the matrix are zero. */
static void read_halves(const struct cola_panels *panels, const struct cola_tensor *tensor, uint32_t column,
                        uint32_t k, uint32_t n, uint16_t *out)
{
    uint64_t first = (uint64_t)column * panels->n_in + k;
    if (column >= panels->n_out) {
        memset(out, 0, n * sizeof *out);
    } else if (tensor->dtype != COLA_F32) {
        memcpy(out, (const char *)tensor->data + first * sizeof *out, n * sizeof *out);
    } else {
        float row[PIECE];
        cola_tensor_widen(tensor, first, n, row);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t bits;
            float rounded = cola_round_bf16(row[i]);
            memcpy(&bits, &rounded, sizeof bits);
            out[i] = (uint16_t)(bits >> 16 | (row[i] != row[i] ? 0x40 : 0)); /* the quiet bit */
        }
    }
}

static void pack_bf16(const struct cola_panels *panels, const struct cola_tensor *tensor, uint32_t first,
                      uint32_t *to)
{
    uint32_t half = panels->width / 2;
    uint16_t lower[PIECE], upper[PIECE];
    for (uint32_t k0 = 0; k0 < panels->n_in; k0 += PIECE) {
        uint32_t n = panels->n_in - k0 < PIECE ? panels->n_in - k0 : PIECE;
        for (uint32_t c = 0; c < half; c++) {
            read_halves(panels, tensor, first + c, k0, n, lower);
            read_halves(panels, tensor, first + c + half, k0, n, upper);
            for (uint32_t k = 0; k < n; k++)
                to[(size_t)(k0 + k) * half + c] = lower[k] | (uint32_t)upper[k] << 16;
        }
    }
}

static void pack_pairs(const struct cola_panels *panels, const struct cola_tensor *tensor, uint32_t first,
                       uint32_t *to)
{
    uint16_t row[PIECE + 1]; /* PIECE is even: a pair lies in one piece */
    for (uint32_t k0 = 0; k0 < panels->n_in; k0 += PIECE) {
        uint32_t n = panels->n_in - k0 < PIECE ? panels->n_in - k0 : PIECE;
        for (uint32_t c = 0; c < panels->width; c++) {
            read_halves(panels, tensor, first + c, k0, n, row);
            row[n] = 0;
            for (uint32_t k = 0; k < n; k += 2)
                to[(size_t)(k0 + k) / 2 * panels->width + c] = row[k] | (uint32_t)row[k + 1] << 16;
        }
    }
}

static void pack_f16(const struct cola_panels *panels, const struct cola_tensor *tensor, uint32_t first,
                     uint16_t *to)
{
    uint16_t row[PIECE];
    for (uint32_t k0 = 0; k0 < panels->n_in; k0 += PIECE) {
        uint32_t n = panels->n_in - k0 < PIECE ? panels->n_in - k0 : PIECE;
        for (uint32_t c = 0; c < panels->width; c++) {
            read_halves(panels, tensor, first + c, k0, n, row);
            for (uint32_t k = 0; k < n; k++) to[(size_t)(k0 + k) * panels->width + c] = row[k];
        }
    }
}

static void pack_f32(const struct cola_panels *panels, const struct cola_tensor *tensor, uint32_t first,
                     float *to)
{
    float row[PIECE];
    for (uint32_t k0 = 0; k0 < panels->n_in; k0 += PIECE) {
        uint32_t n = panels->n_in - k0 < PIECE ? panels->n_in - k0 : PIECE;
        for (uint32_t c = 0; c < panels->width; c++) {
            if (first + c < panels->n_out)
                cola_tensor_widen(tensor, (uint64_t)(first + c) * panels->n_in + k0, n, row);
            else
                memset(row, 0, sizeof row);
            for (uint32_t k = 0; k < n; k++) to[(size_t)(k0 + k) * panels->width + c] = row[k];
        }
    }
}

void cola_panel_pack(const struct cola_panels *panels, const struct cola_tensor *tensor, uint32_t panel,
                     void *room)
{
    void *to = (char *)room + panel * cola_panel_bytes(panels);
    uint32_t first = panel * panels->width;
    switch (panels->format) {
    case COLA_PANEL_F32: pack_f32(panels, tensor, first, to); break;
    case COLA_PANEL_BF16: pack_bf16(panels, tensor, first, to); break;
    case COLA_PANEL_F16: pack_f16(panels, tensor, first, to); break;
    case COLA_PANEL_PAIRS: pack_pairs(panels, tensor, first, to); break;
    }
}

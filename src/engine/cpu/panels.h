/* panels.h - a weight matrix as the product tiles read it: panels of `width` columns (rows of W), each
 * [K, width], zero padded, one after the other in a room that other processes may share.
 *
 * f32: width floats a k. bf16: width / 2 words of 32 bits a k, word i holding column i in its lower and
 * column i + width / 2 in its upper half, so that a shift and a mask widen whole vectors. f16: width halves a
 * k in order. Pairs, of the bf16 mode: [ceil(K/2), width] words, word c of pair i holding W[c, 2i] in its
 * lower and W[c, 2i+1] in its upper half, an odd K's last partner zero. Weights keep the 16 bits of their
 * checkpoint where that is exact; the bf16 mode rounds those of f32 checkpoints. Nothing but the room's bytes
 * belongs to the layout. */
#ifndef COLA_ENGINE_CPU_PANELS_H
#define COLA_ENGINE_CPU_PANELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/model.h"

enum cola_panel_format { COLA_PANEL_F32, COLA_PANEL_BF16, COLA_PANEL_F16, COLA_PANEL_PAIRS };
enum { COLA_N_PANEL_FORMATS = 4 };

struct cola_panels {
    uint32_t n_out, n_in; /* M, K */
    uint32_t width;       /* columns of a panel, even */
    enum cola_panel_format format;
};

/* The layout of a tensor; bf16: the mode. An f16 tensor in the bf16 mode has none: the caller refuses it. */
struct cola_panels cola_panels_of(const struct cola_tensor *tensor, uint32_t width, bool bf16);

uint32_t cola_panels_count(const struct cola_panels *panels);
size_t cola_panel_bytes(const struct cola_panels *panels); /* of one panel */

/* Writes one panel of the room from the tensor. Panels may be packed by several threads at once. */
void cola_panel_pack(const struct cola_panels *panels, const struct cola_tensor *tensor, uint32_t panel,
                     void *room);

#endif

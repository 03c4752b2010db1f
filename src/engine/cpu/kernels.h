/* kernels.h - the vector kernels of one instruction set: what cpu.c runs on its threads.
 *
 * Filled by kernels_avx2.c and kernels_avx512.c (with pairs_avx512bf16.c), which are compiled for their
 * instruction set and must not be called on a machine without it. Every kernel gives the bits of
 * docs/numerics.md, so the tables agree with ref. */
#ifndef COLA_ENGINE_CPU_KERNELS_H
#define COLA_ENGINE_CPU_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/backend.h"
#include "engine/cpu/panels.h"

/* k, or pairs of k, of a block that lie together: one cache line of a row. */
enum { COLA_CHUNK = 16 };

/* out [n_rows, n_cols] (+)= block x panels: of one product, some rows and whole panels (but for the last). */
struct cola_tile {
    const float *block; /* made by pack_rows, or for pairs by pack_pairs (tile.h) */
    const void *panel;  /* the first one; aligned to its row, 32 bytes or more */
    const char *ahead;  /* weights of a later tile, to be brought nearer: so many lines of 64 bytes a chunk */
    uint32_t n_ahead;
    uint32_t n_rows, n_in, n_cols;
    bool add;
    float *out;
    size_t out_stride;
};

struct cola_cpu_scratch { /* of one thread, for attention; cpu.c sizes it by the longest sequence */
    float *packed_prefix, *packed_tail; /* [ceil(keys/16), d, 16] */
    float *score;                       /* [COLA_SCORE_ROWS, score_stride] */
    size_t score_stride;                /* keys rounded up, plus one vector that may be overwritten */
};
enum { COLA_SCORE_ROWS = 8 };

struct cola_cpu_kernels {
    const char *isa;
    uint32_t tile_rows;   /* rows of a block at most */
    uint32_t panel_width; /* columns of a panel (panels.h) */

    /* n_rows rows of x [n_rows, K] as a block of floats; of pairs of numbers rounded to bf16 */
    void (*pack_rows)(const float *x, uint32_t n_rows, uint32_t n_in, float *block);
    void (*pack_pairs)(const float *x, uint32_t n_rows, uint32_t n_in, float *block);
    void (*tile[COLA_N_PANEL_FORMATS])(const struct cola_tile *tile);
    void (*norm)(const float *x, const float *weight, float eps, uint32_t width, float *out); /* one row */
    void (*rotate)(float *x, const float *table, uint32_t n_heads, uint32_t head_size);       /* one row */
    void (*gate)(const float *gate, const float *up, size_t n, float *out);
    void (*add_scaled)(const float *in, float scale, size_t n, float *out); /* out = fma(scale, in, out) */
    void (*reduce)(const float *logits, uint32_t n_vocab, struct cola_logits *out); /* one row */
    /* All queries of n_spans spans of one sequence for one key/value head. */
    void (*attend)(const struct cola_attention *a, const struct cola_span *span, uint32_t n_spans,
                   uint32_t kv_head, struct cola_cpu_scratch *scratch);
    /* n_rounds times a fixed number of fused multiply-adds on registers; returns their FLOPs. */
    double (*spin)(uint64_t n_rounds);
    double (*spin_bf16)(uint64_t n_rounds); /* the same in products of pairs; NULL: no instruction for them */
};

/* avx512_bf16 is avx512 but for the tile of pairs, which is one instruction a pair there. */
extern const struct cola_cpu_kernels cola_cpu_kernels_avx2, cola_cpu_kernels_avx512,
    cola_cpu_kernels_avx512_bf16;

/* pairs_avx512bf16.c: tile[COLA_PANEL_PAIRS] and spin_bf16 of avx512_bf16. */
void cola_cpu_tile_pairs(const struct cola_tile *tile);
double cola_cpu_spin_bf16(uint64_t n_rounds);

#endif

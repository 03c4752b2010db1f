/* tiles.h - the product kernels of one instruction set: the left side into blocks, and tile.h's register tile
 * for each format of panels. The including file chose the vectors, V_TILE_ROWS and CASES before. */
#ifndef COLA_ENGINE_CPU_TILES_H
#define COLA_ENGINE_CPU_TILES_H

#include "engine/cpu/tile.h"

/* Rows x [n_rows, K] as a block of floats. What is beyond K is not read by tiles. */
static void pack_rows(const float *x, uint32_t n_rows, uint32_t n_in, float *block)
{
    for (uint32_t r = 0; r < n_rows; r++, x += n_in) {
        float *to = block + (size_t)r * COLA_CHUNK;
        for (uint32_t k = 0; k < n_in; k += COLA_CHUNK, to += (size_t)n_rows * COLA_CHUNK)
            v_store(to, n_in - k < COLA_CHUNK ? v_load_part(x + k, n_in - k) : v_load(x + k));
    }
}

/* The same as pairs of bf16, rounded ("The bf16 mode"): two vectors of floats make a line. */
static void pack_pairs(const float *x, uint32_t n_rows, uint32_t n_in, float *block)
{
    for (uint32_t r = 0; r < n_rows; r++, x += n_in) {
        uint32_t *to = (uint32_t *)block + (size_t)r * COLA_CHUNK;
        for (uint32_t k = 0; k < n_in; k += COLA_CHUNK) {
            v_store_pairs(to, n_in - k < COLA_CHUNK ? v_load_part(x + k, n_in - k) : v_load(x + k));
            to += k / COLA_CHUNK % 2 ? (size_t)n_rows * COLA_CHUNK - COLA_CHUNK / 2 : COLA_CHUNK / 2;
        }
    }
}

#define FORMAT COLA_PANEL_F32
static void tile_f32(const struct cola_tile *t)
{
    switch (t->n_rows) {
        CASES
    }
}
#undef FORMAT
#define FORMAT COLA_PANEL_BF16
static void tile_bf16(const struct cola_tile *t)
{
    switch (t->n_rows) {
        CASES
    }
}
#undef FORMAT
#define FORMAT COLA_PANEL_F16
static void tile_f16(const struct cola_tile *t)
{
    switch (t->n_rows) {
        CASES
    }
}
#undef FORMAT
#define FORMAT COLA_PANEL_PAIRS
static void tile_pairs(const struct cola_tile *t)
{
    switch (t->n_rows) {
        CASES
    }
}
#undef FORMAT

#define TILES                                                                                                \
    {                                                                                                        \
        [COLA_PANEL_F32] = tile_f32, [COLA_PANEL_BF16] = tile_bf16, [COLA_PANEL_F16] = tile_f16,             \
        [COLA_PANEL_PAIRS] = tile_pairs                                                                      \
    }

#endif

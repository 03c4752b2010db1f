/* pairs_check.c - before the dot product instruction of bf16 is used: its tile against docs/numerics.md's
 * definition on fixed numbers, in bits.
 *
 * The order of the two products and what becomes of subnormals are in no standard, so a CPU that does them
 * otherwise must not be trusted by its name. Knows the tile, not the engine. */
#include <string.h>

#include "cola/random.h"
#include "engine/cpu/device.h"
#include "engine/numerics.h"

enum { ROWS = 7, DEPTH = 48, WIDTH = 32 }; /* pairs: three lines of a block */

/* A bf16 number's bits: of any size, near 1, near the least normal number, or zero. */
static uint16_t probe(struct cola_random *random)
{
    static const struct {
        uint32_t first, n;
    } exponent[] = {{1, 253}, {120, 12}, {60, 8}, {0, 2}};
    uint32_t bits = (uint32_t)cola_random_bits(random), kind = bits >> 24 & 3;
    uint32_t e = exponent[kind].first + (bits >> 8 & 0xFFFF) % exponent[kind].n;
    return (uint16_t)((bits & 0x807F & ~(kind == 3 ? 0x7Fu : 0u)) | e << 7);
}

static float widened(uint32_t half)
{
    return cola_float_of_bits((int32_t)(half << 16));
}

static bool agrees(uint64_t key)
{
    _Alignas(64) uint32_t block[DEPTH / COLA_CHUNK][ROWS][COLA_CHUNK], panel[DEPTH][WIDTH];
    float out[ROWS][WIDTH];
    struct cola_random random = cola_random_keyed(key, 0, COLA_STREAM_SYNTHETIC);
    for (uint32_t i = 0; i < DEPTH * ROWS; i++)
        block[i / COLA_CHUNK % (DEPTH / COLA_CHUNK)][i / DEPTH][i % COLA_CHUNK] =
            probe(&random) | (uint32_t)probe(&random) << 16;
    for (uint32_t i = 0; i < DEPTH * WIDTH; i++)
        panel[i / WIDTH][i % WIDTH] = probe(&random) | (uint32_t)probe(&random) << 16;
    struct cola_tile tile = {.block = (const float *)block,
                             .panel = panel,
                             .n_rows = ROWS,
                             .n_in = 2 * DEPTH,
                             .n_cols = WIDTH,
                             .out = out[0],
                             .out_stride = WIDTH};
    cola_cpu_tile_pairs(&tile);
    for (uint32_t r = 0; r < ROWS; r++)
        for (uint32_t c = 0; c < WIDTH; c++) {
            float sum = 0;
            for (uint32_t i = 0; i < DEPTH; i++) {
                uint32_t x = block[i / COLA_CHUNK][r][i % COLA_CHUNK], w = panel[i][c];
                sum = cola_fma_flushed(widened(x >> 16), widened(w >> 16), sum);
                sum = cola_fma_flushed(widened(x & 0xFFFF), widened(w & 0xFFFF), sum);
            }
            if (memcmp(&sum, &out[r][c], sizeof sum) != 0 && !(isnan(sum) && isnan(out[r][c]))) return false;
        }
    return true;
}

bool cola_cpu_pairs_agree(void)
{
    enum { KEYS = 32 };
    static int known; /* 0: not tried yet; engines are opened by one thread */
    for (uint64_t key = 0; key < KEYS && known == 0; key++)
        if (!agrees(key)) known = -1;
    if (known == 0) known = 1;
    return known > 0;
}

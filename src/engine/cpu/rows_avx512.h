/* rows_avx512.h - the heights of AVX-512's product tiles: 14 rows x 32 columns are 28 sums of 32 registers.
 * For the files that include tile.h. */
#ifndef COLA_ENGINE_CPU_ROWS_AVX512_H
#define COLA_ENGINE_CPU_ROWS_AVX512_H

#define V_TILE_ROWS 14u
#define CASES                                                                                                \
    CASE(1)                                                                                                  \
    CASE(2)                                                                                                  \
    CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)

#endif

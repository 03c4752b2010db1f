/* planted.h - kernels that break one rule each, for the test that the stand-in notices. */
#ifndef COLA_CUDASIM_PLANTED_H
#define COLA_CUDASIM_PLANTED_H

#ifdef __cplusplus
extern "C" {
#endif

enum planted {
    PLANTED_NOTHING,            /* and keeps every rule */
    PLANTED_HALF_AT_BARRIER,    /* half of a block's threads end before a barrier */
    PLANTED_TWO_BARRIERS,       /* threads of a block at two different barriers */
    PLANTED_HALF_WARP_SHUFFLES, /* a shuffle that half of a warp does not come to */
    PLANTED_BEYOND_SHARED,      /* shared memory one float too short */
    PLANTED_STALE_SHARED,       /* shared memory read before anyone wrote it */
    PLANTED_MISALIGNED,         /* a vector of four floats at an odd place */
    PLANTED_BEYOND_MEMORY,      /* one float behind what was allocated */
    PLANTED_N
};
/* Runs it on device memory of its own; returns whether the numbers came out right. Where the stand-in ends
 * the process, it does not return. */
int planted_run(enum planted what);

#ifdef __cplusplus
}
#endif
#endif

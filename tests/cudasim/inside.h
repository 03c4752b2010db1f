/* inside.h - shared by the stand-in's own files: block.cc runs blocks, runtime.cc has memory, streams and
 * events. */
#ifndef COLA_CUDASIM_INSIDE_H
#define COLA_CUDASIM_INSIDE_H

#include "cudasim.h"
#include "include/cuda_runtime.h"

/* Prints what is wrong and ends the process: a kernel that breaks a rule has no result. */
[[noreturn]] void cudasim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Notes the place; whether a test left it out. */
bool cudasim_left_out(const char *file, int line);

enum class cudasim_order { forward, reversed, shuffled };
cudasim_order cudasim_read_order(uint64_t *seed); /* COLA_CUDASIM_ORDER */

/* block.cc: all blocks of one launch, now. */
void cudasim_run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &thread);

/* splitmix64: Steele, Lea, Flood, 2014 */
inline uint64_t cudasim_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

#endif

/* memory.h - the bound on what an engine allocates on its device, and what it holds now.
 *
 * Every device buffer is allocated and released here, by its size. A job that begins promises what it will
 * still allocate, so that it never has to stop half-way; shared states take what is left and make room,
 * oldest first. Being short of memory makes the engine slower, never wrong. */
#ifndef COLA_ENGINE_MEMORY_H
#define COLA_ENGINE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"

/* Released blocks of one size that wait for a request of just that size: taking pages from the system and
 * giving them back costs more than writing them, on virtual machines several times more. */
struct cola_kept_class {
    size_t n; /* floats of each */
    float **block;
    size_t n_blocks, room;
};

struct cola_memory {
    uint64_t limit_bytes; /* UINT64_MAX: none */
    uint64_t held_bytes, promised_bytes;
    uint64_t kept_bytes, most_bytes; /* of kept blocks, beside held_bytes; the most of both together */
    struct cola_kept_class *kept;    /* [n_kept], one a size */
    size_t n_kept, kept_room;
};

struct cola_engine;

/* n floats of the device, whatever is in them. Gives kept blocks back where the limit asks for it, but no
 * states: callers made room before. Where the device still has no room it gives back kept blocks, then
 * states. */
enum cola_status cola_memory_allocate(struct cola_engine *e, size_t n, const char *what, float **out);
void cola_memory_release(struct cola_engine *e, float *memory, size_t n); /* NULL allowed */
void cola_memory_give_back(struct cola_engine *e);                        /* all kept blocks to the system */

/* n_floats rounded up to a size that others have, too, a sixteenth more at most: for blocks whose sizes
 * follow the samples' lengths, so that the next sample can use what the last one left. */
size_t cola_memory_class(size_t n_floats);

/* Whether n_bytes more fit beside what is held and promised, after dropping shared states if need be. */
bool cola_memory_make_room(struct cola_engine *e, uint64_t n_bytes);

#endif

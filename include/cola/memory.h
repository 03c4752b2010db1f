/* memory.h - allocation that reports instead of crashing, and growth of arrays.
 *
 *     float *row;
 *     COLA_TRY(cola_alloc((void **)&row, n, sizeof *row, "hidden rows"));
 *     ...
 *     COLA_TRY(cola_grow((void **)&list->item, &list->room, list->n + 1, sizeof *list->item, "items"));
 *
 * Sizes are checked for overflow. Memory is 64-byte aligned (whole cache lines, one AVX-512 vector) and
 * freed with free(). */
#ifndef COLA_MEMORY_H
#define COLA_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"

/* n * size zeroed bytes, 64-byte aligned; n = 0 gives one valid pointer. `what` goes into the error text. */
enum cola_status cola_alloc(void **out, size_t n, size_t size, const char *what);

/* Makes *items hold at least `n` items of `size` bytes (*room is the present room, grown at least by half).
 * Contents are kept, new memory is zeroed. *items = NULL with *room = 0 starts empty. */
enum cola_status cola_grow(void **items, size_t *room, size_t n, size_t size, const char *what);

/* n_bytes >= 1 as whole pages of their own: zero, taken from the system when they are first written, given
 * back to it by unmap at once, whatever else is allocated. large: in pages of 2 MiB where the system has
 * them, for blocks that are used from one end to the other. */
enum cola_status cola_pages_map(size_t n_bytes, bool large, const char *what, void **out);
void cola_pages_unmap(void *pages, size_t n_bytes); /* NULL allowed */

/* "1.5 GiB", for messages; returns text. */
const char *cola_memory_text(uint64_t n_bytes, char text[32]);

#endif

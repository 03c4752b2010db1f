/* memory.c - aligned allocation with overflow checks and an error text. */
#include "cola/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64 };

enum cola_status cola_alloc(void **out, size_t n, size_t size, const char *what)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT)
        return cola_fail(COLA_ERR_MEMORY, "%s: %zu items of %zu bytes do not fit an address", what, n, size);
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (bytes == 0) bytes = ALIGNMENT;
    void *memory = aligned_alloc(ALIGNMENT, bytes);
    if (!memory) return cola_fail(COLA_ERR_MEMORY, "%s: out of memory for %zu bytes", what, bytes);
    memset(memory, 0, bytes);
    *out = memory;
    return COLA_OK;
}

enum cola_status cola_grow(void **items, size_t *room, size_t n, size_t size, const char *what)
{
    if (n <= *room) return COLA_OK;
    size_t new_room = *room + *room / 2;
    if (new_room < n) new_room = n;
    if (new_room < 8) new_room = 8;
    void *memory = NULL;
    COLA_TRY(cola_alloc(&memory, new_room, size, what));
    if (*items) memcpy(memory, *items, *room * size);
    free(*items);
    *items = memory;
    *room = new_room;
    return COLA_OK;
}

enum cola_status cola_pages_map(size_t n_bytes, bool large, const char *what, void **out)
{
    void *pages = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return cola_fail(COLA_ERR_MEMORY, "%s: out of memory for %zu bytes", what, n_bytes);
    if (large) (void)!madvise(pages, n_bytes, MADV_HUGEPAGE); /* without: slower, nothing else */
    *out = pages;
    return COLA_OK;
}

/* A hole in the middle of a mapping can be refused (it makes one mapping more): then at least the memory
 * goes.
 */
void cola_pages_unmap(void *pages, size_t n_bytes)
{
    if (pages && munmap(pages, n_bytes) != 0) (void)!madvise(pages, n_bytes, MADV_DONTNEED);
}

const char *cola_memory_text(uint64_t n_bytes, char text[32])
{
    double mib = (double)n_bytes / (1 << 20);
    if (mib < 1024)
        snprintf(text, 32, "%.1f MiB", mib);
    else
        snprintf(text, 32, "%.2f GiB", mib / 1024);
    return text;
}

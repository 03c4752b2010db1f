/* pool.c - blocks of the GPU's one arena: the smallest free block that is large enough, cut to size; a
 * released block joins its free neighbours. All on the host, so that no step of a layer calls cudaMalloc or
 * cudaFree, which wait for the GPU. A few thousand blocks (weights, states, batches) lie in one sorted array.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "engine/cuda/device.h"

static size_t rounded(size_t n_bytes)
{
    size_t n = (n_bytes + COLA_CUDA_ALIGNMENT - 1) / COLA_CUDA_ALIGNMENT * COLA_CUDA_ALIGNMENT;
    return n ? n : COLA_CUDA_ALIGNMENT;
}

enum cola_status cola_cuda_pool_create(size_t n_bytes, struct cola_cuda_pool *pool)
{
    size_t whole = n_bytes / COLA_CUDA_ALIGNMENT * COLA_CUDA_ALIGNMENT, room = 0;
    struct cola_cuda_block *block = NULL;
    void *base = NULL;
    COLA_TRY(cola_grow((void **)&block, &room, 1, sizeof *block, "blocks of GPU memory"));
    enum cola_status status = cola_cuda_check(cudaMalloc(&base, whole), "cudaMalloc of the arena");
    if (status != COLA_OK) {
        free(block);
        return status;
    }
    block[0] = (struct cola_cuda_block){0, whole, false};
    *pool = (struct cola_cuda_pool){base, whole, block, 1, room};
    return COLA_OK;
}

void cola_cuda_pool_destroy(struct cola_cuda_pool *pool)
{
    if (pool->base) cudaFree(pool->base);
    free(pool->block);
    *pool = (struct cola_cuda_pool){0};
}

/* Cuts block i to n bytes; the rest becomes a free block behind it. */
static void cut(struct cola_cuda_pool *pool, size_t i, size_t n)
{
    struct cola_cuda_block *block = &pool->block[i];
    if (block->n_bytes > n) {
        memmove(block + 2, block + 1, (pool->n_blocks - i - 1) * sizeof *block);
        block[1] = (struct cola_cuda_block){block->at + n, block->n_bytes - n, false};
        block->n_bytes = n;
        pool->n_blocks++;
    }
    block->used = true;
}

enum cola_status cola_cuda_pool_take(struct cola_cuda_pool *pool, size_t n_bytes, const char *what,
                                     void **out)
{
    size_t n = rounded(n_bytes), best = pool->n_blocks, n_free = 0, largest = 0;
    COLA_TRY(cola_grow((void **)&pool->block, &pool->room, pool->n_blocks + 1, sizeof *pool->block,
                       "blocks of GPU memory"));
    for (size_t i = 0; i < pool->n_blocks; i++) {
        const struct cola_cuda_block *block = &pool->block[i];
        if (block->used) continue;
        n_free += block->n_bytes;
        if (block->n_bytes > largest) largest = block->n_bytes;
        if (block->n_bytes >= n && (best == pool->n_blocks || block->n_bytes < pool->block[best].n_bytes))
            best = i;
    }
    if (best == pool->n_blocks) {
        char asked[32], free_text[32], all[32];
        return cola_fail(COLA_ERR_MEMORY,
                         "GPU memory: %s for %s; of the arena's %s there are %s free, %llu bytes in one "
                         "piece; fewer requests in flight or less --state-memory need less",
                         cola_memory_text(n, asked), what, cola_memory_text(pool->n_bytes, all),
                         cola_memory_text(n_free, free_text), (unsigned long long)largest);
    }
    cut(pool, best, n);
    *out = pool->base + pool->block[best].at;
    return COLA_OK;
}

/* Block i takes in the one behind it. */
static void join(struct cola_cuda_pool *pool, size_t i)
{
    struct cola_cuda_block *block = &pool->block[i];
    block->n_bytes += block[1].n_bytes;
    memmove(block + 1, block + 2, (pool->n_blocks - i - 2) * sizeof *block);
    pool->n_blocks--;
}

static size_t find(const struct cola_cuda_pool *pool, const void *block)
{
    size_t at = (size_t)((const uint8_t *)block - pool->base), low = 0, high = pool->n_blocks;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (pool->block[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

size_t cola_cuda_pool_release(struct cola_cuda_pool *pool, void *block)
{
    size_t i = find(pool, block), n_bytes = pool->block[i].n_bytes;
    pool->block[i].used = false;
    if (i + 1 < pool->n_blocks && !pool->block[i + 1].used) join(pool, i);
    if (i > 0 && !pool->block[i - 1].used) join(pool, i - 1);
    return n_bytes;
}

/* chain_set.c - a sorted set of chains in two flat arrays; see chain_set.h. Sorted once, by the chains'
 * numbers, then copied in order; asked by halving. */
#include "cola/chain_set.h"

#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

void cola_chain_set_fini(struct cola_chain_set *set)
{
    free(set->layer);
    free(set->offset);
    *set = (struct cola_chain_set){0};
}

struct cola_chain cola_chain_set_get(const struct cola_chain_set *set, uint32_t i)
{
    return (struct cola_chain){set->layer + set->offset[i], (uint32_t)(set->offset[i + 1] - set->offset[i])};
}

int cola_chain_compare(const struct cola_chain *a, const struct cola_chain *b)
{
    uint32_t n = a->n_layers < b->n_layers ? a->n_layers : b->n_layers;
    for (uint32_t i = 0; i < n; i++)
        if (a->layer[i] != b->layer[i]) return a->layer[i] < b->layer[i] ? -1 : 1;
    return (a->n_layers > b->n_layers) - (a->n_layers < b->n_layers);
}

enum cola_status cola_chain_set_add(struct cola_chain_set *set, const struct cola_chain *chain)
{
    uint64_t end = set->n ? set->offset[set->n] : 0;
    if (chain->n_layers == 0) return cola_fail(COLA_ERR_INPUT, "a chain without layers");
    if (set->n == COLA_CHAIN_SET_MAX)
        return cola_fail(COLA_ERR_INPUT, "more than %d chains", COLA_CHAIN_SET_MAX);
    COLA_TRY(cola_grow((void **)&set->layer, &set->layer_room, end + chain->n_layers, sizeof *set->layer,
                       "chains"));
    COLA_TRY(cola_grow((void **)&set->offset, &set->offset_room, (size_t)set->n + 2, sizeof *set->offset,
                       "chains"));
    memcpy(set->layer + end, chain->layer, chain->n_layers * sizeof *chain->layer);
    set->offset[++set->n] = end + chain->n_layers;
    return COLA_OK;
}

static int by_chain(const void *a, const void *b, void *user)
{
    const struct cola_chain_set *set = user;
    struct cola_chain x = cola_chain_set_get(set, *(const uint32_t *)a);
    struct cola_chain y = cola_chain_set_get(set, *(const uint32_t *)b);
    return cola_chain_compare(&x, &y);
}

enum cola_status cola_chain_set_seal(struct cola_chain_set *set)
{
    struct cola_chain_set sorted = {0};
    uint32_t *number = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&number, set->n, sizeof *number, "chains"));
    for (uint32_t i = 0; i < set->n; i++) number[i] = i;
    qsort_r(number, set->n, sizeof *number, by_chain, set);
    for (uint32_t i = 0; i < set->n; i++) {
        if (i > 0 && by_chain(&number[i - 1], &number[i], set) == 0) continue;
        struct cola_chain chain = cola_chain_set_get(set, number[i]);
        COLA_TRY_DONE(cola_chain_set_add(&sorted, &chain));
    }
    cola_chain_set_fini(set);
    *set = sorted;
    sorted = (struct cola_chain_set){0};
done:
    cola_chain_set_fini(&sorted);
    free(number);
    return status;
}

bool cola_chain_set_find(const struct cola_chain_set *set, const struct cola_chain *chain, uint32_t *out)
{
    uint32_t from = 0, to = set->n;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        struct cola_chain there = cola_chain_set_get(set, middle);
        int order = cola_chain_compare(&there, chain);
        if (order == 0) {
            *out = middle;
            return true;
        }
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return false;
}

enum cola_status cola_chain_set_fingerprint(const struct cola_chain_set *set, char text[COLA_HASH_TEXT])
{
    struct cola_hash *hash;
    COLA_TRY(cola_hash_create(&hash));
    cola_hash_u64(hash, set->n);
    for (uint32_t i = 0; i < set->n; i++) {
        struct cola_chain chain = cola_chain_set_get(set, i);
        cola_hash_u64(hash, chain.n_layers);
        cola_hash_bytes(hash, chain.layer, chain.n_layers * sizeof *chain.layer);
    }
    cola_hash_text(hash, text);
    cola_hash_destroy(hash);
    return COLA_OK;
}

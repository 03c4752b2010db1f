/* suspects.c - the list behind suspects.h. Answers come about in the order of the requests, so a search from
 * the front finds soon. */
#include "record/suspects.h"

#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

void cola_suspects_fini(struct cola_suspects *suspects)
{
    for (size_t i = 0; i < suspects->n; i++) free(suspects->item[i].layer);
    free(suspects->item);
    *suspects = (struct cola_suspects){0};
}

struct cola_suspect *cola_suspects_find(const struct cola_suspects *suspects, uint32_t sample,
                                        const struct cola_chain *chain)
{
    if (suspects->n == 0) return NULL;
    uint64_t hash = cola_chain_hash(chain);
    for (size_t i = 0; i < suspects->n; i++) {
        struct cola_suspect *s = &suspects->item[i];
        if (s->hash == hash && s->sample == sample && cola_chain_equal(&s->chain, chain)) return s;
    }
    return NULL;
}

enum cola_status cola_suspects_started(struct cola_suspects *suspects, uint32_t sample,
                                       const struct cola_chain *chain)
{
    struct cola_suspect *found = cola_suspects_find(suspects, sample, chain);
    if (found) {
        found->out = true;
        return COLA_OK;
    }
    cola_layer *layer = NULL;
    COLA_TRY(cola_grow((void **)&suspects->item, &suspects->room, suspects->n + 1, sizeof *suspects->item,
                       "requests in flight"));
    COLA_TRY(cola_alloc((void **)&layer, chain->n_layers, sizeof *layer, "requests in flight"));
    memcpy(layer, chain->layer, chain->n_layers * sizeof *layer);
    suspects->item[suspects->n++] = (struct cola_suspect){.hash = cola_chain_hash(chain),
                                                          .sample = sample,
                                                          .out = true,
                                                          .chain = {layer, chain->n_layers},
                                                          .layer = layer};
    return COLA_OK;
}

static void drop(struct cola_suspects *suspects, size_t i)
{
    free(suspects->item[i].layer);
    memmove(&suspects->item[i], &suspects->item[i + 1], (--suspects->n - i) * sizeof *suspects->item);
}

void cola_suspects_answered(struct cola_suspects *suspects, uint32_t sample, const struct cola_chain *chain)
{
    struct cola_suspect *found = cola_suspects_find(suspects, sample, chain);
    if (found) drop(suspects, (size_t)(found - suspects->item));
}

void cola_suspects_end(struct cola_suspects *suspects, bool crashed)
{
    for (size_t i = suspects->n; i-- > 0;) {
        struct cola_suspect *s = &suspects->item[i];
        if (s->out && crashed) s->attempts++;
        s->out = false;
        if (s->attempts == 0) drop(suspects, i);
    }
}

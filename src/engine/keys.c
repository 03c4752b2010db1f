/* keys.c - stores of keys.h: counted holders, freed with the last. */
#include "engine/keys.h"

#include <stdlib.h>

#include "cola/memory.h"
#include "engine/state.h"

static size_t store_floats(const struct cola_engine *e, uint32_t room)
{
    return cola_memory_class(
        e->backend->store_floats(e->device, room, e->config->n_kv_heads, e->config->head_size));
}

uint64_t cola_keys_bytes(const struct cola_engine *e, uint32_t room)
{
    return store_floats(e, room) * sizeof(float);
}

enum cola_status cola_keys_create(struct cola_engine *e, uint32_t room, struct cola_stored_keys **out)
{
    struct cola_stored_keys *keys;
    COLA_TRY(cola_alloc((void **)&keys, 1, sizeof *keys, "stored keys"));
    *keys = (struct cola_stored_keys){.room = room, .n_holders = 1};
    enum cola_status status = cola_memory_allocate(e, store_floats(e, room), "stored keys", &keys->store);
    if (status != COLA_OK) {
        free(keys);
        return status;
    }
    *out = keys;
    return COLA_OK;
}

struct cola_stored_keys *cola_keys_hold(struct cola_stored_keys *keys)
{
    keys->n_holders++;
    return keys;
}

void cola_keys_drop(struct cola_engine *e, struct cola_stored_keys *keys)
{
    if (!keys || --keys->n_holders > 0) return;
    cola_memory_release(e, keys->store, store_floats(e, keys->room));
    free(keys);
}

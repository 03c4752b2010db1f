/* keys.h - the stored keys and values of a prompt at one chain position: what decoding reads. Several jobs
 * and the trie of prefixes may hold the same: they are a function of (model, prompt, chain up to there). */
#ifndef COLA_ENGINE_KEYS_H
#define COLA_ENGINE_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"

struct cola_stored_keys {
    float *store; /* device, the back end's store_floats(room) */
    uint32_t room, n_holders;
};

struct cola_engine;

uint64_t cola_keys_bytes(const struct cola_engine *e, uint32_t room); /* of one store */
/* One holder, the caller. */
enum cola_status cola_keys_create(struct cola_engine *e, uint32_t room, struct cola_stored_keys **out);
struct cola_stored_keys *cola_keys_hold(struct cola_stored_keys *keys);    /* one holder more */
void cola_keys_drop(struct cola_engine *e, struct cola_stored_keys *keys); /* one less; NULL allowed */

#endif

/* pack.h - numbers to and from little-endian bytes, field by field: what the journal is written with. A
 * reader never passes the end: it turns bad and gives zeros, and the caller asks once at the end. */
#ifndef COLA_RECORD_PACK_H
#define COLA_RECORD_PACK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

struct cola_pack { /* growing bytes; failed: an allocation failed, what was packed is incomplete */
    uint8_t *byte;
    size_t n, room;
    bool failed;
};

static inline void cola_pack_uint(struct cola_pack *pack, uint64_t value, unsigned n_bytes)
{
    if (!pack->failed &&
        cola_grow((void **)&pack->byte, &pack->room, pack->n + n_bytes, 1, "record buffer") != COLA_OK)
        pack->failed = true;
    if (pack->failed) return;
    for (unsigned i = 0; i < n_bytes; i++) pack->byte[pack->n++] = (uint8_t)(value >> 8 * i);
}

static inline void cola_pack_f32(struct cola_pack *pack, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    cola_pack_uint(pack, bits, 4);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are packed as they lie in memory");

/* n items of item_bytes each. */
static inline void cola_pack_items(struct cola_pack *pack, const void *items, size_t n, size_t item_bytes)
{
    if (!pack->failed &&
        cola_grow((void **)&pack->byte, &pack->room, pack->n + n * item_bytes, 1, "record buffer") != COLA_OK)
        pack->failed = true;
    if (pack->failed || n == 0) return;
    memcpy(pack->byte + pack->n, items, n * item_bytes);
    pack->n += n * item_bytes;
}

static inline void cola_pack_text(struct cola_pack *pack, const char *text) /* length (u32), bytes */
{
    size_t n = strlen(text);
    cola_pack_uint(pack, n, 4);
    for (size_t i = 0; i < n; i++) cola_pack_uint(pack, (uint8_t)text[i], 1);
}

struct cola_unpack {
    const uint8_t *byte;
    size_t n, at;
    bool bad; /* something was asked for beyond the end */
};

static inline uint64_t cola_unpack_uint(struct cola_unpack *unpack, unsigned n_bytes)
{
    uint64_t value = 0;
    if (unpack->bad || unpack->n - unpack->at < n_bytes) {
        unpack->bad = true;
        return 0;
    }
    for (unsigned i = 0; i < n_bytes; i++) value |= (uint64_t)unpack->byte[unpack->at++] << 8 * i;
    return value;
}

static inline float cola_unpack_f32(struct cola_unpack *unpack)
{
    uint32_t bits = (uint32_t)cola_unpack_uint(unpack, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A count of items of item_bytes each that must still follow; 0 and bad if they cannot. */
static inline uint32_t cola_unpack_count(struct cola_unpack *unpack, size_t item_bytes)
{
    uint64_t n = cola_unpack_uint(unpack, 4);
    if (!unpack->bad && n > (unpack->n - unpack->at) / item_bytes) unpack->bad = true;
    return unpack->bad ? 0 : (uint32_t)n;
}

#endif

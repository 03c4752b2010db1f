/* hash.c - XXH3 behind our own names, so that the library can be exchanged in one file. */
#include "cola/hash.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

struct cola_hash;

static XXH3_state_t *state_of(const struct cola_hash *h)
{
    return (XXH3_state_t *)(uintptr_t)h;
}

enum cola_status cola_hash_create(struct cola_hash **out)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state) return cola_fail(COLA_ERR_MEMORY, "hash: out of memory");
    XXH3_128bits_reset(state);
    *out = (struct cola_hash *)state;
    return COLA_OK;
}

void cola_hash_destroy(struct cola_hash *h)
{
    if (h) XXH3_freeState(state_of(h));
}

void cola_hash_bytes(struct cola_hash *h, const void *data, size_t n_bytes)
{
    if (n_bytes) XXH3_128bits_update(state_of(h), data, n_bytes);
}

void cola_hash_u64(struct cola_hash *h, uint64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(value >> 8 * i);
    cola_hash_bytes(h, bytes, sizeof bytes);
}

void cola_hash_string(struct cola_hash *h, const char *text)
{
    cola_hash_u64(h, strlen(text));
    cola_hash_bytes(h, text, strlen(text));
}

void cola_hash_text(const struct cola_hash *h, char text[COLA_HASH_TEXT])
{
    XXH128_canonical_t bytes; /* big-endian, as the library's own tools print it */
    XXH128_canonicalFromHash(&bytes, XXH3_128bits_digest(state_of(h)));
    memcpy(text, "xxh3:", 5);
    for (size_t i = 0; i < 16; i++) snprintf(text + 5 + 2 * i, 3, "%02x", bytes.digest[i]);
}

uint64_t cola_hash64(const void *data, size_t n_bytes)
{
    return XXH3_64bits(data, n_bytes);
}

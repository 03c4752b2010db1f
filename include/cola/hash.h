/* hash.h - content hashes: fingerprints of files and models, the digest of a run.
 *
 *     struct cola_hash *h;
 *     COLA_TRY(cola_hash_create(&h));
 *     cola_hash_bytes(h, data, n);                  any number of times; only the concatenation counts
 *     char text[COLA_HASH_TEXT]; cola_hash_text(h, text);      "xxh3:" and 32 hexadecimal digits
 *
 * XXH3, 128 bits (libxxhash): fast enough to hash a model at memory speed; not meant against an attacker. */
#ifndef COLA_HASH_H
#define COLA_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"

enum { COLA_HASH_TEXT = 5 + 32 + 1 };

struct cola_hash;

enum cola_status cola_hash_create(struct cola_hash **out);
void cola_hash_destroy(struct cola_hash *h);
void cola_hash_bytes(struct cola_hash *h, const void *data, size_t n_bytes);
void cola_hash_u64(struct cola_hash *h, uint64_t value);      /* eight bytes, little-endian */
void cola_hash_string(struct cola_hash *h, const char *text); /* its length as u64, then its bytes */
void cola_hash_text(const struct cola_hash *h, char text[COLA_HASH_TEXT]);

/* 64-bit hash of one buffer, for hash tables. */
uint64_t cola_hash64(const void *data, size_t n_bytes);

#endif

/* shared_memory.h - one block of memory that several processes of one machine hold together: the first fills
 * it, the others read it.
 *
 *     struct cola_shared_name name = {.key = random, .content = hash};          the same for all
 *     COLA_TRY(cola_shared_memory_create(&name, n_bytes, &memory));             the first
 *     ... fill cola_shared_memory_bytes(memory) ...
 *     COLA_TRY(cola_shared_memory_offer(memory, n_others));
 *
 *     COLA_TRY(cola_shared_memory_join(&name, n_bytes, &patience, &memory));    the others
 *
 *     cola_shared_memory_close(memory);                                         all
 *
 * The memory has no name in any file system: it is passed on through a Unix socket in the abstract name space
 * and ends with its last holder, whoever is killed when. Only processes of the same user and network name
 * space find each other. Sharing can always fail; the caller then goes on with memory of its own. */
#ifndef COLA_SHARED_MEMORY_H
#define COLA_SHARED_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "cola/status.h"

struct cola_shared_name {
    uint64_t key;     /* of those that share: others that run at the same time must have another one */
    uint64_t content; /* hash of what decides the bytes: compared before they are believed */
};

struct cola_shared_memory;

/* n_bytes >= 1 zeroed bytes to be filled. COLA_ERR_UNSUPPORTED: this system refuses. */
enum cola_status cola_shared_memory_create(const struct cola_shared_name *name, uint64_t n_bytes,
                                           struct cola_shared_memory **out);

/* The bytes are complete and from now on read-only, here too; they are handed to the first n_others that
 * join, by a thread that ends with the last of them or with close. */
enum cola_status cola_shared_memory_offer(struct cola_shared_memory *memory, uint32_t n_others);

struct cola_shared_patience {
    double seconds;               /* until somebody of that name is there */
    bool (*given_up)(void *user); /* asked again and again while waiting for him; NULL: never */
    void *user;
};

/* Waits until the first offers its bytes. COLA_ERR_UNSUPPORTED: nobody of that name in time, or no bytes
 * within ten minutes, or refused by the system; COLA_ERR_MISMATCH: other content, size or user;
 * COLA_ERR_STOPPED: the first ended or gave up before it offered them, or given_up said so. */
enum cola_status cola_shared_memory_join(const struct cola_shared_name *name, uint64_t n_bytes,
                                         const struct cola_shared_patience *patience,
                                         struct cola_shared_memory **out);

/* [n_bytes], whole pages; read-only for those that joined. */
void *cola_shared_memory_bytes(const struct cola_shared_memory *memory);

/* NULL allowed. The first may close before the others: they keep what they have. */
void cola_shared_memory_close(struct cola_shared_memory *memory);

#endif

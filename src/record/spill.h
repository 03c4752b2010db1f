/* spill.h - bytes that need not stay in memory: an append-only file without a name beside the run, which goes
 * with the process, however it ends.
 *
 *     struct cola_spill *spill;
 *     struct cola_place place;
 *     COLA_TRY(cola_spill_create("run.h5", &spill));                  no file yet
 *     COLA_TRY(cola_spill_append(spill, bytes, n, &place));
 *     COLA_TRY(cola_spill_read(spill, place, room));                  place.n_bytes bytes
 *     cola_spill_destroy(spill);
 *
 * What is appended is a cache of what can be had from the journal once more, so nothing is ever synced. */
#ifndef COLA_RECORD_SPILL_H
#define COLA_RECORD_SPILL_H

#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"

struct cola_spill;

struct cola_place { /* n_bytes 0: nothing was put there */
    uint64_t at, n_bytes;
};

/* In the directory of run_path, so that its space is that of the run's disk and not of a node's memory. The
 * file comes into being when a first MiB is full: a small run has none. */
enum cola_status cola_spill_create(const char *run_path, struct cola_spill **out);
void cola_spill_destroy(struct cola_spill *spill); /* NULL allowed */

/* COLA_ERR_IO: no room, with the file's name; then all that was appended before is still there. */
enum cola_status cola_spill_append(struct cola_spill *spill, const void *bytes, size_t n,
                                   struct cola_place *out);
/* COLA_ERR_IO: it cannot be read. Whether the bytes are those that were written is for the caller to check.
 */
enum cola_status cola_spill_read(const struct cola_spill *spill, struct cola_place place, void *to);

#endif

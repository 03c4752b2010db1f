/* recording.h - what a finished or a running search evaluated, to be asked for by (sample, chain).
 *
 *     struct cola_recording *r;
 *     COLA_TRY(cola_recording_open("run.h5.journal", &r));       or run.h5
 *     if (cola_recording_find(r, sample, &chain, &result)) ...
 *     cola_recording_close(r);
 *
 * A run.h5 has the chains of the trees; its journal has those guessed in vain too. Takes no lock and changes
 * nothing; what is behind the last whole record of a journal is left out. */
#ifndef COLA_RECORDING_H
#define COLA_RECORDING_H

#include "cola/record.h"

struct cola_recording;

/* COLA_ERR_INPUT: neither a journal nor a run.h5, or damaged. COLA_ERR_IO: cannot be read. */
enum cola_status cola_recording_open(const char *path, struct cola_recording **out);
void cola_recording_close(struct cola_recording *recording); /* NULL allowed */

/* Arrays of *out are borrowed until close; its id is 0. */
bool cola_recording_find(const struct cola_recording *recording, uint32_t sample,
                         const struct cola_chain *chain, struct cola_result *out);
/* Of the run's fields ("tasks_fingerprint"); NULL: it has none by that name. */
const char *cola_recording_field(const struct cola_recording *recording, const char *key);
uint64_t cola_recording_count(const struct cola_recording *recording);

#endif

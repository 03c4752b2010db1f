/* suspects.h - which requests may have crashed their worker: started in the journal, not answered when the
 * process ended. Filled while the journal is read, asked before a request is sent. Knows no file.
 *
 * An attempt is an end of a process while the request was out. Who sends requests keeps to the following, so
 * that the last attempt is evidence: a suspect is alone on its worker, and one with COLA_SUSPECT_EXCLUSIVE
 * attempts is the only request of the whole job. After COLA_SUSPECT_ATTEMPTS it is set aside. */
#ifndef COLA_RECORD_SUSPECTS_H
#define COLA_RECORD_SUSPECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/chain.h"
#include "cola/status.h"

struct cola_suspect {
    uint64_t hash;
    uint32_t sample, attempts;
    bool out; /* started in the session that is being read, and not answered so far */
    struct cola_chain chain;
    cola_layer *layer; /* the chain's */
};

struct cola_suspects { /* zeroed is empty; a list: no longer than what was in flight at once */
    struct cola_suspect *item;
    size_t n, room;
};

void cola_suspects_fini(struct cola_suspects *suspects);
/* NULL: none. Valid until the next change. */
struct cola_suspect *cola_suspects_find(const struct cola_suspects *suspects, uint32_t sample,
                                        const struct cola_chain *chain);
enum cola_status cola_suspects_started(struct cola_suspects *suspects, uint32_t sample,
                                       const struct cola_chain *chain);
void cola_suspects_answered(struct cola_suspects *suspects, uint32_t sample, const struct cola_chain *chain);
/* The process ended. crashed: what was out counts an attempt; else (it ended by a failure that it understood)
 * nothing is held against it. */
void cola_suspects_end(struct cola_suspects *suspects, bool crashed);

#endif

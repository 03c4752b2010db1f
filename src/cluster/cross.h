/* cross.h - the state of the master of `cola cross`, of cross.c and cross_dispatch.c only. */
#ifndef COLA_CLUSTER_CROSS_PRIVATE_H
#define COLA_CLUSTER_CROSS_PRIVATE_H

#include "cluster/cross_flow.h"
#include "cluster/master.h"
#include "cola/cross.h"
#include "cola/cross_record.h"

struct holders { /* workers that were sent a sample's tokens */
    uint32_t *rank;
    size_t n, room;
};

struct slot {    /* a request that may be out */
    uint64_t id; /* place in the table + generation << 32: a stale or invented RESULT names none */
    uint32_t sample, chain, worker;
    bool used;
};

struct suspect {
    uint32_t sample, chain, attempts;
};

struct cross {
    struct cola_master m; /* workers, loads, handshake, report: as a search's; no trees, no record */
    const struct cola_cross_options *options;
    struct cola_cross_record *record;
    struct cola_flow flow;
    struct holders *holders; /* [n_samples] */
    struct slot *slot;       /* [n_slots]: all credit together */
    uint32_t *free_slot;     /* [n_free] */
    uint32_t n_slots, n_free;
    struct suspect *suspect;           /* [n_suspects] not sent yet */
    uint32_t n_suspects, n_alone_left; /* n_alone_left: not answered yet */
    uint64_t n_new;
};

/* cross_dispatch.c: slots for all credit together; suspects alone, then what the flow gives, to workers that
 * have room; everything that came, into the record. */
enum cola_status cola_cross_make_slots(struct cross *x);
enum cola_status cola_cross_send_work(struct cross *x);
enum cola_status cola_cross_receive_results(struct cross *x);

#endif

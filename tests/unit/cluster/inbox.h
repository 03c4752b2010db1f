/* inbox.h - messages one by one from packets that may hold several, for a test's own end of a transport. */
#ifndef COLA_TEST_INBOX_H
#define COLA_TEST_INBOX_H

#include "cluster/message.h"
#include "cola/comm.h"

struct inbox { /* {0} is empty */
    struct cola_packet packet;
    size_t at;
    struct cola_buffer room;
};

/* The next message; false: nothing came within timeout_s, or no message did. Its arrays live until the next.
 */
static inline bool inbox_next(struct inbox *box, struct cola_comm *comm, double timeout_s,
                              struct cola_message *m)
{
    if (box->at == box->packet.n_bytes) {
        box->at = 0;
        box->packet.n_bytes = 0;
        if (cola_comm_receive(comm, timeout_s, &box->packet) != COLA_OK || box->packet.n_bytes == 0)
            return false;
    }
    const uint8_t *bytes = box->packet.bytes + box->at;
    size_t n = cola_message_bytes(bytes, box->packet.n_bytes - box->at);
    box->at += n;
    return cola_message_unpack(bytes, n, &box->room, m) == COLA_OK;
}

static inline void inbox_fini(struct inbox *box)
{
    cola_buffer_fini(&box->room);
}

#endif

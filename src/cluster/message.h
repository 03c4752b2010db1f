/* message.h - what master and workers say to each other, and its bytes.
 *
 *     struct cola_buffer bytes = {0}, room = {0};
 *     COLA_TRY(cola_message_pack(&message, &bytes));              bytes.bytes, bytes.n_bytes
 *     COLA_TRY(cola_message_unpack(packet.bytes, packet.n_bytes, &room, &message));
 *     cola_buffer_fini(&bytes); cola_buffer_fini(&room);
 *
 * One code for both transports. Packed field by field, little-endian: a header of magic, protocol version,
 * kind and length of the body, then the body (docs/protocol.md lists the fields). Whatever the bytes say,
 * unpack gives a message whose every array lies in `room`, or COLA_ERR_INPUT (COLA_ERR_MISMATCH for another
 * protocol version). Knows nothing of transports, trees or files. */
#ifndef COLA_CLUSTER_MESSAGE_H
#define COLA_CLUSTER_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "cola/chain.h"
#include "cola/engine.h"
#include "cola/hash.h"
#include "cola/result.h"
#include "cola/status.h"
#include "cola/task.h"

enum { COLA_PROTOCOL_VERSION = 6 };

enum cola_message_kind {
    COLA_MESSAGE_START = 1,    /* master -> worker, first: load the model */
    COLA_MESSAGE_HELLO = 2,    /* worker -> master: what I am, how many requests I take */
    COLA_MESSAGE_SAMPLE = 3,   /* master -> worker: a sample's tokens, before its first request there */
    COLA_MESSAGE_REQUEST = 4,  /* master -> worker: evaluate this chain on that sample */
    COLA_MESSAGE_RESULT = 5,   /* worker -> master: what it gave */
    COLA_MESSAGE_FORGET = 6,   /* master -> worker: the sample's search is over */
    COLA_MESSAGE_SHUTDOWN = 7, /* master -> worker, last: leave with this exit status */
    COLA_MESSAGE_ERROR = 8     /* worker -> master, last: what failed */
};

enum { COLA_NODE_TEXT = 96 };

struct cola_start {
    uint32_t n_samples;   /* rows of tasks.h5: sample indices are below */
    uint64_t sharing_key; /* of this run: workers of one node share their weights by it; 0: they do not */
    struct cola_engine_demand most; /* of one request; n_layers 0: the worker knows search and model */
};

struct cola_hello {
    char program[64];          /* version and commit */
    char backend[32];          /* "cpu" */
    char device[128];          /* "avx512, 2 threads" */
    char host[256];            /* for people */
    char node[COLA_NODE_TEXT]; /* alive.h; empty: not known */
    char model_fingerprint[COLA_HASH_TEXT];
    char numerics_id[32];
    uint32_t n_layers, n_vocab, max_positions; /* of the model */
    uint32_t credit;                           /* requests that may be out at this worker */
    uint32_t n_threads;
    uint32_t n_sharing;     /* workers of its node that hold one copy of the weights, this one included */
    uint32_t packs_weights; /* 1: it packed its copy; 0: another worker did */
    uint64_t weight_bytes;
    uint64_t memory_bytes; /* the bound of its engine; 0: none */
    uint64_t batch_bytes;  /* buffers of a batch */
    uint64_t state_bytes;  /* shared states take at most; UINT64_MAX: no bound */
    uint32_t pid;          /* on `node` */
    float load_s;          /* seconds from START to HELLO */
};

struct cola_request_message {
    uint64_t id;
    uint32_t sample;
    struct cola_chain chain;
};

struct cola_error_message {
    uint8_t status; /* enum cola_status */
    int64_t sample; /* whose request failed, -1: none in particular */
    char text[1024];
};

struct cola_message {
    enum cola_message_kind kind;
    double busy_s; /* RESULT: seconds that the worker's engine has stepped so far, for reports */
    uint64_t memory_bytes, state_bytes; /* RESULT: held by it at most, of them by shared states at most */
    union {
        struct cola_start start;
        struct cola_hello hello;
        struct cola_sample sample; /* gold -1 and candidate_bytes NULL: judging is the master's */
        struct cola_request_message request;
        struct cola_result result;
        uint32_t forget;  /* sample index */
        uint8_t shutdown; /* exit status */
        struct cola_error_message error;
    };
};

struct cola_buffer { /* {0} is empty */
    uint8_t *bytes;
    size_t n_bytes, room;
};

void cola_buffer_fini(struct cola_buffer *buffer);

/* "REQUEST", for people; "unknown" outside the enum. */
const char *cola_message_name(unsigned kind);

/* Behind the buffer's content: several messages may travel as one packet. */
enum cola_status cola_message_append(const struct cola_message *message, struct cola_buffer *out);
/* Bytes of the first message of a packet: at most n_bytes, whatever the packet says. */
size_t cola_message_bytes(const uint8_t *bytes, size_t n_bytes);

/* Replaces the buffer's content. */
enum cola_status cola_message_pack(const struct cola_message *message, struct cola_buffer *out);

/* Arrays of *out borrow `room`, whose content is replaced; nothing borrows `bytes`. *out is untouched on
 * failure. */
enum cola_status cola_message_unpack(const uint8_t *bytes, size_t n_bytes, struct cola_buffer *room,
                                     struct cola_message *out);

#endif

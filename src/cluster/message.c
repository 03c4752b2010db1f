/* message.c - packs and unpacks the messages of message.h.
 *
 * Each kind has one function that names its fields in order; it runs in both directions, so what is packed
 * and what is unpacked cannot drift apart. The coder keeps its first failure and does nothing afterwards.
 * A count is believed only after the bytes it promises were seen to be there. */
#include "cluster/message.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

enum { MAGIC = 0x414C4F43, HEADER_BYTES = 12 }; /* "COLA" in the order of the bytes */

struct coder {
    bool reading;
    const uint8_t *in; /* reading: [n_in] */
    size_t n_in, at;
    struct cola_buffer *buffer; /* writing: the message; reading: where arrays go */
    const char *problem;        /* of the input, NULL: none so far */
    enum cola_status status;    /* of an allocation */
};

static bool stopped(const struct coder *c)
{
    return c->problem || c->status != COLA_OK;
}

static void refuse(struct coder *c, const char *problem)
{
    if (!stopped(c)) c->problem = problem;
}

/* The next n bytes of the message: to read from, or to write to; NULL after a failure. */
static uint8_t *advance(struct coder *c, size_t n)
{
    if (stopped(c)) return NULL;
    if (c->reading) {
        if (n > c->n_in - c->at) {
            refuse(c, "ends before its fields do");
            return NULL;
        }
        c->at += n;
        return (uint8_t *)(uintptr_t)c->in + c->at - n;
    }
    struct cola_buffer *b = c->buffer;
    c->status = cola_grow((void **)&b->bytes, &b->room, b->n_bytes + n, 1, "message");
    if (c->status != COLA_OK) return NULL;
    b->n_bytes += n;
    return b->bytes + b->n_bytes - n;
}

/* Memory for n items in `room`, which was made large enough beforehand: pointers into it must not move. */
static void *take(struct coder *c, size_t n, size_t size)
{
    struct cola_buffer *b = c->buffer;
    size_t first = (b->n_bytes + 7) & ~(size_t)7;
    assert(first <= b->room && n <= (b->room - first) / size);
    b->n_bytes = first + n * size;
    return b->bytes + first;
}

static void code_uint(struct coder *c, uint64_t *value, size_t n_bytes)
{
    uint8_t *p = advance(c, n_bytes);
    if (!p) return;
    uint64_t sum = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        if (c->reading)
            sum |= (uint64_t)p[i] << 8 * i;
        else
            p[i] = (uint8_t)(*value >> 8 * i);
    }
    if (c->reading) *value = sum;
}

static void code_u8(struct coder *c, uint8_t *value)
{
    uint64_t wide = *value;
    code_uint(c, &wide, 1);
    *value = (uint8_t)wide;
}

static void code_u32(struct coder *c, uint32_t *value)
{
    uint64_t wide = *value;
    code_uint(c, &wide, 4);
    *value = (uint32_t)wide;
}

static void code_f64(struct coder *c, double *value)
{
    uint64_t bits;
    memcpy(&bits, value, sizeof bits);
    code_uint(c, &bits, 8);
    memcpy(value, &bits, sizeof bits);
}

static void code_i32(struct coder *c, int32_t *value)
{
    uint32_t bits = (uint32_t)*value;
    code_u32(c, &bits);
    *value = (int32_t)bits;
}

static void code_f32(struct coder *c, float *value)
{
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    code_u32(c, &bits);
    memcpy(value, &bits, sizeof bits);
}

/* A count of items of which each takes at least item_bytes of what follows. */
static void code_count(struct coder *c, uint32_t *n, size_t item_bytes, uint32_t least)
{
    code_u32(c, n);
    if (c->reading && !stopped(c) && *n > (c->n_in - c->at) / item_bytes)
        refuse(c, "promises more items than it has bytes");
    if (*n < least) refuse(c, "has fewer items than it needs");
    if (stopped(c)) *n = 0;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays travel as they lie in memory");

/* Count and items of two or four bytes (tokens, layers, scores). */
static void code_array(struct coder *c, const void **items, uint32_t *n, size_t size, uint32_t least)
{
    code_count(c, n, size, least);
    if (stopped(c)) return;
    uint8_t *to = c->reading ? take(c, *n, size) : NULL, *wire = advance(c, *n * size);
    if (!wire) return;
    if (*n) memcpy(c->reading ? to : wire, c->reading ? wire : (const uint8_t *)*items, *n * size);
    if (c->reading) *items = to;
}

static void code_tokens(struct coder *c, const int32_t **token, uint32_t *n, uint32_t least)
{
    const void *items = *token;
    code_array(c, &items, n, sizeof **token, least);
    *token = items;
}

/* A NUL-terminated text of less than `room` bytes, cut when it is written if it is longer. */
static void code_text(struct coder *c, char *text, size_t room)
{
    uint32_t n = c->reading ? 0 : (uint32_t)strnlen(text, room - 1);
    code_count(c, &n, 1, 0);
    if (n >= room) refuse(c, "has a text that is too long");
    uint8_t *p = advance(c, n);
    if (!p) return;
    if (!c->reading) {
        memcpy(p, text, n);
        return;
    }
    if (memchr(p, 0, n)) refuse(c, "has a text with a zero byte");
    memcpy(text, p, n);
    text[n] = '\0';
}

static void code_start(struct coder *c, struct cola_start *m)
{
    code_u32(c, &m->n_samples);
    code_uint(c, &m->sharing_key, 8);
    code_u32(c, &m->most.sample);
    code_u32(c, &m->most.n_layers);
    code_u32(c, &m->most.n_rows);
    code_u32(c, &m->most.n_answer_tokens);
}

static void code_hello(struct coder *c, struct cola_hello *m)
{
    code_text(c, m->program, sizeof m->program);
    code_text(c, m->backend, sizeof m->backend);
    code_text(c, m->device, sizeof m->device);
    code_text(c, m->host, sizeof m->host);
    code_text(c, m->node, sizeof m->node);
    code_text(c, m->model_fingerprint, sizeof m->model_fingerprint);
    code_text(c, m->numerics_id, sizeof m->numerics_id);
    code_u32(c, &m->n_layers);
    code_u32(c, &m->n_vocab);
    code_u32(c, &m->max_positions);
    code_u32(c, &m->credit);
    code_u32(c, &m->n_threads);
    code_u32(c, &m->n_sharing);
    code_u32(c, &m->packs_weights);
    code_uint(c, &m->weight_bytes, 8);
    code_uint(c, &m->memory_bytes, 8);
    code_uint(c, &m->batch_bytes, 8);
    code_uint(c, &m->state_bytes, 8);
    code_u32(c, &m->pid);
    code_f32(c, &m->load_s);
    if (m->n_layers < 1 || m->n_layers > COLA_LAYERS_MAX) refuse(c, "has an impossible number of layers");
    if (m->credit < 1) refuse(c, "offers no credit");
    if (m->n_sharing < 1 || m->packs_weights > 1) refuse(c, "has impossible weights");
}

/* Gold and the candidates' bytes stay with the master. */
static void code_sample(struct coder *c, struct cola_sample *m)
{
    uint8_t rule = (uint8_t)m->rule;
    code_u32(c, &m->index);
    code_u8(c, &rule);
    if (rule >= COLA_N_SCORE_RULES) refuse(c, "has an unknown score rule");
    code_tokens(c, &m->prompt, &m->n_prompt_tokens, 1);
    code_count(c, &m->n_candidates, 8, 0); /* each a count and at least one token */
    struct cola_tokens *candidate = NULL;
    if (c->reading && !stopped(c)) candidate = take(c, m->n_candidates, sizeof *candidate);
    for (uint32_t i = 0; i < m->n_candidates && !stopped(c); i++) {
        struct cola_tokens one = c->reading ? (struct cola_tokens){0} : m->candidate[i];
        code_tokens(c, &one.token, &one.n_tokens, 1);
        if (candidate) candidate[i] = one;
    }
    code_u32(c, &m->max_new_tokens);
    code_tokens(c, &m->stop_token, &m->n_stop_tokens, 0);
    if (!c->reading || stopped(c)) return;
    m->rule = (enum cola_score_rule)rule;
    m->candidate = candidate;
    m->candidate_bytes = NULL;
    m->gold = -1;
}

static void code_request(struct coder *c, struct cola_request_message *m)
{
    code_uint(c, &m->id, 8);
    code_u32(c, &m->sample);
    const void *layer = m->chain.layer;
    code_array(c, &layer, &m->chain.n_layers, sizeof *m->chain.layer, 1);
    m->chain.layer = layer;
}

static void code_result(struct coder *c, struct cola_result *m)
{
    code_uint(c, &m->id, 8);
    code_u8(c, &m->outcome);
    if (m->outcome > COLA_OUTCOME_UNKNOWN) refuse(c, "has an unknown outcome");
    const void *score = m->score;
    code_array(c, &score, &m->n_scores, sizeof *m->score, 0);
    m->score = score;
    code_tokens(c, &m->token, &m->n_tokens, 0);
    if (m->n_tokens == 0) m->token = NULL;
    code_f32(c, &m->logsumexp);
    code_i32(c, &m->argmax);
    code_u32(c, &m->cost.layers_asked);
    code_u32(c, &m->cost.layers_executed);
    code_uint(c, &m->cost.row_layers, 8);
    code_f32(c, &m->cost.seconds);
}

static void code_figures(struct coder *c, struct cola_message *m)
{
    code_f64(c, &m->busy_s);
    if (!(m->busy_s >= 0 && m->busy_s < 1e12)) refuse(c, "has an impossible time");
    code_uint(c, &m->memory_bytes, 8);
    code_uint(c, &m->state_bytes, 8);
}

static void code_error(struct coder *c, struct cola_error_message *m)
{
    uint64_t sample = (uint64_t)m->sample;
    code_u8(c, &m->status);
    if (m->status == COLA_OK || m->status > COLA_ERR_STOPPED) refuse(c, "has an unknown status");
    code_uint(c, &sample, 8);
    m->sample = (int64_t)sample;
    code_text(c, m->text, sizeof m->text);
}

static void code_body(struct coder *c, struct cola_message *m)
{
    switch (m->kind) {
    case COLA_MESSAGE_START: code_start(c, &m->start); break;
    case COLA_MESSAGE_HELLO: code_hello(c, &m->hello); break;
    case COLA_MESSAGE_SAMPLE: code_sample(c, &m->sample); break;
    case COLA_MESSAGE_REQUEST: code_request(c, &m->request); break;
    case COLA_MESSAGE_RESULT:
        code_result(c, &m->result);
        code_figures(c, m);
        break;
    case COLA_MESSAGE_FORGET: code_u32(c, &m->forget); break;
    case COLA_MESSAGE_SHUTDOWN: code_u8(c, &m->shutdown); break;
    case COLA_MESSAGE_ERROR: code_error(c, &m->error); break;
    default: refuse(c, "is of an unknown kind");
    }
}

const char *cola_message_name(unsigned kind)
{
    static const char *const name[] = {"unknown", "START",  "HELLO",    "SAMPLE", "REQUEST",
                                       "RESULT",  "FORGET", "SHUTDOWN", "ERROR"};
    return name[kind < sizeof name / sizeof *name ? kind : 0];
}

void cola_buffer_fini(struct cola_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct cola_buffer){0};
}

static enum cola_status verdict(const struct coder *c, unsigned kind)
{
    if (c->status != COLA_OK) return c->status;
    if (c->problem)
        return cola_fail(COLA_ERR_INPUT, "message %s (kind %u, %zu bytes): %s", cola_message_name(kind), kind,
                         c->reading ? c->n_in : c->buffer->n_bytes, c->problem);
    return COLA_OK;
}

enum cola_status cola_message_append(const struct cola_message *message, struct cola_buffer *out)
{
    struct coder c = {.buffer = out};
    struct cola_message copy = *message; /* shallow: the coder's fields are pointers to mutable ones */
    uint64_t magic = MAGIC, version = COLA_PROTOCOL_VERSION, kind = message->kind, n_body = 0;
    size_t start = out->n_bytes;
    code_uint(&c, &magic, 4);
    code_uint(&c, &version, 2);
    code_uint(&c, &kind, 2);
    code_uint(&c, &n_body, 4);
    code_body(&c, &copy);
    enum cola_status status = verdict(&c, message->kind);
    if (status == COLA_OK && (n_body = out->n_bytes - start - HEADER_BYTES) > UINT32_MAX)
        status = cola_fail(COLA_ERR_INPUT, "message %s: %llu bytes are more than a message holds",
                           cola_message_name(message->kind), (unsigned long long)n_body);
    if (status != COLA_OK) {
        out->n_bytes = start;
        return status;
    }
    for (size_t i = 0; i < 4; i++) out->bytes[start + 8 + i] = (uint8_t)(n_body >> 8 * i);
    return COLA_OK;
}

enum cola_status cola_message_pack(const struct cola_message *message, struct cola_buffer *out)
{
    out->n_bytes = 0;
    return cola_message_append(message, out);
}

size_t cola_message_bytes(const uint8_t *bytes, size_t n_bytes)
{
    if (n_bytes < HEADER_BYTES) return n_bytes;
    uint64_t n = HEADER_BYTES;
    for (size_t i = 0; i < 4; i++) n += (uint64_t)bytes[8 + i] << 8 * i;
    return n < n_bytes ? (size_t)n : n_bytes;
}

enum cola_status cola_message_unpack(const uint8_t *bytes, size_t n_bytes, struct cola_buffer *room,
                                     struct cola_message *out)
{
    struct coder c = {.reading = true, .in = bytes, .n_in = n_bytes, .buffer = room};
    uint64_t magic = 0, version = 0, kind = 0, n_body = 0;
    code_uint(&c, &magic, 4);
    code_uint(&c, &version, 2);
    code_uint(&c, &kind, 2);
    code_uint(&c, &n_body, 4);
    if (!c.problem && magic != MAGIC) refuse(&c, "does not begin with COLA");
    if (!c.problem && version != COLA_PROTOCOL_VERSION)
        return cola_fail(COLA_ERR_MISMATCH,
                         "protocol version %u, this program speaks %d: run one build of "
                         "cola on all ranks",
                         (unsigned)version, COLA_PROTOCOL_VERSION);
    if (!c.problem && n_body != n_bytes - HEADER_BYTES) refuse(&c, "is not as long as it says");
    COLA_TRY(verdict(&c, (unsigned)kind));
    /* An item takes at most three times its bytes on the wire: a candidate of one token has 4 + 4 there, and
     * 16 for its struct + 8 for its aligned token here. */
    room->n_bytes = 0;
    struct cola_message m = {.kind = (enum cola_message_kind)kind};
    COLA_TRY(cola_grow((void **)&room->bytes, &room->room, 4 * n_bytes + 256, 1, "message"));
    code_body(&c, &m);
    if (!c.problem && c.at != n_bytes) refuse(&c, "has bytes left over");
    COLA_TRY(verdict(&c, (unsigned)kind));
    *out = m;
    return COLA_OK;
}

/* journal_record.c - the bytes of one journal record, packed field by field; docs/format-journal.md is the
 * contract. Touches no file. */
#include "record/journal_record.h"

#include <zlib.h>

static uint32_t crc_of(const uint8_t *byte, size_t n)
{
    return (uint32_t)crc32(0, byte, (uInt)n);
}

static void pack_chain(struct cola_pack *pack, uint32_t sample, const struct cola_chain *chain)
{
    cola_pack_uint(pack, sample, 4);
    cola_pack_uint(pack, chain->n_layers, 4);
    cola_pack_items(pack, chain->layer, chain->n_layers, sizeof *chain->layer);
}

static void pack_result(struct cola_pack *pack, const struct cola_result *result, bool old)
{
    cola_pack_uint(pack, result->outcome, 1);
    cola_pack_uint(pack, result->n_scores, 4);
    cola_pack_items(pack, result->score, result->n_scores, sizeof *result->score);
    cola_pack_uint(pack, result->n_tokens, 4);
    cola_pack_items(pack, result->token, result->n_tokens, sizeof *result->token);
    cola_pack_f32(pack, result->logsumexp);
    cola_pack_uint(pack, (uint32_t)result->argmax, 4);
    cola_pack_uint(pack, result->cost.layers_asked, 4);
    cola_pack_uint(pack, result->cost.layers_executed, 4);
    cola_pack_f32(pack, result->cost.seconds);
    if (!old) cola_pack_uint(pack, result->cost.row_layers, 8);
}

static void pack_session(struct cola_pack *pack, const struct cola_journal_record *record)
{
    cola_pack_uint(pack, record->first_sample, 4);
    cola_pack_uint(pack, record->n_samples, 4);
    cola_pack_uint(pack, record->fields.n, 4);
    for (size_t i = 0; i < record->fields.n; i++) {
        cola_pack_uint(pack, record->fields.item[i].role, 1);
        cola_pack_text(pack, record->fields.item[i].key);
        cola_pack_text(pack, record->fields.item[i].value);
    }
}

static void put_u32(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) to[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

enum cola_status cola_journal_pack(const struct cola_journal_record *record, struct cola_pack *pack)
{
    pack->n = 0;
    return cola_journal_pack_behind(record, pack);
}

enum cola_status cola_journal_pack_behind(const struct cola_journal_record *record, struct cola_pack *pack)
{
    size_t start = pack->n;
    pack->failed = false;
    for (int i = 0; i < COLA_FRAME_BYTES; i++) cola_pack_uint(pack, 0, 1);
    cola_pack_uint(pack, record->kind, 1);
    cola_pack_uint(pack, record->sequence, 8);
    switch (record->kind) {
    case COLA_JOURNAL_SESSION: pack_session(pack, record); break;
    case COLA_JOURNAL_STARTED: pack_chain(pack, record->sample, &record->chain); break;
    case COLA_JOURNAL_EVALUATED:
        pack_chain(pack, record->sample, &record->chain);
        pack_result(pack, &record->result, record->old);
        break;
    case COLA_JOURNAL_FINISHED:
        cola_pack_uint(pack, record->sample, 4);
        cola_pack_uint(pack, record->n_simulations, 4);
        break;
    case COLA_JOURNAL_ENDED: break;
    case COLA_JOURNAL_COMMITTED: cola_pack_uint(pack, record->n_committed, 8); break;
    }
    size_t n = pack->n - start - COLA_FRAME_BYTES;
    bool failed = pack->failed;
    if (failed || n > COLA_RECORD_BYTES) pack->n = start;
    if (failed) return cola_fail(COLA_ERR_MEMORY, "journal: out of memory for a record");
    if (n > COLA_RECORD_BYTES)
        return cola_fail(COLA_ERR_INPUT, "journal: a record of %zu bytes, at most %d allowed", n,
                         COLA_RECORD_BYTES);
    uint8_t *frame = pack->byte + start;
    put_u32(frame, (uint32_t)n);
    put_u32(frame + 4, crc_of(frame, 4));
    put_u32(frame + 8, crc_of(frame + COLA_FRAME_BYTES, n));
    return COLA_OK;
}

uint32_t cola_journal_frame_length(const uint8_t frame[COLA_FRAME_BYTES])
{
    uint32_t n = get_u32(frame);
    return n <= COLA_RECORD_BYTES && get_u32(frame + 4) == crc_of(frame, 4) ? n : 0;
}

bool cola_journal_payload_ok(const uint8_t frame[COLA_FRAME_BYTES], const uint8_t *payload, uint32_t n_bytes)
{
    return get_u32(frame + 8) == crc_of(payload, n_bytes);
}

static enum cola_status unpack_chain(struct cola_unpack *unpack, struct cola_journal_arrays *arrays,
                                     struct cola_journal_record *out)
{
    out->sample = (uint32_t)cola_unpack_uint(unpack, 4);
    uint32_t n = cola_unpack_count(unpack, 2);
    if (n == 0 || n > COLA_CHAIN_MAX(COLA_LAYERS_MAX)) unpack->bad = true;
    if (unpack->bad) return COLA_OK;
    COLA_TRY(cola_grow((void **)&arrays->layer, &arrays->layer_room, n, sizeof *arrays->layer, "journal"));
    for (uint32_t i = 0; i < n; i++) arrays->layer[i] = (cola_layer)cola_unpack_uint(unpack, 2);
    out->chain = (struct cola_chain){arrays->layer, n};
    return COLA_OK;
}

/* The last part of its record: one that ends before row_layers is of an older version. */
static enum cola_status unpack_result(struct cola_unpack *unpack, struct cola_journal_arrays *arrays,
                                      struct cola_result *out, bool *old)
{
    out->outcome = (uint8_t)cola_unpack_uint(unpack, 1);
    if (out->outcome > COLA_OUTCOME_CRASHED) unpack->bad = true;
    out->n_scores = cola_unpack_count(unpack, 4);
    COLA_TRY(
        cola_grow((void **)&arrays->score, &arrays->score_room, out->n_scores, sizeof(float), "journal"));
    for (uint32_t i = 0; i < out->n_scores; i++) arrays->score[i] = cola_unpack_f32(unpack);
    out->n_tokens = cola_unpack_count(unpack, 4);
    COLA_TRY(
        cola_grow((void **)&arrays->token, &arrays->token_room, out->n_tokens, sizeof(int32_t), "journal"));
    for (uint32_t i = 0; i < out->n_tokens; i++) arrays->token[i] = (int32_t)cola_unpack_uint(unpack, 4);
    out->score = arrays->score;
    out->token = out->n_tokens ? arrays->token : NULL;
    out->logsumexp = cola_unpack_f32(unpack);
    out->argmax = (int32_t)cola_unpack_uint(unpack, 4);
    out->cost.layers_asked = (uint32_t)cola_unpack_uint(unpack, 4);
    out->cost.layers_executed = (uint32_t)cola_unpack_uint(unpack, 4);
    out->cost.seconds = cola_unpack_f32(unpack);
    *old = unpack->at == unpack->n;
    out->cost.row_layers = *old ? 0 : cola_unpack_uint(unpack, 8);
    return COLA_OK;
}

static enum cola_status unpack_text(struct cola_unpack *unpack, char **out)
{
    uint32_t n = cola_unpack_count(unpack, 1);
    char *text = NULL;
    COLA_TRY(cola_alloc((void **)&text, (size_t)n + 1, 1, "journal"));
    if (n) memcpy(text, unpack->byte + unpack->at, n);
    unpack->at += n;
    *out = text;
    return COLA_OK;
}

static enum cola_status unpack_field(struct cola_unpack *unpack, struct cola_fields *fields)
{
    char *key = NULL, *value = NULL;
    enum cola_status status = COLA_OK;
    uint64_t role = cola_unpack_uint(unpack, 1);
    if (role > COLA_FIELD_PROVENANCE) unpack->bad = true;
    COLA_TRY_DONE(unpack_text(unpack, &key));
    COLA_TRY_DONE(unpack_text(unpack, &value));
    if (!unpack->bad) COLA_TRY_DONE(cola_fields_add(fields, key, value, (enum cola_field_role)role));
done:
    free(key);
    free(value);
    return status;
}

static enum cola_status unpack_body(struct cola_unpack *unpack, struct cola_journal_arrays *arrays,
                                    struct cola_journal_record *out)
{
    switch (out->kind) {
    case COLA_JOURNAL_SESSION: {
        out->first_sample = (uint32_t)cola_unpack_uint(unpack, 4);
        out->n_samples = (uint32_t)cola_unpack_uint(unpack, 4);
        uint32_t n = cola_unpack_count(unpack, 9); /* role and two lengths */
        for (uint32_t i = 0; i < n && !unpack->bad; i++) COLA_TRY(unpack_field(unpack, &out->fields));
        return COLA_OK;
    }
    case COLA_JOURNAL_STARTED: return unpack_chain(unpack, arrays, out);
    case COLA_JOURNAL_EVALUATED:
        COLA_TRY(unpack_chain(unpack, arrays, out));
        return unpack_result(unpack, arrays, &out->result, &out->old);
    case COLA_JOURNAL_FINISHED:
        out->sample = (uint32_t)cola_unpack_uint(unpack, 4);
        out->n_simulations = (uint32_t)cola_unpack_uint(unpack, 4);
        return COLA_OK;
    case COLA_JOURNAL_ENDED: return COLA_OK;
    case COLA_JOURNAL_COMMITTED: out->n_committed = cola_unpack_uint(unpack, 8); return COLA_OK;
    }
    unpack->bad = true; /* another kind */
    return COLA_OK;
}

enum cola_status cola_journal_unpack(const uint8_t *payload, uint32_t n_bytes,
                                     struct cola_journal_arrays *arrays, struct cola_journal_record *out)
{
    struct cola_unpack unpack = {.byte = payload, .n = n_bytes};
    struct cola_journal_record record = {0};
    record.kind = (enum cola_journal_kind)cola_unpack_uint(&unpack, 1);
    record.sequence = cola_unpack_uint(&unpack, 8);
    enum cola_status status = unpack_body(&unpack, arrays, &record);
    if (status == COLA_OK && (unpack.bad || unpack.at != unpack.n))
        status = cola_fail(COLA_ERR_INPUT, "a record of kind %d has the wrong length or content",
                           (int)record.kind);
    if (status != COLA_OK) {
        cola_fields_fini(&record.fields);
        return status;
    }
    *out = record;
    return COLA_OK;
}

void cola_journal_arrays_fini(struct cola_journal_arrays *arrays)
{
    free(arrays->layer);
    free(arrays->score);
    free(arrays->token);
    *arrays = (struct cola_journal_arrays){0};
}

/* journal_record.h - one journal record to and from its bytes; between journal.c (files) and
 * journal_record.c. */
#ifndef COLA_RECORD_JOURNAL_RECORD_H
#define COLA_RECORD_JOURNAL_RECORD_H

#include "record/journal.h"
#include "record/pack.h"

/* frame: payload length (u32), CRC-32 of that length (u32), CRC-32 of the payload (u32), payload */
enum { COLA_FRAME_BYTES = 12, COLA_RECORD_BYTES = 1 << 24 };

/* Frame and payload into *pack (emptied first). COLA_ERR_INPUT: larger than COLA_RECORD_BYTES. */
enum cola_status cola_journal_pack(const struct cola_journal_record *record, struct cola_pack *pack);

/* The same behind what *pack holds. */
enum cola_status cola_journal_pack_behind(const struct cola_journal_record *record, struct cola_pack *pack);

/* The payload length if these 12 bytes are a whole frame with a right check, else 0. */
uint32_t cola_journal_frame_length(const uint8_t frame[COLA_FRAME_BYTES]);
bool cola_journal_payload_ok(const uint8_t frame[COLA_FRAME_BYTES], const uint8_t *payload, uint32_t n_bytes);

/* A checked payload to a record whose arrays lie in *arrays (grown, reused) and whose fields are the caller's
 * to cola_fields_fini. COLA_ERR_INPUT: the checksum is right but the content is not a record. */
struct cola_journal_arrays {
    cola_layer *layer;
    float *score;
    int32_t *token;
    size_t layer_room, score_room, token_room;
};
enum cola_status cola_journal_unpack(const uint8_t *payload, uint32_t n_bytes,
                                     struct cola_journal_arrays *arrays, struct cola_journal_record *out);
void cola_journal_arrays_fini(struct cola_journal_arrays *arrays);

#endif

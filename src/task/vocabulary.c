/* vocabulary.c - token ids back to bytes, for graders. The vocabulary's bytes are final (byte-level BPE is
 * undone when tasks.h5 is written), so decoding is concatenation. Knows no tokenizer and no file. */
#include <stdlib.h>
#include <string.h>

#include "cola/grade.h"
#include "cola/memory.h"

static bool is_stop(int32_t token, const int32_t *stop, uint32_t n_stop)
{
    for (uint32_t i = 0; i < n_stop; i++)
        if (stop[i] == token) return true;
    return false;
}

enum cola_status cola_vocabulary_decode(const struct cola_vocabulary *vocabulary, const int32_t *token,
                                        uint32_t n_tokens, const int32_t *stop, uint32_t n_stop,
                                        struct cola_text *out)
{
    uint64_t n_bytes = 0, n = 0;
    char *bytes;
    for (; n < n_tokens && !is_stop(token[n], stop, n_stop); n++) {
        if (token[n] < 0 || (uint32_t)token[n] >= vocabulary->n_tokens)
            return cola_fail(COLA_ERR_INPUT, "generated token %d is not in the vocabulary of %u tokens",
                             token[n], (unsigned)vocabulary->n_tokens);
        n_bytes += vocabulary->offsets[token[n] + 1] - vocabulary->offsets[token[n]];
    }
    COLA_TRY(cola_alloc((void **)&bytes, n_bytes + 1, 1, "decoded answer"));
    uint64_t at = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t first = vocabulary->offsets[token[i]], length = vocabulary->offsets[token[i] + 1] - first;
        memcpy(bytes + at, vocabulary->values + first, length);
        at += length;
    }
    *out = (struct cola_text){bytes, n_bytes};
    return COLA_OK;
}

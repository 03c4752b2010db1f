/* fuzz_message.c - any bytes as a message: refused, or a message that packs into the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cola_buffer room = {0}, again = {0};
    struct cola_message message;
    if (cola_message_unpack(data, size, &room, &message) == COLA_OK) {
        if (cola_message_pack(&message, &again) != COLA_OK || again.n_bytes != size ||
            memcmp(again.bytes, data, size) != 0)
            abort();
    }
    cola_buffer_fini(&room);
    cola_buffer_fini(&again);
    return 0;
}

/* show_text.c - bytes from a file as text that neither breaks a terminal nor JSON: what is not UTF-8 becomes
 * \xNN. */
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"

/* Length of the well-formed UTF-8 sequence at byte[0..n), 0 if there is none (Unicode 15, table 3-7). */
static size_t sequence_length(const unsigned char *byte, size_t n)
{
    unsigned low = 0x80, high = 0xBF;
    size_t length;
    if (byte[0] < 0x80) return 1;
    if (byte[0] < 0xC2 || byte[0] > 0xF4) return 0;
    length = byte[0] < 0xE0 ? 2 : byte[0] < 0xF0 ? 3 : 4;
    if (byte[0] == 0xE0) low = 0xA0;  /* shorter forms exist */
    if (byte[0] == 0xED) high = 0x9F; /* surrogates */
    if (byte[0] == 0xF0) low = 0x90;
    if (byte[0] == 0xF4) high = 0x8F; /* beyond U+10FFFF */
    if (n < length || byte[1] < low || byte[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if (byte[i] < 0x80 || byte[i] > 0xBF) return 0;
    return length;
}

static bool is_control(const unsigned char *byte, size_t length)
{
    return (length == 1 && (byte[0] < 0x20 || byte[0] == 0x7F)) ||
           (length == 2 && byte[0] == 0xC2 && byte[1] < 0xA0);
}

char *cola_show_text(struct cola_text text, bool for_terminal)
{
    const unsigned char *byte = (const unsigned char *)text.bytes;
    size_t n = (size_t)text.n_bytes, at = 0, used = 0;
    if (n > (SIZE_MAX - 1) / 4) return NULL;
    char *out = malloc(4 * n + 1); /* \xNN a byte at most */
    while (out && at < n) {
        size_t length = sequence_length(byte + at, n - at);
        bool escape = length == 0 || (for_terminal && is_control(byte + at, length));
        if (escape && length == 1 && (byte[at] == '\n' || byte[at] == '\t' || byte[at] == '\r'))
            out[used++] = ' ';
        else if (escape)
            for (size_t i = 0; i < (length ? length : 1); i++)
                used += (size_t)snprintf(out + used, 5, "\\x%02X", byte[at + i]);
        else
            for (size_t i = 0; i < length; i++) out[used++] = (char)byte[at + i];
        at += length ? length : 1;
    }
    if (out) out[used] = '\0';
    return out;
}

char *cola_show_chain(const struct cola_chain *chain)
{
    size_t n = cola_chain_print(chain, NULL, 0);
    char *out = malloc(n + 1);
    if (out) cola_chain_print(chain, out, n + 1);
    return out;
}

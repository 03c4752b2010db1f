/* fuzz_chain.c - libFuzzer target for chain text and edits.
 *
 * Input: one byte L - 1, then text up to a NUL, then edits of 5 bytes each. Text that parses must be a valid
 * chain whose print reads back equal; then every edit is applied that fits, and the same must hold of the
 * child. Anything else traps. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/chain.h"

enum { MODEL_LAYERS_MAX = 256, ROOM = 4 * MODEL_LAYERS_MAX };

static void require(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "fuzz_chain: %s does not hold (%s)\n", what, cola_error_text());
    abort();
}

static void check_round_trip(const struct cola_chain *chain, uint32_t L)
{
    cola_layer room[ROOM];
    struct cola_chain again;
    require(cola_chain_check(chain, L) == COLA_OK, "validity");
    size_t n = cola_chain_print(chain, NULL, 0);
    char *text = malloc(n + 1); /* exact, so that a byte too many is seen */
    require(text != NULL, "memory");
    require(cola_chain_print(chain, text, n + 1) == n, "one length");
    require(strlen(text) == n, "NUL at the length");
    require(cola_chain_parse(text, L, room, COLA_CHAIN_MAX(L), &again) == COLA_OK, "parse of print");
    require(cola_chain_equal(chain, &again), "parse(print(c)) = c");
    require(cola_chain_hash(chain) == cola_chain_hash(&again), "equal hashes");
    free(text);
}

static void apply_edits(struct cola_chain chain, uint32_t L, const uint8_t *data, size_t size)
{
    cola_layer room[2][ROOM];
    int turn = 0;
    for (; size >= 5; data += 5, size -= 5) {
        struct cola_edit edit = {.kind = data[0] & 3,
                                 .block = data[1],
                                 .times = data[2],
                                 .position = (uint16_t)(data[3] | data[4] << 8)};
        uint32_t least = data[0] & 4 ? L : 1, most = data[0] & 8 ? L : 4 * L;
        struct cola_chain child;
        char words[64];
        require(cola_edit_print(&edit, words, sizeof words) < sizeof words, "short words");
        if (!cola_chain_edit(&chain, &edit, L, least, most, room[turn], &child)) continue;
        require(child.n_layers >= least && child.n_layers <= most, "bounds");
        require(!cola_chain_equal(&chain, &child), "a child that differs");
        check_round_trip(&child, L);
        chain = child;
        turn ^= 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    uint32_t L = data[0] + 1u;
    const uint8_t *nul = memchr(data + 1, 0, size - 1);
    size_t n_text = nul ? (size_t)(nul - data - 1) : size - 1;
    char *text = malloc(n_text + 1);
    require(text != NULL, "memory");
    memcpy(text, data + 1, n_text);
    text[n_text] = '\0';
    cola_layer room[ROOM];
    struct cola_chain chain;
    if (cola_chain_parse(text, L, room, COLA_CHAIN_MAX(L), &chain) == COLA_OK) {
        check_round_trip(&chain, L);
        if (nul) apply_edits(chain, L, nul + 1, size - n_text - 2);
    } else {
        require(strlen(cola_error_text()) > 0, "words for a refusal");
    }
    free(text);
    return 0;
}

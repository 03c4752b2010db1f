/* edits_permutation.c - numbering of a chain's edits, and the keyed bijection over the numbers (edits.h).
 *
 * The bijection is a Feistel network with cycle walking (Black and Rogaway, "Ciphers with arbitrary finite
 * domains", CT-RSA 2002): a network over 2 h bits permutes 0 .. 4^h - 1; an image outside 0 .. n-1 is mapped
 * again until it falls inside, which again is a bijection and takes under 4 steps on average, since h is the
 * smallest with 4^h >= n. The rounds' functions are Philox blocks, so nothing new needs to be trusted. */
#include "search/edits.h"

#include <assert.h>

#include "cola/random.h"

/* Measured over keys (chi-square, the first two elements of 4 .. 24): 4 rounds are off by up to 164 standard
 * deviations and 6 by 11, since the halves are of 1 to 3 bits; 8 by at most 4, 10 by at most 2.5. */
enum { N_ROUNDS = 10 };

/* Edits that act on the same number of entries and change the length alike: one a position. */
static uint32_t n_positions(const struct cola_edit_space *space, uint32_t n_layers, uint32_t block,
                            uint32_t times)
{
    if (block > n_layers) return 0;
    uint32_t child = times ? n_layers + block * times : n_layers - block;
    return child >= space->min_layers && child <= space->max_layers && child > 0 ? n_layers - block + 1 : 0;
}

/* Walks the groups in order until `number` falls into one; returns the number of edits passed. */
static uint32_t walk(const struct cola_edit_space *space, uint32_t n_layers, uint32_t number,
                     struct cola_edit *found)
{
    uint32_t passed = 0;
    for (uint32_t block = 1; block <= space->max_skip; block++) {
        uint32_t n = n_positions(space, n_layers, block, 0);
        if (number - passed < n) {
            *found = (struct cola_edit){
                .kind = COLA_EDIT_SKIP, .block = (uint8_t)block, .position = (uint16_t)(number - passed)};
            return passed;
        }
        passed += n;
    }
    for (uint32_t block = 1; block <= space->max_block; block++)
        for (uint32_t times = 1; times <= space->max_times; times++) {
            uint32_t n = n_positions(space, n_layers, block, times);
            if (number - passed < n) {
                *found = (struct cola_edit){.kind = COLA_EDIT_REPEAT,
                                            .block = (uint8_t)block,
                                            .times = (uint8_t)times,
                                            .position = (uint16_t)(number - passed)};
                return passed;
            }
            passed += n;
        }
    return passed;
}

uint32_t cola_edits_count(const struct cola_edit_space *space, uint32_t n_layers)
{
    struct cola_edit unused;
    return walk(space, n_layers, UINT32_MAX, &unused); /* a number that no group holds: all are passed */
}

struct cola_edit cola_edits_at(const struct cola_edit_space *space, uint32_t n_layers, uint32_t number)
{
    struct cola_edit edit = {.kind = COLA_EDIT_NONE};
    walk(space, n_layers, number, &edit);
    assert(edit.kind != COLA_EDIT_NONE);
    return edit;
}

uint64_t cola_permutation_key(uint64_t seed, uint64_t sample, uint32_t node)
{
    struct cola_random r = cola_random_keyed(seed, sample, COLA_STREAM_PERMUTATION);
    r.draw = node;
    return cola_random_bits(&r);
}

/* (left, right) -> (right, left xor F(round, right)), N_ROUNDS times; F: the upper h bits of a Philox word.
 */
static uint32_t feistel(uint64_t key, uint32_t h, uint32_t x)
{
    uint32_t words[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    uint32_t left = x >> h, right = x & ((1u << h) - 1);
    for (uint32_t round = 0; round < N_ROUNDS; round++) {
        uint32_t counter[4] = {right, round, 0, 0}, out[4];
        cola_philox(counter, words, out);
        uint32_t mixed = left ^ (out[0] >> (32 - h));
        left = right;
        right = mixed;
    }
    return left << h | right;
}

uint32_t cola_permutation(uint64_t key, uint32_t n, uint32_t i)
{
    assert(i < n && n <= 1u << 30);
    uint32_t h = 1;
    while (1u << 2 * h < n) h++;
    do i = feistel(key, h, i);
    while (i >= n);
    return i;
}

/* test_chain_text.c - the text form: known texts both ways, refusals with their character, bounded work, and
 * parse(print(c)) = c on random and repetitive chains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/chain.h"
#include "cola/random.h"

enum { MOST = 4 * 40 };

static void expect_parse(const char *text, uint32_t L, const cola_layer *layer, uint32_t n)
{
    cola_layer room[MOST];
    struct cola_chain chain, expected = {.layer = layer, .n_layers = n};
    assert_int_equal(cola_chain_parse(text, L, room, MOST, &chain), COLA_OK);
    assert_true(cola_chain_equal(&chain, &expected));
}

static void parse_known_texts_expands_as_documented(void **state)
{
    (void)state;
    const cola_layer loop[] = {0,  1,  2,  3,  4,  6,  7,  8,  9,  10, 11, 12, 10, 11, 12,
                               13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27};
    expect_parse("0-4,6-9,(10-12)x2,13-27", 28, loop, sizeof loop / sizeof *loop);
    expect_parse(" 0-4 , 6-9,\t( 10-12 )x2 ,13-27 ", 28, loop, sizeof loop / sizeof *loop);
    expect_parse("0", 1, (cola_layer[]){0}, 1);
    expect_parse("(0)x4", 1, (cola_layer[]){0, 0, 0, 0}, 4);
    expect_parse("3,2,1,0", 4, (cola_layer[]){3, 2, 1, 0}, 4);
    expect_parse("2-2", 4, (cola_layer[]){2}, 1);
    expect_parse("((1)x2,0)x2,3", 4, (cola_layer[]){1, 1, 0, 1, 1, 0, 3}, 7);
    expect_parse("((((((((1)x1)x1)x1)x1)x1)x1)x1)x1", 4, (cola_layer[]){1}, 1);
}

static void print_known_chains_folds(void **state)
{
    (void)state;
    static const struct {
        const char *given, *printed;
    } known[] = {
        {"0-4,6-9,10-12,10-12,13-27", "0-4,6-9,(10-12)x2,13-27"},
        {"0,1,2,3", "0-3"},
        {"5,5,5,6", "(5)x3,6"},
        {"0,1,1,2,3,1,2,3,4", "0-1,(1-3)x2,4"},
        {"((1)x2,0)x3", "((1)x2,0)x3"},
        {"4,3,2,1", "4,3,2,1"},
        {"0-9,5-9,10", "0-4,(5-9)x2,10"},
        {"7", "7"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        cola_layer room[MOST];
        struct cola_chain chain;
        char text[256];
        assert_int_equal(cola_chain_parse(known[i].given, 28, room, MOST, &chain), COLA_OK);
        assert_int_equal(cola_chain_print(&chain, text, sizeof text), strlen(known[i].printed));
        assert_string_equal(text, known[i].printed);
    }
}

static void print_short_room_cuts_and_counts(void **state)
{
    (void)state;
    cola_layer room[MOST];
    struct cola_chain chain;
    cola_chain_parse("0-4,6-9,(10-12)x2,13-27", 28, room, MOST, &chain);
    char text[24];
    for (size_t n = 1; n < sizeof text; n++) {
        memset(text, '#', sizeof text);
        assert_int_equal(cola_chain_print(&chain, text, n), 23);
        assert_int_equal(strlen(text), n - 1);
        assert_memory_equal(text, "0-4,6-9,(10-12)x2,13-27", n - 1);
        if (n < sizeof text) assert_int_equal(text[n], '#');
    }
    assert_int_equal(cola_chain_print(&chain, NULL, 0), 23);
}

static void parse_malformed_refuses_naming_the_character(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned character;
    } bad[] = {
        {"", 1},
        {" ", 2},
        {"0,", 3},
        {",0", 1},
        {"0,,1", 3},
        {"0 1", 3},
        {"0-", 3},
        {"0 -1", 3},
        {"3-1", 1},
        {"-1", 1},
        {"8", 1},
        {"0-8", 3},
        {"0,99999999999999999999999999", 3},
        {"4294967296", 1},
        {"(0", 3},
        {"(0)", 4},
        {"(0)2", 4},
        {"(0)x", 5},
        {"(0)x0", 5},
        {"(0)x-1", 5},
        {"()x2", 2},
        {"0)", 2},
        {"0x2", 2},
        {"(0)x33", 5},
        {"(0-7)x5", 7},
        {"(0)x4294967295", 5},
        {"(0)x18446744073709551617", 5},
        {"(0-3)x1073741825", 7}, /* 4 * (passes - 1) is 2^32 */
        {"(((((((((0)x1)x1)x1)x1)x1)x1)x1)x1)x1", 9},
        {"0-7,0-7,0-7,0-7,0", 17},
        {"0\n", 2},
        {"0;1", 2},
        {"\xff", 1},
        {"a", 1},
        {"0.5", 2},
        {"+1", 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cola_layer room[MOST];
        struct cola_chain chain = {.n_layers = 12345};
        char expected[32];
        snprintf(expected, sizeof expected, "at character %u", bad[i].character);
        assert_int_equal(cola_chain_parse(bad[i].text, 8, room, MOST, &chain), COLA_ERR_INPUT);
        const char *found = strstr(cola_error_text(), expected);
        if (!found) fail_msg("'%s': \"%s\" does not say %s", bad[i].text, cola_error_text(), expected);
        assert_false(found[strlen(expected)] >= '0' && found[strlen(expected)] <= '9');
        assert_int_equal(chain.n_layers, 12345);
    }
}

static void parse_short_room_or_bad_model_refuses(void **state)
{
    (void)state;
    cola_layer room[5] = {0, 0, 0, 0, 77};
    struct cola_chain chain;
    assert_int_equal(cola_chain_parse("0-3", 8, room, 4, &chain), COLA_OK);
    assert_int_equal(cola_chain_parse("0-4", 8, room, 4, &chain), COLA_ERR_INPUT);
    assert_int_equal(cola_chain_parse("(0)x5", 8, room, 4, &chain), COLA_ERR_INPUT);
    assert_non_null(strstr(cola_error_text(), "room for 4 entries"));
    assert_int_equal(room[4], 77);
    assert_int_equal(cola_chain_parse("0", 8, room, 0, &chain), COLA_ERR_INPUT);
    assert_int_equal(cola_chain_parse("0", 0, room, 4, &chain), COLA_ERR_INPUT);
    assert_int_equal(cola_chain_parse("0", COLA_LAYERS_MAX + 1, room, 4, &chain), COLA_ERR_INPUT);
}

/* If any of these were expanded before it is measured, the test would not end. */
static void parse_nested_huge_repeats_refuses_at_once(void **state)
{
    (void)state;
    static cola_layer room[COLA_CHAIN_MAX(COLA_LAYERS_MAX)];
    struct cola_chain chain;
    const char *huge = "((((((((0)x4294967295)x4294967295)x4294967295)x4294967295)x4294967295)x4294967295)"
                       "x4294967295)x4294967295";
    assert_int_equal(cola_chain_parse(huge, COLA_LAYERS_MAX, room, sizeof room / sizeof *room, &chain),
                     COLA_ERR_INPUT);
    const char *doubling = "((((((((0)x4)x4)x4)x4)x4)x4)x4)x2";
    assert_int_equal(cola_chain_parse(doubling, COLA_LAYERS_MAX, room, sizeof room / sizeof *room, &chain),
                     COLA_ERR_INPUT);
    const char *fits = "((((((((0)x4)x4)x4)x4)x4)x4)x4)x1";
    assert_int_equal(cola_chain_parse(fits, COLA_LAYERS_MAX, room, sizeof room / sizeof *room, &chain),
                     COLA_OK);
    assert_int_equal(chain.n_layers, 16384);
}

static void expect_round_trip(const struct cola_chain *chain, uint32_t L)
{
    static char text[8 * COLA_CHAIN_MAX(COLA_LAYERS_MAX)];
    static cola_layer room[COLA_CHAIN_MAX(COLA_LAYERS_MAX)];
    struct cola_chain again;
    size_t n = cola_chain_print(chain, text, sizeof text);
    assert_true(n < sizeof text);
    assert_int_equal(strlen(text), n);
    if (cola_chain_parse(text, L, room, sizeof room / sizeof *room, &again) != COLA_OK)
        fail_msg("%s: %s", text, cola_error_text());
    if (!cola_chain_equal(chain, &again)) fail_msg("%s does not read back", text);
}

/* kind 0: uniform entries; 1: two layers only; 2: the base with many random edits; 3: one entry. */
static struct cola_chain random_chain(struct cola_random *r, uint32_t L, int kind, cola_layer rooms[2][MOST])
{
    cola_layer *room = rooms[0];
    uint32_t n = 1 + (uint32_t)cola_random_below(r, 4 * L);
    if (kind == 2) {
        struct cola_chain chain = cola_chain_base(L, room);
        for (int i = 0, turn = 1; i < 12; i++) {
            struct cola_edit edit = {.kind = (uint8_t)(1 + cola_random_below(r, 2)),
                                     .block = (uint8_t)(1 + cola_random_below(r, 6)),
                                     .position = (uint16_t)cola_random_below(r, chain.n_layers)};
            if (edit.kind == COLA_EDIT_REPEAT) edit.times = (uint8_t)(1 + cola_random_below(r, 3));
            if (cola_chain_edit(&chain, &edit, L, 1, 4 * L, rooms[turn], &chain)) turn ^= 1;
        }
        return chain;
    }
    uint32_t n_kinds = kind == 0 ? L : kind == 1 && L > 1 ? 2 : 1;
    for (uint32_t i = 0; i < n; i++) room[i] = (cola_layer)cola_random_below(r, n_kinds);
    return (struct cola_chain){.layer = room, .n_layers = n};
}

static void print_parse_random_chains_round_trips(void **state)
{
    (void)state;
    struct cola_random r = cola_random_keyed(2, 0, COLA_STREAM_SYNTHETIC);
    cola_layer rooms[2][MOST];
    for (int i = 0; i < 100000; i++) {
        uint32_t L = 1 + (uint32_t)cola_random_below(&r, i % 10 ? 12 : 40);
        struct cola_chain chain = random_chain(&r, L, i % 4, rooms);
        expect_round_trip(&chain, L);
    }
}

/* Repeats of repeats of repeats (4^7 entries, the deepest nesting that fits), Thue-Morse (no cube in it), and
 * one layer 16,384 times. */
static void print_longest_structured_chains_round_trips(void **state)
{
    (void)state;
    enum { N = 16384 };
    static cola_layer layer[N];
    struct cola_chain chain = {.layer = layer, .n_layers = N};
    expect_round_trip(&chain, COLA_LAYERS_MAX);
    for (uint32_t i = 0; i < N; i++) layer[i] = (cola_layer)__builtin_ctz(i + 1);
    expect_round_trip(&chain, COLA_LAYERS_MAX);
    for (uint32_t i = 0; i < N; i++) layer[i] = (cola_layer)(__builtin_popcount(i) & 1);
    expect_round_trip(&chain, COLA_LAYERS_MAX);
    /* squares nested 13 deep, each level doubled and followed by its own layer: folds beyond 8 stay plain */
    uint32_t n = 1;
    layer[0] = 0;
    for (cola_layer level = 1; level < 13; level++) {
        memcpy(layer + n, layer, n * sizeof *layer);
        n *= 2;
        layer[n++] = level;
    }
    chain.n_layers = n;
    expect_round_trip(&chain, COLA_LAYERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_known_texts_expands_as_documented),
        cmocka_unit_test(print_known_chains_folds),
        cmocka_unit_test(print_short_room_cuts_and_counts),
        cmocka_unit_test(parse_malformed_refuses_naming_the_character),
        cmocka_unit_test(parse_short_room_or_bad_model_refuses),
        cmocka_unit_test(parse_nested_huge_repeats_refuses_at_once),
        cmocka_unit_test(print_parse_random_chains_round_trips),
        cmocka_unit_test(print_longest_structured_chains_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

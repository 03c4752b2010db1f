/* test_chain.c - validity, base, equality and hash; every edit of random chains gives a valid chain or is
 * refused, judged by an independent application of the edit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cola/chain.h"
#include "cola/random.h"

enum { MOST = 4 * 40 };

static void check_valid_chain_accepts_and_names_wrong_entry(void **state)
{
    (void)state;
    cola_layer layer[9] = {0, 1, 1, 0};
    struct cola_chain chain = {.layer = layer, .n_layers = 4};
    assert_int_equal(cola_chain_check(&chain, 2), COLA_OK);
    layer[2] = 2;
    assert_int_equal(cola_chain_check(&chain, 2), COLA_ERR_INPUT);
    assert_non_null(strstr(cola_error_text(), "entry 2 is layer 2"));
    layer[2] = 1;
    chain.n_layers = 8;
    assert_int_equal(cola_chain_check(&chain, 2), COLA_OK);
    chain.n_layers = 9;
    assert_int_equal(cola_chain_check(&chain, 2), COLA_ERR_INPUT);
    chain.n_layers = 0;
    assert_int_equal(cola_chain_check(&chain, 2), COLA_ERR_INPUT);
    chain.n_layers = 4;
    assert_int_equal(cola_chain_check(&chain, 0), COLA_ERR_INPUT);
    assert_int_equal(cola_chain_check(&chain, COLA_LAYERS_MAX + 1), COLA_ERR_INPUT);
}

static void base_equal_hash_follow_content(void **state)
{
    (void)state;
    cola_layer room[30], other[31];
    struct cola_chain base = cola_chain_base(30, room), same = cola_chain_base(30, other);
    for (uint32_t i = 0; i < 30; i++) assert_int_equal(base.layer[i], i);
    assert_int_equal(base.n_layers, 30);
    assert_true(cola_chain_equal(&base, &same));
    assert_true(cola_chain_hash(&base) == cola_chain_hash(&same));
    other[29] = 28;
    assert_false(cola_chain_equal(&base, &same));
    assert_true(cola_chain_hash(&base) != cola_chain_hash(&same));
    same.n_layers = 29;
    assert_false(cola_chain_equal(&base, &same));
}

/* The definition, entry by entry: a skip leaves out the block, a repeat visits it times + 1 times. */
static uint32_t apply_slowly(const struct cola_chain *parent, const struct cola_edit *edit, cola_layer *out)
{
    uint32_t n = 0, end = edit->position + edit->block;
    for (uint32_t i = 0; i < parent->n_layers; i++) {
        if (edit->kind == COLA_EDIT_SKIP && i >= edit->position && i < end) continue;
        out[n++] = parent->layer[i];
        if (edit->kind != COLA_EDIT_REPEAT || i + 1 != end) continue;
        for (uint32_t t = 0; t < edit->times; t++)
            for (uint32_t j = edit->position; j < end; j++) out[n++] = parent->layer[j];
    }
    return n;
}

static struct cola_edit random_edit(struct cola_random *r, uint32_t n_layers)
{
    struct cola_edit edit = {.kind = (uint8_t)(1 + cola_random_below(r, 2)),
                             .block = (uint8_t)cola_random_below(r, 7),
                             .position = (uint16_t)cola_random_below(r, n_layers + 3)};
    if (edit.kind == COLA_EDIT_REPEAT) edit.times = (uint8_t)cola_random_below(r, 6);
    return edit;
}

/* Whether the edit must be accepted, from the contract. */
static bool expect_fit(const struct cola_chain *parent, const struct cola_edit *edit, uint32_t L,
                       uint32_t least, uint32_t most)
{
    if (edit->block < 1 || edit->position + edit->block > parent->n_layers) return false;
    if (edit->kind == COLA_EDIT_REPEAT && edit->times < 1) return false;
    uint32_t n = edit->kind == COLA_EDIT_SKIP ? parent->n_layers - edit->block
                                              : parent->n_layers + (uint32_t)edit->block * edit->times;
    return n >= least && n <= most && n >= 1 && n <= 4 * L;
}

static void edit_random_chains_gives_valid_child_or_refuses(void **state)
{
    (void)state;
    struct cola_random r = cola_random_keyed(1, 0, COLA_STREAM_SYNTHETIC);
    cola_layer parent_room[MOST], child_room[MOST], slow[2 * MOST];
    uint32_t n_fit = 0, n_refused = 0;
    for (int i = 0; i < 100000; i++) {
        uint32_t L = 1 + (uint32_t)cola_random_below(&r, 40), n = 1 + (uint32_t)cola_random_below(&r, 4 * L);
        for (uint32_t j = 0; j < n; j++) parent_room[j] = (cola_layer)cola_random_below(&r, L);
        struct cola_chain parent = {.layer = parent_room, .n_layers = n}, child = {.n_layers = 12345};
        uint32_t least = (uint32_t)cola_random_below(&r, 2) * (L / 2);
        uint32_t most = cola_random_below(&r, 2) ? 2 * L : 10 * L;
        struct cola_edit edit = random_edit(&r, n);
        bool fits = cola_chain_edit(&parent, &edit, L, least, most, child_room, &child);
        assert_int_equal(fits, expect_fit(&parent, &edit, L, least, most));
        n_fit += fits, n_refused += !fits;
        if (!fits) {
            assert_int_equal(child.n_layers, 12345);
            continue;
        }
        assert_int_equal(cola_chain_check(&child, L), COLA_OK);
        struct cola_chain expected = {.layer = slow, .n_layers = apply_slowly(&parent, &edit, slow)};
        assert_true(cola_chain_equal(&child, &expected));
    }
    assert_true(n_fit > 20000 && n_refused > 20000);
}

static void edit_that_is_none_refuses(void **state)
{
    (void)state;
    cola_layer room[4], out[16];
    struct cola_chain base = cola_chain_base(4, room), child;
    struct cola_edit none = {.kind = COLA_EDIT_NONE, .block = 1},
                     unknown = {.kind = 3, .block = 1, .times = 1},
                     skip_with_times = {.kind = COLA_EDIT_SKIP, .block = 1, .times = 1},
                     all = {.kind = COLA_EDIT_SKIP, .block = 4};
    assert_false(cola_chain_edit(&base, &none, 4, 1, 16, out, &child));
    assert_false(cola_chain_edit(&base, &unknown, 4, 1, 16, out, &child));
    assert_false(cola_chain_edit(&base, &skip_with_times, 4, 1, 16, out, &child));
    assert_false(cola_chain_edit(&base, &all, 4, 0, 16, out, &child));
}

static void edit_print_known_texts(void **state)
{
    (void)state;
    char text[32];
    struct cola_edit edit = {.kind = COLA_EDIT_SKIP, .block = 2, .position = 5};
    assert_int_equal(cola_edit_print(&edit, text, sizeof text), 9);
    assert_string_equal(text, "skip 5..6");
    edit = (struct cola_edit){.kind = COLA_EDIT_REPEAT, .block = 2, .position = 5, .times = 2};
    cola_edit_print(&edit, text, sizeof text);
    assert_string_equal(text, "repeat 5..6 x3");
    edit = (struct cola_edit){.kind = COLA_EDIT_REPEAT, .block = 1, .position = 0, .times = 1};
    cola_edit_print(&edit, text, sizeof text);
    assert_string_equal(text, "repeat 0 x2");
    edit = (struct cola_edit){.kind = COLA_EDIT_NONE};
    cola_edit_print(&edit, text, sizeof text);
    assert_string_equal(text, "base");
    assert_int_equal(cola_edit_print(&edit, text, 3), 4);
    assert_string_equal(text, "ba");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_valid_chain_accepts_and_names_wrong_entry),
        cmocka_unit_test(base_equal_hash_follow_content),
        cmocka_unit_test(edit_random_chains_gives_valid_child_or_refuses),
        cmocka_unit_test(edit_that_is_none_refuses),
        cmocka_unit_test(edit_print_known_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

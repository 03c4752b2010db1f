/* test_chain_set.c - one order whatever order the chains came in, each once, found again; the order is the
 * trie's, depth first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cola/chain_set.h"

static const char *const texts[] = {"0,2", "0-1,1", "0-1", "3", "0-3", "0-1", "(0-1)x2", "0"};
static const char *const sorted[] = {"0", "0-1", "(0-1)x2", "0-1,1", "0-3", "0,2", "3"};
enum { N = sizeof texts / sizeof *texts, N_SORTED = sizeof sorted / sizeof *sorted };

static struct cola_chain parse(const char *text, cola_layer room[16])
{
    struct cola_chain chain;
    assert_int_equal(cola_chain_parse(text, 4, room, 16, &chain), COLA_OK);
    return chain;
}

/* The chains of texts[], from `from` on and around. */
static void make(struct cola_chain_set *set, int from)
{
    cola_layer room[16];
    *set = (struct cola_chain_set){0};
    for (int i = 0; i < N; i++) {
        struct cola_chain chain = parse(texts[(from + 3 * i) % N], room);
        assert_int_equal(cola_chain_set_add(set, &chain), COLA_OK);
    }
    assert_int_equal(cola_chain_set_seal(set), COLA_OK);
}

static void any_order_gives_the_sorted_set_once(void **state)
{
    (void)state;
    char first[COLA_HASH_TEXT], other[COLA_HASH_TEXT];
    for (int from = 0; from < N; from++) {
        struct cola_chain_set set;
        make(&set, from);
        assert_int_equal(set.n, N_SORTED);
        for (uint32_t i = 0; i < set.n; i++) {
            cola_layer room[16];
            struct cola_chain chain = cola_chain_set_get(&set, i), expected = parse(sorted[i], room);
            assert_true(cola_chain_equal(&chain, &expected));
        }
        assert_int_equal(cola_chain_set_fingerprint(&set, from ? other : first), COLA_OK);
        if (from) assert_string_equal(first, other);
        cola_chain_set_fini(&set);
    }
}

static void every_chain_is_found_and_no_other(void **state)
{
    (void)state;
    struct cola_chain_set set;
    cola_layer room[16];
    static const char *const absent[] = {"0-2", "1", "0-1,0", "2-3", "0-3,0"};
    make(&set, 0);
    for (uint32_t i = 0; i < set.n; i++) {
        struct cola_chain chain = parse(sorted[i], room);
        uint32_t at = UINT32_MAX;
        assert_true(cola_chain_set_find(&set, &chain, &at));
        assert_int_equal(at, i);
    }
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        struct cola_chain chain = parse(absent[i], room);
        uint32_t at = 77;
        assert_false(cola_chain_set_find(&set, &chain, &at));
        assert_int_equal(at, 77);
    }
    cola_chain_set_fini(&set);
}

static void another_set_has_another_fingerprint(void **state)
{
    (void)state;
    /* the same layers in all, cut elsewhere */
    cola_layer layer[] = {0, 1, 2};
    struct cola_chain ab = {layer, 2}, c = {layer + 2, 1}, a = {layer, 1}, bc = {layer + 1, 2};
    struct cola_chain_set x = {0}, y = {0};
    char of_x[COLA_HASH_TEXT], of_y[COLA_HASH_TEXT];
    assert_int_equal(cola_chain_set_add(&x, &ab), COLA_OK);
    assert_int_equal(cola_chain_set_add(&x, &c), COLA_OK);
    assert_int_equal(cola_chain_set_add(&y, &a), COLA_OK);
    assert_int_equal(cola_chain_set_add(&y, &bc), COLA_OK);
    assert_int_equal(cola_chain_set_seal(&x), COLA_OK);
    assert_int_equal(cola_chain_set_seal(&y), COLA_OK);
    assert_int_equal(cola_chain_set_fingerprint(&x, of_x), COLA_OK);
    assert_int_equal(cola_chain_set_fingerprint(&y, of_y), COLA_OK);
    assert_string_not_equal(of_x, of_y);
    cola_chain_set_fini(&x);
    cola_chain_set_fini(&y);
}

static void an_empty_chain_is_refused_an_empty_set_is_not(void **state)
{
    (void)state;
    struct cola_chain_set set = {0};
    struct cola_chain none = {NULL, 0};
    uint32_t at;
    assert_int_equal(cola_chain_set_add(&set, &none), COLA_ERR_INPUT);
    assert_int_equal(cola_chain_set_seal(&set), COLA_OK);
    assert_int_equal(set.n, 0);
    assert_false(cola_chain_set_find(&set, &none, &at));
    cola_chain_set_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_gives_the_sorted_set_once),
        cmocka_unit_test(every_chain_is_found_and_no_other),
        cmocka_unit_test(another_set_has_another_fingerprint),
        cmocka_unit_test(an_empty_chain_is_refused_an_empty_set_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

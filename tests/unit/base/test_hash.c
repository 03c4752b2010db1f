/* test_hash.c - known XXH3 values, and that only the concatenation of what was hashed counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cola/hash.h"

static void text_of(const void *data, size_t n, char text[COLA_HASH_TEXT])
{
    struct cola_hash *h;
    assert_int_equal(cola_hash_create(&h), COLA_OK);
    cola_hash_bytes(h, data, n);
    cola_hash_text(h, text);
    cola_hash_destroy(h);
}

/* As `xxhsum -H2` and `xxhsum -H3` print them. */
static void known_values(void **state)
{
    (void)state;
    char text[COLA_HASH_TEXT];
    text_of("", 0, text);
    assert_string_equal(text, "xxh3:99aa06d3014798d86001c324468d497f");
    text_of("abc", 3, text);
    assert_string_equal(text, "xxh3:06b05ab6733a618578af5f94892f3950");
    assert_true(cola_hash64("", 0) == 0x2d06800538d394c2ull);
    assert_true(cola_hash64("abc", 3) == 0x78af5f94892f3950ull);
}

static void pieces_give_the_hash_of_the_whole(void **state)
{
    (void)state;
    static unsigned char data[5000];
    char whole[COLA_HASH_TEXT], pieces[COLA_HASH_TEXT];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * i + 3 * i);
    text_of(data, sizeof data, whole);
    for (size_t step = 1; step < 3000; step = step * 3 + 1) {
        struct cola_hash *h;
        assert_int_equal(cola_hash_create(&h), COLA_OK);
        for (size_t at = 0; at < sizeof data; at += step) {
            cola_hash_bytes(h, data + at, sizeof data - at < step ? sizeof data - at : step);
            cola_hash_text(h, pieces); /* reading it changes nothing */
        }
        cola_hash_text(h, pieces);
        assert_string_equal(whole, pieces);
        cola_hash_destroy(h);
    }
    data[4999] ^= 1;
    text_of(data, sizeof data, pieces);
    assert_string_not_equal(whole, pieces);
}

static void u64_and_string_are_little_endian_and_delimited(void **state)
{
    (void)state;
    struct cola_hash *h;
    char made[COLA_HASH_TEXT], expected[COLA_HASH_TEXT];
    assert_int_equal(cola_hash_create(&h), COLA_OK);
    cola_hash_u64(h, 0x0102030405060708ull);
    cola_hash_string(h, "ab");
    cola_hash_text(h, made);
    text_of("\x08\x07\x06\x05\x04\x03\x02\x01\x02\0\0\0\0\0\0\0ab", 18, expected);
    assert_string_equal(made, expected);
    cola_hash_destroy(h);
    cola_hash_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(pieces_give_the_hash_of_the_whole),
        cmocka_unit_test(u64_and_string_are_little_endian_and_delimited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

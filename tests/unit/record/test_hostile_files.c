/* test_hostile_files.c - 1,000 changed journals and 1,000 changed run.h5 files, half of them with their
 * checksums made right again (COLA_TESTS_FULL=1: 10,000 of each): none crashes the reader, none is
 * overwritten. The changes are those of the fuzz targets (tests/fuzz/hostile.h); here their number is fixed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cola/random.h"
#include "fuzz/hostile.h"

static uint32_t how_many(void)
{
    const char *text = getenv("COLA_TESTS_FULL");
    return text && strcmp(text, "1") == 0 ? 10000 : 1000;
}

/* 1 to 3 changes, every second with repaired checksums. */
static size_t draw(uint32_t i, uint8_t data[32])
{
    struct cola_random r = cola_random_keyed(5, i, COLA_STREAM_SYNTHETIC);
    size_t n = 1 + 6 * (1 + (size_t)cola_random_below(&r, 3));
    for (size_t b = 0; b < n; b++) data[b] = (uint8_t)cola_random_below(&r, 256);
    data[0] = (uint8_t)((data[0] & ~1) | (i & 1));
    return n;
}

static void try_many(void (*try)(struct hostile *h, const uint8_t *data, size_t n), const char *what)
{
    struct hostile h;
    hostile_begin(&h);
    for (uint32_t i = 0; i < how_many(); i++) {
        uint8_t data[32];
        size_t n = draw(i, data);
        try(&h, data, n);
    }
    print_message("%s: %llu opened, %llu refused\n", what, (unsigned long long)h.n_opened,
                  (unsigned long long)h.n_refused);
    assert_int_equal(h.n_opened + h.n_refused, how_many());
    assert_true(h.n_opened > how_many() / 50 && h.n_refused > how_many() / 4);
    hostile_end(&h);
}

static void changed_journal_is_continued_or_refused(void **state)
{
    (void)state;
    try_many(hostile_try_journal, "journals");
}

static void changed_run_is_read_or_refused(void **state)
{
    (void)state;
    try_many(hostile_try_run, "run.h5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changed_journal_is_continued_or_refused),
        cmocka_unit_test(changed_run_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

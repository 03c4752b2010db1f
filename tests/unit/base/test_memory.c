/* test_memory.c - zeroed aligned memory, growth that keeps contents, and sizes beyond an address refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

static void alloc_is_zeroed_and_aligned(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 64, 65, 1000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *p = NULL;
        assert_int_equal(cola_alloc((void **)&p, sizes[i], 3, "bytes"), COLA_OK);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t j = 0; j < 3 * sizes[i]; j++) assert_int_equal(p[j], 0);
        memset(p, 0xff, 3 * sizes[i]); /* so that reuse would show */
        free(p);
    }
}

static void alloc_too_much_refuses_and_leaves_output(void **state)
{
    (void)state;
    int mark;
    void *p = &mark;
    assert_int_equal(cola_alloc(&p, SIZE_MAX / 2, 3, "weights"), COLA_ERR_MEMORY);
    assert_non_null(strstr(cola_error_text(), "weights"));
    assert_int_equal(cola_alloc(&p, SIZE_MAX, 1, "weights"), COLA_ERR_MEMORY);
    assert_int_equal(cola_alloc(&p, SIZE_MAX - 63, 1, "weights"), COLA_ERR_MEMORY);
    assert_ptr_equal(p, &mark);
}

static void grow_keeps_contents_and_zeroes_the_rest(void **state)
{
    (void)state;
    uint32_t *items = NULL;
    size_t room = 0, n_moves = 0;
    for (size_t n = 1; n <= 10000; n++) {
        size_t before = room;
        assert_int_equal(cola_grow((void **)&items, &room, n, sizeof *items, "items"), COLA_OK);
        assert_true(room >= n);
        assert_int_equal((uintptr_t)items % 64, 0);
        if (room != before) {
            n_moves++;
            for (size_t i = 0; i + 1 < n; i++) assert_int_equal(items[i], 7 * (i + 1));
            for (size_t i = n - 1; i < room; i++) assert_int_equal(items[i], 0);
        }
        items[n - 1] = (uint32_t)(7 * n);
    }
    assert_true(n_moves < 25); /* by half: log(10000 / 8) / log 1.5 = 18 */
    free(items);
}

static void grow_too_much_refuses_and_keeps_the_array(void **state)
{
    (void)state;
    uint32_t *items = NULL, *same;
    size_t room = 0, same_room;
    assert_int_equal(cola_grow((void **)&items, &room, 4, sizeof *items, "items"), COLA_OK);
    items[3] = 99, same = items, same_room = room;
    assert_int_equal(cola_grow((void **)&items, &room, SIZE_MAX / 2, sizeof *items, "items"),
                     COLA_ERR_MEMORY);
    assert_ptr_equal(items, same);
    assert_int_equal(room, same_room);
    assert_int_equal(items[3], 99);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alloc_is_zeroed_and_aligned),
        cmocka_unit_test(alloc_too_much_refuses_and_leaves_output),
        cmocka_unit_test(grow_keeps_contents_and_zeroes_the_rest),
        cmocka_unit_test(grow_too_much_refuses_and_keeps_the_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_cross_menu.c - menus from a table that is small enough to see, and greedy against a count from the
 * table itself on random ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cli/cross_menu.h"
#include "cola/random.h"

enum { MOST = 100 };

/* Five samples; chain 1 and chain 3 are right for as many. */
static const char *const rows[] = {"1100", "1101", "0101", "0010", "1010"};
static const uint32_t n_layers[] = {9, 8, 7, 8};

static void the_menu_that_one_sees(void **state)
{
    (void)state;
    struct cola_menu menu;
    uint32_t chosen[MOST], covered[MOST], n;
    const uint32_t *rank;
    assert_int_equal(cola_menu_init(&menu, 5, 4, n_layers), COLA_OK);
    for (uint32_t s = 0; s < 5; s++)
        for (uint32_t c = 0; c < 4; c++)
            if (rows[s][c] == '1') cola_menu_set(&menu, s, c);
    assert_int_equal(cola_menu_rank(&menu, &rank), COLA_OK); /* 3, 3, 2, 2 right */
    static const uint32_t by_rank[] = {1, 0, 2, 3}, ranked[] = {3, 4, 5, 5};
    assert_memory_equal(rank, by_rank, sizeof by_rank);
    assert_int_equal(cola_menu_ranked(&menu, MOST, chosen, covered, &n), COLA_OK);
    assert_int_equal(n, 4);
    assert_memory_equal(chosen, by_rank, sizeof by_rank);
    assert_memory_equal(covered, ranked, sizeof ranked);
    assert_int_equal(cola_menu_greedy(&menu, MOST, chosen, covered, &n), COLA_OK);
    assert_int_equal(n, 2); /* chain 1, then chain 2 adds the other two */
    assert_int_equal(chosen[0], 1);
    assert_int_equal(chosen[1], 2);
    assert_int_equal(covered[0], 3);
    assert_int_equal(covered[1], 5);
    cola_menu_fini(&menu);
}

static void each_greedy_step_adds_most(void **state)
{
    (void)state;
    enum { SAMPLES = 130, CHAINS = 40 };
    static bool right[SAMPLES][CHAINS];
    uint32_t layers[CHAINS], chosen[MOST], covered[MOST], n;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct cola_random random = cola_random_keyed(seed, 1, COLA_STREAM_CONTROL);
        struct cola_menu menu;
        bool seen[SAMPLES] = {false};
        for (uint32_t c = 0; c < CHAINS; c++) layers[c] = 1 + (uint32_t)cola_random_below(&random, 3);
        assert_int_equal(cola_menu_init(&menu, SAMPLES, CHAINS, layers), COLA_OK);
        for (uint32_t s = 0; s < SAMPLES; s++)
            for (uint32_t c = 0; c < CHAINS; c++) {
                right[s][c] = cola_random_below(&random, 2 + c) == 0;
                if (right[s][c]) cola_menu_set(&menu, s, c);
            }
        assert_int_equal(cola_menu_greedy(&menu, MOST, chosen, covered, &n), COLA_OK);
        uint32_t total = 0;
        for (uint32_t k = 0; k <= n; k++) {
            uint32_t gain[CHAINS] = {0}, most = 0;
            for (uint32_t s = 0; s < SAMPLES; s++)
                for (uint32_t c = 0; c < CHAINS; c++) gain[c] += right[s][c] && !seen[s];
            for (uint32_t c = 0; c < CHAINS; c++) most = gain[c] > most ? gain[c] : most;
            if (k == n) {
                assert_int_equal(most, 0);
                break;
            }
            assert_int_equal(gain[chosen[k]], most);
            for (uint32_t s = 0; s < SAMPLES; s++) seen[s] |= right[s][chosen[k]];
            total += most;
            assert_int_equal(covered[k], total);
        }
        cola_menu_fini(&menu);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_menu_that_one_sees),
                                       cmocka_unit_test(each_greedy_step_adds_most)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

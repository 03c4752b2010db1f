/* test_exhaustive.c - the map of single edits: exactly those that plain loops list, in that order, each once;
 * their number by formula; what limits it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "unit/search/landscape.h"

static struct cola_search_options preset(void)
{
    struct cola_search_options options;
    assert_int_equal(cola_search_preset("exhaustive", &options), COLA_OK);
    return options;
}

static struct cola_search *run(const struct cola_search_options *options, uint32_t L)
{
    struct cola_search *search;
    assert_int_equal(cola_search_create(options, L, 3, &search), COLA_OK);
    landscape_run(search, HALF, L);
    assert_false(cola_search_failed(search));
    return search;
}

/* Node `at` is the base with this edit; if the edit's child is within bounds. Returns the next node. */
static uint32_t expect_edit(const struct cola_search *search, const struct cola_search_options *o, uint32_t L,
                            uint32_t at, struct cola_edit edit)
{
    cola_layer base_room[64], room[COLA_CHAIN_MAX(64)];
    struct cola_chain base = cola_chain_base(L, base_room), made;
    struct cola_node_view view;
    if (!cola_chain_edit(&base, &edit, L, (uint32_t)ceil(o->min_length * L),
                         (uint32_t)floor(o->max_length * L), room, &made))
        return at;
    assert_true(at < cola_search_n_nodes(search));
    cola_search_node(search, at, &view);
    assert_true(cola_chain_equal(&view.chain, &made));
    assert_int_equal(view.edit.kind, edit.kind);
    assert_int_equal(view.edit.position, edit.position);
    assert_int_equal(view.parent, 0);
    assert_int_equal(view.depth, 1);
    assert_int_equal(view.simulation, at);
    assert_int_equal(view.n_visits, 1);
    for (uint32_t i = 0; i < at; i++) {
        struct cola_node_view other;
        cola_search_node(search, i, &other);
        assert_false(cola_chain_equal(&view.chain, &other.chain));
    }
    return at + 1;
}

/* All single edits in the documented order, from node 1 on; returns the number of nodes. */
static uint32_t expect_map(const struct cola_search *search, const struct cola_search_options *o, uint32_t L)
{
    uint32_t at = 1, skip = o->space == COLA_SPACE_REPEAT ? 0 : o->max_skip,
             block = o->space == COLA_SPACE_SKIP ? 0 : o->max_block;
    for (uint32_t k = 1; k <= skip; k++)
        for (uint32_t p = 0; p + k <= L; p++)
            at = expect_edit(search, o, L, at, (struct cola_edit){COLA_EDIT_SKIP, k, 0, p});
    for (uint32_t k = 1; k <= block; k++)
        for (uint32_t r = 1; r <= o->max_times; r++)
            for (uint32_t p = 0; p + k <= L; p++)
                at = expect_edit(search, o, L, at, (struct cola_edit){COLA_EDIT_REPEAT, k, r, p});
    return at;
}

static void nodes_are_the_single_edits_in_order(void **state)
{
    (void)state;
    static const uint32_t models[] = {1, 2, 3, 5, 8, 30};
    static const double bounds[][2] = {{0.5, 2}, {0, 4}, {1, 1.25}, {0.9, 1}};
    for (uint32_t i = 0; i < 6 * 4 * 3; i++) {
        struct cola_search_options options = preset();
        uint32_t L = models[i % 6];
        options.min_length = bounds[i / 6 % 4][0];
        options.max_length = bounds[i / 6 % 4][1];
        options.space = i / 24;
        struct cola_search *search = run(&options, L);
        assert_int_equal(expect_map(search, &options, L), cola_search_n_nodes(search));
        assert_int_equal(cola_search_n_nodes(search), cola_search_most_simulations(&options, L));
        cola_search_destroy(search);
    }
}

/* Within the bounds a block of k has L - k + 1 positions: 4 L - 6 for each of skip and the four counts. */
static void count_is_the_formulas(void **state)
{
    (void)state;
    struct cola_search_options options = preset();
    struct cola_search *search = run(&options, 30);
    assert_int_equal(cola_search_n_nodes(search), 1 + 5 * (4 * 30 - 6));
    assert_int_equal(cola_search_n_simulations(search), 571);
    cola_search_destroy(search);
    options.max_times = 1; /* facts: 228 edits of SmolLM2 */
    search = run(&options, 30);
    assert_int_equal(cola_search_n_nodes(search), 1 + 228);
    cola_search_destroy(search);
}

static void simulations_limit_only_if_fewer(void **state)
{
    (void)state;
    struct cola_search_options options = preset();
    options.n_simulations = 100;
    struct cola_search *some = run(&options, 30);
    assert_int_equal(cola_search_n_nodes(some), 100);
    assert_int_equal(cola_search_most_simulations(&options, 30), 100);
    options.n_simulations = 571;
    struct cola_search *all = run(&options, 30);
    assert_int_equal(cola_search_n_nodes(all), 571);
    for (uint32_t i = 0; i < 100; i++) { /* more simulations go on where fewer ended */
        struct cola_node_view a, b;
        cola_search_node(some, i, &a);
        cola_search_node(all, i, &b);
        assert_true(cola_chain_equal(&a.chain, &b.chain));
    }
    cola_search_destroy(some);
    cola_search_destroy(all);
}

static void seed_and_sample_change_nothing(void **state)
{
    (void)state;
    struct cola_search_options options = preset();
    options.seed = 77;
    struct cola_search *search;
    assert_int_equal(cola_search_create(&options, 8, 12345, &search), COLA_OK);
    landscape_run(search, NEVER, 8);
    expect_map(search, &options, 8);
    cola_search_destroy(search);
}

static void most_simulations_of_others_are_the_options(void **state)
{
    (void)state;
    struct cola_search_options options;
    assert_int_equal(cola_search_preset("cola", &options), COLA_OK);
    assert_int_equal(cola_search_most_simulations(&options, 2), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_the_single_edits_in_order),
        cmocka_unit_test(count_is_the_formulas),
        cmocka_unit_test(simulations_limit_only_if_fewer),
        cmocka_unit_test(seed_and_sample_change_nothing),
        cmocka_unit_test(most_simulations_of_others_are_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_search.c - what must hold of every search: determinism, valid and unique chains that are their parent
 * plus the edit, visits that add up, bounds, spaces, early end, memory, depth, and the Pareto front. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/policy.h"
#include "unit/search/landscape.h"

static struct cola_search_options preset(const char *name)
{
    struct cola_search_options options;
    assert_int_equal(cola_search_preset(name, &options), COLA_OK);
    return options;
}

static struct cola_search *run(const struct cola_search_options *options, uint32_t L, uint32_t sample,
                               enum landscape landscape)
{
    struct cola_search *search;
    assert_int_equal(cola_search_create(options, L, sample, &search), COLA_OK);
    landscape_run(search, landscape, L);
    assert_false(cola_search_failed(search));
    return search;
}

/* All that a caller can see of a search, as one hash text. */
static void content(const struct cola_search *search, char text[COLA_HASH_TEXT])
{
    struct cola_hash *h;
    assert_int_equal(cola_hash_create(&h), COLA_OK);
    for (uint32_t i = 0; i < cola_search_n_nodes(search); i++) {
        struct cola_node_view v;
        cola_search_node(search, i, &v);
        cola_hash_u64(h, v.chain.n_layers);
        cola_hash_bytes(h, v.chain.layer, v.chain.n_layers * sizeof *v.chain.layer);
        const uint64_t number[] = {v.edit.kind,     v.edit.block,       v.edit.times,
                                   v.edit.position, (uint64_t)v.parent, v.depth,
                                   v.simulation,    v.n_visits,         (uint64_t)v.prediction};
        for (size_t j = 0; j < sizeof number / sizeof *number; j++) cola_hash_u64(h, number[j]);
        cola_hash_bytes(h, &v.total_reward, sizeof v.total_reward);
        cola_hash_bytes(h, &v.reward, sizeof v.reward);
    }
    cola_hash_text(h, text);
    cola_hash_destroy(h);
}

static void same_inputs_give_same_tree_others_differ(void **state)
{
    (void)state;
    static const char *const names[] = {"cola", "random"};
    for (int p = 0; p < 2; p++) {
        struct cola_search_options options = preset(names[p]), other = options;
        options.seed = 5;
        other.seed = 6;
        struct cola_search *a = run(&options, 24, 3, HALF), *b = run(&options, 24, 3, HALF),
                           *seed = run(&other, 24, 3, HALF), *sample = run(&options, 24, 4, HALF),
                           *rewards = run(&options, 24, 3, RARE);
        char ta[COLA_HASH_TEXT], tb[COLA_HASH_TEXT];
        content(a, ta);
        content(b, tb);
        assert_string_equal(ta, tb);
        content(seed, tb);
        assert_string_not_equal(ta, tb);
        content(sample, tb);
        assert_string_not_equal(ta, tb);
        content(rewards, tb);
        assert_string_not_equal(ta, tb);
        cola_search_destroy(a), cola_search_destroy(b), cola_search_destroy(seed);
        cola_search_destroy(sample), cola_search_destroy(rewards);
    }
}

static void expect_edit_of_parent(const struct cola_search *search, const struct cola_node_view *view,
                                  const struct cola_search_options *options, uint32_t L)
{
    struct cola_node_view parent;
    cola_layer room[COLA_CHAIN_MAX(40)];
    struct cola_chain made;
    cola_search_node(search, (uint32_t)view->parent, &parent);
    assert_int_equal(view->depth, parent.depth + 1);
    assert_true(view->chain.n_layers >= ceil(options->min_length * L));
    assert_true(view->chain.n_layers <= floor(options->max_length * L));
    if (view->edit.kind == COLA_EDIT_NONE) return; /* several edits: random only */
    assert_true(cola_chain_edit(&parent.chain, &view->edit, L, 1, 4 * L, room, &made));
    assert_true(cola_chain_equal(&made, &view->chain));
    assert_true(view->edit.kind != COLA_EDIT_SKIP || options->space != COLA_SPACE_REPEAT);
    assert_true(view->edit.kind != COLA_EDIT_REPEAT || options->space != COLA_SPACE_SKIP);
    if (view->edit.kind == COLA_EDIT_SKIP) assert_true(view->edit.block <= options->max_skip);
    if (view->edit.kind != COLA_EDIT_REPEAT) return;
    assert_true(view->edit.block <= options->max_block && view->edit.times <= options->max_times);
}

static void expect_sound(const struct cola_search *search, const struct cola_search_options *options,
                         uint32_t L)
{
    uint32_t n = cola_search_n_nodes(search), n_multiple = 0;
    uint32_t *below = calloc(n, sizeof *below);
    double *reward_below = calloc(n, sizeof *reward_below);
    assert_int_equal(n, cola_search_n_simulations(search));
    for (uint32_t i = n; i-- > 0;) { /* children before parents */
        struct cola_node_view view, other;
        cola_search_node(search, i, &view);
        assert_int_equal(cola_chain_check(&view.chain, L), COLA_OK);
        assert_int_equal(view.simulation, i);
        assert_int_equal(view.n_visits, 1 + below[i]);
        assert_true(fabs(view.total_reward - (view.reward + reward_below[i])) < 1e-9);
        for (uint32_t j = 0; j < i; j++) {
            cola_search_node(search, j, &other);
            assert_false(cola_chain_equal(&view.chain, &other.chain));
        }
        assert_true(view.parent < (int32_t)i);
        if (i == 0) {
            assert_int_equal(view.parent, -1);
            assert_int_equal(view.edit.kind, COLA_EDIT_NONE);
            assert_int_equal(view.n_visits, n);
            continue;
        }
        n_multiple += view.edit.kind == COLA_EDIT_NONE;
        expect_edit_of_parent(search, &view, options, L);
        below[view.parent] += view.n_visits;
        reward_below[view.parent] += view.total_reward;
    }
    assert_true(strcmp(options->policy, "random") == 0 || n_multiple == 0);
    free(below);
    free(reward_below);
}

static void every_tree_is_sound(void **state)
{
    (void)state;
    static const char *const names[] = {"cola", "random", "drllm", "exhaustive"};
    static const uint32_t models[] = {1, 2, 3, 5, 16, 30, 40};
    static const double bounds[][2] = {{0.5, 2}, {0, 4}, {1, 1.25}, {0.9, 1}};
    for (uint32_t i = 0; i < 4 * 7 * 4 * 3; i++) {
        struct cola_search_options options = preset(names[i % 4]);
        uint32_t L = models[i / 4 % 7];
        options.min_length = bounds[i / 28 % 4][0];
        options.max_length = bounds[i / 28 % 4][1];
        options.space = i / 112 % 3;
        options.seed = i;
        struct cola_search *search = run(&options, L, i, i / 4 % N_LANDSCAPES);
        expect_sound(search, &options, L);
        cola_search_destroy(search);
    }
}

/* All chains that edits reach from the base within the bounds, by breadth-first search; few enough to list.
 */
static uint32_t reachable(uint32_t L, uint32_t least, uint32_t most)
{
    enum { ROOM = 400 };
    static cola_layer found[ROOM][COLA_CHAIN_MAX(4)];
    static struct cola_chain chain[ROOM];
    uint32_t n = 1;
    chain[0] = cola_chain_base(L, found[0]);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t code = 0; code < 2 * 16 * 8 * 5; code++) {
            struct cola_edit edit = {.kind = (uint8_t)(1 + code % 2),
                                     .block = (uint8_t)(1 + code / 2 % 4),
                                     .position = (uint16_t)(code / 8 % 16),
                                     .times = (uint8_t)(code / 128)};
            assert_true(n < ROOM);
            if (edit.times > 4 || !cola_chain_edit(&chain[i], &edit, L, least, most, found[n], &chain[n]))
                continue;
            uint32_t j = 0;
            while (!cola_chain_equal(&chain[j], &chain[n])) j++;
            if (j == n) n++;
        }
    return n;
}

static void tiny_models_end_early_having_visited_every_reachable_chain(void **state)
{
    (void)state;
    static const double epsilons[] = {0, 0.1, 1};
    static const struct {
        uint32_t L;
        double max_length;
    } models[] = {{1, 2}, {1, 4}, {2, 2}, {3, 1.34}, {4, 1}};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++)
        for (uint32_t i = 0; i < 3 * N_LANDSCAPES; i++) {
            struct cola_search_options options = preset("cola");
            uint32_t L = models[m].L;
            options.epsilon = epsilons[i % 3];
            options.max_length = models[m].max_length;
            options.n_simulations = 5000;
            options.seed = i;
            struct cola_search *search = run(&options, L, 0, i / 3);
            uint32_t ticket, expected = reachable(L, (L + 1) / 2, (uint32_t)(models[m].max_length * L));
            struct cola_chain chain;
            assert_int_equal(cola_search_n_nodes(search), expected);
            assert_int_equal(cola_search_ask(search, &ticket, &chain), COLA_ASK_DONE);
            cola_search_destroy(search);
        }
    struct cola_search_options options = preset("random");
    struct cola_search *search = run(&options, 1, 0, HALF);
    assert_int_equal(cola_search_n_nodes(search), 2); /* (0) and (0, 0) */
    cola_search_destroy(search);
}

static void bounds_that_leave_no_edit_end_after_the_base(void **state)
{
    (void)state;
    static const char *const names[] = {"cola", "random"};
    for (int p = 0; p < 2; p++) {
        struct cola_search_options options = preset(names[p]);
        options.min_length = options.max_length = 3.01;
        struct cola_search *search = run(&options, 30, 0, HALF);
        assert_int_equal(cola_search_n_nodes(search), 1);
        cola_search_destroy(search);
        options = preset(names[p]);
        options.max_skip = options.max_times = 0;
        search = run(&options, 30, 0, HALF);
        assert_int_equal(cola_search_n_nodes(search), 1);
        cola_search_destroy(search);
    }
}

static void ask_waits_while_its_ticket_is_out(void **state)
{
    (void)state;
    struct cola_search_options options = preset("cola");
    options.n_simulations = 3;
    struct cola_search *search;
    assert_int_equal(cola_search_create(&options, 12, 0, &search), COLA_OK);
    assert_int_equal(cola_search_n_nodes(search), 0);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t ticket, again = 77;
        struct cola_chain chain, none = {.n_layers = 77};
        assert_int_equal(cola_search_ask(search, &ticket, &chain), COLA_ASK_CHAIN);
        assert_int_equal(cola_search_ask(search, &again, &none), COLA_ASK_WAIT);
        assert_int_equal(again, 77);
        assert_int_equal(none.n_layers, 77);
        assert_int_equal(cola_search_n_nodes(search), i); /* the waiting one is not shown */
        if (i == 0) assert_int_equal(chain.n_layers, 12);
        struct cola_verdict verdict = {.prediction = 2, .reward = 0.25f};
        cola_search_tell(search, ticket, &verdict);
        struct cola_node_view view;
        cola_search_node(search, i, &view);
        assert_int_equal(view.prediction, 2);
        assert_true(view.reward == 0.25f);
        assert_int_equal(cola_search_n_simulations(search), i + 1);
    }
    uint32_t ticket;
    struct cola_chain chain;
    assert_int_equal(cola_search_ask(search, &ticket, &chain), COLA_ASK_DONE);
    assert_int_equal(cola_search_ask(search, &ticket, &chain), COLA_ASK_DONE);
    cola_search_destroy(search);
}

/* 1,500 trees must fit 1 GB with wide margin: 100 KB each is 150 MB. The longest chains cost most: ALWAYS
 * with no penalty on length. */
static void tree_of_200_simulations_is_small(void **state)
{
    (void)state;
    struct cola_search_options options = preset("cola");
    options.length_penalty = -5;
    struct cola_search *search = run(&options, 32, 0, ALWAYS);
    uint64_t n_entries = 0;
    for (uint32_t i = 0; i < 200; i++) {
        struct cola_node_view view;
        cola_search_node(search, i, &view);
        n_entries += view.chain.n_layers;
    }
    print_message("mean length %.1f, %llu bytes\n", n_entries / 200.0,
                  (unsigned long long)cola_search_bytes(search));
    assert_true(n_entries > 200 * 50);
    assert_true(cola_search_bytes(search) < 100 * 1000);
    assert_true(cola_search_bytes(search) >
                2 * n_entries + 200 * 60); /* it counts at least what must be held */
    cola_search_destroy(search);
}

/* DESIGN measured 3.8 for one child a visit with epsilon; expanding all edits first never leaves depth 1. */
static void mean_depth_of_200_simulations_is_above_two(void **state)
{
    (void)state;
    double depth = 0;
    for (uint32_t sample = 0; sample < 10; sample++) {
        struct cola_search_options options = preset("cola");
        struct cola_search *search = run(&options, 30, sample, HALF);
        assert_int_equal(cola_search_n_nodes(search), 200);
        for (uint32_t i = 1; i < 200; i++) {
            struct cola_node_view view;
            cola_search_node(search, i, &view);
            depth += view.depth / (10.0 * 199);
        }
        cola_search_destroy(search);
    }
    print_message("mean depth %.2f\n", depth);
    assert_true(depth > 2 && depth < 12);
}

static void front_equals_its_definition(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 60; i++) {
        struct cola_search_options options = preset(i % 2 ? "cola" : "random");
        options.n_simulations = 1 + i * 3;
        struct cola_search *search = run(&options, 1 + i % 30, i, i % N_LANDSCAPES);
        uint32_t n = cola_search_n_nodes(search), n_front = 0;
        bool *front = malloc(n * sizeof *front);
        cola_search_front(search, front);
        for (uint32_t a = 0; a < n; a++) {
            struct cola_node_view x, y;
            bool beaten = false;
            cola_search_node(search, a, &x);
            for (uint32_t b = 0; b < n; b++) {
                cola_search_node(search, b, &y);
                bool at_least = y.reward >= x.reward && y.chain.n_layers <= x.chain.n_layers;
                bool better = y.reward > x.reward || y.chain.n_layers < x.chain.n_layers;
                beaten |= at_least && (better || b < a);
            }
            assert_int_equal(front[a], !beaten);
            n_front += front[a];
        }
        assert_true(n_front >= 1);
        free(front);
        cola_search_destroy(search);
    }
}

static void lack_of_memory_ends_as_failed_not_as_a_result(void **state)
{
    (void)state;
    struct cola_search_options options = preset("cola");
    struct cola_search *search;
    uint32_t ticket;
    struct cola_chain chain;
    assert_int_equal(cola_search_create(&options, 12, 0, &search), COLA_OK);
    cola_search_ask(search, &ticket, &chain);
    cola_search_tell(search, ticket, &(struct cola_verdict){.reward = 1});
    search->tree.n_entries += UINT32_MAX; /* pretend that the arena is full */
    assert_int_equal(cola_search_ask(search, &ticket, &chain), COLA_ASK_DONE);
    assert_true(cola_search_failed(search));
    assert_int_equal(cola_search_n_nodes(search), 1);
    assert_int_equal(cola_search_ask(search, &ticket, &chain), COLA_ASK_DONE);
    cola_search_destroy(search);
    cola_search_destroy(NULL);
}

static void names_list_the_tables(void **state)
{
    (void)state;
    char names[256];
    struct cola_search_options options;
    snprintf(names, sizeof names, "%s", cola_search_preset_names());
    for (char *name = strtok(names, "|"); name; name = strtok(NULL, "|")) {
        assert_int_equal(cola_search_preset(name, &options), COLA_OK);
        assert_non_null(cola_policy_find(options.policy));
        assert_int_equal(options.space, COLA_SPACE_BOTH);
        assert_int_equal(options.seed, 0);
    }
    snprintf(names, sizeof names, "%s", cola_policy_names());
    for (char *name = strtok(names, "|"); name; name = strtok(NULL, "|"))
        assert_non_null(cola_policy_find(name));
    options.seed = 99;
    assert_int_equal(cola_search_preset("col", &options), COLA_ERR_USAGE);
    assert_non_null(strstr(cola_error_text(), "cola|random"));
    assert_int_equal(options.seed, 99);
}

static void create_wrong_options_refuses_by_name(void **state)
{
    (void)state;
    struct cola_search *search = NULL;
    struct {
        struct cola_search_options options;
        const char *word;
    } bad[10];
    for (int i = 0; i < 10; i++) bad[i].options = preset("cola");
    bad[0].options.policy = "greedy", bad[0].word = "greedy";
    bad[1].options.n_simulations = 0, bad[1].word = "simulations";
    bad[2].options.max_skip = 256, bad[2].word = "skip 256";
    bad[3].options.max_length = 4.01, bad[3].word = "length";
    bad[4].options.min_length = NAN, bad[4].word = "length";
    bad[5].options.min_length = 2.5, bad[5].word = "length";
    bad[6].options.epsilon = 1.5, bad[6].word = "epsilon";
    bad[7].options.exploration = INFINITY, bad[7].word = "exploration";
    bad[8].options.length_penalty = NAN, bad[8].word = "length penalty";
    bad[9].options.space = (enum cola_space)3, bad[9].word = "space";
    for (int i = 0; i < 10; i++) {
        assert_int_equal(cola_search_create(&bad[i].options, 12, 0, &search), COLA_ERR_USAGE);
        assert_non_null(strstr(cola_error_text(), bad[i].word));
    }
    struct cola_search_options options = preset("cola");
    assert_int_equal(cola_search_create(&options, 0, 0, &search), COLA_ERR_INPUT);
    assert_int_equal(cola_search_create(&options, COLA_LAYERS_MAX + 1, 0, &search), COLA_ERR_INPUT);
    assert_null(search);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_inputs_give_same_tree_others_differ),
        cmocka_unit_test(every_tree_is_sound),
        cmocka_unit_test(tiny_models_end_early_having_visited_every_reachable_chain),
        cmocka_unit_test(bounds_that_leave_no_edit_end_after_the_base),
        cmocka_unit_test(ask_waits_while_its_ticket_is_out),
        cmocka_unit_test(tree_of_200_simulations_is_small),
        cmocka_unit_test(mean_depth_of_200_simulations_is_above_two),
        cmocka_unit_test(front_equals_its_definition),
        cmocka_unit_test(lack_of_memory_ends_as_failed_not_as_a_result),
        cmocka_unit_test(names_list_the_tables),
        cmocka_unit_test(create_wrong_options_refuses_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

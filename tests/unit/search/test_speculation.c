/* test_speculation.c - speculation changes nothing but how many chains are out: for every policy, every W,
 * results in every order, the tree is the one of W = 1, bit for bit, also continued with another W, when it
 * stops early and when it fails; and where all guesses are right nothing is evaluated in vain. */
#include "unit/search/speculating.h"

#include <stdio.h>

#include "cola/clock.h"
#include "search/policy.h"

static const char *const presets[] = {"cola", "random", "exhaustive", "polar", "drllm", "drllm-code"};
static const uint32_t widths[] = {1, 2, 3, 4, 8, 16, 64};
enum { N_PRESETS = 6, N_WIDTHS = 7 };

static struct cola_search_options options_of(const char *preset, uint32_t n_simulations, uint64_t seed)
{
    struct cola_search_options options;
    assert_int_equal(cola_search_preset(preset, &options), COLA_OK);
    assert_int_equal(options.speculate, 1);
    options.n_simulations = n_simulations;
    options.seed = seed;
    return options;
}

/* All that a caller can see of a search, as one hash text. */
static void content(const struct cola_search *search, char text[COLA_HASH_TEXT])
{
    struct cola_hash *h;
    uint32_t n = cola_search_n_nodes(search);
    bool *front = calloc(n + 1, sizeof *front);
    assert_int_equal(cola_hash_create(&h), COLA_OK);
    cola_search_front(search, front);
    for (uint32_t i = 0; i < n; i++) {
        struct cola_node_view v;
        cola_search_node(search, i, &v);
        cola_hash_u64(h, v.chain.n_layers);
        cola_hash_bytes(h, v.chain.layer, v.chain.n_layers * sizeof *v.chain.layer);
        const uint64_t number[] = {
            v.edit.kind, v.edit.block, v.edit.times, v.edit.position,        (uint64_t)v.parent,
            v.depth,     v.simulation, v.n_visits,   (uint64_t)v.prediction, front[i]};
        for (size_t j = 0; j < sizeof number / sizeof *number; j++) cola_hash_u64(h, number[j]);
        cola_hash_bytes(h, &v.total_reward, sizeof v.total_reward);
        cola_hash_bytes(h, &v.reward, sizeof v.reward);
    }
    cola_hash_u64(h, cola_search_n_simulations(search));
    cola_hash_text(h, text);
    cola_hash_destroy(h);
    free(front);
}

/* The content of the search with one chain out. */
static uint32_t plain(const struct cola_search_options *options, uint32_t L, enum landscape landscape,
                      char text[COLA_HASH_TEXT])
{
    struct cola_search *search;
    assert_int_equal(cola_search_create(options, L, 5, &search), COLA_OK);
    landscape_run(search, landscape, L);
    content(search, text);
    uint32_t n = cola_search_n_nodes(search);
    cola_search_destroy(search);
    return n;
}

static struct caller *caller_of(const struct cola_search_options *options, uint32_t L,
                                enum landscape landscape, uint32_t W, enum arrival arrival, uint64_t chance)
{
    struct caller *c = calloc(1, sizeof *c);
    struct cola_search_options wide = *options;
    wide.speculate = W;
    *c = (struct caller){.landscape = landscape, .arrival = arrival, .L = L, .W = W};
    c->chance = cola_random_keyed(chance, W, COLA_STREAM_SYNTHETIC);
    assert_int_equal(cola_search_create(&wide, L, 5, &c->search), COLA_OK);
    return c;
}

static void caller_free(struct caller *c)
{
    cola_search_destroy(c->search);
    free(c->told);
    free(c);
}

static void expect_same(struct caller *c, const char *want, const char *what)
{
    char have[COLA_HASH_TEXT];
    assert_false(cola_search_failed(c->search));
    content(c->search, have);
    if (strcmp(have, want) != 0)
        fail_msg("%s, L %u, landscape %d, W %u, arrival %d: not the tree of W = 1", what, c->L,
                 (int)c->landscape, c->W, (int)c->arrival);
}

/* Numbers of simulations that no W divides, models down to one layer, every landscape and arrival. */
static void every_policy_width_and_order_gives_the_tree_of_one_chain_out(void **state)
{
    (void)state;
    static const uint32_t models[] = {12, 30, 1, 5, 2, 24}, simulations[] = {61, 37, 7, 1, 2, 101};
    uint32_t n_wasted = 0, n_released = 0;
    for (uint32_t i = 0; i < N_PRESETS * N_LANDSCAPES * 6; i++) {
        const char *preset = presets[i % N_PRESETS];
        enum landscape landscape = i / N_PRESETS % N_LANDSCAPES;
        uint32_t round = i / N_PRESETS / N_LANDSCAPES, L = models[(round + i) % 6];
        struct cola_search_options options = options_of(preset, simulations[(round + i / 2) % 6], i);
        options.space = i % 7 == 6 ? COLA_SPACE_SKIP : COLA_SPACE_BOTH;
        char want[COLA_HASH_TEXT];
        uint32_t n_nodes = plain(&options, L, landscape, want);
        for (uint32_t w = 0; w < N_WIDTHS; w++) {
            struct caller *c = caller_of(&options, L, landscape, widths[w], (i + w) % N_ARRIVALS, i);
            caller_run(c);
            expect_same(c, want, preset);
            while (c->n_out) caller_tell(c, 0); /* late ones are let in */
            expect_same(c, want, preset);
            assert_true(c->n_told >= n_nodes);
            n_wasted += c->n_told - n_nodes;
            n_released += c->n_released;
            caller_free(c);
        }
    }
    assert_true(n_wasted > 1000 && n_released > 100); /* or nothing of this was tried */
}

/* cola, the default, at its full length, in every order. */
static void two_hundred_simulations_in_every_order(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < N_LANDSCAPES * N_ARRIVALS; i++) {
        struct cola_search_options options = options_of("cola", 200, 7 + i);
        char want[COLA_HASH_TEXT];
        plain(&options, 30, i % N_LANDSCAPES, want);
        for (uint32_t w = 0; w < N_WIDTHS; w++) {
            struct caller *c = caller_of(&options, 30, i % N_LANDSCAPES, widths[w], i / N_LANDSCAPES, i);
            caller_run(c);
            expect_same(c, want, "cola");
            caller_free(c);
        }
    }
}

/* Killed and resumed: what was evaluated is told at once, whatever the first W had guessed. */
static void continued_with_another_width_gives_the_same_tree(void **state)
{
    (void)state;
    uint32_t n_known = 0;
    for (uint32_t i = 0; i < N_PRESETS * 3 * N_WIDTHS; i++) {
        const char *preset = presets[i % N_PRESETS];
        enum landscape landscape = (enum landscape[]){RARE, HALF, SHORT}[i / N_PRESETS % 3];
        struct cola_search_options options = options_of(preset, 50, i);
        uint32_t first = widths[i % N_WIDTHS], second = widths[i / N_PRESETS / 3];
        char want[COLA_HASH_TEXT];
        uint32_t n_nodes = plain(&options, 12, landscape, want);
        struct caller *killed = caller_of(&options, 12, landscape, first, ANY_ORDER, i);
        killed->stop_after = 1 + n_nodes / 2;
        caller_run(killed);
        struct caller *resumed = caller_of(&options, 12, landscape, second, ANY_TIME, i);
        resumed->before = killed;
        caller_run(resumed);
        expect_same(resumed, want, preset);
        n_known += resumed->n_known;
        caller_free(killed);
        caller_free(resumed);
    }
    assert_true(n_known > 1000);
}

/* Nothing earns anything, as the base is guessed and so all others: no guess is wrong, so the copy must come
 * to the very chains of the search. What a copy fails to take along shows here as an evaluation in vain. */
static void right_guesses_evaluate_nothing_in_vain(void **state)
{
    (void)state;
    for (uint32_t p = 0; p < N_PRESETS; p++)
        for (uint32_t w = 1; w < N_WIDTHS; w++)
            for (enum arrival arrival = 0; arrival < N_ARRIVALS; arrival++) {
                struct cola_search_options options = options_of(presets[p], 100, 3 * w);
                char want[COLA_HASH_TEXT];
                uint32_t n_nodes = plain(&options, 16, NEVER, want);
                struct caller *c = caller_of(&options, 16, NEVER, widths[w], arrival, w);
                caller_run(c);
                expect_same(c, want, presets[p]);
                assert_int_equal(c->n_issued, n_nodes);
                assert_int_equal(c->n_released, 0);
                if (arrival == IN_ROUNDS)
                    assert_int_equal(c->n_rounds, (n_nodes + widths[w] - 1) / widths[w]);
                caller_free(c);
            }
}

/* Where the rewards say that the search goes on otherwise than was guessed, the copies start over from what
 * was told; a chain is again never evaluated twice (speculating.h), and every copy but the wrong ones is
 * right (ask_tell.c asserts it). How far that goes, for the docs. */
static void simulations_a_round_are_more_than_one(void **state)
{
    (void)state;
    static const char *const names[] = {"rare", "half", "never", "always"};
    for (int landscape = RARE; landscape <= ALWAYS; landscape++)
        for (uint32_t p = 0; p < N_PRESETS; p++) {
            uint32_t n_nodes = 0, n_rounds = 0, n_told = 0;
            for (uint32_t seed = 0; seed < 10; seed++) {
                struct cola_search_options options = options_of(presets[p], 200, seed);
                struct caller *c = caller_of(&options, 30, landscape, 8, IN_ROUNDS, seed);
                caller_run(c);
                n_nodes += cola_search_n_nodes(c->search);
                n_rounds += c->n_rounds;
                n_told += c->n_told;
                caller_free(c);
            }
            print_message("W = 8, %-6s %-10s %.2f chains of the tree a round, %4.1f %% evaluated in vain\n",
                          names[landscape], presets[p], (double)n_nodes / n_rounds,
                          100.0 - 100.0 * n_nodes / n_told);
            if (strcmp(presets[p], "drllm") != 0) assert_true(n_nodes > 1.5 * n_rounds); /* it stops early */
        }
}

/* drllm ends at the first chain that is better than the base: also if a later one was told before, and the
 * tickets beyond it are no longer needed. */
static void early_stop_comes_in_turn(void **state)
{
    (void)state;
    uint32_t n_early = 0, n_late = 0;
    for (uint32_t i = 0; i < 60; i++) {
        struct cola_search_options options = options_of(i % 2 ? "drllm" : "drllm-code", 50, i / 2);
        char want[COLA_HASH_TEXT];
        uint32_t n_nodes = plain(&options, 16, RARE, want), ticket;
        struct cola_chain chain;
        struct caller *c = caller_of(&options, 16, RARE, 16, ANY_ORDER, i);
        caller_run(c);
        expect_same(c, want, options.policy);
        n_early += n_nodes < 30;
        n_late += c->n_out;
        for (uint32_t j = 0; j < c->n_out; j++) assert_true(cola_search_release(c->search, c->out[j].ticket));
        while (c->n_out) caller_tell(c, 0);
        assert_int_equal(cola_search_ask(c->search, &ticket, &chain), COLA_ASK_DONE);
        expect_same(c, want, options.policy);
        caller_free(c);
    }
    assert_true(n_early > 10 && n_late > 10); /* or nothing of this was tried */
}

static void tickets_are_out_up_to_the_width_and_guesses_are_not_shown(void **state)
{
    (void)state;
    struct cola_search_options options = options_of("cola", 50, 1);
    options.speculate = 3;
    struct cola_search *search;
    uint32_t ticket[4], more = 77;
    struct cola_chain chain;
    assert_int_equal(cola_search_create(&options, 12, 0, &search), COLA_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(cola_search_ask(search, &ticket[i], &chain), COLA_ASK_CHAIN);
    assert_int_equal(cola_search_ask(search, &more, &chain), COLA_ASK_WAIT);
    assert_int_equal(more, 77);
    assert_int_equal(cola_search_n_nodes(search), 0);
    for (int i = 0; i < 3; i++) assert_false(cola_search_release(search, ticket[i])); /* all are guessed */
    const struct cola_verdict wrong = {.reward = 0}, right = {.reward = 1};
    cola_search_tell(search, ticket[1], &wrong); /* out of turn */
    assert_int_equal(cola_search_n_nodes(search), 0);
    assert_int_equal(cola_search_n_simulations(search), 0);
    cola_search_tell(search, ticket[0], &wrong); /* as guessed: its turn, and the kept one's in ask */
    assert_int_equal(cola_search_ask(search, &ticket[3], &chain), COLA_ASK_CHAIN);
    assert_int_equal(cola_search_n_nodes(search), 2);
    assert_int_equal(cola_search_ask(search, &ticket[0], &chain), COLA_ASK_CHAIN);
    cola_search_tell(search, ticket[2],
                     &right); /* not as guessed: what was asked for beyond may be in vain */
    struct cola_node_view view;
    cola_search_node(search, 2, &view);
    assert_true(view.reward == 1);
    cola_search_node(search, 0, &view);
    assert_true(view.n_visits == 3 && view.total_reward == 1);
    cola_search_destroy(search); /* with tickets out */
}

static void failing_search_fails_as_with_one_chain_out(void **state)
{
    (void)state;
    struct cola_search_options options = options_of("cola", 50, 1);
    struct caller *c = caller_of(&options, 12, HALF, 4, OLDEST_FIRST, 0);
    c->stop_after = 9;
    caller_run(c);
    while (c->n_out) caller_tell(c, 0);
    uint32_t ticket, n = cola_search_n_nodes(c->search);
    struct cola_chain chain;
    size_t kept = c->search->tree.n_entries;
    c->search->tree.n_entries += UINT32_MAX; /* pretend that the arena is full */
    assert_int_equal(cola_search_ask(c->search, &ticket, &chain), COLA_ASK_DONE);
    c->search->tree.n_entries = kept;
    assert_true(cola_search_failed(c->search));
    assert_true(cola_search_n_nodes(c->search) >= n);
    assert_int_equal(cola_search_ask(c->search, &ticket, &chain), COLA_ASK_DONE);
    caller_free(c);
}

/* A list of draws that is just long enough for the search is too short for copies that guessed wrong: those
 * end, the search does not. One draw less, and it fails where it fails with one chain out. */
static void copies_that_fail_harm_nothing(void **state)
{
    (void)state;
    enum { N = 20000 };
    static double uniform[N];
    struct cola_random r = cola_random_keyed(1, 1, COLA_STREAM_SYNTHETIC);
    for (int i = 0; i < N; i++) uniform[i] = cola_random_uniform(&r);
    static const char *const names[] = {"polar", "drllm-code"};
    for (uint32_t i = 0; i < 20; i++) {
        struct cola_search_options options = options_of(names[i % 2], 40, 0);
        enum landscape landscape = i % 4 < 2 ? RARE : HALF;
        struct caller *one = caller_of(&options, 16, landscape, 1, OLDEST_FIRST, i);
        char want[COLA_HASH_TEXT], have[COLA_HASH_TEXT];
        assert_int_equal(cola_search_inject(one->search, uniform + 100 * i, N - 100 * i), COLA_OK);
        caller_run(one);
        size_t n_used = cola_search_n_injected_used(one->search);
        content(one->search, want);
        struct caller *just = caller_of(&options, 16, landscape, 8, ANY_ORDER, i);
        assert_int_equal(cola_search_inject(just->search, uniform + 100 * i, n_used), COLA_OK);
        caller_run(just);
        expect_same(just, want, names[i % 2]);
        assert_int_equal(cola_search_n_injected_used(just->search), n_used);
        struct caller *less[2] = {caller_of(&options, 16, landscape, 1, ANY_ORDER, i),
                                  caller_of(&options, 16, landscape, 8, ANY_ORDER, i)};
        for (int k = 0; k < 2; k++) {
            assert_int_equal(cola_search_inject(less[k]->search, uniform + 100 * i, n_used - 1), COLA_OK);
            caller_run(less[k]);
            assert_true(cola_search_failed(less[k]->search));
            content(less[k]->search, k ? have : want);
        }
        assert_string_equal(have, want);
        caller_free(one), caller_free(just), caller_free(less[0]), caller_free(less[1]);
    }
}

struct watched {
    uint32_t n;
    double rewards;
};

static void watch(void *user, const struct cola_simulation *simulation)
{
    struct watched *w = user;
    w->n++;
    w->rewards += simulation->reward * w->n; /* the order counts */
}

static void observers_see_the_simulations_of_the_search_alone(void **state)
{
    (void)state;
    for (uint32_t p = 0; p < N_PRESETS; p++) {
        struct cola_search_options options = options_of(presets[p], 40, p);
        struct watched watched[2] = {{0}, {0}};
        for (int k = 0; k < 2; k++) {
            struct caller *c = caller_of(&options, 16, HALF, k ? 8 : 1, ANY_ORDER, p);
            cola_search_observe(c->search, watch, &watched[k]);
            caller_run(c);
            caller_free(c);
        }
        assert_true(watched[0].n > 0);
        assert_int_equal(watched[0].n, watched[1].n);
        assert_true(watched[0].rewards == watched[1].rewards);
    }
}

/* 2 % of an evaluation of 50 ms: 1 ms of the search's own time a chain. Here it takes some microseconds; the
 * bound is wide, since other programs run. */
static void speculation_costs_little(void **state)
{
    (void)state;
    for (uint32_t p = 0; p < N_PRESETS; p++)
        for (int w = 0; w < 2; w++) {
            struct cola_search_options options = options_of(presets[p], 200, 1);
            uint32_t W = w ? 16 : 1;
            struct caller *c = caller_of(&options, 32, GRADED, W, IN_ROUNDS, 1); /* every guess is wrong */
            double began_s = cola_clock_thread_s();
            caller_run(c);
            double each_us = 1e6 * (cola_clock_thread_s() - began_s) / cola_search_n_nodes(c->search);
            print_message("%-10s W = %2u: %.0f us a chain of the tree, the test's own time counted\n",
                          presets[p], W, each_us);
            assert_true(each_us < 5000);
            caller_free(c);
        }
}

static void memory_of_speculation_goes_with_the_end(void **state)
{
    (void)state;
    struct cola_search_options options = options_of("cola", 200, 1);
    struct caller *one = caller_of(&options, 32, HALF, 1, OLDEST_FIRST, 1),
                  *many = caller_of(&options, 32, HALF, 16, OLDEST_FIRST, 1);
    caller_run(one);
    many->stop_after = 190;
    caller_run(many);
    assert_true(cola_search_bytes(many->search) > 2 * cola_search_bytes(one->search));
    assert_true(cola_search_bytes(many->search) < 500 * 1000);
    many->stop_after = 0;
    caller_run(many);
    assert_int_equal(cola_search_bytes(many->search), cola_search_bytes(one->search));
    caller_free(one);
    caller_free(many);
}

static void widths_out_of_range_are_refused(void **state)
{
    (void)state;
    struct cola_search *search = NULL;
    static const uint32_t bad[] = {0, COLA_SPECULATE_MAX + 1};
    for (int i = 0; i < 2; i++) {
        struct cola_search_options options = options_of("cola", 10, 0);
        options.speculate = bad[i];
        assert_int_equal(cola_search_create(&options, 12, 0, &search), COLA_ERR_USAGE);
        assert_non_null(strstr(cola_error_text(), "speculate"));
    }
    assert_null(search);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_policy_width_and_order_gives_the_tree_of_one_chain_out),
        cmocka_unit_test(two_hundred_simulations_in_every_order),
        cmocka_unit_test(continued_with_another_width_gives_the_same_tree),
        cmocka_unit_test(right_guesses_evaluate_nothing_in_vain),
        cmocka_unit_test(simulations_a_round_are_more_than_one),
        cmocka_unit_test(early_stop_comes_in_turn),
        cmocka_unit_test(tickets_are_out_up_to_the_width_and_guesses_are_not_shown),
        cmocka_unit_test(failing_search_fails_as_with_one_chain_out),
        cmocka_unit_test(copies_that_fail_harm_nothing),
        cmocka_unit_test(observers_see_the_simulations_of_the_search_alone),
        cmocka_unit_test(speculation_costs_little),
        cmocka_unit_test(memory_of_speculation_goes_with_the_end),
        cmocka_unit_test(widths_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

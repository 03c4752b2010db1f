/* test_published.c - polar and drllm-code against their naive reimplementations, simulation by simulation,
 * over models, spaces, rewards and seeds that no recorded run has; what every tree of theirs keeps to; what
 * they refuse; the draws they share. Recorded runs: test_traces.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "search/policy.h"
#include "unit/search/landscape.h"
#include "unit/search/naive_published.h"

struct setting {
    struct cola_search_options options;
    uint32_t L, least, most; /* bounds in layers */
    enum landscape landscape;
};

static double naive_reward(const void *user, const struct cola_chain *chain)
{
    const struct setting *setting = user;
    return landscape_judge(setting->landscape, chain, setting->L).reward;
}

static struct published *run_naive(const struct setting *setting, enum published_defect defect,
                                   const double *list, size_t n_list)
{
    const struct cola_search_options *o = &setting->options;
    struct published *s = calloc(1, sizeof *s);
    s->L = setting->L;
    s->least = setting->least;
    s->most = setting->most;
    s->max_skip = o->space == COLA_SPACE_REPEAT ? 0 : o->max_skip;
    s->max_block = o->space == COLA_SPACE_SKIP ? 0 : o->max_block;
    s->n_simulations = o->n_simulations;
    s->epsilon = o->epsilon;
    s->defect = defect;
    s->reward = naive_reward;
    s->user = setting;
    s->keyed = cola_random_keyed(o->seed, 7, COLA_STREAM_SEARCH);
    s->list = list;
    s->n_list = n_list;
    strcmp(o->policy, "polar") == 0 ? polar_run(s) : code_run(s);
    return s;
}

struct seen {
    struct published_step step[PUBLISHED_STEPS];
    uint32_t n;
};

static void see(void *user, const struct cola_simulation *simulation)
{
    struct seen *seen = user;
    struct published_step *step = &seen->step[seen->n++];
    memset(step, 0, sizeof *step);
    memcpy(step->layer, simulation->chain.layer, simulation->chain.n_layers * sizeof *step->layer);
    step->n_layers = simulation->chain.n_layers;
    step->is_new = simulation->evaluated;
    step->reward = simulation->reward;
}

static struct cola_search *run(const struct setting *setting, const double *list, size_t n_list,
                               struct seen *seen)
{
    struct cola_search *search;
    assert_int_equal(cola_search_create(&setting->options, setting->L, 7, &search), COLA_OK);
    seen->n = 0;
    cola_search_observe(search, see, seen);
    if (list) assert_int_equal(cola_search_inject(search, list, n_list), COLA_OK);
    landscape_run(search, setting->landscape, setting->L);
    return search;
}

static bool steps_equal(const struct seen *seen, const struct published *naive)
{
    if (seen->n != naive->n_steps) return false;
    for (uint32_t i = 0; i < seen->n; i++) {
        const struct published_step *a = &seen->step[i], *b = &naive->step[i];
        if (a->n_layers != b->n_layers || a->is_new != b->is_new || a->reward != b->reward ||
            memcmp(a->layer, b->layer, a->n_layers * sizeof *a->layer) != 0)
            return false;
    }
    return true;
}

static const uint32_t model_layers[] = {1, 2, 3, 4, 5, 7, 12, 24, 28};
enum { N_MODELS = 9, N_SETTINGS = N_MODELS * N_LANDSCAPES * 3 };

static struct setting setting_at(uint32_t i, const char *preset)
{
    struct setting s = {.L = model_layers[i % N_MODELS], .landscape = i / N_MODELS % N_LANDSCAPES};
    assert_int_equal(cola_search_preset(preset, &s.options), COLA_OK);
    s.options.space = i / N_MODELS / N_LANDSCAPES;
    s.options.seed = 1000003ull * i;
    s.options.n_simulations = 1 + 37 * i % 120;
    if (i % 4 == 1) s.options.epsilon = 0.5;
    if (strcmp(preset, "polar") != 0) {
        s.least = 1;
        s.most = 2 * s.L;
        return s;
    }
    s.least = (s.L + 1) / 2; /* given: not by depth */
    s.most = s.L + s.L / 4;
    s.options.min_length = (s.least - 0.5) / s.L;
    s.options.max_length = (s.most + 0.5) / s.L;
    return s;
}

static void expect_naive_everywhere(const char *preset)
{
    static struct seen seen;
    for (uint32_t i = 0; i < N_SETTINGS; i++) {
        struct setting s = setting_at(i, preset);
        struct cola_search *search = run(&s, NULL, 0, &seen);
        struct published *naive = run_naive(&s, PUBLISHED_RIGHT, NULL, 0);
        if (!steps_equal(&seen, naive)) fail_msg("%s: setting %u (L %u) differs", preset, i, s.L);
        assert_int_equal(cola_search_n_simulations(search), naive->n_steps);
        published_free(naive);
        cola_search_destroy(search);
    }
}

static void polar_equals_reimplementation(void **state)
{
    (void)state;
    expect_naive_everywhere("polar");
}

static void drllm_code_equals_reimplementation(void **state)
{
    (void)state;
    expect_naive_everywhere("drllm-code");
}

/* Whether a defect changes what a run with this list does. */
static bool list_tells(const struct setting *s, enum published_defect defect, const double *list, size_t n)
{
    static struct seen seen;
    struct cola_search *search = run(s, list, n, &seen);
    struct published *right = run_naive(s, PUBLISHED_RIGHT, list, n), *wrong = run_naive(s, defect, list, n);
    assert_false(cola_search_failed(search));
    assert_true(steps_equal(&seen, right));
    assert_int_equal(cola_search_n_injected_used(search), right->n_used);
    bool tells = !steps_equal(&seen, wrong) || wrong->n_used != right->n_used;
    published_free(right);
    published_free(wrong);
    cola_search_destroy(search);
    return tells;
}

/* The recorded draws are k / 2^20 and never equal 0.1, so these runs must tell < from <=. */
static void uniform_equal_to_epsilon_is_not_below_it(void **state)
{
    (void)state;
    struct setting polar = setting_at(7, "polar"), code = setting_at(7, "drllm-code");
    static double list[4000];
    polar.options.epsilon = code.options.epsilon = 0.1;
    polar.options.n_simulations = code.options.n_simulations = 20;
    polar.landscape = code.landscape = NEVER;
    for (size_t i = 0; i < 4000; i++) list[i] = 0.1;
    assert_true(list_tells(&polar, POLAR_EPSILON_INCLUDED, list, 4000));
    assert_true(list_tells(&code, CODE_EPSILON_INCLUDED, list, 4000));
}

/* --- what every tree keeps to --------------------------------------------------------------------------- */

static void expect_sound(const struct cola_search *search, const struct setting *s, const struct seen *seen)
{
    uint32_t n = cola_search_n_nodes(search), n_new = 0;
    uint32_t below[PUBLISHED_STEPS + 1] = {0}; /* visits of the nodes seen whose parent it is */
    for (uint32_t i = 0; i < n; i++) {
        struct cola_node_view view, other;
        cola_layer room[COLA_CHAIN_MAX(48)];
        struct cola_chain made;
        cola_search_node(search, i, &view);
        assert_int_equal(cola_chain_check(&view.chain, s->L), COLA_OK);
        for (uint32_t j = 0; j < i; j++) {
            cola_search_node(search, j, &other);
            assert_false(cola_chain_equal(&view.chain, &other.chain));
            assert_true(other.simulation < view.simulation);
        }
        if (i == 0) {
            assert_int_equal(view.parent, -1);
            assert_int_equal(view.simulation, 0);
            assert_int_equal(view.n_visits, cola_search_n_simulations(search)); /* its evaluation is none */
            continue;
        }
        assert_in_range(view.chain.n_layers, s->least, s->most);
        assert_true(view.parent < (int32_t)i);
        cola_search_node(search, (uint32_t)view.parent, &other);
        assert_int_equal(view.depth, other.depth + 1);
        assert_true(view.n_visits >= 1 && view.n_visits <= other.n_visits);
        assert_true(view.total_reward <= other.total_reward);
        below[view.parent] += view.n_visits;
        if (strcmp(s->options.policy, "polar") == 0) assert_true(below[view.parent] <= other.n_visits);
        while (!seen->step[n_new].is_new) n_new++; /* nodes are the new ones of the simulations, in order */
        assert_int_equal(view.simulation, n_new + 1);
        assert_int_equal(view.chain.n_layers, seen->step[n_new].n_layers);
        assert_true(view.reward == seen->step[n_new].reward);
        n_new++;
        if (view.edit.kind == COLA_EDIT_NONE) continue; /* several edits: polar only */
        assert_true(cola_chain_edit(&other.chain, &view.edit, s->L, s->least, s->most, room, &made));
        assert_true(cola_chain_equal(&made, &view.chain));
        assert_true(view.edit.kind != COLA_EDIT_SKIP || s->options.space != COLA_SPACE_REPEAT);
        assert_true(view.edit.kind != COLA_EDIT_REPEAT || s->options.space != COLA_SPACE_SKIP);
    }
    for (; n_new < seen->n; n_new++) assert_false(seen->step[n_new].is_new);
}

static void every_tree_is_sound(void **state)
{
    (void)state;
    static struct seen seen;
    for (uint32_t i = 0; i < 2 * N_SETTINGS; i++) {
        struct setting s = setting_at(i / 2, i % 2 ? "polar" : "drllm-code");
        struct cola_search *search = run(&s, NULL, 0, &seen);
        assert_false(cola_search_failed(search));
        expect_sound(search, &s, &seen);
        cola_search_destroy(search);
    }
}

static void same_seed_gives_same_run_others_differ(void **state)
{
    (void)state;
    static struct seen a, b;
    for (int i = 0; i < 2; i++) {
        struct setting s = setting_at(8, i ? "polar" : "drllm-code");
        s.landscape = NEVER;
        s.options.n_simulations = 50;
        cola_search_destroy(run(&s, NULL, 0, &a));
        cola_search_destroy(run(&s, NULL, 0, &b));
        assert_memory_equal(&a, &b, sizeof a);
        s.options.seed++;
        cola_search_destroy(run(&s, NULL, 0, &b));
        assert_memory_not_equal(&a, &b, sizeof a);
    }
}

/* A polar tree generates some 60 candidates a simulation and keeps them while it runs; the published code
 * took 8.9 MB for them. Once it has ended only the evaluated chains are left. */
static void polar_tree_of_100_simulations_is_small(void **state)
{
    (void)state;
    uint64_t most = 0;
    struct setting s = {.L = 32, .landscape = HALF};
    struct cola_search *search;
    uint32_t ticket;
    struct cola_chain chain;
    assert_int_equal(cola_search_preset("polar", &s.options), COLA_OK);
    assert_int_equal(cola_search_create(&s.options, s.L, 0, &search), COLA_OK);
    while (cola_search_ask(search, &ticket, &chain) == COLA_ASK_CHAIN) {
        struct cola_verdict verdict = landscape_judge(s.landscape, &chain, s.L);
        cola_search_tell(search, ticket, &verdict);
        if (cola_search_bytes(search) > most) most = cola_search_bytes(search);
    }
    print_message("polar, L 32, 100 simulations: at most %llu bytes, %llu when it has ended\n",
                  (unsigned long long)most, (unsigned long long)cola_search_bytes(search));
    assert_int_equal(cola_search_n_nodes(search), 101);
    assert_true(most > 100 * 50 * (sizeof(struct cola_node) + 2 * 30)); /* it counts the candidates */
    assert_true(most < 2 * 1000 * 1000);
    assert_true(cola_search_bytes(search) < 40 * 1000);
    cola_search_destroy(search);
}

/* --- bounds, numbers and refusals ----------------------------------------------------------------------- */

static void expect_bounds(uint32_t L, double min_length, double max_length, uint32_t least, uint32_t most)
{
    struct cola_search_options options;
    struct cola_search *search;
    assert_int_equal(cola_search_preset("polar", &options), COLA_OK);
    if (min_length > 0) options.min_length = min_length;
    if (max_length > 0) options.max_length = max_length;
    assert_int_equal(cola_search_create(&options, L, 0, &search), COLA_OK);
    assert_int_equal(search->space.min_layers, least);
    assert_int_equal(search->space.max_layers, most);
    cola_search_destroy(search);
}

static void polar_bounds_are_by_depth(void **state)
{
    (void)state;
    expect_bounds(24, 0, 0, 16, 28);
    expect_bounds(28, 0, 0, 16, 32);
    expect_bounds(36, 0, 0, 24, 44);
    expect_bounds(48, 0, 0, 36, 54);
    expect_bounds(32, 0, 0, 19, 36);   /* ceil(18.24), floor(36.8) */
    expect_bounds(100, 0, 0, 57, 115); /* though 1.15 * 100 in double is less */
    expect_bounds(1, 0, 0, 1, 1);
    expect_bounds(28, 0.5, 0, 14, 32); /* a number that is given holds, the other stays by depth */
    expect_bounds(28, 0, 2, 16, 56);
}

static void numbers_without_a_place_are_refused_by_name(void **state)
{
    (void)state;
    struct {
        const char *preset, *word;
        struct cola_search_options options;
    } bad[] = {{.preset = "polar", .word = "max-times 2"},
               {.preset = "drllm-code", .word = "max-block 4"},
               {.preset = "drllm-code", .word = "min-length 0.5"},
               {.preset = "drllm-code", .word = "exploration 1"},
               {.preset = "drllm-code", .word = "length-penalty 5"},
               {.preset = "random", .word = "epsilon 0.5"},
               {.preset = "exhaustive", .word = "length-penalty 5"}};
    enum { N_BAD = sizeof bad / sizeof *bad };
    for (int i = 0; i < N_BAD; i++)
        assert_int_equal(cola_search_preset(bad[i].preset, &bad[i].options), COLA_OK);
    bad[0].options.max_times = 2;
    bad[1].options.max_block = 4;
    bad[2].options.min_length = 0.5;
    bad[3].options.exploration = 1;
    bad[4].options.length_penalty = 5;
    bad[5].options.epsilon = 0.5;
    bad[6].options.length_penalty = 5;
    for (int i = 0; i < N_BAD; i++) {
        struct cola_search *search = NULL;
        assert_int_equal(cola_search_create(&bad[i].options, 12, 0, &search), COLA_ERR_USAGE);
        assert_non_null(strstr(cola_error_text(), bad[i].word));
        assert_non_null(strstr(cola_error_text(), bad[i].preset));
    }
}

static void presets_have_the_papers_numbers(void **state)
{
    (void)state;
    struct cola_search_options o;
    assert_int_equal(cola_search_preset("drllm", &o), COLA_OK);
    assert_true(o.n_simulations == 50 && o.max_skip == 2 && o.max_block == 1 && o.max_times == 1);
    assert_true(o.min_length == 0 && o.max_length == 2 && o.exploration == 1.8 && o.length_penalty == 3);
    assert_int_equal(cola_search_preset("polar", &o), COLA_OK);
    assert_true(o.n_simulations == 100 && o.max_skip == 4 && o.max_block == 4 && o.length_penalty == 5);
    assert_true(o.epsilon == 0.1 && o.exploration * o.exploration > 1.999 && o.exploration < 1.4143);
}

/* --- the draws ------------------------------------------------------------------------------------------ */

static void choice_of_the_largest_uniform_is_the_last_item(void **state)
{
    (void)state;
    const double largest = 1 - 0x1p-53;
    for (uint64_t n = 1; n <= UINT32_MAX; n = n < 3000 ? n + 1 : 2 * n - n / 7) {
        struct cola_draws draws = {.injected = true, .list = (const double[]){largest, 0}, .n_list = 2};
        assert_int_equal(cola_draws_choice(&draws, (uint32_t)n), n - 1);
        assert_int_equal(cola_draws_choice(&draws, (uint32_t)n), 0);
    }
}

static void keyed_uniforms_are_the_streams_53_bits(void **state)
{
    (void)state;
    struct cola_draws draws = cola_draws_keyed(5, 6, COLA_STREAM_SEARCH), again = draws;
    struct cola_random r = cola_random_keyed(5, 6, COLA_STREAM_SEARCH);
    for (int i = 0; i < 100; i++) {
        double u = (double)(cola_random_bits(&r) >> 11) * 0x1p-53;
        assert_true(cola_draws_uniform(&draws) == u);
        assert_int_equal(cola_draws_choice(&again, 10), (uint32_t)(u * 10));
    }
}

static void shuffle_swaps_from_the_end(void **state)
{
    (void)state;
    struct cola_edit item[4];
    for (int i = 0; i < 4; i++) item[i] = (struct cola_edit){.position = (uint16_t)i};
    struct cola_draws draws = {.injected = true, .list = (const double[]){0, 0.5, 0.75}, .n_list = 3};
    cola_draws_shuffle(&draws, item, 4); /* swaps 3 with 0, 2 with 1, 1 with 1 */
    static const int expected[] = {3, 2, 1, 0};
    for (int i = 0; i < 4; i++) assert_int_equal(item[i].position, expected[i]);
    assert_int_equal(draws.n_used, 3);
    cola_draws_shuffle(&draws, item, 0);
    cola_draws_shuffle(&draws, item, 1);
    assert_false(draws.ran_out);
}

static void list_that_runs_out_fails_the_search(void **state)
{
    (void)state;
    static struct seen seen;
    struct setting s = setting_at(8, "polar");
    double list[] = {0.5, 0.5, 0.5, 0.5, 0.5};
    s.landscape = NEVER;
    s.options.n_simulations = 100;
    struct cola_search *search = run(&s, list, 5, &seen);
    assert_true(cola_search_failed(search));
    assert_non_null(strstr(cola_error_text(), "too few draws: the list of 5"));
    cola_search_destroy(search);
}

static void injection_elsewhere_or_of_nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const others[] = {"cola", "random", "exhaustive", "drllm"};
    struct cola_search_options options;
    struct cola_search *search;
    double list[] = {0.5, 1.0};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(cola_search_preset(others[i], &options), COLA_OK);
        assert_int_equal(cola_search_create(&options, 12, 0, &search), COLA_OK);
        assert_int_equal(cola_search_inject(search, list, 1), COLA_ERR_UNSUPPORTED);
        assert_non_null(strstr(cola_error_text(), others[i]));
        cola_search_destroy(search);
    }
    assert_int_equal(cola_search_preset("polar", &options), COLA_OK);
    assert_int_equal(cola_search_create(&options, 12, 0, &search), COLA_OK);
    assert_int_equal(cola_search_inject(search, list, 2), COLA_ERR_INPUT);
    assert_non_null(strstr(cola_error_text(), "uniform 1"));
    cola_search_destroy(search);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polar_equals_reimplementation),
        cmocka_unit_test(drllm_code_equals_reimplementation),
        cmocka_unit_test(uniform_equal_to_epsilon_is_not_below_it),
        cmocka_unit_test(every_tree_is_sound),
        cmocka_unit_test(same_seed_gives_same_run_others_differ),
        cmocka_unit_test(polar_tree_of_100_simulations_is_small),
        cmocka_unit_test(polar_bounds_are_by_depth),
        cmocka_unit_test(numbers_without_a_place_are_refused_by_name),
        cmocka_unit_test(presets_have_the_papers_numbers),
        cmocka_unit_test(choice_of_the_largest_uniform_is_the_last_item),
        cmocka_unit_test(keyed_uniforms_are_the_streams_53_bits),
        cmocka_unit_test(shuffle_swaps_from_the_end),
        cmocka_unit_test(list_that_runs_out_fails_the_search),
        cmocka_unit_test(injection_elsewhere_or_of_nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

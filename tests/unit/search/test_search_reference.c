/* test_search_reference.c - the search against the naive reimplementation of docs/search.md: the same chains
 * in the same order with the same statistics, over models, seeds, epsilons, spaces and landscapes; and every
 * planted defect of the reimplementation is told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/search/naive.h"

struct setting {
    const char *preset;
    uint32_t L, sample;
    uint64_t seed;
    double epsilon;
    enum landscape landscape;
    enum cola_space space;
    double max_length, length_penalty;
};

static bool node_equal(const struct cola_node_view *a, const struct naive_node *b)
{
    return a->chain.n_layers == b->n_layers &&
           memcmp(a->chain.layer, b->layer, b->n_layers * sizeof *b->layer) == 0 && a->parent == b->parent &&
           a->depth == b->depth && a->edit.kind == b->edit.kind && a->edit.block == b->edit.block &&
           a->edit.times == b->edit.times && a->edit.position == b->edit.position &&
           a->n_visits == b->n_visits && a->total_reward == b->total;
}

/* The first node that differs, or -1. */
static int first_difference(const struct setting *setting, enum naive_defect defect, uint32_t n_simulations)
{
    struct cola_search_options options;
    assert_int_equal(cola_search_preset(setting->preset, &options), COLA_OK);
    options.seed = setting->seed;
    options.space = setting->space;
    options.n_simulations = n_simulations;
    options.max_length = setting->max_length;
    if (strcmp(setting->preset, "random") != 0) { /* it has no such numbers */
        options.epsilon = setting->epsilon;
        options.length_penalty = setting->length_penalty;
    }
    struct cola_search *search;
    assert_int_equal(cola_search_create(&options, setting->L, setting->sample, &search), COLA_OK);
    landscape_run(search, setting->landscape, setting->L);
    struct naive *naive = naive_run(&options, setting->L, setting->sample, setting->landscape, defect);
    int difference = -1;
    uint32_t n = cola_search_n_nodes(search);
    if (n != naive->n_nodes) difference = (int)(n < naive->n_nodes ? n : naive->n_nodes);
    for (uint32_t i = 0; i < n && i < naive->n_nodes; i++) {
        struct cola_node_view node;
        cola_search_node(search, i, &node);
        if (!node_equal(&node, &naive->node[i])) {
            difference = (int)i;
            break;
        }
    }
    free(naive);
    cola_search_destroy(search);
    return difference;
}

static const uint32_t model_layers[] = {1, 2, 3, 4, 7, 12, 30};
static const double epsilons[] = {0, 0.1, 0.5, 1};
enum { N_MODELS = 7, N_EPSILONS = 4 };

/* The i-th of a grid: all models, epsilons, landscapes; spaces, seeds and bounds vary along. */
static bool setting_at(uint32_t i, const char *preset, struct setting *out)
{
    if (i >= N_MODELS * N_EPSILONS * N_LANDSCAPES) return false;
    *out = (struct setting){.preset = preset,
                            .L = model_layers[i % N_MODELS],
                            .epsilon = epsilons[i / N_MODELS % N_EPSILONS],
                            .landscape = i / N_MODELS / N_EPSILONS,
                            .space = i % 3,
                            .sample = 17 * i,
                            .seed = 0x123456789ull * i,
                            .max_length = i % 4 == 3 ? 1.25 : 2.0,
                            .length_penalty = i % 5 == 4 ? 0.0 : 5.0};
    return true;
}

static void expect_equal_everywhere(const char *preset)
{
    struct setting setting;
    for (uint32_t i = 0; setting_at(i, preset, &setting); i++) {
        int at = first_difference(&setting, NAIVE_RIGHT, setting.L == 30 ? 200 : 150);
        if (at >= 0)
            fail_msg("%s, L %u, seed %llu, epsilon %g, landscape %d, space %d: node %d differs", preset,
                     setting.L, (unsigned long long)setting.seed, setting.epsilon, setting.landscape,
                     setting.space, at);
    }
}

static void cola_equals_reimplementation(void **state)
{
    (void)state;
    expect_equal_everywhere("cola");
}

static void random_equals_reimplementation(void **state)
{
    (void)state;
    expect_equal_everywhere("random");
}

static void drllm_equals_reimplementation(void **state)
{
    (void)state;
    expect_equal_everywhere("drllm");
}

static void planted_defects_of_the_stop_are_told_apart(void **state)
{
    (void)state;
    for (enum naive_defect defect = N_NAIVE_DEFECTS; defect < N_NAIVE_STOP_DEFECTS; defect++) {
        uint32_t n_differ = 0;
        struct setting setting;
        for (uint32_t i = 0; setting_at(i, "drllm", &setting); i++)
            n_differ += first_difference(&setting, defect, 150) >= 0;
        if (n_differ < 3) fail_msg("defect %d differs in %u settings only", (int)defect, n_differ);
    }
}

static void planted_defects_are_told_apart(void **state)
{
    (void)state;
    for (enum naive_defect defect = NAIVE_RIGHT + 1; defect < N_NAIVE_DEFECTS; defect++) {
        uint32_t n_differ = 0;
        struct setting setting;
        for (uint32_t i = 0; setting_at(i, "cola", &setting); i++)
            n_differ += first_difference(&setting, defect, 150) >= 0;
        if (n_differ < 3) fail_msg("defect %d differs in %u settings only", (int)defect, n_differ);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cola_equals_reimplementation),
        cmocka_unit_test(random_equals_reimplementation),
        cmocka_unit_test(drllm_equals_reimplementation),
        cmocka_unit_test(planted_defects_are_told_apart),
        cmocka_unit_test(planted_defects_of_the_stop_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

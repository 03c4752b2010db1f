/* test_most_layers.c - no search asks for a longer chain than it says before it begins: memory is checked for
 * that one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "cola/search.h"

/* Layers of the longest chain of one sample's search in which nothing is right. */
static uint32_t longest(const struct cola_search_options *options, uint32_t n_model_layers, uint32_t sample)
{
    const struct cola_verdict wrong = {.prediction = 0, .reward = 0};
    struct cola_search *search;
    struct cola_chain chain;
    uint32_t most = 0, ticket;
    assert_int_equal(cola_search_create(options, n_model_layers, sample, &search), COLA_OK);
    while (cola_search_ask(search, &ticket, &chain) == COLA_ASK_CHAIN) {
        if (chain.n_layers > most) most = chain.n_layers;
        cola_search_tell(search, ticket, &wrong);
    }
    cola_search_destroy(search);
    return most;
}

static void no_chain_is_longer_than_was_said(void **state)
{
    static const char *const preset[] = {"cola", "random", "exhaustive", "polar", "drllm-code"};
    static const uint32_t depth[] = {6, 24, 30};
    struct cola_search_options options;
    (void)state;
    for (size_t p = 0; p < sizeof preset / sizeof *preset; p++)
        for (size_t d = 0; d < sizeof depth / sizeof *depth; d++) {
            uint32_t said, found = 0;
            assert_int_equal(cola_search_preset(preset[p], &options), COLA_OK);
            options.n_simulations = 150;
            assert_int_equal(cola_search_most_layers(&options, depth[d], &said), COLA_OK);
            for (uint32_t s = 0; s < 20; s++) {
                uint32_t n = longest(&options, depth[d], s);
                if (n > found) found = n;
            }
            assert_true(found <= said);
            if (strcmp(preset[p], "random") == 0) assert_true(found > said * 3 / 4); /* not said in vain */
        }
}

static void bound_that_is_given_is_the_longest(void **state)
{
    struct cola_search_options options;
    uint32_t said;
    (void)state;
    assert_int_equal(cola_search_preset("cola", &options), COLA_OK);
    options.max_length = 1.5;
    assert_int_equal(cola_search_most_layers(&options, 6, &said), COLA_OK);
    assert_int_equal(said, 9);
    options.max_length = 1;
    assert_int_equal(cola_search_most_layers(&options, 6, &said), COLA_OK);
    assert_int_equal(said, 6);
    options.policy = "abacus";
    assert_int_equal(cola_search_most_layers(&options, 6, &said), COLA_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_chain_is_longer_than_was_said),
        cmocka_unit_test(bound_that_is_given_is_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

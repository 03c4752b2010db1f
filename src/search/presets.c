/* presets.c - the two tables of names: policies (procedures) and presets (a policy and its numbers). */
#include "cola/search.h"

#include <string.h>

#include "search/policy.h"

static const struct cola_policy *const policies[] = {&cola_policy_cola,       &cola_policy_random,
                                                     &cola_policy_exhaustive, &cola_policy_polar,
                                                     &cola_policy_drllm,      &cola_policy_drllm_code};
enum { N_POLICIES = sizeof policies / sizeof *policies };

#define SQRT_2 0x1.6a09e667f3bcdp+0

struct preset {
    const char *name;
    struct cola_search_options options;
};

/* cola: blocks, repeats, epsilon, lambda and 200 simulations are the paper's (arXiv 2507.07996); c and the
 * bounds it does not give: sqrt 2 is UCB1's, L/2 .. 2L is our reading. random, exhaustive: the same space;
 * exhaustive has no numbers of a selection rule, and a million simulations are more than there are edits.
 * polar: arXiv 2606.06574; 0.57 and 1.15 stand for its table of bounds by depth (policy_polar.c). drllm,
 * drllm-code: arXiv 2510.12773. Each policy has the preset of its name: its own numbers (options.c). */
static const struct preset presets[] = {
    {"cola",
     {.policy = "cola",
      .n_simulations = 200,
      .max_skip = 4,
      .max_block = 4,
      .max_times = 4,
      .min_length = 0.5,
      .max_length = 2.0,
      .exploration = SQRT_2,
      .length_penalty = 5.0,
      .epsilon = 0.1}},
    {"random",
     {.policy = "random",
      .n_simulations = 200,
      .max_skip = 4,
      .max_block = 4,
      .max_times = 4,
      .min_length = 0.5,
      .max_length = 2.0,
      .exploration = SQRT_2,
      .length_penalty = 5.0,
      .epsilon = 0.1}},
    {"exhaustive",
     {.policy = "exhaustive",
      .n_simulations = 1000000,
      .max_skip = 4,
      .max_block = 4,
      .max_times = 4,
      .min_length = 0.5,
      .max_length = 2.0}},
    {"polar",
     {.policy = "polar",
      .n_simulations = 100,
      .max_skip = 4,
      .max_block = 4,
      .max_times = 1,
      .min_length = 0.57,
      .max_length = 1.15,
      .exploration = SQRT_2,
      .length_penalty = 5.0,
      .epsilon = 0.1}},
    {"drllm",
     {.policy = "drllm",
      .n_simulations = 50,
      .max_skip = 2,
      .max_block = 1,
      .max_times = 1,
      .min_length = 0, /* the shortest chain has 1 layer */
      .max_length = 2.0,
      .exploration = 1.8,
      .length_penalty = 3.0,
      .epsilon = 0.1}},
    {"drllm-code",
     {.policy = "drllm-code",
      .n_simulations = 50,
      .max_skip = 2,
      .max_block = 1,
      .max_times = 1,
      .min_length = 0,
      .max_length = 2.0,
      .exploration = 1.8,
      .length_penalty = 3.0,
      .epsilon = 0.1}},
};
enum { N_PRESETS = sizeof presets / sizeof *presets };

/* For help texts and errors; a test compares them with the tables. */
const char cola_search_presets[] = "cola|random|exhaustive|polar|drllm|drllm-code";

const char *cola_policy_names(void)
{
    return "cola|random|exhaustive|polar|drllm|drllm-code";
}

const char *cola_search_preset_names(void)
{
    return cola_search_presets;
}

const struct cola_policy *cola_policy_find(const char *name)
{
    for (size_t i = 0; i < N_POLICIES; i++)
        if (strcmp(policies[i]->name, name) == 0) return policies[i];
    return NULL;
}

enum cola_status cola_search_preset(const char *preset, struct cola_search_options *options)
{
    for (size_t i = 0; i < N_PRESETS; i++)
        if (strcmp(presets[i].name, preset) == 0) {
            *options = presets[i].options;
            options->speculate = 1;
            return COLA_OK;
        }
    return cola_fail(COLA_ERR_USAGE, "search: no preset '%s'; there are %s", preset,
                     cola_search_preset_names());
}

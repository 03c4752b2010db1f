/* options.c - what a search refuses before it begins: numbers out of range, and numbers that the policy has
 * no place for. Knows nothing of trees. */
#include "cola/search.h"

#include "search/policy.h"

static bool in_range(double x, double low, double high)
{
    return x >= low && x <= high; /* false for NaN */
}

static enum cola_status check_ranges(const struct cola_search_options *o)
{
    if (o->n_simulations < 1) return cola_fail(COLA_ERR_USAGE, "search: 0 simulations, expected at least 1");
    if (o->speculate < 1 || o->speculate > COLA_SPECULATE_MAX)
        return cola_fail(COLA_ERR_USAGE, "search: speculate %u, expected 1 .. %d", o->speculate,
                         COLA_SPECULATE_MAX);
    if (o->space > COLA_SPACE_REPEAT)
        return cola_fail(COLA_ERR_USAGE, "search: space %d, expected both, skip or repeat", (int)o->space);
    if (o->max_skip > UINT8_MAX || o->max_block > UINT8_MAX || o->max_times > UINT8_MAX)
        return cola_fail(COLA_ERR_USAGE, "search: skip %u, block %u, times %u: each at most %u", o->max_skip,
                         o->max_block, o->max_times, UINT8_MAX);
    if (!in_range(o->min_length, 0, 4) || !in_range(o->max_length, o->min_length, 4))
        return cola_fail(COLA_ERR_USAGE, "search: length %g .. %g of L, expected 0 <= min <= max <= 4",
                         o->min_length, o->max_length);
    if (!in_range(o->epsilon, 0, 1))
        return cola_fail(COLA_ERR_USAGE, "search: epsilon %g, expected 0 .. 1", o->epsilon);
    if (!in_range(o->exploration, 0, 1e6) || !in_range(o->length_penalty, -1e6, 1e6))
        return cola_fail(COLA_ERR_USAGE,
                         "search: exploration %g, length penalty %g: expected 0 .. 1e6 and -1e6 .. 1e6",
                         o->exploration, o->length_penalty);
    return COLA_OK;
}

/* Silence would let someone believe that the number did something. */
static enum cola_status check_fixed(const struct cola_search_options *o, const struct cola_policy *policy)
{
    if (!policy->fixed) return COLA_OK;
    struct cola_search_options own;
    COLA_TRY(cola_search_preset(policy->name, &own));
    const struct {
        unsigned number;
        const char *name;
        double given, own;
    } numbers[] = {
        {COLA_NUMBER_MAX_SKIP, "max-skip", o->max_skip, own.max_skip},
        {COLA_NUMBER_MAX_BLOCK, "max-block", o->max_block, own.max_block},
        {COLA_NUMBER_MAX_TIMES, "max-times", o->max_times, own.max_times},
        {COLA_NUMBER_MIN_LENGTH, "min-length", o->min_length, own.min_length},
        {COLA_NUMBER_MAX_LENGTH, "max-length", o->max_length, own.max_length},
        {COLA_NUMBER_EXPLORATION, "exploration", o->exploration, own.exploration},
        {COLA_NUMBER_LENGTH_PENALTY, "length-penalty", o->length_penalty, own.length_penalty},
        {COLA_NUMBER_EPSILON, "epsilon", o->epsilon, own.epsilon},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (policy->fixed & numbers[i].number && numbers[i].given != numbers[i].own)
            return cola_fail(COLA_ERR_USAGE,
                             "search: %s %.17g: policy %s has no such choice (its own is %.17g); leave it "
                             "out, or take another preset",
                             numbers[i].name, numbers[i].given, policy->name, numbers[i].own);
    return COLA_OK;
}

enum cola_status cola_search_check(const struct cola_search_options *options)
{
    const struct cola_policy *policy = cola_policy_find(options->policy);
    if (!policy)
        return cola_fail(COLA_ERR_USAGE, "search: no policy '%s'; there are %s", options->policy,
                         cola_policy_names());
    COLA_TRY(check_ranges(options));
    return check_fixed(options, policy);
}

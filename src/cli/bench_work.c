/* bench_work.c - what is evaluated when the engine alone is measured: samples of a task file or random ones
 * of each score rule, and the chains that a search would visit. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cola/memory.h"
#include "cola/random.h"
#include "cola/search.h"

enum { N_CANDIDATES = 4 };

/* The numbers of a random sample, by its rule. */
struct shape {
    enum cola_score_rule rule;
    uint32_t n_prompt, n_candidates, n_tail; /* tokens of the prompt; candidates, and tokens of each */
    uint32_t max_new_tokens;
};

static struct shape read_shape(const struct cola_options *o)
{
    const char *score = cola_options_string(o, "score");
    struct shape s = {.n_prompt = (uint32_t)cola_options_uint(o, "prompt")};
    s.rule = COLA_SCORE_LETTER;
    while (strcmp(score, cola_score_rule_name[s.rule]) != 0) s.rule++;
    s.n_candidates = s.rule == COLA_SCORE_GENERATE ? 0 : N_CANDIDATES;
    s.n_tail = s.rule == COLA_SCORE_LOGLIK ? (uint32_t)cola_options_uint(o, "continuation") : 1;
    s.max_new_tokens = s.rule == COLA_SCORE_GENERATE ? (uint32_t)cola_options_uint(o, "max-new-tokens") : 0;
    return s;
}

static void fill_sample(const struct shape *shape, uint32_t index, uint32_t n_vocab, int32_t *token,
                        struct cola_tokens *candidate, struct cola_sample *out)
{
    struct cola_random random = cola_random_keyed(0, index, COLA_STREAM_BENCH);
    uint32_t n_tokens = shape->n_prompt + shape->n_candidates * shape->n_tail;
    for (uint32_t i = 0; i < n_tokens; i++) token[i] = (int32_t)cola_random_below(&random, n_vocab);
    for (uint32_t c = 0; c < shape->n_candidates; c++)
        candidate[c] = (struct cola_tokens){.token = token + shape->n_prompt + c * shape->n_tail,
                                            .n_tokens = shape->n_tail};
    *out = (struct cola_sample){.index = index,
                                .prompt = token,
                                .n_prompt_tokens = shape->n_prompt,
                                .candidate = candidate,
                                .n_candidates = shape->n_candidates,
                                .gold = -1,
                                .rule = shape->rule,
                                .max_new_tokens = shape->max_new_tokens};
}

static enum cola_status make_random(const struct cola_options *o, uint32_t n_vocab, struct bench_work *w)
{
    struct shape shape = read_shape(o);
    size_t each = shape.n_prompt + (size_t)shape.n_candidates * shape.n_tail;
    w->n_samples = (uint32_t)cola_options_uint(o, "samples");
    COLA_TRY(cola_alloc((void **)&w->sample, w->n_samples, sizeof *w->sample, "samples"));
    COLA_TRY(cola_alloc((void **)&w->token, w->n_samples * each, sizeof *w->token, "tokens"));
    COLA_TRY(cola_alloc((void **)&w->candidate, (size_t)w->n_samples * N_CANDIDATES, sizeof *w->candidate,
                        "candidates"));
    for (uint32_t s = 0; s < w->n_samples; s++)
        fill_sample(&shape, s, n_vocab, w->token + s * each, w->candidate + (size_t)s * N_CANDIDATES,
                    &w->sample[s]);
    return COLA_OK;
}

enum cola_status cola_bench_samples(const struct cola_options *o, uint32_t n_vocab, struct bench_work *w)
{
    const char *path = cola_options_string(o, "tasks");
    if (!path[0]) return make_random(o, n_vocab, w);
#ifdef COLA_HDF5 /* the one place where a build without HDF5 differs from a run without --tasks */
    COLA_TRY(cola_tasks_open(path, &w->tasks));
    uint32_t n = cola_tasks_info(w->tasks)->n_samples, wanted = (uint32_t)cola_options_uint(o, "samples");
    if (n == 0) return cola_fail(COLA_ERR_INPUT, "%s: holds no samples", path);
    w->n_samples = wanted < n ? wanted : n;
    COLA_TRY(cola_alloc((void **)&w->sample, w->n_samples, sizeof *w->sample, "samples"));
    for (uint32_t s = 0; s < w->n_samples; s++) w->sample[s] = *cola_tasks_sample(w->tasks, s);
    return COLA_OK;
#else
    return cola_fail(
        COLA_ERR_UNSUPPORTED,
        "--tasks %s: this cola was built without HDF5; without --tasks random samples are measured", path);
#endif
}

/* The chains of one sample, from *layer on, which moves behind them. */
static enum cola_status chains_of(const struct cola_search_options *options, uint32_t n_model_layers,
                                  uint32_t sample, struct cola_chain *out, cola_layer **layer)
{
    struct cola_search *search;
    const struct cola_verdict wrong = {.prediction = 0, .reward = 0};
    uint32_t ticket;
    COLA_TRY(cola_search_create(options, n_model_layers, sample, &search));
    for (uint32_t c = 0; c < options->n_simulations; c++, *layer += COLA_CHAIN_MAX(n_model_layers)) {
        struct cola_chain chain;
        bool more = cola_search_ask(search, &ticket, &chain) == COLA_ASK_CHAIN;
        if (!more) /* a tiny model's tree may end early */
            chain = cola_chain_base(n_model_layers, *layer);
        else
            memcpy(*layer, chain.layer, chain.n_layers * sizeof **layer);
        out[c] = (struct cola_chain){*layer, chain.n_layers};
        if (more) cola_search_tell(search, ticket, &wrong);
    }
    cola_search_destroy(search);
    return COLA_OK;
}

enum cola_status cola_bench_chains(const struct cola_options *o, uint32_t n_model_layers,
                                   struct bench_work *w)
{
    struct cola_search_options options;
    COLA_TRY(cola_search_preset(cola_options_string(o, "preset"), &options));
    options.n_simulations = w->n_chains = (uint32_t)cola_options_uint(o, "simulations");
    size_t n = (size_t)w->n_samples * w->n_chains;
    COLA_TRY(cola_alloc((void **)&w->chain, n, sizeof *w->chain, "chains"));
    COLA_TRY(cola_alloc((void **)&w->layer, n * COLA_CHAIN_MAX(n_model_layers), sizeof *w->layer, "chains"));
    cola_layer *layer = w->layer;
    for (uint32_t s = 0; s < w->n_samples; s++)
        COLA_TRY(chains_of(&options, n_model_layers, s, w->chain + (size_t)s * w->n_chains, &layer));
    return COLA_OK;
}

struct cola_engine_demand cola_bench_demand(const struct bench_work *w)
{
    struct cola_engine_demand most = {0};
    uint32_t n_layers = 0;
    for (size_t i = 0; i < (size_t)w->n_samples * w->n_chains; i++)
        if (w->chain[i].n_layers > n_layers) n_layers = w->chain[i].n_layers;
    for (uint32_t s = 0; s < w->n_samples; s++) {
        struct cola_engine_demand demand = cola_engine_demand(&w->sample[s], n_layers);
        if (demand.n_rows > most.n_rows) most = demand;
    }
    return most;
}

void cola_bench_work_fini(struct bench_work *w)
{
#ifdef COLA_HDF5
    cola_tasks_close(w->tasks);
#endif
    free(w->sample);
    free(w->token);
    free(w->candidate);
    free(w->chain);
    free(w->layer);
    *w = (struct bench_work){0};
}

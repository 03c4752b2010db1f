/* bench_compare_hdf5.c - `cola bench --compare HF`: pairs of a whole search and the Hugging Face loop on a
 * random part of the chains that this search visited, with the same dtype and threads.
 *
 * The two take turns, so that what else the machine does meets both. Ours is the wall time of the search over
 * all its chains; theirs is the mean of what the loop says each of its chains took, so that its JSON costs it
 * nothing. Its chains may be longer or shorter than the mean, so the ratio is also given by layer. A pair's
 * first request is sent twice and the first time is not counted. */
#include <stdlib.h>

#include "cli/bench.h"
#include "cola/log.h"
#include "cola/memory.h"
#include "cola/random.h"
#include "cola/record.h"

struct compare {
    struct bench_hf *hf;
    const struct cola_model *model;
    const struct bench_work *work;
    uint32_t n_chains;    /* --compare-chains */
    struct cola_run *run; /* of our last round */
    uint32_t *sample_of;  /* [chains of run] row of the tasks */
};

/* --- one request -------------------------------------------------------------------------------------- */

static enum cola_status command(struct bench_hf *hf, const char *name, json_t **answer)
{
    json_t *line = json_pack("{s:s}", "command", name);
    enum cola_status status = cola_bench_hf_ask(hf, line, answer);
    json_decref(line);
    return status;
}

static enum cola_status ask_chain(const struct compare *c, uint64_t chain, json_t **answer)
{
    struct cola_run_chain view;
    cola_run_chain(c->run, chain, &view);
    json_t *line = cola_bench_request(&c->work->sample[c->sample_of[chain]], &view.node.chain);
    enum cola_status status = cola_bench_hf_ask(c->hf, line, answer);
    json_decref(line);
    return status;
}

struct sums { /* over the chains that were sent */
    double seconds, flops;
    uint64_t n_layers, n_tokens;
};

static enum cola_status add_answer(const struct compare *c, uint64_t chain, const json_t *answer,
                                   struct sums *sums, struct bench_pair *pair)
{
    const struct cola_sample *sample = &c->work->sample[c->sample_of[chain]];
    struct cola_run_chain view;
    struct cola_result ours;
    bool agrees;
    double difference, seconds = json_number_value(json_object_get(answer, "seconds"));
    uint32_t n_tokens = (uint32_t)json_array_size(json_object_get(answer, "tokens"));
    cola_run_chain(c->run, chain, &view);
    cola_run_result(c->run, chain, &ours);
    if (seconds <= 0)
        return cola_fail(COLA_ERR_INPUT, "the Hugging Face loop: its answer has no \"seconds\" above 0");
    COLA_TRY(cola_bench_agrees(sample, &ours, answer, &agrees, &difference));
    sums->seconds += seconds;
    sums->flops += cola_bench_their_flops(c->model, sample, &view.node.chain, n_tokens);
    sums->n_layers += view.node.chain.n_layers;
    sums->n_tokens += n_tokens;
    pair->n_theirs++;
    pair->n_agree += agrees;
    if (difference > pair->most_difference) pair->most_difference = difference;
    return COLA_OK;
}

static enum cola_status ask_and_add(const struct compare *c, uint64_t chain, bool warm_up, struct sums *sums,
                                    struct bench_pair *pair)
{
    json_t *answer = NULL;
    COLA_TRY(cola_bench_stopped());
    if (warm_up) {
        COLA_TRY(ask_chain(c, chain, &answer));
        json_decref(answer);
    }
    COLA_TRY(ask_chain(c, chain, &answer));
    enum cola_status status = add_answer(c, chain, answer, sums, pair);
    json_decref(answer);
    return status;
}

/* --- one pair ----------------------------------------------------------------------------------------- */

static enum cola_status open_run(struct compare *c, const char *path)
{
    COLA_TRY(cola_run_open(path, &c->run));
    COLA_TRY(cola_alloc((void **)&c->sample_of, cola_run_n_chains(c->run), sizeof *c->sample_of, "chains"));
    for (uint32_t i = 0; i < cola_run_n_samples(c->run); i++) {
        struct cola_run_sample sample;
        cola_run_sample(c->run, i, &sample);
        for (uint64_t k = 0; k < sample.n_chains; k++) c->sample_of[sample.first_chain + k] = sample.index;
    }
    return COLA_OK;
}

static void close_run(struct compare *c)
{
    cola_run_close(c->run);
    free(c->sample_of);
    c->run = NULL;
    c->sample_of = NULL;
}

static double mean_layers(const struct cola_run *run)
{
    uint64_t n = cola_run_n_chains(run), n_layers = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct cola_run_chain chain;
        cola_run_chain(run, i, &chain);
        n_layers += chain.node.chain.n_layers;
    }
    return (double)n_layers / (double)n;
}

/* The first `wanted` of a random order of all chains: different ones for each pair. */
static enum cola_status send_some(const struct compare *c, uint32_t index, struct sums *sums,
                                  struct bench_pair *pair)
{
    uint64_t n = cola_run_n_chains(c->run), wanted = c->n_chains < n ? c->n_chains : n, *order;
    struct cola_random random = cola_random_keyed(1, index, COLA_STREAM_BENCH);
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_alloc((void **)&order, n, sizeof *order, "chains"));
    for (uint64_t i = 0; i < n; i++) order[i] = i;
    for (uint64_t i = 0; i < wanted && status == COLA_OK; i++) {
        uint64_t other = i + cola_random_below(&random, n - i), chain = order[other];
        order[other] = order[i];
        status = ask_and_add(c, chain, i == 0, sums, pair);
    }
    free(order);
    return status;
}

/* The larger of the two figures that the loop measures: with a layer's matrices, and of a large square. */
static enum cola_status measure_their_peak(const struct compare *c, double *flops_s)
{
    json_t *answer;
    COLA_TRY(command(c->hf, "peak", &answer));
    double layer = json_number_value(json_object_get(answer, "gflops")),
           square = json_number_value(json_object_get(answer, "gflops_square"));
    json_decref(answer);
    *flops_s = 1e9 * (layer > square ? layer : square);
    if (*flops_s <= 0)
        return cola_fail(COLA_ERR_INPUT, "the Hugging Face loop: its peak is no number above 0");
    return COLA_OK;
}

static enum cola_status measure_pair(struct compare *c, const struct bench_round *ours, uint32_t index,
                                     struct bench_pair *pair)
{
    struct sums sums = {0};
    COLA_TRY(measure_their_peak(c, &pair->their_peak));
    COLA_TRY(send_some(c, index, &sums, pair));
    double n = (double)pair->n_theirs;
    pair->n_ours = cola_run_n_chains(c->run);
    pair->our_s = ours->wall_s / (double)pair->n_ours;
    pair->their_s = sums.seconds / n;
    pair->our_layers = mean_layers(c->run);
    pair->their_layers = (double)sums.n_layers / n;
    pair->their_tokens = (double)sums.n_tokens / n;
    pair->their_share = sums.flops / sums.seconds / pair->their_peak;
    pair->ratio = pair->their_s / pair->our_s;
    pair->ratio_by_layer = pair->ratio * pair->our_layers / pair->their_layers;
    return COLA_OK;
}

/* --- all ---------------------------------------------------------------------------------------------- */

static enum cola_status take_pairs(struct compare *c, struct bench_search *search, struct bench_round *round,
                                   struct bench_compare *out)
{
    for (uint32_t i = 0; i < out->n_pairs; i++) {
        COLA_TRY(cola_bench_search_round(search, &round[i]));
        enum cola_status status = open_run(c, cola_bench_search_run_path(search));
        if (status == COLA_OK) status = measure_pair(c, &round[i], i, &out->pair[i]);
        close_run(c);
        COLA_TRY(status);
        cola_log(COLA_LOG_INFO, "pair %u of %u: %.4f s a chain, the Hugging Face loop %.4f s", i + 1,
                 out->n_pairs, out->pair[i].our_s, out->pair[i].their_s);
    }
    return COLA_OK;
}

static enum cola_status summarise(struct bench_compare *c)
{
    double *value;
    COLA_TRY(cola_alloc((void **)&value, c->n_pairs, sizeof *value, "pairs"));
    for (uint32_t i = 0; i < c->n_pairs; i++) value[i] = c->pair[i].ratio;
    c->ratio = cola_bench_spread(value, c->n_pairs);
    for (uint32_t i = 0; i < c->n_pairs; i++) value[i] = c->pair[i].ratio_by_layer;
    c->ratio_by_layer = cola_bench_spread(value, c->n_pairs);
    for (uint32_t i = 0; i < c->n_pairs; i++) value[i] = c->pair[i].their_share;
    c->their_share = cola_bench_spread(value, c->n_pairs);
    for (uint32_t i = 0; i < c->n_pairs; i++) c->n_theirs += c->pair[i].n_theirs;
    for (uint32_t i = 0; i < c->n_pairs; i++) c->n_agree += c->pair[i].n_agree;
    free(value);
    return COLA_OK;
}

enum cola_status cola_bench_compare(const struct cola_options *options, const struct bench_work *work,
                                    const struct cola_model *model, uint32_t n_rounds,
                                    struct bench_round *round, struct bench_compare *out)
{
    struct bench_search *search = NULL;
    struct compare c = {
        .model = model, .work = work, .n_chains = (uint32_t)cola_options_uint(options, "compare-chains")};
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&out->pair, n_rounds, sizeof *out->pair, "pairs"));
    out->n_pairs = n_rounds;
    COLA_TRY_DONE(cola_bench_search_open(options, work->n_samples, &search));
    COLA_TRY_DONE(cola_bench_hf_open(options, &c.hf));
    COLA_TRY_DONE(command(c.hf, "info", &out->info));
    COLA_TRY_DONE(take_pairs(&c, search, round, out));
    COLA_TRY_DONE(summarise(out));
done:
    cola_bench_hf_close(c.hf);
    cola_bench_search_close(search);
    if (status != COLA_OK && cola_bench_stopped() != COLA_OK) status = COLA_ERR_STOPPED; /* the reason */
    return status;
}

enum cola_status cola_bench_compare_verdict(const struct bench_compare *c, bool exact)
{
    enum { LEAST_PERCENT = 90 }; /* sums in another order move an answer only where two are nearly equal */
    if (!exact || c->n_agree * 100 >= c->n_theirs * LEAST_PERCENT) return COLA_OK;
    return cola_fail(
        COLA_ERR_MISMATCH,
        "only %llu of %llu answers of the Hugging Face loop are ours, in f32: the ratio compares "
        "different work",
        (unsigned long long)c->n_agree, (unsigned long long)c->n_theirs);
}

void cola_bench_compare_fini(struct bench_compare *c)
{
    json_decref(c->info);
    free(c->pair);
    *c = (struct bench_compare){0};
}

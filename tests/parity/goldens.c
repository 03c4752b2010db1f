/* goldens.c - reads cases.json and expected.safetensors of a tiny model; see goldens.h. */
#include "parity/goldens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/mapped_file.h"
#include "model/safetensors.h"

struct goldens {
    struct cola_model *model;
    struct cola_mapped_file file;
    struct cola_safetensors expected;
    struct golden_case *item;
    size_t n_cases;
    uint32_t n_vocab;
};

static void *take(size_t n, size_t size)
{
    void *memory = calloc(n ? n : 1, size);
    assert_non_null(memory);
    return memory;
}

static int32_t *read_tokens(const json_t *list, uint32_t *n)
{
    *n = (uint32_t)json_array_size(list);
    int32_t *token = take(*n, sizeof *token);
    for (uint32_t i = 0; i < *n; i++) token[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return token;
}

static const float *find_logits(const struct goldens *g, const char *key)
{
    char name[64];
    snprintf(name, sizeof name, "%s_last_logits", key);
    for (size_t i = 0; i < g->expected.n_entries; i++)
        if (strcmp(g->expected.entry[i].name, name) == 0) return g->expected.entry[i].data;
    fail_msg("no tensor %s", name);
    return NULL;
}

static void read_case(const struct goldens *g, const json_t *root, const json_t *item,
                      struct golden_case *out)
{
    size_t p = (size_t)json_integer_value(json_object_get(item, "prompt"));
    const json_t *chain = json_object_get(item, "chain"),
                 *sums = json_object_get(item, "continuation_logprob");
    const json_t *continuations = json_array_get(json_object_get(root, "continuations"), p);
    uint32_t n_prompt, n = (uint32_t)json_array_size(continuations);
    int32_t *prompt = read_tokens(json_array_get(json_object_get(root, "prompts"), p), &n_prompt);
    cola_layer *layer = take(json_array_size(chain), sizeof *layer);
    for (size_t i = 0; i < json_array_size(chain); i++)
        layer[i] = (cola_layer)json_integer_value(json_array_get(chain, i));
    struct cola_tokens *vocabulary = take(g->n_vocab, sizeof *vocabulary),
                       *candidate = take(n, sizeof *candidate);
    int32_t *every = take(g->n_vocab, sizeof *every);
    double *logprob = take(n, sizeof *logprob);
    for (uint32_t t = 0; t < g->n_vocab; t++) {
        every[t] = (int32_t)t;
        vocabulary[t] = (struct cola_tokens){.token = &every[t], .n_tokens = 1};
    }
    for (uint32_t c = 0; c < n; c++) {
        candidate[c].token = read_tokens(json_array_get(continuations, c), &candidate[c].n_tokens);
        logprob[c] = json_number_value(json_array_get(sums, c));
    }
    *out = (struct golden_case){.chain = {.layer = layer, .n_layers = (uint32_t)json_array_size(chain)},
                                .logits = find_logits(g, json_string_value(json_object_get(item, "key"))),
                                .logprob = logprob};
    const json_t *greedy = json_object_get(item, "greedy"), *gaps = json_object_get(item, "greedy_gaps");
    static const int32_t stop[] = {2};
    if (json_is_array(greedy)) {
        double *gap = take(json_array_size(gaps), sizeof *gap);
        out->greedy = read_tokens(greedy, &out->n_greedy);
        for (uint32_t i = 0; i < out->n_greedy; i++) gap[i] = json_number_value(json_array_get(gaps, i));
        out->greedy_gap = gap;
        out->generate = (struct cola_sample){.prompt = prompt,
                                             .n_prompt_tokens = n_prompt,
                                             .rule = COLA_SCORE_GENERATE,
                                             .max_new_tokens = 6,
                                             .stop_token = stop,
                                             .n_stop_tokens = 1};
    }
    out->next = (struct cola_sample){.prompt = prompt,
                                     .n_prompt_tokens = n_prompt,
                                     .candidate = vocabulary,
                                     .n_candidates = g->n_vocab,
                                     .rule = COLA_SCORE_LETTER};
    out->loglik = (struct cola_sample){.prompt = prompt,
                                       .n_prompt_tokens = n_prompt,
                                       .candidate = candidate,
                                       .n_candidates = n,
                                       .rule = COLA_SCORE_LOGLIK};
}

struct goldens *goldens_open(const char *name)
{
    char path[512];
    struct goldens *g = take(1, sizeof *g);
    snprintf(path, sizeof path, "%s/models/%s", COLA_TEST_DATA, name);
    if (cola_model_open(path, &g->model) != COLA_OK) fail_msg("%s", cola_error_text());
    g->n_vocab = cola_model_config(g->model)->n_vocab;
    snprintf(path, sizeof path, "%s/models/%s/expected.safetensors", COLA_TEST_DATA, name);
    assert_int_equal(cola_mapped_file_open(path, UINT64_MAX, &g->file), COLA_OK);
    assert_int_equal(cola_safetensors_parse(g->file.bytes, g->file.n_bytes, path, &g->expected), COLA_OK);
    snprintf(path, sizeof path, "%s/models/%s/cases.json", COLA_TEST_DATA, name);
    json_t *root = json_load_file(path, 0, NULL), *cases = json_object_get(root, "cases");
    g->n_cases = json_array_size(cases);
    assert_true(g->n_cases > 0);
    g->item = take(g->n_cases, sizeof *g->item);
    for (size_t i = 0; i < g->n_cases; i++) read_case(g, root, json_array_get(cases, i), &g->item[i]);
    json_decref(root);
    return g;
}

void goldens_close(struct goldens *g)
{
    for (size_t i = 0; i < g->n_cases; i++) {
        struct golden_case *item = &g->item[i];
        free((void *)item->chain.layer);
        free((void *)item->next.prompt);
        free((void *)item->next.candidate[0].token);
        free((void *)item->next.candidate);
        for (uint32_t c = 0; c < item->loglik.n_candidates; c++)
            free((void *)item->loglik.candidate[c].token);
        free((void *)item->loglik.candidate);
        free((void *)item->logprob);
        free((void *)item->greedy);
        free((void *)item->greedy_gap);
    }
    free(g->item);
    cola_safetensors_fini(&g->expected);
    cola_mapped_file_close(&g->file);
    cola_model_close(g->model);
    free(g);
}

const struct cola_model *goldens_model(const struct goldens *g)
{
    return g->model;
}
size_t goldens_n_cases(const struct goldens *g)
{
    return g->n_cases;
}
const struct golden_case *goldens_case(const struct goldens *g, size_t i)
{
    return &g->item[i];
}

static size_t values_before(const struct goldens *g, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += g->n_vocab + 1 + g->item[i].loglik.n_candidates;
    return total;
}

size_t goldens_n_values(const struct goldens *g)
{
    return values_before(g, g->n_cases);
}

struct sink {
    const struct goldens *g;
    float *value;
};

/* Request 2 i is case i's logits, 2 i + 1 its continuations. */
static enum cola_status keep(void *user, const struct cola_result *result)
{
    struct sink *sink = user;
    size_t i = result->id / 2, at = values_before(sink->g, i);
    assert_int_equal(result->outcome, COLA_OUTCOME_SCORED);
    if (result->id % 2)
        at += sink->g->n_vocab + 1;
    else
        sink->value[at + sink->g->n_vocab] = result->logsumexp;
    memcpy(sink->value + at, result->score, result->n_scores * sizeof *result->score);
    return COLA_OK;
}

static void ok(enum cola_status status)
{
    if (status != COLA_OK) fail_msg("%s", cola_error_text());
}

void goldens_run(const struct goldens *g, struct cola_engine *engine, enum goldens_order order, float *value)
{
    struct sink sink = {.g = g, .value = value};
    size_t n = 2 * g->n_cases;
    for (size_t j = 0; j < n; j++) {
        size_t id =
            order == GOLDENS_SHUFFLED ? (j * 37 + 11) % n : j; /* 37 has no factor in common with 80 */
        const struct golden_case *item = &g->item[id / 2];
        struct cola_request request = {
            .id = id, .sample = id % 2 ? &item->loglik : &item->next, .chain = item->chain};
        while (cola_engine_room(engine) == 0) ok(cola_engine_step(engine, keep, &sink));
        ok(cola_engine_submit(engine, &request));
        while (order == GOLDENS_ALONE && cola_engine_n_pending(engine))
            ok(cola_engine_step(engine, keep, &sink));
    }
    while (cola_engine_n_pending(engine)) ok(cola_engine_step(engine, keep, &sink));
}

struct goldens_distance goldens_compare(const struct goldens *g, const float *value)
{
    struct goldens_distance most = {0, 0};
    for (size_t i = 0; i < g->n_cases; i++) {
        const struct golden_case *item = &g->item[i];
        for (uint32_t t = 0; t < g->n_vocab; t++)
            most.logit = fmax(most.logit, fabs((double)value[t] - item->logits[t]));
        value += g->n_vocab + 1;
        for (uint32_t c = 0; c < item->loglik.n_candidates; c++)
            most.logprob = fmax(most.logprob, fabs(value[c] - item->logprob[c]));
        value += item->loglik.n_candidates;
    }
    return most;
}

struct greedy_sink {
    const struct golden_case *item;
    double gap;
    size_t *n_compared;
};

static enum cola_status compare_greedy(void *user, const struct cola_result *result)
{
    const struct greedy_sink *sink = user;
    const struct golden_case *item = sink->item;
    for (uint32_t i = 0; i < item->n_greedy; i++) {
        if (item->greedy_gap[i] < sink->gap) return COLA_OK;
        if (i >= result->n_tokens || result->token[i] != item->greedy[i])
            fail_msg("token %u of %u is %d, transformers gave %d", i, result->n_tokens,
                     i < result->n_tokens ? result->token[i] : -1, item->greedy[i]);
        ++*sink->n_compared;
    }
    assert_int_equal(result->n_tokens, item->n_greedy);
    return COLA_OK;
}

size_t goldens_check_greedy(const struct goldens *g, struct cola_engine *engine, double gap)
{
    size_t n_compared = 0;
    for (size_t i = 0; i < g->n_cases; i++) {
        const struct golden_case *item = &g->item[i];
        if (!item->greedy) continue;
        struct greedy_sink sink = {.item = item, .gap = gap, .n_compared = &n_compared};
        struct cola_request request = {.sample = &item->generate, .chain = item->chain};
        ok(cola_engine_submit(engine, &request));
        while (cola_engine_n_pending(engine)) ok(cola_engine_step(engine, compare_greedy, &sink));
    }
    return n_compared;
}

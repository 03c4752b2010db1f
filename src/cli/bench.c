/* bench.c - `cola bench`: how fast this machine evaluates chains, beside the machine's own peak.
 *
 * Chains are those that the search visits (preset cola, told that nothing is right), so their lengths and
 * loops are real; each round repeats the same evaluations and the median round is shown with the spread. The
 * peak is a loop of fused multiply-adds on registers, measured before and after in the same run: machines are
 * shared, so only ratios of one run mean something. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cola/clock.h"
#include "cola/engine.h"
#include "cola/memory.h"
#include "cola/random.h"
#include "cola/search.h"

static const struct cola_option options_table[] = {
    COLA_ENGINE_OPTION_TABLE,
    {"tasks", COLA_OPTION_TEXT, "TASKS.h5", NULL, 0, 0, NULL,
     "its samples; without: random tokens, 4 continuations"},
    {"samples", COLA_OPTION_UINT, "N", "40", 1, 100000, NULL, "samples in flight"},
    {"chains", COLA_OPTION_UINT, "N", "3", 1, 10000, NULL, "chains of each sample"},
    {"prompt", COLA_OPTION_UINT, "T", "40", 1, 4096, NULL, "tokens of a random prompt"},
    {"continuation", COLA_OPTION_UINT, "T", "6", 1, 4096, NULL, "tokens of each random continuation"},
    {"rounds", COLA_OPTION_UINT, "N", "3", 1, 1000, NULL, "times that everything is measured"},
    {"json", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "the figures as one JSON object"},
};

static const struct cola_command command = {
    .name = "bench",
    .usage = "--model DIR [--tasks TASKS.h5] [options]",
    .about = "Measures evaluations per second, and the share of the machine's peak that the matrix products "
             "reach.",
    .option = options_table,
    .n_options = sizeof options_table / sizeof *options_table,
    .max_arguments = 0,
};

enum { N_CONTINUATIONS = 4 };

struct work {                   /* what is evaluated */
    struct cola_sample *sample; /* [n_samples]; borrowed parts from tasks or `token` and `candidate` */
    uint32_t n_samples;
    struct cola_chain *chain; /* [n_samples * n_chains] */
    cola_layer *layer;        /* rooms of the chains */
    uint32_t n_chains;
    int32_t *token;
    struct cola_tokens *candidate;
#ifdef COLA_HDF5
    struct cola_tasks *tasks;
#endif
};

struct figures {
    double peak_before, peak_after;          /* FLOP/s */
    double *evaluations_s, *product_flops_s; /* [n_rounds], sorted */
    uint32_t n_rounds;
    double rows_per_step, product_share_of_time, layers_s;
    struct cola_engine_info info;
};

static enum cola_status make_random_samples(struct work *w, const struct cola_options *o, uint32_t n_vocab)
{
    uint32_t prompt = (uint32_t)cola_options_uint(o, "prompt"),
             tail = (uint32_t)cola_options_uint(o, "continuation");
    uint32_t each = prompt + N_CONTINUATIONS * tail;
    w->n_samples = (uint32_t)cola_options_uint(o, "samples");
    COLA_TRY(cola_alloc((void **)&w->sample, w->n_samples, sizeof *w->sample, "samples"));
    COLA_TRY(cola_alloc((void **)&w->token, (size_t)w->n_samples * each, sizeof *w->token, "tokens"));
    COLA_TRY(cola_alloc((void **)&w->candidate, (size_t)w->n_samples * N_CONTINUATIONS, sizeof *w->candidate,
                        "tokens"));
    for (uint32_t s = 0; s < w->n_samples; s++) {
        struct cola_random random = cola_random_keyed(0, s, COLA_STREAM_SYNTHETIC);
        int32_t *token = w->token + (size_t)s * each;
        struct cola_tokens *candidate = w->candidate + (size_t)s * N_CONTINUATIONS;
        for (uint32_t i = 0; i < each; i++) token[i] = (int32_t)cola_random_below(&random, n_vocab);
        for (uint32_t c = 0; c < N_CONTINUATIONS; c++)
            candidate[c] = (struct cola_tokens){.token = token + prompt + c * tail, .n_tokens = tail};
        w->sample[s] = (struct cola_sample){.index = s,
                                            .prompt = token,
                                            .n_prompt_tokens = prompt,
                                            .candidate = candidate,
                                            .n_candidates = N_CONTINUATIONS,
                                            .gold = -1,
                                            .rule = COLA_SCORE_LOGLIK};
    }
    return COLA_OK;
}

static enum cola_status take_samples(struct work *w, const struct cola_options *o, uint32_t n_vocab)
{
    const char *path = cola_options_string(o, "tasks");
    if (!path[0]) return make_random_samples(w, o, n_vocab);
#ifdef COLA_HDF5
    COLA_TRY(cola_tasks_open(path, &w->tasks));
    uint32_t n = cola_tasks_info(w->tasks)->n_samples, wanted = (uint32_t)cola_options_uint(o, "samples");
    if (n == 0) return cola_fail(COLA_ERR_INPUT, "%s: holds no samples", path);
    w->n_samples = wanted < n ? wanted : n;
    COLA_TRY(cola_alloc((void **)&w->sample, w->n_samples, sizeof *w->sample, "samples"));
    for (uint32_t s = 0; s < w->n_samples; s++) w->sample[s] = *cola_tasks_sample(w->tasks, s);
    return COLA_OK;
#else
    return cola_fail(COLA_ERR_UNSUPPORTED, "--tasks: this build has no HDF5");
#endif
}

/* The first n_chains chains of each sample's search, as if no answer were right. */
static enum cola_status take_chains(struct work *w, uint32_t n_chains, uint32_t n_model_layers)
{
    struct cola_search_options options;
    size_t room = COLA_CHAIN_MAX(n_model_layers);
    COLA_TRY(cola_search_preset("cola", &options));
    options.n_simulations = n_chains;
    w->n_chains = n_chains;
    COLA_TRY(cola_alloc((void **)&w->chain, (size_t)w->n_samples * n_chains, sizeof *w->chain, "chains"));
    COLA_TRY(
        cola_alloc((void **)&w->layer, (size_t)w->n_samples * n_chains * room, sizeof *w->layer, "chains"));
    cola_layer *layer = w->layer;
    for (uint32_t s = 0; s < w->n_samples; s++) {
        struct cola_search *search;
        struct cola_verdict wrong = {.prediction = 0, .reward = 0};
        struct cola_chain chain = {NULL, 0};
        uint32_t ticket;
        COLA_TRY(cola_search_create(&options, n_model_layers, s, &search));
        for (uint32_t c = 0; c < n_chains; c++, layer += room) {
            bool more = cola_search_ask(search, &ticket, &chain) == COLA_ASK_CHAIN;
            if (!more)
                chain = cola_chain_base(n_model_layers, layer); /* a tiny model's tree may end early */
            else
                memcpy(layer, chain.layer, chain.n_layers * sizeof *layer);
            w->chain[(size_t)s * n_chains + c] = (struct cola_chain){layer, chain.n_layers};
            if (more) cola_search_tell(search, ticket, &wrong);
        }
        cola_search_destroy(search);
    }
    return COLA_OK;
}

static enum cola_status drop_result(void *user, const struct cola_result *result)
{
    (void)user;
    (void)result;
    return COLA_OK;
}

static enum cola_status run_round(struct cola_engine *engine, const struct work *w)
{
    size_t n = (size_t)w->n_samples * w->n_chains;
    for (size_t i = 0; i < n; i++) {
        size_t s = i % w->n_samples, c = i / w->n_samples;
        struct cola_request request = {
            .id = i, .sample = &w->sample[s], .chain = w->chain[s * w->n_chains + c]};
        while (cola_engine_room(engine) == 0) COLA_TRY(cola_engine_step(engine, drop_result, NULL));
        COLA_TRY(cola_engine_submit(engine, &request));
    }
    while (cola_engine_n_pending(engine)) COLA_TRY(cola_engine_step(engine, drop_result, NULL));
    return COLA_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static enum cola_status measure(struct cola_engine *engine, const struct work *w, struct figures *f)
{
    struct cola_engine_counters first, before, after;
    size_t n = (size_t)w->n_samples * w->n_chains;
    cola_engine_info(engine, &f->info);
    COLA_TRY(run_round(engine, w)); /* warms caches and grows buffers; not counted */
    f->peak_before = cola_engine_measure_peak(engine, 0.5);
    cola_engine_counters(engine, &first);
    for (uint32_t r = 0; r < f->n_rounds; r++) {
        double start = cola_clock_s();
        cola_engine_counters(engine, &before);
        COLA_TRY(run_round(engine, w));
        cola_engine_counters(engine, &after);
        f->evaluations_s[r] = (double)n / (cola_clock_s() - start);
        f->product_flops_s[r] = (after.product_flops - before.product_flops) /
                                (after.phase_s[COLA_PHASE_PRODUCTS] - before.phase_s[COLA_PHASE_PRODUCTS]);
    }
    f->rows_per_step =
        (double)(after.n_rows - first.n_rows) / (double)(after.n_layer_steps - first.n_layer_steps);
    f->product_share_of_time = (after.phase_s[COLA_PHASE_PRODUCTS] - first.phase_s[COLA_PHASE_PRODUCTS]) /
                               (after.seconds - first.seconds);
    f->layers_s = (double)(after.layers_executed - first.layers_executed) / (after.seconds - first.seconds);
    f->peak_after = cola_engine_measure_peak(engine, 0.5);
    qsort(f->evaluations_s, f->n_rounds, sizeof(double), by_value);
    qsort(f->product_flops_s, f->n_rounds, sizeof(double), by_value);
    return COLA_OK;
}

static double median(const double *sorted, uint32_t n)
{
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

static void print_text(const struct figures *f, const struct work *w)
{
    uint32_t last = f->n_rounds - 1;
    double peak = f->peak_before > f->peak_after ? f->peak_before : f->peak_after;
    double products = median(f->product_flops_s, f->n_rounds);
    printf("back end           %s (%s), numerics %s\n", f->info.backend, f->info.device, f->info.numerics_id);
    printf("work               %u samples x %u chains, %u rounds\n", w->n_samples, w->n_chains, f->n_rounds);
    printf("evaluations/s      %.2f (rounds %.2f .. %.2f)\n", median(f->evaluations_s, f->n_rounds),
           f->evaluations_s[0], f->evaluations_s[last]);
    printf("layers/s           %.1f\n", f->layers_s);
    printf("rows per layer     %.1f\n", f->rows_per_step);
    printf("products           %.1f GFLOP/s (rounds %.1f .. %.1f), %.0f %% of the time\n", products / 1e9,
           f->product_flops_s[0] / 1e9, f->product_flops_s[last] / 1e9, 100 * f->product_share_of_time);
    if (peak > 0) {
        printf("peak               %.1f GFLOP/s before, %.1f after (registers only, all threads)\n",
               f->peak_before / 1e9, f->peak_after / 1e9);
        printf("share of the peak  %.1f %%\n", 100 * products / peak);
    }
}

static enum cola_status print_json(const struct figures *f, const struct work *w)
{
    double peak = f->peak_before > f->peak_after ? f->peak_before : f->peak_after;
    double products = median(f->product_flops_s, f->n_rounds);
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "backend", f->info.backend,
                  "device", f->info.device, "numerics_id", f->info.numerics_id, "samples", (int)w->n_samples,
                  "chains", (int)w->n_chains, "rounds", (int)f->n_rounds, "evaluations_per_s",
                  median(f->evaluations_s, f->n_rounds), "layers_per_s", f->layers_s, "rows_per_layer",
                  f->rows_per_step, "product_flops_per_s", products, "peak_flops_per_s", peak,
                  "share_of_peak", peak > 0 ? products / peak : 0);
    if (!root) return cola_fail(COLA_ERR_MEMORY, "JSON: out of memory");
    json_dumpf(root, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(root);
    return COLA_OK;
}

static enum cola_status bench_main(const struct cola_options *options)
{
    struct cola_model *model = NULL;
    struct cola_engine *engine = NULL;
    struct cola_engine_options engine_options;
    struct work work = {0};
    struct figures figures = {.n_rounds = (uint32_t)cola_options_uint(options, "rounds")};
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_cli_engine_options(options, &engine_options));
    COLA_TRY_DONE(cola_model_open(cola_options_string(options, "model"), &model));
    COLA_TRY_DONE(take_samples(&work, options, cola_model_config(model)->n_vocab));
    COLA_TRY_DONE(take_chains(&work, (uint32_t)cola_options_uint(options, "chains"),
                              cola_model_config(model)->n_layers));
    COLA_TRY_DONE(cola_alloc((void **)&figures.evaluations_s, figures.n_rounds, sizeof(double), "rounds"));
    COLA_TRY_DONE(cola_alloc((void **)&figures.product_flops_s, figures.n_rounds, sizeof(double), "rounds"));
    COLA_TRY_DONE(cola_engine_create(model, &engine_options, &engine));
    COLA_TRY_DONE(measure(engine, &work, &figures));
    if (cola_options_flag(options, "json"))
        COLA_TRY_DONE(print_json(&figures, &work));
    else
        print_text(&figures, &work);
done:
    cola_engine_destroy(engine);
    cola_model_close(model);
#ifdef COLA_HDF5
    cola_tasks_close(work.tasks);
#endif
    free(work.sample);
    free(work.chain);
    free(work.layer);
    free(work.token);
    free(work.candidate);
    free(figures.evaluations_s);
    free(figures.product_flops_s);
    return status;
}

int cola_command_bench(int argc, char **argv)
{
    struct cola_options *options;
    int exit_status;
    if (!cola_cli_begin(&command, argc, argv, &options, &exit_status)) return exit_status;
    exit_status = cola_cli_end(bench_main(options));
    cola_options_destroy(options);
    return exit_status;
}

/* bench.c - `cola bench`: how fast this machine searches, beside what it could do.
 *
 * With --tasks a round is a whole search; with --engine-only, without --tasks or in a build without HDF5 it
 * is the engine alone with the chains that a search would visit. Shares of the peak are of a loop of fused
 * multiply-adds on registers, measured before and after each round: machines are shared, so only ratios of
 * one run mean something. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/launcher.h"
#include "cola/memory.h"
#include "cola/search.h"

static const struct cola_option options_table[] = {
    COLA_ENGINE_OPTION_TABLE,
    {"tasks", COLA_OPTION_TEXT, "TASKS.h5", NULL, 0, 0, NULL,
     "its first samples are searched; without: random tokens through the engine alone"},
    {"samples", COLA_OPTION_UINT, "N", "40", 1, 100000, NULL, "samples; of a shorter task file all"},
    {"simulations", COLA_OPTION_UINT, "N", "8", 1, 1e6, NULL, "simulations a sample"},
    {"rounds", COLA_OPTION_UINT, "N", "3", 1, 1000, NULL, "times that everything is measured"},
    {"preset", COLA_OPTION_CHOICE, NULL, "cola", 0, 0, cola_search_presets, "policy and its numbers"},
    {"in-flight", COLA_OPTION_UINT, "N", NULL, 1, 1e6, NULL, "requests in the engine; default: the engine's"},
    {"speculate", COLA_OPTION_UINT, "W", "1", 1, COLA_SPECULATE_MAX, NULL,
     "chains of one sample that may be out at once, on guesses; those in vain cost time and are not counted"},
    {"state-memory", COLA_OPTION_UINT, "MIB", NULL, 0, 1e9, NULL,
     "for states that chains of a sample share; 0: none; default: as cola search"},
    {"engine-only", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "no trees, messages or journal"},
    {"score", COLA_OPTION_CHOICE, NULL, "loglik", 0, 0, "letter|loglik|generate",
     "score rule of random samples; letter, loglik: 4 candidates"},
    {"prompt", COLA_OPTION_UINT, "T", "40", 1, 4096, NULL, "tokens of a random prompt"},
    {"continuation", COLA_OPTION_UINT, "T", "6", 1, 4096, NULL, "loglik: tokens of a random candidate"},
    {"max-new-tokens", COLA_OPTION_UINT, "T", "10", 1, 4096, NULL,
     "generate: tokens of a random sample's answer"},
    {"compare", COLA_OPTION_CHOICE, NULL, "none", 0, 0, "none|HF",
     "HF: each round, then the Hugging Face loop on some of its chains (jobs/setup.sh compare)"},
    {"compare-chains", COLA_OPTION_UINT, "N", "60", 1, 1e6, NULL, "how many of them, drawn at random"},
    {"hf-command", COLA_OPTION_TEXT, "COMMAND", NULL, 0, 0, NULL,
     "that loop; default: .venv/bin/cola-hf-loop, or cola-hf-loop"},
    {"json", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "the figures as one JSON object"},
};

const struct cola_command cola_bench_command = {
    .name = "bench",
    .usage = "--model DIR [--tasks TASKS.h5] [options]",
    .about = "Measures whole searches in this process: evaluations per second, reuse, the share of the "
             "machine's peak "
             "that\n"
             "the matrix products reach, where the time goes, and how much of it the executed layers need at "
             "the peak. "
             "Files\n"
             "go to a folder in $TMPDIR, or beside TASKS.h5, which is removed afterwards.",
    .option = options_table,
    .n_options = sizeof options_table / sizeof *options_table,
    .max_arguments = 0,
};

/* Options that say nothing where another one is or is not: ignoring them would measure something else than
 * was asked for. */
static enum cola_status check_pairs(const struct cola_options *o)
{
    const char *score = cola_options_string(o, "score");
    bool tasks = cola_options_string(o, "tasks")[0], search = tasks && !cola_options_flag(o, "engine-only");
    bool compare = strcmp(cola_options_string(o, "compare"), "HF") == 0;
    const struct {
        const char *name;
        bool good;
        const char *why;
    } rule[] = {
        {"score", !tasks, "is of random samples; --tasks brings its own score rule"},
        {"prompt", !tasks, "is of random samples; --tasks brings its own prompts"},
        {"continuation", !tasks && strcmp(score, "loglik") == 0,
         "is of random samples with --score loglik, without --tasks"},
        {"max-new-tokens", !tasks && strcmp(score, "generate") == 0,
         "is of random samples with --score generate, without --tasks"},
        {"speculate", search, "is of a search: it needs --tasks, and no --engine-only"},
        {"compare-chains", compare, "needs --compare HF"},
        {"hf-command", compare, "needs --compare HF"},
    };
    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++)
        if (cola_options_given(o, rule[i].name) && !rule[i].good)
            return cola_fail(COLA_ERR_USAGE, "--%s %s", rule[i].name, rule[i].why);
    if (compare && !search)
        return cola_fail(
            COLA_ERR_USAGE,
            "--compare HF: needs --tasks, and no --engine-only: chains of a search are compared");
    return COLA_OK;
}

/* Each rank would measure a machine that the others load, and print its own figures. */
static enum cola_status check_alone(void)
{
    long n_ranks = cola_cli_n_ranks();
    if (n_ranks <= 1) return COLA_OK;
    return cola_fail(COLA_ERR_USAGE,
                     "cola bench measures one process, but %ld ranks were started: run it without mpirun (or "
                     "with -n 1); a search on several ranks is measured by `mpirun -n R cola search`, whose "
                     "summary has the evaluations/s",
                     n_ranks);
}

static enum cola_status engine_alone(const struct cola_options *o, const struct cola_model *model,
                                     struct bench_work *work, uint32_t n_rounds, struct bench_round *round)
{
    struct cola_engine *engine = NULL;
    struct cola_engine_options options;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_cli_engine_options(o, &options));
    options.max_requests = (uint32_t)cola_options_uint(o, "in-flight");
    COLA_TRY_DONE(cola_cli_state_memory(o, &options));
    COLA_TRY_DONE(cola_bench_chains(o, cola_model_config(model)->n_layers, work));
    options.demand = cola_bench_demand(work);
    COLA_TRY_DONE(cola_engine_create(model, &options, &engine));
    cola_bench_watch_signals(); /* before, a signal ends the process as it ends any */
    COLA_TRY_DONE(cola_bench_engine_rounds(engine, work, n_rounds, round));
done:
    cola_engine_destroy(engine);
    return status;
}

#ifdef COLA_HDF5
static enum cola_status whole_search(const struct cola_options *o, const struct bench_work *work,
                                     uint32_t n_rounds, struct bench_round *round)
{
    struct bench_search *search;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_bench_search_open(o, work->n_samples, &search));
    for (uint32_t r = 0; r < n_rounds && status == COLA_OK; r++)
        status = cola_bench_search_round(search, &round[r]);
    cola_bench_search_close(search);
    return status;
}

static enum cola_status measure(const struct cola_options *o, const struct cola_model *model,
                                struct bench_work *work, struct bench_report *report,
                                struct bench_round *round, struct bench_compare *compare)
{
    if (report->engine_only) return engine_alone(o, model, work, report->n_rounds, round);
    cola_bench_watch_signals(); /* a signal ends the search in order, so that its files go away */
    if (strcmp(cola_options_string(o, "compare"), "HF") != 0)
        return whole_search(o, work, report->n_rounds, round);
    report->compare = compare;
    return cola_bench_compare(o, work, model, report->n_rounds, round, compare);
}
#else
static enum cola_status measure(const struct cola_options *o, const struct cola_model *model,
                                struct bench_work *work, struct bench_report *report,
                                struct bench_round *round, struct bench_compare *compare)
{
    (void)compare;
    return engine_alone(o, model, work, report->n_rounds, round);
}
#endif

static enum cola_status print(const struct bench_report *report, const struct cola_options *o)
{
    if (cola_options_flag(o, "json"))
        COLA_TRY(cola_bench_json(report));
    else
        cola_bench_text(report);
#ifdef COLA_HDF5
    bool exact = strcmp(cola_options_string(o, "dtype"), "f32") == 0;
    if (report->compare) return cola_bench_compare_verdict(report->compare, exact);
#endif
    return COLA_OK;
}

static enum cola_status bench_main(const struct cola_options *o)
{
    struct cola_engine_options engine; /* read here for its checks */
    struct cola_model *model = NULL;
    struct bench_work work = {0};
    struct bench_round *round = NULL;
    struct bench_compare compare = {0};
    const char *tasks = cola_options_string(o, "tasks");
    struct bench_report report = {.engine_only = !tasks[0] || cola_options_flag(o, "engine-only"),
                                  .tasks_path = tasks[0] ? tasks : NULL,
                                  .preset = cola_options_string(o, "preset"),
                                  .n_simulations = (uint32_t)cola_options_uint(o, "simulations"),
                                  .n_rounds = (uint32_t)cola_options_uint(o, "rounds")};
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(check_alone());
    COLA_TRY_DONE(check_pairs(o));
    COLA_TRY_DONE(cola_cli_engine_options(o, &engine));
    COLA_TRY_DONE(cola_cli_state_memory(o, &engine));
    COLA_TRY_DONE(cola_model_open(cola_options_string(o, "model"), &model));
    COLA_TRY_DONE(cola_bench_samples(o, cola_model_config(model)->n_vocab, &work));
    COLA_TRY_DONE(cola_alloc((void **)&round, report.n_rounds, sizeof *round, "rounds"));
    report.n_samples = work.n_samples;
    report.round = round;
    COLA_TRY_DONE(measure(o, model, &work, &report, round, &compare));
    COLA_TRY_DONE(print(&report, o));
done:
#ifdef COLA_HDF5
    cola_bench_compare_fini(&compare);
#endif
    cola_bench_work_fini(&work);
    cola_model_close(model);
    free(round);
    return status;
}

int cola_command_bench(int argc, char **argv)
{
    struct cola_options *options;
    int exit_status;
    if (!cola_cli_begin(&cola_bench_command, argc, argv, &options, &exit_status)) return exit_status;
    enum cola_status status = bench_main(options);
    bool said = status == COLA_ERR_USAGE && !cola_cli_prints(); /* by rank 0 */
    exit_status = said ? COLA_EXIT_USAGE : cola_cli_end(status);
    if (status == COLA_ERR_STOPPED) exit_status = COLA_EXIT_FAILED; /* there is nothing to resume */
    cola_options_destroy(options);
    return exit_status;
}

/* search_setup_hdf5.c - the option table of `cola search` and its reading. Opens nothing. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/engine_options.h"
#include "cli/evaluator_options.h"
#include "cli/search_setup.h"
#include "cola/clock.h"

static const struct cola_option table[] = {
    COLA_ENGINE_OPTION_TABLE,
    {"out", COLA_OPTION_TEXT, "RUN.h5", NULL, 0, 0, NULL,
     "the result; its journal is written beside it as RUN.h5.journal; needed"},
    {"resume", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "go on where OUT was stopped or killed"},
    {"preset", COLA_OPTION_CHOICE, NULL, "cola", 0, 0, cola_search_presets, "policy and its numbers"},
    {"simulations", COLA_OPTION_UINT, "N", NULL, 1, 1e6, NULL, "simulations a sample; default: the preset's"},
    {"space", COLA_OPTION_CHOICE, NULL, "both", 0, 0, "both|skip|repeat", "edits that a search may make"},
    {"seed", COLA_OPTION_UINT, "N", "0", 0, 1e18, NULL, "seed of all random numbers"},
    {"samples", COLA_OPTION_TEXT, "A:B", NULL, 0, 0, NULL,
     "rows A .. B-1 of the tasks, from 0; A: and :B too"},
    {"shard", COLA_OPTION_TEXT, "i/N", NULL, 0, 0, NULL, "the i-th of N equal parts of the rows, from 0"},
    {"control", COLA_OPTION_CHOICE, NULL, "none", 0, 0, "none|wrong-answer",
     "search for a wrong answer drawn by the seed, without choices for another sample's: what chance finds"},
    {"metric", COLA_OPTION_CHOICE, NULL, "acc", 0, 0, "acc|acc_norm",
     "loglik: compare sums, or sums per byte of the choice"},
    {"memo", COLA_OPTION_TEXT, "RUN.h5", NULL, 0, 0, NULL,
     "take what another run of this model and these tasks evaluated"},
    {"in-flight", COLA_OPTION_UINT, "N", NULL, 1, 1e6, NULL,
     "requests in each worker's engine; default: the engine's"},
    {"state-memory", COLA_OPTION_UINT, "MIB", NULL, 0, 1e9, NULL,
     "of --memory, for states that chains of a sample share; 0: none; default: all that is left"},
    {"no-share-weights", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "a copy of the weights for every worker, not one for those of a node"},
    {"speculate", COLA_OPTION_UINT, "W", "1", 1, COLA_SPECULATE_MAX, NULL,
     "chains of one sample that may be out at once, on guesses: for more workers than samples. Changes no "
     "result"},
    {"time-limit", COLA_OPTION_REAL, "SECONDS", NULL, 0, 1e9, NULL,
     "from then on no new work: finish what runs, save, exit 75"},
    {"max-skip", COLA_OPTION_UINT, "N", NULL, 1, 255, NULL, "longest block to skip; default: the preset's"},
    {"max-block", COLA_OPTION_UINT, "N", NULL, 1, 255, NULL,
     "longest block to repeat; default: the preset's"},
    {"max-times", COLA_OPTION_UINT, "N", NULL, 1, 255, NULL,
     "most passes added to it; default: the preset's"},
    {"min-length", COLA_OPTION_REAL, "X", NULL, 0, 4, NULL,
     "shortest chain, in multiples of the model's layers; default: the preset's"},
    {"max-length", COLA_OPTION_REAL, "X", NULL, 0, 4, NULL, "longest chain, likewise"},
    {"exploration", COLA_OPTION_REAL, "C", NULL, 0, 1e6, NULL,
     "c of the selection rule; default: the preset's"},
    {"length-penalty", COLA_OPTION_REAL, "LAMBDA", NULL, 0, 1e6, NULL, "lambda of it; default: the preset's"},
    {"epsilon", COLA_OPTION_REAL, "P", NULL, 0, 1, NULL,
     "probability of a new edit at an inner node; default: the preset's"},
    {"events", COLA_OPTION_TEXT, "FILE", NULL, 0, 0, NULL,
     "append what happens as JSON lines (docs/watching.md); -: to stdout"},
    {"events-interval", COLA_OPTION_REAL, "S", "60", 0.01, 1e6, NULL,
     "--events: seconds between lines of progress"},
    {"quiet", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "no progress, no summary"},
    COLA_EVALUATOR_OPTION_TABLE,
};

const struct cola_command cola_search_command = {
    .name = "search",
    .usage = "TASKS.h5 --model DIR --out RUN.h5 [options]",
    .about =
        "Searches, for every sample of TASKS.h5, the chains of layers of a model, by Monte Carlo tree search "
        "or\n"
        "another policy (--preset). Under `mpirun -n R` (or srun) rank 0 is the master and R-1 ranks are "
        "workers;\n"
        "without, one process does both. The outcome is the same, bit for bit, for any R, threads and back "
        "end.\n"
        "USR1 or --time-limit: finish what runs, save, exit 75. TERM, INT: save at once, exit 75; but "
        "mpirun\n"
        "passes on only USR1, and on TERM or INT ends the ranks itself and exits 1, with what was saved "
        "until then.\n"
        "All go on with --resume; so does a killed run. Exit status: 0 done, 1 failed, 2 usage, 75 stopped.",
    .option = table,
    .n_options = sizeof table / sizeof *table,
    .min_arguments = 1,
    .max_arguments = 1,
};

static void override_uint(const struct cola_options *o, const char *name, uint32_t *number)
{
    if (cola_options_given(o, name)) *number = (uint32_t)cola_options_uint(o, name);
}

static void override_real(const struct cola_options *o, const char *name, double *number)
{
    if (cola_options_given(o, name)) *number = cola_options_real(o, name);
}

static enum cola_status read_policy(const struct cola_options *o, struct search_setup *s)
{
    struct cola_search_options *search = &s->search;
    s->preset = cola_options_string(o, "preset");
    COLA_TRY(cola_search_preset(s->preset, search));
    s->space = cola_options_string(o, "space");
    search->seed = cola_options_uint(o, "seed");
    search->speculate = (uint32_t)cola_options_uint(o, "speculate");
    search->space = strcmp(s->space, "skip") == 0     ? COLA_SPACE_SKIP
                    : strcmp(s->space, "repeat") == 0 ? COLA_SPACE_REPEAT
                                                      : COLA_SPACE_BOTH;
    override_uint(o, "simulations", &search->n_simulations);
    override_uint(o, "max-skip", &search->max_skip);
    override_uint(o, "max-block", &search->max_block);
    override_uint(o, "max-times", &search->max_times);
    override_real(o, "min-length", &search->min_length);
    override_real(o, "max-length", &search->max_length);
    override_real(o, "exploration", &search->exploration);
    override_real(o, "length-penalty", &search->length_penalty);
    override_real(o, "epsilon", &search->epsilon);
    if (search->min_length > 1 || search->max_length < 1)
        return cola_fail(COLA_ERR_USAGE,
                         "--min-length %g --max-length %g: the base chain (1) must be within these bounds",
                         search->min_length, search->max_length);
    return cola_search_check(search);
}

/* One whole number at *text, moved behind it. */
static bool read_number(const char **text, uint64_t *number)
{
    char *end;
    if (**text < '0' || **text > '9') return false;
    *number = strtoull(*text, &end, 10);
    *text = end;
    return *number < UINT32_MAX;
}

static enum cola_status read_samples(const char *text, struct search_setup *s)
{
    const char *at = text;
    bool good = *at == ':' || read_number(&at, &s->first);
    good = good && *at++ == ':';
    if (good && *at) good = read_number(&at, &s->end) && !*at;
    if (!good || s->first >= s->end)
        return cola_fail(COLA_ERR_USAGE, "--samples %s: not A:B with A < B (rows from 0, B not included)",
                         text);
    return COLA_OK;
}

static enum cola_status read_shard(const char *text, struct search_setup *s)
{
    const char *at = text;
    bool good = read_number(&at, &s->shard) && *at++ == '/';
    good = good && read_number(&at, &s->shards) && !*at;
    if (!good || s->shard >= s->shards)
        return cola_fail(COLA_ERR_USAGE, "--shard %s: not i/N with i < N (parts from 0)", text);
    return COLA_OK;
}

static enum cola_status read_rows(const struct cola_options *o, struct search_setup *s)
{
    bool samples = cola_options_given(o, "samples"), shard = cola_options_given(o, "shard");
    s->end = UINT64_MAX;
    if (samples) COLA_TRY(read_samples(cola_options_string(o, "samples"), s));
    if (shard) COLA_TRY(read_shard(cola_options_string(o, "shard"), s));
    if (samples && shard) return cola_fail(COLA_ERR_USAGE, "--samples and --shard: give one of the two");
    return COLA_OK;
}

static enum cola_status need(const struct cola_options *o, const char *name, const char **text)
{
    *text = cola_options_string(o, name);
    if (!**text)
        return cola_fail(COLA_ERR_USAGE, "--%s is needed: cola search %s", name, cola_search_command.usage);
    return COLA_OK;
}

/* All but who evaluates; s->model_dir is set. */
static enum cola_status read_work(const struct cola_options *o, struct search_setup *s)
{
    s->tasks_path = cola_options_argument(o, 0);
    COLA_TRY(read_policy(o, s));
    COLA_TRY(read_rows(o, s));
    s->control = cola_options_string(o, "control");
    s->metric = cola_options_string(o, "metric");
    s->worker.model_dir = s->model_dir;
    s->worker.search = s->search;
    s->worker.engine.max_requests = (uint32_t)cola_options_uint(o, "in-flight");
    COLA_TRY(cola_cli_state_memory(o, &s->worker.engine));
    s->worker.own_weights = cola_options_flag(o, "no-share-weights");
    return COLA_OK;
}

enum cola_status cola_search_work(const struct cola_options *o, struct search_setup *out)
{
    struct search_setup s = {.model_dir = cola_options_string(o, "model")};
    COLA_TRY(cola_cli_engine_options(o, &s.worker.engine));
    COLA_TRY(read_work(o, &s));
    *out = s;
    return COLA_OK;
}

enum cola_status cola_search_setup(const struct cola_options *o, double began_s, struct search_setup *out)
{
    struct search_setup s = {0};
    COLA_TRY(cola_cli_evaluator(o, cola_options_argument(o, 0), &s.model_dir, &s.worker));
    if (cola_options_given(o, "events-interval") && !cola_options_given(o, "events"))
        return cola_fail(COLA_ERR_USAGE, "--events-interval says nothing without --events: leave it out");
    COLA_TRY(read_work(o, &s));
    COLA_TRY(need(o, "out", &s.run_path));
    s.memo_path = cola_options_given(o, "memo") ? cola_options_string(o, "memo") : NULL;
    if (cola_options_given(o, "time-limit")) s.stop_at_s = began_s + cola_options_real(o, "time-limit");
    s.resume = cola_options_flag(o, "resume");
    s.quiet = cola_options_flag(o, "quiet");
    if (cola_options_given(o, "events")) s.events_path = cola_options_string(o, "events");
    s.events_interval_s = cola_options_real(o, "events-interval");
    *out = s;
    return COLA_OK;
}

enum cola_status cola_search_rows(const struct search_setup *s, uint32_t n_rows, uint32_t *first, uint32_t *n)
{
    uint64_t from = s->first, to = s->end == UINT64_MAX ? n_rows : s->end;
    if (s->shards) {
        from = (uint64_t)n_rows * s->shard / s->shards;
        to = (uint64_t)n_rows * (s->shard + 1) / s->shards;
    }
    if (s->shards > n_rows)
        return cola_fail(COLA_ERR_USAGE, "--shard: %s has %u rows, fewer than %" PRIu64 " shards",
                         s->tasks_path, n_rows, (uint64_t)s->shards);
    if (to > n_rows || from >= to)
        return cola_fail(COLA_ERR_USAGE, "--%s: rows %" PRIu64 ":%" PRIu64 " are asked for, %s has %u",
                         s->shards ? "shard" : "samples", from, to, s->tasks_path, n_rows);
    *first = (uint32_t)from;
    *n = (uint32_t)(to - from);
    return COLA_OK;
}

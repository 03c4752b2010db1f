/* evaluator_options.c - see evaluator_options.h. */
#include "cli/evaluator_options.h"

#include <string.h>

#include "cli/engine_options.h"

static enum cola_status refuse_given(const struct cola_options *o, const char *const *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cola_options_given(o, name[i]))
            return cola_fail(COLA_ERR_USAGE, "--%s says nothing to --evaluator %s: leave it out", name[i],
                             cola_options_string(o, "evaluator"));
    return COLA_OK;
}

/* What goes only with one kind of evaluator. */
static enum cola_status refuse_unused(const struct cola_options *o, bool engine, bool recorded)
{
    static const char *const of_engine[] = {
        "model",        "backend",          "isa",          "dtype", "bf16-products", "threads", "memory",
        "state-memory", "no-share-weights", "ranks-per-gpu"};
    static const char *const of_synthetic[] = {"synthetic-optima", "synthetic-layers"};
    static const char *const of_others[] = {"latency-ms", "latency-spread"};
    if (!engine) COLA_TRY(refuse_given(o, of_engine, sizeof of_engine / sizeof *of_engine));
    if (engine) COLA_TRY(refuse_given(o, of_others, sizeof of_others / sizeof *of_others));
    if (!engine && !recorded) return COLA_OK;
    return refuse_given(o, of_synthetic, sizeof of_synthetic / sizeof *of_synthetic);
}

enum cola_status cola_cli_evaluator(const struct cola_options *o, const char *tasks_path,
                                    const char **model_dir, struct cola_worker_options *w)
{
    const char *who = cola_options_string(o, "evaluator"), *recorded = "recorded=";
    bool engine = strcmp(who, "engine") == 0, file = strncmp(who, recorded, strlen(recorded)) == 0;
    *model_dir = engine ? cola_options_string(o, "model") : who; /* for the record */
    if (!engine && strcmp(who, "synthetic") != 0 && !(file && who[strlen(recorded)]))
        return cola_fail(COLA_ERR_USAGE, "--evaluator %s: not engine, synthetic or recorded=FILE", who);
    COLA_TRY(refuse_unused(o, engine, file));
    if (engine) return cola_cli_engine_options(o, &w->engine);
    if (cola_options_given(o, "latency-spread") && !cola_options_given(o, "latency-ms"))
        return cola_fail(COLA_ERR_USAGE, "--latency-spread says nothing without --latency-ms: leave it out");
    w->evaluator = file ? COLA_EVALUATE_RECORDED : COLA_EVALUATE_SYNTHETIC;
    w->recorded_path = file ? who + strlen(recorded) : NULL;
    w->tasks_path = tasks_path;
    w->synthetic = (struct cola_synthetic){.seed = cola_options_uint(o, "seed"),
                                           .n_layers = (uint32_t)cola_options_uint(o, "synthetic-layers"),
                                           .optima = cola_options_real(o, "synthetic-optima"),
                                           .latency_s = cola_options_real(o, "latency-ms") / 1000,
                                           .spread = cola_options_real(o, "latency-spread")};
    return COLA_OK;
}

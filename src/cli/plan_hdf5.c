/* plan_hdf5.c - `cola plan`: what a search will take, before it is queued.
 *
 *     options of cola search -> rows of the tasks, shapes of the model -> a short measurement -> the figures
 *
 * Writes nothing. Its option table is that of cola search without what only a running search needs. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/plan.h"
#include "cola/demand.h"
#include "cola/machine.h"
#include "cola/threads.h"

static const struct cola_option own_option[] = {
    {"measure", COLA_OPTION_REAL, "SECONDS", "5", 0, 3600, NULL,
     "evaluate the first samples on this machine for so long; 0: no measurement, no times"},
    {"json", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "the same as JSON"},
};
enum { N_OWN = sizeof own_option / sizeof *own_option, MOST_OPTIONS = 96 };

static bool plan_takes(const char *name)
{
    static const char *const left_out[] = {"out",
                                           "resume",
                                           "memo",
                                           "quiet",
                                           "time-limit",
                                           "events",
                                           "events-interval",
                                           "evaluator",
                                           "latency-ms",
                                           "latency-spread",
                                           "synthetic-optima",
                                           "synthetic-layers"};
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (strcmp(left_out[i], name) == 0) return false;
    return true;
}

static size_t make_table(struct cola_option table[MOST_OPTIONS])
{
    size_t n = 0;
    for (size_t i = 0; i < N_OWN; i++) table[n++] = own_option[i];
    for (size_t i = 0; i < cola_search_command.n_options && n < MOST_OPTIONS; i++)
        if (plan_takes(cola_search_command.option[i].name)) table[n++] = cola_search_command.option[i];
    return n;
}

/* A worker's credit as src/cluster/worker.c gives it: what its engine holds, an eighth, and one. */
static uint32_t credit_of(uint32_t max_requests)
{
    return max_requests + 1 + max_requests / 8;
}

/* What a worker checks when it starts, by the same computation. Without --memory nothing is checked here:
 * this machine may not be the workers'. */
static enum cola_status find_memory(struct plan *p, const struct cola_tasks *tasks,
                                    const struct cola_model *model, uint32_t n)
{
    struct cola_engine_options engine = p->setup->worker.engine;
    enum { MIB = 1 << 20 };
    cola_demand_find(tasks, p->first, n, &p->most);
    COLA_TRY(cola_demand_layers(&p->setup->search, cola_model_config(model)->n_layers, &p->most));
    engine.demand = p->most;
    COLA_TRY(cola_engine_estimate(model, &engine, &p->needs));
    p->n_threads = engine.n_threads ? engine.n_threads : cola_threads_cores();
    p->program_bytes = cola_cli_program_bytes(&engine);
    p->least_mib = (p->program_bytes + p->needs.least_bytes + MIB - 1) / MIB;
    return COLA_OK;
}

/* Fewer tell little of what chains of a sample share: the assumption stays. */
enum { ENOUGH_EDITED = 20 };

static void conclude(struct plan *p)
{
    const struct search_setup *s = p->setup;
    struct plan_measured *m = &p->measured;
    p->credit = credit_of(p->needs.max_requests);
    p->in_flight = (double)p->work.n_samples * s->search.speculate;
    p->full_workers = p->in_flight / p->credit;
    p->most_workers = p->in_flight;
    if (m->seconds <= 0) return;
    p->work.shared_is_measured = m->n_edited >= ENOUGH_EDITED;
    if (p->work.shared_is_measured) p->work.shared = m->shared;
    double base = p->work.n_samples / p->work.evaluations; /* the share of base chains, which share nothing */
    double executed = base + (1 - base) * (1 - p->work.shared);
    double row_layers = p->work.row_layers / p->work.evaluations * executed;
    p->evaluations_s = m->row_layers_s / row_layers;
    p->worker_hours = p->work.evaluations / p->evaluations_s / 3600;
    p->master_workers = 1e6 / PLAN_MASTER_US / p->evaluations_s;
}

static enum cola_status plan_with(const struct cola_options *o, const struct search_setup *s,
                                  const struct cola_tasks *tasks, const struct cola_model *model)
{
    struct plan p = {.setup = s};
    uint32_t n;
    double seconds = cola_options_real(o, "measure");
    COLA_TRY(cola_search_rows(s, cola_tasks_info(tasks)->n_samples, &p.first, &n));
    COLA_TRY(find_memory(&p, tasks, model, n));
    cola_plan_work(tasks, model, s, p.first, n, &p.work);
    if (seconds > 0) COLA_TRY(cola_plan_measure(tasks, model, s, p.first, n, seconds, &p.measured));
    conclude(&p);
    if (cola_options_flag(o, "json")) return cola_plan_json(&p);
    cola_plan_text(&p);
    return fflush(stdout) == 0 ? COLA_OK : cola_fail(COLA_ERR_IO, "stdout: cannot be written");
}

static enum cola_status check_fit(const struct cola_tasks *tasks, const struct cola_model *model)
{
    int32_t most = cola_tasks_info(tasks)->max_token;
    uint32_t n_vocab = cola_model_config(model)->n_vocab;
    if (most < 0 || (uint32_t)most < n_vocab) return COLA_OK;
    return cola_fail(COLA_ERR_MISMATCH,
                     "the tasks have token %d, the model's vocabulary ends at %u: made for another model?",
                     most, n_vocab - 1);
}

static enum cola_status plan(const struct cola_options *o)
{
    struct search_setup setup;
    struct cola_tasks *tasks = NULL;
    struct cola_model *model = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(cola_search_work(o, &setup));
    COLA_TRY_DONE(cola_tasks_open(setup.tasks_path, &tasks));
    COLA_TRY_DONE(cola_model_open(setup.model_dir, &model));
    COLA_TRY_DONE(check_fit(tasks, model));
    COLA_TRY_DONE(plan_with(o, &setup, tasks, model));
done:
    cola_model_close(model);
    cola_tasks_close(tasks);
    return status;
}

int cola_command_plan(int argc, char **argv)
{
    struct cola_option table[MOST_OPTIONS];
    struct cola_command command = {
        .name = "plan",
        .usage = "TASKS.h5 --model DIR [--measure SECONDS] [--json] [options of cola search]",
        .about =
            "What a search with these options will take: evaluations, worker and core hours, memory of a\n"
            "worker, how many workers still help, disk. Writes nothing.",
        .option = table,
        .n_options = make_table(table),
        .min_arguments = 1,
        .max_arguments = 1,
    };
    struct cola_options *options;
    int exit_status;
    if (!cola_cli_begin(&command, argc, argv, &options, &exit_status)) return exit_status;
    enum cola_status status = plan(options);
    cola_options_destroy(options);
    return cola_cli_end(status);
}

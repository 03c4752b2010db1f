/* plan_print_hdf5.c - a plan as text and as JSON. Assumptions are named as such beside what they decide. */
#include <jansson.h>
#include <stdio.h>

#include "cli/plan.h"
#include "cola/memory.h"

static const char *how_shared(const struct plan *p)
{
    if (p->work.shared_is_measured) return "measured on the first samples";
    return p->work.shared > 0 ? "an assumption: SmolLM2-135M on ARC-Easy; a longer --measure measures it"
                              : "generating jobs and --state-memory 0";
}

static void print_work(const struct plan *p)
{
    const struct plan_work *w = &p->work;
    printf("work\n");
    printf("  %-26s %u (rows %u:%u of the tasks)\n", "samples", w->n_samples, p->first,
           p->first + w->n_samples);
    printf("  %-26s %.0f at most: %u simulations a sample%s\n", "evaluations", w->evaluations, w->simulations,
           p->setup->search.speculate > 1 ? "; --speculate adds guesses that no tree takes" : "");
    printf("  %-26s %.1f rows x %u layers, %.3g GFLOP in a layer, %.3g in the head\n", "an evaluation",
           w->rows, w->n_layers, 1e-9 * w->row_layer_flops * w->rows,
           1e-9 * w->head_row_flops * w->head_rows);
    printf("  %-26s %.3g million row-layers, %.4g TFLOP, if nothing is shared\n", "in all",
           1e-6 * w->row_layers, 1e-12 * w->flops);
    printf("  %-26s %.0f %% of the row-layers (%s)\n", "left out by sharing", 100 * w->shared, how_shared(p));
}

static void print_memory(const struct plan *p)
{
    char program[32], weights[32], batch[32], least[32], request[32];
    const struct cola_engine_needs *needs = &p->needs;
    printf("memory of a worker\n");
    printf("  %-26s %s at most (64 MiB and 1 MiB a thread)\n", "program, libraries",
           cola_memory_text(p->program_bytes, program));
    printf("  %-26s %s (a node's workers share one copy)\n", "weights, packed",
           cola_memory_text(needs->weight_bytes, weights));
    printf("  %-26s %s; %s at least\n", "a batch", cola_memory_text(needs->batch_bytes, batch),
           cola_memory_text(needs->least_batch_bytes, least));
    printf("  %-26s %s: sample %u, %u rows, chains of up to %u layers; shared states take what is left\n",
           "the largest request", cola_memory_text(needs->request_bytes, request), p->most.sample,
           p->most.n_rows, p->most.n_layers);
    printf("  %-26s --memory %llu (MiB); with less the search is refused, with more it is faster\n",
           "at least", (unsigned long long)p->least_mib);
}

static void print_time(const struct plan *p)
{
    const struct plan_measured *m = &p->measured;
    printf("time\n");
    if (m->seconds <= 0) {
        printf("  not measured (--measure 0)\n");
        return;
    }
    printf("  %-26s %.1f s on this machine (%s, %s): %llu evaluations, %.3g million row-layers/s\n",
           "measured", m->seconds, m->info.backend, m->info.device, (unsigned long long)m->n_done,
           1e-6 * m->row_layers_s);
    printf("  %-26s %.2f evaluations/s\n", "a worker like it", p->evaluations_s);
    printf("  %-26s %.2f worker-hours, %.2f core-hours at %u threads a worker\n", "the search",
           p->worker_hours, p->worker_hours * p->n_threads, p->n_threads);
}

static void print_workers(const struct plan *p)
{
    printf("workers that still help\n");
    printf("  %-26s %.0f = %u samples x --speculate %u\n", "requests at once, at most", p->in_flight,
           p->work.n_samples, p->setup->search.speculate);
    printf("  %-26s %u requests\n", "credit of a worker", p->credit);
    printf("  %-26s %.1f (more get smaller batches; beyond %.0f a worker gets nothing)\n", "kept full",
           p->full_workers, p->most_workers);
    if (p->master_workers > 0)
        printf("  %-26s %.0f, if an evaluation takes the master %.0f us (an assumption, not measured here)\n",
               "one master is enough for", p->master_workers, PLAN_MASTER_US);
}

void cola_plan_text(const struct plan *p)
{
    char journal[32], run[32];
    print_work(p);
    print_memory(p);
    print_time(p);
    print_workers(p);
    printf("disk\n");
    printf("  %-26s %s\n", "journal", cola_memory_text((uint64_t)p->work.journal_bytes, journal));
    printf("  %-26s %s, twice that while it is written; texts and ids besides\n", "run.h5",
           cola_memory_text((uint64_t)p->work.run_bytes, run));
}

static json_t *json_time(const struct plan *p)
{
    const struct plan_measured *m = &p->measured;
    if (m->seconds <= 0) return json_null();
    return json_pack("{s:f, s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:i}", "measured_s", m->seconds, "backend",
                     m->info.backend, "device", m->info.device, "n_done", (json_int_t)m->n_done,
                     "row_layers_per_s", m->row_layers_s, "evaluations_per_s", p->evaluations_s,
                     "worker_hours", p->worker_hours, "core_hours", p->worker_hours * p->n_threads,
                     "n_threads", (int)p->n_threads);
}

enum cola_status cola_plan_json(const struct plan *p)
{
    const struct plan_work *w = &p->work;
    json_t *page = json_pack(
        "{s:{s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:b}, s:{s:I, s:I, s:I, s:I, s:I, "
        "s:i, s:i, s:i, s:I}, s:o, "
        "s:{s:f, s:i, s:f, s:f, s:o, s:f}, s:{s:f, s:f}}",
        "work", "first", (int)p->first, "n_samples", (int)w->n_samples, "simulations", (int)w->simulations,
        "n_layers", (int)w->n_layers, "evaluations_at_most", w->evaluations, "rows", w->rows, "head_rows",
        w->head_rows, "row_layer_flops", w->row_layer_flops, "head_row_flops", w->head_row_flops,
        "row_layers", w->row_layers, "flops", w->flops, "shared", w->shared, "shared_is_measured",
        w->shared_is_measured, "worker_memory", "program_bytes", (json_int_t)p->program_bytes, "weight_bytes",
        (json_int_t)p->needs.weight_bytes, "batch_bytes", (json_int_t)p->needs.batch_bytes,
        "least_batch_bytes", (json_int_t)p->needs.least_batch_bytes, "request_bytes",
        (json_int_t)p->needs.request_bytes, "longest_sample", (int)p->most.sample, "longest_rows",
        (int)p->most.n_rows, "longest_chain", (int)p->most.n_layers, "least_memory_mib",
        (json_int_t)p->least_mib, "time", json_time(p), "workers", "requests_at_most", p->in_flight, "credit",
        (int)p->credit, "kept_full", p->full_workers, "most", p->most_workers, "one_master",
        p->master_workers > 0 ? json_real(p->master_workers) : json_null(), "assumed_master_us",
        PLAN_MASTER_US, "disk", "journal_bytes", w->journal_bytes, "run_bytes", w->run_bytes);
    if (!page) return cola_fail(COLA_ERR_MEMORY, "plan: out of memory for JSON");
    int failed = json_dumpf(page, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(page);
    if (failed || putchar('\n') == EOF || fflush(stdout) != 0)
        return cola_fail(COLA_ERR_IO, "stdout: cannot be written");
    return COLA_OK;
}

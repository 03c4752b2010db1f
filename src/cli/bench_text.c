/* bench_text.c - the figures of `cola bench` for people. */
#include <stdio.h>

#include "cli/bench.h"

static double percent(double share)
{
    return 100 * share;
}

static void line_of_share(const char *name, const struct bench_spread *s, const char *of)
{
    printf("%-18s %.1f %% %s (rounds %.1f .. %.1f)\n", name, percent(s->median), of, percent(s->least),
           percent(s->most));
}

static void print_work(const struct bench_report *r, const struct bench_figures *f)
{
    const struct cola_engine_info *info = &r->round[0].info;
    printf("back end           %s (%s), numerics %s\n", info->backend, info->device, info->numerics_id);
    printf("work               %s: %s, %u samples x %u simulations (%s), %u rounds\n",
           r->engine_only ? "the engine alone" : "the whole search",
           r->tasks_path ? r->tasks_path : "random tokens", r->n_samples, r->n_simulations, r->preset,
           r->n_rounds);
    printf("evaluations/s      %.2f (rounds %.2f .. %.2f), %llu evaluations\n", f->evaluations_s.median,
           f->evaluations_s.least, f->evaluations_s.most, (unsigned long long)f->n_evaluations);
}

static void print_peak(const struct bench_report *r, const struct bench_figures *f)
{
    if (f->peak.median <= 0) {
        printf("peak               this back end measures none\n");
        return;
    }
    const struct bench_round *last = &r->round[r->n_rounds - 1];
    printf("peak               %.1f GFLOP/s before, %.1f after, %.1f the median round's (registers only, all "
           "threads)\n",
           r->round[0].peak_before / 1e9, last->peak_after / 1e9, f->peak.median / 1e9);
    printf("layers' products   %.1f GFLOP/s, %.1f %% of the peak (rounds %.1f .. %.1f)\n",
           f->product_flops_s.median / 1e9, percent(f->product_share.median), percent(f->product_share.least),
           percent(f->product_share.most));
    printf("head's product     %.1f GFLOP/s, %.1f %% of the peak (rounds %.1f .. %.1f)\n",
           f->head_flops_s.median / 1e9, percent(f->head_share.median), percent(f->head_share.least),
           percent(f->head_share.most));
    line_of_share("floor", &f->floor_share, "of the wall time is what the executed layers take at the peak");
    line_of_share("", &f->floor_with_head_share, "of it with the head");
    if (f->bandwidth.median <= 0) return;
    printf("reading weights    %.1f GB/s (rounds %.1f .. %.1f)\n", f->bandwidth.median / 1e9,
           f->bandwidth.least / 1e9, f->bandwidth.most / 1e9);
    line_of_share("roof", &f->roof_share,
                  "of the wall time is what those products take, each no less than reading its weights");
}

static void print_reuse(const struct bench_report *r, const struct bench_figures *f)
{
    const struct cola_engine_counters *c = &f->sum;
    printf(
        "reuse              %.1f %% of rows x layers, %.1f %% of layers left out (%llu of %llu executed)\n",
        percent(f->reuse_row_layers), percent(f->reuse_layers), (unsigned long long)c->layers_executed,
        (unsigned long long)c->layers_asked);
    printf("rows a layer call  %.1f\n", f->rows_per_layer_call);
    if (!r->engine_only) {
        line_of_share("time in trees", &f->tree_share, "of the wall time");
        line_of_share("master", &f->master_share, "of the wall time: trees, messages, journal, fold");
    }
    printf("states             %.1f MiB now, %.1f MiB at most\n", (double)c->state_bytes / 1048576,
           (double)c->most_state_bytes / 1048576);
    printf("memory             %.1f MiB at most, ", (double)c->most_memory_bytes / 1048576);
    if (r->round[0].info.memory_bytes)
        printf("bound %.1f MiB\n", (double)r->round[0].info.memory_bytes / 1048576);
    else
        printf("no bound\n");
}

static void print_phases(const struct bench_figures *f)
{
    printf("\nphase                   s  of the wall time\n");
    for (uint32_t p = 0; p < COLA_N_PHASES; p++)
        printf("%-18s %6.2f  %5.1f %%\n", cola_phase_name[p], f->sum.phase_s[p],
               percent(f->sum.phase_s[p] / f->wall_s));
    double outside_s = f->wall_s - f->sum.seconds;
    printf("%-18s %6.2f  %5.1f %%\n", "outside steps", outside_s, percent(outside_s / f->wall_s));
}

static void print_classes(const struct bench_figures *f)
{
    char name[16];
    printf("\nrows       products    FLOPs  GFLOP/s  of the peak  of the roof\n");
    for (uint32_t i = 0; i < COLA_ROW_CLASSES; i++) {
        double flops = f->sum.by_rows[i].flops, seconds = f->sum.by_rows[i].seconds;
        if (f->sum.by_rows[i].n_products == 0) continue;
        double rate = seconds > 0 ? flops / seconds : 0;
        printf("%-9s %9llu  %5.1f %%  %7.1f", cola_bench_class_name(i, name),
               (unsigned long long)f->sum.by_rows[i].n_products, percent(flops / f->sum.product_flops),
               rate / 1e9);
        if (f->peak.median > 0) printf("  %9.1f %%", percent(rate / f->peak.median));
        if (f->roof_rate[i] > 0) printf("  %9.1f %%", percent(rate / f->roof_rate[i]));
        putchar('\n');
    }
}

static const char *of_info(const struct bench_compare *c, const char *key)
{
    const char *text = json_string_value(json_object_get(c->info, key));
    return text ? text : "unknown";
}

static void print_compare(const struct bench_compare *c)
{
    printf("\nHugging Face loop  torch %s, transformers %s, %lld threads, %s, attention %s\n",
           of_info(c, "torch"), of_info(c, "transformers"),
           (long long)json_integer_value(json_object_get(c->info, "threads")), of_info(c, "dtype"),
           of_info(c, "attention"));
    printf("pair  ours, s  theirs, s  ratio  by layer  our layers  their layers  their tokens  of their peak "
           " same "
           "answer\n");
    for (uint32_t i = 0; i < c->n_pairs; i++) {
        const struct bench_pair *p = &c->pair[i];
        printf("%4u  %7.4f  %9.4f  %5.2f  %8.2f  %10.1f  %12.1f  %12.1f  %5.1f %% of %.0f  %llu of %llu\n",
               i + 1, p->our_s, p->their_s, p->ratio, p->ratio_by_layer, p->our_layers, p->their_layers,
               p->their_tokens, percent(p->their_share), p->their_peak / 1e9, (unsigned long long)p->n_agree,
               (unsigned long long)p->n_theirs);
    }
    printf("ratio              %.2f (pairs %.2f .. %.2f); by layer %.2f (%.2f .. %.2f)\n", c->ratio.median,
           c->ratio.least, c->ratio.most, c->ratio_by_layer.median, c->ratio_by_layer.least,
           c->ratio_by_layer.most);
}

void cola_bench_text(const struct bench_report *report)
{
    struct bench_figures f;
    cola_bench_figures(report->round, report->n_rounds, &f);
    print_work(report, &f);
    print_peak(report, &f);
    print_reuse(report, &f);
    print_phases(&f);
    print_classes(&f);
    if (report->compare) print_compare(report->compare);
}

/* bench_figures.c - from what rounds measured to the figures that are printed. Shares are formed round by
 * round, with that round's own peak, and their median is shown; counts and seconds are summed. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/bench.h"

double cola_bench_round_peak(const struct bench_round *r)
{
    return r->peak_before > r->peak_after ? r->peak_before : r->peak_after;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct bench_spread cola_bench_spread(double *value, uint32_t n)
{
    qsort(value, n, sizeof *value, by_value);
    return (struct bench_spread){(value[(n - 1) / 2] + value[n / 2]) / 2, value[0], value[n - 1]};
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* --- of one round ------------------------------------------------------------------------------------- */

typedef double figure_fn(const struct bench_round *r);

static double evaluations_s(const struct bench_round *r)
{
    return share((double)r->n_evaluations, r->wall_s);
}
static double product_flops_s(const struct bench_round *r)
{
    return share(r->counters.product_flops, r->counters.phase_s[COLA_PHASE_PRODUCTS]);
}
static double head_flops_s(const struct bench_round *r)
{
    return share(r->counters.head_flops, r->counters.phase_s[COLA_PHASE_HEAD]);
}
static double product_share(const struct bench_round *r)
{
    return share(product_flops_s(r), cola_bench_round_peak(r));
}
static double head_share(const struct bench_round *r)
{
    return share(head_flops_s(r), cola_bench_round_peak(r));
}
/* The least time that the executed layers' products can take, against the time that everything took. */
static double floor_share(const struct bench_round *r)
{
    return share(share(r->counters.product_flops, cola_bench_round_peak(r)), r->wall_s);
}
static double floor_with_head_share(const struct bench_round *r)
{
    double flops = r->counters.product_flops + r->counters.head_flops;
    return share(share(flops, cola_bench_round_peak(r)), r->wall_s);
}
static double bandwidth(const struct bench_round *r)
{
    return r->bandwidth;
}
/* Seconds that products take at least: by arithmetic, or by reading their weights. */
static double least_s(double flops, double bytes, double peak, double bytes_s)
{
    double by_flops = share(flops, peak), by_bytes = share(bytes, bytes_s);
    return by_flops > by_bytes ? by_flops : by_bytes;
}
static double roof_share(const struct bench_round *r)
{
    const struct cola_engine_counters *c = &r->counters;
    double peak = cola_bench_round_peak(r),
           s = least_s(c->head_flops, c->head_weight_bytes, peak, r->bandwidth);
    for (uint32_t i = 0; i < COLA_ROW_CLASSES; i++)
        s += least_s(c->by_rows[i].flops, c->by_rows[i].weight_bytes, peak, r->bandwidth);
    return share(s, r->wall_s);
}
static double tree_share(const struct bench_round *r)
{
    return share(r->tree_cpu_s, r->wall_s);
}
static double master_share(const struct bench_round *r)
{
    return share(r->master_cpu_s, r->wall_s);
}

/* --- of all ------------------------------------------------------------------------------------------- */

static struct bench_spread spread_of(const struct bench_round *round, uint32_t n_rounds, figure_fn *figure)
{
    double value[1000]; /* the option's limit */
    for (uint32_t r = 0; r < n_rounds; r++) value[r] = figure(&round[r]);
    return cola_bench_spread(value, n_rounds);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void add(const struct cola_engine_counters *c, struct cola_engine_counters *sum)
{
    sum->n_steps += c->n_steps;
    sum->n_layer_steps += c->n_layer_steps;
    sum->n_rows += c->n_rows;
    sum->n_head_rows += c->n_head_rows;
    sum->layers_asked += c->layers_asked;
    sum->layers_executed += c->layers_executed;
    sum->row_layers_asked += c->row_layers_asked;
    sum->seconds += c->seconds;
    sum->product_flops += c->product_flops;
    sum->head_flops += c->head_flops;
    sum->head_weight_bytes += c->head_weight_bytes;
    for (uint32_t p = 0; p < COLA_N_PHASES; p++) sum->phase_s[p] += c->phase_s[p];
    for (uint32_t i = 0; i < COLA_ROW_CLASSES; i++) {
        sum->by_rows[i].n_products += c->by_rows[i].n_products;
        sum->by_rows[i].flops += c->by_rows[i].flops;
        sum->by_rows[i].weight_bytes += c->by_rows[i].weight_bytes;
        sum->by_rows[i].seconds += c->by_rows[i].seconds;
    }
    sum->state_bytes = c->state_bytes;
    sum->memory_bytes = c->memory_bytes;
    sum->most_state_bytes = larger(sum->most_state_bytes, c->most_state_bytes);
    sum->most_memory_bytes = larger(sum->most_memory_bytes, c->most_memory_bytes);
}

void cola_bench_figures(const struct bench_round *round, uint32_t n_rounds, struct bench_figures *out)
{
    struct bench_figures f = {
        .evaluations_s = spread_of(round, n_rounds, evaluations_s),
        .peak = spread_of(round, n_rounds, cola_bench_round_peak),
        .product_flops_s = spread_of(round, n_rounds, product_flops_s),
        .product_share = spread_of(round, n_rounds, product_share),
        .head_flops_s = spread_of(round, n_rounds, head_flops_s),
        .head_share = spread_of(round, n_rounds, head_share),
        .floor_share = spread_of(round, n_rounds, floor_share),
        .floor_with_head_share = spread_of(round, n_rounds, floor_with_head_share),
        .bandwidth = spread_of(round, n_rounds, bandwidth),
        .roof_share = spread_of(round, n_rounds, roof_share),
        .tree_share = spread_of(round, n_rounds, tree_share),
        .master_share = spread_of(round, n_rounds, master_share),
    };
    for (uint32_t r = 0; r < n_rounds; r++) {
        f.wall_s += round[r].wall_s;
        f.n_evaluations += round[r].n_evaluations;
        add(&round[r].counters, &f.sum);
    }
    for (uint32_t i = 0; i < COLA_ROW_CLASSES; i++)
        f.roof_rate[i] =
            share(f.sum.by_rows[i].flops, least_s(f.sum.by_rows[i].flops, f.sum.by_rows[i].weight_bytes,
                                                  f.peak.median, f.bandwidth.median));
    f.reuse_row_layers = 1 - share((double)f.sum.n_rows, (double)f.sum.row_layers_asked);
    f.reuse_layers = 1 - share((double)f.sum.layers_executed, (double)f.sum.layers_asked);
    f.rows_per_layer_call = share((double)f.sum.n_rows, (double)f.sum.n_layer_steps);
    *out = f;
}

const char *cola_bench_class_name(uint32_t i, char text[16])
{
    if (i == 0)
        snprintf(text, 16, "1");
    else if (i + 1 == COLA_ROW_CLASSES)
        snprintf(text, 16, "%u+", 1u << i);
    else
        snprintf(text, 16, "%u-%u", 1u << i, (2u << i) - 1);
    return text;
}

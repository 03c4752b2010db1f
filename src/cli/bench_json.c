/* bench_json.c - the figures of `cola bench` as one JSON object: names with units, shares as fractions. */
#include <stdio.h>

#include "cli/bench.h"

/* Every helper returns NULL when out of memory, and json_pack with "o" passes that on. */
static json_t *spread(const struct bench_spread *s)
{
    return json_pack("{s:f, s:f, s:f}", "median", s->median, "least", s->least, "most", s->most);
}

static json_t *work(const struct bench_report *r, const struct bench_figures *f)
{
    const struct cola_engine_info *info = &r->round[0].info;
    return json_pack("{s:s, s:s, s:s, s:b, s:s?, s:s, s:i, s:i, s:i, s:I, s:f, s:o}", "backend",
                     info->backend, "device", info->device, "numerics_id", info->numerics_id, "engine_only",
                     r->engine_only, "tasks", r->tasks_path, "preset", r->preset, "samples",
                     (int)r->n_samples, "simulations", (int)r->n_simulations, "rounds", (int)r->n_rounds,
                     "evaluations", (json_int_t)f->n_evaluations, "wall_s", f->wall_s, "evaluations_per_s",
                     spread(&f->evaluations_s));
}

static json_t *peak(const struct bench_report *r, const struct bench_figures *f)
{
    return json_pack("{s:f, s:f, s:o, s:o}", "before", r->round[0].peak_before, "after",
                     r->round[r->n_rounds - 1].peak_after, "round", spread(&f->peak), "weight_bytes_per_s",
                     spread(&f->bandwidth));
}

static json_t *reuse(const struct bench_figures *f)
{
    const struct cola_engine_counters *c = &f->sum;
    return json_pack("{s:f, s:f, s:I, s:I, s:I, s:I}", "of_row_layers", f->reuse_row_layers, "of_layers",
                     f->reuse_layers, "layers_asked", (json_int_t)c->layers_asked, "layers_executed",
                     (json_int_t)c->layers_executed, "row_layers_asked", (json_int_t)c->row_layers_asked,
                     "row_layers_executed", (json_int_t)c->n_rows);
}

static json_t *phases(const struct bench_figures *f)
{
    json_t *all = json_object();
    for (uint32_t p = 0; p < COLA_N_PHASES; p++)
        json_object_set_new(all, cola_phase_name[p], json_real(f->sum.phase_s[p]));
    json_object_set_new(all, "outside_steps", json_real(f->wall_s - f->sum.seconds));
    return all;
}

static json_t *classes(const struct bench_figures *f)
{
    char name[16];
    json_t *all = json_array();
    for (uint32_t i = 0; i < COLA_ROW_CLASSES; i++) {
        double flops = f->sum.by_rows[i].flops, seconds = f->sum.by_rows[i].seconds;
        double rate = seconds > 0 ? flops / seconds : 0;
        if (f->sum.by_rows[i].n_products == 0) continue;
        json_array_append_new(
            all, json_pack("{s:s, s:I, s:f, s:f, s:f, s:f}", "rows", cola_bench_class_name(i, name),
                           "products", (json_int_t)f->sum.by_rows[i].n_products, "share_of_flops",
                           flops / f->sum.product_flops, "flops_per_s", rate, "share_of_peak",
                           f->peak.median > 0 ? rate / f->peak.median : 0, "share_of_roof",
                           f->roof_rate[i] > 0 ? rate / f->roof_rate[i] : 0));
    }
    return all;
}

static json_t *bytes(const struct bench_report *r, const struct bench_figures *f)
{
    const struct cola_engine_counters *c = &f->sum;
    return json_pack("{s:I, s:I, s:I, s:I}", "states_now", (json_int_t)c->state_bytes, "states_most",
                     (json_int_t)c->most_state_bytes, "memory_most", (json_int_t)c->most_memory_bytes,
                     "memory_bound", (json_int_t)r->round[0].info.memory_bytes);
}

static json_t *pair(const struct bench_pair *p)
{
    return json_pack("{s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "our_chains",
                     (json_int_t)p->n_ours, "their_chains", (json_int_t)p->n_theirs, "same_answers",
                     (json_int_t)p->n_agree, "our_s", p->our_s, "their_s", p->their_s, "ratio", p->ratio,
                     "ratio_by_layer", p->ratio_by_layer, "our_layers", p->our_layers, "their_layers",
                     p->their_layers, "their_tokens", p->their_tokens, "their_peak_flops_per_s",
                     p->their_peak, "their_share_of_peak", p->their_share, "most_difference",
                     p->most_difference);
}

static json_t *compare(const struct bench_compare *c)
{
    json_t *pairs = json_array();
    for (uint32_t i = 0; i < c->n_pairs; i++) json_array_append_new(pairs, pair(&c->pair[i]));
    return json_pack("{s:O, s:o, s:o, s:o, s:o, s:I, s:I}", "info", c->info, "pairs", pairs, "ratio",
                     spread(&c->ratio), "ratio_by_layer", spread(&c->ratio_by_layer), "their_share_of_peak",
                     spread(&c->their_share), "their_chains", (json_int_t)c->n_theirs, "same_answers",
                     (json_int_t)c->n_agree);
}

static json_t *shares(const struct bench_figures *f)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "products_of_peak", spread(&f->product_share),
                     "head_of_peak", spread(&f->head_share), "floor_of_wall", spread(&f->floor_share),
                     "floor_with_head_of_wall", spread(&f->floor_with_head_share), "roof_of_wall",
                     spread(&f->roof_share), "trees_of_wall", spread(&f->tree_share), "master_of_wall",
                     spread(&f->master_share));
}

enum cola_status cola_bench_json(const struct bench_report *r)
{
    struct bench_figures f;
    cola_bench_figures(r->round, r->n_rounds, &f);
    json_t *root =
        json_pack("{s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:o, s:f, s:o, s:o}", "evaluations_per_s",
                  f.evaluations_s.median, "work", work(r, &f), "peak_flops_per_s", peak(r, &f),
                  "product_flops_per_s", spread(&f.product_flops_s), "head_flops_per_s",
                  spread(&f.head_flops_s), "shares", shares(&f), "reuse", reuse(&f), "rows_per_layer_call",
                  f.rows_per_layer_call, "engine_s", f.sum.seconds, "phase_s", phases(&f), "product_flops",
                  f.sum.product_flops, "by_rows", classes(&f), "bytes", bytes(r, &f));
    bool whole = root != NULL;
    if (whole && r->compare) whole = json_object_set_new(root, "compare", compare(r->compare)) == 0;
    if (whole) whole = json_dumpf(root, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER) == 0;
    if (whole) putchar('\n');
    json_decref(root);
    return whole ? COLA_OK : cola_fail(COLA_ERR_MEMORY, "the figures as JSON: cannot be written");
}

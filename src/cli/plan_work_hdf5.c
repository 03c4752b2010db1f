/* plan_work_hdf5.c - what a search asks for, from the tasks' rows and the model's shapes alone.
 *
 * Bounds, not forecasts: every simulation is counted as an evaluation of a chain as long as the model. Bytes
 * are those of docs/format-journal.md and docs/format-run.md. */
#include "cli/plan.h"

#include <string.h>

/* What chains of a sample share on SmolLM2-135M and ARC-Easy (docs/architecture.md); generating jobs share
 * nothing. Another model, task or preset gives another number: --measure. */
static const double ASSUMED_SHARED = 0.43;

static double elements(const struct cola_tensor *t)
{
    return t && t->n_dims == 2 ? (double)t->shape[0] * (double)t->shape[1] : 0;
}

/* 2 for each weight that a row meets; attention's own sums, a few per cent at these lengths, are left out. */
static double layer_flops(const struct cola_model *model, uint32_t layer)
{
    const struct cola_experts *experts = &cola_model_config(model)->experts;
    static const enum cola_weight part[] = {COLA_WEIGHT_GATE, COLA_WEIGHT_UP, COLA_WEIGHT_DOWN};
    double n = 0;
    for (int w = 0; w < COLA_N_WEIGHTS; w++)
        n += elements(cola_model_weight(model, layer, (enum cola_weight)w));
    for (int i = 0; i < 3; i++)
        n += experts->n_active * elements(cola_model_expert(model, layer, 0, part[i]));
    return 2 * n;
}

struct rows {
    double layers, head; /* rows of an evaluation through the layers, through the head */
};

/* Packed: the prompt once, then each candidate but its last token; an answer as long as it may be. */
static struct rows rows_of(const struct cola_sample *s)
{
    struct rows r = {s->n_prompt_tokens, 1};
    if (s->rule == COLA_SCORE_GENERATE) {
        r.layers += s->max_new_tokens ? s->max_new_tokens - 1 : 0;
        r.head = s->max_new_tokens;
    }
    if (s->rule != COLA_SCORE_LOGLIK) return r;
    for (uint32_t c = 0; c < s->n_candidates; c++) {
        r.layers += s->candidate[c].n_tokens - 1;
        r.head += s->candidate[c].n_tokens - 1;
    }
    return r;
}

/* STARTED and EVALUATED: 12 bytes of frame, 9 of kind and sequence, 4 of sample, the chain, the result. */
static double journal_bytes(const struct cola_sample *s, uint32_t n_layers)
{
    bool generate = s->rule == COLA_SCORE_GENERATE;
    double head = 12 + 9 + 4, chain = 4 + 2.0 * n_layers;
    double scores = generate ? 0 : s->n_candidates, tokens = generate ? s->max_new_tokens : 0;
    return 2 * (head + chain) + 1 + 4 + 4 * scores + 4 + 4 * tokens + 4 + 4 + 4 + 4 + 4 + 8;
}

/* Columns of chains/ (39 and an offset of 8), scores/ (8 and three offsets of 8) and timing/ (20) */
static double run_bytes(const struct cola_sample *s, uint32_t n_layers)
{
    bool generate = s->rule == COLA_SCORE_GENERATE;
    double scores = generate ? 0 : s->n_candidates, tokens = generate ? s->max_new_tokens : 0;
    return 39 + 8 + 8 + 24 + 20 + 2.0 * n_layers + 4 * scores + 4 * tokens;
}

/* polar and drllm-code count no simulation for the base chain. */
static double evaluations_a_sample(const struct cola_search_options *o, uint32_t most)
{
    bool outside = strcmp(o->policy, "polar") == 0 || strcmp(o->policy, "drllm-code") == 0;
    return (double)most + outside;
}

void cola_plan_work(const struct cola_tasks *tasks, const struct cola_model *model,
                    const struct search_setup *setup, uint32_t first, uint32_t n, struct plan_work *out)
{
    struct plan_work w = {.n_samples = n, .n_layers = cola_model_config(model)->n_layers};
    w.simulations = cola_search_most_simulations(&setup->search, w.n_layers);
    double each = evaluations_a_sample(&setup->search, w.simulations);
    for (uint32_t l = 0; l < w.n_layers; l++) w.row_layer_flops += layer_flops(model, l) / w.n_layers;
    w.head_row_flops = 2 * elements(cola_model_head(model));
    for (uint32_t i = 0; i < n; i++) {
        const struct cola_sample *s = cola_tasks_sample(tasks, first + i);
        struct rows r = rows_of(s);
        w.rows += r.layers / n;
        w.head_rows += r.head / n;
        w.journal_bytes += each * journal_bytes(s, w.n_layers);
        w.run_bytes += each * run_bytes(s, w.n_layers);
    }
    w.evaluations = each * n;
    w.row_layers = w.evaluations * w.rows * w.n_layers;
    w.flops = w.row_layers * w.row_layer_flops + w.evaluations * w.head_rows * w.head_row_flops;
    bool generate = cola_tasks_info(tasks)->rule == COLA_SCORE_GENERATE;
    w.shared = generate || setup->worker.engine.state_bytes == 0 ? 0 : ASSUMED_SHARED;
    *out = w;
}

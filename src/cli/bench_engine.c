/* bench_engine.c - rounds of the engine alone: the same requests again and again, no trees, messages or
 * files.
 *
 * The engine lives through all rounds, so a round's counters are differences; states of a sample are dropped
 * at a round's end, as they are when its search is over. */
#include "cli/bench.h"
#include <math.h>

#include "cola/clock.h"

static const double PEAK_S = 0.5; /* long enough for the clock frequency to settle */

static enum cola_status drop_result(void *user, const struct cola_result *result)
{
    (void)user;
    (void)result;
    return COLA_OK;
}

static enum cola_status step(struct cola_engine *engine)
{
    COLA_TRY(cola_bench_stopped());
    return cola_engine_step(engine, drop_result, NULL);
}

/* All first chains, then all second ones, as searches side by side come to them. */
static enum cola_status evaluate_all(struct cola_engine *engine, const struct bench_work *w)
{
    size_t n = (size_t)w->n_samples * w->n_chains;
    for (size_t i = 0; i < n; i++) {
        size_t s = i % w->n_samples, c = i / w->n_samples;
        struct cola_request request = {
            .id = i, .sample = &w->sample[s], .chain = w->chain[s * w->n_chains + c]};
        while (cola_engine_room(engine) == 0) COLA_TRY(step(engine));
        COLA_TRY(cola_engine_submit(engine, &request));
    }
    while (cola_engine_n_pending(engine)) COLA_TRY(step(engine));
    return COLA_OK;
}

/* What `after` counted since `before`; bytes are as they are after. */
static struct cola_engine_counters since(const struct cola_engine_counters *before,
                                         const struct cola_engine_counters *after)
{
    struct cola_engine_counters d = *after;
    d.n_steps -= before->n_steps;
    d.n_layer_steps -= before->n_layer_steps;
    d.n_rows -= before->n_rows;
    d.n_head_rows -= before->n_head_rows;
    d.layers_asked -= before->layers_asked;
    d.layers_executed -= before->layers_executed;
    d.row_layers_asked -= before->row_layers_asked;
    d.seconds -= before->seconds;
    d.product_flops -= before->product_flops;
    d.head_flops -= before->head_flops;
    d.head_weight_bytes -= before->head_weight_bytes;
    for (uint32_t p = 0; p < COLA_N_PHASES; p++) d.phase_s[p] -= before->phase_s[p];
    for (uint32_t i = 0; i < COLA_ROW_CLASSES; i++) {
        d.by_rows[i].n_products -= before->by_rows[i].n_products;
        d.by_rows[i].flops -= before->by_rows[i].flops;
        d.by_rows[i].weight_bytes -= before->by_rows[i].weight_bytes;
        d.by_rows[i].seconds -= before->by_rows[i].seconds;
    }
    return d;
}

static enum cola_status measure_round(struct cola_engine *engine, const struct bench_work *w,
                                      struct bench_round *out)
{
    struct cola_engine_counters before, after;
    cola_engine_info(engine, &out->info);
    out->peak_before = cola_engine_measure_peak(engine, PEAK_S);
    out->bandwidth = cola_engine_measure_bandwidth(engine, PEAK_S);
    cola_engine_counters(engine, &before);
    double start_s = cola_clock_s();
    COLA_TRY(evaluate_all(engine, w));
    out->wall_s = cola_clock_s() - start_s;
    cola_engine_counters(engine, &after);
    out->counters = since(&before, &after);
    out->n_evaluations = (uint64_t)w->n_samples * w->n_chains;
    out->peak_after = cola_engine_measure_peak(engine, PEAK_S);
    out->bandwidth = fmax(out->bandwidth, cola_engine_measure_bandwidth(engine, PEAK_S));
    for (uint32_t s = 0; s < w->n_samples; s++) cola_engine_forget(engine, w->sample[s].index);
    return COLA_OK;
}

enum cola_status cola_bench_engine_rounds(struct cola_engine *engine, const struct bench_work *w,
                                          uint32_t n_rounds, struct bench_round *round)
{
    COLA_TRY(evaluate_all(engine, w)); /* warms caches and grows buffers */
    for (uint32_t s = 0; s < w->n_samples; s++) cola_engine_forget(engine, w->sample[s].index);
    for (uint32_t r = 0; r < n_rounds; r++) COLA_TRY(measure_round(engine, w, &round[r]));
    return COLA_OK;
}

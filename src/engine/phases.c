/* phases.c - where an engine's time goes: one clock read at each change of phase. */
#include "cola/clock.h"
#include "engine/state.h"

const char *const cola_phase_name[COLA_N_PHASES] = {
    [COLA_PHASE_OTHER] = "other",         [COLA_PHASE_PRODUCTS] = "products", [COLA_PHASE_HEAD] = "head",
    [COLA_PHASE_ATTENTION] = "attention", [COLA_PHASE_ROWS] = "rows",         [COLA_PHASE_STATES] = "states"};

enum cola_phase cola_phase_enter(struct cola_engine *e, enum cola_phase phase)
{
    double now = cola_clock_s();
    enum cola_phase before = e->phase;
    e->counters.phase_s[before] += now - e->phase_since_s;
    e->phase_since_s = now;
    e->phase = phase;
    return before;
}

void cola_phase_count_product(struct cola_engine *e, uint32_t n_rows, double flops, double n_weights,
                              double seconds)
{
    uint32_t class = 0;
    while (class + 1 < COLA_ROW_CLASSES && n_rows >> (class + 1)) class ++;
    e->counters.by_rows[class].n_products++;
    e->counters.by_rows[class].flops += flops;
    e->counters.by_rows[class].weight_bytes += n_weights * e->weights.bytes_each;
    e->counters.by_rows[class].seconds += seconds;
    e->counters.product_flops += flops;
}

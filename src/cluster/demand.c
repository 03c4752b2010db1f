/* demand.c - see demand.h. All samples of a task file have one rule and one limit of answers, so more rows
 * through the layers are more memory, and a longer chain is never less. */
#include "cola/demand.h"

void cola_demand_find(const struct cola_tasks *tasks, uint32_t first, uint32_t n,
                      struct cola_engine_demand *out)
{
    *out = (struct cola_engine_demand){0};
    for (uint32_t i = 0; i < n; i++) {
        const struct cola_sample *sample = cola_tasks_sample(tasks, first + i);
        struct cola_engine_demand demand = cola_engine_demand(sample, 0);
        demand.sample = first + i;
        if (demand.n_rows > out->n_rows) *out = demand;
    }
}

enum cola_status cola_demand_layers(const struct cola_search_options *search, uint32_t n_model_layers,
                                    struct cola_engine_demand *most)
{
    if (most->n_layers && most->n_rows) {
        if (most->n_layers > COLA_CHAIN_MAX(n_model_layers)) most->n_layers = COLA_CHAIN_MAX(n_model_layers);
        return COLA_OK;
    }
    if (search->policy && most->n_rows)
        return cola_search_most_layers(search, n_model_layers, &most->n_layers);
    *most = (struct cola_engine_demand){0};
    return COLA_OK;
}

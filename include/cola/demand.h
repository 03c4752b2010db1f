/* demand.h - the largest request of a search, known before the first evaluation, so that a worker whose
 * memory is too little for it is told apart at the start and not in the middle. */
#ifndef COLA_DEMAND_H
#define COLA_DEMAND_H

#include "cola/engine.h"
#include "cola/search.h"
#include "cola/task.h"

/* The sample of rows first .. first+n-1 whose evaluation takes most memory; n_layers stays 0: whoever has the
 * list of chains, or the model, knows it. n 0: *out is zero. */
void cola_demand_find(const struct cola_tasks *tasks, uint32_t first, uint32_t n,
                      struct cola_engine_demand *out);

/* Sets most->n_layers, where it is 0, to the longest chain that a search may ask for; where it is given, to
 * no more than a chain of this model can have. search->policy NULL or most->n_rows 0: nothing is known, *most
 * becomes zero. */
enum cola_status cola_demand_layers(const struct cola_search_options *search, uint32_t n_model_layers,
                                    struct cola_engine_demand *most);

#endif

/* steps.h - the simulations of one state of a search, one after another: what the policy does between two
 * results.
 *
 *     cola_steps_begin(state);               waiting for the youngest node's result, or finished
 *     cola_steps_end(state, &verdict);       it has its result; the next one may begin
 *
 * A state is a struct cola_search: the search itself, or the copy of it that runs ahead (speculation.h). Both
 * go through here, so both take the same way from the same results. Knows no tickets. */
#ifndef COLA_SEARCH_STEPS_H
#define COLA_SEARCH_STEPS_H

#include "search/policy.h"

/* Simulates until a chain must be evaluated: then state->waiting, and the chain is the youngest node's; or
 * until the search ends: state->finished, and state->failed if it lacked memory (or draws of a list). */
void cola_steps_begin(struct cola_search *state);

/* The chain that a waiting state waits for; borrowed until the next step. */
struct cola_chain cola_steps_chain(const struct cola_search *state);

/* The waiting state's chain has this result. */
void cola_steps_end(struct cola_search *state, const struct cola_verdict *verdict);

/* Ends the search as failed. A node without a result stays out of sight. */
void cola_steps_fail(struct cola_search *state);

#endif

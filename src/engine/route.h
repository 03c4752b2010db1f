/* route.h - which experts a row goes through; one definition in plain C for every host back end. */
#ifndef COLA_ENGINE_ROUTE_H
#define COLA_ENGINE_ROUTE_H

#include <stdint.h>

#include "cola/model.h"

/* docs/numerics.md, "Experts". logit [E] of one row; expert [n_active] ascending by number, weight
 * [n_active]. */
void cola_route(const float *logit, const struct cola_experts *experts, uint32_t *expert, float *weight);

/* 1 / (1 + e^-x): the shared expert's scale. */
float cola_sigmoid(float x);

#endif

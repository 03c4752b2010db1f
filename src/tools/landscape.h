/* landscape.h - which chains are right and how long they take, for simulations without a model.
 *
 *     struct landscape landscape = {.synthetic = {.seed = 0, .n_layers = 30, .latency_s = 0.04}};
 *     COLA_TRY(landscape_by_layers(&landscape, 0.3, 0.9));
 *     struct workers_evaluation e = landscape_evaluate(&landscape, sample, &chain);     a workers_evaluate_fn
 *
 * Without landscape_by_layers it is that of `cola search --evaluator synthetic`, to compare with runs of it;
 * times always are. By layers, a chain is right if its mark is above a bound that a share `right` of all
 * marks is above. The mark is normal with mean 0 and variance 1 over samples, made of two parts:
 *
 *     mark = sqrt(alike) * common + sqrt(1 - alike) * own
 *     common = (a + sum over layers l of (c_l - 1) * b_l) / sqrt(1 + sum of (c_l - 1)^2)
 *
 * with c_l how often the chain has layer l, a and b_l normal numbers of the sample, `own` a normal number of
 * the chain alone. So with alike = 0 nothing tells a chain's reward, and the nearer alike is to 1 the more
 * does that of a chain with few other layers: its parent in a tree. */
#ifndef COLA_TOOLS_LANDSCAPE_H
#define COLA_TOOLS_LANDSCAPE_H

#include <stdint.h>

#include "cola/status.h"
#include "cola/synthetic.h"
#include "tools/workers.h"

struct landscape {
    struct cola_synthetic synthetic; /* seed, layers, times; rewards, too, unless by layers */
    bool by_layers;
    double alike;
    double bound; /* marks above it are right */
};

/* right: 0 .. 1; alike: 0 .. 1. COLA_ERR_USAGE names the one that is out of range. */
enum cola_status landscape_by_layers(struct landscape *landscape, double right, double alike);

/* user: a struct landscape. Any thread. */
struct workers_evaluation landscape_evaluate(const void *user, uint32_t sample,
                                             const struct cola_chain *chain);

#endif

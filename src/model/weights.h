/* weights.h - tensors by role: what an engine asks for, found and checked. Internal to src/model.
 *
 *     struct cola_weights weights;
 *     COLA_TRY(cola_weights_map(&config, table, &weights));
 *     weights.outer[COLA_OUTER_EMBEDDING]; weights.layer[l * COLA_N_WEIGHTS + COLA_WEIGHT_Q];
 *     cola_weights_expert(&weights, l, e, COLA_WEIGHT_UP);
 *     cola_weights_fini(&weights);
 */
#ifndef COLA_MODEL_WEIGHTS_H
#define COLA_MODEL_WEIGHTS_H

#include "model/architecture.h"
#include "model/tensor_table.h"

struct cola_weights {
    struct cola_tensor outer[COLA_N_OUTER_WEIGHTS]; /* data NULL: none (the head of a tied model) */
    struct cola_tensor *layer;                      /* [L * COLA_N_WEIGHTS]; data NULL: none */
    struct cola_tensor **expert;                    /* [L] of [3 * E]; NULL: a layer without experts */
    uint32_t n_layers;
    uint64_t n_parameters;
};

/* config's model type must be known. Marks the tensors it takes in the table. COLA_ERR_INPUT names file and
 * tensor: missing, of another shape, left over. COLA_ERR_UNSUPPORTED: a tied model with another head stored.
 */
enum cola_status cola_weights_map(const struct cola_model_config *config, struct cola_tensor_table *table,
                                  struct cola_weights *out);
/* role: GATE, UP or DOWN. NULL in a layer without experts. */
struct cola_tensor *cola_weights_expert(const struct cola_weights *weights, uint32_t layer, uint32_t expert,
                                        enum cola_weight role);
void cola_weights_fini(struct cola_weights *weights);

#endif

/* architecture.h - the table of what differs between model types. Internal to src/model.
 *
 *     const struct cola_architecture *a = cola_architecture_find("llama");
 *     for (size_t i = 0; i < a->n_rules; i++)
 *         ... a->rule[i]: this weight, under this name, with this shape
 */
#ifndef COLA_MODEL_ARCHITECTURE_H
#define COLA_MODEL_ARCHITECTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/model.h"

/* Weights outside of the layers. */
enum cola_outer_weight {
    COLA_OUTER_EMBEDDING = 0,
    COLA_OUTER_FINAL_NORM,
    COLA_OUTER_HEAD,
    COLA_N_OUTER_WEIGHTS
};

/* An axis of a shape, in the letters of engine.h. */
enum cola_axis { COLA_AXIS_NONE = 0, COLA_AXIS_D, COLA_AXIS_H_d, COLA_AXIS_G_d, COLA_AXIS_F, COLA_AXIS_V };

struct cola_weight_rule {
    const char *name; /* Hugging Face's; '*' stands for the layer's number, and only in layer rules */
    bool of_layer;
    uint8_t role;    /* enum cola_weight if of_layer, else enum cola_outer_weight */
    bool if_untied;  /* only where the head is not the embedding; else required */
    uint8_t n_dims;  /* 1 or 2 */
    uint8_t axis[2]; /* enum cola_axis */
};

struct cola_architecture {
    const char *model_type;
    const struct cola_weight_rule *rule; /* [n_rules] */
    size_t n_rules;
};

const struct cola_architecture *cola_architecture_find(const char *model_type); /* NULL: unknown */
void cola_architecture_names(char *text, size_t n_text);                        /* "expected llama or ..." */

/* Writes the rule's tensor name for a layer. Names are shorter than this by construction of the table. */
enum { COLA_WEIGHT_NAME_BYTES = 128 };
void cola_weight_rule_name(const struct cola_weight_rule *rule, uint32_t layer,
                           char name[COLA_WEIGHT_NAME_BYTES]);

uint64_t cola_axis_size(enum cola_axis axis, const struct cola_model_config *config);

/* Tensors of a checkpoint that carry nothing: buffers that old programs stored and every reader computes. */
bool cola_tensor_is_buffer(const char *name);

#endif

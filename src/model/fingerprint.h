/* fingerprint.h - the content hash of a model. Internal to src/model. */
#ifndef COLA_MODEL_FINGERPRINT_H
#define COLA_MODEL_FINGERPRINT_H

#include "model/weights.h"

enum cola_status cola_weights_fingerprint(const struct cola_model_config *config,
                                          const struct cola_weights *weights, char text[COLA_HASH_TEXT]);

#endif

/* config.h - config.json as bytes in, struct cola_model_config out. Internal to src/model; the seam for
 * fuzzing.
 *
 *     struct cola_model_config config;
 *     COLA_TRY(cola_config_parse(text, n, "m/config.json", &config));
 */
#ifndef COLA_MODEL_CONFIG_H
#define COLA_MODEL_CONFIG_H

#include <stddef.h>

#include "cola/model.h"
#include "model/architecture.h"
#include "model/json_text.h"

/* Most units along one axis of a weight: 128 times the largest vocabularies of today. One tensor then has at
 * most 2^48 elements; cola_config_parse also refuses more than 2^56 parameters in all, so that no size in
 * bytes overflows 64 bits. */
enum { COLA_DIMENSION_MAX = 1 << 24 };

/* COLA_ERR_INPUT: not JSON, a number missing or out of its limits; COLA_ERR_UNSUPPORTED: a model type or
 * feature that is not computed here and would change results. file: its name in errors. */
enum cola_status cola_config_parse(const char *text, size_t n, const char *file,
                                   struct cola_model_config *out);

/* Experts of a type that has them, and in which of its layers (config_experts.c). */
enum cola_status cola_experts_parse(const struct cola_json_at *config, const struct cola_architecture *a,
                                    uint32_t n_layers, struct cola_experts *out);

/* Sliding attention (config_window.c): sets `window`, and lowers max_positions to it, where it would cut. */
enum cola_status cola_window_parse(const struct cola_json_at *config, const struct cola_architecture *a,
                                   struct cola_model_config *out);

/* The rotary embedding of a config.json (rope.c): both spellings. */
enum cola_status cola_rope_parse(const struct cola_json_at *config, struct cola_rope *out);

#endif

/* json_text.h - strict JSON for the files of a model directory, with errors that name file and key.
 *
 *     json_t *root;
 *     COLA_TRY(cola_json_parse(text, n, "m/config.json", &root));
 *     struct cola_json_at at = {root, "m/config.json", ""};
 *     uint32_t n_layers;
 *     COLA_TRY(cola_json_count(&at, "num_hidden_layers", 4096, NULL, &n_layers));
 *
 * A key that is absent or null takes the default; without a default it is an error. Internal to src/model. */
#ifndef COLA_MODEL_JSON_TEXT_H
#define COLA_MODEL_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"

struct cola_json_at {
    const json_t *object; /* borrowed */
    const char *file;     /* for errors */
    const char *path;     /* what stands before the key in errors: "", "rope_scaling." */
};

/* One JSON object of n bytes: no duplicate keys, no NaN, nothing behind it. The error names file, line and
 * the top-level key it is in. *out is owned by the caller (json_decref). */
enum cola_status cola_json_parse(const char *text, size_t n, const char *file, json_t **out);

/* The value of a key; NULL if it is absent or null. Borrowed. */
const json_t *cola_json_get(const struct cola_json_at *at, const char *key);

/* A key that is not there at all: some have another meaning when they are null. */
bool cola_json_absent(const struct cola_json_at *at, const char *key);

/* A whole number in min .. max; no number with a point. */
enum cola_status cola_json_whole(const struct cola_json_at *at, const char *key, uint32_t min, uint32_t max,
                                 const uint32_t *otherwise, uint32_t *out);
/* The same from 1 on. */
enum cola_status cola_json_count(const struct cola_json_at *at, const char *key, uint32_t max,
                                 const uint32_t *otherwise, uint32_t *out);
/* A finite number in min .. max. */
enum cola_status cola_json_real(const struct cola_json_at *at, const char *key, double min, double max,
                                const double *otherwise, double *out);
enum cola_status cola_json_flag(const struct cola_json_at *at, const char *key, bool otherwise, bool *out);
/* Borrowed from the object; `otherwise` NULL: required. */
enum cola_status cola_json_string(const struct cola_json_at *at, const char *key, const char *otherwise,
                                  const char **out);

/* A value as short JSON text in ASCII, cut at COLA_JSON_SHOWN - 1 bytes, for errors. */
enum { COLA_JSON_SHOWN = 64 };
void cola_json_show(const json_t *value, char text[COLA_JSON_SHOWN]);

/* Names that files give to tensors and shards: 1 .. 255 bytes without control characters, so that an error
 * can print them whole. */
bool cola_json_name_is_plain(const char *name);

#endif

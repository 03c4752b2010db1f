/* info.h - inside `cola info`: each describer adds facts, in the order in which they are printed, to one JSON
 * object, which is printed as text or as JSON. */
#ifndef COLA_CLI_INFO_H
#define COLA_CLI_INFO_H

#include <jansson.h>

#include "cola/status.h"

/* Adds a fact; takes `value`. A NULL value (out of memory) fails. key: lower case with '_', which text shows
 * as blanks. */
enum cola_status cola_info_add(json_t *facts, const char *key, json_t *value);
enum cola_status cola_info_add_text(json_t *facts, const char *key, const char *text);

enum cola_status cola_info_build(json_t *facts);                  /* this program and its machine */
enum cola_status cola_info_model(const char *dir, json_t *facts); /* a model directory: reads all of it */
#ifdef COLA_HDF5
/* tasks.h5 or run.h5, by the root attribute filetype */
enum cola_status cola_info_file(const char *path, json_t *facts);
enum cola_status cola_info_hdf5_version(json_t *facts);
#endif

#endif

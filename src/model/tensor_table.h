/* tensor_table.h - the tensors of all files of a checkpoint, found by name. Internal to src/model.
 *
 *     struct cola_tensor_table table = {.source = "m/model.safetensors"};
 *     COLA_TRY(cola_tensor_table_add(&table, &st, "m/model.safetensors"));      once a file
 *     COLA_TRY(cola_tensor_table_sort(&table));
 *     struct cola_stored_tensor *t = cola_tensor_table_find(&table, "model.norm.weight");
 *     cola_tensor_table_fini(&table);
 */
#ifndef COLA_MODEL_TENSOR_TABLE_H
#define COLA_MODEL_TENSOR_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "model/safetensors.h"

struct cola_stored_tensor {
    struct cola_safetensors_entry entry;
    const char *file; /* borrowed */
    bool used;        /* has a role, or is known to carry nothing */
};

struct cola_tensor_table {
    const char *source; /* borrowed: what to name when a tensor is missing (the file, or the index) */
    struct cola_stored_tensor *tensor; /* [n_tensors], by name once sorted */
    size_t n_tensors, room;
    bool mapped; /* their bytes are mappings of the files */
};

enum cola_status cola_tensor_table_add(struct cola_tensor_table *table, const struct cola_safetensors *st,
                                       const char *file); /* borrows st and file */
/* COLA_ERR_INPUT if two files hold the same name. */
enum cola_status cola_tensor_table_sort(struct cola_tensor_table *table);
struct cola_stored_tensor *cola_tensor_table_find(const struct cola_tensor_table *table, const char *name);
void cola_tensor_table_fini(struct cola_tensor_table *table);

#endif

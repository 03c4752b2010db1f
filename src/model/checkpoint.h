/* checkpoint.h - the safetensors files of a model directory, mapped, checked and joined into one table.
 * Internal to src/model.
 *
 *     struct cola_checkpoint *checkpoint;
 *     COLA_TRY(cola_checkpoint_open("m", &checkpoint));
 *     struct cola_tensor_table *table = cola_checkpoint_table(checkpoint);         borrowed
 *     cola_checkpoint_close(checkpoint);
 */
#ifndef COLA_MODEL_CHECKPOINT_H
#define COLA_MODEL_CHECKPOINT_H

#include "model/tensor_table.h"

struct cola_checkpoint;

/* model.safetensors, or else the shards of model.safetensors.index.json (the order of transformers). */
enum cola_status cola_checkpoint_open(const char *dir, struct cola_checkpoint **out);
void cola_checkpoint_close(struct cola_checkpoint *checkpoint); /* NULL allowed */
struct cola_tensor_table *cola_checkpoint_table(struct cola_checkpoint *checkpoint);
uint64_t cola_checkpoint_bytes(const struct cola_checkpoint *checkpoint); /* of its files */
uint32_t cola_checkpoint_n_files(const struct cola_checkpoint *checkpoint);

#endif

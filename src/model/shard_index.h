/* shard_index.h - model.safetensors.index.json: bytes in, the shard of every tensor out. Internal to
 * src/model.
 *
 *     struct cola_shard_index index;
 *     COLA_TRY(cola_shard_index_parse(text, n, "m/model.safetensors.index.json", &index));
 *     for (size_t i = 0; i < index.n_shards; i++) ... open index.shard[i] ...
 *     COLA_TRY(cola_shard_index_check(&index, ...));
 *     cola_shard_index_fini(&index);
 */
#ifndef COLA_MODEL_SHARD_INDEX_H
#define COLA_MODEL_SHARD_INDEX_H

#include <jansson.h>
#include <stddef.h>

#include "model/tensor_table.h"

struct cola_shard_index {
    json_t *root;       /* owns the texts */
    json_t *weight_map; /* borrowed from root: tensor name -> shard's file name */
    const char **shard; /* [n_shards] file names, sorted, each once; plain names without '/' */
    size_t n_shards;
};

enum cola_status cola_shard_index_parse(const char *text, size_t n, const char *file,
                                        struct cola_shard_index *out);
void cola_shard_index_fini(struct cola_shard_index *index);

/* Every tensor of the index is in its shard and every tensor of a shard is in the index. The table's file
 * names end in the shard's name behind n_prefix bytes ("m/"). */
enum cola_status cola_shard_index_check(const struct cola_shard_index *index, const char *file,
                                        const struct cola_tensor_table *table, size_t n_prefix);

#endif

/* shard_index.c - reads the index of a sharded checkpoint and holds it against what the shards contain.
 *
 * Place: below checkpoint.c; knows no files: a shard is a name here. A shard's name comes from outside and is
 * put behind the model's directory, so it must not leave it. metadata.total_size is not read: old writers
 * counted differently, and the shards themselves are checked byte by byte. */
#include "model/shard_index.h"

#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "model/json_text.h"

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static enum cola_status check_shard_name(const char *file, const char *tensor, const json_t *value)
{
    static const char ending[] = ".safetensors";
    const char *name = json_string_value(value);
    size_t n = name ? strlen(name) : 0, n_ending = sizeof ending - 1;
    if (n > n_ending && strcmp(name + n - n_ending, ending) == 0 && !strchr(name, '/') && name[0] != '.' &&
        cola_json_name_is_plain(name))
        return COLA_OK;
    char found[COLA_JSON_SHOWN];
    cola_json_show(value, found);
    return cola_fail(
        COLA_ERR_INPUT,
        "%s: tensor %s: expected the name of a .safetensors file in the same directory, found %s", file,
        tensor, found);
}

static enum cola_status read_map(const char *file, struct cola_shard_index *index)
{
    const char *tensor;
    json_t *value;
    size_t n = json_object_size(index->weight_map), n_kept = 0;
    COLA_TRY(cola_alloc((void **)&index->shard, n, sizeof *index->shard, "shard names"));
    json_object_foreach(index->weight_map, tensor, value)
    {
        if (!cola_json_name_is_plain(tensor))
            return cola_fail(COLA_ERR_INPUT,
                             "%s: weight_map: a tensor's name is empty, longer than 255 bytes or has control "
                             "characters",
                             file);
        COLA_TRY(check_shard_name(file, tensor, value));
        index->shard[index->n_shards++] = json_string_value(value);
    }
    if (n) qsort(index->shard, n, sizeof *index->shard, by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(index->shard[i], index->shard[i - 1]) != 0)
            index->shard[n_kept++] = index->shard[i];
    index->n_shards = n_kept;
    return COLA_OK;
}

enum cola_status cola_shard_index_parse(const char *text, size_t n, const char *file,
                                        struct cola_shard_index *out)
{
    struct cola_shard_index index = {0};
    enum cola_status status;
    COLA_TRY(cola_json_parse(text, n, file, &index.root));
    index.weight_map = json_object_get(index.root, "weight_map");
    if (!json_is_object(index.weight_map))
        status = cola_fail(COLA_ERR_INPUT, "%s: weight_map: expected an object {tensor: file}, found %s",
                           file, index.weight_map ? "another value" : "nothing");
    else
        status = read_map(file, &index);
    if (status != COLA_OK) {
        cola_shard_index_fini(&index);
        return status;
    }
    *out = index;
    return COLA_OK;
}

void cola_shard_index_fini(struct cola_shard_index *index)
{
    free(index->shard);
    json_decref(index->root);
    *index = (struct cola_shard_index){0};
}

enum cola_status cola_shard_index_check(const struct cola_shard_index *index, const char *file,
                                        const struct cola_tensor_table *table, size_t n_prefix)
{
    const char *name;
    json_t *value;
    json_object_foreach(index->weight_map, name, value)
    {
        const char *shard = json_string_value(value);
        const struct cola_stored_tensor *found = cola_tensor_table_find(table, name);
        if (!found)
            return cola_fail(COLA_ERR_INPUT, "%s: tensor %s is not in %s, where the index places it", file,
                             name, shard);
        if (strcmp(found->file + n_prefix, shard) != 0)
            return cola_fail(COLA_ERR_INPUT, "%s: tensor %s is in %s, but the index places it in %s", file,
                             name, found->file, shard);
    }
    for (size_t i = 0; i < table->n_tensors; i++)
        if (!json_object_get(index->weight_map, table->tensor[i].entry.name))
            return cola_fail(COLA_ERR_INPUT, "%s: tensor %s is not in the index %s", table->tensor[i].file,
                             table->tensor[i].entry.name, file);
    return COLA_OK;
}

/* checkpoint.c - opens the one or many safetensors files of a model directory.
 *
 * Place: between cola_model_open and the parsers that know only bytes. Owns the mappings, the headers and the
 * files' names, which the tensor table borrows. Knows no architecture: which tensors there should be is the
 * business of weights.c. */
#include "model/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/memory.h"
#include "model/mapped_file.h"
#include "model/shard_index.h"

static const char single_name[] = "model.safetensors", index_name[] = "model.safetensors.index.json";
static const uint64_t INDEX_BYTES_MAX = 100000000; /* as for a header; real ones have 100 bytes a tensor */

struct weight_file {
    char *path;
    struct cola_mapped_file mapped;
    struct cola_safetensors header;
};

struct cola_checkpoint {
    struct weight_file *file; /* [n_files] */
    size_t n_files;
    char *source; /* the path to name when a tensor is missing */
    struct cola_tensor_table table;
};

static enum cola_status join(const char *dir, const char *name, char **out)
{
    size_t n = strlen(dir) + 1 + strlen(name) + 1;
    COLA_TRY(cola_alloc((void **)out, n, 1, "path"));
    snprintf(*out, n, "%s/%s", dir, name);
    return COLA_OK;
}

static enum cola_status open_file(struct cola_checkpoint *c, const char *dir, const char *name)
{
    struct weight_file *file = &c->file[c->n_files++]; /* counted first: close frees what a failure leaves */
    COLA_TRY(join(dir, name, &file->path));
    COLA_TRY(cola_mapped_file_open(file->path, UINT64_MAX, &file->mapped));
    COLA_TRY(cola_safetensors_parse(file->mapped.bytes, file->mapped.n_bytes, file->path, &file->header));
    return cola_tensor_table_add(&c->table, &file->header, file->path);
}

static enum cola_status open_single(struct cola_checkpoint *c, const char *dir)
{
    COLA_TRY(cola_alloc((void **)&c->file, 1, sizeof *c->file, "weight files"));
    COLA_TRY(open_file(c, dir, single_name));
    return cola_tensor_table_sort(&c->table);
}

static enum cola_status open_shards(struct cola_checkpoint *c, const char *dir, const char *index_path)
{
    struct cola_mapped_file text = {0};
    struct cola_shard_index index = {0};
    enum cola_status status;
    COLA_TRY_DONE(cola_mapped_file_open(index_path, INDEX_BYTES_MAX, &text));
    COLA_TRY_DONE(cola_shard_index_parse(text.n_bytes ? text.bytes : "", text.n_bytes, index_path, &index));
    COLA_TRY_DONE(cola_alloc((void **)&c->file, index.n_shards, sizeof *c->file, "weight files"));
    for (size_t i = 0; i < index.n_shards; i++) {
        status = open_file(c, dir, index.shard[i]);
        if (status == COLA_ERR_IO) cola_fail_in(status, "%s names a shard that cannot be read", index_path);
        if (status != COLA_OK) goto done;
    }
    COLA_TRY_DONE(cola_tensor_table_sort(&c->table));
    COLA_TRY_DONE(cola_shard_index_check(&index, index_path, &c->table, strlen(dir) + 1));
done:
    cola_shard_index_fini(&index);
    cola_mapped_file_close(&text);
    return status;
}

static enum cola_status open_any(struct cola_checkpoint *c, const char *dir)
{
    char *single = NULL, *index = NULL;
    enum cola_status status;
    COLA_TRY_DONE(join(dir, single_name, &single));
    COLA_TRY_DONE(join(dir, index_name, &index));
    bool sharded = access(single, F_OK) != 0;
    if (sharded && access(index, F_OK) != 0) {
        status = cola_fail(COLA_ERR_IO,
                           "%s: holds neither %s nor %s (other formats, such as pytorch_model.bin, must be "
                           "converted to safetensors first)",
                           dir, single_name, index_name);
        goto done;
    }
    char **source = sharded ? &index : &single;
    c->source = *source;
    c->table.source = *source;
    c->table.mapped = true;
    *source = NULL;
    status = sharded ? open_shards(c, dir, c->source) : open_single(c, dir);
done:
    free(single);
    free(index);
    return status;
}

enum cola_status cola_checkpoint_open(const char *dir, struct cola_checkpoint **out)
{
    struct cola_checkpoint *c;
    COLA_TRY(cola_alloc((void **)&c, 1, sizeof *c, "checkpoint"));
    enum cola_status status = open_any(c, dir);
    if (status != COLA_OK) {
        cola_checkpoint_close(c);
        return status;
    }
    *out = c;
    return COLA_OK;
}

void cola_checkpoint_close(struct cola_checkpoint *c)
{
    if (!c) return;
    cola_tensor_table_fini(&c->table);
    for (size_t i = 0; i < c->n_files; i++) {
        cola_safetensors_fini(&c->file[i].header);
        cola_mapped_file_close(&c->file[i].mapped);
        free(c->file[i].path);
    }
    free(c->file);
    free(c->source);
    free(c);
}

struct cola_tensor_table *cola_checkpoint_table(struct cola_checkpoint *c)
{
    return &c->table;
}
uint32_t cola_checkpoint_n_files(const struct cola_checkpoint *c)
{
    return (uint32_t)c->n_files;
}

uint64_t cola_checkpoint_bytes(const struct cola_checkpoint *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < c->n_files; i++) n += c->file[i].mapped.n_bytes;
    return n;
}

/* model.c - opens a Hugging Face model directory: config.json, then the files, then every weight in its role.
 *
 * Place: the one entrance to src/model (model.h); engines, `cola info` and the handshake of a worker come
 * through here. Owns the checkpoint, which the weights borrow. Knows no engine. */
#include "cola/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/fingerprint.h"
#include "model/mapped_file.h"
#include "model/weights.h"

static const uint64_t CONFIG_BYTES_MAX = 1 << 24; /* real ones have 1 kB; far too much for a mistake */

struct cola_model {
    struct cola_model_config config;
    struct cola_checkpoint *checkpoint;
    struct cola_weights weights;
    char fingerprint[COLA_HASH_TEXT]; /* "" until asked for */
};

static enum cola_status open_config(const char *dir, struct cola_model_config *config)
{
    char *path = NULL;
    struct cola_mapped_file text = {0};
    enum cola_status status;
    size_t n = strlen(dir) + sizeof "/config.json";
    COLA_TRY_DONE(cola_alloc((void **)&path, n, 1, "path"));
    snprintf(path, n, "%s/config.json", dir);
    status = cola_mapped_file_open(path, CONFIG_BYTES_MAX, &text);
    if (status == COLA_ERR_IO) cola_fail_in(status, "%s is no readable model directory", dir);
    if (status != COLA_OK) goto done;
    COLA_TRY_DONE(cola_config_parse(text.n_bytes ? text.bytes : "", text.n_bytes, path, config));
done:
    cola_mapped_file_close(&text);
    free(path);
    return status;
}

enum cola_status cola_model_open(const char *dir, struct cola_model **out)
{
    struct cola_model *model = NULL;
    enum cola_status status;
    COLA_TRY_DONE(cola_alloc((void **)&model, 1, sizeof *model, "model"));
    COLA_TRY_DONE(open_config(dir, &model->config));
    COLA_TRY_DONE(cola_checkpoint_open(dir, &model->checkpoint));
    COLA_TRY_DONE(
        cola_weights_map(&model->config, cola_checkpoint_table(model->checkpoint), &model->weights));
    *out = model;
    return COLA_OK;
done:
    cola_model_close(model);
    return status;
}

void cola_model_close(struct cola_model *model)
{
    if (!model) return;
    cola_weights_fini(&model->weights);
    cola_checkpoint_close(model->checkpoint);
    free(model);
}

const struct cola_model_config *cola_model_config(const struct cola_model *model)
{
    return &model->config;
}
const struct cola_tensor *cola_model_embedding(const struct cola_model *model)
{
    return &model->weights.outer[COLA_OUTER_EMBEDDING];
}
const struct cola_tensor *cola_model_final_norm(const struct cola_model *model)
{
    return &model->weights.outer[COLA_OUTER_FINAL_NORM];
}

const struct cola_tensor *cola_model_head(const struct cola_model *model)
{
    return &model->weights.outer[model->config.tied_head ? COLA_OUTER_EMBEDDING : COLA_OUTER_HEAD];
}

const struct cola_tensor *cola_model_weight(const struct cola_model *model, uint32_t layer,
                                            enum cola_weight weight)
{
    const struct cola_tensor *tensor = &model->weights.layer[(size_t)layer * COLA_N_WEIGHTS + weight];
    return tensor->data ? tensor : NULL;
}

const struct cola_tensor *cola_model_expert(const struct cola_model *model, uint32_t layer, uint32_t expert,
                                            enum cola_weight role)
{
    return cola_weights_expert(&model->weights, layer, expert, role);
}

uint64_t cola_model_n_parameters(const struct cola_model *model)
{
    return model->weights.n_parameters;
}
uint64_t cola_model_file_bytes(const struct cola_model *model)
{
    return cola_checkpoint_bytes(model->checkpoint);
}
uint32_t cola_model_n_files(const struct cola_model *model)
{
    return cola_checkpoint_n_files(model->checkpoint);
}

enum cola_status cola_model_fingerprint(struct cola_model *model, char text[COLA_HASH_TEXT])
{
    if (!model->fingerprint[0])
        COLA_TRY(cola_weights_fingerprint(&model->config, &model->weights, model->fingerprint));
    memcpy(text, model->fingerprint, COLA_HASH_TEXT);
    return COLA_OK;
}

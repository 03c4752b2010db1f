/* config_experts.c - the part of config.json about experts: how many, how large, in which layers.
 *
 * Place: called by config.c for types that have experts (architecture.c says which keys and what an absent
 * one means). Where it ends up that every layer is dense, everything is zero: then nothing of this counts. */
#include "model/config.h"

/* Ten times the most of today; with sizes of at most 2^24 no count of parameters wraps. */
enum { EXPERTS_MAX = 4096 };

static enum cola_status read_sizes(const struct cola_json_at *at, const struct cola_architecture *a,
                                   struct cola_experts *x)
{
    uint32_t alias;
    const uint32_t least = a->has_dense_layers ? 0 : 1; /* without experts every layer would be dense */
    COLA_TRY(cola_json_whole(at, "num_experts", least, EXPERTS_MAX, &a->n_experts, &x->n_experts));
    COLA_TRY(cola_json_whole(at, "num_local_experts", 0, EXPERTS_MAX, &x->n_experts, &alias));
    if (alias != x->n_experts)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: num_experts %u and num_local_experts %u differ; keep the right one", at->file,
                         x->n_experts, alias);
    if (!x->n_experts) return COLA_OK;
    COLA_TRY(cola_json_count(at, "num_experts_per_tok", EXPERTS_MAX, &a->n_active, &x->n_active));
    if (x->n_active > x->n_experts)
        return cola_fail(COLA_ERR_INPUT, "%s: num_experts_per_tok %u is more than num_experts %u", at->file,
                         x->n_active, x->n_experts);
    COLA_TRY(cola_json_count(at, a->ff_key, COLA_DIMENSION_MAX, a->n_ff ? &a->n_ff : NULL, &x->n_ff));
    if (a->n_shared_ff)
        COLA_TRY(cola_json_count(at, "shared_expert_intermediate_size", COLA_DIMENSION_MAX, &a->n_shared_ff,
                                 &x->n_shared_ff));
    return cola_json_flag(at, "norm_topk_prob", false, &x->normalise);
}

/* Layer l has experts if (l + 1) is a multiple of decoder_sparse_step. */
static enum cola_status read_step(const struct cola_json_at *at, uint32_t n_layers, struct cola_experts *x)
{
    static const uint32_t every_layer = 1;
    uint32_t step;
    COLA_TRY(cola_json_count(at, "decoder_sparse_step", UINT32_MAX, &every_layer, &step));
    for (uint64_t l = (uint64_t)step - 1; l < n_layers; l += step) x->in_layer[l / 64] |= 1ull << l % 64;
    return COLA_OK;
}

/* ... and is not in mlp_only_layers. */
static enum cola_status remove_dense(const struct cola_json_at *at, uint32_t n_layers, struct cola_experts *x)
{
    const json_t *dense = cola_json_get(at, "mlp_only_layers");
    char found[COLA_JSON_SHOWN];
    if (dense && !json_is_array(dense)) {
        cola_json_show(dense, found);
        return cola_fail(COLA_ERR_INPUT, "%s: mlp_only_layers: expected a list, found %s", at->file, found);
    }
    for (size_t i = 0; i < json_array_size(dense); i++) {
        const json_t *entry = json_array_get(dense, i);
        json_int_t l = json_integer_value(entry);
        if (!json_is_integer(entry) || l < 0 || l >= (json_int_t)n_layers) {
            cola_json_show(entry, found);
            return cola_fail(COLA_ERR_INPUT,
                             "%s: mlp_only_layers entry: expected a layer in 0 .. %u, found %s", at->file,
                             n_layers - 1, found);
        }
        x->in_layer[l / 64] &= ~(1ull << l % 64);
    }
    return COLA_OK;
}

enum cola_status cola_experts_parse(const struct cola_json_at *at, const struct cola_architecture *a,
                                    uint32_t n_layers, struct cola_experts *out)
{
    struct cola_experts x = {0};
    bool any = false;
    COLA_TRY(read_sizes(at, a, &x));
    if (a->has_dense_layers) {
        COLA_TRY(read_step(at, n_layers, &x));
        COLA_TRY(remove_dense(at, n_layers, &x));
    } else
        for (uint32_t l = 0; l < n_layers; l++) x.in_layer[l / 64] |= 1ull << l % 64;
    for (uint32_t l = 0; l < n_layers; l++) any = any || x.in_layer[l / 64] >> l % 64 & 1;
    *out = x.n_experts && any ? x : (struct cola_experts){0};
    return COLA_OK;
}

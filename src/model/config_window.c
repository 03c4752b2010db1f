/* config_window.c - sliding windows in config.json: how many positions there are before one would cut.
 *
 * Place: called by config.c. With a window of W a token attends to itself and the W - 1 before it, so that in
 * a sequence of up to W tokens attention sees all, as it does here: a window only limits the positions that
 * are accepted. Which keys count differs by type (architecture.c). */
#include "model/config.h"

#include <string.h>

/* How many layers slide, by layer_types; *listed false: there is no such key. */
static enum cola_status count_sliding(const struct cola_json_at *at, uint32_t n_layers, bool *listed,
                                      uint32_t *n_sliding)
{
    const json_t *types = cola_json_get(at, "layer_types");
    char found[COLA_JSON_SHOWN];
    *listed = types != NULL;
    *n_sliding = 0;
    if (!types) return COLA_OK;
    if (!json_is_array(types) || json_array_size(types) != n_layers) {
        cola_json_show(types, found);
        return cola_fail(COLA_ERR_INPUT, "%s: layer_types: expected a list of %u entries, found %s", at->file,
                         n_layers, found);
    }
    for (size_t i = 0; i < n_layers; i++) {
        const char *type = json_string_value(json_array_get(types, i));
        if (type && strcmp(type, "full_attention") == 0) continue;
        if (!type || strcmp(type, "sliding_attention") != 0) {
            cola_json_show(json_array_get(types, i), found);
            return cola_fail(COLA_ERR_UNSUPPORTED,
                             "%s: layer_types entry %s is not supported: expected full_attention or "
                             "sliding_attention",
                             at->file, found);
        }
        ++*n_sliding;
    }
    return COLA_OK;
}

/* The window in use; 0: none. */
static enum cola_status read_window(const struct cola_json_at *at, const struct cola_architecture *a,
                                    uint32_t *window)
{
    bool use = true;
    const uint32_t otherwise = cola_json_absent(at, "sliding_window") ? a->window : 0; /* null: none */
    if (a->window_use != COLA_WINDOW_ALWAYS)
        COLA_TRY(cola_json_flag(at, "use_sliding_window", a->window_use == COLA_WINDOW_UNLESS_OFF, &use));
    *window = 0;
    if (!use) return COLA_OK;
    return cola_json_whole(at, "sliding_window", 0, UINT32_MAX, &otherwise, window);
}

enum cola_status cola_window_parse(const struct cola_json_at *at, const struct cola_architecture *a,
                                   struct cola_model_config *c)
{
    bool listed;
    uint32_t n_sliding, window;
    COLA_TRY(count_sliding(at, c->n_layers, &listed, &n_sliding));
    COLA_TRY(read_window(at, a, &window));
    if (n_sliding && !window)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "%s: layer_types entry sliding_attention is not supported without a sliding_window "
                         "in use: how far would it see?",
                         at->file);
    if (listed && !n_sliding && a->window_use != COLA_WINDOW_ALWAYS) window = 0;
    if (!window || window >= c->max_positions) return COLA_OK;
    c->window = window;
    c->max_positions = window;
    return COLA_OK;
}

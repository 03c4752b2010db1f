/* rope.c - the rotary embedding's settings in config.json, in both spellings.
 *
 * transformers 4:  "rope_theta": 5e5, "rope_scaling": null or {"rope_type" (older: "type"): "llama3", ...}
 * transformers 5:  "rope_parameters": {"rope_theta": 5e5, "rope_type": "llama3", ...}
 * Place: called by config.c. A file that says the same thing twice must say the same; a key that the type
 * does not have is refused, since somebody meant something by it. What the numbers do: docs/numerics.md. */
#include "model/config.h"

#include <string.h>

/* Positions times inverse frequencies must stay exact arguments of sine and cosine: theta >= 1 makes every
 * frequency <= 1. The upper end is far above any model's (1e7). */
static const double THETA_MIN = 1, THETA_MAX = 1e18, THETA_DEFAULT = 10000, FACTOR_MAX = 1e6;

static enum cola_status one_of_two(const struct cola_json_at *config, const json_t **object,
                                   const char **path)
{
    const json_t *new_way = cola_json_get(config, "rope_parameters");
    const json_t *old_way = cola_json_get(config, "rope_scaling");
    if (new_way && old_way && !json_equal(new_way, old_way))
        return cola_fail(COLA_ERR_INPUT, "%s: rope_parameters and rope_scaling differ; keep the right one",
                         config->file);
    *object = new_way ? new_way : old_way;
    *path = new_way ? "rope_parameters." : "rope_scaling.";
    if (*object && !json_is_object(*object)) {
        char found[COLA_JSON_SHOWN];
        cola_json_show(*object, found);
        return cola_fail(COLA_ERR_INPUT, "%s: %.*s: expected an object, found %s", config->file,
                         (int)strlen(*path) - 1, *path, found);
    }
    return COLA_OK;
}

static enum cola_status read_theta(const struct cola_json_at *config, const struct cola_json_at *rope,
                                   double *theta)
{
    double outer;
    COLA_TRY(cola_json_real(config, "rope_theta", THETA_MIN, THETA_MAX, &THETA_DEFAULT, &outer));
    COLA_TRY(cola_json_real(rope, "rope_theta", THETA_MIN, THETA_MAX, &outer, theta));
    if (cola_json_get(config, "rope_theta") && *theta != outer)
        return cola_fail(COLA_ERR_INPUT, "%s: rope_theta %g and %srope_theta %g differ; keep the right one",
                         config->file, outer, rope->path, *theta);
    return COLA_OK;
}

static enum cola_status read_type(const struct cola_json_at *rope, enum cola_rope_scaling *out)
{
    const char *old_name, *name;
    COLA_TRY(cola_json_string(rope, "type", "default", &old_name));
    COLA_TRY(cola_json_string(rope, "rope_type", old_name, &name));
    if (cola_json_get(rope, "type") && strcmp(name, old_name) != 0)
        return cola_fail(COLA_ERR_INPUT, "%s: %srope_type and %stype differ; keep the right one", rope->file,
                         rope->path, rope->path);
    if (strcmp(name, "default") == 0)
        *out = COLA_ROPE_PLAIN;
    else if (strcmp(name, "llama3") == 0)
        *out = COLA_ROPE_LLAMA3;
    else {
        char found[COLA_JSON_SHOWN];
        const json_t *value = cola_json_get(rope, "rope_type");
        cola_json_show(value ? value : cola_json_get(rope, "type"), found);
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "%s: %srope_type %s is not supported: expected default or llama3", rope->file,
                         rope->path, found);
    }
    return COLA_OK;
}

static enum cola_status check_keys(const struct cola_json_at *rope, enum cola_rope_scaling scaling)
{
    static const char *const known[] = {"rope_type",
                                        "type",
                                        "rope_theta",
                                        "partial_rotary_factor",
                                        "factor", /* from here on: llama3 */
                                        "low_freq_factor",
                                        "high_freq_factor",
                                        "original_max_position_embeddings"};
    const size_t n_known = scaling == COLA_ROPE_LLAMA3 ? sizeof known / sizeof *known : 4;
    void *iterator = json_object_iter((json_t *)(uintptr_t)rope->object);
    for (; iterator; iterator = json_object_iter_next((json_t *)(uintptr_t)rope->object, iterator)) {
        const char *key = json_object_iter_key(iterator);
        size_t i = 0;
        while (i < n_known && strcmp(key, known[i]) != 0) i++;
        if (i < n_known || json_is_null(json_object_iter_value(iterator))) continue;
        char found[COLA_JSON_SHOWN];
        cola_json_show(json_object_iter_value(iterator), found);
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "%s: %s%s %s is not supported: rope_type %s has no such setting", rope->file,
                         rope->path, cola_json_name_is_plain(key) ? key : "(unprintable key)", found,
                         scaling == COLA_ROPE_LLAMA3 ? "llama3" : "default");
    }
    return COLA_OK;
}

static enum cola_status refuse_partial(const struct cola_json_at *at)
{
    static const double whole = 1;
    double factor;
    COLA_TRY(cola_json_real(at, "partial_rotary_factor", 0, 1, &whole, &factor));
    if (factor != 1)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "%s: %spartial_rotary_factor %g is not supported: the whole head is rotated",
                         at->file, at->path, factor);
    return COLA_OK;
}

static enum cola_status read_llama3(const struct cola_json_at *rope, struct cola_rope *out)
{
    COLA_TRY(cola_json_real(rope, "factor", 1, FACTOR_MAX, NULL, &out->factor));
    COLA_TRY(cola_json_real(rope, "low_freq_factor", 1e-6, FACTOR_MAX, NULL, &out->low_freq_factor));
    COLA_TRY(cola_json_real(rope, "high_freq_factor", 1e-6, FACTOR_MAX, NULL, &out->high_freq_factor));
    COLA_TRY(cola_json_count(rope, "original_max_position_embeddings", COLA_DIMENSION_MAX, NULL,
                             &out->original_max_positions));
    if (!(out->low_freq_factor < out->high_freq_factor))
        return cola_fail(COLA_ERR_INPUT, "%s: %slow_freq_factor %g must be below high_freq_factor %g",
                         rope->file, rope->path, out->low_freq_factor, out->high_freq_factor);
    return COLA_OK;
}

enum cola_status cola_rope_parse(const struct cola_json_at *config, struct cola_rope *out)
{
    const json_t *object = NULL;
    const char *path = "";
    struct cola_rope rope = {0};
    COLA_TRY(one_of_two(config, &object, &path));
    struct cola_json_at at = {object, config->file, path}; /* no object: every key has its default */
    COLA_TRY(read_theta(config, &at, &rope.theta));
    COLA_TRY(read_type(&at, &rope.scaling));
    COLA_TRY(refuse_partial(config));
    COLA_TRY(refuse_partial(&at));
    COLA_TRY(check_keys(&at, rope.scaling));
    if (rope.scaling == COLA_ROPE_LLAMA3) COLA_TRY(read_llama3(&at, &rope));
    *out = rope;
    return COLA_OK;
}

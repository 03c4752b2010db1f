/* trace.c - reads a file of recorded runs (trace.h). Everything is checked and refused by name; jansson finds
 * what is no JSON. */
#include "tools/trace.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

#define DRAWS_PER_UNIT 0x1p20 /* draws are integers k, u = k / 2^20 */

void trace_close(struct trace *trace)
{
    if (!trace) return;
    for (size_t i = 0; i < trace->n_runs; i++) {
        struct trace_run *run = &trace->run[i];
        for (size_t j = 0; j < run->n_steps; j++) free(run->step[j].chain.layer);
        for (size_t j = 0; j < run->evaluated.n; j++) free(run->evaluated.chain[j].layer);
        for (size_t j = 0; j < run->good.n; j++) free(run->good.chain[j].layer);
        free(run->uniform);
        free(run->step);
        free(run->evaluated.chain);
        free(run->good.chain);
    }
    free(trace->run);
    free(trace);
}

/* --- one value ---------------------------------------------------------------------------------------- */

static enum cola_status read_whole(const json_t *object, const char *name, uint32_t least, uint32_t most,
                                   uint32_t *out)
{
    const json_t *value = json_object_get(object, name);
    if (!value) return cola_fail(COLA_ERR_INPUT, "\"%s\" is missing", name);
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < least || number > most)
        return cola_fail(COLA_ERR_INPUT, "\"%s\": expected a whole number of %u .. %u", name, least, most);
    *out = (uint32_t)number;
    return COLA_OK;
}

static enum cola_status read_real(const json_t *object, const char *name, double *out)
{
    const json_t *value = json_object_get(object, name);
    if (!value) return cola_fail(COLA_ERR_INPUT, "\"%s\" is missing", name);
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        return cola_fail(COLA_ERR_INPUT, "\"%s\": expected a number", name);
    *out = json_number_value(value);
    return COLA_OK;
}

static enum cola_status read_chain(const json_t *value, uint32_t n_layers, struct trace_chain *out)
{
    cola_layer room[COLA_CHAIN_MAX(TRACE_LAYERS_MAX)];
    struct cola_chain chain;
    if (!json_is_string(value)) return cola_fail(COLA_ERR_INPUT, "expected a chain's text");
    COLA_TRY(cola_chain_parse(json_string_value(value), n_layers, room, COLA_CHAIN_MAX(n_layers), &chain));
    COLA_TRY(cola_alloc((void **)&out->layer, chain.n_layers, sizeof *out->layer, "trace"));
    memcpy(out->layer, chain.layer, chain.n_layers * sizeof *chain.layer);
    out->n_layers = chain.n_layers;
    return COLA_OK;
}

/* --- lists -------------------------------------------------------------------------------------------- */

static enum cola_status get_array(const json_t *object, const char *name, const json_t **out)
{
    *out = json_object_get(object, name);
    if (!*out) return cola_fail(COLA_ERR_INPUT, "\"%s\" is missing", name);
    if (!json_is_array(*out)) return cola_fail(COLA_ERR_INPUT, "\"%s\": expected a list", name);
    return COLA_OK;
}

static enum cola_status read_draws(const json_t *object, struct trace_run *run)
{
    const json_t *array;
    COLA_TRY(get_array(object, "draws", &array));
    COLA_TRY(cola_alloc((void **)&run->uniform, json_array_size(array), sizeof *run->uniform, "trace"));
    for (; run->n_draws < json_array_size(array); run->n_draws++) {
        const json_t *value = json_array_get(array, run->n_draws);
        json_int_t k = json_integer_value(value);
        if (!json_is_integer(value) || k < 0 || k >= (json_int_t)DRAWS_PER_UNIT)
            return cola_fail(COLA_ERR_INPUT, "\"draws\"[%zu]: expected a whole number of 0 .. 2^20 - 1",
                             run->n_draws);
        run->uniform[run->n_draws] = (double)k / DRAWS_PER_UNIT;
    }
    return COLA_OK;
}

static enum cola_status read_step(const json_t *value, uint32_t n_layers, struct trace_step *step)
{
    const json_t *is_new = json_object_get(value, "new");
    if (!json_is_object(value)) return cola_fail(COLA_ERR_INPUT, "expected an object");
    COLA_TRY(read_real(value, "reward", &step->reward));
    if (is_new && !json_is_boolean(is_new))
        return cola_fail(COLA_ERR_INPUT, "\"new\": expected true or false");
    step->has_new = is_new != NULL;
    step->is_new = json_is_true(is_new);
    return read_chain(json_object_get(value, "chain"), n_layers, &step->chain);
}

static enum cola_status read_steps(const json_t *object, struct trace_run *run)
{
    const json_t *array;
    COLA_TRY(get_array(object, "steps", &array));
    COLA_TRY(cola_alloc((void **)&run->step, json_array_size(array), sizeof *run->step, "trace"));
    for (; run->n_steps < json_array_size(array); run->n_steps++) {
        enum cola_status status =
            read_step(json_array_get(array, run->n_steps), run->layers, &run->step[run->n_steps]);
        if (status != COLA_OK) return cola_fail_in(status, "\"steps\"[%zu]", run->n_steps);
    }
    return COLA_OK;
}

static enum cola_status read_list(const json_t *object, const char *name, uint32_t n_layers,
                                  struct trace_list *list)
{
    const json_t *array;
    list->given = json_object_get(object, name) != NULL;
    if (!list->given) return COLA_OK;
    COLA_TRY(get_array(object, name, &array));
    COLA_TRY(cola_alloc((void **)&list->chain, json_array_size(array), sizeof *list->chain, "trace"));
    for (; list->n < json_array_size(array); list->n++) {
        enum cola_status status = read_chain(json_array_get(array, list->n), n_layers, &list->chain[list->n]);
        if (status != COLA_OK) return cola_fail_in(status, "\"%s\"[%zu]", name, list->n);
    }
    return COLA_OK;
}

/* --- the file ----------------------------------------------------------------------------------------- */

static enum cola_status read_run(const json_t *object, struct trace_run *run)
{
    uint32_t salt = 0;
    if (!json_is_object(object)) return cola_fail(COLA_ERR_INPUT, "expected an object");
    COLA_TRY(read_whole(object, "salt", 0, UINT8_MAX, &salt));
    run->salt = (uint8_t)salt;
    COLA_TRY(read_real(object, "p", &run->p));
    COLA_TRY(read_whole(object, "simulations", 1, UINT32_MAX, &run->simulations));
    COLA_TRY(read_whole(object, "layers", 1, TRACE_LAYERS_MAX, &run->layers));
    uint32_t longest = COLA_CHAIN_MAX(run->layers);
    if (json_object_get(object, "min_length"))
        COLA_TRY(read_whole(object, "min_length", 1, longest, &run->min_length));
    if (json_object_get(object, "max_length"))
        COLA_TRY(read_whole(object, "max_length", 1, longest, &run->max_length));
    run->has_base_reward = json_object_get(object, "base_reward") != NULL;
    if (run->has_base_reward) COLA_TRY(read_real(object, "base_reward", &run->base_reward));
    COLA_TRY(read_draws(object, run));
    COLA_TRY(read_steps(object, run));
    COLA_TRY(read_list(object, "evaluated", run->layers, &run->evaluated));
    return read_list(object, "good", run->layers, &run->good);
}

static enum cola_status read_trace(const json_t *root, struct trace *trace)
{
    const json_t *runs, *preset = json_object_get(root, "preset");
    if (!json_is_object(root)) return cola_fail(COLA_ERR_INPUT, "expected an object with \"runs\"");
    if (!json_is_string(preset) || strlen(json_string_value(preset)) >= sizeof trace->preset)
        return cola_fail(COLA_ERR_INPUT, "\"preset\": expected the name of a preset");
    strcpy(trace->preset, json_string_value(preset));
    COLA_TRY(get_array(root, "runs", &runs));
    if (json_array_size(runs) == 0) return cola_fail(COLA_ERR_INPUT, "\"runs\": it holds no run");
    COLA_TRY(cola_alloc((void **)&trace->run, json_array_size(runs), sizeof *trace->run, "trace"));
    while (trace->n_runs < json_array_size(runs)) {
        size_t i = trace->n_runs++; /* counted first: a half-read run is freed, too */
        enum cola_status status = read_run(json_array_get(runs, i), &trace->run[i]);
        if (status != COLA_OK) return cola_fail_in(status, "run %zu", i);
    }
    return COLA_OK;
}

enum cola_status trace_open(const char *path, struct trace **out)
{
    json_error_t error;
    struct trace *trace = NULL;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root && json_error_code(&error) == json_error_cannot_open_file)
        return cola_fail(COLA_ERR_IO, "%s: %s", path, error.text);
    if (!root)
        return cola_fail(COLA_ERR_INPUT, "%s: line %d, column %d: no JSON: %s", path, error.line,
                         error.column, error.text);
    enum cola_status status = cola_alloc((void **)&trace, 1, sizeof *trace, "trace");
    if (status == COLA_OK) status = read_trace(root, trace);
    json_decref(root);
    if (status != COLA_OK) {
        trace_close(trace);
        return cola_fail_in(status, "%s", path);
    }
    *out = trace;
    return COLA_OK;
}

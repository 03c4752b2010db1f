/* cross_chains.c - a file of chains to a set; see cross_chains.h. The model is not known yet: layers are
 * checked against the most that any model has, and again when the workers have said which model it is. */
#include "cli/cross_chains.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lines.h"
#include "cola/memory.h"

struct source {
    const char *path;
    struct cola_chain_set *set;
    cola_layer *room; /* [COLA_CHAIN_MAX(COLA_LAYERS_MAX)] */
};

enum { ROOM = COLA_CHAIN_MAX(COLA_LAYERS_MAX) };

static enum cola_status add(struct source *s, const struct cola_chain *chain)
{
    COLA_TRY(cola_chain_check(chain, COLA_LAYERS_MAX));
    return cola_chain_set_add(s->set, chain);
}

static enum cola_status add_text(struct source *s, const char *text)
{
    struct cola_chain chain;
    COLA_TRY(cola_chain_parse(text, COLA_LAYERS_MAX, s->room, ROOM, &chain));
    return add(s, &chain);
}

static enum cola_status add_list(struct source *s, const json_t *list)
{
    size_t n = json_array_size(list);
    if (n == 0 || n > ROOM) return cola_fail(COLA_ERR_INPUT, "%zu layers, expected 1 .. %d", n, (int)ROOM);
    for (size_t i = 0; i < n; i++) {
        const json_t *layer = json_array_get(list, i);
        json_int_t value = json_is_integer(layer) ? json_integer_value(layer) : -1;
        if (value < 0 || value >= COLA_LAYERS_MAX)
            return cola_fail(COLA_ERR_INPUT, "entry %zu of a chain is no layer (0 .. %u)", i,
                             COLA_LAYERS_MAX - 1);
        s->room[i] = (cola_layer)value;
    }
    struct cola_chain chain = {s->room, (uint32_t)n};
    return add(s, &chain);
}

static enum cola_status add_value(struct source *s, const json_t *value)
{
    if (json_is_string(value)) return add_text(s, json_string_value(value));
    if (json_is_array(value)) return add_list(s, value);
    return cola_fail(COLA_ERR_INPUT, "a chain is a list of layers or a text such as \"0-4,6-29\"");
}

/* --- one chain a line --------------------------------------------------------------------------------- */

static enum cola_status add_json_line(struct source *s, const char *line, size_t n)
{
    json_error_t error;
    json_t *root = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
    if (!root) return cola_fail(COLA_ERR_INPUT, "no JSON: %s", error.text);
    enum cola_status status = add_value(s, json_is_object(root) ? json_object_get(root, "chain") : root);
    json_decref(root);
    return status;
}

/* Empty lines and comments give nothing. */
static enum cola_status add_line(struct source *s, const char *line, size_t n)
{
    while (n && strchr(" \t\r", line[n - 1])) n--;
    while (n && strchr(" \t", line[0])) line++, n--;
    if (n == 0 || line[0] == '#') return COLA_OK;
    if (line[0] == '{' || line[0] == '[') return add_json_line(s, line, n);
    char *text = strndup(line, n);
    if (!text) return cola_fail(COLA_ERR_MEMORY, "out of memory");
    enum cola_status status = strlen(text) == n ? add_text(s, text) : cola_fail(COLA_ERR_INPUT, "a NUL byte");
    free(text);
    return status;
}

static enum cola_status read_lines(struct source *s)
{
    struct cola_lines lines;
    const char *line;
    size_t n;
    uint64_t number = 0;
    COLA_TRY(cola_lines_open(&lines, s->path));
    enum cola_status status;
    while ((status = cola_lines_next(&lines, true, &line, &n)) == COLA_OK && line) {
        number++;
        status = add_line(s, line, n);
        if (status == COLA_OK) continue;
        status = cola_fail_in(status, "%s: line %llu", s->path, (unsigned long long)number);
        break;
    }
    cola_lines_close(&lines);
    return status;
}

/* --- PoLar -------------------------------------------------------------------------------------------- */

static enum cola_status add_transitions(struct source *s, const json_t *sample, const char *key,
                                        size_t number)
{
    const json_t *list = json_object_get(sample, key), *chain;
    size_t i;
    if (!json_is_array(list))
        return cola_fail(COLA_ERR_INPUT, "%s: sample %zu has no list %s", s->path, number, key);
    json_array_foreach((json_t *)(uintptr_t)list, i, chain)
    {
        enum cola_status status =
            json_is_array(chain) ? add_list(s, chain) : cola_fail(COLA_ERR_INPUT, "not a list of layers");
        if (status != COLA_OK)
            return cola_fail_in(status, "%s: sample %zu, %s, %zu", s->path, number, key, i);
    }
    return COLA_OK;
}

static enum cola_status read_polar(struct source *s, const json_t *samples, bool wrong_too)
{
    for (size_t i = 0; i < json_array_size(samples); i++) {
        const json_t *sample = json_array_get(samples, i);
        COLA_TRY(add_transitions(s, sample, "final_valid_transitions", i));
        if (wrong_too) COLA_TRY(add_transitions(s, sample, "final_invalid_transitions", i));
    }
    return COLA_OK;
}

/* JSON lines are no JSON from their second line on, and the first line alone has no "samples". */
static enum cola_status read_any(struct source *s, bool wrong_too)
{
    json_error_t error;
    json_t *root = strcmp(s->path, "-") != 0 ? json_load_file(s->path, 0, &error) : NULL;
    const json_t *samples = json_is_object(root) ? json_object_get(root, "samples") : NULL;
    enum cola_status status = json_is_array(samples) ? read_polar(s, samples, wrong_too) : read_lines(s);
    json_decref(root);
    return status;
}

enum cola_status cola_cross_chains_read(const char *path, bool wrong_too, struct cola_chain_set *out)
{
    struct cola_chain_set set = {0};
    struct source s = {.path = path, .set = &set};
    COLA_TRY(cola_alloc((void **)&s.room, ROOM, sizeof *s.room, "chains"));
    enum cola_status status = read_any(&s, wrong_too);
    free(s.room);
    if (status == COLA_OK && set.n == 0) status = cola_fail(COLA_ERR_INPUT, "%s: no chain in it", path);
    if (status == COLA_OK) status = cola_chain_set_seal(&set);
    if (status == COLA_OK)
        *out = set;
    else
        cola_chain_set_fini(&set);
    return status;
}

/* json_text.c - jansson behind strict rules, and typed reads whose errors say file, key, expected and found.
 *
 * Place: below config.c, rope.c, safetensors.c and shard_index.c; knows nothing of models. A broken text is
 * reported with the top-level key it breaks in, since in a safetensors header of one line that is the tensor
 * and a line number says nothing. */
#include "model/json_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 255 };

bool cola_json_name_is_plain(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return false;
    return true;
}

/* Bytes of a file for an error text: control characters and quotes of no use on a terminal become '?'. */
static void copy_shown(char *to, size_t room, const char *from, size_t n)
{
    if (n > room - 1) n = room - 1;
    for (size_t i = 0; i < n; i++) to[i] = (unsigned char)from[i] < 0x20 || from[i] == 0x7f ? '?' : from[i];
    to[n] = '\0';
}

static size_t string_end(const char *text, size_t i, size_t n)
{
    while (i < n && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
    return i < n ? i : n;
}

/* The last key of the outermost object that starts before byte n; "" if there is none. */
static void outer_key(const char *text, size_t n, char *key, size_t n_key)
{
    int depth = 0;
    bool key_next = false;
    key[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        switch (text[i]) {
        case '"': {
            size_t end = string_end(text, i + 1, n);
            if (depth == 1 && key_next) copy_shown(key, n_key, text + i + 1, end - i - 1);
            key_next = false;
            i = end;
            break;
        }
        case '{':
        case '[': key_next = depth++ == 0; break;
        case '}':
        case ']': depth--; break;
        case ',': key_next = depth == 1; break;
        default: break;
        }
    }
}

enum cola_status cola_json_parse(const char *text, size_t n, const char *file, json_t **out)
{
    json_error_t error;
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        char key[NAME_BYTES_MAX + 1], why[JSON_ERROR_TEXT_LENGTH];
        if (json_error_code(&error) == json_error_out_of_memory)
            return cola_fail(COLA_ERR_MEMORY, "%s: out of memory for its JSON", file);
        size_t position = error.position > 0 ? (size_t)error.position : 0;
        outer_key(text, position < n ? position : n, key, sizeof key);
        copy_shown(why, sizeof why, error.text, strlen(error.text));
        return cola_fail(COLA_ERR_INPUT, "%s: bad JSON at line %d column %d%s%s%s: %s", file, error.line,
                         error.column, key[0] ? " (in \"" : "", key, key[0] ? "\")" : "", why);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return cola_fail(COLA_ERR_INPUT, "%s: expected a JSON object, found another JSON value", file);
    }
    *out = root;
    return COLA_OK;
}

void cola_json_show(const json_t *value, char text[COLA_JSON_SHOWN])
{
    char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    copy_shown(text, COLA_JSON_SHOWN, dump ? dump : "?", dump ? strlen(dump) : 1);
    free(dump);
}

const json_t *cola_json_get(const struct cola_json_at *at, const char *key)
{
    const json_t *value = json_object_get(at->object, key);
    return value && !json_is_null(value) ? value : NULL;
}

static enum cola_status fail_missing(const struct cola_json_at *at, const char *key)
{
    return cola_fail(COLA_ERR_INPUT, "%s: %s%s is missing", at->file, at->path, key);
}

bool cola_json_absent(const struct cola_json_at *at, const char *key)
{
    return !json_object_get(at->object, key);
}

enum cola_status cola_json_whole(const struct cola_json_at *at, const char *key, uint32_t min, uint32_t max,
                                 const uint32_t *otherwise, uint32_t *out)
{
    const json_t *value = cola_json_get(at, key);
    if (!value && !otherwise) return fail_missing(at, key);
    if (!value) {
        *out = *otherwise;
        return COLA_OK;
    }
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < (json_int_t)min || number > (json_int_t)max) {
        char found[COLA_JSON_SHOWN];
        cola_json_show(value, found);
        return cola_fail(COLA_ERR_INPUT, "%s: %s%s: expected a whole number in %u .. %u, found %s", at->file,
                         at->path, key, min, max, found);
    }
    *out = (uint32_t)number;
    return COLA_OK;
}

enum cola_status cola_json_count(const struct cola_json_at *at, const char *key, uint32_t max,
                                 const uint32_t *otherwise, uint32_t *out)
{
    return cola_json_whole(at, key, 1, max, otherwise, out);
}

enum cola_status cola_json_real(const struct cola_json_at *at, const char *key, double min, double max,
                                const double *otherwise, double *out)
{
    const json_t *value = cola_json_get(at, key);
    if (!value && !otherwise) return fail_missing(at, key);
    if (!value) {
        *out = *otherwise;
        return COLA_OK;
    }
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= min && number <= max)) {
        char found[COLA_JSON_SHOWN];
        cola_json_show(value, found);
        return cola_fail(COLA_ERR_INPUT, "%s: %s%s: expected a number in %g .. %g, found %s", at->file,
                         at->path, key, min, max, found);
    }
    *out = number;
    return COLA_OK;
}

enum cola_status cola_json_flag(const struct cola_json_at *at, const char *key, bool otherwise, bool *out)
{
    const json_t *value = cola_json_get(at, key);
    if (value && !json_is_boolean(value)) {
        char found[COLA_JSON_SHOWN];
        cola_json_show(value, found);
        return cola_fail(COLA_ERR_INPUT, "%s: %s%s: expected true or false, found %s", at->file, at->path,
                         key, found);
    }
    *out = value ? json_is_true(value) : otherwise;
    return COLA_OK;
}

enum cola_status cola_json_string(const struct cola_json_at *at, const char *key, const char *otherwise,
                                  const char **out)
{
    const json_t *value = cola_json_get(at, key);
    if (!value && !otherwise) return fail_missing(at, key);
    if (value && !json_is_string(value)) {
        char found[COLA_JSON_SHOWN];
        cola_json_show(value, found);
        return cola_fail(COLA_ERR_INPUT, "%s: %s%s: expected a string, found %s", at->file, at->path, key,
                         found);
    }
    *out = value ? json_string_value(value) : otherwise;
    return COLA_OK;
}

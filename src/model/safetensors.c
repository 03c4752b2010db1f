/* safetensors.c - reads the header of a safetensors file and trusts nothing in it.
 *
 * The file: u64 little-endian length n of the header; n bytes of JSON, {"NAME": {"dtype", "shape",
 * "data_offsets": [begin, end]}, ..., "__metadata__": {text: text}}; then the tensors' bytes, to which the
 * offsets are relative. Together the tensors must tile those bytes exactly: a hole could hide what another
 * reader sees, an overlap or a wrong size means that the file is not what its writer meant.
 * Place: below checkpoint.c. Knows bytes, no files and no architecture. */
#include "model/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "model/json_text.h"

/* The format's own limit for the header, and far above real ones (100 bytes a tensor). */
static const uint64_t HEADER_BYTES_MAX = 100000000;

struct place { /* for errors */
    const char *file, *tensor;
};

void cola_shape_print(const uint64_t *shape, uint32_t n_dims, char text[COLA_SHAPE_TEXT])
{
    size_t at = (size_t)snprintf(text, COLA_SHAPE_TEXT, "[");
    for (uint32_t i = 0; i < n_dims && at < COLA_SHAPE_TEXT; i++)
        at += (size_t)snprintf(text + at, COLA_SHAPE_TEXT - at, "%s%" PRIu64, i ? ", " : "", shape[i]);
    if (at < COLA_SHAPE_TEXT) snprintf(text + at, COLA_SHAPE_TEXT - at, "]");
}

static enum cola_status fail_value(struct place p, const char *key, const char *expected, const json_t *value)
{
    char found[COLA_JSON_SHOWN];
    if (!value) return cola_fail(COLA_ERR_INPUT, "%s: tensor %s: %s is missing", p.file, p.tensor, key);
    cola_json_show(value, found);
    return cola_fail(COLA_ERR_INPUT, "%s: tensor %s: %s: expected %s, found %s", p.file, p.tensor, key,
                     expected, found);
}

static enum cola_status read_dtype(struct place p, const json_t *value, enum cola_dtype *out)
{
    if (!json_is_string(value)) return fail_value(p, "dtype", "a string", value);
    for (int dtype = 0; dtype < COLA_N_DTYPES; dtype++) {
        if (strcmp(json_string_value(value), cola_dtype_name((enum cola_dtype)dtype)) != 0) continue;
        *out = (enum cola_dtype)dtype;
        return COLA_OK;
    }
    char found[COLA_JSON_SHOWN];
    cola_json_show(value, found);
    return cola_fail(COLA_ERR_UNSUPPORTED,
                     "%s: tensor %s: dtype %s is not supported: expected F32, BF16 or F16", p.file, p.tensor,
                     found);
}

static enum cola_status read_shape(struct place p, const json_t *value, struct cola_safetensors_entry *e)
{
    static const char expected[] = "a list of at most 4 whole numbers that are not negative";
    if (!json_is_array(value) || json_array_size(value) > COLA_SAFETENSORS_DIMS_MAX)
        return fail_value(p, "shape", expected, value);
    e->n_dims = (uint32_t)json_array_size(value);
    for (uint32_t i = 0; i < e->n_dims; i++) {
        const json_t *size = json_array_get(value, i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return fail_value(p, "shape", expected, value);
        e->shape[i] = (uint64_t)json_integer_value(size);
    }
    return COLA_OK;
}

static enum cola_status read_offsets(struct place p, const json_t *value, uint64_t n_data,
                                     struct cola_safetensors_entry *e)
{
    const json_t *begin = json_array_get(value, 0), *end = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return fail_value(p, "data_offsets", "[begin, end] with 0 <= begin <= end", value);
    e->begin = (uint64_t)json_integer_value(begin);
    e->end = (uint64_t)json_integer_value(end);
    if (e->end > n_data)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: tensor %s: data_offsets end at %" PRIu64 ", but the file has %" PRIu64
                         " bytes of data (was it cut short?)",
                         p.file, p.tensor, e->end, n_data);
    return COLA_OK;
}

static enum cola_status check_size(struct place p, const struct cola_safetensors_entry *e)
{
    char shape[COLA_SHAPE_TEXT];
    cola_shape_print(e->shape, e->n_dims, shape);
    uint64_t size = cola_dtype_bytes(e->dtype);
    for (uint32_t i = 0; i < e->n_dims; i++)
        if (__builtin_mul_overflow(size, e->shape[i], &size))
            return cola_fail(COLA_ERR_INPUT, "%s: tensor %s: shape %s overflows 64 bits", p.file, p.tensor,
                             shape);
    if (size != e->end - e->begin)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: tensor %s: shape %s of %s is %" PRIu64 " bytes, its data_offsets span %" PRIu64,
                         p.file, p.tensor, shape, cola_dtype_name(e->dtype), size, e->end - e->begin);
    return COLA_OK;
}

static enum cola_status read_entry(struct place p, const json_t *value, const char *data, uint64_t n_data,
                                   struct cola_safetensors_entry *e)
{
    if (!json_is_object(value)) return fail_value(p, "its entry", "an object", value);
    const json_t *dtype = json_object_get(value, "dtype"), *shape = json_object_get(value, "shape"),
                 *offsets = json_object_get(value, "data_offsets");
    COLA_TRY(read_dtype(p, dtype, &e->dtype));
    COLA_TRY(read_shape(p, shape, e));
    COLA_TRY(read_offsets(p, offsets, n_data, e));
    COLA_TRY(check_size(p, e));
    if (json_object_size(value) != 3)
        return cola_fail(COLA_ERR_INPUT, "%s: tensor %s: has a key other than dtype, shape and data_offsets",
                         p.file, p.tensor);
    e->name = p.tensor;
    e->data = data + e->begin;
    return COLA_OK;
}

static enum cola_status check_metadata(const char *file, json_t *value)
{
    const char *key;
    json_t *text;
    if (!json_is_object(value))
        return fail_value((struct place){file, "__metadata__"}, "its entry", "an object of texts", value);
    json_object_foreach(value, key, text) if (!json_is_string(text)) return fail_value(
        (struct place){file, "__metadata__"}, "its entry", "an object of texts", value);
    return COLA_OK;
}

static int by_place(const void *left, const void *right)
{
    const struct cola_safetensors_entry *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) return a->end < b->end ? -1 : 1; /* empty tensors first */
    return strcmp(a->name, b->name);
}

static enum cola_status check_tiling(const char *file, const struct cola_safetensors *st, uint64_t n_data)
{
    uint64_t at = 0;
    for (size_t i = 0; i < st->n_entries; i++) {
        const struct cola_safetensors_entry *e = &st->entry[i];
        if (e->begin < at)
            return cola_fail(COLA_ERR_INPUT,
                             "%s: tensor %s overlaps tensor %s at byte %" PRIu64 " of the data", file,
                             e->name, st->entry[i - 1].name, e->begin);
        if (e->begin > at)
            return cola_fail(COLA_ERR_INPUT,
                             "%s: a hole before tensor %s: bytes %" PRIu64 " to %" PRIu64
                             " of the data belong to no tensor",
                             file, e->name, at, e->begin);
        at = e->end;
    }
    if (at != n_data)
        return cola_fail(COLA_ERR_INPUT, "%s: %" PRIu64 " bytes follow the last tensor%s%s", file,
                         n_data - at, st->n_entries ? " " : "",
                         st->n_entries ? st->entry[st->n_entries - 1].name : "");
    return COLA_OK;
}

static enum cola_status read_header(const char *file, const char *data, uint64_t n_data,
                                    struct cola_safetensors *st)
{
    const char *name;
    json_t *value;
    COLA_TRY(cola_alloc((void **)&st->entry, json_object_size(st->header), sizeof *st->entry, "tensor list"));
    json_object_foreach(st->header, name, value)
    {
        if (strcmp(name, "__metadata__") == 0) {
            COLA_TRY(check_metadata(file, value));
            continue;
        }
        if (!cola_json_name_is_plain(name))
            return cola_fail(COLA_ERR_INPUT,
                             "%s: a tensor's name is empty, longer than 255 bytes or has control characters: "
                             "entry %zu of the header",
                             file, st->n_entries + 1);
        COLA_TRY(read_entry((struct place){file, name}, value, data, n_data, &st->entry[st->n_entries]));
        st->n_entries++;
    }
    if (st->n_entries) qsort(st->entry, st->n_entries, sizeof *st->entry, by_place);
    return check_tiling(file, st, n_data);
}

enum cola_status cola_safetensors_parse(const void *bytes, uint64_t n_bytes, const char *file,
                                        struct cola_safetensors *out)
{
    const unsigned char *byte = bytes;
    struct cola_safetensors st = {0};
    uint64_t n_header = 0;
    if (n_bytes < 8)
        return cola_fail(COLA_ERR_INPUT, "%s: has %" PRIu64 " bytes, a safetensors file has at least 10",
                         file, n_bytes);
    for (int i = 0; i < 8; i++) n_header |= (uint64_t)byte[i] << 8 * i;
    if (n_header > n_bytes - 8)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: its header is %" PRIu64 " bytes long by its first 8 bytes, but only %" PRIu64
                         " follow (cut short, or no safetensors file)",
                         file, n_header, n_bytes - 8);
    if (n_header > HEADER_BYTES_MAX)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: its header is %" PRIu64 " bytes long, expected at most %" PRIu64, file,
                         n_header, HEADER_BYTES_MAX);
    const char *header = (const char *)byte + 8;
    COLA_TRY(cola_json_parse(header, n_header, file, &st.header));
    enum cola_status status = read_header(file, header + n_header, n_bytes - 8 - n_header, &st);
    if (status != COLA_OK) {
        cola_safetensors_fini(&st);
        return status;
    }
    *out = st;
    return COLA_OK;
}

void cola_safetensors_fini(struct cola_safetensors *st)
{
    free(st->entry);
    json_decref(st->header);
    *st = (struct cola_safetensors){0};
}

/* safetensors.h - the header of a safetensors file: bytes in, a checked list of tensors out. Internal to
 * src/model; the seam for fuzzing.
 *
 *     struct cola_safetensors st;
 *     COLA_TRY(cola_safetensors_parse(bytes, n_bytes, "m/model.safetensors", &st));
 *     st.entry[0].data .. + st.entry[0].n_bytes         lies within bytes, sorted by place, no hole, no
 * overlap cola_safetensors_fini(&st);
 */
#ifndef COLA_MODEL_SAFETENSORS_H
#define COLA_MODEL_SAFETENSORS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/model.h"

enum { COLA_SAFETENSORS_DIMS_MAX = 4 };

struct cola_safetensors_entry {
    const char *name; /* borrowed from the header */
    enum cola_dtype dtype;
    uint32_t n_dims;
    uint64_t shape[COLA_SAFETENSORS_DIMS_MAX];
    uint64_t begin, end; /* in the data behind the header */
    const void *data;    /* bytes + 8 + header + begin */
};

struct cola_safetensors {
    struct cola_safetensors_entry *entry; /* [n_entries], by begin */
    size_t n_entries;
    json_t *header; /* owns the names */
};

/* bytes: the whole file; only its header is read. It must outlive *out. file: its name in errors, which also
 * name the tensor. COLA_ERR_INPUT for whatever is malformed, COLA_ERR_UNSUPPORTED for a dtype not read here.
 */
enum cola_status cola_safetensors_parse(const void *bytes, uint64_t n_bytes, const char *file,
                                        struct cola_safetensors *out);
void cola_safetensors_fini(struct cola_safetensors *st);

/* "[320, 64]" for errors; always NUL-terminated. */
enum { COLA_SHAPE_TEXT = 96 };
void cola_shape_print(const uint64_t *shape, uint32_t n_dims, char text[COLA_SHAPE_TEXT]);

#endif

/* backend.h - what a device can do: one table of primitive operations, filled by ref, cpu and cuda.
 *
 * The engine's layer plan (layer.c) and scoring (score.c) are written once over this table. A `float *`
 * marked "device" is memory of the back end: for ref and cpu it is host memory, for cuda it is not, so only
 * the table's functions read it; the engine does pointer arithmetic on whole rows, no more. Tables of tokens,
 * rows, positions and spans are host memory, read before the call returns. Every operation is defined bit by
 * bit in docs/numerics.md under the paragraph named beside it; all back ends of the f32 mode give the same
 * bytes. Shapes by the alphabet of engine.h. */
#ifndef COLA_ENGINE_BACKEND_H
#define COLA_ENGINE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/model.h"
#include "cola/status.h"

struct cola_device; /* an open back end: threads or a GPU, and its scratch memory */
struct cola_matrix; /* a weight [M, K] in the back end's own layout */

struct cola_device_options {
    const char *isa;           /* cpu: engine.h */
    uint32_t n_threads;        /* 0: all cores */
    bool bf16;                 /* the fast mode; COLA_ERR_UNSUPPORTED where there is none */
    const char *bf16_products; /* engine.h; NULL is "exact" */
    /* cuda: which of the machine's engines this is, how many may share a GPU (0: one), and the bytes that
     * this one may take in all (0: what there is) */
    uint32_t rank, ranks_per_gpu;
    uint64_t memory_bytes;
};

/* Keys and values of consecutive positions. room 0: rows as the products leave them, device [n, G*d] each, k
 * rotated. Else a store of that many positions, made by store_keys, at k; v is NULL. */
struct cola_keys {
    const float *k, *v;
    uint32_t room;
};

/* Rows of keys and values, k rotated, that go into positions first .. first + n_rows - 1 of a store. */
struct cola_kept_keys {
    const float *k, *v; /* device [n_rows, G*d] */
    uint32_t n_rows, first, room;
    float *store;
};

/* One product of several that have the same left side: out [N, M] = x matrix^T. */
struct cola_product {
    const struct cola_matrix *matrix;
    float *out; /* device */
};

/* Query rows first_row .. first_row + n_rows - 1 of one sequence, in ascending position. Row r attends to the
 * n_prefix keys of `prefix` (absolute positions 0 .. n_prefix - 1) and then to n_first + r keys of `tail`
 * (positions n_prefix ..). A prompt has n_prefix = 0 and n_first = 1; a packed continuation has the prompt as
 * its prefix; a decoding step has its stored keys as the tail. */
struct cola_span {
    uint32_t first_row, n_rows;
    uint32_t n_prefix, n_first; /* n_first >= 1 */
    struct cola_keys prefix, tail;
};

struct cola_attention {
    const float *q;                          /* device [n query rows, H*d], rotated */
    float *out;                              /* device [n query rows, H*d] */
    uint32_t n_heads, n_kv_heads, head_size; /* H, G, d */
    float scale;                             /* on the scores: 1/sqrt(d) */
    const struct cola_span *span;            /* host [n_spans] */
    uint32_t n_spans;
};

/* What the logits of one row are reduced to, on the host. */
struct cola_logits {
    float max, sum; /* max over V; sum of exp(x - max) */
    int32_t argmax; /* ties to the lower id */
};
struct cola_pick {
    uint32_t row;
    int32_t token;
}; /* one logit to read */

struct cola_backend {
    const char *name;
    bool own_matrices; /* load_matrix has memory of its own, not to be shared: its room is NULL */

    enum cola_status (*open)(const struct cola_device_options *options, struct cola_device **out);
    void (*close)(struct cola_device *device);
    void (*describe)(const struct cola_device *device, char *text, size_t n_text); /* "avx512, 2 threads" */
    void (*numerics_id)(const struct cola_device *device, char *text, size_t n_text); /* "f32-1" */

    /* Equal texts: load_matrix makes the same bytes of a tensor, so that engines may share them. */
    void (*layout)(const struct cola_device *device, char *text, size_t n_text);

    /* Bytes that this device has for an engine; NULL: its memory is the machine's. */
    uint64_t (*memory_limit)(const struct cola_device *device);

    /* Memory. allocate: n zeroed floats. upload: host to device; download: device to host, waits. */
    enum cola_status (*allocate)(struct cola_device *device, size_t n, const char *what, float **out);
    void (*release)(struct cola_device *device, float *memory);
    enum cola_status (*upload)(struct cola_device *device, const float *host, size_t n, float *out);
    enum cola_status (*download)(struct cola_device *device, const float *memory, size_t n, float *host);

    /* Weights: [M, K] as Hugging Face stores them. matrix_bytes: what load_matrix needs at `room`, host
     * memory aligned to 64 bytes that outlives the matrix; `filled`: it holds this very matrix already, made
     * by the same back end with the same options, and is only read. */
    size_t (*matrix_bytes)(struct cola_device *device, const struct cola_tensor *tensor);
    enum cola_status (*load_matrix)(struct cola_device *device, const struct cola_tensor *tensor, void *room,
                                    bool filled, struct cola_matrix **out);
    void (*release_matrix)(struct cola_device *device, struct cola_matrix *matrix);

    /* out[i, :] = table[token[i], :]; table [V, D] stays where the model has it. docs/numerics.md,
     * "Embedding" */
    enum cola_status (*embed)(struct cola_device *device, const struct cola_tensor *table,
                              const int32_t *token, uint32_t n_rows, float *out);
    /* out[i, :] = in[row[i], :], and out[row[i], :] = in[i, :]; width floats a row; out is not in. */
    enum cola_status (*gather)(struct cola_device *device, const float *in, const uint32_t *row,
                               uint32_t n_rows, uint32_t width, float *out);
    enum cola_status (*scatter)(struct cola_device *device, const float *in, const uint32_t *row,
                                uint32_t n_rows, uint32_t width, float *out);
    /* out[0 .. n-1] = in[0 .. n-1]; x[0 .. n-1] = 0; x += y, elementwise ("Sums") */
    enum cola_status (*copy)(struct cola_device *device, const float *in, size_t n, float *out);
    enum cola_status (*clear)(struct cola_device *device, size_t n, float *x);
    enum cola_status (*add)(struct cola_device *device, const float *y, size_t n, float *x);
    /* "Sums": x[i, :] += bias, x [N, width], bias [width] */
    enum cola_status (*add_bias)(struct cola_device *device, const float *bias, uint32_t n_rows,
                                 uint32_t width, float *x);
    /* "Experts": out[row[i], :] = fma(scale[i], in[i, :], out[row[i], :]); scale, row host [N]; no row twice
     */
    enum cola_status (*add_scaled)(struct cola_device *device, const float *in, const float *scale,
                                   const uint32_t *row, uint32_t n_rows, uint32_t width, float *out);
    /* "Experts": router logits [N, E] to the n_active experts of each row, ascending by number, and their
     * weights; host outputs [N, n_active], waits. */
    enum cola_status (*route)(struct cola_device *device, const float *logits, uint32_t n_rows,
                              const struct cola_experts *experts, uint32_t *expert, float *weight);
    /* "Norm": x, out [N, width], weight [width]; out may be x */
    enum cola_status (*norm)(struct cola_device *device, const float *x, const float *weight, float eps,
                             uint32_t n_rows, uint32_t width, float *out);
    /* "Product": each out [N, M] = x [N, K] times its matrix^T; add: out += that. x is no out. */
    enum cola_status (*product)(struct cola_device *device, const float *x, uint32_t n_rows,
                                const struct cola_product *product, uint32_t n_products, bool add);
    /* Floats that products with left sides up to `widest` keep in the back end for each row of a batch. */
    size_t (*row_floats)(struct cola_device *device, uint32_t widest);
    /* "Rotation": x [N, n_heads*d] in place; table [positions, d]: d/2 cosines, then d/2 sines of each
     * position */
    enum cola_status (*rotate)(struct cola_device *device, float *x, const float *table,
                               const uint32_t *position, uint32_t n_rows, uint32_t n_heads,
                               uint32_t head_size);
    /* Stored keys: floats of a store for `room` positions, and rows into stores, none of them twice. */
    size_t (*store_floats)(struct cola_device *device, uint32_t room, uint32_t n_kv_heads,
                           uint32_t head_size);
    enum cola_status (*store_keys)(struct cola_device *device, const struct cola_kept_keys *kept,
                                   uint32_t n_kept, uint32_t n_kv_heads, uint32_t head_size);
    /* "Attention" */
    enum cola_status (*attention)(struct cola_device *device, const struct cola_attention *attention);
    /* "Gate": out = silu(gate) * up, all [N, F]; out may be gate */
    enum cola_status (*gate)(struct cola_device *device, const float *gate, const float *up, uint32_t n_rows,
                             uint32_t width, float *out);
    /* "Logits": reduces logits [N, V] to logit[N] and reads n_picks single values; host outputs, waits. */
    enum cola_status (*reduce_logits)(struct cola_device *device, const float *logits, uint32_t n_rows,
                                      uint32_t n_vocab, struct cola_logits *logit,
                                      const struct cola_pick *pick, uint32_t n_picks, float *picked);

    /* FLOP/s of a loop of fused multiply-adds on registers alone, on all threads, measured for about
     * `seconds`: what products are compared with. NULL where there is none. */
    double (*measure_peak)(struct cola_device *device, double seconds);
    /* Bytes/s of reading `bytes` [n], a room of matrices; NULL: not measured */
    double (*measure_bandwidth)(struct cola_device *device, const void *bytes, size_t n, double seconds);
};

/* The back end of that name; "auto": the fastest that this machine can run in that mode.
 * COLA_ERR_UNSUPPORTED names those built. */
enum cola_status cola_backend_find(const char *name, bool bf16, const struct cola_backend **out);
const char *cola_backend_names(void); /* "ref cpu", "ref cpu cuda" */

extern const struct cola_backend cola_backend_ref;
extern const struct cola_backend cola_backend_cpu;
extern const struct cola_backend cola_backend_cuda; /* where built: registry.c */

#endif

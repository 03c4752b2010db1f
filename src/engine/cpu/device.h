/* device.h - what an open cpu back end holds, and its operations by file; shared by src/engine/cpu only.
 *
 *   cpu.c        open, close, plain memory, the operation table
 *   product.c    weights and matrix products       rows.c       everything that works row by row
 *   attention.c  attention over threads            store.c      keys that decoding will read
 *
 * Splitting work among threads changes no bit: a task owns whole output elements, and every element's
 * operations are fixed (docs/numerics.md). */
#ifndef COLA_ENGINE_CPU_DEVICE_H
#define COLA_ENGINE_CPU_DEVICE_H

#include "cola/threads.h"
#include "engine/cpu/kernels.h"
#include "engine/cpu/onednn.h"

struct cola_device {
    const struct cola_cpu_kernels *kernels;
    struct cola_threads *threads;
    uint32_t n_threads;
    bool bf16;
    struct cola_onednn *onednn; /* bf16 products by the library; NULL: by our kernels */
    float *packed_rows;         /* a product's left side in blocks (kernels.h) */
    size_t packed_room;
    struct cola_cpu_scratch *scratch; /* [n_threads] */
    uint32_t scratch_keys, scratch_head_size;
    uint32_t *group; /* first span of each sequence of an attention, and the end */
    size_t group_room;
    uint32_t *store_task; /* first task of each that store_keys is given, and the end */
    size_t store_room;
};

static inline uint32_t cola_ceil_div(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}
static inline uint32_t cola_least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Contracts: engine/backend.h. */
size_t cola_cpu_matrix_bytes(struct cola_device *device, const struct cola_tensor *tensor);
void cola_cpu_release_matrix(struct cola_device *device, struct cola_matrix *matrix);
enum cola_status cola_cpu_load_matrix(struct cola_device *device, const struct cola_tensor *tensor,
                                      void *room, bool filled, struct cola_matrix **out);
size_t cola_cpu_row_floats(struct cola_device *device, uint32_t widest);
enum cola_status cola_cpu_product(struct cola_device *device, const float *x, uint32_t n_rows,
                                  const struct cola_product *product, uint32_t n_products, bool add);
size_t cola_cpu_store_floats(struct cola_device *device, uint32_t room, uint32_t n_kv_heads,
                             uint32_t head_size);
enum cola_status cola_cpu_store_keys(struct cola_device *device, const struct cola_kept_keys *kept,
                                     uint32_t n_kept, uint32_t n_kv_heads, uint32_t head_size);
enum cola_status cola_cpu_embed(struct cola_device *device, const struct cola_tensor *table,
                                const int32_t *token, uint32_t n_rows, float *out);
enum cola_status cola_cpu_gather(struct cola_device *device, const float *in, const uint32_t *row,
                                 uint32_t n_rows, uint32_t width, float *out);
enum cola_status cola_cpu_scatter(struct cola_device *device, const float *in, const uint32_t *row,
                                  uint32_t n_rows, uint32_t width, float *out);
enum cola_status cola_cpu_norm(struct cola_device *device, const float *x, const float *weight, float eps,
                               uint32_t n_rows, uint32_t width, float *out);
enum cola_status cola_cpu_rotate(struct cola_device *device, float *x, const float *table,
                                 const uint32_t *position, uint32_t n_rows, uint32_t n_heads,
                                 uint32_t head_size);
enum cola_status cola_cpu_gate(struct cola_device *device, const float *gate, const float *up,
                               uint32_t n_rows, uint32_t width, float *out);
enum cola_status cola_cpu_reduce_logits(struct cola_device *device, const float *logits, uint32_t n_rows,
                                        uint32_t n_vocab, struct cola_logits *logit,
                                        const struct cola_pick *pick, uint32_t n_picks, float *picked);
enum cola_status cola_cpu_attention(struct cola_device *device, const struct cola_attention *a);
enum cola_status cola_cpu_clear(struct cola_device *device, size_t n, float *x);
enum cola_status cola_cpu_add(struct cola_device *device, const float *y, size_t n, float *x);
enum cola_status cola_cpu_add_bias(struct cola_device *device, const float *bias, uint32_t n_rows,
                                   uint32_t width, float *x);
enum cola_status cola_cpu_add_scaled(struct cola_device *device, const float *in, const float *scale,
                                     const uint32_t *row, uint32_t n_rows, uint32_t width, float *out);
enum cola_status cola_cpu_route(struct cola_device *device, const float *logits, uint32_t n_rows,
                                const struct cola_experts *experts, uint32_t *expert, float *weight);

/* peak.c */
double cola_cpu_measure_peak(struct cola_device *device, double seconds);
double cola_cpu_measure_bandwidth(struct cola_device *device, const void *bytes, size_t n, double seconds);

/* pairs_check.c: whether cola_cpu_tile_pairs gives the bits of docs/numerics.md on this CPU, which must have
 * AVX512_BF16. Some microseconds, once a process. */
bool cola_cpu_pairs_agree(void);

#endif

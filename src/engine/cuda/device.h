/* device.h - what an open GPU holds; shared by the files of this folder only.
 *
 *   cuda.c       open, close, what it says of itself, the table       gpu.c      which GPU a rank takes
 *   pool.c       blocks of the one arena                              staging.c  host tables to the GPU and
 * back matrices.c   weights                                              *.cu       one group of operations
 * each
 *
 * Two streams. `compute` has every kernel, in the order of the engine's calls. `copy` brings bytes to the
 * GPU: compute waits for each copy by an event, and a copy into memory that kernels may still use waits for
 * those. Nothing waits on the host but what hands numbers to it, and the staging ring when it is a whole
 * round ahead. So a block that was released can be handed out at once: who uses it next comes later in
 * `compute`. An open GPU is used by the thread that opened it. */
#ifndef COLA_ENGINE_CUDA_DEVICE_H
#define COLA_ENGINE_CUDA_DEVICE_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "engine/backend.h"

/* One call of the CUDA runtime: COLA_ERR_MEMORY where it was short of memory, else COLA_ERR_LIBRARY, with the
 * call in the text. */
#define COLA_CUDA_TRY(call) COLA_TRY(cola_cuda_check((call), #call))
enum cola_status cola_cuda_check(cudaError_t error, const char *call);

/* --- pool.c: one cudaMalloc, given out in blocks of multiples of 256 bytes ----------------------------- */

enum { COLA_CUDA_ALIGNMENT = 256 };

/* Where a stand-in for CUDA watches each block (tests/cudasim), it defines these. */
#ifndef COLA_CUDA_BLOCK_TAKEN
#define COLA_CUDA_BLOCK_TAKEN(stream, block, n_bytes)    (void)0
#define COLA_CUDA_BLOCK_RELEASED(stream, block, n_bytes) (void)0
#endif

struct cola_cuda_block {
    size_t at, n_bytes; /* from the arena's begin; with the rounding */
    bool used;
};
struct cola_cuda_pool {
    uint8_t *base;                 /* device [n_bytes]; NULL: not started */
    size_t n_bytes;                /* of the arena */
    struct cola_cuda_block *block; /* [n_blocks] ascending, without gaps; no two free ones side by side */
    size_t n_blocks, room;
};
enum cola_status cola_cuda_pool_create(size_t n_bytes, struct cola_cuda_pool *pool);
void cola_cuda_pool_destroy(struct cola_cuda_pool *pool);
/* The smallest free block that is large enough; COLA_ERR_MEMORY where there is none. */
enum cola_status cola_cuda_pool_take(struct cola_cuda_pool *pool, size_t n_bytes, const char *what,
                                     void **out);
size_t cola_cuda_pool_release(struct cola_cuda_pool *pool, void *block); /* returns its bytes */

/* --- the device ---------------------------------------------------------------------------------------- */

#ifndef COLA_CUDA_SEGMENT_BYTES
#define COLA_CUDA_SEGMENT_BYTES (4u << 20)
#endif
enum { COLA_CUDA_SEGMENTS = 4, COLA_CUDA_RESULT_BYTES = 1 << 20 };

/* Pinned memory in segments with a twin on the GPU, used in turn. A segment is used again when `done`, of the
 * last kernel that may read it, has passed. */
struct cola_cuda_staging {
    uint8_t *host, *device; /* [COLA_CUDA_SEGMENTS * COLA_CUDA_SEGMENT_BYTES] */
    cudaEvent_t done[COLA_CUDA_SEGMENTS];
    uint32_t segment;
    size_t n_used; /* bytes of the present segment */
    cudaEvent_t copied, computed;
};

struct cola_device {
    int number; /* of the GPU, as this process counts them */
    char name[64], uuid[48];
    int claim;              /* an open socket: no other rank takes this place on the GPU; -1: none */
    uint32_t ranks_per_gpu; /* that may share it */
    size_t arena_bytes;     /* what open found it may take */
    size_t shared_limit;    /* bytes of shared memory that a block may ask for */
    uint32_t n_processors;
    cudaStream_t compute, copy;
    struct cola_cuda_pool pool;
    struct cola_cuda_staging staging;
    uint8_t *result, *result_host; /* device, pinned [COLA_CUDA_RESULT_BYTES]: what an operation hands out */
};

/* gpu.c: the GPU of a rank, by name; then a place on it. COLA_ERR_UNSUPPORTED: none, or taken. */
bool cola_cuda_present(void);
enum cola_status cola_cuda_choose(const struct cola_device_options *options, struct cola_device *device);
enum cola_status cola_cuda_claim(struct cola_device *device);

/* --- staging.c ----------------------------------------------------------------------------------------- */

enum cola_status cola_cuda_staging_open(struct cola_device *device);
void cola_cuda_staging_close(struct cola_device *device);

/* Host bytes that a kernel reads: copied before the call returns; kernels launched next see them at `at`,
 * aligned to 16 bytes, until the next call. All parts together fit in a segment. */
struct cola_cuda_part {
    const void *host;
    size_t n_bytes;
    const void *at; /* device; set by the call */
};
enum cola_status cola_cuda_stage(struct cola_device *device, struct cola_cuda_part *part, uint32_t n_parts);

/* Room in the ring to be filled by the caller, then sent: to its twin on the GPU (to NULL: *at says where),
 * or to device memory that earlier kernels may use. */
enum cola_status cola_cuda_stage_room(struct cola_device *device, size_t n_bytes, void **host);
enum cola_status cola_cuda_stage_send(struct cola_device *device, const void *host, size_t n_bytes, void *to,
                                      const void **at);

/* The first n_bytes of device->result, once all that was launched is done: in device->result_host. */
enum cola_status cola_cuda_fetch_result(struct cola_device *device, size_t n_bytes);

enum cola_status cola_cuda_allocate_bytes(struct cola_device *device, size_t n_bytes, const char *what,
                                          void **out);
void cola_cuda_release_bytes(struct cola_device *device, void *block); /* NULL allowed */

/* --- operations of the table (backend.h) --------------------------------------------------------------- */

struct cola_matrix {
    uint32_t n_out, n_in; /* M, K */
    bool bf16;            /* weights as the checkpoint's 16 bits, widened where they are used; else f32 */
    void *weight;         /* device [M, K], as Hugging Face stores it */
};

/* matrices.c */
size_t cola_cuda_matrix_bytes(struct cola_device *device, const struct cola_tensor *tensor);
enum cola_status cola_cuda_load_matrix(struct cola_device *device, const struct cola_tensor *tensor,
                                       void *room, bool filled, struct cola_matrix **out);
void cola_cuda_release_matrix(struct cola_device *device, struct cola_matrix *matrix);

/* rows.cu */
enum cola_status cola_cuda_embed(struct cola_device *device, const struct cola_tensor *table,
                                 const int32_t *token, uint32_t n_rows, float *out);
enum cola_status cola_cuda_gather(struct cola_device *device, const float *in, const uint32_t *row,
                                  uint32_t n_rows, uint32_t width, float *out);
enum cola_status cola_cuda_scatter(struct cola_device *device, const float *in, const uint32_t *row,
                                   uint32_t n_rows, uint32_t width, float *out);
size_t cola_cuda_store_floats(struct cola_device *device, uint32_t room, uint32_t n_kv_heads,
                              uint32_t head_size);
enum cola_status cola_cuda_store_keys(struct cola_device *device, const struct cola_kept_keys *kept,
                                      uint32_t n_kept, uint32_t n_kv_heads, uint32_t head_size);

/* elements.cu */
enum cola_status cola_cuda_add(struct cola_device *device, const float *y, size_t n, float *x);
enum cola_status cola_cuda_add_bias(struct cola_device *device, const float *bias, uint32_t n_rows,
                                    uint32_t width, float *x);
enum cola_status cola_cuda_add_scaled(struct cola_device *device, const float *in, const float *scale,
                                      const uint32_t *row, uint32_t n_rows, uint32_t width, float *out);
enum cola_status cola_cuda_rotate(struct cola_device *device, float *x, const float *table,
                                  const uint32_t *position, uint32_t n_rows, uint32_t n_heads,
                                  uint32_t head_size);
enum cola_status cola_cuda_gate(struct cola_device *device, const float *gate, const float *up,
                                uint32_t n_rows, uint32_t width, float *out);

/* norm.cu, products.cu, attention.cu, route.cu, logits.cu */
enum cola_status cola_cuda_norm(struct cola_device *device, const float *x, const float *weight, float eps,
                                uint32_t n_rows, uint32_t width, float *out);
enum cola_status cola_cuda_product(struct cola_device *device, const float *x, uint32_t n_rows,
                                   const struct cola_product *product, uint32_t n_products, bool add);
enum cola_status cola_cuda_attention(struct cola_device *device, const struct cola_attention *attention);
enum cola_status cola_cuda_route(struct cola_device *device, const float *logits, uint32_t n_rows,
                                 const struct cola_experts *experts, uint32_t *expert, float *weight);
enum cola_status cola_cuda_reduce_logits(struct cola_device *device, const float *logits, uint32_t n_rows,
                                         uint32_t n_vocab, struct cola_logits *logit,
                                         const struct cola_pick *pick, uint32_t n_picks, float *picked);

#ifdef __cplusplus
}
#endif
#endif

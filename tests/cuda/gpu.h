/* gpu.h - ref and cuda side by side, for tests that compare their bytes. The same programs run on a GPU and
 * on the stand-in for one (tests/cudasim), there in several orders of threads and streams. */
#ifndef COLA_TESTS_CUDA_GPU_H
#define COLA_TESTS_CUDA_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/random.h"
#include "engine/backend.h"

/* The orders to run in: names for COLA_CUDASIM_ORDER; a GPU knows one order. */
extern const char *const gpu_order[];
extern const size_t gpu_n_orders;
void gpu_set_order(const char *order);

bool gpu_full(void); /* COLA_TESTS_FULL: everything, not a bounded part */

/* Skips the running test where there is no GPU. */
void gpu_or_skip(void);
void gpu_ok(enum cola_status status); /* fails the running test with the error's text */

struct gpu {
    struct cola_device *ref, *cuda;
};
void gpu_open(struct gpu *gpu);
void gpu_close(struct gpu *gpu);

/* Device memory of the cuda device with these floats, and back into host memory. */
float *gpu_put(const struct gpu *gpu, const float *host, size_t n);
void gpu_get(const struct gpu *gpu, const float *device, size_t n, float *host);
void gpu_free(const struct gpu *gpu, float *device);

/* Uniform numbers of -scale .. scale, to be freed. */
float *gpu_random(struct cola_random *random, size_t n, float scale);
/* Equal bytes, any NaN equal to any NaN: their bits are not defined. */
bool gpu_same(const float *a, const float *b, size_t n);

/* Every operation of the table over shapes drawn from `seed`, cuda against ref: false, and a line that says
 * which, where bytes differ. `rounds`: how often each. */
bool gpu_operations_agree(const struct gpu *gpu, uint64_t seed, int rounds);
/* Products of all kinds of tiles, dtypes and odd shapes; `all`: every shape of the table, else a part. */
bool gpu_products_agree(const struct gpu *gpu, uint64_t seed, bool all);

#endif

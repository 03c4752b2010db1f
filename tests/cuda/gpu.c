/* gpu.c - the helpers of gpu.h. */
#include "cuda/gpu.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef COLA_CUDASIM
const char *const gpu_order[] = {"forward", "reversed", "7"};
#else
const char *const gpu_order[] = {"forward"};
#endif
const size_t gpu_n_orders = sizeof gpu_order / sizeof *gpu_order;

void gpu_set_order(const char *order)
{
    setenv("COLA_CUDASIM_ORDER", order, 1);
}

bool gpu_full(void)
{
    const char *full = getenv("COLA_TESTS_FULL");
    return full && *full && strcmp(full, "0") != 0;
}

void gpu_ok(enum cola_status status)
{
    if (status != COLA_OK) fail_msg("%s", cola_error_text());
}

void gpu_or_skip(void)
{
    struct cola_device_options options = {.isa = "auto"};
    struct cola_device *device;
    if (cola_backend_cuda.open(&options, &device) == COLA_OK) {
        cola_backend_cuda.close(device);
        return;
    }
    print_message("skipped: %s\n", cola_error_text());
    skip();
}

void gpu_open(struct gpu *gpu)
{
    struct cola_device_options options = {.isa = "auto"};
    gpu_ok(cola_backend_ref.open(&options, &gpu->ref));
    gpu_ok(cola_backend_cuda.open(&options, &gpu->cuda));
}

void gpu_close(struct gpu *gpu)
{
    cola_backend_ref.close(gpu->ref);
    cola_backend_cuda.close(gpu->cuda);
}

float *gpu_put(const struct gpu *gpu, const float *host, size_t n)
{
    float *device;
    gpu_ok(cola_backend_cuda.allocate(gpu->cuda, n, "a test's floats", &device));
    gpu_ok(cola_backend_cuda.upload(gpu->cuda, host, n, device));
    return device;
}

void gpu_get(const struct gpu *gpu, const float *device, size_t n, float *host)
{
    gpu_ok(cola_backend_cuda.download(gpu->cuda, device, n, host));
}

void gpu_free(const struct gpu *gpu, float *device)
{
    cola_backend_cuda.release(gpu->cuda, device);
}

float *gpu_random(struct cola_random *random, size_t n, float scale)
{
    float *x = malloc(n * sizeof *x + 1);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = scale * (float)(2 * cola_random_uniform(random) - 1);
    return x;
}

bool gpu_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

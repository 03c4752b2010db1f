/* test_cuda.c - the cuda back end alone: every operation and the products against ref in bytes, its memory,
 * the choice of a GPU and what is said where there is none. On a GPU (label gpu), and on the stand-in (label
 * cudasim) in three orders of threads and streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/gpu.h"
#include "engine/cuda/device.h"

static void operations_equal_ref_in_bytes(void **state)
{
    (void)state;
    gpu_or_skip();
    for (size_t i = 0; i < gpu_n_orders; i++) {
        struct gpu gpu;
        gpu_set_order(gpu_order[i]);
        gpu_open(&gpu);
        assert_true(gpu_operations_agree(&gpu, 1 + i, gpu_full() ? 150 : 12));
        gpu_close(&gpu);
    }
}

static void products_equal_ref_in_bytes(void **state)
{
    (void)state;
    gpu_or_skip();
    for (size_t i = 0; i < gpu_n_orders; i++) {
        struct gpu gpu;
        gpu_set_order(gpu_order[i]);
        gpu_open(&gpu);
        assert_true(gpu_products_agree(&gpu, 1 + i, gpu_full()));
        gpu_close(&gpu);
    }
}

/* More than the staging ring holds at once, there and back. */
static void large_uploads_come_back_whole(void **state)
{
    enum { N = (5 << 20) / sizeof(float) + 3 };
    (void)state;
    gpu_or_skip();
    struct gpu gpu;
    struct cola_random random = cola_random_keyed(4, 4, COLA_STREAM_SYNTHETIC);
    gpu_open(&gpu);
    float *x = gpu_random(&random, N, 1), *y = malloc(N * sizeof *y), *device = gpu_put(&gpu, x, N);
    gpu_get(&gpu, device, N, y);
    assert_memory_equal(x, y, N * sizeof *x);
    gpu_free(&gpu, device);
    gpu_close(&gpu);
    free(x), free(y);
}

/* Blocks do not overlap, and when all are back the arena is one again. */
static void pool_gives_out_blocks_apart(void **state)
{
    enum { N = 60, ROUNDS = 4000, BYTES = 1 << 20 };
    struct {
        uint8_t *at;
        size_t n;
    } block[N] = {{NULL, 0}};
    struct cola_cuda_pool pool = {0};
    struct cola_random random = cola_random_keyed(5, 5, COLA_STREAM_SYNTHETIC);
    size_t n_refused = 0;
    (void)state;
    gpu_or_skip();
    gpu_ok(cola_cuda_pool_create(BYTES, &pool));
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t b = (uint32_t)cola_random_below(&random, N);
        if (block[b].at) {
            cola_cuda_pool_release(&pool, block[b].at);
            block[b].at = NULL;
            continue;
        }
        block[b].n = 1 + cola_random_below(&random, 50000);
        void *at;
        if (cola_cuda_pool_take(&pool, block[b].n, "a test", &at) != COLA_OK) {
            assert_non_null(strstr(cola_error_text(), "GPU memory"));
            n_refused++;
            continue;
        }
        block[b].at = at;
        assert_int_equal((uintptr_t)at % COLA_CUDA_ALIGNMENT, 0);
        assert_true(block[b].at >= pool.base && block[b].at + block[b].n <= pool.base + BYTES);
        for (uint32_t other = 0; other < N; other++)
            if (other != b && block[other].at)
                assert_true(block[b].at + block[b].n <= block[other].at ||
                            block[other].at + block[other].n <= block[b].at);
    }
    assert_true(n_refused > 0);
    for (uint32_t b = 0; b < N; b++)
        if (block[b].at) cola_cuda_pool_release(&pool, block[b].at);
    assert_int_equal(pool.n_blocks, 1);
    assert_int_equal(pool.block[0].n_bytes, BYTES);
    cola_cuda_pool_destroy(&pool);
}

#ifdef COLA_CUDASIM
static void without_a_gpu_the_error_says_what_to_do(void **state)
{
    struct cola_device_options options = {.isa = "auto"};
    struct cola_device *device;
    const struct cola_backend *backend;
    (void)state;
    setenv("COLA_CUDASIM_GPUS", "0", 1);
    assert_int_equal(cola_backend_cuda.open(&options, &device), COLA_ERR_UNSUPPORTED);
    assert_non_null(strstr(cola_error_text(), "no GPU"));
    assert_non_null(strstr(cola_error_text(), "--backend cpu"));
    gpu_ok(cola_backend_find("auto", false, &backend));
    assert_string_not_equal(backend->name, "cuda");
    unsetenv("COLA_CUDASIM_GPUS");
    gpu_ok(cola_backend_find("auto", false, &backend));
    assert_string_equal(backend->name, "cuda");
    gpu_ok(cola_backend_find("auto", true, &backend)); /* no bf16 there */
    assert_string_not_equal(backend->name, "cuda");
}

static struct cola_device *open_rank(uint32_t rank, uint32_t ranks_per_gpu)
{
    struct cola_device_options options = {.isa = "auto", .rank = rank, .ranks_per_gpu = ranks_per_gpu};
    struct cola_device *device;
    gpu_ok(cola_backend_cuda.open(&options, &device));
    return device;
}

static enum cola_status take_something(struct cola_device *device)
{
    float *memory;
    return cola_backend_cuda.allocate(device, 1, "something", &memory);
}

/* A rank each; a third is refused by name, unless all were told to share. */
static void ranks_take_gpus_of_their_own(void **state)
{
    char text[2][64];
    (void)state;
    struct cola_device *device[3] = {open_rank(0, 1), open_rank(1, 1), open_rank(2, 1)};
    for (int i = 0; i < 2; i++) {
        gpu_ok(take_something(device[i]));
        cola_backend_cuda.describe(device[i], text[i], sizeof text[i]);
        assert_non_null(strstr(text[i], "GPU-"));
    }
    assert_string_not_equal(text[0], text[1]);
    assert_int_equal(take_something(device[2]), COLA_ERR_UNSUPPORTED);
    assert_non_null(strstr(cola_error_text(), "--ranks-per-gpu 2"));
    for (int i = 0; i < 3; i++) cola_backend_cuda.close(device[i]);
    struct cola_device *shared[4] = {open_rank(0, 2), open_rank(1, 2), open_rank(2, 2), open_rank(3, 2)};
    for (int i = 0; i < 4; i++) gpu_ok(take_something(shared[i]));
    assert_string_equal(shared[0]->uuid, shared[1]->uuid);
    assert_string_equal(shared[2]->uuid, shared[3]->uuid);
    assert_string_not_equal(shared[0]->uuid, shared[2]->uuid);
    for (int i = 0; i < 4; i++) cola_backend_cuda.close(shared[i]);
}

static void no_more_memory_is_taken_than_asked_for(void **state)
{
    struct cola_device_options options = {.isa = "auto", .memory_bytes = 8 << 20};
    struct cola_device *device;
    (void)state;
    setenv("COLA_CUDASIM_MEMORY", "200", 1);
    gpu_ok(cola_backend_cuda.open(&options, &device));
    assert_true(cola_backend_cuda.memory_limit(device) >= 8 << 20);
    assert_true(device->arena_bytes < 80 << 20);
    cola_backend_cuda.close(device);
    options.memory_bytes = 0;
    gpu_ok(cola_backend_cuda.open(&options, &device));
    assert_true(cola_backend_cuda.memory_limit(device) > 150 << 20);
    cola_backend_cuda.close(device);
    unsetenv("COLA_CUDASIM_MEMORY");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_equal_ref_in_bytes),
        cmocka_unit_test(products_equal_ref_in_bytes),
        cmocka_unit_test(large_uploads_come_back_whole),
        cmocka_unit_test(pool_gives_out_blocks_apart),
#ifdef COLA_CUDASIM
        cmocka_unit_test(without_a_gpu_the_error_says_what_to_do),
        cmocka_unit_test(ranks_take_gpus_of_their_own),
        cmocka_unit_test(no_more_memory_is_taken_than_asked_for),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_cudasim_planted.c - the stand-in for CUDA notices what it is there to notice. Every barrier and every
 * wait of the cuda back end is left out once: in one order of threads and streams at least, the operations'
 * bytes must differ from ref, or the process must end. So no barrier is without a test, and none is without a
 * need. Then kernels that break one rule each, a row table that is one off, and a host that reads device
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda/gpu.h"
#include "cudasim/cudasim.h"
#include "cudasim/planted.h"

enum { MOST_SITES = 100 };

/* Runs in a process of its own, silent; whether it returned true. */
static bool survives(bool (*run)(const void *what), const void *what)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int silent = open("/dev/null", O_WRONLY);
        dup2(silent, 1);
        dup2(silent, 2);
        alarm(100);
        _exit(run(what) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool suite(struct gpu *gpu)
{
    gpu_open(gpu);
    bool same = gpu_products_agree(gpu, 9, false);
    return gpu_operations_agree(gpu, 9, 3) && same;
}

static bool run_without(const void *site)
{
    struct gpu gpu;
    if (site) cudasim_leave_out(site);
    return suite(&gpu);
}

static void every_barrier_and_wait_is_missed(void **state)
{
    struct cudasim_site site[MOST_SITES];
    struct gpu gpu;
    (void)state;
    gpu_set_order("forward");
    assert_true(suite(&gpu));
    size_t n = cudasim_sites(site, MOST_SITES), n_missed = 0; /* before close: nothing is computed after it */
    gpu_close(&gpu);
    assert_true(n > 10 && n <= MOST_SITES);
    for (size_t o = 0; o < gpu_n_orders; o++) {
        gpu_set_order(gpu_order[o]);
        assert_true(survives(run_without, NULL));
    }
    for (size_t i = 0; i < n; i++) {
        bool missed = false;
        for (size_t o = 0; o < gpu_n_orders && !missed; o++) {
            gpu_set_order(gpu_order[o]);
            missed = !survives(run_without, &site[i]);
            if (missed) printf("%s:%d: missed, order %s\n", site[i].file, site[i].line, gpu_order[o]);
        }
        if (!missed) printf("%s:%d: NOBODY MISSES IT\n", site[i].file, site[i].line);
        n_missed += missed;
    }
    assert_int_equal(n_missed, n);
}

static bool run_planted(const void *what)
{
    return planted_run(*(const enum planted *)what);
}

static void kernels_that_break_a_rule_are_caught(void **state)
{
    (void)state;
    gpu_set_order("forward");
    for (int i = PLANTED_NOTHING; i < PLANTED_N; i++) {
        enum planted what = (enum planted)i;
        if (survives(run_planted, &what) != (what == PLANTED_NOTHING)) fail_msg("planted error %d", i);
    }
}

/* Rows 0 .. 7 of 64 floats; or, where the table is one off, 1 .. 8, and nothing compares the bytes: it is
 * the read of memory that no block holds which ends the process. */
static bool gather_from(const void *first)
{
    enum { ROWS = 8, WIDTH = 64 };
    struct gpu gpu;
    float x[ROWS * WIDTH], got[ROWS * WIDTH];
    uint32_t row[ROWS];
    gpu_open(&gpu);
    for (int i = 0; i < ROWS * WIDTH; i++) x[i] = (float)i;
    for (uint32_t i = 0; i < ROWS; i++) row[i] = *(const uint32_t *)first + i;
    float *out = gpu_put(&gpu, x, ROWS * WIDTH), *in = gpu_put(&gpu, x, ROWS * WIDTH);
    gpu_ok(cola_backend_cuda.gather(gpu.cuda, in, row, ROWS, WIDTH, out));
    gpu_get(&gpu, out, ROWS * WIDTH, got);
    gpu_free(&gpu, in), gpu_free(&gpu, out);
    gpu_close(&gpu);
    return *(const uint32_t *)first ? true : memcmp(x, got, sizeof x) == 0;
}

static void a_row_table_that_is_one_off_is_caught(void **state)
{
    (void)state;
    assert_true(survives(gather_from, &(uint32_t){0}));
    assert_false(survives(gather_from, &(uint32_t){1}));
}

static bool read_directly(const void *what)
{
    struct gpu gpu;
    float one = 1;
    gpu_open(&gpu);
    volatile const float *device = gpu_put(&gpu, &one, 1);
    if (what) return *device < 2;
    return true;
}

static void a_host_that_reads_device_memory_is_caught(void **state)
{
    (void)state;
    assert_true(survives(read_directly, NULL));
    assert_false(survives(read_directly, "now"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_barrier_and_wait_is_missed),
        cmocka_unit_test(kernels_that_break_a_rule_are_caught),
        cmocka_unit_test(a_row_table_that_is_one_off_is_caught),
        cmocka_unit_test(a_host_that_reads_device_memory_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

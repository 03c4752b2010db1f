/* measure_products.c - `measure_products [options]`: how near the cpu back end's matrix products come to the
 * machine's peak, by shape and number of rows, and how fast they read weights from memory.
 *
 * A layer's weights have left the caches when it is executed again, so each repetition multiplies by another
 * copy of the matrices, of 128 MiB in all. The best repetition counts: whatever else the machine does only
 * adds time. The peak (fused multiply-adds on registers) and the speed of reading memory are measured in the
 * same run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/clock.h"
#include "cola/memory.h"
#include "cola/options.h"
#include "cola/random.h"
#include "cola/threads.h"
#include "engine/backend.h"

static const struct cola_option table[] = {
    {"isa", COLA_OPTION_CHOICE, NULL, "auto", 0, 0, "auto|avx2|avx512|avx512_bf16", "instruction set"},
    {"threads", COLA_OPTION_UINT, "N", "1", 1, 1024, NULL, "threads"},
    {"weights", COLA_OPTION_CHOICE, NULL, "bf16", 0, 0, "f32|bf16|f16", "how the checkpoint has its weights"},
    {"dtype", COLA_OPTION_CHOICE, NULL, "f32", 0, 0, "f32|bf16", "arithmetic (docs/numerics.md)"},
    {"bf16-products", COLA_OPTION_CHOICE, NULL, "exact", 0, 0, "exact|onednn",
     "with --dtype bf16: as docs/numerics.md defines them, or by oneDNN"},
    {"shape", COLA_OPTION_TEXT, "KxM[+M..]", "", 0, 0, NULL,
     "one shape, such as 576x576+192+192 (products with one left side); without: seven"},
    {"rows", COLA_OPTION_UINT, "N", "0", 0, 100000, NULL, "one number of rows; 0: twelve"},
    {"seconds", COLA_OPTION_REAL, "S", "0.1", 0.001, 60, NULL, "for each line"},
};
static const struct cola_command command = {
    .name = "measure_products",
    .usage = "[options]",
    .about = "Measures the cpu back end's matrix products: GFLOP/s, share of the machine's peak, GB/s of "
             "weights read.",
    .option = table,
    .n_options = sizeof table / sizeof *table,
};

enum { MOST_PRODUCTS = 4, MOST_COPIES = 512 };
static const char *const default_shapes[] = {"576x576",   "576x576+192+192", "576x3072",  "1536x576",
                                             "576x49152", "2048x2048",       "4096x14336"};
static const uint32_t default_rows[] = {1, 2, 4, 8, 14, 28, 40, 64, 134, 256, 400, 512};

struct shape { /* K; M of each product */
    const char *text;
    uint32_t n_in, n_out[MOST_PRODUCTS], n_products, sum_out;
};

struct copies { /* of the matrices of one shape */
    struct cola_device *device;
    void *room[MOST_COPIES][MOST_PRODUCTS];
    struct cola_matrix *matrix[MOST_COPIES][MOST_PRODUCTS];
    uint32_t n;
    double bytes; /* of one copy */
};

static enum cola_status read_shape(const char *text, struct shape *out)
{
    char *end;
    *out = (struct shape){.text = text, .n_in = (uint32_t)strtoul(text, &end, 10)};
    do {
        if (end == text || (*end != 'x' && *end != '+') || out->n_products == MOST_PRODUCTS) break;
        uint32_t n_out = (uint32_t)strtoul(end + 1, &end, 10);
        if (n_out == 0) break;
        out->n_out[out->n_products++] = n_out;
        out->sum_out += n_out;
    } while (*end);
    if (out->n_in == 0 || out->n_products == 0 || *end)
        return cola_fail(COLA_ERR_USAGE, "--shape '%s': expected KxM or KxM+M.., at most %d products", text,
                         MOST_PRODUCTS);
    return COLA_OK;
}

/* --- matrices ----------------------------------------------------------------------------------------- */

static void release_copies(struct copies *c)
{
    for (uint32_t i = 0; i < MOST_COPIES; i++)
        for (uint32_t p = 0; p < MOST_PRODUCTS; p++) {
            if (c->matrix[i][p]) cola_backend_cpu.release_matrix(c->device, c->matrix[i][p]);
            free(c->room[i][p]);
        }
}

/* Bits of small numbers in any of the dtypes: about 2^-8 .. 2^-6. */
static void fill(struct cola_random *random, enum cola_dtype dtype, uint64_t n, void *out)
{
    uint16_t *half = out;
    uint32_t *whole = out;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)cola_random_bits(random);
        if (dtype == COLA_F32) whole[i] = (bits & 0x80FFFFFF) | 0x3B000000;
        if (dtype == COLA_BF16) half[i] = (uint16_t)((bits & 0x80FF) | 0x3B00);
        if (dtype == COLA_F16) half[i] = (uint16_t)((bits & 0x87FF) | 0x1C00);
    }
}

static enum cola_status load_copy(struct copies *c, const struct shape *shape,
                                  const struct cola_tensor *weights)
{
    const struct cola_backend *cpu = &cola_backend_cpu;
    c->bytes = 0;
    for (uint32_t p = 0; p < shape->n_products; p++) {
        struct cola_tensor tensor = *weights;
        tensor.shape[0] = shape->n_out[p];
        size_t n_bytes = cpu->matrix_bytes(c->device, &tensor);
        c->bytes += (double)n_bytes;
        COLA_TRY(cola_alloc(&c->room[c->n][p], n_bytes, 1, "weights"));
        COLA_TRY(cpu->load_matrix(c->device, &tensor, c->room[c->n][p], false, &c->matrix[c->n][p]));
    }
    c->n++;
    return COLA_OK;
}

static enum cola_status load_copies(struct copies *c, const struct shape *shape, enum cola_dtype dtype)
{
    const double all_bytes = 128 << 20;
    struct cola_random random = cola_random_keyed(1, 1, COLA_STREAM_SYNTHETIC);
    uint64_t n_most = 0;
    for (uint32_t p = 0; p < shape->n_products; p++)
        if (shape->n_out[p] > n_most) n_most = shape->n_out[p];
    void *data;
    COLA_TRY(cola_alloc(&data, n_most * shape->n_in, cola_dtype_bytes(dtype), "weights"));
    fill(&random, dtype, n_most * shape->n_in, data);
    struct cola_tensor weights = {.data = data, .dtype = dtype, .n_dims = 2, .shape = {0, shape->n_in}};
    enum cola_status status = COLA_OK;
    do {
        status = load_copy(c, shape, &weights);
    } while (status == COLA_OK && c->n < MOST_COPIES && c->n * c->bytes < all_bytes);
    free(data);
    return status;
}

/* --- measuring ---------------------------------------------------------------------------------------- */

struct reading {
    const uint64_t *memory;
    size_t n_each;
    uint64_t *sum; /* kept, so that the loop is */
};

static void read_part(void *context, uint32_t task, uint32_t thread)
{
    const struct reading *r = context;
    const uint64_t *from = r->memory + task * r->n_each;
    uint64_t sum[8] = {0};
    (void)thread;
    for (size_t i = 0; i + 8 <= r->n_each; i += 8)
        for (int j = 0; j < 8; j++) sum[j] += from[i + (size_t)j];
    for (int j = 0; j < 8; j++) r->sum[task] += sum[j];
}

/* Bytes a second that n_threads read from memory: a plain sum over 256 MiB, the best 8 MiB of five rounds. */
static enum cola_status measure_reading(uint32_t n_threads, double *out)
{
    enum { N_ROUNDS = 5, N_PIECES = 32 };
    const size_t n_piece = 8 << 20 >> 3;
    struct cola_threads *threads = NULL;
    uint64_t *memory = NULL, *sum = NULL;
    double best = 1e9;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_threads_create(n_threads, &threads));
    COLA_TRY_DONE(cola_alloc((void **)&memory, N_PIECES * n_piece, sizeof *memory, "memory to read"));
    COLA_TRY_DONE(cola_alloc((void **)&sum, n_threads, sizeof *sum, "sums"));
    memset(memory, 1, N_PIECES * n_piece * sizeof *memory);
    for (size_t i = 0; i < N_ROUNDS * N_PIECES; i++) {
        struct reading piece = {
            .memory = memory + i % N_PIECES * n_piece, .n_each = n_piece / n_threads, .sum = sum};
        double start = cola_clock_s();
        cola_threads_run(threads, n_threads, read_part, &piece);
        double took = cola_clock_s() - start;
        if (took < best) best = took;
    }
    *out = (double)(n_piece * sizeof *memory) / best;
done:
    cola_threads_destroy(threads);
    free(memory);
    free(sum);
    return status;
}

/* The best of many short times: a long one would count what other processes took. */
static double measure_peak(struct cola_device *device)
{
    enum { N_TIMES = 150 };
    double best = 0;
    for (int i = 0; i < N_TIMES; i++) {
        double peak = cola_backend_cpu.measure_peak(device, 0.002);
        if (peak > best) best = peak;
    }
    return best;
}

/* Processor time where one thread does it all, so that other processes do not count; else time. */
static double now(uint32_t n_threads)
{
    return n_threads == 1 ? cola_clock_thread_s() : cola_clock_s();
}

/* The least seconds of one call within about `seconds`, three calls at least. */
static enum cola_status time_products(struct copies *c, const struct shape *shape, uint32_t n_rows,
                                      const struct cola_options *o, double *out)
{
    struct cola_random random = cola_random_keyed(2, n_rows, COLA_STREAM_SYNTHETIC);
    float *x = NULL, *y = NULL;
    uint32_t n_threads = (uint32_t)cola_options_uint(o, "threads");
    double best = 1e9;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&x, (size_t)n_rows * shape->n_in, sizeof *x, "left side"));
    COLA_TRY_DONE(cola_alloc((void **)&y, (size_t)n_rows * shape->sum_out, sizeof *y, "products"));
    fill(&random, COLA_F32, (uint64_t)n_rows * shape->n_in, x);
    double end = cola_clock_s() + cola_options_real(o, "seconds");
    for (uint32_t i = 0; i < 3 || cola_clock_s() < end; i++) {
        struct cola_product product[MOST_PRODUCTS];
        float *to = y;
        for (uint32_t p = 0; p < shape->n_products; to += (size_t)n_rows * shape->n_out[p++])
            product[p] = (struct cola_product){c->matrix[i % c->n][p], to};
        double start = now(n_threads);
        COLA_TRY_DONE(cola_backend_cpu.product(c->device, x, n_rows, product, shape->n_products, false));
        double took = now(n_threads) - start;
        if (took < best) best = took;
    }
    *out = best;
done:
    free(x);
    free(y);
    return status;
}

static enum cola_status measure_shape(struct cola_device *device, const struct cola_options *o,
                                      const char *text, double peak, double reading)
{
    const char *dtype_name = cola_options_string(o, "weights");
    enum cola_dtype dtype = strcmp(dtype_name, "f32") == 0    ? COLA_F32
                            : strcmp(dtype_name, "bf16") == 0 ? COLA_BF16
                                                              : COLA_F16;
    uint32_t only = (uint32_t)cola_options_uint(o, "rows");
    struct shape shape;
    struct copies *copies = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(read_shape(text, &shape));
    COLA_TRY(cola_alloc((void **)&copies, 1, sizeof *copies, "matrices"));
    copies->device = device;
    COLA_TRY_DONE(load_copies(copies, &shape, dtype));
    for (size_t i = 0; i < (only ? 1 : sizeof default_rows / sizeof *default_rows); i++) {
        uint32_t n_rows = only ? only : default_rows[i];
        double s;
        COLA_TRY_DONE(time_products(copies, &shape, n_rows, o, &s));
        double flops = 2.0 * n_rows * shape.n_in * shape.sum_out / s;
        printf("%-16s %5u %12.3f %10.1f %8.1f %% %9.1f %9.1f %%\n", text, n_rows, 1e3 * s, flops / 1e9,
               100 * flops / peak, copies->bytes / s / 1e9, 100 * copies->bytes / s / reading);
        fflush(stdout);
    }
done:
    release_copies(copies);
    free(copies);
    return status;
}

static enum cola_status measure(const struct cola_options *o)
{
    const struct cola_backend *cpu = &cola_backend_cpu;
    struct cola_device_options options = {.isa = cola_options_string(o, "isa"),
                                          .n_threads = (uint32_t)cola_options_uint(o, "threads"),
                                          .bf16 = strcmp(cola_options_string(o, "dtype"), "bf16") == 0,
                                          .bf16_products = cola_options_string(o, "bf16-products")};
    struct cola_device *device = NULL;
    char what[128], id[32];
    double reading;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cpu->open(&options, &device));
    cpu->describe(device, what, sizeof what);
    cpu->numerics_id(device, id, sizeof id);
    COLA_TRY_DONE(measure_reading(options.n_threads, &reading));
    double peak = measure_peak(device);
    printf("%s, %s, weights %s; peak %.1f GFLOP/s, memory %.1f GB/s\n", what, id,
           cola_options_string(o, "weights"), peak / 1e9, reading / 1e9);
    printf("%-16s %5s %12s %10s %10s %9s %11s\n", "K x M", "rows", "milliseconds", "GFLOP/s", "of peak",
           "GB/s", "of memory");
    const char *only = cola_options_string(o, "shape");
    for (size_t i = 0; i < (*only ? 1 : sizeof default_shapes / sizeof *default_shapes); i++)
        COLA_TRY_DONE(measure_shape(device, o, *only ? only : default_shapes[i], peak, reading));
done:
    cpu->close(device);
    return status;
}

int main(int argc, char **argv)
{
    struct cola_options *options = NULL;
    enum cola_status status = cola_options_parse(&command, argc, argv, &options);
    if (status == COLA_OK && cola_options_help(options))
        cola_options_print_help(&command, stdout);
    else if (status == COLA_OK)
        status = measure(options);
    if (status != COLA_OK) fprintf(stderr, "measure_products: %s\n", cola_error_text());
    cola_options_destroy(options);
    return status == COLA_OK ? 0 : status == COLA_ERR_USAGE ? 2 : 1;
}

/* cpu.c - the cpu back end: choice of the vector kernels (the best instruction set at hand, or the one asked
 * for), plain memory, and the operation table. */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "engine/cpu/device.h"
#include "engine/numerics.h"

/* clang 14 does not know __builtin_cpu_supports("f16c"). Every CPU with AVX2 has it, but a virtual one may
 * not. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static enum cola_status choose_kernels(const char *isa, const struct cola_cpu_kernels **out)
{
    bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    bool has_bf16 = has_avx512 && __builtin_cpu_supports("avx512bf16"), automatic = strcmp(isa, "auto") == 0;
    if (strcmp(isa, "avx512_bf16") == 0 || (automatic && has_bf16 && cola_cpu_pairs_agree())) {
        if (!has_bf16)
            return cola_fail(COLA_ERR_UNSUPPORTED, "--isa avx512_bf16: this CPU has no AVX512_BF16");
        if (!cola_cpu_pairs_agree())
            return cola_fail(COLA_ERR_UNSUPPORTED, "--isa avx512_bf16: this CPU's dot products of bf16 have "
                                                   "other bits than docs/numerics.md; use --isa avx512");
        *out = &cola_cpu_kernels_avx512_bf16;
    } else if (strcmp(isa, "avx512") == 0 || (automatic && has_avx512)) {
        if (!has_avx512) return cola_fail(COLA_ERR_UNSUPPORTED, "--isa avx512: this CPU has no AVX-512");
        *out = &cola_cpu_kernels_avx512;
    } else if (strcmp(isa, "avx2") == 0 || automatic) {
        if (!has_avx2)
            return cola_fail(COLA_ERR_UNSUPPORTED,
                             "back end cpu: this CPU has no AVX2 with FMA and F16C; use --backend ref");
        *out = &cola_cpu_kernels_avx2;
    } else {
        return cola_fail(COLA_ERR_USAGE, "--isa '%s': there are auto, avx2, avx512 and avx512_bf16", isa);
    }
    return COLA_OK;
}

static void cpu_close(struct cola_device *device)
{
    if (!device) return;
    for (uint32_t t = 0; device->scratch && t < device->n_threads; t++) {
        free(device->scratch[t].packed_prefix);
        free(device->scratch[t].packed_tail);
        free(device->scratch[t].score);
    }
    free(device->scratch);
    free(device->packed_rows);
    free(device->group);
    free(device->store_task);
    cola_onednn_close(device->onednn);
    cola_threads_destroy(device->threads);
    free(device);
}

static enum cola_status open_onednn(struct cola_device *device, const char *products)
{
    if (!device->bf16 || !products || strcmp(products, "onednn") != 0) return COLA_OK;
    if (device->kernels == &cola_cpu_kernels_avx2)
        return cola_fail(COLA_ERR_UNSUPPORTED, "--bf16-products onednn: oneDNN is not used with AVX2");
    return cola_onednn_open(device->threads, &device->onednn);
}

static enum cola_status cpu_open(const struct cola_device_options *options, struct cola_device **out)
{
    struct cola_device *device = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&device, 1, sizeof *device, "cpu back end"));
    COLA_TRY_DONE(choose_kernels(options->isa, &device->kernels));
    COLA_TRY_DONE(cola_threads_create(options->n_threads, &device->threads));
    device->n_threads = cola_threads_count(device->threads);
    device->bf16 = options->bf16;
    COLA_TRY_DONE(open_onednn(device, options->bf16_products));
    COLA_TRY_DONE(
        cola_alloc((void **)&device->scratch, device->n_threads, sizeof *device->scratch, "attention"));
    *out = device;
    return COLA_OK;
done:
    cpu_close(device);
    return status;
}

static void cpu_describe(const struct cola_device *device, char *text, size_t n_text)
{
    const char *library = device->onednn ? cola_onednn_version() : "";
    snprintf(text, n_text, "%s, %u thread%s%s%s", device->kernels->isa, device->n_threads,
             device->n_threads == 1 ? "" : "s", *library ? ", oneDNN " : "", library);
}

static void cpu_layout(const struct cola_device *device, char *text, size_t n_text)
{
    snprintf(text, n_text, "cpu %s %u%s %s", device->kernels->isa, device->kernels->panel_width,
             device->bf16 ? " bf16" : "", device->onednn ? cola_onednn_version() : "");
}

static void cpu_numerics_id(const struct cola_device *device, char *text, size_t n_text)
{
    if (device->onednn)
        cola_onednn_numerics_id(device->onednn, text, n_text);
    else
        snprintf(text, n_text, "%s", device->bf16 ? COLA_NUMERICS_BF16 : COLA_NUMERICS_F32);
}

/* What lies before each block; 64 bytes, so that the block begins with a cache line. */
struct block {
    size_t n_mapped; /* bytes of its own pages, this included; 0: from the heap */
    char unused[64 - sizeof(size_t)];
};

/* Large blocks have pages of their own, whose memory goes back to the system with them: in the heap the gaps
 * between blocks that come and go would stay, and break the bound on memory. Where the system gives no more
 * mappings (Linux: 65530 a process) the heap serves large ones too. */
static enum cola_status cpu_allocate(struct cola_device *device, size_t n, const char *what, float **out)
{
    enum { LEAST_PAGES_BYTES = 128 << 10 };
    struct block *block = NULL;
    size_t n_bytes;
    (void)device;
    if (__builtin_mul_overflow(n, sizeof **out, &n_bytes) ||
        __builtin_add_overflow(n_bytes, sizeof *block, &n_bytes))
        return cola_fail(COLA_ERR_MEMORY, "%s: %zu floats do not fit an address", what, n);
    if (n_bytes >= LEAST_PAGES_BYTES && cola_pages_map(n_bytes, false, what, (void **)&block) == COLA_OK)
        block->n_mapped = n_bytes;
    if (!block) COLA_TRY(cola_alloc((void **)&block, n_bytes, 1, what));
    *out = (float *)(block + 1);
    return COLA_OK;
}

static void cpu_release(struct cola_device *device, float *memory)
{
    (void)device;
    if (!memory) return;
    struct block *block = (struct block *)memory - 1;
    if (block->n_mapped)
        cola_pages_unmap(block, block->n_mapped);
    else
        free(block);
}

static enum cola_status cpu_copy(struct cola_device *device, const float *from, size_t n, float *to)
{
    (void)device;
    memcpy(to, from, n * sizeof *to);
    return COLA_OK;
}

const struct cola_backend cola_backend_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .describe = cpu_describe,
    .numerics_id = cpu_numerics_id,
    .allocate = cpu_allocate,
    .release = cpu_release,
    .upload = cpu_copy,
    .download = cpu_copy,
    .matrix_bytes = cola_cpu_matrix_bytes,
    .load_matrix = cola_cpu_load_matrix,
    .row_floats = cola_cpu_row_floats,
    .layout = cpu_layout,
    .release_matrix = cola_cpu_release_matrix,
    .embed = cola_cpu_embed,
    .copy = cpu_copy,
    .clear = cola_cpu_clear,
    .add = cola_cpu_add,
    .add_bias = cola_cpu_add_bias,
    .add_scaled = cola_cpu_add_scaled,
    .route = cola_cpu_route,
    .gather = cola_cpu_gather,
    .scatter = cola_cpu_scatter,
    .norm = cola_cpu_norm,
    .product = cola_cpu_product,
    .rotate = cola_cpu_rotate,
    .store_floats = cola_cpu_store_floats,
    .store_keys = cola_cpu_store_keys,
    .attention = cola_cpu_attention,
    .gate = cola_cpu_gate,
    .reduce_logits = cola_cpu_reduce_logits,
    .measure_peak = cola_cpu_measure_peak,
    .measure_bandwidth = cola_cpu_measure_bandwidth,
};

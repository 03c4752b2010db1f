/* onednn_open.c - oneDNN for the bf16 mode: whether this machine's is fit, opening and closing, and the name
 * of its numerics. The products are onednn_product.c's. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "engine/cpu/onednn_internal.h"

enum cola_status cola_onednn_check(dnnl_status_t status, const char *call)
{
    if (status == dnnl_success) return COLA_OK;
    return cola_fail(status == dnnl_unimplemented ? COLA_ERR_UNSUPPORTED : COLA_ERR_LIBRARY,
                     "oneDNN: status %d of %.60s: --bf16-products exact does without the library",
                     (int)status, call);
}

const char *cola_onednn_version(void)
{
    static _Thread_local char text[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

typedef void set_threads_fn(int n);

/* Of the OpenMP library that oneDNN loaded, whichever it is: linking one here could bring in a second. */
static set_threads_fn *find_set_threads(void)
{
    set_threads_fn *function;
    void *symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    memcpy(&function, &symbol, sizeof function);
    return function;
}

void cola_onednn_one_thread(void)
{
    static _Thread_local bool done;
    if (done) return;
    set_threads_fn *set_threads = find_set_threads();
    if (set_threads) set_threads(1);
    done = true;
}

static enum cola_status check_machine(void)
{
    const dnnl_version_t *v = dnnl_version();
    if (v->major != DNNL_VERSION_MAJOR)
        return cola_fail(COLA_ERR_UNSUPPORTED, "oneDNN %d.%d was found, this program was built with %d.%d",
                         v->major, v->minor, DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR);
    bool open_mp = v->cpu_runtime == DNNL_RUNTIME_OMP && find_set_threads();
    if (!open_mp && v->cpu_runtime != DNNL_RUNTIME_SEQ)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "oneDNN %s cannot be kept from starting threads (its runtime is %u)",
                         cola_onednn_version(), v->cpu_runtime);
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    if ((isa & dnnl_cpu_isa_avx512_core_bf16) != dnnl_cpu_isa_avx512_core_bf16)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "this CPU has no bf16 dot products (avx512_bf16), or DNNL_MAX_CPU_ISA hides them");
    return COLA_OK;
}

static enum cola_status open_threads(struct cola_onednn *o)
{
    size_t n_out = (size_t)COLA_ONEDNN_ROWS * COLA_ONEDNN_SLICE;
    COLA_TRY(cola_alloc((void **)&o->thread, o->n_threads, sizeof *o->thread, "oneDNN threads"));
    for (uint32_t t = 0; t < o->n_threads; t++) {
        COLA_ONEDNN_TRY(dnnl_stream_create(&o->thread[t].stream, o->engine, dnnl_stream_default_flags));
        COLA_TRY(cola_alloc((void **)&o->thread[t].out, n_out, sizeof(float), "oneDNN products"));
        COLA_TRY(cola_grow(&o->thread[t].scratch, &o->thread[t].scratch_room, 1, 1, "oneDNN scratch"));
    }
    return COLA_OK;
}

/* Inner sizes around those where the library begins to sum in chunks (512, 1024), the sizes of small models,
 * and odd ones; full slices and narrow ones. Numbers of rows: alone, few, the tile heights' neighbours, many.
 * What a model needs beyond is checked when it is met; this decides early whether the library is used at all.
 */
static enum cola_status check_products(struct cola_onednn *o)
{
    static const struct {
        uint32_t n_in, width;
    } size[] = {{32, 64},    {64, 128},   {576, 192},  {576, 64},   {896, 128},
                {1024, 192}, {1536, 192}, {2048, 192}, {4096, 192}, {8192, 64}};
    static const uint32_t rows[] = {2, 7, 14, 64, 84, COLA_ONEDNN_ROWS};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        struct cola_onednn_shape *shape;
        COLA_TRY(cola_onednn_shape(o, size[i].n_in, size[i].width, &shape));
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            COLA_TRY(cola_onednn_primitive(o, shape, rows[r]));
    }
    return COLA_OK;
}

enum cola_status cola_onednn_open(struct cola_threads *threads, struct cola_onednn **out)
{
    struct cola_onednn *o = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(check_machine());
    COLA_TRY(cola_alloc((void **)&o, 1, sizeof *o, "oneDNN"));
    o->threads = threads;
    o->n_threads = cola_threads_count(threads);
    cola_onednn_one_thread();
    COLA_TRY_DONE(cola_hash_create(&o->hash));
    COLA_ONEDNN_TRY_DONE(dnnl_engine_create(&o->engine, dnnl_cpu, 0));
    COLA_ONEDNN_TRY_DONE(dnnl_primitive_attr_create(&o->attributes));
    COLA_ONEDNN_TRY_DONE(dnnl_primitive_attr_set_scratchpad_mode(o->attributes, dnnl_scratchpad_mode_user));
    COLA_TRY_DONE(open_threads(o));
    COLA_TRY_DONE(check_products(o));
    *out = o;
    return COLA_OK;
done:
    cola_onednn_close(o);
    return status;
}

void cola_onednn_close(struct cola_onednn *o)
{
    if (!o) return;
    for (uint32_t i = 0; i < o->n_shapes; i++) cola_onednn_shape_destroy(o, o->shape[i]);
    free(o->shape);
    for (uint32_t t = 0; o->thread && t < o->n_threads; t++) {
        if (o->thread[t].stream) dnnl_stream_destroy(o->thread[t].stream);
        free(o->thread[t].out);
        free(o->thread[t].scratch);
        free(o->thread[t].staging);
    }
    free(o->thread);
    free(o->rounded);
    if (o->attributes) dnnl_primitive_attr_destroy(o->attributes);
    if (o->engine) dnnl_engine_destroy(o->engine);
    cola_hash_destroy(o->hash);
    free(o);
}

void cola_onednn_numerics_id(const struct cola_onednn *o, char *text, size_t n_text)
{
    enum { BEFORE_DIGITS = 5, DIGITS = 8 }; /* "xxh3:" */
    char hash[COLA_HASH_TEXT];
    const dnnl_version_t *v = dnnl_version();
    cola_hash_text(o->hash, hash);
    snprintf(text, n_text, "bf16-onednn%d.%d-%.*s", v->major, v->minor, DIGITS, hash + BEFORE_DIGITS);
}

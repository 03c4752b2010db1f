/* onednn_internal.h - what the onednn_*.c files share.
 *
 *   onednn_open.c          life cycle, check at the start, numerics id
 *   onednn_shape.c         one inner size and slice width: packed layout, probe, bits of single rows
 *   onednn_primitive.c     one number of rows of a shape: creation, check against the single rows, execution
 *   onednn_product.c       matrices in slices, products split among threads
 *   onednn_rows_avx512.c   rounding of the left side, rows of a slice into the output
 *
 * Sizes of the library: K is padded to COLA_ONEDNN_K with zeros; the columns of a matrix are cut into slices
 * of COLA_ONEDNN_SLICE, the last one padded to COLA_ONEDNN_COLUMNS. Where the cuts are depends on the matrix
 * alone. */
#ifndef COLA_ENGINE_CPU_ONEDNN_INTERNAL_H
#define COLA_ENGINE_CPU_ONEDNN_INTERNAL_H

#include <dnnl.h>

#include "cola/hash.h"
#include "engine/cpu/onednn.h"
#include "engine/cpu/onednn_rows.h"

enum {
    COLA_ONEDNN_SLICE = 192,  /* 3 x 64; K = 1536 of it is 576 KiB of bf16: the second-level cache holds it */
    COLA_ONEDNN_COLUMNS = 64, /* the library's widest block of columns: layouts without padding of its own */
    COLA_ONEDNN_K = 32,       /* one cache line of bf16 */
    COLA_ONEDNN_ROWS = 128,   /* rows of one call at most */
    COLA_ONEDNN_EXACT = 64,   /* up to here a primitive for each number of rows, above for multiples of */
    COLA_ONEDNN_STEP = 4,     /* this: 80 in all */
    COLA_ONEDNN_PROBES = 8    /* distinct rows of a probe */
};

/* One thread's; no other touches it while a loop runs. */
struct cola_onednn_thread {
    dnnl_stream_t stream;
    float *out;    /* [COLA_ONEDNN_ROWS, COLA_ONEDNN_SLICE]: a slice's product before it goes to its rows */
    void *scratch; /* the library's, of the largest primitive */
    size_t scratch_room;
    uint16_t *staging; /* [width, K] one slice of a weight on its way into the packed layout */
    size_t staging_room;
    dnnl_status_t failed; /* of the present loop */
};

struct cola_onednn_primitive {
    dnnl_primitive_t primitive;
    /* [n_threads]: source, weights, product, scratch; made by their thread at its first call */
    struct cola_onednn_memory {
        dnnl_memory_t source, weights, product, scratch;
    } * memory;
    dnnl_memory_desc_t source, product, scratch;
};

struct cola_onednn_shape {
    uint32_t n_in, width; /* K and columns, both padded */
    dnnl_memory_desc_t plain, packed;
    dnnl_primitive_t pack; /* plain [width, K] to packed */
    uint16_t *probe;       /* bf16 [COLA_ONEDNN_PROBES, K] */
    void *probe_weights;   /* packed */
    float *alone;          /* [COLA_ONEDNN_PROBES, width]: the product of each probe row, one call each */
    struct cola_onednn_primitive of_rows[COLA_ONEDNN_ROWS + 1]; /* .primitive NULL: not made yet */
};

struct cola_onednn {
    struct cola_threads *threads;
    uint32_t n_threads;
    dnnl_engine_t engine;
    dnnl_primitive_attr_t attributes; /* scratch memory is ours */
    struct cola_hash *hash;           /* of the single rows of all shapes, in the order they were met */
    struct cola_onednn_shape **shape; /* [n_shapes]; pointers, so that they stay when it grows */
    size_t shape_room;
    uint32_t n_shapes;
    struct cola_onednn_thread *thread; /* [n_threads] */
    uint16_t *rounded;                 /* bf16 [rows and STEP more, K]: a product's left side */
    size_t rounded_room;
};

/* COLA_ERR_LIBRARY naming call and status, unless it is dnnl_success. */
enum cola_status cola_onednn_check(dnnl_status_t status, const char *call);
#define COLA_ONEDNN_TRY(call)      COLA_TRY(cola_onednn_check(call, #call))
#define COLA_ONEDNN_TRY_DONE(call) COLA_TRY_DONE(cola_onednn_check(call, #call))

/* The calling thread's parallel regions inside the library get one thread: itself. */
void cola_onednn_one_thread(void);

static inline uint32_t cola_onednn_pad(uint64_t n, uint32_t to)
{
    return (uint32_t)((n + to - 1) / to * to);
}

/* The primitive's number of rows for n <= COLA_ONEDNN_ROWS rows. */
static inline uint32_t cola_onednn_rows(uint32_t n)
{
    return n <= COLA_ONEDNN_EXACT ? n : cola_onednn_pad(n, COLA_ONEDNN_STEP);
}

/* The shape of that size, made and probed at first use. */
enum cola_status cola_onednn_shape(struct cola_onednn *o, uint32_t n_in, uint32_t width,
                                   struct cola_onednn_shape **out);
void cola_onednn_shape_destroy(struct cola_onednn *o, struct cola_onednn_shape *shape);
static inline size_t cola_onednn_slice_bytes(uint32_t n_in, uint32_t width)
{
    return (size_t)n_in * width * sizeof(uint16_t); /* a shape whose layout is larger is refused */
}
/* plain: bf16 [width, K]; on the calling thread. */
dnnl_status_t cola_onednn_pack(const struct cola_onednn *o, const struct cola_onednn_shape *shape,
                               uint32_t thread, uint16_t *plain, void *packed);

/* The primitive for exactly `rows` rows (cola_onednn_rows), made and checked at first use; never on two
 * threads at once. */
enum cola_status cola_onednn_primitive(struct cola_onednn *o, struct cola_onednn_shape *shape, uint32_t rows);
void cola_onednn_primitive_release(struct cola_onednn *o, struct cola_onednn_primitive *p);
/* source bf16 [rows, K] -> out [rows, width], on the calling thread */
dnnl_status_t cola_onednn_execute(struct cola_onednn *o, struct cola_onednn_shape *shape, uint32_t rows,
                                  uint32_t thread, const uint16_t *source, const void *packed, float *out);

#endif

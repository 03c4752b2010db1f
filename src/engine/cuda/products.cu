/* products.cu - matrix products of the exact f32 mode. docs/numerics.md, "Product".
 *
 * y = x W^T: y_nm starts at +0 and is fma(x_nk, W_mk, y_nm) in ascending k. A block owns a tile of ROWS x
 * COLUMNS results and walks k upward in slices of DEPTH; each thread owns its results in registers from the
 * first k to the last, so that neither the tile nor the slice changes a bit. A slice of x and of W lies in
 * shared memory with k outermost, so that a thread reads what it needs as vectors; the next slice is on its
 * way from global memory into registers meanwhile, and there are two slices in shared memory in turn, so that
 * a slice costs one barrier. The last slice may be short: it is walked only as far as K, since fma(0, 0, -0)
 * would be +0.
 *
 * Weights are f32, or bf16 widened on the way into shared memory. One launch serves all products of a call:
 * their tiles of columns follow each other in blockIdx.x, tiles of rows in blockIdx.y. */
#include "engine/cuda/device.h"
#include "engine/cuda/exact.cuh"

enum { MOST_PRODUCTS = 4 }; /* of one launch */

struct one_product {
    const void *weight;
    float *out;
    uint32_t n_out, first_tile;
};
struct products {
    const float *x; /* [n_rows, n_in] */
    uint32_t n_rows, n_in, n_products;
    bool add;
    struct one_product one[MOST_PRODUCTS];
};

/* --- four elements from global memory: k .. k+3 of a row, 0 from K on ---------------------------------- */

static COLA_DEVICE float widened(const float *p)
{
    return *p;
}

static COLA_DEVICE float widened(const uint16_t *p)
{
    return cola_device_widen_bf16(*p);
}

static COLA_DEVICE float4 load_whole(const float *p)
{
    return cola_load4(p);
}

static COLA_DEVICE float4 load_whole(const uint16_t *p)
{
    uint2 two = *reinterpret_cast<const uint2 *>(p);
    return make_float4(cola_device_widen_bf16(two.x & 0xFFFF), cola_device_widen_bf16(two.x >> 16),
                       cola_device_widen_bf16(two.y & 0xFFFF), cola_device_widen_bf16(two.y >> 16));
}

template <typename T>
static COLA_DEVICE float4 load_four(const T *row, uint32_t k, uint32_t n_in, bool inside)
{
    if (!inside || k >= n_in) return make_float4(0, 0, 0, 0);
    if (n_in % 4 == 0) return load_whole(row + k); /* then every row begins on a multiple of four elements */
    return make_float4(widened(row + k), k + 1 < n_in ? widened(row + k + 1) : 0.0f,
                       k + 2 < n_in ? widened(row + k + 2) : 0.0f,
                       k + 3 < n_in ? widened(row + k + 3) : 0.0f);
}

/* --- a slice: SIDE rows of a matrix, DEPTH of k ----------------------------------------------------------
 */

template <int SIDE, int DEPTH, int THREADS> struct slice {
    static constexpr int STRIDE = SIDE + 4; /* floats; spreads the columns of a store over the banks */
    static constexpr int VECTORS = SIDE * DEPTH / 4, EACH = (VECTORS + THREADS - 1) / THREADS;
    static constexpr int FLOATS = DEPTH * STRIDE;

    /* of the matrix's rows first .. , its n rows, into registers */
    template <typename T>
    static COLA_DEVICE void load(const T *matrix, uint32_t first, uint32_t n, uint32_t n_in, uint32_t k,
                                 float4 *held)
    {
#pragma unroll
        for (int v = 0; v < EACH; v++) {
            uint32_t index = threadIdx.x + v * THREADS, row = first + index / (DEPTH / 4);
            bool inside = row < n && index < VECTORS;
            held[v] = load_four(matrix + (size_t)(inside ? row : 0) * n_in, k + index % (DEPTH / 4) * 4, n_in,
                                inside);
        }
    }

    static COLA_DEVICE void store(const float4 *held, float *shared)
    {
#pragma unroll
        for (int v = 0; v < EACH; v++) {
            uint32_t index = threadIdx.x + v * THREADS, row = index / (DEPTH / 4);
            if (VECTORS % THREADS && index >= VECTORS) continue;
            float *to = shared + index % (DEPTH / 4) * 4 * STRIDE + row;
            to[0] = held[v].x, to[STRIDE] = held[v].y, to[2 * STRIDE] = held[v].z, to[3 * STRIDE] = held[v].w;
        }
    }
};

/* --- a thread's results: N of a side, in groups of up to four neighbours -------------------------------- */

template <int SIDE, int N> struct own {
    static constexpr int WIDTH = N < 4 ? N : 4, GROUPS = N / WIDTH;
    static COLA_DEVICE uint32_t place(uint32_t thread, int i)
    {
        return i / WIDTH * (SIDE / GROUPS) + thread * WIDTH + i % WIDTH;
    }
    static COLA_DEVICE void read(const float *shared, uint32_t thread, float *value)
    {
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            const float *from = shared + place(thread, g * WIDTH);
            if (WIDTH == 4) {
                float4 four = cola_load4(from);
                value[4 * g] = four.x, value[4 * g + 1] = four.y, value[4 * g + 2] = four.z,
                          value[4 * g + 3] = four.w;
            } else {
#pragma unroll
                for (int i = 0; i < WIDTH; i++) value[g * WIDTH + i] = from[i];
            }
        }
    }
};

template <int R, int C> static COLA_DEVICE void multiply_once(const float *x, const float *w, float (*sum)[C])
{
#pragma unroll
    for (int r = 0; r < R; r++)
#pragma unroll
        for (int c = 0; c < C; c++) sum[r][c] = fmaf(x[r], w[c], sum[r][c]);
}

/* --- the kernel: R x C results a thread ------------------------------------------------------------------
 */

template <typename W, int ROWS, int COLUMNS, int R, int C, int DEPTH>
__global__ __launch_bounds__((ROWS / R) * (COLUMNS / C)) void multiply(struct products p)
{
    constexpr int ACROSS = COLUMNS / C, THREADS = ROWS / R * ACROSS;
    using of_x = slice<ROWS, DEPTH, THREADS>;
    using of_w = slice<COLUMNS, DEPTH, THREADS>;
    constexpr int FLOATS = of_x::FLOATS + of_w::FLOATS;
    COLA_SHARED(float, shared); /* [2, FLOATS] */
    uint32_t thread_row = threadIdx.x / ACROSS, thread_column = threadIdx.x % ACROSS;
    struct one_product one = p.one[0];
#pragma unroll
    for (uint32_t i = 1; i < MOST_PRODUCTS; i++) /* an index that is not constant would put p into memory */
        if (i < p.n_products && blockIdx.x >= p.one[i].first_tile) one = p.one[i];
    uint32_t first_column = (blockIdx.x - one.first_tile) * COLUMNS, first_row = blockIdx.y * ROWS;
    const W *weight = static_cast<const W *>(one.weight);
    float4 held_x[of_x::EACH], held_w[of_w::EACH];
    float sum[R][C] = {};
    of_x::load(p.x, first_row, p.n_rows, p.n_in, 0, held_x);
    of_w::load(weight, first_column, one.n_out, p.n_in, 0, held_w);
    of_x::store(held_x, shared);
    of_w::store(held_w, shared + of_x::FLOATS);
    __syncthreads();
    for (uint32_t k = 0, turn = 0; k < p.n_in; k += DEPTH, turn ^= 1) {
        const float *x = shared + turn * FLOATS, *w = x + of_x::FLOATS;
        bool more = k + DEPTH < p.n_in;
        float own_x[R], own_w[C];
        if (more) {
            of_x::load(p.x, first_row, p.n_rows, p.n_in, k + DEPTH, held_x);
            of_w::load(weight, first_column, one.n_out, p.n_in, k + DEPTH, held_w);
        }
        int depth = p.n_in - k < DEPTH ? (int)(p.n_in - k) : DEPTH;
        if (depth == DEPTH) {
#pragma unroll
            for (int i = 0; i < DEPTH; i++) {
                own<ROWS, R>::read(x + i * of_x::STRIDE, thread_row, own_x);
                own<COLUMNS, C>::read(w + i * of_w::STRIDE, thread_column, own_w);
                multiply_once<R, C>(own_x, own_w, sum);
            }
        } else {
#pragma unroll 1
            for (int i = 0; i < depth; i++) {
                own<ROWS, R>::read(x + i * of_x::STRIDE, thread_row, own_x);
                own<COLUMNS, C>::read(w + i * of_w::STRIDE, thread_column, own_w);
                multiply_once<R, C>(own_x, own_w, sum);
            }
        }
        if (more) {
            of_x::store(held_x, shared + (turn ^ 1) * FLOATS);
            of_w::store(held_w, shared + (turn ^ 1) * FLOATS + of_x::FLOATS);
            __syncthreads();
        }
    }
#pragma unroll
    for (int r = 0; r < R; r++) {
        uint32_t row = first_row + own<ROWS, R>::place(thread_row, r);
        if (row >= p.n_rows) continue;
#pragma unroll
        for (int c = 0; c < C; c++) {
            uint32_t column = first_column + own<COLUMNS, C>::place(thread_column, c);
            if (column >= one.n_out) continue;
            float *to = one.out + (size_t)row * one.n_out + column;
            *to = p.add ? *to + sum[r][c] : sum[r][c];
        }
    }
}

/* --- launchers -------------------------------------------------------------------------------------------
 */

/* Tiles of columns of all products; fills in where each begins. */
static uint32_t lay_out(struct products *p, uint32_t columns)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_products; i++) {
        p->one[i].first_tile = n;
        n += cola_blocks(p->one[i].n_out, columns);
    }
    return n;
}

template <typename W, int ROWS, int COLUMNS, int R, int C, int DEPTH>
static enum cola_status launch_tile(struct cola_device *device, struct products p)
{
    constexpr unsigned THREADS = (ROWS / R) * (COLUMNS / C);
    constexpr size_t SHARED =
        2 * (slice<ROWS, DEPTH, THREADS>::FLOATS + slice<COLUMNS, DEPTH, THREADS>::FLOATS) * sizeof(float);
    static_assert(SHARED <= 48 << 10, "more shared memory must be asked for");
    dim3 grid(lay_out(&p, COLUMNS), cola_blocks(p.n_rows, ROWS));
    auto kernel = multiply<W, ROWS, COLUMNS, R, C, DEPTH>;
    COLA_LAUNCH(kernel, grid, THREADS, SHARED, device->compute, p);
    return COLA_LAUNCHED("product");
}

/* Large tiles read least from memory, if there are enough of them for all processors. Few rows leave a tall
 * tile idle: then columns alone must fill the GPU. All give the same bits. */
template <typename W> static enum cola_status launch(struct cola_device *device, struct products p)
{
    if (p.n_rows <= 16) return launch_tile<W, 16, 64, 2, 4, 32>(device, p);
    uint64_t n_large = (uint64_t)lay_out(&p, 128) * cola_blocks(p.n_rows, 128);
    if (n_large >= device->n_processors) return launch_tile<W, 128, 128, 8, 8, 16>(device, p);
    return launch_tile<W, 64, 64, 4, 4, 16>(device, p);
}

extern "C" enum cola_status cola_cuda_product(struct cola_device *device, const float *x, uint32_t n_rows,
                                              const struct cola_product *product, uint32_t n_products,
                                              bool add)
{
    if (n_rows == 0) return COLA_OK;
    for (uint32_t first = 0; first < n_products;) {
        const struct cola_matrix *matrix = product[first].matrix;
        struct products p = {x, n_rows, matrix->n_in, 0, add, {}};
        bool bf16 = matrix->bf16;
        for (; first < n_products && p.n_products < MOST_PRODUCTS && product[first].matrix->bf16 == bf16;
             first++)
            p.one[p.n_products++] = {product[first].matrix->weight, product[first].out,
                                     product[first].matrix->n_out, 0};
        COLA_TRY(bf16 ? launch<uint16_t>(device, p) : launch<float>(device, p));
    }
    return COLA_OK;
}

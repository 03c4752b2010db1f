/* ref.c - the reference back end: docs/numerics.md written down in plain C, one thread, loops in the order of
 * the definition. The oracle for every other back end; always built. Clarity before speed; the only
 * concession is that the product's inner loop runs over columns (each column's own sum is still one fmaf per
 * ascending k). */
#include <stdio.h>
#include <stdlib.h>

#include "cola/memory.h"
#include "engine/backend.h"
#include "engine/numerics.h"
#include "engine/route.h"

struct cola_device {
    bool bf16;
    float *score; /* attention scores of one row */
    size_t score_room;
    float *rounded; /* bf16: a product's left side */
    size_t rounded_room;
};

struct cola_matrix {
    uint32_t n_out, n_in;    /* M, K */
    const float *transposed; /* [K, M], in the room that load_matrix was given */
};

static enum cola_status ref_open(const struct cola_device_options *options, struct cola_device **out)
{
    COLA_TRY(cola_alloc((void **)out, 1, sizeof **out, "ref back end"));
    (*out)->bf16 = options->bf16;
    return COLA_OK;
}

static void ref_close(struct cola_device *device)
{
    if (device) free(device->score);
    if (device) free(device->rounded);
    free(device);
}

static void ref_describe(const struct cola_device *device, char *text, size_t n_text)
{
    (void)device;
    snprintf(text, n_text, "plain C, 1 thread");
}

static void ref_numerics_id(const struct cola_device *device, char *text, size_t n_text)
{
    snprintf(text, n_text, "%s", device->bf16 ? COLA_NUMERICS_BF16 : COLA_NUMERICS_F32);
}

static enum cola_status ref_allocate(struct cola_device *device, size_t n, const char *what, float **out)
{
    (void)device;
    return cola_alloc((void **)out, n, sizeof **out, what);
}

static void ref_release(struct cola_device *device, float *memory)
{
    (void)device;
    free(memory);
}

static enum cola_status ref_copy(struct cola_device *device, const float *from, size_t n, float *to)
{
    (void)device;
    memcpy(to, from, n * sizeof *to);
    return COLA_OK;
}

static void ref_layout(const struct cola_device *device, char *text, size_t n_text)
{
    snprintf(text, n_text, "ref%s", device->bf16 ? " bf16" : "");
}

static size_t ref_matrix_bytes(struct cola_device *device, const struct cola_tensor *tensor)
{
    (void)device;
    return tensor->shape[0] * tensor->shape[1] * sizeof(float);
}

static void ref_release_matrix(struct cola_device *device, struct cola_matrix *matrix)
{
    (void)device;
    free(matrix);
}

static enum cola_status ref_load_matrix(struct cola_device *device, const struct cola_tensor *tensor,
                                        void *room, bool filled, struct cola_matrix **out)
{
    struct cola_matrix *matrix;
    COLA_TRY(cola_alloc((void **)&matrix, 1, sizeof *matrix, "weight"));
    size_t m = tensor->shape[0], k = tensor->shape[1];
    float *transposed = room;
    *matrix = (struct cola_matrix){.n_out = (uint32_t)m, .n_in = (uint32_t)k, .transposed = transposed};
    for (size_t i = 0; i < m && !filled; i++)
        for (size_t j = 0; j < k; j++) {
            float w = cola_tensor_at(tensor, i * k + j);
            transposed[j * m + i] = device->bf16 ? cola_round_bf16(w) : w;
        }
    cola_tensor_leave(tensor, 0, filled ? 0 : m * k);
    *out = matrix;
    return COLA_OK;
}

static size_t ref_row_floats(struct cola_device *device, uint32_t widest)
{
    (void)device, (void)widest;
    return 0;
}

static enum cola_status ref_embed(struct cola_device *device, const struct cola_tensor *table,
                                  const int32_t *token, uint32_t n_rows, float *out)
{
    (void)device;
    uint64_t width = table->shape[1];
    for (uint32_t i = 0; i < n_rows; i++)
        for (uint64_t j = 0; j < width; j++)
            out[i * width + j] = cola_tensor_at(table, (uint64_t)token[i] * width + j);
    return COLA_OK;
}

static enum cola_status ref_gather(struct cola_device *device, const float *in, const uint32_t *row,
                                   uint32_t n_rows, uint32_t width, float *out)
{
    (void)device;
    for (uint32_t i = 0; i < n_rows; i++)
        memcpy(out + (size_t)i * width, in + (size_t)row[i] * width, width * sizeof *out);
    return COLA_OK;
}

static enum cola_status ref_scatter(struct cola_device *device, const float *in, const uint32_t *row,
                                    uint32_t n_rows, uint32_t width, float *out)
{
    (void)device;
    for (uint32_t i = 0; i < n_rows; i++)
        memcpy(out + (size_t)row[i] * width, in + (size_t)i * width, width * sizeof *out);
    return COLA_OK;
}

static enum cola_status ref_norm(struct cola_device *device, const float *x, const float *weight, float eps,
                                 uint32_t n_rows, uint32_t width, float *out)
{
    (void)device;
    for (uint32_t n = 0; n < n_rows; n++, x += width, out += width) {
        float lane[COLA_LANES] = {0};
        for (uint32_t i = 0; i < width; i++) lane[i % COLA_LANES] = fmaf(x[i], x[i], lane[i % COLA_LANES]);
        float scale = 1.0f / sqrtf(cola_lane_sum(lane) / (float)width + eps);
        for (uint32_t i = 0; i < width; i++) out[i] = (x[i] * scale) * weight[i];
    }
    return COLA_OK;
}

/* sum [width] of x [k] times weight [k, stride]: "Product". */
static void sum_in_order(const float *x, size_t k, const float *weight, size_t stride, size_t width,
                         float *sum)
{
    for (size_t i = 0; i < k; i++, weight += stride)
        for (size_t j = 0; j < width; j++) sum[j] = fmaf(x[i], weight[j], sum[j]);
}

/* The same by pairs, "The bf16 mode": the odd k, then the even one; an odd K's last partner is zero. */
static void sum_pairs(const float *x, size_t k, const float *weight, size_t stride, size_t width, float *sum)
{
    for (size_t i = 0; i < k; i += 2, weight += 2 * stride)
        for (size_t j = 0; j < width; j++) {
            bool whole = i + 1 < k;
            float odd = cola_fma_flushed(whole ? x[i + 1] : 0.0f, whole ? weight[stride + j] : 0.0f, sum[j]);
            sum[j] = cola_fma_flushed(x[i], weight[j], odd);
        }
}

static void multiply(const float *x, uint32_t n_rows, const struct cola_matrix *matrix, bool bf16, bool add,
                     float *out)
{
    enum { BLOCK = 128 }; /* columns whose sums stay in registers or first-level cache */
    size_t m = matrix->n_out, k = matrix->n_in;
    for (size_t n = 0; n < n_rows; n++)
        for (size_t first = 0; first < m; first += BLOCK) {
            size_t width = m - first < BLOCK ? m - first : BLOCK;
            float sum[BLOCK] = {0};
            if (bf16)
                sum_pairs(x + n * k, k, matrix->transposed + first, m, width, sum);
            else
                sum_in_order(x + n * k, k, matrix->transposed + first, m, width, sum);
            float *to = out + n * m + first;
            for (size_t j = 0; j < width; j++) to[j] = add ? to[j] + sum[j] : sum[j];
        }
}

static enum cola_status ref_product(struct cola_device *device, const float *x, uint32_t n_rows,
                                    const struct cola_product *product, uint32_t n_products, bool add)
{
    size_t n = (size_t)n_rows * product[0].matrix->n_in;
    if (device->bf16) {
        COLA_TRY(
            cola_grow((void **)&device->rounded, &device->rounded_room, n, sizeof(float), "rounded rows"));
        for (size_t i = 0; i < n; i++) device->rounded[i] = cola_round_bf16(x[i]);
    }
    for (uint32_t p = 0; p < n_products; p++)
        multiply(device->bf16 ? device->rounded : x, n_rows, product[p].matrix, device->bf16, add,
                 product[p].out);
    return COLA_OK;
}

static enum cola_status ref_rotate(struct cola_device *device, float *x, const float *table,
                                   const uint32_t *position, uint32_t n_rows, uint32_t n_heads,
                                   uint32_t head_size)
{
    (void)device;
    uint32_t half = head_size / 2;
    for (uint32_t n = 0; n < n_rows; n++) {
        const float *cosine = table + (size_t)position[n] * head_size, *sine = cosine + half;
        for (uint32_t h = 0; h < n_heads; h++, x += head_size)
            for (uint32_t i = 0; i < half; i++) {
                float a = x[i], b = x[i + half];
                x[i] = fmaf(a, cosine[i], -(b * sine[i]));
                x[i + half] = fmaf(b, cosine[i], a * sine[i]);
            }
    }
    return COLA_OK;
}

/* A store is the rows of k for all its positions, then those of v. */
static size_t ref_store_floats(struct cola_device *device, uint32_t room, uint32_t n_kv_heads,
                               uint32_t head_size)
{
    (void)device;
    return 2 * (size_t)room * n_kv_heads * head_size;
}

static enum cola_status ref_store_keys(struct cola_device *device, const struct cola_kept_keys *kept,
                                       uint32_t n_kept, uint32_t n_kv_heads, uint32_t head_size)
{
    size_t width = (size_t)n_kv_heads * head_size;
    for (uint32_t i = 0; i < n_kept; i++, kept++) {
        COLA_TRY(ref_copy(device, kept->k, kept->n_rows * width, kept->store + kept->first * width));
        COLA_TRY(ref_copy(device, kept->v, kept->n_rows * width,
                          kept->store + (kept->room + kept->first) * width));
    }
    return COLA_OK;
}

/* Key or value row j of a span: first the prefix's, then the tail's. */
static const float *row_of(const struct cola_span *span, bool value, uint32_t j, size_t width)
{
    const struct cola_keys *keys = j < span->n_prefix ? &span->prefix : &span->tail;
    const float *v = keys->room ? keys->k + keys->room * width : keys->v;
    return (value ? v : keys->k) + (j < span->n_prefix ? j : j - span->n_prefix) * width;
}

/* One query row and head over n_keys keys. */
static void attend(const struct cola_attention *a, const struct cola_span *span, uint32_t query,
                   uint32_t head, uint32_t n_keys, float *score)
{
    uint32_t d = a->head_size, first = head / (a->n_heads / a->n_kv_heads) * d;
    size_t q_at = ((size_t)query * a->n_heads + head) * d, width = (size_t)a->n_kv_heads * d;
    float max = -INFINITY, lane[COLA_LANES] = {0};
    for (uint32_t j = 0; j < n_keys; j++) {
        const float *k = row_of(span, false, j, width) + first;
        float dot = 0;
        for (uint32_t i = 0; i < d; i++) dot = fmaf(a->q[q_at + i], k[i], dot);
        score[j] = dot * a->scale;
        max = score[j] > max ? score[j] : max;
    }
    for (uint32_t j = 0; j < n_keys; j++) {
        score[j] = cola_exp(score[j] - max);
        lane[j % COLA_LANES] = lane[j % COLA_LANES] + score[j];
    }
    float inverse = 1.0f / cola_lane_sum(lane);
    for (uint32_t i = 0; i < d; i++) {
        float sum = 0;
        for (uint32_t j = 0; j < n_keys; j++)
            sum = fmaf(score[j], row_of(span, true, j, width)[first + i], sum);
        a->out[q_at + i] = sum * inverse;
    }
}

static enum cola_status ref_attention(struct cola_device *device, const struct cola_attention *a)
{
    for (uint32_t s = 0; s < a->n_spans; s++) {
        const struct cola_span *span = &a->span[s];
        for (uint32_t r = 0; r < span->n_rows; r++) {
            uint32_t n_keys = span->n_prefix + span->n_first + r;
            COLA_TRY(cola_grow((void **)&device->score, &device->score_room, n_keys, sizeof(float),
                               "attention scores"));
            for (uint32_t head = 0; head < a->n_heads; head++)
                attend(a, span, span->first_row + r, head, n_keys, device->score);
        }
    }
    return COLA_OK;
}

static enum cola_status ref_clear(struct cola_device *device, size_t n, float *x)
{
    (void)device;
    memset(x, 0, n * sizeof *x);
    return COLA_OK;
}

static enum cola_status ref_add(struct cola_device *device, const float *y, size_t n, float *x)
{
    (void)device;
    for (size_t i = 0; i < n; i++) x[i] = x[i] + y[i];
    return COLA_OK;
}

static enum cola_status ref_add_bias(struct cola_device *device, const float *bias, uint32_t n_rows,
                                     uint32_t width, float *x)
{
    for (uint32_t n = 0; n < n_rows; n++) ref_add(device, bias, width, x + (size_t)n * width);
    return COLA_OK;
}

static enum cola_status ref_add_scaled(struct cola_device *device, const float *in, const float *scale,
                                       const uint32_t *row, uint32_t n_rows, uint32_t width, float *out)
{
    (void)device;
    for (uint32_t n = 0; n < n_rows; n++)
        for (uint32_t i = 0; i < width; i++) {
            float *to = &out[(size_t)row[n] * width + i];
            *to = fmaf(scale[n], in[(size_t)n * width + i], *to);
        }
    return COLA_OK;
}

static enum cola_status ref_route(struct cola_device *device, const float *logits, uint32_t n_rows,
                                  const struct cola_experts *experts, uint32_t *expert, float *weight)
{
    (void)device;
    for (uint32_t n = 0; n < n_rows; n++)
        cola_route(logits + (size_t)n * experts->n_experts, experts, expert + (size_t)n * experts->n_active,
                   weight + (size_t)n * experts->n_active);
    return COLA_OK;
}

static enum cola_status ref_gate(struct cola_device *device, const float *gate, const float *up,
                                 uint32_t n_rows, uint32_t width, float *out)
{
    (void)device;
    for (size_t i = 0; i < (size_t)n_rows * width; i++)
        out[i] = gate[i] / (1.0f + cola_exp(-gate[i])) * up[i];
    return COLA_OK;
}

static enum cola_status ref_reduce_logits(struct cola_device *device, const float *logits, uint32_t n_rows,
                                          uint32_t n_vocab, struct cola_logits *logit,
                                          const struct cola_pick *pick, uint32_t n_picks, float *picked)
{
    (void)device;
    for (uint32_t n = 0; n < n_rows; n++) {
        const float *x = logits + (size_t)n * n_vocab;
        float max = -INFINITY, lane[COLA_LANES] = {0};
        int32_t argmax = 0;
        for (uint32_t i = 0; i < n_vocab; i++)
            if (x[i] > max) max = x[i], argmax = (int32_t)i;
        for (uint32_t i = 0; i < n_vocab; i++)
            lane[i % COLA_LANES] = lane[i % COLA_LANES] + cola_exp(x[i] - max);
        logit[n] = (struct cola_logits){.max = max, .sum = cola_lane_sum(lane), .argmax = argmax};
    }
    for (uint32_t i = 0; i < n_picks; i++)
        picked[i] = logits[(size_t)pick[i].row * n_vocab + (size_t)pick[i].token];
    return COLA_OK;
}

const struct cola_backend cola_backend_ref = {
    .name = "ref",
    .open = ref_open,
    .close = ref_close,
    .describe = ref_describe,
    .numerics_id = ref_numerics_id,
    .allocate = ref_allocate,
    .release = ref_release,
    .upload = ref_copy,
    .download = ref_copy,
    .matrix_bytes = ref_matrix_bytes,
    .load_matrix = ref_load_matrix,
    .row_floats = ref_row_floats,
    .layout = ref_layout,
    .release_matrix = ref_release_matrix,
    .embed = ref_embed,
    .copy = ref_copy,
    .clear = ref_clear,
    .add = ref_add,
    .add_bias = ref_add_bias,
    .add_scaled = ref_add_scaled,
    .route = ref_route,
    .gather = ref_gather,
    .scatter = ref_scatter,
    .norm = ref_norm,
    .product = ref_product,
    .rotate = ref_rotate,
    .store_floats = ref_store_floats,
    .store_keys = ref_store_keys,
    .attention = ref_attention,
    .gate = ref_gate,
    .reduce_logits = ref_reduce_logits,
};

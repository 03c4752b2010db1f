/* route.cu - routing of rows to experts. docs/numerics.md, "Experts"; engine/route.c once more, a thread a
 * row: some hundred operations each, over as many rows as a batch has.
 *
 * The engine's table wants the choice on the host, since its plan calls expert by expert: so this waits for
 * the GPU once a layer with experts. */
#include <string.h>

#include "engine/cuda/device.h"
#include "engine/cuda/exact.cuh"

static constexpr unsigned THREADS = 64;

struct routing {
    uint32_t n_experts, n_active;
    bool normalise;
};

/* Of those not taken yet the largest, of equals the lower number; the first one left where none compares. */
static COLA_DEVICE uint32_t best_of(const float *logit, uint32_t n_experts, const uint32_t *taken,
                                    uint32_t n_taken)
{
    uint32_t best = n_experts;
    for (uint32_t e = 0; e < n_experts; e++) {
        bool is_taken = false;
        for (uint32_t i = 0; i < n_taken; i++) is_taken = is_taken || taken[i] == e;
        if (!is_taken && (best == n_experts || logit[e] > logit[best])) best = e;
    }
    return best;
}

/* max and lane sum of one row's exponentials */
static COLA_DEVICE float sum_of(const float *logit, uint32_t n, float max)
{
    float lane[COLA_LANES] = {0};
    for (uint32_t first = 0; first < n; first += COLA_LANES)
#pragma unroll
        for (uint32_t j = 0; j < COLA_LANES; j++)
            if (first + j < n) lane[j] = lane[j] + cola_device_exp(logit[first + j] - max);
#pragma unroll
    for (int width = COLA_LANES / 2; width >= 1; width /= 2)
#pragma unroll
        for (int j = 0; j < width; j++) lane[j] = lane[j] + lane[j + width];
    return lane[0];
}

/* logits [n_rows, E]; expert, weight [n_rows, n_active], ascending by number */
__global__ void route_rows(const float *logits, uint32_t n_rows, struct routing r, uint32_t *expert,
                           float *weight)
{
    uint32_t row = blockIdx.x * THREADS + threadIdx.x;
    if (row >= n_rows) return;
    const float *logit = logits + (size_t)row * r.n_experts;
    expert += (size_t)row * r.n_active;
    weight += (size_t)row * r.n_active;
    float max = COLA_MINUS_INF, total = 0;
    for (uint32_t e = 0; e < r.n_experts; e++) max = logit[e] > max ? logit[e] : max;
    float sum = sum_of(logit, r.n_experts, max);
    for (uint32_t i = 0; i < r.n_active; i++) {
        expert[i] = best_of(logit, r.n_experts, expert, i);
        weight[i] = __fdiv_rn(cola_device_exp(logit[expert[i]] - max), sum);
        total = total + weight[i];
    }
    for (uint32_t i = 0; i < r.n_active && r.normalise; i++) weight[i] = __fdiv_rn(weight[i], total);
    for (uint32_t i = 1; i < r.n_active; i++)
        for (uint32_t j = i; j > 0 && expert[j - 1] > expert[j]; j--) {
            uint32_t e = expert[j];
            float w = weight[j];
            expert[j] = expert[j - 1], weight[j] = weight[j - 1];
            expert[j - 1] = e, weight[j - 1] = w;
        }
}

extern "C" enum cola_status cola_cuda_route(struct cola_device *device, const float *logits, uint32_t n_rows,
                                            const struct cola_experts *x, uint32_t *expert, float *weight)
{
    struct routing r = {x->n_experts, x->n_active, x->normalise};
    size_t row_bytes = x->n_active * (sizeof *expert + sizeof *weight),
           most = COLA_CUDA_RESULT_BYTES / row_bytes;
    for (size_t first = 0; first < n_rows; first += most) {
        size_t n = n_rows - first < most ? n_rows - first : most, n_values = n * x->n_active;
        uint32_t *experts = (uint32_t *)device->result;
        float *weights = (float *)(experts + n_values);
        COLA_LAUNCH(route_rows, cola_blocks(n, THREADS), THREADS, 0, device->compute,
                    logits + first * x->n_experts, (uint32_t)n, r, experts, weights);
        COLA_TRY(COLA_LAUNCHED("route"));
        COLA_TRY(cola_cuda_fetch_result(device, n * row_bytes));
        memcpy(expert + first * x->n_active, device->result_host, n_values * sizeof *expert);
        memcpy(weight + first * x->n_active, device->result_host + n_values * sizeof *expert,
               n_values * sizeof *weight);
    }
    return COLA_OK;
}

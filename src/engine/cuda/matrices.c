/* matrices.c - weights onto the GPU, once: [M, K] as Hugging Face stores them, so that loading is copying.
 * bf16 keeps its 16 bits (half the memory, and half of what a product reads); f16 is widened here. */
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "engine/cuda/device.h"

static size_t element_bytes(const struct cola_tensor *tensor)
{
    return tensor->dtype == COLA_BF16 ? sizeof(uint16_t) : sizeof(float);
}

size_t cola_cuda_matrix_bytes(struct cola_device *device, const struct cola_tensor *tensor)
{
    size_t n_bytes = tensor->shape[0] * tensor->shape[1] * element_bytes(tensor);
    (void)device;
    return (n_bytes + COLA_CUDA_ALIGNMENT - 1) / COLA_CUDA_ALIGNMENT * COLA_CUDA_ALIGNMENT;
}

static enum cola_status send(struct cola_device *device, const struct cola_tensor *tensor, uint8_t *to)
{
    size_t each = element_bytes(tensor), chunk = COLA_CUDA_SEGMENT_BYTES / each;
    uint64_t n_elements = cola_tensor_n_elements(tensor);
    for (uint64_t at = 0; at < n_elements; at += chunk) {
        size_t n = n_elements - at < chunk ? n_elements - at : chunk;
        void *room;
        COLA_TRY(cola_cuda_stage_room(device, n * each, &room));
        if (tensor->dtype == COLA_BF16)
            memcpy(room, (const uint8_t *)tensor->data + at * each, n * each);
        else
            cola_tensor_widen(tensor, at, n, room);
        cola_tensor_leave(tensor, at, n);
        COLA_TRY(cola_cuda_stage_send(device, room, n * each, to + at * each, NULL));
    }
    return COLA_OK;
}

enum cola_status cola_cuda_load_matrix(struct cola_device *device, const struct cola_tensor *tensor,
                                       void *room, bool filled, struct cola_matrix **out)
{
    struct cola_matrix *matrix = NULL;
    void *weight = NULL;
    enum cola_status status = COLA_OK;
    (void)room, (void)filled;
    COLA_TRY_DONE(cola_alloc((void **)&matrix, 1, sizeof *matrix, "weight"));
    COLA_TRY_DONE(
        cola_cuda_allocate_bytes(device, cola_cuda_matrix_bytes(device, tensor), "a weight", &weight));
    COLA_TRY_DONE(send(device, tensor, weight));
    *matrix = (struct cola_matrix){.n_out = (uint32_t)tensor->shape[0],
                                   .n_in = (uint32_t)tensor->shape[1],
                                   .bf16 = tensor->dtype == COLA_BF16,
                                   .weight = weight};
    *out = matrix;
    return COLA_OK;
done:
    cola_cuda_release_bytes(device, weight);
    free(matrix);
    return status;
}

void cola_cuda_release_matrix(struct cola_device *device, struct cola_matrix *matrix)
{
    if (!matrix) return;
    cola_cuda_release_bytes(device, matrix->weight);
    free(matrix);
}

/* tensor.c - elements of a stored tensor as float: exact for each of the three dtypes.
 *
 * Place: called by engines that pack weights. Reads bytes by memcpy, since a safetensors file may put a
 * tensor at any byte. */
#include "cola/model.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct {
    const char *name; /* as safetensors spells it */
    uint32_t n_bytes;
} dtypes[COLA_N_DTYPES] = {[COLA_F32] = {"F32", 4}, [COLA_BF16] = {"BF16", 2}, [COLA_F16] = {"F16", 2}};

const char *cola_dtype_name(enum cola_dtype dtype)
{
    return dtypes[dtype].name;
}
uint32_t cola_dtype_bytes(enum cola_dtype dtype)
{
    return dtypes[dtype].n_bytes;
}

uint64_t cola_tensor_n_elements(const struct cola_tensor *tensor)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < tensor->n_dims; i++) n *= tensor->shape[i];
    return n;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* binary16: sign, 5 bits of exponent (bias 15), 10 of fraction. Subnormals are fraction * 2^-24, exact in
 * float; everything else moves to binary32's fields (bias 127). NaN keeps its payload. */
static float widen_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = (half >> 10) & 31, fraction = half & 0x3FF;
    if (exponent == 0) {
        float magnitude = (float)fraction * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    exponent = exponent == 31 ? 255 : exponent + 127 - 15;
    return float_of_bits(sign | exponent << 23 | fraction << 13);
}

void cola_tensor_widen(const struct cola_tensor *tensor, uint64_t first, uint64_t n, float *out)
{
    const char *from = (const char *)tensor->data + first * cola_dtype_bytes(tensor->dtype);
    if (tensor->dtype == COLA_F32) {
        memcpy(out, from, n * sizeof *out);
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof half);
        out[i] = tensor->dtype == COLA_BF16 ? float_of_bits((uint32_t)half << 16) : widen_f16(half);
    }
}

float cola_tensor_at(const struct cola_tensor *tensor, uint64_t i)
{
    float value;
    cola_tensor_widen(tensor, i, 1, &value);
    return value;
}

void cola_tensor_leave(const struct cola_tensor *tensor, uint64_t first, uint64_t n)
{
    uint64_t n_bytes = cola_dtype_bytes(tensor->dtype), page = (uint64_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)tensor->data + first * n_bytes, end = begin + n * n_bytes;
    if (!tensor->mapped || n == 0) return;
    begin -= begin % page;
    (void)!madvise((void *)begin, end - begin, MADV_DONTNEED); /* a failure leaves them here: no harm */
}

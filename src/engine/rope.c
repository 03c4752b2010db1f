/* rope.c - the rotary table, made once on the host for all back ends, so that no device computes a sine.
 *
 * inv_freq[i] = 1 / theta^(2i/d) in float as Hugging Face computes it, llama3 scaling applied per frequency
 * (transformers, modeling_rope_utils.py, _compute_llama3_parameters), the angle rounded to float, then sine
 * and cosine in double rounded to float. docs/numerics.md, "Rotary table". */
#include <stdlib.h>

#include "cola/exact_math.h"
#include "cola/memory.h"
#include "engine/state.h"

static float scale_llama3(const struct cola_rope *rope, float inv_freq)
{
    const float two_pi = 0x1.921fb6p+2f;
    float factor = (float)rope->factor, low = (float)rope->low_freq_factor,
          high = (float)rope->high_freq_factor;
    float original = (float)rope->original_max_positions, wavelength = two_pi / inv_freq;
    if (wavelength < original / high) return inv_freq;
    if (wavelength > original / low) return inv_freq / factor;
    float smooth = (original / wavelength - low) / (high - low);
    return (1 - smooth) * inv_freq / factor + smooth * inv_freq;
}

static float inverse_frequency(const struct cola_rope *rope, uint32_t i, uint32_t head_size)
{
    float exponent = (float)(2 * i) / (float)head_size;
    float power = (float)cola_exact_exp((double)exponent * cola_exact_log(rope->theta));
    float inv_freq = 1.0f / power;
    return rope->scaling == COLA_ROPE_LLAMA3 ? scale_llama3(rope, inv_freq) : inv_freq;
}

void cola_rope_table(const struct cola_model_config *config, uint32_t first, uint32_t n, float *table)
{
    uint32_t d = config->head_size, half = d / 2;
    for (uint32_t i = 0; i < half; i++) {
        float inv_freq = inverse_frequency(&config->rope, i, d);
        for (uint32_t p = 0; p < n; p++) {
            double sine, cosine;
            cola_exact_sincos((double)((float)(first + p) * inv_freq), &sine, &cosine);
            table[(size_t)p * d + i] = (float)cosine;
            table[(size_t)p * d + half + i] = (float)sine;
        }
    }
}

static uint32_t rounded_up(uint32_t n_positions)
{
    enum { STEP = 256 };
    return (n_positions + STEP - 1) / STEP * STEP;
}

uint64_t cola_rope_bytes(const struct cola_engine *e, uint32_t n_positions)
{
    return (uint64_t)rounded_up(n_positions) * e->config->head_size * sizeof(float);
}

uint64_t cola_rope_growth(const struct cola_engine *e, uint32_t n_positions)
{
    return n_positions > e->n_positions ? cola_rope_bytes(e, n_positions) : 0;
}

void cola_rope_release(struct cola_engine *e)
{
    cola_memory_release(e, e->rope, (size_t)e->n_positions * e->config->head_size);
    e->rope = NULL;
    e->n_positions = 0;
}

enum cola_status cola_rope_cover(struct cola_engine *e, uint32_t n_positions)
{
    if (n_positions <= e->n_positions) return COLA_OK;
    uint32_t n = rounded_up(n_positions);
    size_t n_floats = (size_t)n * e->config->head_size;
    float *host = NULL, *device = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&host, n_floats, sizeof *host, "rotary table"));
    cola_rope_table(e->config, 0, n, host);
    COLA_TRY_DONE(cola_memory_allocate(e, n_floats, "rotary table", &device));
    COLA_TRY_DONE(e->backend->upload(e->device, host, n_floats, device));
    cola_rope_release(e);
    e->rope = device;
    device = NULL;
    e->n_positions = n;
done:
    cola_memory_release(e, device, n_floats);
    free(host);
    return status;
}

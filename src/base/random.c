/* random.c - Philox4x32-10 as a keyed function; see random.h. Pure: no state outside the caller's struct. */
#include "cola/random.h"

void cola_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u; /* the golden ratio and sqrt 3 - 1: the Weyl constants of the paper */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

struct cola_random cola_random_keyed(uint64_t seed, uint64_t sample, enum cola_stream stream)
{
    return (struct cola_random){.seed = seed, .sample = sample, .draw = 0, .stream = (uint32_t)stream};
}

/* Counter words: draw (low), draw (high 16) | stream, sample (low, high). 2^48 draws a stream are plenty. */
uint64_t cola_random_bits(struct cola_random *r)
{
    uint32_t key[2] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32)}, out[4];
    uint32_t counter[4] = {(uint32_t)r->draw, (uint32_t)((r->draw >> 32) & 0xFFFF) | r->stream << 16,
                           (uint32_t)r->sample, (uint32_t)(r->sample >> 32)};
    cola_philox(counter, key, out);
    r->draw++;
    return (uint64_t)out[1] << 32 | out[0];
}

double cola_random_uniform(struct cola_random *r)
{
    return (double)(cola_random_bits(r) >> 11) * 0x1p-53;
}

uint64_t cola_random_below(struct cola_random *r, uint64_t n)
{
    for (;;) {
        unsigned __int128 product = (unsigned __int128)cola_random_bits(r) * n;
        if ((uint64_t)product >= (0 - n) % n) return (uint64_t)(product >> 64);
    }
}

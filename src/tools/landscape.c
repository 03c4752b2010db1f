/* landscape.c - see landscape.h. Normal numbers by Box and Muller's formula from two keyed uniforms: layer l
 * of a sample has draws 2 l and 2 l + 1, the sample itself those of layer L, a chain those that its hash
 * names. */
#include "tools/landscape.h"

#include <assert.h>
#include <math.h>

#include "cola/random.h"

static const double TWO_PI = 6.283185307179586;
static const uint64_t CHAIN_DRAWS = 1 << 16,
                      CHAIN_PLACES = (uint64_t)1 << 45; /* behind those of all layers */

static double normal(const struct landscape *landscape, uint32_t sample, uint64_t draw)
{
    struct cola_random random = cola_random_keyed(landscape->synthetic.seed, sample, COLA_STREAM_SYNTHETIC);
    random.draw = draw;
    double u = 1 - cola_random_uniform(&random), v = cola_random_uniform(&random);
    return sqrt(-2 * log(u)) * cos(TWO_PI * v);
}

/* The mark that a normal number is above with this probability, by halving. */
static double bound_of(double right)
{
    double low = -40, high = 40;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (0.5 * erfc(middle / sqrt(2)) > right)
            low = middle;
        else
            high = middle;
    }
    return high;
}

enum cola_status landscape_by_layers(struct landscape *landscape, double right, double alike)
{
    if (!(right >= 0 && right <= 1))
        return cola_fail(COLA_ERR_USAGE, "right is %g, expected a share of the chains, 0 .. 1", right);
    if (!(alike >= 0 && alike <= 1)) return cola_fail(COLA_ERR_USAGE, "alike is %g, expected 0 .. 1", alike);
    landscape->by_layers = true;
    landscape->alike = alike;
    landscape->bound = bound_of(right);
    return COLA_OK;
}

static double common_part(const struct landscape *landscape, uint32_t sample, const struct cola_chain *chain)
{
    int count[COLA_LAYERS_MAX] = {0};
    double sum = normal(landscape, sample, 2 * (uint64_t)landscape->synthetic.n_layers), squares = 1;
    for (uint32_t i = 0; i < chain->n_layers; i++) count[chain->layer[i]]++;
    for (uint32_t l = 0; l < landscape->synthetic.n_layers; l++) {
        double more = count[l] - 1;
        if (more == 0) continue;
        sum += more * normal(landscape, sample, 2 * (uint64_t)l);
        squares += more * more;
    }
    return sum / sqrt(squares);
}

static bool is_right(const struct landscape *landscape, uint32_t sample, const struct cola_chain *chain)
{
    double mark = sqrt(1 - landscape->alike) *
                  normal(landscape, sample, CHAIN_DRAWS + cola_chain_hash(chain) % CHAIN_PLACES);
    if (landscape->alike > 0) mark += sqrt(landscape->alike) * common_part(landscape, sample, chain);
    return mark > landscape->bound;
}

struct workers_evaluation landscape_evaluate(const void *user, uint32_t sample,
                                             const struct cola_chain *chain)
{
    const struct landscape *landscape = user;
    bool right = landscape->by_layers ? is_right(landscape, sample, chain)
                                      : cola_synthetic_is_right(&landscape->synthetic, sample, chain);
    return (struct workers_evaluation){
        .reward = right, .latency_s = cola_synthetic_latency(&landscape->synthetic, sample, chain)};
}

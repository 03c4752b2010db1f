/* synthetic.c - the landscape and the times behind synthetic.h: keyed random numbers, no state.
 *
 * A sample has a few draws of its own (whether the base chain is right, whether a chain is planted and which
 * one); a chain has its own from a place that its hash gives. Chains of a sample whose base is right are
 * often right, others seldom, as with models: so searches have something to climb and guesses ahead are right
 * about as often as they are there. docs/search.md, "Without a model", says the same for readers. */
#include "cola/synthetic.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cola/random.h"

static const double BASE_SHARE = 0.4; /* of the samples: the base chain is right (a small model, ARC-Easy) */
static const double RIGHT_BESIDE = 0.5;  /* of the chains of such a sample */
static const double RIGHT_SELDOM = 0.02; /* of the chains of the others */

/* The draws of a sample by number; those of chains lie from 2^46 on, two or more after their place. */
enum { DRAW_BASE = 0, DRAW_PLANTED = 1, DRAW_EDITS = 2 };
static const uint64_t CHAIN_DRAWS = (uint64_t)1 << 46, LATENCY_DRAWS = (uint64_t)3 << 46;

static double draw_at(const struct cola_synthetic *s, uint32_t sample, uint64_t draw)
{
    struct cola_random r = cola_random_keyed(s->seed, sample, COLA_STREAM_SYNTHETIC);
    r.draw = draw;
    return cola_random_uniform(&r);
}

static struct cola_random draws_of_chain(const struct cola_synthetic *s, uint32_t sample, uint64_t first,
                                         const struct cola_chain *chain)
{
    struct cola_random r = cola_random_keyed(s->seed, sample, COLA_STREAM_SYNTHETIC);
    r.draw = first + (cola_chain_hash(chain) >> 18); /* 46 bits */
    return r;
}

static bool is_base(const struct cola_synthetic *s, const struct cola_chain *chain)
{
    if (chain->n_layers != s->n_layers) return false;
    for (uint32_t i = 0; i < chain->n_layers; i++)
        if (chain->layer[i] != i) return false;
    return true;
}

/* One edit of a block of 1 or 2 positions; the chain stays as it is where the edit does not fit. */
static void edit_once(const struct cola_synthetic *s, struct cola_random *r, cola_layer *room,
                      struct cola_chain *chain)
{
    cola_layer child_room[COLA_CHAIN_MAX(COLA_LAYERS_MAX)];
    struct cola_chain child;
    struct cola_edit edit = {.block = (uint8_t)(1 + cola_random_below(r, 2)), .times = 0};
    bool skip = cola_random_below(r, 2) == 0;
    edit.kind = skip ? COLA_EDIT_SKIP : COLA_EDIT_REPEAT;
    edit.times = skip ? 0 : 1;
    edit.position = (uint16_t)cola_random_below(r, chain->n_layers);
    if (!cola_chain_edit(chain, &edit, s->n_layers, (s->n_layers + 1) / 2, 2 * s->n_layers, child_room,
                         &child))
        return;
    memcpy(room, child.layer, child.n_layers * sizeof *room);
    *chain = (struct cola_chain){room, child.n_layers};
}

bool cola_synthetic_optimum(const struct cola_synthetic *s, uint32_t sample, cola_layer *room,
                            struct cola_chain *out)
{
    enum { MOST_TRIES = 32 }; /* a repeat and a skip may undo each other, or not fit a model of one layer */
    if (draw_at(s, sample, DRAW_PLANTED) >= s->optima) return false;
    struct cola_random r = cola_random_keyed(s->seed, sample, COLA_STREAM_SYNTHETIC);
    r.draw = DRAW_EDITS;
    for (int i = 0; i < MOST_TRIES; i++) {
        struct cola_chain chain = cola_chain_base(s->n_layers, room);
        uint64_t n_edits = 1 + cola_random_below(&r, 3);
        for (uint64_t e = 0; e < n_edits; e++) edit_once(s, &r, room, &chain);
        if (is_base(s, &chain)) continue;
        *out = chain;
        return true;
    }
    return false;
}

static bool is_planted(const struct cola_synthetic *s, uint32_t sample, const struct cola_chain *chain)
{
    cola_layer room[COLA_CHAIN_MAX(COLA_LAYERS_MAX)];
    struct cola_chain planted;
    return cola_synthetic_optimum(s, sample, room, &planted) && cola_chain_equal(&planted, chain);
}

bool cola_synthetic_is_right(const struct cola_synthetic *s, uint32_t sample, const struct cola_chain *chain)
{
    bool base_right = draw_at(s, sample, DRAW_BASE) < BASE_SHARE;
    if (is_base(s, chain)) return base_right;
    struct cola_random r = draws_of_chain(s, sample, CHAIN_DRAWS, chain);
    return cola_random_uniform(&r) < (base_right ? RIGHT_BESIDE : RIGHT_SELDOM) ||
           is_planted(s, sample, chain);
}

uint32_t cola_synthetic_score(const struct cola_synthetic *s, uint32_t sample, const struct cola_chain *chain,
                              uint32_t gold, uint32_t n_candidates, float *score)
{
    struct cola_random r = draws_of_chain(s, sample, CHAIN_DRAWS, chain);
    uint32_t best = gold;
    r.draw++; /* the first one says right or wrong */
    if (n_candidates > 1 && !cola_synthetic_is_right(s, sample, chain))
        best = (gold + 1 + (uint32_t)cola_random_below(&r, n_candidates - 1)) % n_candidates;
    for (uint32_t i = 0; i < n_candidates; i++)
        score[i] = (float)(-8.0 * cola_random_uniform(&r) - (i == best ? 1.0 : 10.0));
    return best;
}

double cola_synthetic_latency(const struct cola_synthetic *s, uint32_t sample, const struct cola_chain *chain)
{
    if (s->latency_s <= 0 || s->spread <= 0) return s->latency_s > 0 ? s->latency_s : 0;
    /* Of a log-normal with mean m and deviation S m: sigma^2 = ln(1 + S^2), mu = ln m - sigma^2 / 2. The
     * normal number is Box and Muller's, of 1 - u > 0. */
    struct cola_random r = draws_of_chain(s, sample, LATENCY_DRAWS, chain);
    double variance = log(1 + s->spread * s->spread), u = cola_random_uniform(&r),
           v = cola_random_uniform(&r);
    double normal = sqrt(-2 * log(1 - u)) * cos(2 * 3.14159265358979323846 * v);
    return s->latency_s * exp(sqrt(variance) * normal - variance / 2);
}

void cola_synthetic_fingerprint(const struct cola_synthetic *s, char text[COLA_HASH_TEXT])
{
    uint64_t key[3] = {s->seed, s->n_layers, 0};
    memcpy(&key[2], &s->optima, sizeof s->optima);
    snprintf(text, COLA_HASH_TEXT, "synthetic:%016llx", (unsigned long long)cola_hash64(key, sizeof key));
}

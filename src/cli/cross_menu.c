/* cross_menu.c - see cross_menu.h: one set of samples a chain, as bits. Knows no files. */
#include "cli/cross_menu.h"

#include <stdlib.h>

#include "cola/memory.h"

enum cola_status cola_menu_init(struct cola_menu *menu, uint32_t n_samples, uint32_t n_chains,
                                const uint32_t *n_layers)
{
    *menu = (struct cola_menu){
        .n_samples = n_samples, .n_chains = n_chains, .n_words = n_samples / 64 + 1, .n_layers = n_layers};
    COLA_TRY(cola_alloc((void **)&menu->bits, (size_t)n_chains * menu->n_words, sizeof *menu->bits, "menu"));
    enum cola_status status = cola_alloc((void **)&menu->n_right, n_chains, sizeof *menu->n_right, "menu");
    if (status != COLA_OK) cola_menu_fini(menu);
    return status;
}

void cola_menu_fini(struct cola_menu *menu)
{
    free(menu->bits);
    free(menu->n_right);
    free(menu->by_rank);
    *menu = (struct cola_menu){0};
}

void cola_menu_set(struct cola_menu *menu, uint32_t sample, uint32_t chain)
{
    menu->bits[(size_t)chain * menu->n_words + sample / 64] |= (uint64_t)1 << sample % 64;
    menu->n_right[chain]++;
}

static int by_rank(const void *pa, const void *pb, void *user)
{
    const struct cola_menu *menu = user;
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    if (menu->n_right[a] != menu->n_right[b]) return menu->n_right[a] > menu->n_right[b] ? -1 : 1;
    if (menu->n_layers[a] != menu->n_layers[b]) return menu->n_layers[a] < menu->n_layers[b] ? -1 : 1;
    return (a > b) - (a < b);
}

enum cola_status cola_menu_rank(struct cola_menu *menu, const uint32_t **out)
{
    if (!menu->by_rank) {
        COLA_TRY(cola_alloc((void **)&menu->by_rank, menu->n_chains, sizeof *menu->by_rank, "menu"));
        for (uint32_t i = 0; i < menu->n_chains; i++) menu->by_rank[i] = i;
        qsort_r(menu->by_rank, menu->n_chains, sizeof *menu->by_rank, by_rank, menu);
    }
    *out = menu->by_rank;
    return COLA_OK;
}

/* Samples of the chain that are not covered. */
static uint32_t gain(const struct cola_menu *menu, uint32_t chain, const uint64_t *covered)
{
    const uint64_t *bits = menu->bits + (size_t)chain * menu->n_words;
    uint32_t n = 0;
    for (uint32_t i = 0; i < menu->n_words; i++) n += (uint32_t)__builtin_popcountll(bits[i] & ~covered[i]);
    return n;
}

static void cover(const struct cola_menu *menu, uint32_t chain, uint64_t *covered)
{
    const uint64_t *bits = menu->bits + (size_t)chain * menu->n_words;
    for (uint32_t i = 0; i < menu->n_words; i++) covered[i] |= bits[i];
}

enum cola_status cola_menu_ranked(struct cola_menu *menu, uint32_t most, uint32_t *chosen, uint32_t *covered,
                                  uint32_t *n)
{
    const uint32_t *rank;
    uint64_t *seen;
    uint32_t n_covered = 0, k = 0;
    COLA_TRY(cola_menu_rank(menu, &rank));
    COLA_TRY(cola_alloc((void **)&seen, menu->n_words, sizeof *seen, "menu"));
    for (; k < most && k < menu->n_chains; k++) {
        n_covered += gain(menu, rank[k], seen);
        cover(menu, rank[k], seen);
        chosen[k] = rank[k];
        covered[k] = n_covered;
    }
    free(seen);
    *n = k;
    return COLA_OK;
}

enum cola_status cola_menu_greedy(struct cola_menu *menu, uint32_t most, uint32_t *chosen, uint32_t *covered,
                                  uint32_t *n)
{
    const uint32_t *rank;
    uint64_t *seen;
    uint32_t n_covered = 0, k = 0;
    COLA_TRY(cola_menu_rank(menu, &rank));
    COLA_TRY(cola_alloc((void **)&seen, menu->n_words, sizeof *seen, "menu"));
    for (; k < most; k++) {
        uint32_t best = 0, most_gain = 0;
        for (uint32_t i = 0; i < menu->n_chains && menu->n_right[rank[i]] > most_gain; i++) {
            uint32_t g = gain(menu, rank[i], seen); /* at most its n_right, which only falls from here */
            if (g > most_gain) best = rank[i], most_gain = g;
        }
        if (most_gain == 0) break;
        n_covered += most_gain;
        cover(menu, best, seen);
        chosen[k] = best;
        covered[k] = n_covered;
    }
    free(seen);
    *n = k;
    return COLA_OK;
}

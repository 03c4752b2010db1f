/* cross_menu.h - few chains for all samples, from a table of which chain is right where.
 *
 *     struct cola_menu menu = {0};
 *     COLA_TRY(cola_menu_init(&menu, n_samples, n_chains, n_layers));
 *     cola_menu_set(&menu, sample, chain);                         right there
 *     n = cola_menu_ranked(&menu, 100, chosen, covered);           the chains that are right most often
 *     n = cola_menu_greedy(&menu, 100, chosen, covered);           each time the one that adds most
 *     cola_menu_fini(&menu);
 *
 * covered[k]: samples for which at least one of the first k + 1 chains is right. Memory: a bit a cell. */
#ifndef COLA_CLI_CROSS_MENU_H
#define COLA_CLI_CROSS_MENU_H

#include <stdbool.h>
#include <stdint.h>

#include "cola/status.h"

struct cola_menu {
    uint32_t n_samples, n_chains, n_words;
    const uint32_t *n_layers; /* [n_chains] borrowed */
    uint64_t *bits;           /* [n_chains, n_words] */
    uint32_t *n_right;        /* [n_chains] */
    uint32_t *by_rank;        /* [n_chains] NULL: not asked yet */
};

enum cola_status cola_menu_init(struct cola_menu *menu, uint32_t n_samples, uint32_t n_chains,
                                const uint32_t *n_layers);
void cola_menu_fini(struct cola_menu *menu);
void cola_menu_set(struct cola_menu *menu, uint32_t sample, uint32_t chain); /* each cell once at most */

/* Chains by how many samples they are right for; of equals the one with fewer layers, then the lower number.
 * Borrowed; after the last set. */
enum cola_status cola_menu_rank(struct cola_menu *menu, const uint32_t **by_rank);

/* The first `most` of these, or all; chosen and covered are [most]. Their number. */
enum cola_status cola_menu_ranked(struct cola_menu *menu, uint32_t most, uint32_t *chosen, uint32_t *covered,
                                  uint32_t *n);
/* Each time the chain that is right for most samples that no chosen one is right for; of equals the one of
 * better rank. Ends when nothing can be added. */
enum cola_status cola_menu_greedy(struct cola_menu *menu, uint32_t most, uint32_t *chosen, uint32_t *covered,
                                  uint32_t *n);

#endif

/* cross_top_hdf5.c - the chains of a run, ranked by the samples that they answer right; see cross_chains.h.
 */
#include <stdlib.h>

#include "cli/cross_chains.h"
#include "cola/memory.h"
#include "cola/record.h"

struct ranked {
    uint32_t chain, n_layers;
    uint64_t n_right;
};

static int by_rank(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    if (a->n_right != b->n_right) return a->n_right > b->n_right ? -1 : 1;
    if (a->n_layers != b->n_layers) return a->n_layers < b->n_layers ? -1 : 1;
    return (a->chain > b->chain) - (a->chain < b->chain);
}

static enum cola_status collect(const struct cola_run *run, struct cola_chain_set *all)
{
    for (uint64_t i = 0; i < cola_run_n_chains(run); i++) {
        struct cola_run_chain chain;
        cola_run_chain(run, i, &chain);
        COLA_TRY(cola_chain_set_add(all, &chain.node.chain));
    }
    return cola_chain_set_seal(all);
}

/* A sample visits a chain once, so its rows count samples. */
static bool count(const struct cola_run *run, const struct cola_chain_set *all, struct ranked *ranked)
{
    bool any = false;
    for (uint32_t i = 0; i < cola_run_n_samples(run); i++) {
        struct cola_run_sample sample;
        cola_run_sample(run, i, &sample);
        if (sample.gold < 0 || sample.target != sample.gold) continue;
        any = true;
        for (uint64_t row = 0; row < sample.n_chains; row++) {
            struct cola_run_chain chain;
            uint32_t number;
            cola_run_chain(run, sample.first_chain + row, &chain);
            if (chain.node.prediction == sample.gold && cola_chain_set_find(all, &chain.node.chain, &number))
                ranked[number].n_right++;
        }
    }
    return any;
}

static enum cola_status rank(const struct cola_run *run, const char *path, uint64_t top,
                             const struct cola_chain_set *all, struct cola_chain_set *out)
{
    struct ranked *ranked;
    COLA_TRY(cola_alloc((void **)&ranked, all->n, sizeof *ranked, "chains"));
    for (uint32_t i = 0; i < all->n; i++)
        ranked[i] = (struct ranked){.chain = i, .n_layers = cola_chain_set_get(all, i).n_layers};
    enum cola_status status = COLA_OK;
    if (!count(run, all, ranked))
        status = cola_fail(COLA_ERR_USAGE, "--from %s: a control, or without right answers: nothing is right",
                           path);
    qsort(ranked, all->n, sizeof *ranked, by_rank);
    for (uint32_t i = 0; status == COLA_OK && i < all->n && (top == 0 || i < top); i++) {
        struct cola_chain chain = cola_chain_set_get(all, ranked[i].chain);
        status = cola_chain_set_add(out, &chain);
    }
    free(ranked);
    return status == COLA_OK ? cola_chain_set_seal(out) : status;
}

enum cola_status cola_cross_chains_top(const char *run_path, uint64_t top, struct cola_chain_set *out)
{
    struct cola_chain_set all = {0}, chosen = {0};
    struct cola_run *run;
    COLA_TRY(cola_run_open(run_path, &run));
    enum cola_status status = collect(run, &all);
    if (status == COLA_OK && all.n == 0)
        status = cola_fail(COLA_ERR_INPUT, "--from %s: no chain was evaluated", run_path);
    if (status == COLA_OK) status = rank(run, run_path, top, &all, &chosen);
    if (status == COLA_OK)
        *out = chosen;
    else
        cola_chain_set_fini(&chosen);
    cola_chain_set_fini(&all);
    cola_run_close(run);
    return status;
}

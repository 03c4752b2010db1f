/* show_summary_hdf5.c - what a run's numbers say: shares over finished samples, and which chains of a sample
 * to show. Prints nothing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cola/memory.h"

void cola_show_wilson(struct cola_show_share share, double *low, double *high)
{
    const double z = 1.959963984540054; /* the normal quantile of 0.975 */
    double n = (double)share.n, p = (double)share.k / n, z2 = z * z;
    double middle = p + z2 / (2 * n), spread = z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)),
           scale = 1 + z2 / n;
    *low = fmax(0, (middle - spread) / scale);
    *high = fmin(1, (middle + spread) / scale);
}

void cola_show_find(const struct cola_run *run, const struct cola_run_sample *sample,
                    struct cola_show_found *out)
{
    *out = (struct cola_show_found){.base_prediction = -1};
    for (uint64_t i = 0; i < sample->n_chains; i++) {
        struct cola_run_chain chain;
        cola_run_chain(run, sample->first_chain + i, &chain);
        bool hits = sample->target >= 0 && chain.node.prediction == sample->target;
        if (i == 0) {
            out->base_prediction = chain.node.prediction;
            out->base_layers = chain.node.chain.n_layers;
            out->base_hits = hits;
        }
        if (!hits) continue;
        out->n_hits++;
        if (out->shortest == 0 || chain.node.chain.n_layers < out->shortest) {
            out->shortest = chain.node.chain.n_layers;
            out->shortest_row = sample->first_chain + i;
        }
    }
}

/* Without choices a control's predictions say nothing of gold: only whether the target was given. */
static void count(struct cola_show_summary *s, const struct cola_run_sample *sample,
                  const struct cola_show_found *found, bool by_row)
{
    bool hit = found->n_hits > 0;
    if (sample->gold >= 0 && (!by_row || sample->target == sample->gold)) {
        s->base_right.n++;
        s->base_right.k += found->base_prediction == sample->gold;
    }
    if (sample->target < 0) return;
    s->hit.n++;
    s->hit.k += hit;
    if (hit) s->mean_shortest += found->shortest;
    if (found->base_hits) {
        s->shorter.n++;
        s->shorter.k += found->shortest < found->base_layers;
    } else {
        s->found.n++;
        s->found.k += hit;
    }
}

void cola_show_summarise(const struct cola_run *run, struct cola_show_summary *out)
{
    struct cola_show_summary s = {.n_samples = cola_run_n_samples(run), .n_chains = cola_run_n_chains(run)};
    for (uint32_t i = 0; i < s.n_samples; i++) {
        struct cola_run_sample sample;
        struct cola_show_found found;
        cola_run_sample(run, i, &sample);
        s.n_begun += sample.n_chains > 0;
        s.n_finished += sample.finished;
        if (sample.n_chains == 0) continue;
        cola_show_find(run, &sample, &found);
        s.n_layers_base = found.base_layers;
        if (sample.finished) count(&s, &sample, &found, cola_run_by_row(run));
    }
    if (s.hit.k) s.mean_shortest /= (double)s.hit.k;
    *out = s;
}

struct ranked {
    uint64_t row;
    uint32_t n_layers;
    bool on_front;
};

/* The front first, longest (the best reward) before shortest; then hits, shortest first; older before
 * younger. */
static int by_rank(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    if (a->on_front != b->on_front) return a->on_front ? -1 : 1;
    if (a->n_layers != b->n_layers) return (a->n_layers < b->n_layers) == a->on_front ? 1 : -1;
    return a->row < b->row ? -1 : 1;
}

enum cola_status cola_show_rows(const struct cola_run *run, const struct cola_run_sample *sample,
                                uint64_t limit, uint64_t **rows, uint64_t *n_front, uint64_t *n)
{
    struct ranked *ranked = NULL;
    uint64_t *out = NULL, n_ranked = 0, n_on_front = 0;
    COLA_TRY(cola_alloc((void **)&ranked, sample->n_chains, sizeof *ranked, "chains"));
    for (uint64_t i = 0; i < sample->n_chains; i++) {
        struct cola_run_chain chain;
        cola_run_chain(run, sample->first_chain + i, &chain);
        if (!chain.on_front && !(chain.node.reward > 0)) continue;
        ranked[n_ranked++] =
            (struct ranked){sample->first_chain + i, chain.node.chain.n_layers, chain.on_front};
        n_on_front += chain.on_front;
    }
    qsort(ranked, n_ranked, sizeof *ranked, by_rank);
    if (n_ranked > n_on_front + limit) n_ranked = n_on_front + limit;
    enum cola_status status = cola_alloc((void **)&out, n_ranked, sizeof *out, "chains");
    for (uint64_t i = 0; status == COLA_OK && i < n_ranked; i++) out[i] = ranked[i].row;
    free(ranked);
    if (status != COLA_OK) return status;
    *rows = out;
    *n_front = n_on_front;
    *n = n_ranked;
    return COLA_OK;
}

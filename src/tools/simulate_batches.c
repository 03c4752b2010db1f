/* simulate_batches.c - which layer should an engine execute next? Policies compared without a model: 40
 * samples in flight, each a search of preset `cola` on made-up rewards; a job is a prompt's pass and one pass
 * of one row a generated token; a layer call over N rows costs max(N x row, weights) + call, the head
 * likewise. What src/engine/plan.c does is the policy "rows, head 1/2".
 *
 *     simulate_batches [PROMPT [NEW_TOKENS [ROW_us [WEIGHTS_us]]]]
 *
 * The defaults of the costs: a layer of SmolLM2 is 7.08 MFLOP a row, at 208 GFLOP/s 34 us; its weights
 * are 7.1 MB of bf16, at 25 GB/s 280 us; the head is 8 layers. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/random.h"
#include "cola/search.h"

enum { N_JOBS = 40, N_LAYERS = 30, MAX_ROWS = 512, HEAD = N_LAYERS, HEAD_LAYERS = 8, N_SIMULATIONS = 20 };

struct costs {
    double row_us, weights_us, call_us;
};

struct job {
    struct cola_search *search;
    uint32_t ticket;
    cola_layer chain[4 * N_LAYERS];
    uint32_t n_layers, at, n_rows, n_passes;
    uint64_t since;
    bool done;
};

struct waiting { /* by layer */
    uint32_t rows[N_LAYERS + 1], jobs[N_LAYERS + 1];
};

struct state {
    struct job job[N_JOBS];
    struct cola_random random;
    uint32_t n_prompt, n_new, n_left;
    uint64_t n_evaluations, n_calls, n_rows, step;
    double time_us, least_us;
};

/* A layer's claim to be next; the largest wins. */
typedef double policy_fn(const struct waiting *w, uint32_t layer, uint32_t last);

static double by_rows(const struct waiting *w, uint32_t layer, uint32_t last)
{
    (void)last;
    return w->rows[layer];
}
static double by_rows_head_half(const struct waiting *w, uint32_t layer, uint32_t last)
{
    (void)last;
    return layer == HEAD ? w->rows[layer] / 2.0 : w->rows[layer];
}
static double by_rows_head_eighth(const struct waiting *w, uint32_t layer, uint32_t last)
{
    (void)last;
    return layer == HEAD ? w->rows[layer] / 8.0 : w->rows[layer];
}
static double by_jobs(const struct waiting *w, uint32_t layer, uint32_t last)
{
    (void)last;
    return w->jobs[layer];
}
static double in_turn(const struct waiting *w, uint32_t layer, uint32_t last)
{
    (void)w;
    return N_LAYERS + 1 - (layer + N_LAYERS - last) % (N_LAYERS + 1);
}
static double lowest_first(const struct waiting *w, uint32_t layer, uint32_t last)
{
    (void)w, (void)last;
    return HEAD + 1 - layer;
}

static uint32_t layer_of(const struct job *job)
{
    return job->at < job->n_layers ? job->chain[job->at] : HEAD;
}

static void begin(struct state *s, struct job *job)
{
    struct cola_chain chain;
    if (cola_search_ask(job->search, &job->ticket, &chain) != COLA_ASK_CHAIN) {
        job->done = true;
        s->n_left--;
        return;
    }
    memcpy(job->chain, chain.layer, chain.n_layers * sizeof *job->chain);
    job->n_layers = chain.n_layers;
    job->at =
        cola_search_n_nodes(job->search) ? chain.n_layers * 43 / 100 : 0; /* shared with earlier chains */
    job->n_rows = (uint32_t)(s->n_prompt * (0.75 + 0.5 * cola_random_uniform(&s->random)));
    job->n_passes = 1 + (uint32_t)(s->n_new * (0.6 + 0.4 * cola_random_uniform(&s->random)));
}

static void end_pass(struct state *s, struct job *job, uint32_t number)
{
    if (--job->n_passes) {
        job->at = 0;
        job->n_rows = 1;
        return;
    }
    struct cola_verdict verdict = {.reward = cola_random_uniform(&s->random) < (number % 3 ? 0.5 : 0.05)};
    cola_search_tell(job->search, job->ticket, &verdict);
    s->n_evaluations++;
    begin(s, job);
}

static uint32_t choose(const struct state *s, policy_fn *claim, uint32_t last)
{
    struct waiting w = {0};
    uint32_t best = HEAD + 1;
    const struct job *oldest = NULL;
    for (uint32_t i = 0; i < N_JOBS; i++) {
        const struct job *job = &s->job[i];
        if (job->done) continue;
        w.rows[layer_of(job)] += layer_of(job) == HEAD ? 1 : job->n_rows;
        w.jobs[layer_of(job)]++;
        if (!oldest || job->since < oldest->since) oldest = job;
    }
    if (s->step - oldest->since > 4 * N_LAYERS) return layer_of(oldest);
    for (uint32_t l = 0; l <= HEAD; l++)
        if (w.jobs[l] && (best > HEAD || claim(&w, l, last) > claim(&w, best, last))) best = l;
    return best;
}

static void charge(struct state *s, const struct costs *c, uint32_t layer, uint32_t n_rows)
{
    double layers = layer == HEAD ? HEAD_LAYERS : 1;
    double work = n_rows * c->row_us * layers, weights = c->weights_us * layers;
    s->time_us += (work > weights ? work : weights) + c->call_us;
    s->least_us += work;
    if (layer == HEAD) return;
    s->n_calls++;
    s->n_rows += n_rows;
}

static void simulate(const char *name, policy_fn *claim, const struct costs *costs, uint32_t n_prompt,
                     uint32_t n_new)
{
    struct state s = {.n_prompt = n_prompt, .n_new = n_new, .n_left = N_JOBS};
    struct cola_search_options options;
    if (cola_search_preset("cola", &options) != COLA_OK) exit(1);
    options.n_simulations = N_SIMULATIONS;
    s.random = cola_random_keyed(9, 0, COLA_STREAM_SYNTHETIC);
    for (uint32_t i = 0; i < N_JOBS; i++) {
        if (cola_search_create(&options, N_LAYERS, i, &s.job[i].search) != COLA_OK) exit(1);
        begin(&s, &s.job[i]);
    }
    for (uint32_t last = HEAD; s.n_left; s.step++) {
        uint32_t layer = choose(&s, claim, last), n_rows = 0;
        for (uint32_t i = 0; i < N_JOBS; i++) {
            struct job *job = &s.job[i];
            uint32_t rows = layer == HEAD ? 1 : job->n_rows;
            if (job->done || layer_of(job) != layer || (n_rows && n_rows + rows > MAX_ROWS)) continue;
            n_rows += rows;
            job->since = s.step;
            if (layer == HEAD)
                end_pass(&s, job, i);
            else
                job->at++;
        }
        charge(&s, costs, layer, n_rows);
        last = layer;
    }
    printf("%-16s  %6.1f ms a chain, %3.0f %% of it work at full speed, %5.1f rows a layer call\n", name,
           s.time_us / 1e3 / (double)s.n_evaluations, 100 * s.least_us / s.time_us,
           (double)s.n_rows / (double)s.n_calls);
    for (uint32_t i = 0; i < N_JOBS; i++) cola_search_destroy(s.job[i].search);
}

int main(int argc, char **argv)
{
    uint32_t n_prompt = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 73;
    uint32_t n_new = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 45;
    struct costs costs = {.row_us = argc > 3 ? strtod(argv[3], NULL) : 34,
                          .weights_us = argc > 4 ? strtod(argv[4], NULL) : 280,
                          .call_us = 30};
    simulate("rows", by_rows, &costs, n_prompt, n_new);
    simulate("rows, head 1/2", by_rows_head_half, &costs, n_prompt, n_new);
    simulate("rows, head 1/8", by_rows_head_eighth, &costs, n_prompt, n_new);
    simulate("jobs", by_jobs, &costs, n_prompt, n_new);
    simulate("in turn", in_turn, &costs, n_prompt, n_new);
    simulate("lowest first", lowest_first, &costs, n_prompt, n_new);
    return 0;
}

/* test_synthetic.c - the synthetic landscape: a function of its key, with the shares and the planted chains
 * that docs/search.md promises; its times have the mean and the deviation that were asked for. And the heap
 * of workers beside a scan of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cluster/master.h"
#include "cola/random.h"
#include "cola/synthetic.h"

enum { L = 32, N_SAMPLES = 4000 };
static const struct cola_synthetic plain = {.seed = 7, .n_layers = L, .optima = 0.3};

static void planted_chains_are_right_and_as_many_as_asked_for(void **state)
{
    (void)state;
    cola_layer room[COLA_CHAIN_MAX(L)], base_room[L];
    struct cola_chain chain, base = cola_chain_base(L, base_room);
    int n_planted = 0, n_base = 0;
    for (uint32_t i = 0; i < N_SAMPLES; i++) {
        n_base += cola_synthetic_is_right(&plain, i, &base);
        if (!cola_synthetic_optimum(&plain, i, room, &chain)) continue;
        n_planted++;
        assert_int_equal(cola_chain_check(&chain, L), COLA_OK);
        assert_false(cola_chain_equal(&chain, &base));
        assert_true(cola_synthetic_is_right(&plain, i, &chain));
    }
    /* binomial: 4 standard deviations are 0.031 of 4000 at one half */
    assert_true(fabs(n_planted / (double)N_SAMPLES - 0.3) < 0.031);
    assert_true(fabs(n_base / (double)N_SAMPLES - 0.4) < 0.031);
}

static void scores_say_what_is_right(void **state)
{
    (void)state;
    cola_layer layer[3] = {5, 6, 7};
    struct cola_chain chain = {layer, 3};
    int n_right = 0, n_other_seed = 0;
    struct cola_synthetic other = plain;
    other.seed++;
    for (uint32_t i = 0; i < N_SAMPLES; i++) {
        float score[4], again[4];
        uint32_t gold = i % 4, best = cola_synthetic_score(&plain, i, &chain, gold, 4, score);
        cola_synthetic_score(&plain, i, &chain, gold, 4, again);
        assert_memory_equal(score, again, sizeof score);
        for (uint32_t c = 0; c < 4; c++) assert_true(score[c] < 0 && (c == best || score[c] < score[best]));
        assert_int_equal(best == gold, cola_synthetic_is_right(&plain, i, &chain));
        n_right += best == gold;
        n_other_seed += cola_synthetic_is_right(&other, i, &chain) != (best == gold);
    }
    /* 0.4 x 0.5 + 0.6 x 0.02 */
    assert_true(fabs(n_right / (double)N_SAMPLES - 0.212) < 0.031);
    assert_true(n_other_seed > N_SAMPLES / 10);
}

static void times_have_mean_and_deviation(void **state)
{
    (void)state;
    struct cola_synthetic slow = plain;
    cola_layer layer[2] = {1, 2};
    struct cola_chain chain = {layer, 2};
    double sum = 0, squares = 0;
    slow.latency_s = 0.01;
    assert_true(cola_synthetic_latency(&plain, 0, &chain) == 0);
    assert_true(cola_synthetic_latency(&slow, 0, &chain) == 0.01);
    slow.spread = 0.5;
    for (uint32_t i = 0; i < N_SAMPLES; i++) {
        double s = cola_synthetic_latency(&slow, i, &chain);
        assert_true(s > 0 && s == cola_synthetic_latency(&slow, i, &chain));
        sum += s;
        squares += s * s;
    }
    double mean = sum / N_SAMPLES, deviation = sqrt(squares / N_SAMPLES - mean * mean);
    assert_true(fabs(mean / 0.01 - 1) < 0.032); /* 4 x 0.5 / sqrt 4000 */
    assert_true(fabs(deviation / 0.005 - 1) < 0.15);
}

static void fingerprint_has_what_decides_a_result(void **state)
{
    (void)state;
    char a[COLA_HASH_TEXT], b[COLA_HASH_TEXT];
    struct cola_synthetic s[4] = {plain, plain, plain, plain};
    s[0].seed++;
    s[1].n_layers++;
    s[2].optima += 1e-9;
    s[3].latency_s = s[3].spread = 1; /* not this */
    cola_synthetic_fingerprint(&plain, a);
    assert_int_equal(strncmp(a, "synthetic:", 10), 0);
    for (int i = 0; i < 4; i++) {
        cola_synthetic_fingerprint(&s[i], b);
        assert_int_equal(strcmp(a, b) != 0, i < 3);
    }
}

/* --- loads.c -------------------------------------------------------------------------------------------- */

static uint32_t least_by_scan(const struct cola_master *m)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i <= m->n_workers; i++) {
        const struct worker_state *w = &m->worker[i], *b = &m->worker[best];
        if (!cola_loads_has_credit(w)) continue;
        if (!best || (uint64_t)w->n_out * b->hello.credit < (uint64_t)b->n_out * w->hello.credit) best = i;
    }
    return best;
}

static void heap_of_loads_finds_what_a_scan_finds(void **state)
{
    (void)state;
    enum { N = 37 };
    struct worker_state worker[N + 1];
    uint32_t load[N];
    struct cola_random r = cola_random_keyed(3, 0, COLA_STREAM_BENCH);
    memset(worker, 0, sizeof worker);
    struct cola_master m = {.n_workers = N, .worker = worker, .load = load};
    for (uint32_t i = 1; i <= N; i++) worker[i].hello.credit = 1 + (uint32_t)cola_random_below(&r, 9);
    cola_loads_init(&m);
    for (int step = 0; step < 20000; step++) {
        uint32_t rank = 1 + (uint32_t)cola_random_below(&r, N);
        struct worker_state *w = &worker[rank];
        bool more = cola_random_below(&r, 100) < (step / 1000 % 2 ? 70u : 30u);
        if (more && w->n_out < w->hello.credit)
            w->n_out++;
        else if (!more && w->n_out)
            w->n_out--;
        w->alone = cola_random_below(&r, 20) == 0;
        cola_loads_changed(&m, rank);
        assert_int_equal(cola_loads_least(&m), least_by_scan(&m));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_chains_are_right_and_as_many_as_asked_for),
        cmocka_unit_test(scores_say_what_is_right),
        cmocka_unit_test(times_have_mean_and_deviation),
        cmocka_unit_test(fingerprint_has_what_decides_a_result),
        cmocka_unit_test(heap_of_loads_finds_what_a_scan_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

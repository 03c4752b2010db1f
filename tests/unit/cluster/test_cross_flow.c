/* test_cross_flow.c - the order of a table's evaluations: each once, in the window, a sample's chains in
 * order on its worker, and nobody idle while something is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cluster/cross_flow.h"
#include "cola/random.h"

enum { SAMPLES = 40, CHAINS = 9, WORKERS = 3 };

struct table {
    bool known[SAMPLES][CHAINS], out[SAMPLES][CHAINS];
    uint32_t n_left[SAMPLES];
};

static bool known(void *user, uint32_t sample, uint32_t chain)
{
    return ((struct table *)user)->known[sample][chain];
}

static uint32_t n_left(void *user, uint32_t sample)
{
    return ((struct table *)user)->n_left[sample];
}

static void learn(struct table *t, uint32_t sample, uint32_t chain)
{
    assert_false(t->known[sample][chain]);
    t->known[sample][chain] = true;
    t->n_left[sample]--;
}

static void set_up(struct table *t, struct cola_flow *flow, uint32_t window)
{
    memset(t, 0, sizeof *t);
    for (int i = 0; i < SAMPLES; i++) t->n_left[i] = CHAINS;
    *flow = (struct cola_flow){.n_samples = SAMPLES,
                               .n_chains = CHAINS,
                               .n_workers = WORKERS,
                               .window = window,
                               .known = known,
                               .n_left = n_left,
                               .user = t};
    assert_int_equal(cola_flow_init(flow), COLA_OK);
}

/* Evaluations come back in any order; each must be asked for once, and within the window. */
static void run(struct table *t, struct cola_flow *flow, uint32_t at_once, uint64_t seed)
{
    struct {
        uint32_t sample, chain;
    } out[64];
    uint32_t n_out = 0, n_asked = 0, n_known = 0, first;
    struct cola_random random = cola_random_keyed(seed, 0, COLA_STREAM_CONTROL);
    for (int i = 0; i < SAMPLES; i++) n_known += CHAINS - t->n_left[i];
    while (!cola_flow_done(flow)) {
        uint32_t sample, chain, worker = 1 + (uint32_t)cola_random_below(&random, WORKERS);
        while (n_out < at_once && cola_flow_next(flow, worker, &sample, &chain)) {
            assert_in_range(sample, 0, SAMPLES - 1);
            assert_in_range(chain, 0, CHAINS - 1);
            assert_false(t->known[sample][chain] || t->out[sample][chain]);
            for (first = 0; t->n_left[first] == 0;) first++;
            assert_true(sample - first < flow->window);
            t->out[sample][chain] = true;
            out[n_out].sample = sample;
            out[n_out++].chain = chain;
            n_asked++;
        }
        assert_true(n_out > 0); /* nobody waits for nothing */
        uint32_t i = (uint32_t)cola_random_below(&random, n_out);
        learn(t, out[i].sample, out[i].chain);
        cola_flow_answered(flow, out[i].sample);
        out[i] = out[--n_out];
    }
    assert_int_equal(n_out, 0);
    assert_int_equal(n_asked + n_known, SAMPLES * CHAINS);
}

static void every_evaluation_is_asked_for_once(void **state)
{
    (void)state;
    static const uint32_t windows[] = {1, 2, 7, SAMPLES + 10}, at_once[] = {1, 5, 64};
    for (int w = 0; w < 4; w++)
        for (int a = 0; a < 3; a++) {
            struct table t;
            struct cola_flow flow;
            set_up(&t, &flow, windows[w]);
            run(&t, &flow, at_once[a], (uint64_t)(10 * w + a));
            cola_flow_fini(&flow);
        }
}

static void what_is_known_is_not_asked_for(void **state)
{
    (void)state;
    struct table t;
    struct cola_flow flow;
    set_up(&t, &flow, 5);
    for (uint32_t s = 0; s < SAMPLES; s++)
        for (uint32_t c = 0; c < CHAINS; c++)
            if (s == 0 || s == SAMPLES - 1 || (s * 7 + c * 3) % 4 == 0) learn(&t, s, c);
    run(&t, &flow, 16, 1);
    cola_flow_fini(&flow);
}

static void a_worker_has_a_samples_chains_in_order_and_few_at_once(void **state)
{
    (void)state;
    struct table t;
    struct cola_flow flow;
    uint32_t sample, chain;
    set_up(&t, &flow, SAMPLES);
    for (uint32_t i = 0; i < 12; i++) { /* of three samples, four chains each */
        assert_true(cola_flow_next(&flow, 2, &sample, &chain));
        assert_int_equal(sample, i / COLA_FLOW_AT_ONCE);
        assert_int_equal(chain, i % COLA_FLOW_AT_ONCE);
    }
    assert_true(cola_flow_next(&flow, 1, &sample, &chain));
    assert_int_equal(sample, 3); /* another worker begins another */
    learn(&t, 0, 2);
    cola_flow_answered(&flow, 0);
    assert_true(cola_flow_next(&flow, 2, &sample, &chain)); /* the oldest goes on first */
    assert_int_equal(sample, 0);
    assert_int_equal(chain, COLA_FLOW_AT_ONCE);
    cola_flow_fini(&flow);
}

static void an_idle_worker_helps_with_the_last_samples(void **state)
{
    (void)state;
    struct table t;
    struct cola_flow flow;
    uint32_t sample, chain, n = 0;
    set_up(&t, &flow, 2);
    flow.n_samples = 1;
    assert_true(cola_flow_next(&flow, 1, &sample, &chain));
    while (cola_flow_next(&flow, 3, &sample, &chain)) n++;
    assert_int_equal(n, CHAINS - 1);
    cola_flow_fini(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_evaluation_is_asked_for_once),
        cmocka_unit_test(what_is_known_is_not_asked_for),
        cmocka_unit_test(a_worker_has_a_samples_chains_in_order_and_few_at_once),
        cmocka_unit_test(an_idle_worker_helps_with_the_last_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

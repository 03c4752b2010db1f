/* test_simulate_workers.c - the simulated master and workers (src/tools/workers.h): events come in order,
 * every evaluation is sent and taken once, credit is kept, and where the times can be computed by hand they
 * are those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "cola/random.h"
#include "tools/event_queue.h"
#include "tools/landscape.h"
#include "tools/workers.h"

enum { N_SAMPLES = 12, N_SIMULATIONS = 40, N_LAYERS = 12 };

static struct landscape landscape_of(double right, double alike)
{
    struct landscape l = {.synthetic = {.seed = 3, .n_layers = N_LAYERS, .latency_s = 0.04, .spread = 0.5}};
    assert_int_equal(landscape_by_layers(&l, right, alike), COLA_OK);
    return l;
}

static struct workers_options options_of(const struct landscape *landscape, uint32_t n_workers,
                                         uint32_t width)
{
    struct workers_options o = {.n_model_layers = N_LAYERS,
                                .n_samples = N_SAMPLES,
                                .n_workers = n_workers,
                                .parallel = 1,
                                .credit = workers_credit(1),
                                .message_s = 0.001,
                                .master_s = 1e-5,
                                .evaluate = landscape_evaluate,
                                .evaluate_user = landscape};
    assert_int_equal(cola_search_preset("cola", &o.search), COLA_OK);
    o.search.n_simulations = N_SIMULATIONS;
    o.search.speculate = width;
    return o;
}

static struct workers_outcome simulate(const struct workers_options *options)
{
    struct workers_outcome outcome;
    if (workers_simulate(options, &outcome) != COLA_OK) fail_msg("%s", cola_error_text());
    return outcome;
}

static void assert_near(double got, double expected, double relative)
{
    if (!(fabs(got - expected) <= relative * expected)) fail_msg("%.9g, expected %.9g", got, expected);
}

/* --- the queue ------------------------------------------------------------------------------------------ */

static void events_come_by_time_and_those_of_a_moment_in_order(void **state)
{
    enum { N = 2000 };
    (void)state;
    struct event_queue queue = {0};
    struct event event, last = {.time_s = -1};
    struct cola_random random = cola_random_keyed(1, 0, COLA_STREAM_BENCH);
    bool seen[N] = {false};
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(event_queue_push(&queue, (double)cola_random_below(&random, 50), i % 7, i), COLA_OK);
        if (i % 3 == 2 && i < N / 2) { /* some go in between: they are the earliest so far */
            assert_true(event_queue_pop(&queue, &event));
            for (size_t k = 0; k < queue.n_events; k++) assert_true(queue.event[k].time_s >= event.time_s);
            seen[event.subject] = true;
        }
    }
    while (event_queue_pop(&queue, &event)) {
        assert_true(event.time_s > last.time_s ||
                    (event.time_s >= last.time_s && event.number > last.number));
        assert_false(seen[event.subject]);
        assert_int_equal(event.kind, event.subject % 7);
        seen[event.subject] = true;
        last = event;
    }
    for (uint32_t i = 0; i < N; i++) assert_true(seen[i]);
    event_queue_fini(&queue);
}

/* --- conservation --------------------------------------------------------------------------------------- */

static void every_evaluation_is_counted_once(void **state)
{
    static const uint32_t workers[] = {1, 2, 3, 8, 40}, widths[] = {1, 2, 8, 32}, parallel[] = {1, 4};
    (void)state;
    struct landscape landscape = landscape_of(0.3, 0.8);
    uint64_t n_like_parent = 0, n_dropped = 0;
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 4; j++)
            for (size_t k = 0; k < 2; k++) {
                struct workers_options o = options_of(&landscape, workers[i], widths[j]);
                o.parallel = parallel[k];
                o.credit = workers_credit(o.parallel);
                struct workers_outcome found = simulate(&o);
                assert_int_equal(found.n_nodes, N_SAMPLES * N_SIMULATIONS);
                assert_int_equal(found.n_results, found.n_sent);
                assert_true(widths[j] == 1 ? found.n_sent == found.n_nodes : found.n_sent >= found.n_nodes);
                assert_true(found.n_sent <= (uint64_t)widths[j] * found.n_nodes);
                assert_true(found.most_out <= o.credit && found.most_running <= o.parallel);
                assert_true(found.most_running == o.parallel ||
                            N_SAMPLES * widths[j] <= workers[i] * o.parallel);
                n_dropped += found.n_dropped;
                assert_near(found.master_busy_s, 1e-5 * (double)found.n_sent, 1e-9);
                /* the trees are the same, whoever evaluates and however many guesses there are */
                if (n_like_parent == 0) n_like_parent = found.n_like_parent;
                assert_int_equal(found.n_like_parent, n_like_parent);
            }
    assert_true(n_dropped > 0); /* guesses that turned out wrong while they waited */
}

static void equal_options_give_equal_outcomes(void **state)
{
    (void)state;
    struct landscape landscape = landscape_of(0.3, 0.8);
    struct workers_options o = options_of(&landscape, 7, 8);
    struct workers_outcome a = simulate(&o), b = simulate(&o);
    assert_memory_equal(&a, &b, sizeof a);
    landscape.synthetic.seed++;
    b = simulate(&o);
    assert_memory_not_equal(&a, &b, sizeof a);
}

/* --- times ---------------------------------------------------------------------------------------------- */

static void one_sample_with_one_chain_out_takes_the_sum(void **state)
{
    (void)state;
    struct landscape landscape = landscape_of(0.3, 0);
    landscape.synthetic.spread = 0;
    struct workers_options o = options_of(&landscape, 5, 1);
    o.n_samples = 1;
    o.master_s = 0.002;
    struct workers_outcome found = simulate(&o);
    assert_near(found.makespan_s, N_SIMULATIONS * (0.04 + 2 * 0.001 + 0.002), 1e-9);
    assert_near(found.evaluating_s, N_SIMULATIONS * 0.04, 1e-9);
}

static void a_slow_master_is_the_limit(void **state)
{
    (void)state;
    struct landscape landscape = landscape_of(0.3, 0);
    struct workers_options o = options_of(&landscape, 64, 1);
    o.master_s = 0.05; /* 12 samples could be evaluated in 0.04 */
    struct workers_outcome found = simulate(&o);
    assert_near(found.makespan_s, 0.05 * N_SAMPLES * N_SIMULATIONS, 0.02);
    assert_near(found.master_busy_s, 0.05 * N_SAMPLES * N_SIMULATIONS, 1e-9);
}

/* All wrong: the base's guess of 0 is right, and so is every other. */
static void right_guesses_fill_a_worker(void **state)
{
    static const uint32_t parallel[] = {1, 2, 4, 8};
    (void)state;
    struct landscape landscape = landscape_of(0, 0);
    landscape.synthetic.spread = 0;
    struct workers_options o = options_of(&landscape, 1, 8);
    o.n_samples = 1;
    o.message_s = o.master_s = 0;
    for (size_t i = 0; i < 4; i++) {
        o.parallel = parallel[i];
        o.credit = workers_credit(o.parallel);
        struct workers_outcome found = simulate(&o);
        assert_int_equal(found.n_sent, N_SIMULATIONS);
        assert_near(found.makespan_s, (double)N_SIMULATIONS / parallel[i] * 0.04, 1e-9);
    }
}

/* As src/cluster/dispatch.c chooses: the owner gets a second request before another worker gets a first one,
 * so of 8 at once two are at the owner, one after the other, and one of 8 workers has nothing. */
static void an_owner_is_twice_as_loaded_before_another_gets_work(void **state)
{
    (void)state;
    struct landscape landscape = landscape_of(0, 0);
    landscape.synthetic.spread = 0;
    struct workers_options o = options_of(&landscape, 8, 8);
    o.n_samples = 1;
    o.message_s = o.master_s = 0;
    struct workers_outcome found = simulate(&o);
    assert_int_equal(found.most_out, 2);
    assert_true(found.makespan_s > N_SIMULATIONS / 8.0 * 0.04 &&
                found.makespan_s < N_SIMULATIONS / 4.0 * 0.04);
}

static void a_sample_stays_with_its_owner(void **state)
{
    (void)state;
    struct landscape landscape = landscape_of(0.3, 0.8);
    struct workers_options o = options_of(&landscape, 3, 1);
    o.parallel = 4; /* all 12 samples are at work at once */
    o.credit = workers_credit(o.parallel);
    assert_int_equal(simulate(&o).n_moves, 0);
    o = options_of(&landscape, 8, 4); /* four chains of a sample, two places at its owner */
    assert_true(simulate(&o).n_moves > 0);
}

/* --- the landscape -------------------------------------------------------------------------------------- */

static void landscapes_are_as_right_and_as_alike_as_asked(void **state)
{
    static const double right[] = {0.1, 0.3, 0.7};
    (void)state;
    for (size_t i = 0; i < 3; i++) { /* base chains of many samples: independent marks */
        enum { N = 20000 };
        struct landscape l = landscape_of(right[i], 0.8);
        cola_layer room[N_LAYERS];
        struct cola_chain base = cola_chain_base(N_LAYERS, room);
        double n = 0, p = right[i];
        for (uint32_t s = 0; s < N; s++) n += landscape_evaluate(&l, s, &base).reward > 0;
        assert_true(fabs(n - N * p) < 5 * sqrt(N * p * (1 - p))); /* five standard deviations */
    }
    uint64_t like_parent[3];
    for (int i = 0; i < 3; i++) {
        struct landscape l = landscape_of(0.3, i / 2.0);
        struct workers_options o = options_of(&l, 4, 1);
        o.n_samples = 100;
        like_parent[i] = simulate(&o).n_like_parent;
    }
    assert_true(like_parent[0] < like_parent[1] && like_parent[1] < like_parent[2]);
}

static void shares_out_of_range_are_refused_by_name(void **state)
{
    (void)state;
    struct landscape l = {.synthetic = {.n_layers = N_LAYERS}};
    assert_int_equal(landscape_by_layers(&l, 1.5, 0), COLA_ERR_USAGE);
    assert_non_null(strstr(cola_error_text(), "right is 1.5"));
    assert_int_equal(landscape_by_layers(&l, 0.5, NAN), COLA_ERR_USAGE);
    assert_non_null(strstr(cola_error_text(), "alike is nan"));
    assert_false(l.by_layers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_by_time_and_those_of_a_moment_in_order),
        cmocka_unit_test(every_evaluation_is_counted_once),
        cmocka_unit_test(equal_options_give_equal_outcomes),
        cmocka_unit_test(one_sample_with_one_chain_out_takes_the_sum),
        cmocka_unit_test(a_slow_master_is_the_limit),
        cmocka_unit_test(right_guesses_fill_a_worker),
        cmocka_unit_test(an_owner_is_twice_as_loaded_before_another_gets_work),
        cmocka_unit_test(a_sample_stays_with_its_owner),
        cmocka_unit_test(landscapes_are_as_right_and_as_alike_as_asked),
        cmocka_unit_test(shares_out_of_range_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_put_away.c - a run whose finished samples are put away is the run that keeps them, value by value;
 * what is known of them is let go, in a first session and in resumed ones; late results change nothing. */
#include "cola/log.h"
#include "record/record_state.h"
#include "record/run.h"
#include "unit/record/small_run.h"

static void put_away(struct small_run *run, uint32_t i)
{
    if (cola_record_put_away(run->record, i, run->target[i], run->search[i]) != COLA_OK)
        fail_msg("%s", cola_error_text());
    cola_search_destroy(run->search[i]);
    run->search[i] = NULL;
}

/* All samples to their ends, in an order that is not the file's; each goes when it is over. */
static void search_and_put_away(struct small_run *run)
{
    for (uint32_t k = 0; k < SMALL_SAMPLES; k++) {
        uint32_t i = (k + 2) % SMALL_SAMPLES;
        while (!small_run_steps(run, i, 100)) {
        }
        put_away(run, i);
    }
}

static void assert_same_columns(const char *a, const char *b)
{
    struct cola_run *of_a = small_run_read(a), *of_b = small_run_read(b);
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        size_t n = of_a->columns.column[i].n * cola_h5_type_bytes(cola_run_schema[i].type);
        assert_int_equal(of_a->columns.column[i].n, of_b->columns.column[i].n);
        if (n && memcmp(of_a->columns.column[i].data, of_b->columns.column[i].data, n) != 0)
            fail_msg("%s differs", cola_run_schema[i].name);
    }
    assert_string_equal(of_a->digest, of_b->digest);
    assert_int_equal(of_a->complete, of_b->complete);
    assert_int_equal(of_a->folded_sequence, of_b->folded_sequence);
    cola_run_close(of_a);
    cola_run_close(of_b);
}

static void run_is_the_same_with_samples_put_away(void **state)
{
    (void)state;
    for (int generate = 0; generate < 2; generate++) {
        struct small_run kept, gone;
        small_run_create_with(&kept, generate ? tasks_file_make_generate : NULL, false);
        small_run_create_with(&gone, generate ? tasks_file_make_generate : NULL, false);
        small_run_open(&kept, false);
        small_run_open(&gone, false);
        for (uint32_t k = 0; k < SMALL_SAMPLES; k++) {
            uint32_t i = (k + 2) % SMALL_SAMPLES;
            small_run_steps(&kept, i, 100);
            small_run_steps(&gone, i, 100);
            put_away(&gone, i);
            small_run_fold(&kept); /* some away, some not begun */
            small_run_fold(&gone);
            assert_same_columns(kept.run_path, gone.run_path);
        }
        assert_int_equal(cola_record_n_known(gone.record), cola_record_n_known(kept.record));
        assert_int_equal(cola_known_count(gone.record->known), 0);
        assert_true(cola_known_count(kept.record->known) > SMALL_SAMPLES);
        small_run_destroy(&kept);
        small_run_destroy(&gone);
    }
}

static void resumed_run_knows_finished_samples_only_while_they_are_replayed(void **state)
{
    (void)state;
    struct small_run run, longer;
    char want[COLA_HASH_TEXT], digest[COLA_HASH_TEXT];
    small_run_create(&run);
    small_run_open(&run, false);
    search_and_put_away(&run);
    small_run_fold(&run);
    uint64_t n = run.n_evaluated;
    small_run_stop(&run);
    small_run_digest(run.run_path, want);
    for (int session = 0; session < 3;
         session++) { /* each adds records of samples that are finished already */
        small_run_open(&run, true);
        assert_int_equal(cola_known_count(run.record->known), 0);
        assert_int_equal(cola_record_n_resumed(run.record), n);
        search_and_put_away(&run);
        assert_int_equal(run.n_evaluated, 0);
        assert_int_equal(cola_record_n_known(run.record), n);
        small_run_fold(&run);
        small_run_stop(&run);
        small_run_digest(run.run_path, digest);
        assert_string_equal(digest, want);
    }
    run.field[4].value = "30"; /* simulations: what was finished is not any more */
    small_run_open(&run, true);
    search_and_put_away(&run);
    uint64_t n_more = run.n_evaluated;
    small_run_fold(&run);
    small_run_stop(&run);
    small_run_create(&longer);
    longer.field[4].value = "30";
    small_run_open(&longer, false);
    small_run_all(&longer);
    small_run_fold(&longer);
    assert_int_equal(longer.n_evaluated, n + n_more);
    small_run_digest(longer.run_path, want);
    small_run_digest(run.run_path, digest);
    assert_string_equal(digest, want);
    small_run_open(&run, true); /* and is tidied: each sample's results are together */
    assert_int_equal(cola_record_n_resumed(run.record), n + n_more);
    search_and_put_away(&run);
    assert_int_equal(run.n_evaluated, 0);
    small_run_destroy(&longer);
    small_run_destroy(&run);
}

/* The late result of a guess, for a sample that is away. */
static enum cola_status late(struct small_run *run, const struct cola_chain *chain, float change)
{
    float score[4];
    int32_t token[2];
    struct cola_result result;
    small_evaluate(cola_tasks_sample(run->tasks, 1), chain, score, token, &result);
    score[0] += change;
    return cola_record_evaluated(run->record, 1, chain, &result);
}

static void late_result_is_journalled_and_forgotten(void **state)
{
    (void)state;
    struct small_run run;
    char want[COLA_HASH_TEXT], digest[COLA_HASH_TEXT];
    cola_layer layer[] = {5, 4, 3, 2};
    struct cola_chain guess = {layer, 4};
    small_run_create(&run);
    small_run_whole(&run, want);
    small_run_files(&run, true);
    hid_t file = tasks_file_create(run.tasks_path);
    H5Fclose(file);
    small_run_open(&run, false);
    search_and_put_away(&run);
    uint64_t n = cola_record_n_known(run.record);
    assert_int_equal(late(&run, &guess, 0), COLA_OK);
    assert_int_equal(cola_known_count(run.record->known), 0);
    assert_int_equal(cola_record_n_known(run.record), n + 1);
    small_run_fold(&run);
    small_run_stop(&run);
    small_run_digest(run.run_path, digest);
    assert_string_equal(digest, want);
    small_run_open(&run, true);
    assert_int_equal(cola_record_n_resumed(run.record), n + 1);
    assert_int_equal(cola_known_count(run.record->known), 0);
    struct cola_result found;
    assert_true(cola_record_known(run.record, 1, &guess, &found));
    search_and_put_away(&run);
    assert_int_equal(run.n_evaluated, 0);
    assert_int_equal(late(&run, &guess, 1), COLA_OK); /* with other bits: nobody can tell now */
    small_run_stop(&run);
    assert_int_equal(small_run_try_open(&run, true), COLA_ERR_MISMATCH);
    assert_error_names("sample 1, chain 5,4,3,2 was evaluated twice");
    small_run_destroy(&run);
}

/* Another run's results that were asked for are written down before they go. */
static void memo_is_journalled_before_its_sample_goes(void **state)
{
    (void)state;
    struct small_run first, second;
    char want[COLA_HASH_TEXT], digest[COLA_HASH_TEXT];
    uint64_t n_added;
    small_run_create(&first);
    small_run_whole(&first, want);
    small_run_create(&second);
    small_run_open(&second, false);
    assert_int_equal(cola_record_memo(second.record, first.run_path, &n_added), COLA_OK);
    search_and_put_away(&second);
    assert_int_equal(second.n_evaluated, 0);
    small_run_fold(&second);
    small_run_stop(&second);
    small_run_digest(second.run_path, digest);
    assert_string_equal(digest, want);
    unlink(second.run_path);
    small_run_open(&second, true);
    assert_int_equal(cola_record_n_resumed(second.record), n_added);
    search_and_put_away(&second);
    assert_int_equal(second.n_evaluated, 0);
    small_run_destroy(&second);
    small_run_destroy(&first);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_is_the_same_with_samples_put_away),
        cmocka_unit_test(resumed_run_knows_finished_samples_only_while_they_are_replayed),
        cmocka_unit_test(late_result_is_journalled_and_forgotten),
        cmocka_unit_test(memo_is_journalled_before_its_sample_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

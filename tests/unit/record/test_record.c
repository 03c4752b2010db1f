/* test_record.c - a run from tasks.h5 to run.h5 and back; interrupted runs, resumed runs, the memo: the
 * digest is the same. */
#include "cola/log.h"
#include "unit/record/small_run.h"
#include "unit/seal.h"

static void run_file_holds_what_the_search_found(void **state)
{
    (void)state;
    struct small_run run;
    small_run_create(&run);
    small_run_open(&run, false);
    small_run_all(&run);
    small_run_fold(&run);
    struct cola_run *file = small_run_read(run.run_path);
    assert_int_equal(cola_run_n_samples(file), SMALL_SAMPLES);
    assert_string_equal(cola_run_attribute(file, "seed"), "7");
    assert_string_equal(cola_run_attribute(file, "task"), "three");
    assert_string_equal(cola_run_attribute(file, "score"), "loglik");
    assert_string_equal(cola_run_attribute(file, "complete"), "1");
    assert_string_equal(cola_run_attribute(file, "tasks_fingerprint"),
                        cola_tasks_info(run.tasks)->fingerprint);
    assert_int_equal(strlen(cola_run_attribute(file, "run_id")), 32);
    assert_null(cola_run_attribute(file, "no_such_key"));
    uint32_t n_non_finite = 0;
    for (uint32_t i = 0; i < SMALL_SAMPLES; i++) {
        struct cola_run_sample sample;
        bool on_front[64];
        cola_run_sample(file, i, &sample);
        cola_search_front(run.search[i], on_front);
        assert_int_equal(sample.index, i);
        assert_int_equal(sample.gold, cola_tasks_sample(run.tasks, i)->gold);
        assert_true(sample.finished);
        assert_int_equal(sample.n_chains, cola_search_n_nodes(run.search[i]));
        assert_int_equal(sample.n_simulations, cola_search_n_simulations(run.search[i]));
        assert_int_equal(sample.n_candidates, cola_tasks_sample(run.tasks, i)->n_candidates);
        for (uint32_t k = 0; k < sample.n_chains; k++) {
            struct cola_run_chain found;
            struct cola_node_view node;
            struct cola_result result;
            float score[4];
            int32_t token[2];
            cola_run_chain(file, sample.first_chain + k, &found);
            cola_search_node(run.search[i], k, &node);
            assert_true(cola_chain_equal(&found.node.chain, &node.chain));
            assert_int_equal(found.node.edit.kind, node.edit.kind);
            assert_int_equal(found.node.edit.position, node.edit.position);
            assert_int_equal(found.node.edit.block, node.edit.block);
            assert_int_equal(found.node.edit.times, node.edit.times);
            assert_int_equal(found.node.parent, node.parent);
            assert_int_equal(found.node.depth, node.depth);
            assert_int_equal(found.node.simulation, node.simulation);
            assert_int_equal(found.node.n_visits, node.n_visits);
            assert_true(found.node.total_reward == node.total_reward && found.node.reward == node.reward);
            assert_int_equal(found.node.prediction, node.prediction);
            assert_int_equal(found.on_front, on_front[k]);
            small_evaluate(cola_tasks_sample(run.tasks, i), &node.chain, score, token, &result);
            assert_int_equal(found.outcome, result.outcome);
            assert_int_equal(found.n_scores, sample.n_candidates);
            n_non_finite += result.outcome == COLA_OUTCOME_NON_FINITE;
            for (uint32_t c = 0; c < found.n_scores; c++)
                assert_true(result.outcome ? found.score[c] != found.score[c] : found.score[c] == score[c]);
            cola_run_result(file, sample.first_chain + k, &result);
            assert_int_equal(result.n_tokens, 2);
            assert_int_equal(result.token[0], token[0]);
            assert_int_equal(result.argmax, token[0]);
            assert_int_equal(result.cost.layers_asked, node.chain.n_layers);
            assert_true(result.cost.seconds == 0.25f);
        }
    }
    assert_true(n_non_finite > 0);
    assert_memory_equal(cola_run_choice(file, 0, 0).bytes, "green", 5);
    assert_int_equal(cola_run_choice(file, 0, 0).n_bytes, 5);
    assert_int_equal(cola_run_label(file, 2, 1).bytes[0], 'Y');
    cola_run_close(file);
    assert_int_equal(small_run_files(&run, false), 3); /* tasks, run, journal: no temporary */
    small_run_destroy(&run);
}

static void digest_is_equal_for_any_order_of_evaluation(void **state)
{
    (void)state;
    struct small_run a, b;
    char first[COLA_HASH_TEXT], second[COLA_HASH_TEXT];
    small_run_create(&a);
    small_run_whole(&a, first);
    small_run_create(&b);
    small_run_open(&b, false);
    for (bool more = true; more;) { /* backwards, a step at a time */
        more = false;
        for (uint32_t i = SMALL_SAMPLES; i-- > 0;)
            if (!b.finished[i]) more |= !small_run_steps(&b, i, 1);
    }
    b.field[5].value = "128";
    small_run_fold(&b);
    small_run_digest(b.run_path, second);
    assert_string_equal(first, second);
    small_run_destroy(&a);
    small_run_destroy(&b);
}

static void digest_is_another_for_another_identity(void **state)
{
    (void)state;
    struct small_run a, b;
    char first[COLA_HASH_TEXT], second[COLA_HASH_TEXT];
    for (uint32_t field = 0; field < SMALL_FIELDS; field++) {
        small_run_create(&a);
        small_run_whole(&a, first);
        small_run_create(&b);
        b.field[field].value = field == 4 ? "13" : "another";
        small_run_whole(&b, second);
        if (b.field[field].role == COLA_FIELD_PROVENANCE)
            assert_string_equal(first, second);
        else
            assert_string_not_equal(first, second);
        small_run_destroy(&a);
        small_run_destroy(&b);
    }
}

static void interrupted_run_resumes_to_the_same_digest(void **state)
{
    (void)state;
    struct small_run whole, run;
    char expected[COLA_HASH_TEXT], found[COLA_HASH_TEXT];
    small_run_create(&whole);
    small_run_open(&whole, false);
    small_run_all(&whole);
    small_run_fold(&whole);
    uint64_t n_whole = whole.n_evaluated;
    small_run_digest(whole.run_path, expected);
    small_run_create(&run);
    uint64_t n_before = 0;
    for (uint32_t life = 0; life < 5; life++) {
        small_run_open(&run, life > 0);
        assert_int_equal(cola_record_n_resumed(run.record), n_before);
        for (uint32_t i = 0; i < SMALL_SAMPLES; i++) small_run_steps(&run, i, 3 + 2 * life);
        n_before += run.n_evaluated;
        assert_int_equal(cola_record_n_known(run.record), n_before);
        if (life % 2) small_run_fold(&run); /* some lives end without one */
        small_run_stop(&run);
    }
    small_run_open(&run, true);
    small_run_all(&run);
    small_run_fold(&run);
    assert_int_equal(n_before + run.n_evaluated, n_whole); /* nothing was evaluated twice */
    small_run_digest(run.run_path, found);
    assert_string_equal(expected, found);
    small_run_destroy(&run);
    small_run_destroy(&whole);
}

static void unfinished_run_is_a_valid_file_that_says_so(void **state)
{
    (void)state;
    struct small_run run;
    struct cola_run_sample sample;
    small_run_create(&run);
    small_run_open(&run, false);
    while (!small_run_steps(&run, 0, 100)) {
    }
    small_run_steps(&run, 1, 3);
    small_run_fold(&run);
    struct cola_run *file = small_run_read(run.run_path);
    assert_string_equal(cola_run_attribute(file, "complete"), "0");
    cola_run_sample(file, 0, &sample);
    assert_true(sample.finished);
    cola_run_sample(file, 1, &sample);
    assert_false(sample.finished);
    assert_int_equal(sample.n_chains, 3);
    cola_run_sample(file, 2, &sample);
    assert_false(sample.finished);
    assert_int_equal(sample.n_chains, 0);
    assert_int_equal(sample.question.n_bytes, 0);
    cola_run_close(file);
    small_run_destroy(&run);
}

static void run_without_journal_resumes_from_its_scores(void **state)
{
    (void)state;
    struct small_run run;
    char expected[COLA_HASH_TEXT], found[COLA_HASH_TEXT], id[40];
    small_run_create(&run);
    small_run_whole(&run, expected);
    struct cola_run *file = small_run_read(run.run_path);
    snprintf(id, sizeof id, "%s", cola_run_attribute(file, "run_id"));
    uint64_t n_chains = cola_run_n_chains(file);
    cola_run_close(file);
    assert_int_equal(unlink(run.journal_path), 0);
    small_run_open(&run, true); /* a journal has everything from its first moment on */
    small_run_stop(&run);
    size_t n;
    uint8_t *bytes = small_read(run.run_path, &n);
    assert_int_equal(unlink(run.run_path), 0);
    small_run_open(&run, true);
    assert_int_equal(cola_record_n_resumed(run.record), n_chains);
    small_run_stop(&run);
    small_write(run.run_path, bytes, n);
    free(bytes);
    assert_int_equal(unlink(run.journal_path), 0);
    for (int life = 0; life < 2; life++) { /* the second from the journal that the first wrote again */
        small_run_open(&run, true);
        assert_int_equal(cola_record_n_resumed(run.record), n_chains);
        small_run_all(&run);
        assert_int_equal(run.n_evaluated, 0);
        small_run_fold(&run);
        small_run_stop(&run);
        small_run_digest(run.run_path, found);
        assert_string_equal(expected, found);
        assert_int_equal(unlink(run.run_path), 0);
    }
    small_run_open(&run, true);
    small_run_all(&run);
    small_run_fold(&run);
    file = small_run_read(run.run_path);
    assert_string_equal(cola_run_attribute(file, "run_id"), id);
    cola_run_close(file);
    small_run_destroy(&run);
}

static void journal_cut_by_hand_takes_results_back_from_the_run(void **state)
{
    (void)state;
    struct small_run run;
    small_run_create(&run);
    small_run_open(&run, false);
    small_run_steps(&run, 0, 2);
    small_run_stop(&run);
    size_t n;
    uint8_t *bytes = small_read(run.journal_path, &n);
    small_run_open(&run, true);
    small_run_all(&run);
    small_run_fold(&run);
    small_run_stop(&run);
    small_write(run.journal_path, bytes, n);
    free(bytes);
    for (int life = 0; life < 2; life++) {
        small_run_open(&run, true);
        small_run_all(&run);
        assert_int_equal(run.n_evaluated, 0);
        small_run_stop(&run);
        unlink(run.run_path);
    }
    small_run_destroy(&run);
}

static void more_simulations_continue_a_finished_run(void **state)
{
    (void)state;
    struct small_run run, whole;
    char digest[COLA_HASH_TEXT], expected[COLA_HASH_TEXT];
    small_run_create(&run);
    small_run_whole(&run, digest);
    run.field[4].value = "20";
    small_run_open(&run, true);
    small_run_all(&run);
    small_run_fold(&run);
    small_run_stop(&run);
    small_run_digest(run.run_path, digest);
    small_run_create(&whole);
    whole.field[4].value = "20";
    small_run_whole(&whole, expected);
    assert_string_equal(digest, expected);
    run.field[4].value = "19"; /* the raised number is the run's now */
    assert_int_equal(small_run_try_open(&run, true), COLA_ERR_MISMATCH);
    assert_error_names("n_simulations: there '20', here '19'");
    small_run_destroy(&run);
    small_run_destroy(&whole);
}

/* --- refusals ---------------------------------------------------------------------------------------------
 */

static void existing_run_without_resume_is_refused(void **state)
{
    (void)state;
    struct small_run run;
    char digest[COLA_HASH_TEXT];
    small_run_create(&run);
    small_run_whole(&run, digest);
    assert_int_equal(small_run_try_open(&run, false), COLA_ERR_USAGE);
    assert_error_names("--resume");
    unlink(run.journal_path);
    assert_int_equal(small_run_try_open(&run, false), COLA_ERR_USAGE);
    unlink(run.run_path);
    small_run_open(&run, true); /* nothing there: starts fresh */
    assert_int_equal(cola_record_n_resumed(run.record), 0);
    small_run_destroy(&run);
}

static void assert_refused_naming(struct small_run *run, const char *words)
{
    assert_int_equal(small_run_try_open(run, true), COLA_ERR_MISMATCH);
    assert_error_names(words);
    assert_null(run->record);
}

/* From the journal, and from run.h5 alone. */
static void resume_of_another_run_is_refused_naming_each_field(void **state)
{
    (void)state;
    struct small_run run;
    char digest[COLA_HASH_TEXT];
    small_run_create(&run);
    small_run_whole(&run, digest);
    for (int alone = 0; alone < 2; alone++) {
        run.field[2].value = "8";
        run.field[3].value = "random";
        assert_refused_naming(&run, "seed: there '7', here '8'");
        assert_error_names("preset: there 'cola', here 'random'");
        run.field[2] = (struct cola_field){"new_option", "1", COLA_FIELD_IDENTITY};
        run.field[3].value = "cola";
        assert_refused_naming(&run, "seed: there '7', here '(absent)'");
        assert_error_names("new_option: there '(absent)', here '1'");
        run.field[2] = (struct cola_field){"seed", "7", COLA_FIELD_IDENTITY};
        run.field[4].value = "11";
        assert_refused_naming(&run, "n_simulations: there '12', here '11' (may only be raised)");
        run.field[4].value = "12x";
        assert_refused_naming(&run, "n_simulations");
        run.field[4].value = "12";
        struct cola_record_setup setup = {run.field, SMALL_FIELDS, run.tasks, 0, 2, true, NULL};
        assert_int_equal(cola_record_open(run.run_path, &setup, &run.record), COLA_ERR_MISMATCH);
        assert_error_names("samples: there 0:3, here 0:2");
        assert_int_equal(unlink(run.journal_path), alone ? -1 : 0);
    }
    run.field[5].value = "5"; /* provenance is free */
    small_run_open(&run, true);
    small_run_destroy(&run);
}

static void other_tasks_are_refused(void **state)
{
    (void)state;
    struct small_run run;
    char digest[COLA_HASH_TEXT];
    small_run_create(&run);
    small_run_whole(&run, digest);
    cola_tasks_close(run.tasks);
    hid_t file = tasks_file_create(run.tasks_path);
    TASKS_FILE_PUT(file, "samples/gold", H5T_NATIVE_INT32, int32_t, 1, 0, 1);
    H5Fclose(file);
    assert_int_equal(cola_tasks_open(run.tasks_path, &run.tasks), COLA_OK);
    assert_refused_naming(&run, "tasks_fingerprint");
    small_run_destroy(&run);
}

static void run_of_another_id_beside_the_journal_is_not_overwritten(void **state)
{
    (void)state;
    struct small_run run, other;
    char digest[COLA_HASH_TEXT];
    small_run_create(&run);
    small_run_whole(&run, digest);
    small_run_create(&other);
    small_run_whole(&other, digest);
    assert_int_equal(rename(other.run_path, run.run_path), 0);
    assert_refused_naming(&run, "run_id");
    small_run_destroy(&run);
    small_run_destroy(&other);
}

static void bad_fields_samples_and_results_are_refused(void **state)
{
    (void)state;
    struct small_run run;
    struct cola_chain chain = {(const cola_layer[]){0, 1, 2}, 3};
    float score[4] = {-1, -2, -3, -4};
    struct cola_result result = {.score = score, .n_scores = 4, .argmax = -1};
    small_run_create(&run);
    static const char *const bad_key[] = {"Seed", "", "content_digest", "seed", "a b", "9lives"};
    for (size_t i = 0; i < sizeof bad_key / sizeof *bad_key; i++) {
        run.field[5].key = bad_key[i];
        assert_int_equal(small_run_try_open(&run, false), COLA_ERR_INPUT);
    }
    run.field[5].key = "n_ranks";
    assert_int_equal(small_run_files(&run, false), 1); /* only the tasks */
    struct cola_record_setup setup = {run.field, SMALL_FIELDS, run.tasks, 2, 2, false, NULL};
    assert_int_equal(cola_record_open(run.run_path, &setup, &run.record), COLA_ERR_USAGE);
    small_run_open(&run, false);
    assert_int_equal(cola_record_evaluated(run.record, 3, &chain, &result), COLA_ERR_INPUT);
    assert_int_equal(cola_record_evaluated(run.record, 1, &chain, &result),
                     COLA_ERR_INPUT); /* it has 3 candidates */
    assert_int_equal(cola_record_evaluated(run.record, 0, &chain, &result), COLA_OK);
    result.cost.seconds = 5; /* cost is no part of a result */
    assert_int_equal(cola_record_evaluated(run.record, 0, &chain, &result), COLA_OK);
    assert_int_equal(cola_record_n_known(run.record), 1);
    score[3] = -4.0000005f;
    assert_int_equal(cola_record_evaluated(run.record, 0, &chain, &result), COLA_ERR_MISMATCH);
    assert_error_names("sample 0, chain 0-2 was evaluated twice with different results");
    small_run_destroy(&run);
}

static void node_without_a_recorded_result_is_refused_by_the_fold(void **state)
{
    (void)state;
    struct small_run run;
    uint32_t ticket;
    struct cola_chain chain;
    small_run_create(&run);
    small_run_open(&run, false);
    small_run_steps(&run, 0, 2);
    assert_int_equal(cola_search_ask(run.search[0], &ticket, &chain), COLA_ASK_CHAIN);
    cola_search_tell(run.search[0], ticket, &(struct cola_verdict){.prediction = 1, .reward = 0});
    assert_int_equal(small_run_try_fold(&run), COLA_ERR_MISMATCH);
    assert_error_names("never recorded");
    small_run_destroy(&run);
}

/* --- memo -------------------------------------------------------------------------------------------------
 */

static void memo_gives_another_run_its_results_and_journals_what_is_used(void **state)
{
    (void)state;
    struct small_run first, second;
    char digest[COLA_HASH_TEXT];
    uint64_t n_added = 0;
    small_run_create(&first);
    small_run_whole(&first, digest);
    small_run_create(&second);
    second.field[2].value = "8"; /* another seed field; the searches are the same, so every chain is known */
    small_run_open(&second, false);
    assert_int_equal(cola_record_memo(second.record, first.run_path, &n_added), COLA_OK);
    assert_true(n_added > 20);
    small_run_steps(&second, 0, 4);
    assert_int_equal(second.n_evaluated, 0);
    small_run_stop(&second);
    small_run_open(&second, true);
    assert_int_equal(cola_record_n_resumed(second.record), 4); /* what was used, and nothing else */
    assert_int_equal(cola_record_memo(second.record, first.run_path, &n_added), COLA_OK);
    small_run_all(&second);
    assert_int_equal(second.n_evaluated, 0);
    small_run_fold(&second);
    small_run_destroy(&second);
    small_run_destroy(&first);
}

static void memo_of_another_model_is_refused(void **state)
{
    (void)state;
    struct small_run first, second;
    char digest[COLA_HASH_TEXT];
    uint64_t n_added = 77;
    small_run_create(&first);
    small_run_whole(&first, digest);
    for (int field = 0; field < 2; field++) {
        small_run_create(&second);
        second.field[field].value = "other";
        small_run_open(&second, false);
        assert_int_equal(cola_record_memo(second.record, first.run_path, &n_added), COLA_ERR_MISMATCH);
        assert_error_names(field ? "numerics_id: there f32-1, here other"
                                 : "model_fingerprint: there xxh3:aa, here other");
        assert_int_equal(n_added, 77);
        assert_int_equal(cola_record_n_known(second.record), 0);
        small_run_destroy(&second);
    }
    small_run_destroy(&first);
}

/* One score changed by somebody: neither resume nor memo may take it. */
static void changed_run_is_neither_resumed_nor_borrowed_from(void **state)
{
    (void)state;
    struct small_run run, second;
    char digest[COLA_HASH_TEXT];
    uint64_t n_added = 0;
    small_run_create(&run);
    small_run_whole(&run, digest);
    hid_t file = H5Fopen(run.run_path, H5F_ACC_RDWR, H5P_DEFAULT),
          dataset = H5Dopen2(file, "scores/values", H5P_DEFAULT);
    float *score = calloc(1 << 12, sizeof *score);
    MUST(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, score));
    score[5] += 1;
    MUST(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, score));
    free(score);
    H5Dclose(dataset);
    H5Fclose(file);
    small_run_create(&second);
    small_run_open(&second, false);
    assert_int_equal(cola_record_memo(second.record, run.run_path, &n_added), COLA_ERR_INPUT);
    assert_error_names("first block");
    small_run_destroy(&second);
    seal_file(run.run_path); /* by somebody who knows how */
    small_run_create(&second);
    small_run_open(&second, false);
    assert_int_equal(cola_record_memo(second.record, run.run_path, &n_added), COLA_ERR_INPUT);
    assert_error_names("content_digest");
    assert_int_equal(unlink(run.journal_path), 0);
    assert_int_equal(small_run_try_open(&run, true), COLA_ERR_INPUT);
    assert_error_names("content_digest");
    small_run_destroy(&second);
    small_run_destroy(&run);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_file_holds_what_the_search_found),
        cmocka_unit_test(digest_is_equal_for_any_order_of_evaluation),
        cmocka_unit_test(digest_is_another_for_another_identity),
        cmocka_unit_test(interrupted_run_resumes_to_the_same_digest),
        cmocka_unit_test(unfinished_run_is_a_valid_file_that_says_so),
        cmocka_unit_test(run_without_journal_resumes_from_its_scores),
        cmocka_unit_test(journal_cut_by_hand_takes_results_back_from_the_run),
        cmocka_unit_test(more_simulations_continue_a_finished_run),
        cmocka_unit_test(existing_run_without_resume_is_refused),
        cmocka_unit_test(resume_of_another_run_is_refused_naming_each_field),
        cmocka_unit_test(other_tasks_are_refused),
        cmocka_unit_test(run_of_another_id_beside_the_journal_is_not_overwritten),
        cmocka_unit_test(bad_fields_samples_and_results_are_refused),
        cmocka_unit_test(node_without_a_recorded_result_is_refused_by_the_fold),
        cmocka_unit_test(memo_gives_another_run_its_results_and_journals_what_is_used),
        cmocka_unit_test(memo_of_another_model_is_refused),
        cmocka_unit_test(changed_run_is_neither_resumed_nor_borrowed_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

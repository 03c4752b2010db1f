/* test_journal.c - the journal after a kill, after damage, and under two writers. A torn last record is
 * dropped at every byte; a flipped byte anywhere before it is refused with its offset and changes nothing. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cola/log.h"
#include "record/journal.h"
#include "unit/record/small_run.h"

enum { N_RESULTS = 5 };

/* A journal whose last record is the last of N_RESULTS evaluations; *last: where that begins. */
static uint8_t *make_journal(struct small_run *run, size_t *n, size_t *last)
{
    float score[4];
    int32_t token[2];
    cola_layer layer[4] = {0, 1, 2, 3};
    struct cola_chain chain = {layer, 4};
    small_run_create(run);
    small_run_open(run, false);
    for (uint32_t i = 0; i < N_RESULTS; i++) {
        struct cola_result result;
        layer[3] = (cola_layer)i;
        small_evaluate(cola_tasks_sample(run->tasks, 0), &chain, score, token, &result);
        assert_int_equal(cola_record_started(run->record, 0, &chain), COLA_OK);
        assert_int_equal(cola_record_commit(run->record), COLA_OK);
        free(small_read(run->journal_path, last));
        assert_int_equal(cola_record_evaluated(run->record, 0, &chain, &result), COLA_OK);
    }
    small_run_stop(run);
    return small_read(run->journal_path, n);
}

static void torn_last_record_is_dropped_at_every_byte(void **state)
{
    (void)state;
    struct small_run run;
    size_t n, last;
    uint8_t *bytes = make_journal(&run, &n, &last);
    assert_true(last < n && n - last < 200);
    for (size_t kept = last; kept <= n; kept++) {
        small_write(run.journal_path, bytes, kept);
        small_run_open(&run, true);
        assert_int_equal(cola_record_n_resumed(run.record), kept == n ? N_RESULTS : N_RESULTS - 1);
        small_run_steps(&run, 0, 2); /* goes on behind the cut ... */
        uint64_t n_known = cola_record_n_known(run.record);
        small_run_stop(&run);
        small_run_open(&run, true); /* ... and reads back */
        assert_int_equal(cola_record_n_resumed(run.record), n_known);
        small_run_stop(&run);
    }
    free(bytes);
    small_run_destroy(&run);
}

/* What a file system may leave behind the last record after a power cut. */
static void tail_of_zeros_or_garbage_is_dropped(void **state)
{
    (void)state;
    struct small_run run;
    size_t n, last;
    uint8_t *bytes = make_journal(&run, &n, &last), *longer = calloc(n + 5000, 1);
    for (int garbage = 0; garbage < 2; garbage++) {
        memcpy(longer, bytes, n);
        for (size_t i = 0; i < 5000; i++) longer[n + i] = garbage ? (uint8_t)(i * 131 + 7) : 0;
        small_write(run.journal_path, longer, n + 5000);
        small_run_open(&run, true);
        assert_int_equal(cola_record_n_resumed(run.record), N_RESULTS);
        small_run_stop(&run);
        size_t n_after;
        free(small_read(run.journal_path, &n_after));
        assert_in_range(n_after, n + 1, n + 1000); /* the new session's record stands where the tail was */
    }
    free(longer);
    free(bytes);
    small_run_destroy(&run);
}

static void flipped_byte_before_the_last_record_is_refused_with_its_offset(void **state)
{
    (void)state;
    static const uint8_t mask[] = {0x01, 0x80, 0xFF};
    struct small_run run;
    size_t n, last;
    uint8_t *bytes = make_journal(&run, &n, &last);
    for (size_t at = 0; at < last; at++)
        for (size_t m = 0; m < sizeof mask; m++) {
            bytes[at] ^= mask[m];
            small_write(run.journal_path, bytes, n);
            enum cola_status status = small_run_try_open(&run, true);
            if (status != COLA_ERR_INPUT && status != COLA_ERR_UNSUPPORTED)
                fail_msg("byte %zu ^ %02x: status %d", at, mask[m], status);
            assert_error_names("offset ");
            assert_file_is(run.journal_path, bytes, n);
            bytes[at] ^= mask[m];
        }
    free(bytes);
    small_run_destroy(&run);
}

static void flipped_byte_in_the_last_record_drops_it(void **state)
{
    (void)state;
    struct small_run run;
    size_t n, last;
    uint8_t *bytes = make_journal(&run, &n, &last);
    for (size_t at = last; at < n; at++) {
        bytes[at] ^= 0x10;
        small_write(run.journal_path, bytes, n);
        small_run_open(&run, true);
        assert_int_equal(cola_record_n_resumed(run.record), N_RESULTS - 1);
        small_run_stop(&run);
        bytes[at] ^= 0x10;
    }
    free(bytes);
    small_run_destroy(&run);
}

static void removed_or_repeated_record_is_refused(void **state)
{
    (void)state;
    struct small_run run;
    size_t n, last;
    uint8_t *bytes = make_journal(&run, &n, &last), *other = calloc(2 * n, 1);
    memcpy(other, bytes, n);
    memcpy(other + n, bytes + last, n - last); /* the last record twice */
    small_write(run.journal_path, other, n + (n - last));
    assert_int_equal(small_run_try_open(&run, true), COLA_ERR_INPUT);
    assert_error_names("expected record");
    small_write(run.journal_path, bytes, 16); /* only the magic */
    assert_int_equal(small_run_try_open(&run, true), COLA_ERR_INPUT);
    small_write(run.journal_path, bytes, 15);
    assert_int_equal(small_run_try_open(&run, true), COLA_ERR_INPUT);
    assert_error_names("15 bytes are no journal; without it --resume goes on from the run's file");
    free(other);
    free(bytes);
    small_run_destroy(&run);
}

/* An empty file by that name is no journal of a search: everything goes on as if it were not there. */
static void empty_journal_counts_as_none(void **state)
{
    (void)state;
    struct small_run run;
    char digest[COLA_HASH_TEXT], again[COLA_HASH_TEXT];
    small_run_create(&run);
    small_write(run.journal_path, (const uint8_t *)"", 0);
    small_run_whole(&run, digest); /* no run.h5: begins, without --resume */
    small_write(run.journal_path, (const uint8_t *)"", 0);
    assert_int_equal(small_run_try_open(&run, false), COLA_ERR_USAGE); /* run.h5 is there */
    small_write(run.journal_path, (const uint8_t *)"", 0);
    small_run_open(&run, true);
    small_run_all(&run);
    assert_int_equal(run.n_evaluated, 0);
    small_run_fold(&run);
    small_run_stop(&run);
    small_run_digest(run.run_path, again);
    assert_string_equal(digest, again);
    small_run_destroy(&run);
}

/* --- two writers ------------------------------------------------------------------------------------------
 */

static void second_writer_is_refused_until_the_first_is_dead(void **state)
{
    (void)state;
    struct small_run run;
    int ready[2];
    char byte, pid_text[64];
    small_run_create(&run);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        small_run_open(&run, false);
        small_run_steps(&run, 0, 3);
        if (cola_record_commit(run.record) != COLA_OK || write(ready[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(small_run_try_open(&run, true), COLA_ERR_IO);
    snprintf(pid_text, sizeof pid_text, "in use by process %ld", (long)child);
    assert_error_names(pid_text);
    assert_int_equal(small_run_try_open(&run, false), COLA_ERR_USAGE);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    small_run_open(&run, true);
    assert_int_equal(cola_record_n_resumed(run.record), 3);
    close(ready[0]);
    close(ready[1]);
    small_run_destroy(&run);
}

/* Killed at any moment: what was committed is there, and the next life goes on. */
static void killed_writer_loses_nothing_that_was_committed(void **state)
{
    (void)state;
    struct small_run run;
    int told[2];
    uint32_t n_committed = 0;
    small_run_create(&run);
    for (int life = 0; life < 6; life++) {
        assert_int_equal(pipe(told), 0);
        pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            small_run_open(&run, life > 0);
            for (uint32_t step = 0; step < 1000; step++) {
                for (uint32_t i = 0; i < SMALL_SAMPLES; i++) small_run_steps(&run, i, 1);
                uint32_t n = (uint32_t)cola_record_n_known(run.record);
                if (cola_record_commit(run.record) != COLA_OK || write(told[1], &n, sizeof n) != sizeof n)
                    _exit(1);
                if (step % 2 && small_run_try_fold(&run) != COLA_OK) _exit(1);
            }
            _exit(0);
        }
        close(told[1]);
        for (int heard = 0; heard < 2 + life; heard++)
            assert_int_equal(read(told[0], &n_committed, sizeof n_committed), sizeof n_committed);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(told[0], &n_committed, sizeof n_committed) == sizeof n_committed) {
        }
        close(told[0]);
        if (access(run.run_path, F_OK) == 0) { /* at every instant a whole, valid file */
            char digest[COLA_HASH_TEXT];
            small_run_digest(run.run_path, digest);
        }
        small_run_open(&run, true);
        assert_true(cola_record_n_resumed(run.record) >= n_committed);
        small_run_stop(&run);
    }
    struct small_run whole;
    char expected[COLA_HASH_TEXT], found[COLA_HASH_TEXT];
    small_run_create(&whole);
    small_run_whole(&whole, expected);
    small_run_open(&run, true);
    small_run_all(&run);
    small_run_fold(&run);
    small_run_digest(run.run_path, found);
    assert_string_equal(expected, found);
    assert_int_equal(small_run_files(&run, false), 3); /* temporaries of killed folds are gone */
    small_run_destroy(&whole);
    small_run_destroy(&run);
}

static void temporaries_of_dead_folds_are_removed_and_nothing_else(void **state)
{
    (void)state;
    struct small_run run;
    char dead[200], other[200];
    small_run_create(&run);
    snprintf(dead, sizeof dead, "%s.tmp.4194305", run.run_path);
    snprintf(other, sizeof other, "%s.tmp.mine", run.run_path);
    small_write(dead, (const uint8_t *)"x", 1);
    small_write(other, (const uint8_t *)"x", 1);
    small_run_open(&run, false);
    assert_int_not_equal(access(dead, F_OK), 0);
    assert_int_equal(access(other, F_OK), 0);
    small_run_destroy(&run);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1); /* dropped tails are expected here */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torn_last_record_is_dropped_at_every_byte),
        cmocka_unit_test(tail_of_zeros_or_garbage_is_dropped),
        cmocka_unit_test(flipped_byte_before_the_last_record_is_refused_with_its_offset),
        cmocka_unit_test(flipped_byte_in_the_last_record_drops_it),
        cmocka_unit_test(removed_or_repeated_record_is_refused),
        cmocka_unit_test(empty_journal_counts_as_none),
        cmocka_unit_test(second_writer_is_refused_until_the_first_is_dead),
        cmocka_unit_test(killed_writer_loses_nothing_that_was_committed),
        cmocka_unit_test(temporaries_of_dead_folds_are_removed_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_follow.c - a journal read beside its writer: at every length that a reader may find, grown step by
 * step, cut, replaced, locked by another process; and what is damaged or of another version. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cola/follow.h"
#include "cola/log.h"
#include "unit/record/small_run.h"

static void read_now(struct cola_follow *f, const char *path)
{
    if (cola_follow_read(f, path) != COLA_OK) fail_msg("%s", cola_error_text());
}

/* The journal of two steps of sample 0, and all of sample 1. */
static uint8_t *make_journal(struct small_run *run, size_t *n)
{
    small_run_create(run);
    small_run_open(run, false);
    small_run_steps(run, 0, 2);
    while (!small_run_steps(run, 1, 100)) {
    }
    small_run_stop(run);
    return small_read(run->journal_path, n);
}

static void no_journal_is_no_error_and_nothing_is_there(void **state)
{
    (void)state;
    struct cola_follow f = {0};
    read_now(&f, "/tmp/cola-no-such-directory/run.h5.journal");
    assert_false(f.there);
    assert_int_equal(f.n_evaluated, 0);
    cola_follow_fini(&f);
}

static void counts_are_those_of_the_search(void **state)
{
    (void)state;
    struct small_run run;
    struct cola_follow f = {0};
    size_t n;
    free(make_journal(&run, &n));
    small_run_open(&run, true); /* another process takes over ... */
    small_run_steps(&run, 0, 4);
    small_run_steps(&run, 2, 1);
    uint64_t n_known = cola_record_n_known(run.record), n_new = run.n_evaluated;
    small_run_stop(&run);
    read_now(&f, run.journal_path);
    assert_true(f.there);
    assert_int_equal(f.n_samples, SMALL_SAMPLES);
    assert_int_equal(f.n_begun, 3);
    assert_int_equal(f.n_finished, 1);
    assert_int_equal(f.n_processes, 2);
    assert_int_equal(f.n_simulations, 12);
    assert_int_equal(f.n_evaluated, n_known);
    assert_int_equal(f.n_new, n_new); /* ... and only what it evaluates is its own */
    assert_true(n_new == 3 && n_known > n_new);
    assert_int_equal(f.sample[0].n_evaluated, 4);
    assert_true(f.sample[1].finished && !f.sample[0].finished);
    assert_int_equal(f.unread, 0);
    double each = f.sample[1].n_evaluated;
    assert_true(cola_follow_left(&f) == (each - 4) + (each - 1));
    cola_follow_fini(&f);
    small_run_destroy(&run);
}

static void every_length_reads_as_a_prefix_and_grows_into_the_whole(void **state)
{
    (void)state;
    struct small_run run;
    struct cola_follow whole = {0}, grown = {0};
    size_t n;
    uint8_t *bytes = make_journal(&run, &n);
    read_now(&whole, run.journal_path);
    uint64_t before = 0;
    for (size_t kept = 0; kept <= n; kept++) {
        struct cola_follow fresh = {0};
        small_write(run.journal_path, bytes, kept);
        read_now(&fresh, run.journal_path);
        uint64_t n_fresh = fresh.n_evaluated;
        assert_int_equal(fresh.unread, kept - fresh.at);
        assert_true(n_fresh >= before && n_fresh <= before + 1);
        before = n_fresh;
        read_now(&grown, run.journal_path); /* the same file, which grows */
        assert_int_equal(grown.n_evaluated, n_fresh);
        assert_int_equal(grown.sequence, fresh.sequence);
        cola_follow_fini(&fresh);
    }
    assert_int_equal(grown.n_evaluated, whole.n_evaluated);
    assert_int_equal(grown.n_finished, whole.n_finished);
    assert_int_equal(small_run_files(&run, false), 2); /* tasks.h5 and the journal: nothing was made */
    cola_follow_fini(&whole);
    cola_follow_fini(&grown);
    free(bytes);
    small_run_destroy(&run);
}

static void a_torn_tail_waits_and_is_not_cut(void **state)
{
    (void)state;
    struct small_run run;
    struct cola_follow f = {0};
    size_t n, n_after;
    uint8_t *bytes = make_journal(&run, &n);
    bytes[n - 1] ^= 1; /* as a page that has not arrived */
    small_write(run.journal_path, bytes, n);
    read_now(&f, run.journal_path);
    assert_true(f.unread > 0);
    assert_int_equal(f.n_finished, 0);
    free(small_read(run.journal_path, &n_after));
    assert_int_equal(n_after, n);
    bytes[n - 1] ^= 1;
    small_write(run.journal_path, bytes, n);
    read_now(&f, run.journal_path);
    assert_int_equal(f.unread, 0);
    assert_int_equal(f.n_finished, 1);
    cola_follow_fini(&f);
    free(bytes);
    small_run_destroy(&run);
}

static void a_journal_that_was_cut_or_went_is_read_anew(void **state)
{
    (void)state;
    struct small_run run;
    struct cola_follow f = {0};
    size_t n;
    uint8_t *bytes = make_journal(&run, &n);
    read_now(&f, run.journal_path);
    uint64_t n_all = f.n_evaluated;
    small_write(run.journal_path, bytes, n / 2);
    read_now(&f, run.journal_path);
    assert_true(f.n_evaluated > 0 && f.n_evaluated < n_all);
    assert_int_equal(f.n_finished, 0);
    unlink(run.journal_path);
    read_now(&f, run.journal_path);
    assert_false(f.there);
    assert_int_equal(f.n_evaluated, 0);
    small_write(run.journal_path, bytes, n);
    read_now(&f, run.journal_path);
    assert_int_equal(f.n_evaluated, n_all);
    cola_follow_fini(&f);
    free(bytes);
    small_run_destroy(&run);
}

static void evaluations_beyond_a_fold_are_counted(void **state)
{
    (void)state;
    struct small_run run;
    struct cola_follow f = {0}, all = {0};
    size_t n;
    free(make_journal(&run, &n));
    read_now(&all, run.journal_path);
    f.folded = all.sequence;
    assert_int_equal(all.n_beyond, all.n_evaluated);
    small_run_open(&run, true);
    small_run_steps(&run, 2, 3);
    small_run_stop(&run);
    read_now(&f, run.journal_path);
    assert_int_equal(f.n_beyond, 3);
    uint64_t last = f.sequence; /* of an evaluation, which is then folded */
    cola_follow_fini(&f);
    f.folded = last;
    read_now(&f, run.journal_path);
    assert_int_equal(f.sequence, last);
    assert_int_equal(f.n_beyond, 0);
    cola_follow_fini(&f);
    cola_follow_fini(&all);
    small_run_destroy(&run);
}

static void the_lock_of_another_process_is_seen_and_kept(void **state)
{
    (void)state;
    struct small_run run;
    struct cola_follow f = {0};
    size_t n;
    int ready[2];
    char byte;
    free(make_journal(&run, &n));
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = open(run.journal_path, O_RDWR);
        bool held = fcntl(fd, F_SETLK, &all) == 0 && write(ready[1], "", 1) == 1;
        if (held) pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    read_now(&f, run.journal_path);
    assert_true(f.lock_seen && f.locked);
    read_now(&f, run.journal_path); /* reading has not ended it */
    assert_true(f.locked);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    read_now(&f, run.journal_path);
    assert_true(f.lock_seen && !f.locked);
    close(ready[0]);
    close(ready[1]);
    cola_follow_fini(&f);
    small_run_destroy(&run);
}

static void what_is_no_journal_is_refused(void **state)
{
    (void)state;
    struct small_run run;
    struct cola_follow f = {0};
    size_t n;
    uint8_t *bytes = make_journal(&run, &n);
    bytes[0] ^= 1;
    small_write(run.journal_path, bytes, n);
    assert_int_equal(cola_follow_read(&f, run.journal_path), COLA_ERR_INPUT);
    bytes[0] ^= 1;
    bytes[12]++;
    small_write(run.journal_path, bytes, n);
    assert_int_equal(cola_follow_read(&f, run.journal_path), COLA_ERR_UNSUPPORTED);
    assert_non_null(strstr(cola_error_text(), "version"));
    bytes[12]--;
    bytes[14]++; /* a newer minor version has records that this program does not know */
    small_write(run.journal_path, bytes, n);
    assert_int_equal(cola_follow_read(&f, run.journal_path), COLA_ERR_UNSUPPORTED);
    assert_int_equal(cola_follow_read(&f, run.directory), COLA_ERR_IO);
    cola_follow_fini(&f);
    free(bytes);
    small_run_destroy(&run);
}

static void a_journal_of_version_1_0_is_read(void **state)
{
    (void)state;
    struct cola_follow f = {0};
    read_now(&f, COLA_TEST_DATA "/runs/journal-1.0");
    assert_true(f.there && f.n_evaluated > 0);
    assert_int_equal(f.unread, 0);
    cola_follow_fini(&f);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_journal_is_no_error_and_nothing_is_there),
        cmocka_unit_test(counts_are_those_of_the_search),
        cmocka_unit_test(every_length_reads_as_a_prefix_and_grows_into_the_whole),
        cmocka_unit_test(a_torn_tail_waits_and_is_not_cut),
        cmocka_unit_test(a_journal_that_was_cut_or_went_is_read_anew),
        cmocka_unit_test(evaluations_beyond_a_fold_are_counted),
        cmocka_unit_test(the_lock_of_another_process_is_seen_and_kept),
        cmocka_unit_test(what_is_no_journal_is_refused),
        cmocka_unit_test(a_journal_of_version_1_0_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

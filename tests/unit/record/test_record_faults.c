/* test_record_faults.c - the disk is full, the directory cannot be written: COLA_ERR_IO, and what was there
 * stays. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cola/log.h"
#include "unit/record/small_run.h"

/* No file may grow beyond n bytes (as on a full disk, write fails): the signal is ignored in main. */
static void limit_files(rlim_t n)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void full_disk_at_a_fold_leaves_the_old_run(void **state)
{
    (void)state;
    struct small_run run;
    char digest[COLA_HASH_TEXT];
    size_t n;
    small_run_create(&run);
    small_run_open(&run, false);
    small_run_steps(&run, 0, 3);
    small_run_fold(&run);
    uint8_t *old = small_read(run.run_path, &n);
    small_run_all(&run);
    assert_int_equal(cola_record_commit(run.record), COLA_OK);
    for (rlim_t room = 0; room < n; room += n / 7 + 1) {
        limit_files(room);
        enum cola_status status = small_run_try_fold(&run);
        limit_files(RLIM_INFINITY);
        assert_int_equal(status, COLA_ERR_IO);
        assert_error_names("cannot be written");
        assert_file_is(run.run_path, old, n);
        assert_int_equal(small_run_files(&run, false), 3); /* no temporary stays */
    }
    small_run_fold(&run); /* there is room again */
    small_run_digest(run.run_path, digest);
    free(old);
    small_run_destroy(&run);
}

static void full_disk_at_a_record_leaves_a_whole_journal(void **state)
{
    (void)state;
    struct small_run run;
    float score[4];
    int32_t token[2];
    cola_layer layer[] = {0, 1, 2, 3};
    struct cola_chain chain = {layer, 4};
    struct cola_result result;
    size_t n;
    small_run_create(&run);
    small_run_open(&run, false);
    small_run_steps(&run, 0, 3);
    uint8_t *before = small_read(run.journal_path, &n);
    small_evaluate(cola_tasks_sample(run.tasks, 0), &chain, score, token, &result);
    for (size_t room = 0; room < 40; room += 13) {
        limit_files(n + room);
        enum cola_status status = cola_record_evaluated(run.record, 0, &chain, &result);
        limit_files(RLIM_INFINITY);
        assert_int_equal(status, COLA_ERR_IO);
        assert_file_is(run.journal_path, before, n);
    }
    assert_int_equal(cola_record_evaluated(run.record, 0, &chain, &result), COLA_OK);
    small_run_stop(&run);
    small_run_open(&run, true);
    assert_int_equal(cola_record_n_resumed(run.record), 4);
    free(before);
    small_run_destroy(&run);
}

static void full_disk_at_the_start_leaves_nothing(void **state)
{
    (void)state;
    struct small_run run;
    small_run_create(&run);
    limit_files(20);
    enum cola_status status = small_run_try_open(&run, false);
    limit_files(RLIM_INFINITY);
    assert_int_equal(status, COLA_ERR_IO);
    assert_int_equal(small_run_files(&run, false), 1); /* the tasks */
    small_run_open(&run, false);
    small_run_destroy(&run);
}

/* As somebody else than root, who may write everywhere. */
static void directory_that_cannot_be_written_is_an_io_error(void **state)
{
    (void)state;
    struct small_run run;
    size_t n;
    bool root = geteuid() == 0;
    small_run_create(&run);
    assert_int_equal(chmod(run.directory, 0555), 0);
    if (root) assert_int_equal(seteuid(65534), 0);
    enum cola_status status = small_run_try_open(&run, false);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, COLA_ERR_IO);
    assert_error_names(run.directory);
    assert_int_equal(chmod(run.directory, 0755), 0);
    small_run_open(&run, false);
    small_run_steps(&run, 0, 3);
    small_run_fold(&run);
    uint8_t *old = small_read(run.run_path, &n);
    small_run_steps(&run, 1, 3);
    assert_int_equal(chmod(run.directory, 0555), 0);
    if (root) assert_int_equal(seteuid(65534), 0);
    status = small_run_try_fold(&run);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, COLA_ERR_IO);
    assert_file_is(run.run_path, old, n);
    assert_int_equal(chmod(run.directory, 0755), 0);
    free(old);
    small_run_destroy(&run);
}

static void directory_that_does_not_exist_is_an_io_error(void **state)
{
    (void)state;
    struct small_run run;
    small_run_create(&run);
    snprintf(run.run_path, sizeof run.run_path, "%s/no/such/run.h5", run.directory);
    assert_int_equal(small_run_try_open(&run, false), COLA_ERR_IO);
    assert_error_names("no/such/run.h5");
    small_run_destroy(&run);
}

static void link_in_place_of_the_run_is_refused(void **state)
{
    (void)state;
    struct small_run run;
    char path[sizeof run.run_path];
    small_run_create(&run);
    snprintf(path, sizeof path, "%s/other.h5", run.directory);
    assert_int_equal(symlink(path, run.run_path), 0);
    assert_int_equal(small_run_try_open(&run, false), COLA_ERR_IO);
    assert_error_names("symbolic link");
    assert_int_equal(unlink(run.run_path), 0);
    small_run_destroy(&run);
}

/* Somebody removes the journal while the search runs: the next commit says so. */
static void journal_without_a_name_ends_the_search(void **state)
{
    (void)state;
    struct small_run run;
    char path[sizeof run.run_path + 16];
    small_run_create(&run);
    small_run_open(&run, false);
    small_run_steps(&run, 0, 1);
    assert_int_equal(cola_record_commit(run.record), COLA_OK);
    snprintf(path, sizeof path, "%s.journal", run.run_path);
    assert_int_equal(unlink(path), 0);
    small_run_steps(&run, 0, 2);
    enum cola_status status = cola_record_commit(run.record);
    for (int i = 0; i < 500 && status == COLA_OK; i++) { /* the journal's thread may be told later */
        usleep(10000);
        status = cola_record_commit(run.record);
    }
    assert_int_equal(status, COLA_ERR_IO);
    assert_error_names("was removed");
    small_run_destroy(&run);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_disk_at_a_fold_leaves_the_old_run),
        cmocka_unit_test(full_disk_at_a_record_leaves_a_whole_journal),
        cmocka_unit_test(full_disk_at_the_start_leaves_nothing),
        cmocka_unit_test(directory_that_cannot_be_written_is_an_io_error),
        cmocka_unit_test(directory_that_does_not_exist_is_an_io_error),
        cmocka_unit_test(link_in_place_of_the_run_is_refused),
        cmocka_unit_test(journal_without_a_name_ends_the_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

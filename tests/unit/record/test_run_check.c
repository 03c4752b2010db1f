/* test_run_check.c - a damaged run.h5 is refused by name before HDF5 sees it, and written anew where its
 * journal is good; a wrong --memo leaves nothing behind. */
#include "cola/log.h"
#include "unit/record/small_run.h"
#include "unit/seal.h"

static enum cola_status open_run(const char *path)
{
    struct cola_run *run = NULL;
    enum cola_status status = cola_run_open(path, &run);
    assert_int_equal(status == COLA_OK, run != NULL);
    cola_run_close(run);
    return status;
}

static void damaged_run_is_refused_by_name(void **state)
{
    (void)state;
    struct small_run run;
    char digest[COLA_HASH_TEXT];
    small_run_create(&run);
    small_run_whole(&run, digest);
    seal_assert_damage_refused(run.run_path, 7, open_run);
    small_run_destroy(&run);
}

static void error_says_what_to_do(void **state)
{
    (void)state;
    struct small_run run;
    char digest[COLA_HASH_TEXT];
    size_t n;
    small_run_create(&run);
    small_run_whole(&run, digest);
    uint8_t *bytes = small_read(run.run_path, &n);
    small_write(run.run_path, bytes, n - 1);
    assert_int_equal(open_run(run.run_path), COLA_ERR_INPUT);
    assert_error_names("restore it from a copy, or let --resume write it anew from its journal");
    assert_int_equal(unlink(run.journal_path), 0);
    assert_int_equal(open_run(run.run_path), COLA_ERR_INPUT);
    assert_null(strstr(cola_error_text(), "--resume"));
    assert_int_equal(small_run_try_open(&run, true), COLA_ERR_INPUT); /* there is nothing to go on from */
    assert_error_names(run.run_path);
    assert_int_equal(small_run_files(&run, false), 2);
    free(bytes);
    small_run_destroy(&run);
}

/* Journal good, run.h5 damaged anywhere: --resume has all results and writes the same run again. */
static void damaged_run_is_written_anew_from_its_journal(void **state)
{
    (void)state;
    struct small_run run;
    char expected[COLA_HASH_TEXT], found[COLA_HASH_TEXT];
    size_t n;
    small_run_create(&run);
    small_run_whole(&run, expected);
    uint8_t *bytes = small_read(run.run_path, &n);
    for (size_t at = 3; at < n; at += n / 40) {
        bytes[at] ^= 0x55;
        small_write(run.run_path, bytes, at % 2 ? n : at);
        bytes[at] ^= 0x55;
        small_run_open(&run, true);
        small_run_all(&run);
        assert_int_equal(run.n_evaluated, 0);
        small_run_fold(&run);
        small_run_stop(&run);
        small_run_digest(run.run_path, found);
        assert_string_equal(expected, found);
    }
    free(bytes);
    small_run_destroy(&run);
}

static void run_without_a_block_is_read(void **state)
{
    (void)state;
    struct small_run run;
    char expected[COLA_HASH_TEXT], found[COLA_HASH_TEXT];
    small_run_create(&run);
    small_run_whole(&run, expected);
    seal_strip_file(run.run_path);
    small_run_digest(run.run_path, found);
    assert_string_equal(expected, found);
    small_run_destroy(&run);
}

/* --- the memo ---------------------------------------------------------------------------------------------
 */

static enum cola_status open_with_memo(struct small_run *run, const char *memo_path)
{
    struct cola_record_setup setup = {.field = run->field,
                                      .n_fields = SMALL_FIELDS,
                                      .tasks = run->tasks,
                                      .n_samples = SMALL_SAMPLES,
                                      .memo_path = memo_path};
    return cola_record_open(run->run_path, &setup, &run->record);
}

static void wrong_memo_leaves_nothing_behind(void **state)
{
    (void)state;
    struct small_run first, second;
    char digest[COLA_HASH_TEXT];
    size_t n;
    small_run_create(&first);
    small_run_whole(&first, digest);
    uint8_t *bytes = small_read(first.run_path, &n);
    small_run_create(&second);
    assert_int_equal(open_with_memo(&second, "/tmp/cola-no-such-run.h5"), COLA_ERR_IO);
    assert_int_equal(open_with_memo(&second, second.tasks_path), COLA_ERR_INPUT);
    small_write(first.run_path, bytes, n / 2);
    assert_int_equal(open_with_memo(&second, first.run_path), COLA_ERR_INPUT);
    small_write(first.run_path, bytes, n);
    second.field[1].value = "bf16-2";
    assert_int_equal(open_with_memo(&second, first.run_path), COLA_ERR_MISMATCH);
    second.field[1].value = first.field[1].value;
    assert_null(second.record);
    assert_int_equal(small_run_files(&second, false), 1); /* the tasks: the right command is not refused */
    assert_int_equal(open_with_memo(&second, first.run_path), COLA_OK);
    assert_true(cola_record_n_memo(second.record) > SMALL_SAMPLES);
    assert_int_equal(cola_record_n_memo(second.record), cola_record_n_known(second.record));
    assert_int_equal(cola_record_n_resumed(second.record), 0);
    small_run_all(&second);
    assert_int_equal(second.n_evaluated, 0);
    free(bytes);
    small_run_destroy(&second);
    small_run_destroy(&first);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_run_is_refused_by_name),
        cmocka_unit_test(error_says_what_to_do),
        cmocka_unit_test(damaged_run_is_written_anew_from_its_journal),
        cmocka_unit_test(run_without_a_block_is_read),
        cmocka_unit_test(wrong_memo_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

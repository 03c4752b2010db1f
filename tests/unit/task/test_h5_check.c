/* test_h5_check.c - the check in a file's first block: what it is, that a damaged tasks.h5 is refused by name
 * before HDF5 sees it, and that files without one still open. */
#include "unit/seal.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cola/log.h"
#include "cola/task.h"
#include "unit/task/tasks_file.h"

static char path[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/cola-check-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) return -1;
    close(fd);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static enum cola_status open_tasks(const char *from)
{
    struct cola_tasks *tasks = NULL;
    enum cola_status status = cola_tasks_open(from, &tasks);
    assert_int_equal(status == COLA_OK, tasks != NULL);
    cola_tasks_close(tasks);
    return status;
}

static void assert_error_names(const char *words)
{
    if (!strstr(cola_error_text(), words)) fail_msg("'%s' is not in: %s", words, cola_error_text());
}

/* The hash is what Python's xxhash.xxh3_128(b"abc").hexdigest() gives. */
static void block_is_text_and_zeros(void **state)
{
    (void)state;
    static const char text[] = "cola-check 1\nxxh3 06b05ab6733a618578af5f94892f3950\nbytes 3\n";
    char block[COLA_H5_BLOCK_BYTES], expected[COLA_H5_BLOCK_BYTES] = {0};
    memcpy(expected, text, sizeof text - 1);
    assert_int_equal(cola_h5_block("abc", 3, block), COLA_OK);
    assert_memory_equal(block, expected, sizeof block);
}

static void damaged_tasks_are_refused_by_name(void **state)
{
    (void)state;
    H5Fclose(tasks_file_create(path));
    seal_plain_file(path);
    seal_assert_damage_refused(path, 7, open_tasks);
}

/* Strings of variable length, where the library follows offsets of the file. */
static void damaged_generate_tasks_are_refused_by_name(void **state)
{
    (void)state;
    hid_t file = tasks_file_create(path);
    tasks_file_make_generate(file);
    H5Fclose(file);
    seal_plain_file(path);
    seal_assert_damage_refused(path, 31, open_tasks);
}

static void error_says_what_does_not_fit(void **state)
{
    (void)state;
    size_t n;
    H5Fclose(tasks_file_create(path));
    seal_plain_file(path);
    char *bytes = seal_read(path, &n), words[128];
    seal_write(path, bytes, n - 10);
    assert_int_equal(open_tasks(path), COLA_ERR_INPUT);
    snprintf(words, sizeof words, "says that %zu bytes follow, found %zu", n - 512, n - 522);
    assert_error_names(words);
    bytes[n / 2] ^= 1;
    seal_write(path, bytes, n);
    assert_int_equal(open_tasks(path), COLA_ERR_INPUT);
    assert_error_names("do not match the check in its first block; restore it from a copy");
    seal_write(path, bytes, 400);
    assert_int_equal(open_tasks(path), COLA_ERR_INPUT);
    assert_error_names("ends after 400 bytes");
    free(bytes);
}

/* Whoever changes a file writes its block anew; the block alone says nothing about the content. */
static void sealed_nonsense_is_refused_by_hdf5(void **state)
{
    (void)state;
    char bytes[2048] = "no HDF5";
    bool checked = false;
    seal_write(path, bytes, sizeof bytes);
    seal_plain_file(path);
    assert_int_equal(cola_h5_check(path, &checked), COLA_OK);
    assert_true(checked);
    assert_int_equal(open_tasks(path), COLA_ERR_INPUT);
    assert_error_names("not a readable HDF5 file");
}

static void file_without_a_block_opens_unchecked(void **state)
{
    (void)state;
    bool checked = true;
    H5Fclose(tasks_file_create(path));
    assert_int_equal(cola_h5_check(path, &checked), COLA_OK);
    assert_false(checked);
    assert_int_equal(open_tasks(path), COLA_OK);
}

static void anything_else_is_no_hdf5_file(void **state)
{
    (void)state;
    static const char *const bytes[] = {
        "", "c", "cola-chec", "\x89HDF\r\n\x1a", "{\"a\": 1}", "COLA-CHECK 1\n"};
    char zeros[4096] = {0};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        seal_write(path, bytes[i], strlen(bytes[i]));
        seal_assert_refused(path, open_tasks, "file", i);
        assert_error_names("is no HDF5 file");
    }
    seal_write(path, zeros, sizeof zeros);
    seal_assert_refused(path, open_tasks, "zeros", 0);
    assert_error_names("is no HDF5 file");
    assert_int_equal(open_tasks("/tmp"), COLA_ERR_INPUT);
    assert_int_equal(open_tasks("/tmp/cola-no-such-file.h5"), COLA_ERR_IO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* opening it would wait for ever */
    seal_assert_refused(path, open_tasks, "pipe", 0);
}

/* Longer than the piece that is read at once, and a whole number of pieces. */
static void long_files_are_checked_to_the_end(void **state)
{
    (void)state;
    bool checked;
    for (size_t n = (2 << 20) - 1; n <= (2 << 20) + 1; n++) {
        char *bytes = calloc(n, 1);
        assert_non_null(bytes);
        seal_write(path, bytes, n);
        free(bytes);
        seal_plain_file(path);
        assert_int_equal(cola_h5_check(path, &checked), COLA_OK);
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, -1, SEEK_END), 0);
        assert_int_equal(fputc(1, file), 1);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(cola_h5_check(path, &checked), COLA_ERR_INPUT);
    }
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_is_text_and_zeros),
        cmocka_unit_test_setup_teardown(damaged_tasks_are_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_generate_tasks_are_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(error_says_what_does_not_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sealed_nonsense_is_refused_by_hdf5, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_without_a_block_opens_unchecked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(anything_else_is_no_hdf5_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_files_are_checked_to_the_end, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

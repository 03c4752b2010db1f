/* test_journal_writer.c - the journal's thread: the same bytes as without it, whoever writes them; what is
 * said to be durable was synced; a failure of the disk is told and stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "record/journal_writer.h"

enum { N_BATCHES = 300 };

static void fill(struct cola_pack *pack, int i)
{
    for (int k = 0; k <= i % 50; k++) cola_pack_uint(pack, (uint64_t)(i * 31 + k), 4);
}

static int open_temporary(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    return fd;
}

static void batches_are_written_in_order_and_synced(void **state)
{
    (void)state;
    char path[] = "/tmp/cola-writer-XXXXXX";
    int fd = open_temporary(path);
    struct cola_journal_writer *w;
    struct cola_pack expected = {0}, batch = {0};
    assert_int_equal(write(fd, "head", 4), 4);
    assert_int_equal(cola_journal_writer_start(fd, path, 4, &w), COLA_OK);
    assert_int_equal(cola_journal_writer_durable(w), 4);
    for (int i = 0; i < N_BATCHES; i++) {
        bool sync = i % 7 == 0;
        fill(&expected, i);
        fill(&batch, i);
        enum cola_journal_wait wait = (enum cola_journal_wait)(i % 3);
        assert_int_equal(cola_journal_writer_give(w, &batch, &sync, wait), COLA_OK);
        assert_true(wait == COLA_JOURNAL_HAND_OVER || (batch.n == 0 && !sync)); /* or it stays here */
        if (wait == COLA_JOURNAL_WRITTEN) {
            struct stat about;
            assert_int_equal(fstat(fd, &about), 0);
            assert_int_equal(about.st_size, 4 + expected.n);
        }
        assert_true(cola_journal_writer_durable(w) <= 4 + expected.n - batch.n);
    }
    bool sync = true;
    assert_int_equal(cola_journal_writer_give(w, &batch, &sync, COLA_JOURNAL_WRITTEN), COLA_OK);
    assert_int_equal(cola_journal_writer_durable(w), 4 + expected.n);
    cola_journal_writer_stop(w);
    uint8_t *got = malloc(expected.n);
    assert_int_equal(pread(fd, got, expected.n, 4), expected.n);
    assert_memory_equal(got, expected.byte, expected.n);
    free(got);
    free(expected.byte);
    free(batch.byte);
    close(fd);
    unlink(path);
}

static void failure_of_the_thread_is_told_and_stays(void **state)
{
    (void)state;
    for (int wait = 0; wait < 3; wait++) {
        struct cola_journal_writer *w;
        struct cola_pack batch = {0};
        bool sync = true;
        int fd = open("/dev/full", O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(cola_journal_writer_start(fd, "full", 0, &w), COLA_OK);
        fill(&batch, 3);
        (void)!cola_journal_writer_give(w, &batch, &sync, (enum cola_journal_wait)wait);
        for (int i = 0; i < 2; i++) {
            fill(&batch, 3);
            sync = true;
            assert_int_equal(cola_journal_writer_give(w, &batch, &sync, COLA_JOURNAL_WRITTEN), COLA_ERR_IO);
            assert_non_null(strstr(cola_error_text(), "full"));
        }
        assert_int_equal(cola_journal_writer_durable(w), 0);
        cola_journal_writer_stop(w);
        free(batch.byte);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_written_in_order_and_synced),
        cmocka_unit_test(failure_of_the_thread_is_told_and_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_status.c - the last error's text: bounded, prefixed, safe with its own text as argument, one a thread;
 * and log lines, which are written whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cola/log.h"
#include "cola/status.h"

static void fail_stores_text_and_returns_status(void **state)
{
    (void)state;
    assert_int_equal(cola_fail(COLA_ERR_INPUT, "%s: %d bytes, expected %d", "a.bin", 3, 8), COLA_ERR_INPUT);
    assert_string_equal(cola_error_text(), "a.bin: 3 bytes, expected 8");
    assert_int_equal(cola_fail_in(COLA_ERR_IO, "model %s", "m"), COLA_ERR_IO);
    assert_string_equal(cola_error_text(), "model m: a.bin: 3 bytes, expected 8");
    cola_fail(COLA_ERR_INPUT, "again: %s", cola_error_text());
    assert_string_equal(cola_error_text(), "again: model m: a.bin: 3 bytes, expected 8");
    cola_fail_in(COLA_ERR_INPUT, "[%s]", cola_error_text());
    assert_string_equal(cola_error_text(),
                        "[again: model m: a.bin: 3 bytes, expected 8]: again: model m: a.bin: 3 "
                        "bytes, expected 8");
}

static void long_text_is_cut(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    cola_fail(COLA_ERR_INPUT, "%s", text);
    assert_int_equal(strlen(cola_error_text()), 1023);
    for (int i = 0; i < 5; i++) cola_fail_in(COLA_ERR_INPUT, "outer %d", i);
    assert_int_equal(strlen(cola_error_text()), 1023);
    assert_memory_equal(cola_error_text(), "outer 4: outer 3: ", 18);
    cola_fail_in(COLA_ERR_INPUT, "%s", text);
    assert_int_equal(strlen(cola_error_text()), 1023);
}

static void *other_thread(void *argument)
{
    *(int *)argument = strcmp(cola_error_text(), "") == 0;
    cola_fail(COLA_ERR_IO, "theirs");
    return NULL;
}

static void text_is_of_the_thread(void **state)
{
    (void)state;
    pthread_t thread;
    int was_empty = 0;
    cola_fail(COLA_ERR_IO, "ours");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &was_empty), 0);
    pthread_join(thread, NULL);
    assert_true(was_empty);
    assert_string_equal(cola_error_text(), "ours");
}

static enum cola_status fails_by_try(int *reached)
{
    COLA_TRY(COLA_OK);
    *reached = 1;
    COLA_TRY(cola_fail(COLA_ERR_MISMATCH, "no"));
    *reached = 2;
    return COLA_OK;
}

static void try_hands_failure_on(void **state)
{
    (void)state;
    int reached = 0;
    assert_int_equal(fails_by_try(&reached), COLA_ERR_MISMATCH);
    assert_int_equal(reached, 1);
}

/* What one call writes to stderr. */
static ssize_t logged(enum cola_log_level level, const char *words, char *line, size_t n_line)
{
    int pipes[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    cola_log(level, "%s", words);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipes[1]);
    ssize_t n = read(pipes[0], line, n_line - 1);
    close(pipes[0]);
    line[n > 0 ? n : 0] = '\0';
    return n;
}

static void log_writes_one_whole_line_of_its_level(void **state)
{
    (void)state;
    char line[8192], text[5000];
    logged(COLA_LOG_INFO, "7 samples", line, sizeof line);
    assert_string_equal(line, "cola: 7 samples\n");
    assert_int_equal(logged(COLA_LOG_DEBUG, "hidden", line, sizeof line), 0);
    cola_log_setup(COLA_LOG_WARN, 3);
    logged(COLA_LOG_WARN, "odd", line, sizeof line);
    assert_string_equal(line, "cola[3]: warning: odd\n");
    assert_int_equal(logged(COLA_LOG_INFO, "hidden", line, sizeof line), 0);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    ssize_t n = logged(COLA_LOG_ERROR, text, line, sizeof line);
    assert_true(n > 2000 && n <= 2048);
    assert_int_equal(line[n - 1], '\n');
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    assert_memory_equal(line + n - 4, "xxx", 3);
    cola_log_setup(COLA_LOG_INFO, -1);
}

static void log_does_not_command_the_terminal(void **state)
{
    (void)state;
    char line[256];
    logged(COLA_LOG_INFO,
           "id \x1b[31m\x7f\r \xC2\x9B"
           "1m \xC3\xA9 a\tb\nc \xC2",
           line, sizeof line);
    assert_string_equal(line, "cola: id ?[31m?? ?\?"
                              "1m \xC3\xA9 a\tb\nc \xC2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_stores_text_and_returns_status),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(text_is_of_the_thread),
        cmocka_unit_test(try_hands_failure_on),
        cmocka_unit_test(log_writes_one_whole_line_of_its_level),
        cmocka_unit_test(log_does_not_command_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

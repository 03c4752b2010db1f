/* test_shared_memory.c - processes that share a block: bytes filled by the first are read by the others,
 * however late they or it come; nothing else is believed, and who is killed leaves nobody waiting and nothing
 * behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cola/clock.h"
#include "cola/shared_memory.h"

enum { N_BYTES = 3 * 4096 + 100, N_OTHERS = 3 };

static struct cola_shared_name new_name(void)
{
    static uint64_t n;
    return (struct cola_shared_name){.key = ((uint64_t)getpid() << 32) + ++n, .content = 77};
}

static void fill(struct cola_shared_memory *memory)
{
    unsigned char *bytes = cola_shared_memory_bytes(memory);
    for (size_t i = 0; i < N_BYTES; i++) bytes[i] = (unsigned char)(i * 7 + 1);
}

static bool is_filled(const struct cola_shared_memory *memory)
{
    const unsigned char *bytes = cola_shared_memory_bytes(memory);
    for (size_t i = 0; i < N_BYTES; i++)
        if (bytes[i] != (unsigned char)(i * 7 + 1)) return false;
    return true;
}

/* Exit status of a process that joins and reads: 0 all is there, else 10 + status or 1. */
static pid_t start_reader(const struct cola_shared_name *name)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    struct cola_shared_memory *memory;
    enum cola_status status =
        cola_shared_memory_join(name, N_BYTES, &(struct cola_shared_patience){.seconds = 20}, &memory);
    if (status != COLA_OK) _exit(10 + (int)status);
    bool good = is_filled(memory);
    cola_shared_memory_close(memory);
    _exit(good ? 0 : 1);
}

static int end_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void others_read_what_the_first_filled_whoever_comes_late(void **state)
{
    (void)state;
    for (int late = 0; late < 3; late++) { /* the first; the others while it fills; one after the offer */
        struct cola_shared_name name = new_name();
        struct cola_shared_memory *memory;
        pid_t reader[N_OTHERS];
        for (int i = 0; late == 0 && i < N_OTHERS; i++) reader[i] = start_reader(&name);
        if (late == 0) usleep(60000);
        assert_int_equal(cola_shared_memory_create(&name, N_BYTES, &memory), COLA_OK);
        for (int i = 0; late > 0 && i < N_OTHERS - (late == 2); i++) reader[i] = start_reader(&name);
        usleep(30000);
        fill(memory);
        assert_int_equal(cola_shared_memory_offer(memory, N_OTHERS), COLA_OK);
        if (late == 2) reader[N_OTHERS - 1] = start_reader(&name);
        for (int i = 0; i < N_OTHERS; i++) assert_int_equal(end_of(reader[i]), 0);
        cola_shared_memory_close(memory);
    }
}

static bool third_time(void *n_asked)
{
    return ++*(int *)n_asked == 3;
}

static void first_may_leave_before_the_others(void **state)
{
    (void)state;
    struct cola_shared_name name = new_name();
    struct cola_shared_memory *first, *other;
    assert_int_equal(cola_shared_memory_create(&name, N_BYTES, &first), COLA_OK);
    fill(first);
    assert_int_equal(cola_shared_memory_offer(first, 5), COLA_OK); /* four of them never come */
    assert_int_equal(
        cola_shared_memory_join(&name, N_BYTES, &(struct cola_shared_patience){.seconds = 5}, &other),
        COLA_OK);
    cola_shared_memory_close(first);
    assert_true(is_filled(other));
    cola_shared_memory_close(other);
    double since_s = cola_clock_s(); /* the name went with the first */
    assert_int_equal(
        cola_shared_memory_join(&name, N_BYTES, &(struct cola_shared_patience){.seconds = 0.2}, &other),
        COLA_ERR_UNSUPPORTED);
    assert_true(cola_clock_s() - since_s < 5);
    struct cola_shared_patience patience = {.seconds = 60, .given_up = third_time, .user = &(int){0}};
    assert_int_equal(cola_shared_memory_join(&name, N_BYTES, &patience, &other), COLA_ERR_STOPPED);
    assert_true(cola_clock_s() - since_s < 10);
    assert_int_equal(cola_shared_memory_create(&name, N_BYTES, &first), COLA_OK);
    cola_shared_memory_close(first); /* nothing offered */
    cola_shared_memory_close(NULL);
}

static void other_content_and_size_are_refused(void **state)
{
    (void)state;
    struct cola_shared_name name = new_name(), other_name = name;
    struct cola_shared_memory *first, *other;
    other_name.content++;
    assert_int_equal(cola_shared_memory_create(&name, N_BYTES, &first), COLA_OK);
    fill(first);
    assert_int_equal(cola_shared_memory_offer(first, 9), COLA_OK);
    assert_int_equal(
        cola_shared_memory_join(&other_name, N_BYTES, &(struct cola_shared_patience){.seconds = 5}, &other),
        COLA_ERR_MISMATCH);
    assert_int_equal(
        cola_shared_memory_join(&name, N_BYTES + 4096, &(struct cola_shared_patience){.seconds = 5}, &other),
        COLA_ERR_MISMATCH);
    assert_int_equal(cola_shared_memory_create(&name, N_BYTES, &other), COLA_ERR_UNSUPPORTED); /* taken */
    assert_int_equal(
        cola_shared_memory_join(&name, N_BYTES, &(struct cola_shared_patience){.seconds = 5}, &other),
        COLA_OK);
    cola_shared_memory_close(other);
    cola_shared_memory_close(first);
}

/* The first process is killed while it fills: who waits for it must know at once. */
static void first_killed_while_filling_ends_the_waiting(void **state)
{
    (void)state;
    struct cola_shared_name name = new_name();
    struct cola_shared_memory *memory;
    pid_t first = fork();
    if (first == 0) {
        if (cola_shared_memory_create(&name, N_BYTES, &memory) != COLA_OK) _exit(1);
        for (;;) pause();
    }
    pid_t reader = start_reader(&name);
    usleep(200000);
    assert_int_equal(waitpid(reader, NULL, WNOHANG), 0); /* it waits */
    double since_s = cola_clock_s();
    kill(first, SIGKILL);
    assert_int_equal(end_of(first), 128 + SIGKILL);
    assert_int_equal(end_of(reader), 10 + COLA_ERR_STOPPED);
    assert_true(cola_clock_s() - since_s < 5);
    assert_int_equal(cola_shared_memory_create(&name, N_BYTES, &memory),
                     COLA_OK); /* nothing was left behind */
    cola_shared_memory_close(memory);
}

/* A reader that is killed takes nobody's place. */
static void killed_reader_does_not_disturb_the_others(void **state)
{
    (void)state;
    struct cola_shared_name name = new_name();
    struct cola_shared_memory *memory;
    assert_int_equal(cola_shared_memory_create(&name, N_BYTES, &memory), COLA_OK);
    pid_t killed = start_reader(&name), reader = start_reader(&name);
    usleep(50000);
    kill(killed, SIGKILL);
    end_of(killed);
    fill(memory);
    assert_int_equal(cola_shared_memory_offer(memory, 2), COLA_OK);
    assert_int_equal(end_of(reader), 0);
    cola_shared_memory_close(memory);
}

static void shared_bytes_are_read_only(void **state)
{
    (void)state;
    struct cola_shared_name name = new_name();
    struct cola_shared_memory *first, *other;
    assert_int_equal(cola_shared_memory_create(&name, N_BYTES, &first), COLA_OK);
    fill(first);
    assert_int_equal(cola_shared_memory_offer(first, 1), COLA_OK);
    assert_int_equal(
        cola_shared_memory_join(&name, N_BYTES, &(struct cola_shared_patience){.seconds = 5}, &other),
        COLA_OK);
    struct cola_shared_memory *both[] = {first, other};
    for (int i = 0; i < 2; i++) {
        pid_t writer = fork();
        if (writer == 0) {
            signal(SIGSEGV, SIG_DFL); /* sanitizers catch it */
            *(volatile char *)cola_shared_memory_bytes(both[i]) = 1;
            _exit(0);
        }
        assert_int_equal(end_of(writer), 128 + SIGSEGV);
    }
    cola_shared_memory_close(other);
    cola_shared_memory_close(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_read_what_the_first_filled_whoever_comes_late),
        cmocka_unit_test(first_may_leave_before_the_others),
        cmocka_unit_test(other_content_and_size_are_refused),
        cmocka_unit_test(first_killed_while_filling_ends_the_waiting),
        cmocka_unit_test(killed_reader_does_not_disturb_the_others),
        cmocka_unit_test(shared_bytes_are_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

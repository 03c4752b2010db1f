/* test_comm_local.c - the in-process transport: order, no deadlock when both ends flood, timeouts, abort. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <string.h>
#include <cmocka.h>

#include "cola/clock.h"
#include "cola/comm.h"

enum { N_FLOOD = 100000 };

struct letter {
    uint32_t number, check;
    uint8_t body[40];
};

static struct letter letter_of(uint32_t i)
{
    struct letter l = {.number = i, .check = ~i};
    memset(l.body, (int)(i & 0xff), sizeof l.body);
    return l;
}

/* Sends all, then receives all in order: with bounded mailboxes two such ends would wait for each other. The
 * length differs from letter to letter. Returns the number of right letters. */
static uint32_t flood(struct cola_comm *comm)
{
    uint32_t peer = 1 - comm->rank, n = 0;
    for (uint32_t i = 0; i < N_FLOOD; i++) {
        struct letter l = letter_of(i);
        if (cola_comm_send(comm, peer, &l, 8 + i % 41) != COLA_OK) return n;
    }
    for (; n < N_FLOOD; n++) {
        struct cola_packet packet;
        struct letter l = letter_of(n);
        if (cola_comm_receive(comm, 60, &packet) != COLA_OK || packet.from != peer) return n;
        if (packet.n_bytes != 8 + n % 41 || memcmp(packet.bytes, &l, packet.n_bytes) != 0) return n;
    }
    return n;
}

static void *flood_thread(void *comm)
{
    return (void *)(uintptr_t)flood(comm);
}

static void two_ends_that_flood_each_other_receive_all_in_order(void **state)
{
    (void)state;
    struct cola_comm *end[2];
    pthread_t thread;
    void *other = NULL;
    assert_int_equal(cola_comm_local_pair(end), COLA_OK);
    assert_int_equal(end[0]->rank, 0);
    assert_int_equal(end[1]->rank, 1);
    assert_int_equal(pthread_create(&thread, NULL, flood_thread, end[1]), 0);
    uint32_t mine = flood(end[0]);
    pthread_join(thread, &other);
    assert_int_equal(mine, N_FLOOD);
    assert_int_equal((uint32_t)(uintptr_t)other, N_FLOOD);
    cola_comm_close(end[0]);
    cola_comm_close(end[1]);
}

static void *echo_thread(void *argument)
{
    struct cola_comm *comm = argument;
    struct cola_packet packet;
    while (cola_comm_receive(comm, 60, &packet) == COLA_OK && packet.n_bytes > 1)
        if (cola_comm_send(comm, 0, packet.bytes, packet.n_bytes) != COLA_OK) break;
    return NULL;
}

static void question_and_answer_wake_each_other(void **state)
{
    (void)state;
    struct cola_comm *end[2];
    struct cola_packet packet;
    pthread_t thread;
    assert_int_equal(cola_comm_local_pair(end), COLA_OK);
    assert_int_equal(pthread_create(&thread, NULL, echo_thread, end[1]), 0);
    for (uint32_t i = 0; i < 2000; i++) {
        assert_int_equal(cola_comm_send(end[0], 1, &i, sizeof i), COLA_OK);
        assert_int_equal(cola_comm_receive(end[0], 60, &packet), COLA_OK);
        assert_int_equal(packet.n_bytes, sizeof i);
        assert_memory_equal(packet.bytes, &i, sizeof i);
    }
    assert_int_equal(cola_comm_send(end[0], 1, "", 1), COLA_OK);
    pthread_join(thread, NULL);
    cola_comm_close(end[1]);
    cola_comm_close(end[0]);
}

static void receive_without_a_message_times_out_empty(void **state)
{
    (void)state;
    struct cola_comm *end[2];
    struct cola_packet packet = {.n_bytes = 9};
    assert_int_equal(cola_comm_local_pair(end), COLA_OK);
    double began_s = cola_clock_s();
    assert_int_equal(cola_comm_receive(end[0], 0, &packet), COLA_OK);
    assert_int_equal(packet.n_bytes, 0);
    assert_int_equal(cola_comm_receive(end[0], 0.05, &packet), COLA_OK);
    assert_int_equal(packet.n_bytes, 0);
    assert_true(cola_clock_s() - began_s >= 0.05);
    cola_comm_close(end[0]);
    cola_comm_close(end[1]);
}

static void abort_fails_the_other_end(void **state)
{
    (void)state;
    struct cola_comm *end[2];
    struct cola_packet packet;
    assert_int_equal(cola_comm_local_pair(end), COLA_OK);
    cola_comm_abort(end[1], 1);
    assert_int_equal(cola_comm_receive(end[0], 60, &packet), COLA_ERR_LIBRARY);
    cola_comm_close(end[0]);
    cola_comm_close(end[1]);
}

static void unread_messages_are_freed_with_the_last_end(void **state)
{
    (void)state;
    struct cola_comm *end[2];
    assert_int_equal(cola_comm_local_pair(end), COLA_OK);
    for (int i = 0; i < 10; i++) assert_int_equal(cola_comm_send(end[0], 1, "abc", 3), COLA_OK);
    cola_comm_close(end[0]);
    cola_comm_close(end[1]); /* LeakSanitizer counts them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_ends_that_flood_each_other_receive_all_in_order),
        cmocka_unit_test(question_and_answer_wake_each_other),
        cmocka_unit_test(receive_without_a_message_times_out_empty),
        cmocka_unit_test(abort_fails_the_other_end),
        cmocka_unit_test(unread_messages_are_freed_with_the_last_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_message.c - every kind survives the way; every shortened, lengthened or corrupted message is an error
 * or a message whose arrays are inside its buffer (ASan watches), never a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cluster/message.h"
#include "cola/random.h"

enum { N_KINDS = 8 };

static const cola_layer layers[] = {0, 1, 2, 2, 4095, 3};
static const int32_t prompt[] = {5, 0, 2147483647, 17}, first[] = {1}, second[] = {9, 8, 7};
static const struct cola_tokens candidates[] = {{first, 1}, {second, 3}};
static const uint32_t bytes_of_choices[] = {3, 4};

/* One message of each kind with every field different from zero. */
static struct cola_message example(enum cola_message_kind kind)
{
    static const float scores[] = {-1.5f, 3.25e-40f, 1e30f};
    struct cola_message m = {.kind = kind};
    switch (kind) {
    case COLA_MESSAGE_START:
        m.start = (struct cola_start){1234567, 0xfedcba9876543210ull, {77, 45, 4321, 64}};
        break;
    case COLA_MESSAGE_HELLO:
        m.hello = (struct cola_hello){.program = "0.1.0 abc",
                                      .backend = "cpu",
                                      .device = "avx2, 2 threads",
                                      .host = "node\xc3\xa9",
                                      .model_fingerprint = "xxh3:00112233445566778899aabbccddeeff",
                                      .numerics_id = "f32-1",
                                      .n_layers = 30,
                                      .n_vocab = 49152,
                                      .max_positions = 8192,
                                      .credit = 55,
                                      .n_threads = 2,
                                      .n_sharing = 3,
                                      .packs_weights = 1,
                                      .weight_bytes = 0x123456789abcdefull,
                                      .memory_bytes = 0x223456789abcdefull,
                                      .batch_bytes = 0x323456789abcdefull,
                                      .state_bytes = 0x423456789abcdefull,
                                      .load_s = 1.25f};
        break;
    case COLA_MESSAGE_SAMPLE:
        m.sample = (struct cola_sample){.index = 77,
                                        .prompt = prompt,
                                        .n_prompt_tokens = 4,
                                        .candidate = candidates,
                                        .candidate_bytes = bytes_of_choices,
                                        .n_candidates = 2,
                                        .gold = 1,
                                        .rule = COLA_SCORE_LOGLIK,
                                        .max_new_tokens = 50,
                                        .stop_token = prompt + 1,
                                        .n_stop_tokens = 2};
        break;
    case COLA_MESSAGE_REQUEST:
        m.request = (struct cola_request_message){0xfedcba9876543210ull, 77, {layers, 6}};
        break;
    case COLA_MESSAGE_RESULT:
        m.busy_s = 12345.678901234567;
        m.memory_bytes = 0x523456789abcdefull;
        m.state_bytes = 0x623456789abcdefull;
        m.result = (struct cola_result){.id = 0xfedcba9876543210ull,
                                        .outcome = COLA_OUTCOME_NON_FINITE,
                                        .score = scores,
                                        .n_scores = 3,
                                        .token = prompt,
                                        .n_tokens = 4,
                                        .logsumexp = 12.5f,
                                        .argmax = -1,
                                        .cost = {30, 20, 0x123456789ull, 0.125f}};
        break;
    case COLA_MESSAGE_FORGET: m.forget = 0xffffffff; break;
    case COLA_MESSAGE_SHUTDOWN: m.shutdown = 75; break;
    case COLA_MESSAGE_ERROR:
        m.error = (struct cola_error_message){COLA_ERR_MEMORY, -1, "out of memory for 7 bytes"};
        break;
    }
    return m;
}

static void assert_same_tokens(const int32_t *a, uint32_t n_a, const int32_t *b, uint32_t n_b)
{
    assert_int_equal(n_a, n_b);
    if (n_a) assert_memory_equal(a, b, n_a * sizeof *a);
}

static void assert_same(const struct cola_message *a, const struct cola_message *b)
{
    assert_int_equal(a->kind, b->kind);
    switch (a->kind) {
    case COLA_MESSAGE_START:
        assert_int_equal(a->start.n_samples, b->start.n_samples);
        assert_true(a->start.sharing_key == b->start.sharing_key);
        assert_int_equal(a->start.most.sample, b->start.most.sample);
        assert_int_equal(a->start.most.n_layers, b->start.most.n_layers);
        assert_int_equal(a->start.most.n_rows, b->start.most.n_rows);
        assert_int_equal(a->start.most.n_answer_tokens, b->start.most.n_answer_tokens);
        break;
    case COLA_MESSAGE_HELLO:
        assert_string_equal(a->hello.program, b->hello.program);
        assert_string_equal(a->hello.backend, b->hello.backend);
        assert_string_equal(a->hello.device, b->hello.device);
        assert_string_equal(a->hello.host, b->hello.host);
        assert_string_equal(a->hello.model_fingerprint, b->hello.model_fingerprint);
        assert_string_equal(a->hello.numerics_id, b->hello.numerics_id);
        assert_memory_equal(&a->hello.n_layers, &b->hello.n_layers,
                            offsetof(struct cola_hello, load_s) + 4 - offsetof(struct cola_hello, n_layers));
        break;
    case COLA_MESSAGE_SAMPLE:
        assert_int_equal(a->sample.index, b->sample.index);
        assert_int_equal(a->sample.rule, b->sample.rule);
        assert_same_tokens(a->sample.prompt, a->sample.n_prompt_tokens, b->sample.prompt,
                           b->sample.n_prompt_tokens);
        assert_int_equal(a->sample.n_candidates, b->sample.n_candidates);
        for (uint32_t i = 0; i < a->sample.n_candidates; i++)
            assert_same_tokens(a->sample.candidate[i].token, a->sample.candidate[i].n_tokens,
                               b->sample.candidate[i].token, b->sample.candidate[i].n_tokens);
        assert_int_equal(a->sample.max_new_tokens, b->sample.max_new_tokens);
        assert_same_tokens(a->sample.stop_token, a->sample.n_stop_tokens, b->sample.stop_token,
                           b->sample.n_stop_tokens);
        break;
    case COLA_MESSAGE_REQUEST:
        assert_true(a->request.id == b->request.id);
        assert_int_equal(a->request.sample, b->request.sample);
        assert_true(cola_chain_equal(&a->request.chain, &b->request.chain));
        break;
    case COLA_MESSAGE_RESULT:
        assert_true(a->result.id == b->result.id);
        assert_int_equal(a->result.outcome, b->result.outcome);
        assert_int_equal(a->result.n_scores, b->result.n_scores);
        assert_memory_equal(a->result.score, b->result.score, a->result.n_scores * sizeof(float));
        assert_same_tokens(a->result.token, a->result.n_tokens, b->result.token, b->result.n_tokens);
        assert_memory_equal(&a->result.logsumexp, &b->result.logsumexp, sizeof(float));
        assert_int_equal(a->result.argmax, b->result.argmax);
        assert_memory_equal(&a->result.cost, &b->result.cost, sizeof a->result.cost);
        assert_true(a->busy_s == b->busy_s);
        assert_true(a->memory_bytes == b->memory_bytes && a->state_bytes == b->state_bytes);
        break;
    case COLA_MESSAGE_FORGET: assert_int_equal(a->forget, b->forget); break;
    case COLA_MESSAGE_SHUTDOWN: assert_int_equal(a->shutdown, b->shutdown); break;
    case COLA_MESSAGE_ERROR:
        assert_int_equal(a->error.status, b->error.status);
        assert_true(a->error.sample == b->error.sample);
        assert_string_equal(a->error.text, b->error.text);
        break;
    }
}

static void message_of_every_kind_arrives_as_it_was(void **state)
{
    (void)state;
    struct cola_buffer bytes = {0}, room = {0};
    for (int kind = 1; kind <= N_KINDS; kind++) {
        struct cola_message sent = example((enum cola_message_kind)kind), got;
        assert_int_equal(cola_message_pack(&sent, &bytes), COLA_OK);
        assert_int_equal(cola_message_unpack(bytes.bytes, bytes.n_bytes, &room, &got), COLA_OK);
        assert_same(&sent, &got);
    }
    cola_buffer_fini(&bytes);
    cola_buffer_fini(&room);
}

static void sample_travels_without_gold(void **state)
{
    (void)state;
    struct cola_buffer bytes = {0}, room = {0};
    struct cola_message sent = example(COLA_MESSAGE_SAMPLE), got;
    assert_int_equal(cola_message_pack(&sent, &bytes), COLA_OK);
    assert_int_equal(cola_message_unpack(bytes.bytes, bytes.n_bytes, &room, &got), COLA_OK);
    assert_int_equal(got.sample.gold, -1);
    assert_null(got.sample.candidate_bytes);
    cola_buffer_fini(&bytes);
    cola_buffer_fini(&room);
}

/* The bytes of a REQUEST, written down: another host, compiler or version must agree on them. */
static void request_bytes_are_little_endian_and_fixed(void **state)
{
    (void)state;
    static const uint8_t expected[] = {'C', 'O', 'L', 'A', 6, 0, 4, 0, 22,  0,   0,   0,   /* header */
                                       8,   7,   6,   5,   4, 3, 2, 1, 0xd, 0xc, 0xb, 0xa, /* id, sample */
                                       3,   0,   0,   0,   0, 0, 2, 1, 1,   0};
    static const cola_layer chain[] = {0, 258, 1};
    struct cola_message m = {.kind = COLA_MESSAGE_REQUEST};
    m.request = (struct cola_request_message){0x0102030405060708ull, 0x0a0b0c0d, {chain, 3}};
    struct cola_buffer bytes = {0};
    assert_int_equal(cola_message_pack(&m, &bytes), COLA_OK);
    assert_int_equal(bytes.n_bytes, sizeof expected);
    assert_memory_equal(bytes.bytes, expected, sizeof expected);
    cola_buffer_fini(&bytes);
}

/* Unpacks a copy of exactly n bytes, so that a read behind them is an ASan error. */
static enum cola_status unpack_exact(const uint8_t *bytes, size_t n, struct cola_buffer *room)
{
    struct cola_message got;
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    enum cola_status status = cola_message_unpack(copy, n, room, &got);
    free(copy);
    if (status == COLA_OK) { /* what unpacks packs: every array is readable */
        struct cola_buffer again = {0};
        assert_int_equal(cola_message_pack(&got, &again), COLA_OK);
        assert_int_equal(again.n_bytes, n);
        assert_memory_equal(again.bytes, bytes, n);
        cola_buffer_fini(&again);
    }
    return status;
}

static void message_cut_at_every_byte_is_refused(void **state)
{
    (void)state;
    struct cola_buffer bytes = {0}, room = {0};
    for (int kind = 1; kind <= N_KINDS; kind++) {
        struct cola_message sent = example((enum cola_message_kind)kind);
        assert_int_equal(cola_message_pack(&sent, &bytes), COLA_OK);
        for (size_t n = 0; n < bytes.n_bytes; n++) {
            assert_int_equal(unpack_exact(bytes.bytes, n, &room), COLA_ERR_INPUT);
            if (n < 12) continue;
            uint8_t header[12]; /* the same with a length that agrees */
            memcpy(header, bytes.bytes, 12);
            for (int i = 0; i < 4; i++) bytes.bytes[8 + i] = (uint8_t)((n - 12) >> 8 * i);
            assert_int_equal(unpack_exact(bytes.bytes, n, &room), COLA_ERR_INPUT);
            memcpy(bytes.bytes, header, 12);
        }
    }
    cola_buffer_fini(&bytes);
    cola_buffer_fini(&room);
}

static void message_with_a_byte_more_is_refused(void **state)
{
    (void)state;
    struct cola_buffer bytes = {0}, room = {0};
    for (int kind = 1; kind <= N_KINDS; kind++) {
        struct cola_message sent = example((enum cola_message_kind)kind);
        assert_int_equal(cola_message_pack(&sent, &bytes), COLA_OK);
        size_t n = bytes.n_bytes;
        uint8_t *longer = calloc(n + 1, 1);
        assert_non_null(longer);
        memcpy(longer, bytes.bytes, n);
        for (int i = 0; i < 4; i++) longer[8 + i] = (uint8_t)((n + 1 - 12) >> 8 * i);
        assert_int_equal(unpack_exact(longer, n + 1, &room), COLA_ERR_INPUT);
        free(longer);
    }
    cola_buffer_fini(&bytes);
    cola_buffer_fini(&room);
}

static void lying_count_is_refused_without_its_memory(void **state)
{
    (void)state;
    struct cola_buffer bytes = {0}, room = {0};
    struct cola_message sent = example(COLA_MESSAGE_REQUEST);
    assert_int_equal(cola_message_pack(&sent, &bytes), COLA_OK);
    memset(bytes.bytes + 12 + 8 + 4, 0xff, 4);
    assert_int_equal(unpack_exact(bytes.bytes, bytes.n_bytes, &room), COLA_ERR_INPUT);
    assert_true(room.room < 4096);
    cola_buffer_fini(&bytes);
    cola_buffer_fini(&room);
}

static void another_version_is_a_mismatch_with_both_numbers(void **state)
{
    (void)state;
    struct cola_buffer bytes = {0}, room = {0};
    struct cola_message sent = example(COLA_MESSAGE_HELLO);
    assert_int_equal(cola_message_pack(&sent, &bytes), COLA_OK);
    bytes.bytes[4] = 9;
    assert_int_equal(unpack_exact(bytes.bytes, bytes.n_bytes, &room), COLA_ERR_MISMATCH);
    assert_non_null(strstr(cola_error_text(), "version 9"));
    assert_non_null(strstr(cola_error_text(), "speaks 6"));
    cola_buffer_fini(&bytes);
    cola_buffer_fini(&room);
}

/* 200,000 messages with one to four random bytes: an error, or exactly the bytes again. */
static void corrupted_message_never_crashes(void **state)
{
    (void)state;
    struct cola_buffer bytes = {0}, room = {0};
    struct cola_random r = cola_random_keyed(7, 0, COLA_STREAM_SYNTHETIC);
    for (int round = 0; round < 200000; round++) {
        struct cola_message sent = example((enum cola_message_kind)(1 + cola_random_below(&r, N_KINDS)));
        assert_int_equal(cola_message_pack(&sent, &bytes), COLA_OK);
        for (uint64_t i = 0; i <= cola_random_below(&r, 4); i++)
            bytes.bytes[cola_random_below(&r, bytes.n_bytes)] = (uint8_t)cola_random_bits(&r);
        unpack_exact(bytes.bytes, bytes.n_bytes, &room);
    }
    cola_buffer_fini(&bytes);
    cola_buffer_fini(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_of_every_kind_arrives_as_it_was),
        cmocka_unit_test(sample_travels_without_gold),
        cmocka_unit_test(request_bytes_are_little_endian_and_fixed),
        cmocka_unit_test(message_cut_at_every_byte_is_refused),
        cmocka_unit_test(message_with_a_byte_more_is_refused),
        cmocka_unit_test(lying_count_is_refused_without_its_memory),
        cmocka_unit_test(another_version_is_a_mismatch_with_both_numbers),
        cmocka_unit_test(corrupted_message_never_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

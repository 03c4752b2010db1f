/* test_cluster.c - master and worker in one process with a tiny model: the outcome does not depend on how
 * requests were in flight or where the search was stopped; what does not fit is refused by name; neither side
 * believes the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/cluster/inbox.h"
#include "cola/cluster.h"
#include "mpi/tasks_file.h"

enum { N_SAMPLES = 5, N_SIMULATIONS = 25, N_VOCAB = 320 };
static const char *const model_dir = COLA_TEST_DATA "/models/llama_gqa_tied";

struct fixture {
    char dir[64], tasks_path[96], run_path[96];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    snprintf(f->dir, sizeof f->dir, "/tmp/cola-test-cluster-XXXXXX");
    if (!mkdtemp(f->dir)) return -1;
    snprintf(f->tasks_path, sizeof f->tasks_path, "%s/tasks.h5", f->dir);
    snprintf(f->run_path, sizeof f->run_path, "%s/run.h5", f->dir);
    *state = f;
    return 0;
}

static void forget_run(const struct fixture *f)
{
    char journal[128];
    snprintf(journal, sizeof journal, "%s.journal", f->run_path);
    unlink(f->run_path);
    unlink(journal);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    forget_run(f);
    unlink(f->tasks_path);
    int failed = rmdir(f->dir); /* something left over is a failure too */
    free(f);
    return failed;
}

static struct tasks_file some_tasks(void)
{
    return (struct tasks_file){.rule = "loglik",
                               .n_samples = N_SAMPLES,
                               .n_candidates = 4,
                               .n_vocab = N_VOCAB,
                               .prompt_tokens = 9,
                               .seed = 5,
                               .no_gold_at = -1,
                               .big_token_at = -1};
}

static void write_tasks(const struct fixture *f, int32_t no_gold_at, int32_t big_token_at)
{
    struct tasks_file t = some_tasks();
    t.no_gold_at = no_gold_at;
    t.big_token_at = big_token_at;
    assert_int_equal(tasks_file_write(f->tasks_path, &t), 0);
}

static void write_generate(const struct fixture *f, const char *grader, bool equal_golds, int32_t most_tokens)
{
    struct tasks_file t = some_tasks();
    t.rule = "generate";
    t.grader = grader;
    t.n_candidates = tasks_is_number(&t) ? 1 : 4;
    t.equal_golds = equal_golds;
    t.most_tokens = most_tokens;
    assert_int_equal(tasks_file_write(f->tasks_path, &t), 0);
}

/* --- a search ----------------------------------------------------------------------------------------- */

static atomic_uint n_looks; /* the stop function has no argument */
static unsigned stop_after; /* looks, 0: never */
static enum cola_stop stop_kind;

static enum cola_stop stop_by_looks(void)
{
    return stop_after && atomic_fetch_add(&n_looks, 1) >= stop_after ? stop_kind : COLA_STOP_NONE;
}

struct side {
    struct cola_comm *comm;
    struct cola_worker_options options;
    int exit_status;
};

static bool look_for_wrong; /* --control */

static void *real_worker(void *argument)
{
    struct side *side = argument;
    side->exit_status = cola_worker_run(side->comm, &side->options);
    return NULL;
}

/* Runs a master against `worker`; the error text is left as the master's. */
static enum cola_status run_with(const struct fixture *f, void *(*worker)(void *), struct side *side,
                                 bool resume)
{
    static const struct cola_field field = {"seed", "3", COLA_FIELD_IDENTITY};
    struct cola_comm *end[2];
    struct cola_tasks *tasks;
    pthread_t thread;
    assert_int_equal(cola_tasks_open(f->tasks_path, &tasks), COLA_OK);
    struct cola_master_options o = {.tasks = tasks,
                                    .n_samples = N_SAMPLES,
                                    .run_path = f->run_path,
                                    .resume = resume,
                                    .control = look_for_wrong,
                                    .field = &field,
                                    .n_fields = 1,
                                    .stop = stop_by_looks,
                                    .quiet = true};
    assert_int_equal(cola_search_preset("cola", &o.search), COLA_OK);
    o.search.n_simulations = N_SIMULATIONS;
    o.search.seed = 3;
    assert_int_equal(cola_comm_local_pair(end), COLA_OK);
    side->comm = end[1];
    assert_int_equal(pthread_create(&thread, NULL, worker, side), 0);
    enum cola_status status = cola_master_run(end[0], &o);
    cola_master_dismiss(end[0], 42);
    pthread_join(thread, NULL);
    cola_comm_close(end[0]);
    cola_comm_close(end[1]);
    cola_tasks_close(tasks);
    return status;
}

static enum cola_status run_search(const struct fixture *f, uint32_t in_flight, bool resume)
{
    struct side side = {.options = {.model_dir = model_dir,
                                    .engine = {.backend = "ref", .n_threads = 1, .max_requests = in_flight}}};
    enum cola_status status = run_with(f, real_worker, &side, resume);
    assert_int_equal(side.exit_status, 42);
    return status;
}

static void read_digest(const struct fixture *f, char digest[COLA_HASH_TEXT])
{
    struct cola_run *run;
    assert_int_equal(cola_run_open(f->run_path, &run), COLA_OK);
    assert_int_equal(cola_run_n_samples(run), N_SAMPLES);
    for (uint32_t i = 0; i < N_SAMPLES; i++) {
        struct cola_run_sample sample;
        cola_run_sample(run, i, &sample);
        assert_true(sample.finished);
        assert_int_equal(sample.n_simulations, N_SIMULATIONS);
        assert_true(sample.n_chains > 1);
    }
    assert_int_equal(cola_run_digest(run, digest), COLA_OK);
    cola_run_close(run);
}

static void outcome_is_the_same_however_many_requests_are_in_flight(void **state)
{
    static const uint32_t in_flight[] = {0, 1, 2, 7};
    const struct fixture *f = *state;
    char first[COLA_HASH_TEXT], digest[COLA_HASH_TEXT];
    write_tasks(f, -1, -1);
    for (size_t i = 0; i < sizeof in_flight / sizeof *in_flight; i++) {
        forget_run(f);
        assert_int_equal(run_search(f, in_flight[i], false), COLA_OK);
        read_digest(f, i ? digest : first);
        if (i) assert_string_equal(digest, first);
    }
}

static void stopped_search_resumes_to_the_same_outcome(void **state)
{
    static const enum cola_stop kinds[] = {COLA_STOP_SOON, COLA_STOP_NOW};
    const struct fixture *f = *state;
    char whole[COLA_HASH_TEXT], digest[COLA_HASH_TEXT];
    write_tasks(f, -1, -1);
    assert_int_equal(run_search(f, 2, false), COLA_OK);
    read_digest(f, whole);
    for (size_t i = 0; i < 2; i++) {
        int n_stops = 0;
        forget_run(f);
        stop_kind = kinds[i];
        for (unsigned looks = 2;; looks += 3) { /* later each time, until it gets to the end */
            stop_after = looks;
            atomic_store(&n_looks, 0);
            enum cola_status status = run_search(f, 1, true);
            stop_after = 0;
            if (status == COLA_OK) break;
            assert_int_equal(status, COLA_ERR_STOPPED);
            n_stops++;
        }
        assert_true(n_stops >= 2);
        read_digest(f, digest);
        assert_string_equal(digest, whole);
    }
}

/* As the two above, for answers that are judged from their tokens. */
static void generated_outcome_is_the_same_in_flight_stopped_and_resumed(void **state)
{
    static const char *const graders[] = {"letter", "number"};
    const struct fixture *f = *state;
    char whole[COLA_HASH_TEXT], digest[COLA_HASH_TEXT];
    for (int i = 0; i < 4; i++) {
        look_for_wrong = i / 2;
        forget_run(f);
        write_generate(f, graders[i % 2], false, 6);
        assert_int_equal(run_search(f, 0, false), COLA_OK);
        read_digest(f, whole);
        forget_run(f);
        stop_kind = COLA_STOP_NOW;
        for (unsigned looks = 6;; looks += 12) {
            stop_after = looks;
            atomic_store(&n_looks, 0);
            enum cola_status status = run_search(f, 1, true);
            stop_after = 0;
            if (status == COLA_OK) break;
            assert_int_equal(status, COLA_ERR_STOPPED);
        }
        read_digest(f, digest);
        assert_string_equal(digest, whole);
    }
    look_for_wrong = false;
}

static void finished_search_resumes_without_an_evaluation(void **state)
{
    const struct fixture *f = *state;
    char first[COLA_HASH_TEXT], digest[COLA_HASH_TEXT];
    write_tasks(f, -1, -1);
    assert_int_equal(run_search(f, 0, false), COLA_OK);
    read_digest(f, first);
    assert_int_equal(run_search(f, 0, false), COLA_ERR_USAGE); /* it exists */
    assert_int_equal(run_search(f, 0, true), COLA_OK);
    read_digest(f, digest);
    assert_string_equal(digest, first);
}

/* --- refused before any work -------------------------------------------------------------------------- */

static void assert_nothing_written(const struct fixture *f)
{
    char journal[128];
    snprintf(journal, sizeof journal, "%s.journal", f->run_path);
    assert_int_not_equal(access(f->run_path, F_OK), 0);
    assert_int_not_equal(access(journal, F_OK), 0);
}

static void sample_without_gold_is_refused_by_id(void **state)
{
    const struct fixture *f = *state;
    write_tasks(f, 2, -1);
    assert_int_equal(run_search(f, 0, false), COLA_ERR_INPUT);
    assert_non_null(strstr(cola_error_text(), "row-2"));
    assert_nothing_written(f);
}

static void token_beyond_the_vocabulary_is_refused_by_id(void **state)
{
    const struct fixture *f = *state;
    write_tasks(f, -1, 3);
    assert_int_equal(run_search(f, 0, false), COLA_ERR_MISMATCH);
    assert_non_null(strstr(cola_error_text(), "row-3"));
    assert_non_null(strstr(cola_error_text(), "320"));
    assert_nothing_written(f);
}

static void control_of_equal_answers_is_refused_by_id(void **state)
{
    const struct fixture *f = *state;
    write_generate(f, "number", true, 6);
    look_for_wrong = true;
    assert_int_equal(run_search(f, 0, false), COLA_ERR_INPUT);
    look_for_wrong = false;
    assert_non_null(strstr(cola_error_text(), "row-0"));
    assert_non_null(strstr(cola_error_text(), "the same right answer"));
    assert_nothing_written(f);
    assert_int_equal(run_search(f, 0, false), COLA_OK); /* not a control: nothing is drawn */
}

static void answer_beyond_the_context_is_refused_by_id(void **state)
{
    const struct fixture *f = *state;
    write_generate(f, "number", false, 100000);
    assert_int_equal(run_search(f, 0, false), COLA_ERR_MISMATCH);
    assert_non_null(strstr(cola_error_text(), "row-0"));
    assert_non_null(strstr(cola_error_text(), "with the longest answer"));
    assert_nothing_written(f);
}

static void worker_without_a_model_ends_the_search_with_its_words(void **state)
{
    const struct fixture *f = *state;
    struct side side = {.options = {.model_dir = "/nowhere/at/all"}};
    write_tasks(f, -1, -1);
    assert_int_not_equal(run_with(f, real_worker, &side, false), COLA_OK);
    assert_int_equal(side.exit_status, 42);
    assert_non_null(strstr(cola_error_text(), "worker 1"));
    assert_non_null(strstr(cola_error_text(), "/nowhere/at/all"));
    assert_nothing_written(f);
}

/* --- a master that is lied to ------------------------------------------------------------------------- */

static void send_message(struct cola_comm *comm, uint32_t to, const struct cola_message *m)
{
    struct cola_buffer bytes = {0};
    if (cola_message_pack(m, &bytes) == COLA_OK) (void)!cola_comm_send(comm, to, bytes.bytes, bytes.n_bytes);
    cola_buffer_fini(&bytes);
}

/* The next message, or SHUTDOWN when nothing came for a long time. */
static struct cola_message next_message(struct cola_comm *comm, struct inbox *box)
{
    struct cola_message m;
    return inbox_next(box, comm, 60, &m) ? m : (struct cola_message){.kind = COLA_MESSAGE_SHUTDOWN};
}

enum lie { LIE_ID, LIE_SCORES, LIE_TOKENS, LIE_BYTES, LIE_KIND, N_LIES };

static void tell_lie(struct cola_comm *comm, enum lie lie, uint64_t id)
{
    static const float scores[4] = {1, 2, 3, 4};
    static const int32_t token = 1;
    struct cola_message m = {.kind = COLA_MESSAGE_RESULT};
    m.result = (struct cola_result){.id = id, .score = scores, .n_scores = 4, .argmax = -1};
    if (lie == LIE_ID) m.result.id += (uint64_t)1 << 32;
    if (lie == LIE_SCORES) m.result.n_scores = 3;
    if (lie == LIE_TOKENS) m.result.token = &token, m.result.n_tokens = 1;
    if (lie == LIE_KIND) m = (struct cola_message){.kind = COLA_MESSAGE_FORGET, .forget = 1};
    if (lie == LIE_BYTES)
        (void)!cola_comm_send(comm, 0, "no message at all", 17);
    else
        send_message(comm, 0, &m);
}

static enum lie present_lie;

static const struct cola_message hello_of_a_liar = {.kind = COLA_MESSAGE_HELLO,
                                                    .hello = {.numerics_id = "f32-1",
                                                              .n_layers = 6,
                                                              .n_vocab = N_VOCAB,
                                                              .max_positions = 512,
                                                              .credit = 1,
                                                              .n_sharing = 1}};

static void *lying_worker(void *argument)
{
    struct side *side = argument;
    struct inbox box = {0};
    bool lied = false;
    for (struct cola_message m = next_message(side->comm, &box); m.kind != COLA_MESSAGE_SHUTDOWN;
         m = next_message(side->comm, &box)) {
        if (m.kind == COLA_MESSAGE_START) send_message(side->comm, 0, &hello_of_a_liar);
        if (m.kind == COLA_MESSAGE_REQUEST && !lied) tell_lie(side->comm, present_lie, m.request.id);
        lied |= m.kind == COLA_MESSAGE_REQUEST;
    }
    inbox_fini(&box);
    return NULL;
}

static void lying_worker_ends_the_search_with_an_error(void **state)
{
    const struct fixture *f = *state;
    write_tasks(f, -1, -1);
    for (int lie = 0; lie < N_LIES; lie++) {
        struct side side = {0};
        present_lie = (enum lie)lie;
        forget_run(f);
        assert_int_equal(run_with(f, lying_worker, &side, false), COLA_ERR_INPUT);
        assert_non_null(strstr(cola_error_text(), "worker 1"));
    }
}

enum false_answer { ANSWER_EMPTY, ANSWER_LONG, ANSWER_NEGATIVE, ANSWER_BEYOND, ANSWER_SCORED, N_ANSWERS };

static enum false_answer present_answer;

/* As lying_worker, under generate: answers that no engine gives. */
static void *falsely_answering_worker(void *argument)
{
    static const int32_t token[N_ANSWERS][7] = {[ANSWER_NEGATIVE] = {1, -1}, [ANSWER_BEYOND] = {1, N_VOCAB}};
    static const uint32_t n[N_ANSWERS] = {0, 7, 2, 2, 1};
    static const float score = 1;
    struct side *side = argument;
    struct inbox box = {0};
    for (struct cola_message m = next_message(side->comm, &box); m.kind != COLA_MESSAGE_SHUTDOWN;
         m = next_message(side->comm, &box)) {
        if (m.kind == COLA_MESSAGE_START) send_message(side->comm, 0, &hello_of_a_liar);
        if (m.kind != COLA_MESSAGE_REQUEST) continue;
        struct cola_message result = {.kind = COLA_MESSAGE_RESULT};
        result.result = (struct cola_result){.id = m.request.id,
                                             .token = token[present_answer],
                                             .n_tokens = n[present_answer],
                                             .score = &score,
                                             .n_scores = present_answer == ANSWER_SCORED,
                                             .argmax = -1};
        send_message(side->comm, 0, &result);
    }
    inbox_fini(&box);
    return NULL;
}

static void falsely_answering_worker_ends_the_search_with_an_error(void **state)
{
    const struct fixture *f = *state;
    write_generate(f, "number", false, 6);
    for (int answer = 0; answer < N_ANSWERS; answer++) {
        struct side side = {0};
        present_answer = (enum false_answer)answer;
        forget_run(f);
        assert_int_equal(run_with(f, falsely_answering_worker, &side, false), COLA_ERR_INPUT);
        assert_non_null(strstr(cola_error_text(), "worker 1 sent"));
    }
}

/* --- a worker that is lied to ------------------------------------------------------------------------- */

static const int32_t tokens[] = {1, 2, 3};
static const struct cola_tokens candidates[] = {{tokens, 1}, {tokens, 2}};
static const cola_layer base[] = {0, 1, 2, 3, 4, 5};

static struct cola_message sample_message(uint32_t index)
{
    struct cola_message m = {.kind = COLA_MESSAGE_SAMPLE};
    m.sample = (struct cola_sample){.index = index,
                                    .prompt = tokens,
                                    .n_prompt_tokens = 3,
                                    .candidate = candidates,
                                    .n_candidates = 2,
                                    .rule = COLA_SCORE_LOGLIK};
    return m;
}

static struct cola_message request_message(uint32_t sample, uint32_t n_layers)
{
    struct cola_message m = {.kind = COLA_MESSAGE_REQUEST};
    m.request = (struct cola_request_message){7, sample, {base, n_layers}};
    return m;
}

/* START and the messages, all there before the worker begins to read; the ERROR that must come says `words`.
 */
static void assert_worker_refuses(const struct cola_message *message, size_t n, const char *words)
{
    struct cola_comm *end[2];
    struct inbox box = {0};
    pthread_t thread;
    assert_int_equal(cola_comm_local_pair(end), COLA_OK);
    struct side side = {.comm = end[1],
                        .options = {.model_dir = model_dir, .engine = {.backend = "ref", .n_threads = 1}}};
    struct cola_message m = {.kind = COLA_MESSAGE_START};
    m.start.n_samples = 10;
    send_message(end[0], 1, &m);
    for (size_t i = 0; i < n; i++) send_message(end[0], 1, &message[i]);
    assert_int_equal(pthread_create(&thread, NULL, real_worker, &side), 0);
    assert_int_equal(next_message(end[0], &box).kind, COLA_MESSAGE_HELLO);
    m = next_message(end[0], &box);
    assert_int_equal(m.kind, COLA_MESSAGE_ERROR);
    if (!strstr(m.error.text, words)) fail_msg("'%s' does not say '%s'", m.error.text, words);
    cola_master_dismiss(end[0], 9);
    pthread_join(thread, NULL);
    assert_int_equal(side.exit_status, 9);
    inbox_fini(&box);
    cola_comm_close(end[0]);
    cola_comm_close(end[1]);
}

static void worker_refuses_what_the_protocol_does_not_allow(void **state)
{
    (void)state;
    struct cola_message m[2];
    m[0] = request_message(3, 6);
    assert_worker_refuses(m, 1, "sample 3, which it has not sent");
    m[0] = sample_message(10);
    assert_worker_refuses(m, 1, "not one of the tasks");
    m[0] = m[1] = sample_message(4);
    assert_worker_refuses(m, 2, "already here");
    m[0] = (struct cola_message){.kind = COLA_MESSAGE_FORGET, .forget = 4};
    assert_worker_refuses(m, 1, "forgets sample 4");
    m[0] = (struct cola_message){.kind = COLA_MESSAGE_START};
    assert_worker_refuses(m, 1, "START twice");
    m[0] = sample_message(4);
    m[1] = request_message(4, 6);
    static const cola_layer beyond[] = {0, 6};
    m[1].request.chain = (struct cola_chain){beyond, 2};
    assert_worker_refuses(m, 2, "6");
}

static void worker_refuses_more_requests_than_its_credit(void **state)
{
    (void)state;
    enum { MANY = 200 }; /* beyond any default credit of an engine */
    static struct cola_message m[1 + MANY];
    m[0] = sample_message(4);
    for (int i = 1; i <= MANY; i++) m[i] = request_message(4, 6);
    assert_worker_refuses(m, 1 + MANY, "credit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(outcome_is_the_same_however_many_requests_are_in_flight, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(stopped_search_resumes_to_the_same_outcome, set_up, tear_down),
        cmocka_unit_test_setup_teardown(generated_outcome_is_the_same_in_flight_stopped_and_resumed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(finished_search_resumes_without_an_evaluation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(control_of_equal_answers_is_refused_by_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answer_beyond_the_context_is_refused_by_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(falsely_answering_worker_ends_the_search_with_an_error, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sample_without_gold_is_refused_by_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(token_beyond_the_vocabulary_is_refused_by_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(worker_without_a_model_ends_the_search_with_its_words, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(lying_worker_ends_the_search_with_an_error, set_up, tear_down),
        cmocka_unit_test(worker_refuses_what_the_protocol_does_not_allow),
        cmocka_unit_test(worker_refuses_more_requests_than_its_credit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_speculation_master.c - the master with several requests of a sample out, against a scripted worker
 * that returns hashed scores in an order by chance: run.h5 has the digest of one request a sample, the
 * summary counts what the trees found, and every sample that was sent is forgotten, once, when nothing of it
 * is out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cluster/message.h"
#include "cola/cluster.h"
#include "cola/hash.h"
#include "cola/random.h"
#include "mpi/tasks_file.h"
#include "unit/cluster/inbox.h"

enum { N_SAMPLES = 200, N_VOCAB = 320, CREDIT = 8 };

struct script { /* what the worker saw; read when it has left */
    struct cola_comm *comm;
    struct cola_random chance;
    uint64_t id[CREDIT];
    uint32_t sample_of[CREDIT], chain_hash[CREDIT], n_out;
    uint32_t n_sent[N_SAMPLES], n_forgotten[N_SAMPLES], n_out_of[N_SAMPLES];
    uint32_t most_out_of_one, n_forgotten_early, n_over_credit;
};

static void send_to_master(struct script *s, const struct cola_message *m)
{
    struct cola_buffer bytes = {0};
    if (cola_message_pack(m, &bytes) != COLA_OK)
        abort(); /* the script is wrong; the master would wait for ever */
    (void)!cola_comm_send(s->comm, 0, bytes.bytes, bytes.n_bytes);
    cola_buffer_fini(&bytes);
}

/* Scores by a hash of (sample, chain): which candidate is best looks like chance. */
static void answer_any(struct script *s)
{
    uint32_t i = (uint32_t)cola_random_below(&s->chance, s->n_out);
    uint32_t key[2] = {s->sample_of[i], s->chain_hash[i]};
    uint64_t h = cola_hash64(key, sizeof key);
    const float score[4] = {(float)(h & 255), (float)(h >> 8 & 255), (float)(h >> 16 & 255),
                            (float)(h >> 24 & 255)};
    struct cola_message m = {.kind = COLA_MESSAGE_RESULT};
    m.result = (struct cola_result){.id = s->id[i], .score = score, .n_scores = 4, .argmax = -1};
    s->n_out_of[s->sample_of[i]]--;
    s->n_out--;
    s->id[i] = s->id[s->n_out];
    s->sample_of[i] = s->sample_of[s->n_out];
    s->chain_hash[i] = s->chain_hash[s->n_out];
    send_to_master(s, &m);
}

static void take_request(struct script *s, const struct cola_request_message *request)
{
    uint32_t *of_sample = &s->n_out_of[request->sample];
    if (s->n_out == CREDIT) {
        s->n_over_credit++;
        return;
    }
    s->id[s->n_out] = request->id;
    s->sample_of[s->n_out] = request->sample;
    s->chain_hash[s->n_out++] = (uint32_t)cola_chain_hash(&request->chain);
    if (++*of_sample > s->most_out_of_one) s->most_out_of_one = *of_sample;
}

static const struct cola_message hello = {.kind = COLA_MESSAGE_HELLO,
                                          .hello = {.numerics_id = "f32-1",
                                                    .n_layers = 6,
                                                    .n_vocab = N_VOCAB,
                                                    .max_positions = 512,
                                                    .credit = CREDIT,
                                                    .n_sharing = 1,
                                                    .packs_weights = 1}};

static void *scripted_worker(void *argument)
{
    struct script *s = argument;
    struct inbox box = {0};
    for (;;) {
        struct cola_message m;
        bool came = inbox_next(&box, s->comm, s->n_out ? 0 : 60, &m);
        if (!came && (s->n_out == 0 || box.packet.n_bytes))
            break; /* nothing for a long time, or no message */
        if (!came) {
            answer_any(s);
            continue;
        }
        if (m.kind == COLA_MESSAGE_SHUTDOWN) break;
        if (m.kind == COLA_MESSAGE_START) send_to_master(s, &hello);
        if (m.kind == COLA_MESSAGE_SAMPLE) s->n_sent[m.sample.index]++;
        if (m.kind == COLA_MESSAGE_REQUEST) take_request(s, &m.request);
        if (m.kind != COLA_MESSAGE_FORGET) continue;
        s->n_forgotten[m.forget]++;
        s->n_forgotten_early += s->n_out_of[m.forget] > 0;
    }
    inbox_fini(&box);
    return NULL;
}

static enum cola_stop never(void)
{
    return COLA_STOP_NONE;
}

/* Runs a search; the digest, and the summary's words behind "found in". */
static void run(const char *dir, const char *preset, uint32_t W, struct script *s,
                char digest[COLA_HASH_TEXT], char found[256])
{
    static const struct cola_field field = {"seed", "3", COLA_FIELD_IDENTITY};
    char run_path[128], journal[160], log_path[128], line[1024];
    struct cola_comm *end[2];
    struct cola_tasks *tasks;
    struct cola_run *result;
    pthread_t thread;
    snprintf(line, sizeof line, "%s/tasks.h5", dir);
    snprintf(run_path, sizeof run_path, "%s/run.h5", dir);
    snprintf(journal, sizeof journal, "%s.journal", run_path);
    snprintf(log_path, sizeof log_path, "%s/log", dir);
    assert_int_equal(cola_tasks_open(line, &tasks), COLA_OK);
    struct cola_master_options o = {.tasks = tasks,
                                    .n_samples = N_SAMPLES,
                                    .run_path = run_path,
                                    .field = &field,
                                    .n_fields = 1,
                                    .stop = never};
    assert_int_equal(cola_search_preset(preset, &o.search), COLA_OK);
    o.search.n_simulations = 7;
    o.search.speculate = W;
    *s = (struct script){.chance = cola_random_keyed(W, 1, COLA_STREAM_SYNTHETIC)};
    assert_int_equal(cola_comm_local_pair(end), COLA_OK);
    s->comm = end[1];
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    assert_non_null(freopen(log_path, "w", stderr)); /* the summary */
    assert_int_equal(pthread_create(&thread, NULL, scripted_worker, s), 0);
    enum cola_status status = cola_master_run(end[0], &o);
    cola_master_dismiss(end[0], 0);
    pthread_join(thread, NULL);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_int_equal(status, COLA_OK);
    cola_comm_close(end[0]);
    cola_comm_close(end[1]);
    cola_tasks_close(tasks);
    assert_int_equal(cola_run_open(run_path, &result), COLA_OK);
    assert_int_equal(cola_run_digest(result, digest), COLA_OK);
    cola_run_close(result);
    FILE *log = fopen(log_path, "r");
    found[0] = 0;
    while (log && fgets(line, sizeof line, log))
        if (strstr(line, "found in")) snprintf(found, 256, "%s", strstr(line, "found in"));
    if (log) fclose(log);
    unlink(run_path), unlink(journal), unlink(log_path);
}

static void wide_search_is_the_narrow_one_and_leaves_nothing_behind(void **state)
{
    (void)state;
    static const uint32_t widths[] = {2, 5, 16, 1024};
    char dir[] = "/tmp/cola-test-speculation-XXXXXX", tasks_path[64], want[COLA_HASH_TEXT],
         have[COLA_HASH_TEXT], found[256], found_wide[256];
    struct tasks_file t = {.rule = "loglik",
                           .n_samples = N_SAMPLES,
                           .n_candidates = 4,
                           .n_vocab = N_VOCAB,
                           .prompt_tokens = 9,
                           .seed = 5,
                           .no_gold_at = -1,
                           .big_token_at = -1};
    static struct script s;
    assert_non_null(mkdtemp(dir));
    snprintf(tasks_path, sizeof tasks_path, "%s/tasks.h5", dir);
    assert_int_equal(tasks_file_write(tasks_path, &t), 0);
    for (int p = 0; p < 2; p++) {
        const char *preset = p ? "drllm" : "cola"; /* drllm: ends with guesses out */
        run(dir, preset, 1, &s, want, found);
        assert_int_equal(s.most_out_of_one, 1);
        for (int w = 0; w < 4; w++) {
            uint32_t n_kept = 0;
            run(dir, preset, widths[w], &s, have, found_wide);
            assert_string_equal(have, want);
            assert_true(strlen(found) > 20);
            assert_string_equal(found_wide, found);
            assert_true(s.most_out_of_one > 1 && s.most_out_of_one <= widths[w]);
            assert_int_equal(s.n_over_credit, 0);
            assert_int_equal(s.n_forgotten_early, 0);
            for (uint32_t i = 0; i < N_SAMPLES; i++) {
                assert_int_equal(s.n_sent[i], 1);
                assert_true(s.n_forgotten[i] <= 1);
                n_kept += s.n_forgotten[i] == 0;
            }
            assert_true(n_kept <= CREDIT); /* guesses were still out when the last sample ended */
        }
    }
    unlink(tasks_path);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_search_is_the_narrow_one_and_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

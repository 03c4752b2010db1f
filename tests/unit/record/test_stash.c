/* test_stash.c - what is put away comes back as it was, from the buffer and from the disk; a full disk loses
 * nothing of what was there; bytes that changed on the disk are noticed; no file has a name. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cola/log.h"
#include "record/fold.h"
#include "record/stash.h"
#include "unit/record/small_run.h"

enum { FIRST = 3, N_SAMPLES = 4000, N_CHAINS = 40 };

static char directory[64], path[80];
static struct cola_stash *stash;
static struct cola_known *known;

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/cola-stash-XXXXXX");
    if (!mkdtemp(directory)) return -1;
    snprintf(path, sizeof path, "%s/run.h5", directory);
    return cola_stash_create(path, FIRST, N_SAMPLES, &stash) || cola_known_create(&known) ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    cola_stash_destroy(stash);
    cola_known_destroy(known);
    return rmdir(directory); /* and so is empty */
}

/* The k-th result of a sample. */
static void make(uint32_t sample, uint32_t k, cola_layer layer[4], float score[2], int32_t token[1],
                 struct cola_result *out)
{
    for (uint32_t i = 0; i < 4; i++) layer[i] = (cola_layer)((k + i * sample) % 30);
    layer[3] = (cola_layer)k;
    score[0] = (float)sample;
    score[1] = (float)k / 8;
    token[0] = (int32_t)(sample + k);
    *out = (struct cola_result){.outcome = k == 5 ? COLA_OUTCOME_CRASHED : COLA_OUTCOME_SCORED,
                                .score = score,
                                .n_scores = 2,
                                .token = token,
                                .n_tokens = 1,
                                .logsumexp = 2,
                                .argmax = 1,
                                .cost = {.layers_asked = 4, .layers_executed = k, .seconds = 0.5f}};
}

static void learn(uint32_t sample, uint32_t from, uint32_t to)
{
    for (uint32_t k = from; k < to; k++) {
        cola_layer layer[4];
        float score[2];
        int32_t token[1];
        struct cola_result result;
        struct cola_known_entry *entry;
        bool added;
        make(sample, k, layer, score, token, &result);
        assert_int_equal(
            cola_known_add(known, sample, &(struct cola_chain){layer, 4}, &result, &entry, &added), COLA_OK);
        assert_true(added);
    }
}

static void assert_known(uint32_t sample, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        cola_layer layer[4];
        float score[2];
        int32_t token[1];
        struct cola_result want;
        make(sample, k, layer, score, token, &want);
        struct cola_known_entry *found = cola_known_find(known, sample, &(struct cola_chain){layer, 4});
        assert_non_null(found);
        assert_int_equal(found->result.outcome, want.outcome);
        assert_memory_equal(found->result.score, score, sizeof score);
        assert_int_equal(found->result.token[0], token[0]);
        assert_true(found->result.cost.layers_executed == k && found->result.cost.seconds == 0.5f);
        assert_true(found->journalled);
    }
}

static void results_come_back_as_they_were(void **state)
{
    (void)state;
    for (uint32_t s = FIRST; s < FIRST + 1000; s++) { /* some 4 MB, on the disk but for the last */
        learn(s, 0, N_CHAINS - 2);
        assert_int_equal(cola_stash_put_results(stash, known, s), COLA_OK);
        for (uint32_t k = N_CHAINS - 2; k < N_CHAINS; k++) { /* late ones, each by itself */
            learn(s, k, k + 1);
            assert_int_equal(cola_stash_put_results(stash, known, s), COLA_OK);
        }
        assert_int_equal(cola_known_count(known), 0);
    }
    assert_int_equal(cola_stash_n_results(stash), 1000 * N_CHAINS);
    assert_int_equal(cola_stash_n_crashed(stash), 1000);
    for (int tidy = 0; tidy < 2; tidy++) {
        for (uint32_t s = FIRST; s < FIRST + 1000; s += 37) {
            assert_int_equal(cola_stash_of(stash, s), COLA_STASHED_RESULTS);
            assert_int_equal(cola_stash_take_results(stash, s, known), COLA_OK);
            assert_int_equal(cola_stash_of(stash, s), COLA_STASHED_NOTHING);
            assert_int_equal(cola_known_count(known), N_CHAINS);
            assert_known(s, N_CHAINS);
            assert_int_equal(cola_stash_put_results(stash, known, s), COLA_OK);
        }
        assert_int_equal(cola_stash_tidy_results(stash, known), COLA_OK);
        assert_int_equal(cola_stash_n_results(stash), 1000 * N_CHAINS);
    }
}

static void results_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    cola_layer layer[] = {0, 1, 2, 3};
    struct cola_chain chain = {layer, 4};
    float score[2] = {1, 2};
    struct cola_result result = {.score = score, .n_scores = 2};
    for (int i = 0; i < 3; i++) {
        struct cola_known_entry *entry;
        bool added;
        if (i == 2) score[1] = 3;
        assert_int_equal(cola_known_add(known, 7, &chain, &result, &entry, &added), COLA_OK);
        assert_int_equal(cola_stash_put_results(stash, known, 7), COLA_OK);
        if (i == 2) break;
        assert_int_equal(cola_stash_tidy_results(stash, known), COLA_OK);
        assert_int_equal(cola_stash_n_results(stash), 1); /* what was there twice goes */
    }
    assert_int_equal(cola_stash_tidy_results(stash, known), COLA_ERR_MISMATCH);
    assert_error_names("sample 7, chain 0-3 was evaluated twice");
}

/* --- columns ----------------------------------------------------------------------------------------------
 */

static struct cola_columns one; /* of a sample of small_run.h */

static void make_columns(void)
{
    struct small_run run;
    small_run_create(&run);
    small_run_open(&run, false);
    small_run_steps(&run, 1, 100);
    small_run_stop(&run);
    cola_columns_clear(&one);
    assert_int_equal(cola_fold_begin(&one), COLA_OK);
    struct cola_fold_sample sample = {.tasks = run.tasks, .index = 1, .finished = true};
    assert_int_equal(cola_fold_search(&one, &sample, NULL, known), COLA_OK);
    for (uint32_t k = 0; k < 30; k++) { /* chains of a shape: stash looks at none */
        cola_layer layer[] = {(cola_layer)k, 2, 3};
        struct cola_node_view node = {.chain = {layer, 1 + k % 3}, .parent = (int32_t)k - 1};
        float score[] = {(float)k, 2};
        struct cola_result result = {.score = score, .n_scores = 2};
        assert_int_equal(cola_fold_chain(&one, &node, k % 2, &result, (struct cola_text){"abc", k % 4}),
                         COLA_OK);
    }
    ((uint64_t *)one.column[COLA_SAMPLES_CHAIN_OFFSETS].data)[1] = 30;
    small_run_destroy(&run);
}

static void assert_columns(const struct cola_columns *a, const struct cola_columns *b)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        size_t n_bytes = a->column[i].n * cola_h5_type_bytes(cola_run_schema[i].type);
        if (a->column[i].n != b->column[i].n ||
            (n_bytes && memcmp(a->column[i].data, b->column[i].data, n_bytes) != 0))
            fail_msg("%s differs", cola_run_schema[i].name);
    }
}

static void columns_come_back_and_join(void **state)
{
    (void)state;
    struct cola_columns read = {0}, whole = {0};
    uint64_t n_items[COLA_N_RUN_COLUMNS];
    make_columns();
    learn(9, 0, 3);
    for (uint32_t s = FIRST; s < FIRST + 1000; s++) {
        assert_int_equal(cola_stash_put_columns(stash, s, &one, known), COLA_OK);
        assert_int_equal(cola_stash_of(stash, s), COLA_STASHED_COLUMNS);
    }
    assert_int_equal(cola_known_count(known), 0); /* sample 9 has gone */
    assert_int_equal(cola_stash_n_results(stash), 3);
    assert_int_equal(cola_fold_begin(&whole), COLA_OK);
    for (uint32_t s = FIRST; s < FIRST + 1000; s++) {
        cola_columns_clear(&read);
        assert_int_equal(cola_fold_begin(&read), COLA_OK);
        assert_int_equal(cola_stash_join_columns(stash, s, &read), COLA_OK);
        assert_columns(&read, &one);
        assert_int_equal(cola_stash_join_columns(stash, s, &whole), COLA_OK);
    }
    cola_columns_count_first(n_items);
    cola_stash_count(stash, n_items);
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) assert_int_equal(n_items[i], whole.column[i].n);
    const uint64_t *layer = cola_columns_offsets(&whole, COLA_CHAINS_LAYER_OFFSETS);
    const uint64_t *chain = cola_columns_offsets(&whole, COLA_SAMPLES_CHAIN_OFFSETS);
    assert_int_equal(chain[1000], 30000);
    assert_int_equal(layer[30000], whole.column[COLA_CHAINS_LAYER_VALUES].n);
    assert_int_equal(layer[30 * 7 + 2] - layer[30 * 7], 3);
    cola_columns_fini(&read);
    cola_columns_fini(&whole);
    cola_columns_fini(&one);
}

static void limit_files(rlim_t n)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void full_disk_loses_nothing(void **state)
{
    (void)state;
    uint32_t n_away = 0, n_failed = 0;
    make_columns();
    for (rlim_t room = 0; room < (9 << 20); room += 3 << 20) {
        enum cola_status status = COLA_OK;
        limit_files(room);
        while (status == COLA_OK && n_away < N_SAMPLES) {
            learn(FIRST + n_away, 0, 4);
            status = cola_stash_put_columns(stash, FIRST + n_away, &one, known);
            n_away += status == COLA_OK;
        }
        limit_files(RLIM_INFINITY);
        assert_int_equal(status, COLA_ERR_IO);
        assert_error_names("run.h5.spill (finished samples");
        assert_error_names("--resume goes on from the journal");
        assert_int_equal(cola_stash_of(stash, FIRST + n_away), COLA_STASHED_NOTHING);
        assert_int_equal(cola_known_count(known), 4); /* of the one that stays */
        cola_known_forget(known, FIRST + n_away);
        n_failed++;
    }
    assert_int_equal(n_failed, 3);
    assert_int_equal(cola_stash_put_columns(stash, FIRST + n_away, &one, known), COLA_OK);
    for (uint32_t s = FIRST; s <= FIRST + n_away; s++) {
        struct cola_columns read = {0};
        assert_int_equal(cola_fold_begin(&read), COLA_OK);
        assert_int_equal(cola_stash_join_columns(stash, s, &read), COLA_OK);
        assert_columns(&read, &one);
        cola_columns_fini(&read);
    }
    cola_columns_fini(&one);
}

/* The file without a name, through /proc. */
static int open_spill(void)
{
    for (int fd = 3; fd < 64; fd++) {
        char link_path[64], name[128];
        snprintf(link_path, sizeof link_path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link_path, name, sizeof name - 1);
        if (n <= 0) continue;
        name[n] = '\0';
        if (strstr(name, "run.h5.spill") && strstr(name, "(deleted)")) return fd;
    }
    fail_msg("there is no such file");
    return -1;
}

static void bytes_that_changed_on_the_disk_are_noticed(void **state)
{
    (void)state;
    uint8_t *byte = malloc(1 << 23);
    struct stat about;
    uint32_t n_noticed = 0;
    make_columns();
    for (uint32_t s = FIRST; s < FIRST + 2000; s++) {
        learn(s, 0, 3);
        assert_int_equal(s % 2 ? cola_stash_put_columns(stash, s, &one, known)
                               : cola_stash_put_results(stash, known, s),
                         COLA_OK);
    }
    int fd = open_spill();
    assert_int_equal(fstat(fd, &about), 0);
    assert_true(about.st_size > 1 << 20 && about.st_size < 1 << 23);
    assert_int_equal(pread(fd, byte, (size_t)about.st_size, 0), about.st_size);
    for (off_t i = 100; i < about.st_size; i += 2000) byte[i] ^= 0x10;
    assert_int_equal(pwrite(fd, byte, (size_t)about.st_size, 0), about.st_size);
    for (uint32_t s = FIRST; s < FIRST + 2000; s++) {
        struct cola_columns read = {0};
        assert_int_equal(cola_fold_begin(&read), COLA_OK);
        enum cola_status status =
            s % 2 ? cola_stash_join_columns(stash, s, &read) : cola_stash_take_results(stash, s, known);
        if (status != COLA_OK) {
            assert_int_equal(status, COLA_ERR_IO);
            n_noticed++;
        } else if (s % 2) {
            assert_columns(&read, &one);
        } else {
            assert_known(s, 3);
        }
        cola_known_forget(known, s);
        cola_columns_fini(&read);
    }
    assert_true(n_noticed > 300);
    cola_columns_fini(&one);
    free(byte);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {CASE(results_come_back_as_they_were),
                                       CASE(results_that_contradict_each_other_are_refused),
                                       CASE(columns_come_back_and_join), CASE(full_disk_loses_nothing),
                                       CASE(bytes_that_changed_on_the_disk_are_noticed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

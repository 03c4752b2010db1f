/* test_replay_calls.c - a search of several lives is recorded call by call (write, ftruncate, fsync, link,
 * rename, unlink); then, for every prefix of the calls, the directory is made as a crash there may leave it:
 * everything, nothing that was not synced, or parts by chance. Every one must be resumed to the digest of
 * the uninterrupted search, with no acknowledged result lost, and a run.h5 that is there must be whole.
 *
 * The controls leave out or move a call, and the same checks must notice. COLA_TESTS_FULL=1: many more
 * crashes by chance. */
#include "fault/calls.h"

#include "cola/log.h"
#include "unit/record/small_run.h"

static char want[COLA_HASH_TEXT];

/* Steps of all samples with a commit every `each` rounds, of which the caller may rely on the results. */
static void search_on(struct small_run *run, uint32_t rounds, uint32_t each)
{
    for (uint32_t i = 0; i < rounds; i++) {
        for (uint32_t s = 0; s < SMALL_SAMPLES; s++)
            if (!run->finished[s]) small_run_steps(run, s, 1);
        if (i % each != each - 1) continue;
        assert_int_equal(cola_record_commit(run->record), COLA_OK);
        calls_acknowledge(cola_record_n_known(run->record));
    }
}

/* Three lives: one that is killed inside a record, one to the end, one without the journal. */
static void record_a_search(struct small_run *run)
{
    small_run_create(run);
    snprintf(calls.directory, sizeof calls.directory, "%s", run->directory);
    calls.on = true;
    small_run_open(run, false);
    search_on(run, 3, 1);
    small_run_fold(run);
    search_on(run, 4, 4);
    small_run_stop(run);
    int fd = open(run->journal_path, O_WRONLY | O_APPEND);
    assert_true(fd >= 0);
    lseek(fd, 0, SEEK_END);
    assert_int_equal(write(fd, "\x40\0\0\0half of a record", 20), 20);
    close(fd);
    small_run_open(run, true);
    search_on(run, 40, 40); /* pages of records between two commits */
    small_run_all(run);
    small_run_fold(run);
    calls_acknowledge(cola_record_n_known(run->record));
    small_run_stop(run);
    assert_int_equal(unlink(run->journal_path), 0); /* docs/format-journal.md: allowed now */
    small_run_open(run, true);
    small_run_all(run);
    small_run_fold(run);
    small_run_stop(run);
    calls.on = false;
}

/* NULL: the state is one that a search goes on from. Else what is wrong; the directory is empty after. */
static const char *try_state(struct small_run *at, int k, const struct calls_crash *crash)
{
    const char *wrong = NULL;
    char digest[COLA_HASH_TEXT];
    struct cola_run *out = NULL;
    small_run_files(at, true);
    uint64_t n_acknowledged = calls_store(k, crash, at->directory);
    if (access(at->run_path, F_OK) == 0) {
        if (cola_run_open(at->run_path, &out) != COLA_OK || cola_run_digest(out, digest) != COLA_OK)
            wrong = "run.h5 is not whole";
        cola_run_close(out);
    }
    if (!wrong && small_run_try_open(at, true) != COLA_OK) wrong = cola_error_text();
    if (!wrong && cola_record_n_resumed(at->record) < n_acknowledged) wrong = "acknowledged results are lost";
    if (!wrong) {
        small_run_all(at);
        small_run_fold(at);
        small_run_digest(at->run_path, digest);
        if (strcmp(digest, want) != 0) wrong = "the digest is another";
    }
    small_run_stop(at);
    return wrong;
}

static const struct calls_crash plain_crash[] = {
    {CALLS_ALL, CALLS_ALL, 0, 4096},   /* a kill */
    {CALLS_NONE, CALLS_NONE, 0, 4096}, /* a power cut: only what was synced */
    {CALLS_ALL, CALLS_NONE, 0, 4096},
    {CALLS_NONE, CALLS_ALL, 0, 4096}, /* names before data */
};
enum { N_PLAIN = sizeof plain_crash / sizeof *plain_crash };

/* All prefixes, each with the plain crashes and n_chance by chance. The number of states that went wrong; the
 * first is said if `tell`. */
static uint32_t try_all(struct small_run *at, uint32_t n_chance, bool tell, uint32_t *n_states)
{
    uint32_t n_wrong = 0;
    *n_states = 0;
    for (int k = 0; k <= calls.n; k++)
        for (uint32_t i = 0; i < N_PLAIN + n_chance; i++) {
            uint32_t piece = i % 2 ? 4096 : CALLS_SECTOR;
            const struct calls_crash crash =
                i < N_PLAIN ? plain_crash[i]
                            : (struct calls_crash){CALLS_CHANCE, CALLS_CHANCE, 1000 + i, piece};
            const char *wrong = try_state(at, k, &crash);
            ++*n_states;
            if (wrong && n_wrong++ == 0 && tell)
                print_message("call %d of %d, crash %u: %s\n", k, calls.n, i, wrong);
        }
    return n_wrong;
}

static bool full(void)
{
    const char *text = getenv("COLA_TESTS_FULL");
    return text && strcmp(text, "1") == 0;
}

static int set_up(void **state)
{
    static struct small_run at;
    struct small_run run;
    small_run_create(&at);
    small_run_whole(&at, want);
    record_a_search(&run);
    small_run_destroy(&run);
    *state = &at;
    return 0;
}

static int tear_down(void **state)
{
    small_run_destroy(*state);
    calls_fini();
    return 0;
}

static void every_prefix_of_the_calls_is_resumed(void **state)
{
    uint32_t n_states, n_kinds[CALLS_ACKNOWLEDGE + 1] = {0};
    for (int i = 0; i < calls.n; i++) n_kinds[calls.item[i].kind]++;
    for (int i = 0; i <= CALLS_ACKNOWLEDGE; i++) assert_true(n_kinds[i] > 0); /* every kind was recorded */
    assert_true(n_kinds[CALLS_RENAME] >= 3 && n_kinds[CALLS_WRITE] > 60);
    uint32_t n_wrong = try_all(*state, full() ? 30 : 2, true, &n_states);
    print_message("%d calls, %u states, %u wrong\n", calls.n, n_states, n_wrong);
    assert_int_equal(n_wrong, 0);
}

/* Every call of a kind, or to a file's name, becomes one that does nothing; the checks must see it. */
static void control(struct small_run *at, enum calls_kind kind, const char *what)
{
    uint32_t n_states;
    static struct call kept[CALLS_MAX];
    memcpy(kept, calls.item, sizeof kept);
    for (int i = 0; i < calls.n; i++)
        if (calls.item[i].kind == kind)
            calls.item[i] = (struct call){.kind = CALLS_TRUNCATE, .file = CALLS_FILES - 1};
    uint32_t n_wrong = try_all(at, 0, false, &n_states);
    memcpy(calls.item, kept, sizeof kept);
    print_message("control, %s: %u of %u states are wrong\n", what, n_wrong, n_states);
    assert_true(n_wrong > 0);
}

static void control_without_sync_of_the_directory_is_caught(void **state)
{
    control(*state, CALLS_SYNC_DIRECTORY, "no fsync of the directory");
}

static void control_without_sync_of_the_files_is_caught(void **state)
{
    control(*state, CALLS_SYNC, "no fsync of files");
}

/* Before run.h5 gets its name the journal is emptied, as one might who thinks that the fold holds it all. */
static void control_journal_emptied_before_the_rename_is_caught(void **state)
{
    struct small_run *at = *state;
    uint32_t n_wrong = 0, n_states = 0;
    int journal = -1;
    for (int k = 0; k < calls.n; k++) {
        const struct call rename_call = calls.item[k];
        if (rename_call.kind == CALLS_LINK) journal = rename_call.file;
        if (rename_call.kind != CALLS_RENAME || journal < 0) continue;
        calls.item[k] = (struct call){.kind = CALLS_TRUNCATE, .file = journal};
        for (int i = 0; i < N_PLAIN; i++, n_states++)
            n_wrong += try_state(at, k + 1, &plain_crash[i]) != NULL;
        calls.item[k] = rename_call;
    }
    print_message("control, journal emptied before the rename: %u of %u states are wrong\n", n_wrong,
                  n_states);
    assert_true(n_wrong > 0);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix_of_the_calls_is_resumed),
        cmocka_unit_test(control_without_sync_of_the_directory_is_caught),
        cmocka_unit_test(control_without_sync_of_the_files_is_caught),
        cmocka_unit_test(control_journal_emptied_before_the_rename_is_caught),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

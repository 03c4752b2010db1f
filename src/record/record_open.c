/* record_open.c - begins a run or continues one. Fresh: neither run.h5 nor a journal. Continued: from the
 * journal, which is the truth; where it is gone or shorter than what run.h5 has folded, from run.h5's scores,
 * which are journalled again first, so that from then on the journal is whole once more. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cola/build.h"
#include "cola/grade.h"
#include "cola/log.h"
#include "cola/memory.h"
#include "record/files.h"
#include "record/record_state.h"
#include "record/run.h"

/* --- the fields of this run -------------------------------------------------------------------------------
 */

static enum cola_status add_missing(struct cola_fields *fields, const char *key, const char *value,
                                    enum cola_field_role role)
{
    return cola_fields_value(fields, key) ? COLA_OK : cola_fields_add(fields, key, value, role);
}

static enum cola_status add_run_id(struct cola_fields *fields)
{
    uint8_t byte[16];
    char text[33], when[32];
    if (getrandom(byte, sizeof byte, 0) != (ssize_t)sizeof byte)
        return cola_fail(COLA_ERR_IO, "run id: no random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof byte; i++) snprintf(text + 2 * i, 3, "%02x", byte[i]);
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    COLA_TRY(add_missing(fields, "run_id", text, COLA_FIELD_PROVENANCE));
    return add_missing(fields, "created", when, COLA_FIELD_PROVENANCE);
}

static enum cola_status collect_fields(struct cola_fields *fields, const struct cola_record_setup *setup)
{
    const struct cola_tasks_info *info = cola_tasks_info(setup->tasks);
    for (uint32_t i = 0; i < setup->n_fields; i++)
        COLA_TRY(cola_fields_add(fields, setup->field[i].key, setup->field[i].value, setup->field[i].role));
    COLA_TRY(add_missing(fields, "task", info->task, COLA_FIELD_IDENTITY));
    COLA_TRY(add_missing(fields, "score", cola_score_rule_name[info->rule], COLA_FIELD_IDENTITY));
    if (info->rule == COLA_SCORE_GENERATE)
        COLA_TRY(add_missing(fields, "grader", cola_grade_rule_name[info->grader], COLA_FIELD_IDENTITY));
    COLA_TRY(add_missing(fields, "tasks_fingerprint", info->fingerprint, COLA_FIELD_IDENTITY));
    COLA_TRY(add_missing(fields, "program_version", cola_build_version(), COLA_FIELD_PROVENANCE));
    COLA_TRY(add_missing(fields, "git_hash", cola_build_git_hash(), COLA_FIELD_PROVENANCE));
    return add_run_id(fields);
}

/* The run keeps its name and its birthday, whoever continues it. */
static enum cola_status inherit(struct cola_fields *ours, const struct cola_fields *stored)
{
    static const char *const key[] = {"run_id", "created"};
    for (int i = 0; i < 2; i++)
        if (cola_fields_value(stored, key[i]))
            COLA_TRY(cola_fields_set(ours, key[i], cola_fields_value(stored, key[i])));
    return COLA_OK;
}

static enum cola_status check_range(const struct cola_record *record, const char *where, uint32_t first,
                                    uint32_t n)
{
    if (first == record->first_sample && n == record->n_samples) return COLA_OK;
    return cola_fail(COLA_ERR_MISMATCH, "%s holds another run: samples: there %u:%u, here %u:%u", where,
                     first, first + n, record->first_sample, record->first_sample + record->n_samples);
}

static struct cola_journal_record session_of(const struct cola_record *record)
{
    return (struct cola_journal_record){.kind = COLA_JOURNAL_SESSION,
                                        .fields = record->fields,
                                        .first_sample = record->first_sample,
                                        .n_samples = record->n_samples};
}

/* --- continuing from a journal ----------------------------------------------------------------------------
 */

static enum cola_status take_session(struct cola_record *record, const struct cola_journal_record *session)
{
    COLA_TRY(check_range(record, record->journal_path, session->first_sample, session->n_samples));
    COLA_TRY(cola_fields_compare(&session->fields, &record->fields, record->journal_path));
    cola_suspects_end(&record->suspects, true);
    record->n_sessions++;
    return inherit(&record->fields, &session->fields);
}

static enum cola_status take_result(struct cola_record *record, const struct cola_journal_record *read)
{
    struct cola_known_entry *entry;
    bool added;
    uint32_t n_candidates = cola_tasks_sample(record->tasks, read->sample)->n_candidates;
    if (read->result.n_scores != 0 && read->result.n_scores != n_candidates)
        return cola_fail(COLA_ERR_INPUT, "%s: offset %llu: %u scores for %u candidates", record->journal_path,
                         (unsigned long long)read->offset, read->result.n_scores, n_candidates);
    cola_suspects_answered(&record->suspects, read->sample, &read->chain);
    COLA_TRY(cola_known_add(record->known, read->sample, &read->chain, &read->result, &entry, &added));
    return cola_stash_of(record->stash, read->sample) == COLA_STASHED_RESULTS /* after its search's end */
               ? cola_stash_put_results(record->stash, record->known, read->sample)
               : COLA_OK;
}

static enum cola_status take(void *user, const struct cola_journal_record *read)
{
    struct cola_record *record = user;
    if (read->kind == COLA_JOURNAL_SESSION) return take_session(record, read);
    if (read->kind == COLA_JOURNAL_COMMITTED) return COLA_OK;
    if (read->kind == COLA_JOURNAL_ENDED) {
        cola_suspects_end(&record->suspects, false);
        return COLA_OK;
    }
    if (read->sample < record->first_sample || read->sample - record->first_sample >= record->n_samples)
        return cola_fail(COLA_ERR_INPUT, "%s: offset %llu: sample %u is not of this run",
                         record->journal_path, (unsigned long long)read->offset, read->sample);
    if (read->kind == COLA_JOURNAL_STARTED)
        return cola_suspects_started(&record->suspects, read->sample, &read->chain);
    if (read->kind == COLA_JOURNAL_FINISHED)
        return cola_stash_put_results(record->stash, record->known, read->sample);
    return take_result(record, read);
}

static enum cola_status learn_from_run(struct cola_record *record, uint64_t *n_added)
{
    struct cola_run *run = NULL;
    if (cola_run_open(record->run_path, &run) != COLA_OK) {
        cola_log(COLA_LOG_WARN, "%s. It will be written anew from the journal", cola_error_text());
        return COLA_OK;
    }
    enum cola_status status = cola_record_learn(record, run, n_added);
    cola_run_close(run);
    return status;
}

/* What earlier processes cost is nowhere else. */
static enum cola_status keep_timing(struct cola_record *record)
{
    struct cola_run *run = NULL;
    if (cola_run_open_timing(record->run_path, &run) != COLA_OK) {
        cola_log(COLA_LOG_WARN, "%s. What earlier processes cost is lost", cola_error_text());
        return COLA_OK;
    }
    enum cola_status status = cola_timing_append(&record->timing_before, &run->columns);
    cola_run_close(run);
    return status;
}

/* A fold writes this program's version, whose digest has more in it. */
static void tell_version(const struct cola_record *record, const struct cola_run *run)
{
    if (run->minor >= COLA_RUN_MINOR) return;
    cola_log(COLA_LOG_INFO,
             "%s is of version %d.%lld: it is written as %d.%d, so its content_digest will be another",
             record->run_path, COLA_RUN_MAJOR, (long long)run->minor, COLA_RUN_MAJOR, COLA_RUN_MINOR);
}

/* run.h5 beside the journal: of the same run, or it would be overwritten. Where it has folded more than the
 * journal holds (the journal was cut by hand), its results are taken back. */
static enum cola_status look_at_run(struct cola_record *record)
{
    struct cola_run *run = NULL;
    uint64_t n_added = 0;
    if (access(record->run_path, F_OK) != 0) return COLA_OK;
    enum cola_status status = cola_run_open_attributes(record->run_path, &run);
    if (status != COLA_OK) {
        cola_log(COLA_LOG_WARN, "%s. It will be written anew from the journal", cola_error_text());
        return COLA_OK;
    }
    const char *id = cola_run_attribute(run, "run_id"), *ours = cola_fields_value(&record->fields, "run_id");
    uint64_t folded = strtoull(cola_run_attribute(run, "folded_sequence"), NULL, 10);
    if (!id || strcmp(id, ours) != 0)
        status = cola_fail(COLA_ERR_MISMATCH, "%s is another run than its journal: run_id: there %s, here %s",
                           record->run_path, id ? id : "(absent)", ours);
    else
        status = keep_timing(record);
    if (status == COLA_OK) tell_version(record, run);
    if (status == COLA_OK && folded > cola_journal_sequence(record->journal))
        status = learn_from_run(record, &n_added);
    if (n_added)
        cola_log(COLA_LOG_WARN, "%s: took %llu results from %s that the journal no longer has",
                 record->journal_path, (unsigned long long)n_added, record->run_path);
    cola_run_close(run);
    return status;
}

/* Requests that crashed their worker so often that they are given up: their result says so. */
static enum cola_status set_aside(struct cola_record *record)
{
    for (size_t i = record->suspects.n; i-- > 0;) {
        const struct cola_suspect suspect = record->suspects.item[i]; /* it leaves the list when answered */
        const struct cola_result crashed = {.outcome = COLA_OUTCOME_CRASHED, .argmax = -1};
        char text[200];
        if (suspect.attempts < COLA_SUSPECT_ATTEMPTS) continue;
        struct cola_text id = cola_tasks_id(record->tasks, suspect.sample);
        cola_chain_print(&suspect.chain, text, sizeof text);
        cola_log(COLA_LOG_WARN, "sample %.*s: chain %s is set aside: the job died %u times while it ran",
                 (int)id.n_bytes, id.bytes, text, suspect.attempts);
        COLA_TRY(cola_record_evaluated(record, suspect.sample, &suspect.chain, &crashed));
    }
    return COLA_OK;
}

static void count_crashed(struct cola_record *record)
{
    const struct cola_known_entry *entry = NULL;
    record->n_crashed = cola_stash_n_crashed(record->stash);
    while ((entry = cola_known_next(record->known, entry)))
        record->n_crashed += entry->result.outcome == COLA_OUTCOME_CRASHED;
}

static enum cola_status continue_journal(struct cola_record *record)
{
    COLA_TRY(cola_journal_open(record->journal_path, take, record, &record->journal));
    COLA_TRY(cola_stash_tidy_results(record->stash, record->known));
    COLA_TRY(look_at_run(record));
    struct cola_journal_record session = session_of(record);
    COLA_TRY(cola_journal_append(record->journal, &session));
    COLA_TRY(cola_record_write_known(record, record->journal));
    cola_suspects_end(&record->suspects, true);
    return set_aside(record);
}

/* --- continuing from run.h5 alone -------------------------------------------------------------------------
 */

static enum cola_status check_run_range(const struct cola_record *record, const struct cola_run *run)
{
    struct cola_run_sample first = {0}, last = {0};
    uint32_t n = cola_run_n_samples(run);
    if (n) cola_run_sample(run, 0, &first);
    if (n) cola_run_sample(run, n - 1, &last);
    COLA_TRY(check_range(record, record->run_path, first.index, n));
    return n && last.index - first.index != n - 1
               ? cola_fail(COLA_ERR_MISMATCH, "%s holds samples that are not in a row", record->run_path)
               : COLA_OK;
}

static enum cola_status fill(void *user, struct cola_journal *journal)
{
    return cola_record_write_known(user, journal);
}

static enum cola_status continue_run(struct cola_record *record)
{
    struct cola_run *run = NULL;
    char digest[COLA_HASH_TEXT];
    uint64_t n_added = 0;
    COLA_TRY(cola_run_open(record->run_path, &run));
    struct cola_fields stored = {0};
    enum cola_status status = COLA_OK;
    for (uint32_t i = 0; status == COLA_OK && cola_run_field(run, i); i++)
        status = cola_fields_add(&stored, cola_run_field(run, i)->key, cola_run_field(run, i)->value,
                                 cola_run_field(run, i)->role);
    if (status == COLA_OK) status = cola_run_digest(run, digest);
    if (status == COLA_OK) status = cola_fields_compare(&stored, &record->fields, record->run_path);
    if (status == COLA_OK) status = check_run_range(record, run);
    if (status == COLA_OK) status = inherit(&record->fields, &stored);
    if (status == COLA_OK) status = cola_timing_append(&record->timing_before, &run->columns);
    if (status == COLA_OK) status = cola_record_learn(record, run, &n_added);
    if (status == COLA_OK) tell_version(record, run);
    cola_fields_fini(&stored);
    cola_run_close(run);
    COLA_TRY(status);
    struct cola_journal_record session = session_of(record);
    return cola_journal_create(record->journal_path, &session, fill, record, &record->journal);
}

/* --- opening ----------------------------------------------------------------------------------------------
 */

/* Temporaries of folds, and of what was put away, that were killed. Only the holder of the journal's lock
 * makes them. */
static void remove_temporaries(const struct cola_record *record)
{
    const char *slash = strrchr(record->run_path, '/'), *name = slash ? slash + 1 : record->run_path;
    char *directory = slash ? strndup(record->run_path, (size_t)(slash - record->run_path) + 1) : strdup(".");
    DIR *list = directory ? opendir(directory) : NULL;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        size_t n = strlen(name);
        if (strncmp(entry->d_name, name, n) != 0) continue;
        const char *end = entry->d_name + n + (strncmp(entry->d_name + n, ".spill", 6) == 0 ? 6 : 0);
        if (strncmp(end, ".tmp.", 5) != 0) continue;
        const char *pid = end + 5;
        if (*pid && strspn(pid, "0123456789") == strlen(pid)) unlinkat(dirfd(list), entry->d_name, 0);
    }
    if (list) closedir(list);
    free(directory);
}

/* An empty file by the journal's name was not left by a search, whose journals get their name when they are
 * whole, but by a disk that lost it or by hand. It holds nothing, and is in the way. */
static bool is_journal(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0) return false;
    if (!S_ISREG(about.st_mode) || about.st_size > 0 || unlink(path) != 0) return true;
    cola_log(COLA_LOG_WARN, "%s was empty: removed", path);
    return false;
}

static enum cola_status begin_or_continue(struct cola_record *record, bool resume)
{
    bool has_journal = is_journal(record->journal_path), has_run = access(record->run_path, F_OK) == 0;
    if (!resume && (has_journal || has_run))
        return cola_fail(COLA_ERR_USAGE, "%s exists: --resume continues it, another --out leaves it alone",
                         has_run ? record->run_path : record->journal_path);
    if (has_journal) return continue_journal(record);
    if (has_run) return continue_run(record);
    struct cola_journal_record session = session_of(record);
    return cola_journal_create(record->journal_path, &session, NULL, NULL, &record->journal);
}

static enum cola_status check_setup(const struct cola_record_setup *setup)
{
    uint32_t n = cola_tasks_info(setup->tasks)->n_samples;
    if (setup->n_samples == 0 || setup->first_sample >= n || setup->n_samples > n - setup->first_sample)
        return cola_fail(COLA_ERR_USAGE, "samples %u:%llu: the tasks have 0:%u", setup->first_sample,
                         (unsigned long long)setup->first_sample + setup->n_samples, n);
    return COLA_OK;
}

enum cola_status cola_record_open(const char *run_path, const struct cola_record_setup *setup,
                                  struct cola_record **out)
{
    struct cola_record *record = NULL;
    struct cola_run *memo = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(check_setup(setup));
    COLA_TRY(cola_file_not_a_link(run_path));
    COLA_TRY(cola_alloc((void **)&record, 1, sizeof *record, "record"));
    record->tasks = setup->tasks;
    record->first_sample = setup->first_sample;
    record->n_samples = setup->n_samples;
    record->run_path = strdup(run_path);
    if (!record->run_path || asprintf(&record->journal_path, "%s.journal", run_path) < 0) {
        record->journal_path = NULL;
        status = cola_fail(COLA_ERR_MEMORY, "%s: out of memory", run_path);
        goto done;
    }
    COLA_TRY_DONE(cola_alloc((void **)&record->wanted, 1, sizeof *record->wanted, "record"));
    COLA_TRY_DONE(collect_fields(&record->fields, setup));
    COLA_TRY_DONE(cola_known_create(&record->known));
    COLA_TRY_DONE(cola_stash_create(run_path, setup->first_sample, setup->n_samples, &record->stash));
    if (setup->memo_path) /* looked at first: a wrong one must not leave a journal behind */
        COLA_TRY_DONE(cola_record_memo_open(record, setup->memo_path, &memo));
    COLA_TRY_DONE(begin_or_continue(record, setup->resume));
    record->n_resumed = cola_record_n_known(record);
    count_crashed(record);
    remove_temporaries(record);
    COLA_TRY_DONE(cola_record_commit(record));
    if (memo) COLA_TRY_DONE(cola_record_learn(record, memo, &record->n_memo));
    *out = record;
    record = NULL;
done:
    cola_run_close(memo);
    cola_record_close(record);
    return status;
}

/* cross_record.c - the journal of a table of every chain on every sample: begun or continued, what is known
 * of it, what is appended. The journal is a search's in format; its fields say what it is of, so that neither
 * goes on with the other's. x.h5 is made at the end (cross_fold.c).
 *
 * What is known is a bit a chain, and only of samples that are begun and not done: a table of 10^5 chains on
 * 10^4 samples takes 12 KiB for each of these, and 4 bytes for each of the others. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/log.h"
#include "cola/memory.h"
#include "record/files.h"
#include "record/cross.h"

/* --- what is known ------------------------------------------------------------------------------------ */

static uint32_t n_samples_of(const struct cola_cross_record *r)
{
    return (uint32_t)r->shape.size[COLA_CROSS_OF_SAMPLES];
}

bool cola_cross_known(const struct cola_cross_record *r, uint32_t sample, uint32_t chain)
{
    if (!r->known[sample]) return r->n_left[sample] == 0;
    return r->known[sample][chain / 64] >> chain % 64 & 1;
}

uint32_t cola_cross_n_left(const struct cola_cross_record *r, uint32_t sample)
{
    return r->n_left[sample];
}

uint64_t cola_cross_n_known(const struct cola_cross_record *r)
{
    return r->n_known;
}

static enum cola_status mark_known(struct cola_cross_record *r, uint32_t sample, uint32_t chain)
{
    if (cola_cross_known(r, sample, chain)) return COLA_OK;
    if (!r->known[sample])
        COLA_TRY(cola_alloc((void **)&r->known[sample], ((size_t)r->chains->n + 63) / 64, sizeof(uint64_t),
                            "known evaluations"));
    r->known[sample][chain / 64] |= (uint64_t)1 << chain % 64;
    r->n_known++;
    if (--r->n_left[sample]) return COLA_OK;
    free(r->known[sample]);
    r->known[sample] = NULL;
    return COLA_OK;
}

/* So many rows that finish holds at most 256 MiB of them; but enough that all workers have work, since a
 * sample has work for at least one: fewer than 4 would hold up others behind one slow evaluation. */
uint32_t cola_cross_window(const struct cola_cross_record *r)
{
    uint64_t n = (256u << 20) / cola_cross_row_bytes(&r->shape);
    return n < 4 ? 4 : n > 4096 ? 4096 : (uint32_t)n;
}

uint32_t cola_cross_n_suspects(const struct cola_cross_record *r)
{
    return (uint32_t)r->suspects.n;
}

void cola_cross_suspect(const struct cola_cross_record *r, uint32_t i, uint32_t *sample, uint32_t *chain,
                        uint32_t *attempts)
{
    const struct cola_suspect *suspect = &r->suspects.item[i];
    *sample = suspect->sample;
    *attempts = suspect->attempts;
    cola_chain_set_find(r->chains, &suspect->chain, chain); /* take() let in no other */
}

/* --- appending ---------------------------------------------------------------------------------------- */

static enum cola_status append(struct cola_cross_record *r, const struct cola_journal_record *record)
{
    r->dirty = true;
    return cola_journal_append(r->journal, record);
}

enum cola_status cola_cross_started(struct cola_cross_record *r, uint32_t sample, uint32_t chain)
{
    struct cola_journal_record started = {
        .kind = COLA_JOURNAL_STARTED, .sample = sample, .chain = cola_chain_set_get(r->chains, chain)};
    return append(r, &started);
}

enum cola_status cola_cross_evaluated(struct cola_cross_record *r, uint32_t sample, uint32_t chain,
                                      const struct cola_result *result)
{
    struct cola_journal_record evaluated = {.kind = COLA_JOURNAL_EVALUATED,
                                            .sample = sample,
                                            .chain = cola_chain_set_get(r->chains, chain),
                                            .result = *result};
    if (result->outcome > COLA_OUTCOME_CRASHED)
        return cola_fail(COLA_ERR_INPUT, "sample %u: outcome %u has no meaning", sample, result->outcome);
    COLA_TRY(append(r, &evaluated));
    cola_suspects_answered(&r->suspects, sample, &evaluated.chain);
    return mark_known(r, sample, chain);
}

enum cola_status cola_cross_ended(struct cola_cross_record *r)
{
    struct cola_journal_record ended = {.kind = COLA_JOURNAL_ENDED};
    return append(r, &ended);
}

enum cola_status cola_cross_commit(struct cola_cross_record *r)
{
    if (!r->dirty) return COLA_OK;
    COLA_TRY(cola_journal_commit(r->journal));
    r->dirty = false;
    return COLA_OK;
}

enum cola_status cola_cross_start_writer(struct cola_cross_record *r)
{
    return r->journal ? cola_journal_start_writer(r->journal) : COLA_OK;
}

enum cola_status cola_cross_flush(struct cola_cross_record *r)
{
    return r->journal ? cola_journal_flush(r->journal, false) : COLA_OK;
}

/* --- continuing --------------------------------------------------------------------------------------- */

static enum cola_status take_session(struct cola_cross_record *r, const struct cola_journal_record *session)
{
    COLA_TRY(cola_fields_compare(&session->fields, &r->fields, r->journal_path));
    cola_suspects_end(&r->suspects, true);
    return cola_cross_inherit(&r->fields, &session->fields);
}

static enum cola_status take(void *user, const struct cola_journal_record *read)
{
    struct cola_cross_record *r = user;
    uint32_t chain;
    if (read->kind == COLA_JOURNAL_SESSION) return take_session(r, read);
    if (read->kind == COLA_JOURNAL_ENDED) cola_suspects_end(&r->suspects, false);
    if (read->kind != COLA_JOURNAL_STARTED && read->kind != COLA_JOURNAL_EVALUATED) return COLA_OK;
    if (read->sample >= n_samples_of(r) || !cola_chain_set_find(r->chains, &read->chain, &chain))
        return cola_fail(COLA_ERR_INPUT, "%s: offset %llu: sample %u or its chain is not of this table",
                         r->journal_path, (unsigned long long)read->offset, read->sample);
    if (read->kind == COLA_JOURNAL_STARTED)
        return cola_suspects_started(&r->suspects, read->sample, &read->chain);
    cola_suspects_answered(&r->suspects, read->sample, &read->chain);
    return mark_known(r, read->sample, chain);
}

/* Evaluations that crashed their worker so often that they are given up: their result says so. */
static enum cola_status set_aside(struct cola_cross_record *r)
{
    for (size_t i = r->suspects.n; i-- > 0;) {
        const struct cola_suspect suspect = r->suspects.item[i]; /* it leaves the list when answered */
        const struct cola_result crashed = {.outcome = COLA_OUTCOME_CRASHED, .argmax = -1};
        uint32_t chain;
        char text[200];
        if (suspect.attempts < COLA_SUSPECT_ATTEMPTS ||
            !cola_chain_set_find(r->chains, &suspect.chain, &chain))
            continue;
        struct cola_text id = cola_tasks_id(r->tasks, suspect.sample);
        cola_chain_print(&suspect.chain, text, sizeof text);
        cola_log(COLA_LOG_WARN, "sample %.*s: chain %s is set aside: the job died %u times while it ran",
                 (int)id.n_bytes, id.bytes, text, suspect.attempts);
        COLA_TRY(cola_cross_evaluated(r, suspect.sample, chain, &crashed));
    }
    return COLA_OK;
}

static struct cola_journal_record session_of(const struct cola_cross_record *r)
{
    return (struct cola_journal_record){
        .kind = COLA_JOURNAL_SESSION, .fields = r->fields, .n_samples = n_samples_of(r)};
}

/* x.h5 beside: fields of another table must not be overwritten, and one that is whole needs no journal. */
static enum cola_status look_at_file(struct cola_cross_record *r, bool has_journal)
{
    struct cola_cross *cross = NULL;
    struct cola_fields stored = {0};
    enum cola_status status = cola_cross_open(r->path, &cross);
    if (status != COLA_OK && has_journal) {
        cola_log(COLA_LOG_WARN, "%s. It will be written anew from the journal", cola_error_text());
        return COLA_OK;
    }
    for (uint32_t i = 0; status == COLA_OK && cola_cross_field(cross, i); i++)
        status = cola_fields_add(&stored, cola_cross_field(cross, i)->key, cola_cross_field(cross, i)->value,
                                 cola_cross_field(cross, i)->role);
    if (status == COLA_OK) status = cola_fields_compare(&stored, &r->fields, r->path);
    const char *id = cola_fields_value(&stored, "run_id"), *ours = cola_fields_value(&r->fields, "run_id");
    if (status == COLA_OK && has_journal && (!id || strcmp(id, ours) != 0))
        status =
            cola_fail(COLA_ERR_MISMATCH, "%s is another table than its journal: run_id: there %s, here %s",
                      r->path, id ? id : "(absent)", ours);
    if (status == COLA_OK && !has_journal) {
        r->whole_before = cola_cross_complete(cross);
        if (!r->whole_before)
            status = cola_fail(COLA_ERR_INPUT, "%s is not complete and %s is gone: give another --out",
                               r->path, r->journal_path);
    }
    cola_fields_fini(&stored);
    cola_cross_close(cross);
    return status;
}

static void remove_temporaries(const struct cola_cross_record *r)
{
    char pattern[4096];
    glob_t found = {0};
    snprintf(pattern, sizeof pattern, "%s.tmp.[0-9]*", r->path);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) unlink(found.gl_pathv[i]);
    globfree(&found);
}

static enum cola_status continue_journal(struct cola_cross_record *r)
{
    COLA_TRY(cola_journal_open(r->journal_path, take, r, &r->journal));
    if (access(r->path, F_OK) == 0) COLA_TRY(look_at_file(r, true));
    remove_temporaries(r); /* of folds that were killed: the lock is ours */
    struct cola_journal_record session = session_of(r);
    COLA_TRY(append(r, &session));
    cola_suspects_end(&r->suspects, true);
    return set_aside(r);
}

static enum cola_status begin_or_continue(struct cola_cross_record *r, bool resume)
{
    bool has_journal = access(r->journal_path, F_OK) == 0, has_file = access(r->path, F_OK) == 0;
    if (!resume && (has_journal || has_file))
        return cola_fail(COLA_ERR_USAGE, "%s exists: --resume continues it, another --out leaves it alone",
                         has_file ? r->path : r->journal_path);
    if (has_journal) return continue_journal(r);
    if (has_file) {
        COLA_TRY(look_at_file(r, false));
        r->n_known = (uint64_t)n_samples_of(r) * r->chains->n;
        memset(r->n_left, 0, n_samples_of(r) * sizeof *r->n_left);
        return COLA_OK;
    }
    struct cola_journal_record session = session_of(r);
    return cola_journal_create(r->journal_path, &session, NULL, NULL, &r->journal);
}

/* --- opening ------------------------------------------------------------------------------------------ */

static void set_shape(struct cola_cross_record *r, bool details)
{
    const struct cola_tasks_info *info = cola_tasks_info(r->tasks);
    uint64_t *size = r->shape.size, n_most = 0;
    bool generate = info->rule == COLA_SCORE_GENERATE;
    size[COLA_CROSS_OF_SAMPLES] = info->n_samples;
    size[COLA_CROSS_OF_SAMPLES_1] = info->n_samples + 1ull;
    size[COLA_CROSS_OF_CHAINS] = r->chains->n;
    size[COLA_CROSS_OF_CHAINS_1] = r->chains->n + 1ull;
    size[COLA_CROSS_OF_LAYERS] = r->chains->offset[r->chains->n];
    for (uint32_t i = 0; i < info->n_samples; i++) {
        uint32_t n = cola_tasks_sample(r->tasks, i)->n_candidates;
        size[COLA_CROSS_OF_ID_BYTES] += cola_tasks_id(r->tasks, i).n_bytes;
        for (uint32_t c = 0; c < n; c++)
            size[COLA_CROSS_OF_CHOICE_BYTES] += cola_tasks_choice(r->tasks, i, c).n_bytes;
        size[COLA_CROSS_OF_CHOICES_1] += n;
        if (n > n_most) n_most = n;
    }
    size[COLA_CROSS_OF_CHOICES_1]++;
    if (details && !generate) size[COLA_CROSS_OF_CANDIDATES] = n_most;
    if (details && generate) size[COLA_CROSS_OF_TOKENS] = info->max_new_tokens;
}

static enum cola_status create(const char *path, const struct cola_cross_setup *setup,
                               struct cola_cross_record **out)
{
    struct cola_cross_record *r;
    uint32_t n = cola_tasks_info(setup->tasks)->n_samples;
    COLA_TRY(cola_alloc((void **)&r, 1, sizeof *r, "record"));
    *out = r;
    r->tasks = setup->tasks;
    r->chains = setup->chains;
    r->metric = setup->metric;
    set_shape(r, setup->details);
    COLA_TRY(cola_alloc((void **)&r->known, n, sizeof(uint64_t *), "samples"));
    COLA_TRY(cola_alloc((void **)&r->n_left, n, sizeof *r->n_left, "samples"));
    for (uint32_t i = 0; i < n; i++) r->n_left[i] = r->chains->n;
    r->path = strdup(path);
    if (asprintf(&r->journal_path, "%s.journal", path) < 0) r->journal_path = NULL;
    if (!r->path || !r->journal_path) return cola_fail(COLA_ERR_MEMORY, "%s: out of memory", path);
    return cola_cross_fields(r, setup);
}

enum cola_status cola_cross_record_open(const char *path, const struct cola_cross_setup *setup,
                                        struct cola_cross_record **out)
{
    struct cola_cross_record *r = NULL;
    COLA_TRY(cola_file_not_a_link(path));
    enum cola_status status = create(path, setup, &r);
    if (status == COLA_OK) status = begin_or_continue(r, setup->resume);
    if (status == COLA_OK) status = cola_cross_commit(r);
    if (status == COLA_OK)
        *out = r;
    else
        cola_cross_record_close(r);
    return status;
}

void cola_cross_record_close(struct cola_cross_record *r)
{
    if (!r) return;
    if (r->journal && cola_journal_drain(r->journal) != COLA_OK)
        cola_log(COLA_LOG_ERROR, "%s", cola_error_text());
    cola_journal_close(r->journal);
    for (uint32_t i = 0; r->known && i < n_samples_of(r); i++) free(r->known[i]);
    free(r->known);
    free(r->n_left);
    cola_suspects_fini(&r->suspects);
    cola_fields_fini(&r->fields);
    free(r->journal_path);
    free(r->path);
    free(r);
}

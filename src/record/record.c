/* record.c - what the master calls while it searches: what is known, what was started, evaluated, finished;
 * commit. Beginning and resuming are record_open.c's, another run's results record_memo.c's, putting samples
 * away and the fold record_fold.c's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cola/log.h"
#include "cola/memory.h"
#include "record/record_state.h"

/* --- known results ----------------------------------------------------------------------------------------
 */

enum cola_status cola_record_take_back(const struct cola_record *record, uint32_t sample)
{
    if (cola_stash_of(record->stash, sample) != COLA_STASHED_RESULTS) return COLA_OK;
    return cola_stash_take_results(record->stash, sample, record->known);
}

bool cola_record_known(const struct cola_record *record, uint32_t sample, const struct cola_chain *chain,
                       struct cola_result *out)
{
    if (cola_record_take_back(record, sample) != COLA_OK) { /* then it is evaluated: slower, not wrong */
        cola_log(COLA_LOG_WARN, "%s; evaluated again where it is missing", cola_error_text());
        cola_stash_drop(record->stash, sample);
    }
    struct cola_known_entry *entry = cola_known_find(record->known, sample, chain);
    if (!entry) return false;
    if (!entry->journalled && !entry->wanted) {
        struct cola_wanted *wanted = record->wanted;
        if (cola_grow((void **)&wanted->entry, &wanted->room, wanted->n + 1,
                      sizeof(struct cola_known_entry *), "memo") != COLA_OK)
            return false; /* then it is evaluated: slower, not wrong */
        wanted->entry[wanted->n++] = entry;
        entry->wanted = true;
    }
    *out = entry->result;
    return true;
}

uint64_t cola_record_n_known(const struct cola_record *record)
{
    return cola_known_count(record->known) + cola_stash_n_results(record->stash);
}

uint64_t cola_record_n_resumed(const struct cola_record *record)
{
    return record->n_resumed;
}

uint64_t cola_record_n_memo(const struct cola_record *record)
{
    return record->n_memo;
}

uint32_t cola_record_attempts(const struct cola_record *record, uint32_t sample,
                              const struct cola_chain *chain)
{
    const struct cola_suspect *suspect = cola_suspects_find(&record->suspects, sample, chain);
    return suspect ? suspect->attempts : 0;
}

uint32_t cola_record_n_suspects(const struct cola_record *record)
{
    return (uint32_t)record->suspects.n;
}

uint64_t cola_record_n_crashed(const struct cola_record *record)
{
    return record->n_crashed;
}

/* --- the journal ------------------------------------------------------------------------------------------
 */

enum cola_status cola_record_write_entry(struct cola_journal *journal, struct cola_known_entry *entry)
{
    struct cola_journal_record written = {.kind = COLA_JOURNAL_EVALUATED,
                                          .sample = entry->sample,
                                          .chain = entry->chain,
                                          .result = entry->result};
    COLA_TRY(cola_journal_append(journal, &written));
    entry->journalled = true;
    return COLA_OK;
}

enum cola_status cola_record_write_known(struct cola_record *record, struct cola_journal *journal)
{
    struct cola_known_entry *entry = NULL;
    while ((entry = cola_known_next(record->known, entry)))
        if (!entry->journalled) COLA_TRY(cola_record_write_entry(journal, entry));
    return COLA_OK;
}

enum cola_status cola_record_check_sample(const struct cola_record *record, uint32_t sample)
{
    if (sample >= record->first_sample && sample - record->first_sample < record->n_samples) return COLA_OK;
    return cola_fail(COLA_ERR_INPUT, "%s: sample %u is not of this run (%u:%u)", record->journal_path, sample,
                     record->first_sample, record->first_sample + record->n_samples);
}

static enum cola_status check_chain(uint32_t sample, const struct cola_chain *chain)
{
    if (chain->n_layers >= 1 && chain->n_layers <= COLA_CHAIN_MAX(COLA_LAYERS_MAX)) return COLA_OK;
    return cola_fail(COLA_ERR_INPUT, "sample %u: %u layers are no chain", sample, chain->n_layers);
}

enum cola_status cola_record_started(struct cola_record *record, uint32_t sample,
                                     const struct cola_chain *chain)
{
    COLA_TRY(cola_record_check_sample(record, sample));
    COLA_TRY(check_chain(sample, chain));
    struct cola_journal_record started = {.kind = COLA_JOURNAL_STARTED, .sample = sample, .chain = *chain};
    return cola_journal_append(record->journal, &started);
}

/* Scores of a result of this sample: one a candidate, none under generate. */
static uint32_t scores_of(const struct cola_record *record, uint32_t sample)
{
    const struct cola_sample *task = cola_tasks_sample(record->tasks, sample);
    return task->rule == COLA_SCORE_GENERATE ? 0 : task->n_candidates;
}

/* A result that is not finite has no scores to compare: all are NaN with the same bits, whatever the back end
 * left. */
static enum cola_status take_evaluated(struct cola_record *record, uint32_t sample,
                                       const struct cola_chain *chain, const struct cola_result *result,
                                       struct cola_known_entry **entry)
{
    struct cola_result canonical = *result;
    float *nan_score = NULL;
    bool added;
    uint32_t n_scores = scores_of(record, sample);
    if (result->outcome > COLA_OUTCOME_CRASHED)
        return cola_fail(COLA_ERR_INPUT, "sample %u: outcome %u has no meaning", sample, result->outcome);
    if (result->outcome != COLA_OUTCOME_SCORED) {
        COLA_TRY(cola_alloc((void **)&nan_score, n_scores, sizeof *nan_score, "scores"));
        for (uint32_t i = 0; i < n_scores; i++) nan_score[i] = (float)NAN;
        canonical.score = nan_score;
        canonical.n_scores = n_scores;
        canonical.logsumexp = isfinite(result->logsumexp) ? result->logsumexp : (float)NAN;
    } else if (result->n_scores != 0 && result->n_scores != n_scores) {
        return cola_fail(COLA_ERR_INPUT, "sample %u: %u scores, expected %u", sample, result->n_scores,
                         n_scores);
    }
    enum cola_status status = cola_known_add(record->known, sample, chain, &canonical, entry, &added);
    if (status == COLA_OK && added) (*entry)->journalled = false;
    free(nan_score);
    return status;
}

enum cola_status cola_record_evaluated(struct cola_record *record, uint32_t sample,
                                       const struct cola_chain *chain, const struct cola_result *result)
{
    struct cola_known_entry *entry = NULL;
    COLA_TRY(cola_record_check_sample(record, sample));
    COLA_TRY(check_chain(sample, chain));
    COLA_TRY(take_evaluated(record, sample, chain, result, &entry));
    cola_suspects_answered(&record->suspects, sample, chain);
    if (!entry->journalled) COLA_TRY(cola_record_write_entry(record->journal, entry));
    if (cola_stash_of(record->stash, sample) == COLA_STASHED_COLUMNS) /* late: no search asks for it */
        cola_stash_let_go(record->stash, record->known, sample);
    return COLA_OK;
}

enum cola_status cola_record_finished(struct cola_record *record, uint32_t sample, uint32_t n_simulations)
{
    COLA_TRY(cola_record_check_sample(record, sample));
    struct cola_journal_record finished = {
        .kind = COLA_JOURNAL_FINISHED, .sample = sample, .n_simulations = n_simulations};
    return cola_journal_append(record->journal, &finished);
}

enum cola_status cola_record_ended(struct cola_record *record)
{
    struct cola_journal_record ended = {.kind = COLA_JOURNAL_ENDED};
    return cola_journal_append(record->journal, &ended);
}

enum cola_status cola_record_write_wanted(struct cola_record *record)
{
    struct cola_wanted *wanted = record->wanted;
    for (size_t i = 0; i < wanted->n; i++)
        if (!wanted->entry[i]->journalled)
            COLA_TRY(cola_record_write_entry(record->journal, wanted->entry[i]));
    wanted->n = 0;
    return COLA_OK;
}

enum cola_status cola_record_commit(struct cola_record *record)
{
    COLA_TRY(cola_record_write_wanted(record));
    if (record->committed == cola_journal_sequence(record->journal)) return COLA_OK;
    COLA_TRY(cola_journal_commit(record->journal));
    record->committed = cola_journal_sequence(record->journal);
    return COLA_OK;
}

enum cola_status cola_record_drain(struct cola_record *record)
{
    if (!record->has_writer) return cola_record_commit(record);
    COLA_TRY(cola_record_write_wanted(record));
    COLA_TRY(cola_journal_drain(record->journal));
    record->committed = cola_journal_sequence(record->journal);
    return COLA_OK;
}

enum cola_status cola_record_start_writer(struct cola_record *record)
{
    COLA_TRY(cola_record_commit(record));
    COLA_TRY(cola_journal_start_writer(record->journal));
    record->has_writer = true;
    return COLA_OK;
}

enum cola_status cola_record_flush(struct cola_record *record, bool written)
{
    return cola_journal_flush(record->journal, written);
}

void cola_record_close(struct cola_record *record)
{
    if (!record) return;
    if (record->journal && cola_record_drain(record) != COLA_OK)
        cola_log(COLA_LOG_ERROR, "%s", cola_error_text());
    cola_journal_close(record->journal);
    cola_known_destroy(record->known);
    cola_stash_destroy(record->stash);
    cola_suspects_fini(&record->suspects);
    cola_fields_fini(&record->fields);
    cola_columns_fini(&record->columns);
    cola_columns_fini(&record->timing_before);
    cola_columns_fini(&record->timing_now);
    if (record->wanted) free(record->wanted->entry);
    free(record->wanted);
    free(record->journal_path);
    free(record->run_path);
    free(record);
}

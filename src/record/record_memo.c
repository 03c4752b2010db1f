/* record_memo.c - takes results from a run.h5: another run's (--memo), or this run's own when its journal is
 * gone. A result is a function of (model, sample, chain, numerics), so where those agree the scores may be
 * used as they are. */
#include <string.h>

#include "record/record_state.h"

enum cola_status cola_record_learn(struct cola_record *record, const struct cola_run *run, uint64_t *n_added)
{
    uint64_t n = 0;
    const char *id = cola_run_attribute(run, "run_id"), *ours = cola_fields_value(&record->fields, "run_id");
    bool same_run = id && ours && strcmp(id, ours) == 0;
    for (uint32_t i = 0; i < cola_run_n_samples(run); i++) {
        struct cola_run_sample sample;
        cola_run_sample(run, i, &sample);
        if (sample.index < record->first_sample || sample.index - record->first_sample >= record->n_samples)
            continue;
        if (sample.n_candidates != cola_tasks_sample(record->tasks, sample.index)->n_candidates)
            return cola_fail(COLA_ERR_MISMATCH, "sample %u has %u candidates there, %u here", sample.index,
                             sample.n_candidates,
                             cola_tasks_sample(record->tasks, sample.index)->n_candidates);
        COLA_TRY(cola_record_take_back(record, sample.index));
        for (uint64_t row = sample.first_chain; row < sample.first_chain + sample.n_chains; row++) {
            struct cola_run_chain chain;
            struct cola_result result;
            struct cola_known_entry *entry;
            bool added;
            cola_run_chain(run, row, &chain);
            cola_run_result(run, row, &result);
            if (result.outcome == COLA_OUTCOME_CRASHED && !same_run) continue; /* that was their machine */
            COLA_TRY(cola_known_add(record->known, sample.index, &chain.node.chain, &result, &entry, &added));
            if (added) entry->journalled = false;
            n += added;
        }
    }
    *n_added = n;
    return COLA_OK;
}

/* What decides a result's bits must be there and equal. */
static enum cola_status check_belongs(const struct cola_record *record, const struct cola_run *run,
                                      const char *path)
{
    static const char *const key[] = {"model_fingerprint", "tasks_fingerprint", "numerics_id"};
    for (size_t i = 0; i < sizeof key / sizeof *key; i++) {
        const char *there = cola_run_attribute(run, key[i]),
                   *here = cola_fields_value(&record->fields, key[i]);
        if (!there || !here || strcmp(there, here) != 0)
            return cola_fail(COLA_ERR_MISMATCH,
                             "--memo %s: its results are not this run's: %s: there %s, here %s", path, key[i],
                             there ? there : "(absent)", here ? here : "(absent)");
    }
    return COLA_OK;
}

enum cola_status cola_record_memo_open(const struct cola_record *record, const char *run_path,
                                       struct cola_run **out)
{
    struct cola_run *run = NULL;
    char digest[COLA_HASH_TEXT];
    COLA_TRY(cola_run_open(run_path, &run));
    enum cola_status status = cola_run_digest(run, digest);
    if (status == COLA_OK) status = check_belongs(record, run, run_path);
    if (status != COLA_OK) {
        cola_run_close(run);
        return status;
    }
    *out = run;
    return COLA_OK;
}

enum cola_status cola_record_memo(struct cola_record *record, const char *run_path, uint64_t *n_added)
{
    struct cola_run *run = NULL;
    COLA_TRY(cola_record_memo_open(record, run_path, &run));
    enum cola_status status = cola_record_learn(record, run, n_added);
    cola_run_close(run);
    return status;
}

/* record_fold.c - a sample whose search is over is put away as its columns; the fold writes those and what
 * the others came to, in the order of tasks.h5 and a piece at a time. So neither the master's memory nor a
 * fold's grows with the finished samples. */
#include <stdlib.h>

#include "cola/judge.h"
#include "record/fold.h"
#include "record/record_state.h"
#include "record/run_file.h"

enum { PIECE_BYTES = 1 << 20 }; /* of columns, at most one sample more: enough for long writes */

static struct cola_fold_sample sample_of(const struct cola_record *record, uint32_t sample, int32_t target,
                                         const struct cola_search *search, bool finished)
{
    return (struct cola_fold_sample){.tasks = record->tasks,
                                     .index = sample,
                                     .target = target,
                                     .finished = finished,
                                     .n_simulations = search ? cola_search_n_simulations(search) : 0};
}

/* record->columns becomes this one sample's. */
static enum cola_status fold_one(struct cola_record *record, const struct cola_fold_sample *sample,
                                 const struct cola_search *search)
{
    bool by_row = cola_judge_by_row(cola_tasks_info(record->tasks));
    cola_columns_clear(&record->columns);
    COLA_TRY(cola_fold_begin(&record->columns));
    COLA_TRY(cola_fold_search(&record->columns, sample, search, record->known));
    return cola_columns_check(&record->columns, by_row, record->run_path);
}

/* What was asked for of another run's results is written down before it is forgotten. */
enum cola_status cola_record_put_away(struct cola_record *record, uint32_t sample, int32_t target,
                                      const struct cola_search *search)
{
    const struct cola_fold_sample over = sample_of(record, sample, target, search, true);
    COLA_TRY(cola_record_check_sample(record, sample));
    COLA_TRY(cola_record_take_back(record, sample));
    COLA_TRY(cola_record_write_wanted(record));
    COLA_TRY(fold_one(record, &over, search));
    return cola_stash_put_columns(record->stash, sample, &record->columns, record->known);
}

/* --- the fold ---------------------------------------------------------------------------------------------
 */

struct folding {
    struct cola_record *record;
    const struct cola_fold *fold;
    uint64_t n_items[COLA_N_RUN_COLUMNS];
    bool complete;
    struct cola_run_file *file;
};

static bool is_away(const struct folding *f, uint32_t i)
{
    return cola_stash_of(f->record->stash, f->record->first_sample + i) == COLA_STASHED_COLUMNS;
}

static struct cola_fold_sample sample_at(const struct folding *f, uint32_t i)
{
    return sample_of(f->record, f->record->first_sample + i, f->fold->target[i], f->fold->search[i],
                     f->fold->finished[i]);
}

/* record->columns becomes what this process and earlier ones cost: a piece without samples. */
static enum cola_status fold_timing(struct cola_record *record)
{
    bool by_row = cola_judge_by_row(cola_tasks_info(record->tasks));
    cola_columns_clear(&record->columns);
    COLA_TRY(cola_fold_begin(&record->columns));
    COLA_TRY(cola_timing_fold(record, &record->columns));
    return cola_columns_check(&record->columns, by_row, record->run_path);
}

/* What is away was counted and checked when it went. */
static enum cola_status count(struct folding *f)
{
    struct cola_record *record = f->record;
    cola_columns_count_first(f->n_items);
    cola_stash_count(record->stash, f->n_items);
    f->complete = true;
    for (uint32_t i = 0; i < record->n_samples; i++) {
        if (is_away(f, i)) continue;
        const struct cola_fold_sample sample = sample_at(f, i);
        COLA_TRY(fold_one(record, &sample, f->fold->search[i]));
        cola_columns_count(&record->columns, f->n_items);
        if (!sample.finished) f->complete = false;
    }
    COLA_TRY(fold_timing(record));
    cola_columns_count(&record->columns, f->n_items);
    return COLA_OK;
}

static enum cola_status write_piece(struct folding *f)
{
    COLA_TRY(cola_run_file_append(f->file, &f->record->columns));
    cola_columns_clear(&f->record->columns);
    return cola_fold_begin(&f->record->columns);
}

static enum cola_status write_samples(struct folding *f)
{
    struct cola_record *record = f->record;
    struct cola_columns *columns = &record->columns;
    cola_columns_clear(columns);
    COLA_TRY(cola_fold_begin(columns));
    for (uint32_t i = 0; i < record->n_samples; i++) {
        const struct cola_fold_sample sample = sample_at(f, i);
        COLA_TRY(is_away(f, i) ? cola_stash_join_columns(record->stash, sample.index, columns)
                               : cola_fold_search(columns, &sample, f->fold->search[i], record->known));
        if (cola_columns_bytes(columns) >= PIECE_BYTES) COLA_TRY(write_piece(f));
    }
    return cola_run_file_append(f->file, columns);
}

static enum cola_status write_timing(struct folding *f)
{
    COLA_TRY(fold_timing(f->record));
    return cola_run_file_append(f->file, &f->record->columns);
}

enum cola_status cola_record_fold(struct cola_record *record, const struct cola_fold *fold)
{
    struct folding f = {.record = record, .fold = fold};
    char digest[COLA_HASH_TEXT];
    COLA_TRY(cola_record_drain(record)); /* run.h5 never knows more than the journal */
    COLA_TRY(count(&f));
    COLA_TRY(cola_run_file_create(record->run_path, COLA_RUN_MINOR, f.n_items, &f.file));
    const struct cola_run_content content = {.fields = &record->fields,
                                             .complete = f.complete,
                                             .folded_sequence = cola_journal_sequence(record->journal)};
    enum cola_status status = write_samples(&f);
    if (status == COLA_OK) status = write_timing(&f);
    if (status == COLA_OK) status = cola_run_file_finish(f.file, &content, COLA_NEW_FILE_REPLACES, digest);
    cola_run_file_close(f.file);
    return status;
}

/* cross_fold.c - the journal to x.h5: read once, judged, one row of memory for each sample that is begun and
 * not done; a row that is whole goes to its place in the file and its memory back. Judging is here and not
 * where results arrive, so that the file is a function of the journal and the tasks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cola/judge.h"
#include "cola/log.h"
#include "cola/memory.h"
#include "record/cross.h"

/* --- rows --------------------------------------------------------------------------------------------- */

static size_t round_up(size_t n_bytes)
{
    return (n_bytes + 7) / 8 * 8;
}

static uint64_t item_bytes(const struct cola_cross_shape *shape, enum cola_cross_column column)
{
    if (!cola_cross_has(shape, column)) return 0;
    return cola_cross_row_items(shape, column) * cola_h5_type_bytes(cola_cross_schema[column].type);
}

uint64_t cola_cross_row_bytes(const struct cola_cross_shape *shape)
{
    uint64_t n = sizeof(struct cola_cross_row);
    for (int i = COLA_CROSS_OUTCOME; i < COLA_N_CROSS_COLUMNS; i++)
        n += round_up(item_bytes(shape, (enum cola_cross_column)i));
    return n;
}

enum cola_status cola_cross_row_create(const struct cola_cross_shape *shape, struct cola_cross_row **out)
{
    struct cola_cross_row *row;
    uint8_t *at;
    void *part[COLA_N_CROSS_COLUMNS] = {0};
    COLA_TRY(cola_alloc((void **)&row, cola_cross_row_bytes(shape), 1, "a row"));
    at = (uint8_t *)(row + 1);
    for (int i = COLA_CROSS_OUTCOME; i < COLA_N_CROSS_COLUMNS; i++) {
        if (cola_cross_has(shape, (enum cola_cross_column)i)) part[i] = at;
        at += round_up(item_bytes(shape, (enum cola_cross_column)i));
    }
    *row = (struct cola_cross_row){.outcome = part[COLA_CROSS_OUTCOME],
                                   .right = part[COLA_CROSS_RIGHT],
                                   .prediction = part[COLA_CROSS_PREDICTION],
                                   .score = part[COLA_CROSS_SCORES],
                                   .token = part[COLA_CROSS_TOKENS]};
    uint64_t n = shape->size[COLA_CROSS_OF_CHAINS], n_scores = item_bytes(shape, COLA_CROSS_SCORES) / 4;
    memset(row->outcome, COLA_CROSS_NOT_EVALUATED, n);
    memset(row->prediction, 0xff, n * sizeof *row->prediction);                       /* -1 */
    if (row->token) memset(row->token, 0xff, item_bytes(shape, COLA_CROSS_TOKENS));   /* -1 */
    for (uint64_t i = 0; row->score && i < n_scores; i++) row->score[i] = (float)NAN; /* one NaN: hashed */
    *out = row;
    return COLA_OK;
}

/* --- from results ------------------------------------------------------------------------------------- */

struct fold {
    struct cola_cross_record *record;
    struct cola_cross_writer *writer;
    struct cola_cross_row **row; /* [n_samples]; NULL: not begun, or written */
    bool *written;               /* [n_samples] */
    struct cola_cross_totals totals;
    uint64_t sequence;
};

static enum cola_status fill(struct fold *f, struct cola_cross_row *row, uint32_t sample, uint32_t chain,
                             const struct cola_result *result)
{
    const struct cola_cross_record *r = f->record;
    const uint64_t *size = r->shape.size;
    struct cola_judgement judgement;
    int32_t gold;
    uint32_t n_candidates = cola_tasks_sample(r->tasks, sample)->n_candidates;
    bool generate = cola_tasks_info(r->tasks)->rule == COLA_SCORE_GENERATE,
         scored = result->outcome == COLA_OUTCOME_SCORED;
    if ((scored && result->n_scores != (generate ? 0 : n_candidates)) ||
        (row->token && result->n_tokens > size[COLA_CROSS_OF_TOKENS]))
        return cola_fail(COLA_ERR_INPUT, "%s: sample %u: %u scores, %u tokens: not of these tasks",
                         r->journal_path, sample, result->n_scores, result->n_tokens);
    COLA_TRY(cola_judge_target(r->tasks, sample, false, 0, &gold));
    COLA_TRY(cola_judge_result(r->tasks, sample, r->metric, gold, result, &judgement));
    row->outcome[chain] = result->outcome;
    row->prediction[chain] = judgement.verdict.prediction;
    row->right[chain] = judgement.verdict.reward > 0;
    if (row->score && scored)
        memcpy(row->score + chain * size[COLA_CROSS_OF_CANDIDATES], result->score,
               n_candidates * sizeof *row->score);
    if (row->token && result->n_tokens)
        memcpy(row->token + chain * size[COLA_CROSS_OF_TOKENS], result->token,
               result->n_tokens * sizeof *row->token);
    f->totals.n_evaluated++;
    f->totals.n_right += row->right[chain];
    f->totals.n_non_finite += result->outcome == COLA_OUTCOME_NON_FINITE;
    f->totals.n_crashed += result->outcome == COLA_OUTCOME_CRASHED;
    return COLA_OK;
}

static enum cola_status write_row(struct fold *f, uint32_t sample)
{
    COLA_TRY(cola_cross_writer_row(f->writer, sample, f->row[sample]));
    free(f->row[sample]);
    f->row[sample] = NULL;
    f->written[sample] = true;
    return COLA_OK;
}

/* cola_journal_visit. The first of two results of an evaluation counts: they are equal. */
static enum cola_status take(void *user, const struct cola_journal_record *read)
{
    struct fold *f = user;
    const struct cola_cross_record *r = f->record;
    uint32_t chain, sample = read->sample;
    f->sequence = read->sequence;
    if (read->kind != COLA_JOURNAL_EVALUATED) return COLA_OK;
    if (sample >= r->shape.size[COLA_CROSS_OF_SAMPLES] ||
        !cola_chain_set_find(r->chains, &read->chain, &chain))
        return cola_fail(COLA_ERR_INPUT, "%s: offset %llu: not of this table", r->journal_path,
                         (unsigned long long)read->offset);
    if (f->written[sample]) return COLA_OK;
    if (!f->row[sample]) COLA_TRY(cola_cross_row_create(&r->shape, &f->row[sample]));
    struct cola_cross_row *row = f->row[sample];
    if (row->outcome[chain] != COLA_CROSS_NOT_EVALUATED) return COLA_OK;
    COLA_TRY(fill(f, row, sample, chain, &read->result));
    return ++row->n_done == r->chains->n ? write_row(f, sample) : COLA_OK;
}

static enum cola_status write_rest(struct fold *f, bool *complete)
{
    *complete = true;
    for (uint32_t i = 0; i < f->record->shape.size[COLA_CROSS_OF_SAMPLES]; i++) {
        if (!f->written[i]) *complete = false;
        if (f->row[i]) COLA_TRY(write_row(f, i));
    }
    return COLA_OK;
}

/* The journal is closed and opened again, because reading hands out all of a file. The lock is let go of for
 * a moment: who takes it has the same journal, and we say that it is in use. */
enum cola_status cola_cross_finish(struct cola_cross_record *r, struct cola_cross_totals *out)
{
    struct fold f = {.record = r};
    uint64_t n = r->shape.size[COLA_CROSS_OF_SAMPLES];
    bool complete;
    enum cola_status status = COLA_OK;
    if (r->whole_before) {
        *out = (struct cola_cross_totals){.n_evaluated = r->n_known};
        return COLA_OK;
    }
    COLA_TRY(cola_journal_drain(r->journal));
    cola_journal_close(r->journal);
    r->journal = NULL;
    COLA_TRY_DONE(cola_alloc((void **)&f.row, n, sizeof(struct cola_cross_row *), "rows"));
    COLA_TRY_DONE(cola_alloc((void **)&f.written, n, sizeof *f.written, "rows"));
    COLA_TRY_DONE(cola_cross_writer_create(r, &f.writer));
    COLA_TRY_DONE(cola_journal_open(r->journal_path, take, &f, &r->journal));
    COLA_TRY_DONE(write_rest(&f, &complete));
    COLA_TRY_DONE(cola_cross_writer_finish(f.writer, &r->fields, complete, f.sequence));
    *out = f.totals;
done:
    cola_cross_writer_close(f.writer);
    for (uint64_t i = 0; f.row && i < n; i++) free(f.row[i]);
    free(f.row);
    free(f.written);
    return status;
}

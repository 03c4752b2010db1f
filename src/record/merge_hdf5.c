/* merge_hdf5.c - cola_merge from begin to end: check every input alone, compare them, plan, count, copy piece
 * by piece, finish. Everything that can be refused is refused before the output is begun. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/memory.h"
#include "record/fold.h"
#include "record/merge.h"
#include "record/run_file.h"
#include "record/timing_workers.h"

struct merge {
    const struct cola_merge_options *options;
    struct cola_merge_input *input; /* [n_inputs] */
    uint32_t n_inputs;
    struct cola_merge_plan plan;
    struct cola_fields fields;
    struct cola_columns timing; /* of all inputs: sessions and workers, behind no samples */
    uint64_t n_items[COLA_N_RUN_COLUMNS];
    uint32_t n_finished;
};

static void tell(const struct merge *m, const char *what, uint64_t n_done, uint64_t n)
{
    if (m->options->progress) m->options->progress(m->options->user, what, n_done, n);
}

/* A journal beside it belongs to a search that would write this file. */
static enum cola_status check_out(const char *path)
{
    char *journal = NULL;
    if (asprintf(&journal, "%s.journal", path) < 0)
        return cola_fail(COLA_ERR_MEMORY, "%s: out of memory", path);
    const char *there = access(path, F_OK) == 0 ? path : access(journal, F_OK) == 0 ? journal : NULL;
    enum cola_status status =
        there ? cola_fail(COLA_ERR_USAGE, "%s exists: nothing is overwritten; give another name", there)
              : COLA_OK;
    free(journal);
    return status;
}

/* --- inputs ------------------------------------------------------------------------------------------- */

static enum cola_status check_once(const struct merge *m, uint32_t i)
{
    const struct cola_merge_input *input = m->input;
    for (uint32_t k = 0; k < i; k++)
        if (input[k].device == input[i].device && input[k].inode == input[i].inode)
            return cola_fail(COLA_ERR_MISMATCH, "%s and %s are the same file: give it once", input[k].path,
                             input[i].path);
    return COLA_OK;
}

static enum cola_status check_inputs(struct merge *m, const char *const *path)
{
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        tell(m, "inputs checked", i, m->n_inputs);
        COLA_TRY(cola_merge_input_check(&m->input[i], path[i]));
        COLA_TRY(check_once(m, i));
        if (i) COLA_TRY(cola_merge_fields_compare(&m->input[0], &m->input[i]));
    }
    return COLA_OK;
}

/* By rows; then by content and name, so that the order on the command line is forgotten. */
static int by_rows(const void *pa, const void *pb)
{
    const struct cola_merge_input *a = pa, *b = pb;
    uint32_t last_a = a->index[a->n_samples - 1], last_b = b->index[b->n_samples - 1];
    if (a->index[0] != b->index[0]) return a->index[0] < b->index[0] ? -1 : 1;
    if (last_a != last_b) return last_a < last_b ? -1 : 1;
    const char *id_a = cola_fields_value(&a->run->fields, "run_id"),
               *id_b = cola_fields_value(&b->run->fields, "run_id");
    int order = strcmp(a->run->digest, b->run->digest);
    if (order == 0 && id_a && id_b) order = strcmp(id_a, id_b);
    return order ? order : strcmp(a->path, b->path);
}

/* --- segments ----------------------------------------------------------------------------------------- */

typedef enum cola_status visit_segment(struct merge *m, const struct cola_merge_segment *segment, void *user);

/* One input is open at a time. */
static enum cola_status each_segment(struct merge *m, visit_segment *visit, void *user)
{
    enum cola_status status = COLA_OK;
    for (size_t i = 0; status == COLA_OK && i < m->plan.n_segments; i++) {
        const struct cola_merge_segment *segment = &m->plan.segment[i];
        struct cola_merge_input *input = &m->input[segment->input];
        status = cola_merge_input_open(input);
        if (status == COLA_OK) status = visit(m, segment, user);
        if (i + 1 == m->plan.n_segments || m->plan.segment[i + 1].input != segment->input)
            cola_merge_input_close(input);
    }
    return status;
}

static enum cola_status count_segment(struct merge *m, const struct cola_merge_segment *segment, void *user)
{
    struct cola_merge_extent extent[COLA_N_RUN_COLUMNS];
    (void)user;
    COLA_TRY(cola_merge_extents(&m->input[segment->input], segment->at, segment->n, extent));
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        enum cola_shape shape = cola_run_schema[i].shape;
        bool offsets = shape == COLA_SHAPE_OFFSETS || shape == COLA_SHAPE_FIRST;
        m->n_items[i] += extent[i].n - (offsets && m->n_items[i] > 0); /* one first offset in all */
    }
    return COLA_OK;
}

struct copy {
    struct cola_run_file *file;
    struct cola_columns piece;
    uint64_t n_done;
};

static enum cola_status copy_segment(struct merge *m, const struct cola_merge_segment *segment, void *user)
{
    struct copy *copy = user;
    const struct cola_merge_input *input = &m->input[segment->input];
    for (uint32_t done = 0, n; done < segment->n; done += n) {
        tell(m, "samples merged", copy->n_done + done, m->plan.n_entries);
        COLA_TRY(cola_merge_piece_samples(input, segment->at + done, segment->n - done, &n));
        COLA_TRY(cola_merge_piece(input, segment->at + done, n, &copy->piece));
        COLA_TRY(cola_run_file_append(copy->file, &copy->piece));
        const uint8_t *finished = copy->piece.column[COLA_SAMPLES_FINISHED].data;
        for (uint32_t i = 0; i < n; i++) m->n_finished += finished[i];
    }
    copy->n_done += segment->n;
    return COLA_OK;
}

/* --- sessions and workers ----------------------------------------------------------------------------- */

/* They belong to no sample: all go, whichever rows are taken from their input. */
static enum cola_status count_timing(struct merge *m)
{
    COLA_TRY(cola_fold_begin(&m->timing));
    for (uint32_t i = 0; i < m->n_inputs; i++) COLA_TRY(cola_timing_append(&m->timing, &m->input[i].timing));
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        if (cola_timing_column((enum cola_run_column)i))
            m->n_items[i] = m->timing.column[i].n; /* the one first offset of each is among them */
    return COLA_OK;
}

/* --- all ---------------------------------------------------------------------------------------------- */

static enum cola_status plan(struct merge *m)
{
    qsort(m->input, m->n_inputs, sizeof *m->input, by_rows);
    COLA_TRY(cola_merge_plan_make(&m->plan, m->input, m->n_inputs, m->options));
    COLA_TRY(cola_merge_fields_combine(m->input, m->n_inputs, m->plan.samples, &m->fields));
    COLA_TRY(each_segment(m, count_segment, NULL));
    return count_timing(m);
}

static enum cola_status write_out(struct merge *m, const char *path, char digest[COLA_HASH_TEXT])
{
    struct copy copy = {0};
    COLA_TRY(cola_run_file_create(path, (int32_t)m->input[0].run->minor, m->n_items, &copy.file));
    enum cola_status status = each_segment(m, copy_segment, &copy);
    if (status == COLA_OK) status = cola_run_file_append(copy.file, &m->timing);
    const struct cola_run_content content = {.fields = &m->fields,
                                             .complete = m->n_finished == m->plan.n_entries};
    if (status == COLA_OK) status = cola_run_file_finish(copy.file, &content, COLA_NEW_FILE_IS_NEW, digest);
    cola_columns_fini(&copy.piece);
    cola_run_file_close(copy.file);
    return status;
}

static enum cola_status merge(struct merge *m, const char *out_path, const char *const *in_path,
                              struct cola_merge_report *report)
{
    char digest[COLA_HASH_TEXT];
    COLA_TRY(check_out(out_path));
    COLA_TRY(cola_alloc((void **)&m->input, m->n_inputs, sizeof *m->input, "merge"));
    COLA_TRY(check_inputs(m, in_path));
    COLA_TRY(plan(m));
    COLA_TRY(write_out(m, out_path, digest));
    *report = (struct cola_merge_report){.n_samples = m->plan.n_entries,
                                         .n_unfinished = m->plan.n_entries - m->n_finished,
                                         .n_chains = m->n_items[cola_rows_column[COLA_ROWS_CHAINS]],
                                         .n_duplicates = m->plan.n_duplicates,
                                         .n_missing = m->plan.n_missing,
                                         .ends_missing = m->plan.ends_missing};
    memcpy(report->digest, digest, sizeof digest);
    return COLA_OK;
}

enum cola_status cola_merge(const char *out_path, const char *const *in_path, uint32_t n_inputs,
                            const struct cola_merge_options *options, struct cola_merge_report *report)
{
    struct merge m = {.options = options, .n_inputs = n_inputs};
    enum cola_status status = merge(&m, out_path, in_path, report);
    for (uint32_t i = 0; m.input && i < n_inputs; i++) cola_merge_input_fini(&m.input[i]);
    free(m.input);
    cola_merge_plan_fini(&m.plan);
    cola_fields_fini(&m.fields);
    cola_columns_fini(&m.timing);
    return status;
}

/* merge_plan.c - who gives which sample to the merged run: every row of tasks.h5 that an input has, in
 * ascending order, once. What is missing, doubled or unfinished is found here, before anything is written.
 * Reads samples only to compare doubled ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "record/merge.h"

enum { MOST_NAMED = 4 }; /* ranges, files in one error text */

void cola_merge_plan_fini(struct cola_merge_plan *plan)
{
    free(plan->entry);
    free(plan->segment);
    free(plan->samples);
    *plan = (struct cola_merge_plan){0};
}

static int by_row(const void *pa, const void *pb)
{
    const struct cola_merge_entry *a = pa, *b = pb;
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    return (a->input > b->input) - (a->input < b->input);
}

static enum cola_status collect(struct cola_merge_plan *plan, struct cola_merge_input *input, uint32_t n)
{
    uint64_t n_entries = 0;
    for (uint32_t i = 0; i < n; i++) n_entries += input[i].n_samples;
    if (n_entries >= UINT32_MAX)
        return cola_fail(COLA_ERR_UNSUPPORTED, "merge: %llu samples are too many",
                         (unsigned long long)n_entries);
    COLA_TRY(cola_alloc((void **)&plan->entry, n_entries, sizeof *plan->entry, "merge"));
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t at = 0; at < input[i].n_samples; at++)
            plan->entry[plan->n_entries++] = (struct cola_merge_entry){input[i].index[at], i, at};
        free(input[i].index);
        input[i].index = NULL;
    }
    qsort(plan->entry, plan->n_entries, sizeof *plan->entry, by_row);
    return COLA_OK;
}

/* The end of a path tells more than its begin. */
static const char *end_of(const char *path, size_t most)
{
    size_t n = strlen(path);
    return n > most ? path + n - most : path;
}

/* --- unfinished --------------------------------------------------------------------------------------- */

static enum cola_status check_finished(const struct cola_merge_input *input, uint32_t n)
{
    char text[800] = "";
    size_t used = 0;
    uint32_t n_unfinished = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (input[i].run->complete && input[i].n_finished == input[i].n_samples) continue;
        if (n_unfinished++ < MOST_NAMED)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s (%u of %u samples finished)",
                                     used ? ", " : "", end_of(input[i].path, 120), input[i].n_finished,
                                     input[i].n_samples);
    }
    if (n_unfinished == 0) return COLA_OK;
    return cola_fail(COLA_ERR_MISMATCH,
                     "%u of %u inputs unfinished: %s%s; finish them with cola search --resume, or "
                     "--allow-unfinished",
                     n_unfinished, n, text, n_unfinished > MOST_NAMED ? ", ..." : "");
}

/* --- doubled rows ------------------------------------------------------------------------------------- */

struct doubled {
    struct cola_merge_entry entry;
    char digest[COLA_HASH_TEXT];
};

static int doubled_by_input(const void *pa, const void *pb)
{
    const struct doubled *a = pa, *b = pb;
    if (a->entry.input != b->entry.input) return a->entry.input < b->entry.input ? -1 : 1;
    return (a->entry.at > b->entry.at) - (a->entry.at < b->entry.at);
}

static int doubled_by_row(const void *pa, const void *pb)
{
    return by_row(&((const struct doubled *)pa)->entry, &((const struct doubled *)pb)->entry);
}

static bool is_doubled(const struct cola_merge_plan *plan, uint32_t i)
{
    const struct cola_merge_entry *e = plan->entry;
    return (i > 0 && e[i - 1].row == e[i].row) || (i + 1 < plan->n_entries && e[i + 1].row == e[i].row);
}

/* The digest of one sample alone: equal content, timing aside, whatever its NaNs' bits. */
static enum cola_status digest_samples(struct doubled *doubled, uint32_t n, struct cola_merge_input *input)
{
    struct cola_columns piece = {0};
    const struct cola_fields none = {0};
    enum cola_status status = COLA_OK;
    for (uint32_t i = 0; i < n; i++) {
        struct cola_merge_input *from = &input[doubled[i].entry.input];
        if (i && doubled[i - 1].entry.input != doubled[i].entry.input)
            cola_merge_input_close(&input[doubled[i - 1].entry.input]);
        COLA_TRY_DONE(cola_merge_input_open(from));
        COLA_TRY_DONE(cola_merge_piece(from, doubled[i].entry.at, 1, &piece));
        COLA_TRY_DONE(cola_columns_digest(&piece, &none, (int)from->run->minor, doubled[i].digest));
    }
done:
    if (n) cola_merge_input_close(&input[doubled[n - 1].entry.input]);
    cola_columns_fini(&piece);
    return status;
}

static enum cola_status refuse_different(const struct doubled *doubled, uint32_t n,
                                         const struct cola_merge_input *input)
{
    uint32_t n_different = 0, first = 0;
    for (uint32_t i = 1; i < n; i++) {
        if (doubled[i].entry.row != doubled[i - 1].entry.row ||
            strcmp(doubled[i].digest, doubled[i - 1].digest) == 0)
            continue;
        if (n_different++ == 0) first = i;
    }
    if (n_different == 0) return COLA_OK;
    return cola_fail(
        COLA_ERR_MISMATCH,
        "row %u is in %.200s and in %.200s with different content (%u such in all): leave one of "
        "the files out",
        doubled[first].entry.row, input[doubled[first - 1].entry.input].path,
        input[doubled[first].entry.input].path, n_different);
}

static enum cola_status compare_doubled(const struct cola_merge_plan *plan, struct cola_merge_input *input)
{
    struct doubled *doubled = NULL;
    uint32_t n = 0;
    enum cola_status status = COLA_OK;
    for (uint32_t i = 0; i < plan->n_entries; i++) n += is_doubled(plan, i);
    COLA_TRY(cola_alloc((void **)&doubled, n, sizeof *doubled, "merge"));
    n = 0;
    for (uint32_t i = 0; i < plan->n_entries; i++)
        if (is_doubled(plan, i)) doubled[n++].entry = plan->entry[i];
    qsort(doubled, n, sizeof *doubled, doubled_by_input);
    status = digest_samples(doubled, n, input);
    qsort(doubled, n, sizeof *doubled, doubled_by_row);
    if (status == COLA_OK) status = refuse_different(doubled, n, input);
    free(doubled);
    return status;
}

static enum cola_status take_once(struct cola_merge_plan *plan, struct cola_merge_input *input, bool allowed)
{
    uint32_t n = 0, first = 0;
    for (uint32_t i = 1; i < plan->n_entries; i++) {
        if (plan->entry[i].row != plan->entry[i - 1].row) continue;
        if (plan->n_duplicates++ == 0) first = i;
    }
    if (plan->n_duplicates == 0) return COLA_OK;
    if (!allowed)
        return cola_fail(COLA_ERR_MISMATCH,
                         "row %u is in %.200s and in %.200s (%llu rows too many in all); --allow-duplicates "
                         "takes rows of equal content once",
                         plan->entry[first].row, input[plan->entry[first - 1].input].path,
                         input[plan->entry[first].input].path, (unsigned long long)plan->n_duplicates);
    COLA_TRY(compare_doubled(plan, input));
    for (uint32_t i = 0; i < plan->n_entries; i++)
        if (i == 0 || plan->entry[i].row != plan->entry[i - 1].row) plan->entry[n++] = plan->entry[i];
    plan->n_entries = n;
    return COLA_OK;
}

/* --- missing rows ------------------------------------------------------------------------------------- */

/* Appends what is missing to a text of bounded length. */
struct missing {
    char text[700];
    size_t used;
    uint32_t n;
};

static void add_missing(struct missing *m, const char *words)
{
    if (m->n++ < MOST_NAMED)
        m->used +=
            (size_t)snprintf(m->text + m->used, sizeof m->text - m->used, "%s%s", m->used ? "; " : "", words);
}

static void find_gaps(struct cola_merge_plan *plan, const struct cola_merge_input *input, struct missing *m)
{
    char words[160];
    for (uint32_t i = 1; i < plan->n_entries; i++) {
        const struct cola_merge_entry *before = &plan->entry[i - 1], *now = &plan->entry[i];
        if (now->row == before->row + 1) continue;
        plan->n_missing += now->row - before->row - 1;
        snprintf(words, sizeof words, "rows %u:%u (between %s and %s)", before->row + 1, now->row,
                 end_of(input[before->input].path, 50), end_of(input[now->input].path, 50));
        add_missing(m, words);
    }
}

/* A shard knows that there are others: those before the first row and behind the last. */
static void find_ends(struct cola_merge_plan *plan, const struct cola_merge_input *input, struct missing *m)
{
    char words[160];
    const struct cola_merge_entry *first = &plan->entry[0], *last = &plan->entry[plan->n_entries - 1];
    struct cola_merge_shard begin = cola_merge_shard_of(&input[first->input]),
                            end = cola_merge_shard_of(&input[last->input]);
    uint32_t n_before = m->n;
    if (begin.n && begin.first > 0 && first->row > 0) {
        snprintf(words, sizeof words, "rows 0:%u (%s is shard %llu of %llu, and nothing is before it)",
                 first->row, end_of(input[first->input].path, 60), (unsigned long long)begin.first,
                 (unsigned long long)begin.n);
        add_missing(m, words);
    }
    if (end.n && end.last + 1 < end.n) {
        snprintf(words, sizeof words, "rows from %u on (%s is shard %llu of %llu, and nothing is behind it)",
                 last->row + 1, end_of(input[last->input].path, 60), (unsigned long long)end.last,
                 (unsigned long long)end.n);
        add_missing(m, words);
    }
    plan->ends_missing = m->n > n_before;
}

static enum cola_status check_missing(struct cola_merge_plan *plan, const struct cola_merge_input *input,
                                      bool allowed)
{
    struct missing m = {0};
    find_gaps(plan, input, &m);
    find_ends(plan, input, &m);
    if (m.n == 0 || allowed) return COLA_OK;
    return cola_fail(COLA_ERR_MISMATCH, "missing: %s%s; give the runs that have them, or --allow-missing",
                     m.text, m.n > MOST_NAMED ? "; ..." : "");
}

/* --- the outcome -------------------------------------------------------------------------------------- */

static enum cola_status make_segments(struct cola_merge_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_entries; i++) {
        const struct cola_merge_entry *e = &plan->entry[i];
        struct cola_merge_segment *last = plan->n_segments ? &plan->segment[plan->n_segments - 1] : NULL;
        if (last && last->input == e->input && last->at + last->n == e->at) {
            last->n++;
            continue;
        }
        COLA_TRY(cola_grow((void **)&plan->segment, &plan->room, plan->n_segments + 1, sizeof *plan->segment,
                           "merge"));
        plan->segment[plan->n_segments++] = (struct cola_merge_segment){e->input, e->at, 1};
    }
    return COLA_OK;
}

/* Ranges of ascending rows; each row is the first member of an item of `stride` bytes. The caller frees. */
static enum cola_status print_rows(const void *first, size_t stride, uint32_t n, char **out)
{
    size_t n_bytes = 0;
    uint32_t begin = 0, before = 0;
    FILE *to = open_memstream(out, &n_bytes);
    if (!to) return cola_fail(COLA_ERR_MEMORY, "merge: out of memory");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row;
        memcpy(&row, (const char *)first + i * stride, sizeof row);
        if (i == 0) begin = row;
        if (i && row != before + 1) {
            fprintf(to, "%u:%u,", begin, before + 1);
            begin = row;
        }
        before = row;
    }
    fprintf(to, "%u:%u", begin, before + 1);
    if (fclose(to) != 0) return cola_fail(COLA_ERR_MEMORY, "merge: out of memory");
    return COLA_OK;
}

static enum cola_status name_samples(struct cola_merge_plan *plan)
{
    COLA_TRY(print_rows(plan->entry, sizeof *plan->entry, plan->n_entries, &plan->samples));
    if (strlen(plan->samples) > COLA_FIELD_VALUE_BYTES)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "the rows that are there are in too many parts: their list has %zu bytes, the field "
                         "samples holds %d",
                         strlen(plan->samples), COLA_FIELD_VALUE_BYTES);
    return COLA_OK;
}

/* An input that says which rows it has must have them. */
static enum cola_status check_samples_field(const struct cola_merge_input *input)
{
    char *rows = NULL;
    const char *said = cola_fields_value(&input->run->fields, "samples");
    if (!said) return COLA_OK;
    enum cola_status status = print_rows(input->index, sizeof *input->index, input->n_samples, &rows);
    if (status == COLA_OK && strcmp(rows, said) != 0)
        status = cola_fail(COLA_ERR_INPUT, "%s: attribute samples says %.200s, but samples/index has %.200s",
                           input->path, said, rows);
    free(rows);
    return status;
}

enum cola_status cola_merge_plan_make(struct cola_merge_plan *plan, struct cola_merge_input *input,
                                      uint32_t n, const struct cola_merge_options *options)
{
    for (uint32_t i = 0; i < n; i++) COLA_TRY(check_samples_field(&input[i]));
    if (!options->allow_unfinished) COLA_TRY(check_finished(input, n));
    COLA_TRY(collect(plan, input, n));
    COLA_TRY(take_once(plan, input, options->allow_duplicates));
    COLA_TRY(check_missing(plan, input, options->allow_missing));
    COLA_TRY(name_samples(plan));
    return make_segments(plan);
}

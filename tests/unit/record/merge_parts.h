/* merge_parts.h - parts of a small run (small_run.h), each searched and folded as cola search --samples or
 * --shard does, for the tests of the merge. */
#ifndef COLA_TESTS_MERGE_PARTS_H
#define COLA_TESTS_MERGE_PARTS_H

#include "cola/merge.h"
#include "unit/record/small_run.h"

enum { PATH_BYTES = 192 };

static inline const char *part_path(const struct small_run *run, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", run->directory, name);
    return path;
}

struct part {
    const char *name; /* of the file */
    uint32_t first, n;
    const char *shard;        /* NULL: no such field */
    struct cola_field change; /* key NULL: none. Another value for one of the fields, or another field */
    uint32_t stop_after;      /* steps of the last sample; 0: to its end */
};

static inline void part_fields(const struct small_run *run, const struct part *part, char samples[32],
                               struct cola_field field[SMALL_FIELDS + 3], uint32_t *n)
{
    *n = SMALL_FIELDS;
    memcpy(field, run->field, sizeof run->field);
    snprintf(samples, 32, "%u:%u", part->first, part->first + part->n);
    field[(*n)++] = (struct cola_field){"samples", samples, COLA_FIELD_IDENTITY};
    if (part->shard) field[(*n)++] = (struct cola_field){"shard", part->shard, COLA_FIELD_PROVENANCE};
    if (!part->change.key) return;
    uint32_t at = 0;
    while (at < *n && strcmp(field[at].key, part->change.key) != 0) at++;
    field[at] = part->change;
    if (at == *n) (*n)++;
}

/* The journal goes: a merge needs none. */
static inline void part_make(struct small_run *run, const struct part *part)
{
    char path[PATH_BYTES], journal[PATH_BYTES + 10], samples[32];
    struct cola_field field[SMALL_FIELDS + 3];
    struct cola_record_setup setup = {
        .field = field, .tasks = run->tasks, .first_sample = part->first, .n_samples = part->n};
    part_fields(run, part, samples, field, &setup.n_fields);
    part_path(run, part->name, path);
    if (cola_record_open(path, &setup, &run->record) != COLA_OK) fail_msg("%s", cola_error_text());
    for (uint32_t i = part->first; i < part->first + part->n; i++) {
        bool last = i + 1 == part->first + part->n;
        small_run_steps(run, i, last && part->stop_after ? part->stop_after : 1000);
    }
    small_run_timing(run, 1 + part->first);
    struct cola_fold fold = {(const struct cola_search *const *)run->search + part->first,
                             run->target + part->first, run->finished + part->first};
    if (cola_record_fold(run->record, &fold) != COLA_OK) fail_msg("%s", cola_error_text());
    small_run_stop(run);
    snprintf(journal, sizeof journal, "%s.journal", path);
    assert_int_equal(unlink(journal), 0);
}

/* Merges files of the run's directory, named in one text with blanks between; the first is made. */
static inline enum cola_status part_merge(const struct small_run *run, const char *names,
                                          const struct cola_merge_options *options,
                                          struct cola_merge_report *report)
{
    static const struct cola_merge_options strict;
    struct cola_merge_report unused;
    char text[400], path[12][PATH_BYTES], *rest = NULL;
    const char *in[12];
    uint32_t n = 0;
    snprintf(text, sizeof text, "%s", names);
    for (char *name = strtok_r(text, " ", &rest); name; name = strtok_r(NULL, " ", &rest), n++) {
        assert_true(n < 12);
        in[n] = name[0] == '/' ? strcpy(path[n], name) : part_path(run, name, path[n]);
    }
    return cola_merge(in[0], in + 1, n - 1, options ? options : &strict, report ? report : &unused);
}

static inline void part_merge_well(const struct small_run *run, const char *names,
                                   const struct cola_merge_options *options, struct cola_merge_report *report)
{
    if (part_merge(run, names, options, report) != COLA_OK) fail_msg("%s: %s", names, cola_error_text());
}

/* Refused with this status and these words (three, "" for none), and nothing is left behind. */
static inline void part_assert_refused(const struct small_run *run, const char *names,
                                       const struct cola_merge_options *options, enum cola_status expected,
                                       const char *const word[3])
{
    uint32_t n_files = small_run_files(run, false);
    enum cola_status status = part_merge(run, names, options, NULL);
    if (status != expected) fail_msg("%s: status %d, %s", names, status, status ? cola_error_text() : "");
    for (int i = 0; i < 3; i++) assert_error_names(word[i]);
    assert_int_equal(small_run_files(run, false), n_files);
}

#define PART_REFUSED(run, names, options, status, ...)                                                       \
    part_assert_refused((run), (names), (options), (status), (const char *const[3]){__VA_ARGS__})

static inline void part_digest(const struct small_run *run, const char *name, char digest[COLA_HASH_TEXT])
{
    char path[PATH_BYTES];
    small_run_digest(part_path(run, name, path), digest);
}

static inline void part_remove(const struct small_run *run, const char *name)
{
    char path[PATH_BYTES];
    assert_int_equal(unlink(part_path(run, name, path)), 0);
}

#endif

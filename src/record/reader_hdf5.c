/* reader_hdf5.c - loads a run.h5 wholly into memory and checks it: filetype, version, fields, every data set
 * of the schema. Refuses another major version; what an older minor version does not have is empty. What it
 * hands to run.c may be indexed without further checks. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/memory.h"
#include "record/run.h"
#include "record/timing_workers.h"

static enum cola_status required_text(const struct cola_h5 *file, const char *key, char **out)
{
    char *text = NULL;
    COLA_TRY(cola_h5_string(file, key, &text));
    if (!text) return cola_fail(COLA_ERR_INPUT, "%s: attribute %s is missing", file->path, key);
    *out = text;
    return COLA_OK;
}

static enum cola_status load_fields(struct cola_run *run, const struct cola_h5 *file, const char *list,
                                    enum cola_field_role role)
{
    char *keys = NULL, *value = NULL, *rest = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY(required_text(file, list, &keys));
    for (char *key = strtok_r(keys, "\n", &rest); key; key = strtok_r(NULL, "\n", &rest)) {
        COLA_TRY_DONE(required_text(file, key, &value));
        status = cola_fields_add(&run->fields, key, value, role);
        if (status != COLA_OK) {
            cola_fail_in(status, "%s: attribute %s", file->path, list);
            goto done;
        }
        free(value);
        value = NULL;
    }
done:
    free(value);
    free(keys);
    return status;
}

static enum cola_status required_number(const struct cola_h5 *file, const char *key, int64_t most,
                                        int64_t *out)
{
    int64_t *value = NULL;
    uint64_t n = 0;
    COLA_TRY(cola_h5_integers(file, key, &value, &n));
    bool ok = value && n == 1 && value[0] >= 0 && value[0] <= most;
    if (ok) *out = value[0];
    free(value);
    return ok ? COLA_OK
              : cola_fail(COLA_ERR_INPUT, "%s: attribute %s: expected a number from 0 to %lld", file->path,
                          key, (long long)most);
}

static enum cola_status load_minor(struct cola_run *run, const struct cola_h5 *file)
{
    int64_t *version = NULL;
    uint64_t n = 0;
    COLA_TRY(cola_h5_check_filetype(file, COLA_RUN_FILETYPE, COLA_RUN_MAJOR));
    COLA_TRY(cola_h5_integers(file, "version", &version, &n)); /* two numbers: that was checked */
    int64_t minor = version[1];
    free(version);
    if (minor < 0)
        return cola_fail(COLA_ERR_INPUT, "%s: attribute version: minor version %lld", file->path,
                         (long long)minor);
    run->minor = minor;
    return COLA_OK;
}

static enum cola_status load_digest(struct cola_run *run, const struct cola_h5 *file)
{
    COLA_TRY(required_text(file, "content_digest", &run->digest));
    if (strlen(run->digest) == COLA_HASH_TEXT - 1 && strncmp(run->digest, "xxh3:", 5) == 0 &&
        strspn(run->digest + 5, "0123456789abcdef") == COLA_HASH_TEXT - 6)
        return COLA_OK;
    return cola_fail(COLA_ERR_INPUT,
                     "%s: attribute content_digest: expected xxh3: and 32 hexadecimal digits, found %.40s",
                     file->path, run->digest);
}

enum cola_status cola_run_load_attributes(struct cola_run *run, const struct cola_h5 *file)
{
    int64_t complete = 0, sequence = 0;
    COLA_TRY(load_minor(run, file));
    COLA_TRY(required_number(file, "complete", 1, &complete));
    COLA_TRY(required_number(file, "folded_sequence", INT64_MAX, &sequence));
    COLA_TRY(load_digest(run, file));
    COLA_TRY(load_fields(run, file, "identity_keys", COLA_FIELD_IDENTITY));
    COLA_TRY(load_fields(run, file, "grows_keys", COLA_FIELD_GROWS));
    COLA_TRY(load_fields(run, file, "provenance_keys", COLA_FIELD_PROVENANCE));
    COLA_TRY(cola_columns_by_row(&run->fields, file->path, &run->by_row));
    run->complete = complete == 1;
    run->folded_sequence = (uint64_t)sequence;
    snprintf(run->complete_text, sizeof run->complete_text, "%d", run->complete);
    snprintf(run->sequence_text, sizeof run->sequence_text, "%llu", (unsigned long long)sequence);
    return COLA_OK;
}

/* A data set of a later minor version than the file's: rows without a value each, or 0; no sessions. Or one
 * that is left out: no rows. */
static enum cola_status make_empty(struct cola_run *run, enum cola_run_column column)
{
    const struct cola_run_schema *schema = &cola_run_schema[column];
    size_t n_rows = cola_columns_rows(&run->columns, schema->rows);
    bool offsets = schema->shape == COLA_SHAPE_OFFSETS || schema->shape == COLA_SHAPE_FIRST;
    size_t n = schema->shape == COLA_SHAPE_VALUES ? 0 : n_rows + offsets;
    assert(schema->shape != COLA_SHAPE_FIRST || n_rows == 0);
    COLA_TRY(
        cola_alloc(&run->columns.column[column].data, n, cola_h5_type_bytes(schema->type), schema->name));
    run->columns.column[column].n = run->columns.column[column].room = n;
    return COLA_OK;
}

enum which { NO_COLUMNS, COLUMNS_OF_TIMING, ALL_COLUMNS };

static bool loaded(const struct cola_run *run, int column, enum which which)
{
    return cola_run_schema[column].since <= run->minor &&
           (which == ALL_COLUMNS || cola_timing_column((enum cola_run_column)column));
}

static enum cola_status load_columns(struct cola_run *run, const struct cola_h5 *file, enum which which)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        uint64_t n = 0;
        if (!loaded(run, i, which)) continue;
        COLA_TRY(cola_h5_read(file, cola_run_schema[i].name, cola_run_schema[i].type,
                              &run->columns.column[i].data, &n));
        run->columns.column[i].n = run->columns.column[i].room = (size_t)n;
    }
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        if (!loaded(run, i, which)) COLA_TRY(make_empty(run, (enum cola_run_column)i));
    return cola_columns_check(&run->columns, run->by_row, file->path);
}

/* A damaged file with its journal beside it costs nothing but a fold. */
static enum cola_status open_file(const char *path, struct cola_h5 *out)
{
    char *journal = NULL, text[1024];
    enum cola_status status = cola_h5_open(path, out);
    if (status != COLA_ERR_INPUT) return status;
    snprintf(text, sizeof text, "%s", cola_error_text());
    if (asprintf(&journal, "%s.journal", path) < 0) return status;
    bool has_journal = access(journal, F_OK) == 0;
    free(journal);
    return has_journal ? cola_fail(status, "%s, or let --resume write it anew from its journal", text)
                       : status;
}

static enum cola_status open_run(const char *path, enum which which, struct cola_run **out)
{
    struct cola_h5 file = {.id = -1};
    struct cola_run *run = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(open_file(path, &file));
    COLA_TRY_DONE(cola_alloc((void **)&run, 1, sizeof *run, "run"));
    run->path = strdup(path);
    if (!run->path) {
        status = cola_fail(COLA_ERR_MEMORY, "%s: out of memory", path);
        goto done;
    }
    COLA_TRY_DONE(cola_run_load_attributes(run, &file));
    if (which != NO_COLUMNS) COLA_TRY_DONE(load_columns(run, &file, which));
    *out = run;
    run = NULL;
done:
    cola_h5_close(&file);
    cola_run_close(run);
    return status;
}

enum cola_status cola_run_open(const char *path, struct cola_run **out)
{
    return open_run(path, ALL_COLUMNS, out);
}

enum cola_status cola_run_open_attributes(const char *path, struct cola_run **out)
{
    return open_run(path, NO_COLUMNS, out);
}

enum cola_status cola_run_open_timing(const char *path, struct cola_run **out)
{
    return open_run(path, COLUMNS_OF_TIMING, out);
}

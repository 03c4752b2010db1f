/* reader_hdf5.c - loads a run.h5 wholly into memory and checks it: filetype, version, fields, every data set
 * of the schema. Refuses another major version. What it hands to run.c may be indexed without further checks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "record/run.h"

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

static enum cola_status load_attributes(struct cola_run *run, const struct cola_h5 *file)
{
    int64_t complete = 0, sequence = 0;
    COLA_TRY(cola_h5_check_filetype(file, COLA_RUN_FILETYPE, COLA_RUN_MAJOR));
    COLA_TRY(required_number(file, "complete", 1, &complete));
    COLA_TRY(required_number(file, "folded_sequence", INT64_MAX, &sequence));
    COLA_TRY(required_text(file, "content_digest", &run->digest));
    COLA_TRY(load_fields(run, file, "identity_keys", COLA_FIELD_IDENTITY));
    COLA_TRY(load_fields(run, file, "grows_keys", COLA_FIELD_GROWS));
    COLA_TRY(load_fields(run, file, "provenance_keys", COLA_FIELD_PROVENANCE));
    run->complete = complete == 1;
    run->folded_sequence = (uint64_t)sequence;
    snprintf(run->complete_text, sizeof run->complete_text, "%d", run->complete);
    snprintf(run->sequence_text, sizeof run->sequence_text, "%llu", (unsigned long long)sequence);
    return COLA_OK;
}

static enum cola_status load_columns(struct cola_run *run, const struct cola_h5 *file)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        uint64_t n = 0;
        COLA_TRY(cola_h5_read(file, cola_run_schema[i].name, cola_run_schema[i].type,
                              &run->columns.column[i].data, &n));
        run->columns.column[i].n = run->columns.column[i].room = (size_t)n;
    }
    return cola_columns_check(&run->columns, file->path);
}

enum cola_status cola_run_open(const char *path, struct cola_run **out)
{
    struct cola_h5 file = {.id = -1};
    struct cola_run *run = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_h5_open(path, &file));
    COLA_TRY_DONE(cola_alloc((void **)&run, 1, sizeof *run, "run"));
    run->path = strdup(path);
    if (!run->path) {
        status = cola_fail(COLA_ERR_MEMORY, "%s: out of memory", path);
        goto done;
    }
    COLA_TRY_DONE(load_attributes(run, &file));
    COLA_TRY_DONE(load_columns(run, &file));
    *out = run;
    run = NULL;
done:
    cola_h5_close(&file);
    cola_run_close(run);
    return status;
}

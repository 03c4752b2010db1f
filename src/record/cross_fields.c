/* cross_fields.c - what a table of `cola cross` says of itself: the caller's fields, the tasks', the set of
 * chains, an id. As of a run's fields (record_open.c), identity decides who may go on with it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cola/build.h"
#include "cola/grade.h"
#include "record/cross.h"

static enum cola_status add_id(struct cola_fields *fields)
{
    uint8_t byte[16];
    char text[33], when[32];
    struct tm utc;
    time_t now = time(NULL);
    if (getrandom(byte, sizeof byte, 0) != (ssize_t)sizeof byte)
        return cola_fail(COLA_ERR_IO, "run id: no random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof byte; i++) snprintf(text + 2 * i, 3, "%02x", byte[i]);
    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    COLA_TRY(cola_fields_add(fields, "run_id", text, COLA_FIELD_PROVENANCE));
    return cola_fields_add(fields, "created", when, COLA_FIELD_PROVENANCE);
}

enum cola_status cola_cross_fields(struct cola_cross_record *record, const struct cola_cross_setup *setup)
{
    const struct cola_tasks_info *info = cola_tasks_info(setup->tasks);
    struct cola_fields *fields = &record->fields;
    char chains[COLA_HASH_TEXT], n_chains[16];
    COLA_TRY(cola_chain_set_fingerprint(setup->chains, chains));
    snprintf(n_chains, sizeof n_chains, "%u", setup->chains->n);
    for (uint32_t i = 0; i < setup->n_fields; i++)
        COLA_TRY(cola_fields_add(fields, setup->field[i].key, setup->field[i].value, setup->field[i].role));
    const struct cola_field added[] = {
        {"task", info->task, COLA_FIELD_IDENTITY},
        {"score", cola_score_rule_name[info->rule], COLA_FIELD_IDENTITY},
        {"tasks_fingerprint", info->fingerprint, COLA_FIELD_IDENTITY},
        {"chains_fingerprint", chains, COLA_FIELD_IDENTITY},
        {"n_chains", n_chains, COLA_FIELD_IDENTITY},
        {"metric", setup->metric == COLA_METRIC_ACC_NORM ? "acc_norm" : "acc", COLA_FIELD_IDENTITY},
        {"details", setup->details ? "yes" : "no", COLA_FIELD_IDENTITY},
        {"program_version", cola_build_version(), COLA_FIELD_PROVENANCE},
        {"git_hash", cola_build_git_hash(), COLA_FIELD_PROVENANCE},
    };
    for (size_t i = 0; i < sizeof added / sizeof *added; i++)
        COLA_TRY(cola_fields_add(fields, added[i].key, added[i].value, added[i].role));
    if (info->rule == COLA_SCORE_GENERATE)
        COLA_TRY(cola_fields_add(fields, "grader", cola_grade_rule_name[info->grader], COLA_FIELD_IDENTITY));
    return add_id(fields);
}

enum cola_status cola_cross_inherit(struct cola_fields *ours, const struct cola_fields *stored)
{
    static const char *const key[] = {"run_id", "created"};
    for (int i = 0; i < 2; i++)
        if (cola_fields_value(stored, key[i]))
            COLA_TRY(cola_fields_set(ours, key[i], cola_fields_value(stored, key[i])));
    return COLA_OK;
}

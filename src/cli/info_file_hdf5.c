/* info_file_hdf5.c - the part of `cola info` about tasks.h5 and run.h5, told apart by the root attribute
 * filetype. Both are opened by their own readers, so what is described was also checked. */
#include "cli/info.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cola/grade.h"
#include "cola/record.h"
#include "cola/task.h"
#include "task/h5.h"

static enum cola_status describe_tasks(const char *path, json_t *facts)
{
    struct cola_tasks *tasks;
    COLA_TRY(cola_tasks_open(path, &tasks));
    const struct cola_tasks_info *info = cola_tasks_info(tasks);
    enum cola_status status;
    COLA_TRY_DONE(cola_info_add_text(facts, "task", info->task));
    COLA_TRY_DONE(cola_info_add_text(facts, "score", cola_score_rule_name[info->rule]));
    if (info->grader >= 0) {
        COLA_TRY_DONE(cola_info_add_text(facts, "grader", cola_grade_rule_name[info->grader]));
        COLA_TRY_DONE(cola_info_add(facts, "max_new_tokens", json_integer(info->max_new_tokens)));
        COLA_TRY_DONE(
            cola_info_add(facts, "vocabulary", json_integer(cola_tasks_vocabulary(tasks)->n_tokens)));
    }
    COLA_TRY_DONE(cola_info_add(facts, "samples", json_integer(info->n_samples)));
    COLA_TRY_DONE(cola_info_add(facts, "largest_token", json_integer(info->max_token)));
    COLA_TRY_DONE(cola_info_add_text(facts, "model_name", info->model_name));
    if (info->tokenizer_fingerprint[0])
        COLA_TRY_DONE(cola_info_add_text(facts, "tokenizer_fingerprint", info->tokenizer_fingerprint));
    COLA_TRY_DONE(cola_info_add_text(facts, "fingerprint", info->fingerprint));
done:
    cola_tasks_close(tasks);
    return status;
}

static enum cola_status describe_run(const char *path, json_t *facts)
{
    static const char *const shown[] = {"task",
                                        "score",
                                        "grader",
                                        "preset",
                                        "space",
                                        "control",
                                        "seed",
                                        "n_simulations",
                                        "model_dir",
                                        "backend",
                                        "numerics_id",
                                        "model_fingerprint",
                                        "tasks_fingerprint",
                                        "run_id",
                                        "created",
                                        "program_version",
                                        "git_hash"};
    struct cola_run *run;
    char digest[COLA_HASH_TEXT];
    enum cola_status status;
    uint32_t n_finished = 0;
    COLA_TRY(cola_run_open(path, &run));
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const char *value = cola_run_attribute(run, shown[i]);
        if (value) COLA_TRY_DONE(cola_info_add_text(facts, shown[i], value));
    }
    for (uint32_t i = 0; i < cola_run_n_samples(run); i++) {
        struct cola_run_sample sample;
        cola_run_sample(run, i, &sample);
        n_finished += sample.finished;
    }
    COLA_TRY_DONE(cola_info_add(facts, "samples", json_integer(cola_run_n_samples(run))));
    COLA_TRY_DONE(cola_info_add(facts, "finished_samples", json_integer(n_finished)));
    COLA_TRY_DONE(cola_info_add(facts, "chains", json_integer((json_int_t)cola_run_n_chains(run))));
    COLA_TRY_DONE(cola_run_digest(run, digest));
    COLA_TRY_DONE(cola_info_add_text(facts, "content_digest", digest));
done:
    cola_run_close(run);
    return status;
}

enum cola_status cola_info_file(const char *path, json_t *facts)
{
    struct cola_h5 file;
    char *filetype = NULL;
    COLA_TRY(cola_h5_open(path, &file));
    enum cola_status status = cola_h5_string(&file, "filetype", &filetype);
    cola_h5_close(&file);
    if (status != COLA_OK) return status;
    if (filetype) COLA_TRY_DONE(cola_info_add_text(facts, "filetype", filetype));
    if (filetype && strcmp(filetype, "cola-tasks") == 0)
        status = describe_tasks(path, facts);
    else if (filetype && strcmp(filetype, "cola-run") == 0)
        status = describe_run(path, facts);
    else
        status =
            cola_fail(COLA_ERR_INPUT,
                      "%s: an HDF5 file, but its attribute filetype is %s: expected cola-tasks or cola-run",
                      path, filetype ? filetype : "missing");
done:
    free(filetype);
    return status;
}

enum cola_status cola_info_hdf5_version(json_t *facts)
{
    unsigned major, minor, release;
    char text[48];
    if (H5get_libversion(&major, &minor, &release) < 0)
        return cola_fail(COLA_ERR_LIBRARY, "HDF5: cannot tell its version");
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    return cola_info_add_text(facts, "hdf5", text);
}

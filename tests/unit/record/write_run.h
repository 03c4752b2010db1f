/* write_run.h - columns and fields to a run.h5 in one piece, for tests that make files of their own. */
#ifndef COLA_TESTS_WRITE_RUN_H
#define COLA_TESTS_WRITE_RUN_H

#include "record/run_file.h"

static inline enum cola_status write_run(const char *path, const struct cola_columns *columns,
                                         const struct cola_fields *fields)
{
    const struct cola_run_content content = {.fields = fields, .complete = true};
    uint64_t n_items[COLA_N_RUN_COLUMNS];
    char digest[COLA_HASH_TEXT];
    struct cola_run_file *file = NULL;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) n_items[i] = columns->column[i].n;
    COLA_TRY(cola_run_file_create(path, COLA_RUN_MINOR, n_items, &file));
    enum cola_status status = cola_run_file_append(file, columns);
    if (status == COLA_OK) status = cola_run_file_finish(file, &content, COLA_NEW_FILE_REPLACES, digest);
    cola_run_file_close(file);
    return status;
}

#endif

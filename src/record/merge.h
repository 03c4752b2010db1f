/* merge.h - the parts of cola_merge: inputs and pieces of them (merge_input_hdf5.c), which belong together
 * and what their fields become (merge_fields.c), who gives which sample (merge_plan.c).
 * merge_hdf5.c puts them together and writes the output (run_file.h). */
#ifndef COLA_RECORD_MERGE_H
#define COLA_RECORD_MERGE_H

#include <sys/types.h>
#include <time.h>

#include "cola/merge.h"
#include "record/run.h"

/* --- inputs ------------------------------------------------------------------------------------------- */

struct cola_merge_input {
    const char *path;     /* borrowed */
    struct cola_run *run; /* its attributes; no columns */
    uint32_t *index;      /* [n_samples], rows of tasks.h5, ascending */
    uint32_t n_samples, n_finished;
    struct cola_columns timing; /* its sessions and workers, checked; other columns have no rows */
    dev_t device;               /* which file it was when it was checked */
    ino_t inode;
    off_t n_bytes;
    struct timespec changed;
    bool open; /* then: */
    struct cola_h5 file;
    hid_t dataset[COLA_N_RUN_COLUMNS]; /* -1: not in the file's minor version */
    uint64_t n[COLA_N_RUN_COLUMNS];
};

/* Checks the file's first block, attributes, lengths and digest; leaves the input closed. Beforehand
 * the input is zeroed; cola_merge_input_fini frees it whatever the status. */
enum cola_status cola_merge_input_check(struct cola_merge_input *input, const char *path);
/* COLA_ERR_INPUT: it is another file than was checked. */
enum cola_status cola_merge_input_open(struct cola_merge_input *input);
void cola_merge_input_close(struct cola_merge_input *input);
void cola_merge_input_fini(struct cola_merge_input *input);

/* What samples first .. first+n-1 of an open input are in each column: items from `first`. */
struct cola_merge_extent {
    uint64_t first, n;
};
enum cola_status cola_merge_extents(const struct cola_merge_input *input, uint32_t first, uint32_t n,
                                    struct cola_merge_extent extent[COLA_N_RUN_COLUMNS]);
/* How many of the n >= 1 samples from `first` make one piece. */
enum cola_status cola_merge_piece_samples(const struct cola_merge_input *input, uint32_t first, uint32_t n,
                                          uint32_t *n_piece);
/* Those samples as a run of their own (offsets from 0), checked. Replaces what piece holds, keeps its memory.
 */
enum cola_status cola_merge_piece(const struct cola_merge_input *input, uint32_t first, uint32_t n,
                                  struct cola_columns *piece);

/* Fills input->timing: all sessions and workers of an open input. */
enum cola_status cola_merge_input_timing(struct cola_merge_input *input);

/* --- fields ------------------------------------------------------------------------------------------- */

/* COLA_ERR_MISMATCH: they are not parts of one search; names each field with both values. */
enum cola_status cola_merge_fields_compare(const struct cola_merge_input *a,
                                           const struct cola_merge_input *b);
/* The fields of the merged run; samples: text of its rows. Inputs in their final order. */
enum cola_status cola_merge_fields_combine(const struct cola_merge_input *input, uint32_t n,
                                           const char *samples, struct cola_fields *out);

struct cola_merge_shard { /* shards first .. last of n, from 0; n 0: the input does not say */
    uint64_t first, last, n;
};
struct cola_merge_shard cola_merge_shard_of(const struct cola_merge_input *input);

/* --- the plan ----------------------------------------------------------------------------------------- */

struct cola_merge_entry { /* sample `at` of an input has row `row` of tasks.h5 */
    uint32_t row, input, at;
};

struct cola_merge_segment { /* samples at .. at+n-1 of an input */
    uint32_t input, at, n;
};

struct cola_merge_plan {
    struct cola_merge_entry *entry; /* [n_entries]; by row, each row once when the plan is made */
    uint32_t n_entries;
    struct cola_merge_segment *segment;
    size_t n_segments, room;
    uint64_t n_duplicates, n_missing;
    bool ends_missing;
    char *samples; /* the rows, as the field `samples` writes them: "0:3,5:9" */
};

/* Refuses what the options do not allow. Inputs in their final order, with their index. Zeroed before; fini
 * after, whatever the status. */
enum cola_status cola_merge_plan_make(struct cola_merge_plan *plan, struct cola_merge_input *input,
                                      uint32_t n, const struct cola_merge_options *options);
void cola_merge_plan_fini(struct cola_merge_plan *plan);

#endif

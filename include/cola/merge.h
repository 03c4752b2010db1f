/* merge.h - makes one run.h5 of the runs of its parts (shards), as if one search had gone over all samples.
 *
 *     const char *in[] = {"part-0.h5", "part-1.h5"};
 *     struct cola_merge_options options = {0};                         refuse whatever is not whole
 *     struct cola_merge_report report;
 *     COLA_TRY(cola_merge("whole.h5", in, 2, &options, &report));
 *
 * Samples come in the order of their rows in tasks.h5, so the content digest depends on neither the order of
 * the inputs nor the number of parts: it is that of the undivided search (docs/format-run.md, Merging).
 *
 * Memory: 16 bytes a sample of all inputs, and one piece of one input, which is 1,024 samples or 8,192
 * chains at most (a single sample with more chains is one piece). One input is open at a time. */
#ifndef COLA_MERGE_H
#define COLA_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "cola/hash.h"
#include "cola/status.h"

struct cola_merge_options {
    bool allow_missing; /* rows that no input has may be absent between, before or behind those of others */
    bool allow_duplicates; /* rows that several inputs have with equal content are taken once */
    bool allow_unfinished; /* inputs whose search was stopped */
    /* NULL, or told how far it is: `what` is "inputs checked" or "samples merged". */
    void (*progress)(void *user, const char *what, uint64_t n_done, uint64_t n);
    void *user;
};

struct cola_merge_report {
    uint32_t n_samples, n_unfinished; /* in the merged run */
    uint64_t n_chains, n_duplicates;  /* n_duplicates: samples of inputs that were left out */
    uint64_t n_missing;               /* rows between those that are there */
    bool ends_missing; /* a shard before the first or behind the last row is not among the inputs */
    char digest[COLA_HASH_TEXT];
};

/* n_inputs >= 1. Writes beside out_path and gives it its name when it is whole and on the disk; after a
 * failure there is no out_path.
 * COLA_ERR_USAGE: out_path or its journal exists. COLA_ERR_MISMATCH: inputs of different searches, with each
 * field, both values and files; missing, doubled or unfinished samples that were not allowed; doubled samples
 * that differ. COLA_ERR_INPUT: a damaged input. COLA_ERR_UNSUPPORTED: of a later version. COLA_ERR_IO. */
enum cola_status cola_merge(const char *out_path, const char *const *in_path, uint32_t n_inputs,
                            const struct cola_merge_options *options, struct cola_merge_report *report);

#endif

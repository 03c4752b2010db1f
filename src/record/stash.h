/* stash.h - what a run has of samples that are not under way, outside memory, so that the master's memory
 * does not grow with them: for each sample nothing, results, or its columns.
 *
 *     results   of a search that an earlier session finished: put away while the journal is read, taken back
 *               when the sample's search begins
 *     columns   of a search that is over: what a fold writes of the sample
 *
 * Memory: COLA_STASH_SAMPLE_BYTES a sample and a buffer. Knows no search and no journal file. */
#ifndef COLA_RECORD_STASH_H
#define COLA_RECORD_STASH_H

#include "record/columns.h"
#include "record/known.h"

struct cola_stash;

enum { COLA_STASH_SAMPLE_BYTES = 24 };
enum cola_stashed { COLA_STASHED_NOTHING, COLA_STASHED_RESULTS, COLA_STASHED_COLUMNS };

/* Samples first .. first + n - 1, by their row of tasks.h5. */
enum cola_status cola_stash_create(const char *run_path, uint32_t first_sample, uint32_t n_samples,
                                   struct cola_stash **out);
void cola_stash_destroy(struct cola_stash *stash); /* NULL allowed */

enum cola_stashed cola_stash_of(const struct cola_stash *stash, uint32_t sample);
/* Results that are put away, and those that went for good with their samples' columns; of the first those
 * that are crashes. */
uint64_t cola_stash_n_results(const struct cola_stash *stash);
uint64_t cola_stash_n_crashed(const struct cola_stash *stash);

/* All that is known of the sample goes from `known` to the stash, behind what is there already. The sample
 * has no columns there. COLA_ERR_IO: no room; then it stays known. */
enum cola_status cola_stash_put_results(struct cola_stash *stash, struct cola_known *known, uint32_t sample);
/* The results go back; nothing is there afterwards. COLA_ERR_MISMATCH: as cola_known_add. */
enum cola_status cola_stash_take_results(struct cola_stash *stash, uint32_t sample, struct cola_known *known);

/* Samples with several blocks get one, so that what contradicts itself is found (COLA_ERR_MISMATCH), and what
 * is there twice goes. Nothing of those samples is known outside. */
enum cola_status cola_stash_tidy_results(struct cola_stash *stash, struct cola_known *known);
/* What is left of the sample's results is given up. */
void cola_stash_drop(struct cola_stash *stash, uint32_t sample);

/* One sample's columns, checked, as cola_fold_search makes them behind cola_fold_begin; what is known of it
 * is forgotten. COLA_ERR_IO: no room; then nothing has changed. */
enum cola_status cola_stash_put_columns(struct cola_stash *stash, uint32_t sample,
                                        const struct cola_columns *columns, struct cola_known *known);
/* What is known of a sample whose columns are there: it came too late to count. */
void cola_stash_let_go(struct cola_stash *stash, struct cola_known *known, uint32_t sample);
/* Adds them behind the last row of *columns. COLA_ERR_IO: they are not what was put there. */
enum cola_status cola_stash_join_columns(struct cola_stash *stash, uint32_t sample,
                                         struct cola_columns *columns);
/* Items of all columns that are there, as cola_columns_count counts them: added to n_items. */
void cola_stash_count(const struct cola_stash *stash, uint64_t n_items[COLA_N_RUN_COLUMNS]);

#endif

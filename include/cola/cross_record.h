/* cross_record.h - what `cola cross` keeps: a journal of evaluations while it runs, and X.h5, the table of
 * every chain on every sample, which is a fold of it (docs/format-cross.md).
 *
 *     struct cola_cross_record *r;
 *     COLA_TRY(cola_cross_record_open("x.h5", &setup, &r));          resume: what is known comes back
 *     if (!cola_cross_known(r, sample, chain)) {
 *         COLA_TRY(cola_cross_started(r, sample, chain));
 *         ... evaluate ...
 *         COLA_TRY(cola_cross_evaluated(r, sample, chain, &result));
 *     }
 *     COLA_TRY(cola_cross_commit(r));                                once a second
 *     COLA_TRY(cola_cross_finish(r, &totals));                       once, at the end: x.h5
 *     cola_cross_record_close(r);
 *
 * A sample is its row in tasks.h5, a chain its number in the sealed set. The journal is the search's format
 * (docs/format-journal.md), with its lock, checksums and commits. Memory: a bit for each chain of the samples
 * that are begun and not done, and in finish their rows; so whoever asks begins samples in ascending order
 * and keeps within cola_cross_window. One writer, one thread. */
#ifndef COLA_CROSS_RECORD_H
#define COLA_CROSS_RECORD_H

#include "cola/chain_set.h"
#include "cola/record.h"

struct cola_cross_setup {
    const struct cola_field *field; /* [n_fields] identity and provenance, as of record.h */
    uint32_t n_fields;
    const struct cola_tasks *tasks;      /* all their samples; borrowed until close */
    const struct cola_chain_set *chains; /* sealed, n >= 1; borrowed until close */
    enum cola_metric metric;
    bool details; /* x.h5 gets scores or tokens, too */
    bool resume;  /* false: refuse if x.h5 or its journal exists */
};

struct cola_cross_record;

/* Fails as cola_record_open does. */
enum cola_status cola_cross_record_open(const char *path, const struct cola_cross_setup *setup,
                                        struct cola_cross_record **out);
void cola_cross_record_close(struct cola_cross_record *record); /* commits what is pending; NULL allowed */

bool cola_cross_known(const struct cola_cross_record *record, uint32_t sample, uint32_t chain);
uint32_t cola_cross_n_left(const struct cola_cross_record *record, uint32_t sample); /* chains not known */
uint64_t cola_cross_n_known(const struct cola_cross_record *record);                 /* evaluations */

/* A sample may be begun if fewer than this many lie between it and the first that is not done. */
uint32_t cola_cross_window(const struct cola_cross_record *record);

/* Evaluations that were out when the job died, as of cola_record_attempts: i < n. */
uint32_t cola_cross_n_suspects(const struct cola_cross_record *record);
void cola_cross_suspect(const struct cola_cross_record *record, uint32_t i, uint32_t *sample, uint32_t *chain,
                        uint32_t *attempts);

enum cola_status cola_cross_started(struct cola_cross_record *record, uint32_t sample, uint32_t chain);
enum cola_status cola_cross_evaluated(struct cola_cross_record *record, uint32_t sample, uint32_t chain,
                                      const struct cola_result *result);
enum cola_status cola_cross_ended(struct cola_cross_record *record); /* see cola_record_ended */
enum cola_status cola_cross_commit(struct cola_cross_record *record);
enum cola_status cola_cross_start_writer(struct cola_cross_record *record); /* see cola_record_start_writer */
enum cola_status cola_cross_flush(struct cola_cross_record *record);

struct cola_cross_totals {
    uint64_t n_evaluated, n_right, n_non_finite, n_crashed;
};

/* Reads the journal once and writes x.h5: temporary, fsync, rename. Nothing but close may follow. */
enum cola_status cola_cross_finish(struct cola_cross_record *record, struct cola_cross_totals *out);

/* --- reading x.h5 -------------------------------------------------------------------------------------- */

enum { COLA_CROSS_NOT_EVALUATED = 255 }; /* an outcome of a file that is not complete */

struct cola_cross; /* an open x.h5; the table stays on the disk */

/* COLA_ERR_INPUT: damaged, or not a file of cola cross. */
enum cola_status cola_cross_open(const char *path, struct cola_cross **out);
void cola_cross_close(struct cola_cross *cross); /* NULL allowed */
const struct cola_field *cola_cross_field(const struct cola_cross *cross,
                                          uint32_t i);                             /* NULL past the last */
const char *cola_cross_attribute(const struct cola_cross *cross, const char *key); /* NULL if absent */
bool cola_cross_complete(const struct cola_cross *cross);
uint32_t cola_cross_n_samples(const struct cola_cross *cross);
const struct cola_chain_set *cola_cross_chains(const struct cola_cross *cross);
const int32_t *cola_cross_gold(const struct cola_cross *cross); /* [n_samples], -1: unknown */
/* Rows first .. first+n-1 of the table, each [n, n_chains]; NULL: not wanted. */
enum cola_status cola_cross_rows(const struct cola_cross *cross, uint32_t first, uint32_t n, uint8_t *outcome,
                                 uint8_t *right, int32_t *prediction);
/* Computed from the content; COLA_ERR_INPUT if it differs from the stored one. */
enum cola_status cola_cross_digest(const struct cola_cross *cross, char text[COLA_HASH_TEXT]);

/* Whether a file is of cola cross, by its root attribute; false for all that is not. */
bool cola_cross_is(const char *path);

#endif

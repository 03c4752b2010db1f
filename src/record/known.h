/* known.h - the results that a run has: (sample, chain) -> result. Owns copies of chains, scores and tokens,
 * together for each sample, so that a sample can be let go when its search is over. Knows no file. */
#ifndef COLA_RECORD_KNOWN_H
#define COLA_RECORD_KNOWN_H

#include "cola/record.h"

struct cola_known_entry {
    struct cola_known_entry *next; /* of its sample, in order of addition; NULL: the last */
    uint64_t hash;                 /* of the chain */
    uint32_t sample;
    struct cola_chain chain;
    struct cola_result result; /* id is 0; arrays live as long as the entry */
    bool journalled;           /* false: known from another run (memo) and not written down yet */
    bool wanted;               /* a memo entry that was asked for */
    bool graded;               /* answer and prediction are there: grading happens once a session */
    int32_t prediction;
    struct cola_text answer; /* generate: what the grader found */
};

struct cola_known;

enum cola_status cola_known_create(struct cola_known **out);
void cola_known_destroy(struct cola_known *known); /* NULL allowed */

struct cola_known_entry *cola_known_find(const struct cola_known *known, uint32_t sample,
                                         const struct cola_chain *chain);

/* Copies chain and result. *added false: it was there, with the same bits. The same chain with other bits is
 * COLA_ERR_MISMATCH: results are a function of (sample, chain). An entry stays where it is until its sample
 * is forgotten. */
enum cola_status cola_known_add(struct cola_known *known, uint32_t sample, const struct cola_chain *chain,
                                const struct cola_result *result, struct cola_known_entry **entry,
                                bool *added);

/* Sets graded, prediction and a copy of the answer: they are the entry's for this run's target. */
enum cola_status cola_known_grade(struct cola_known *known, struct cola_known_entry *entry,
                                  int32_t prediction, struct cola_text answer);

/* Frees all of a sample; none known is allowed. Costs what the sample has, whatever the others have. */
void cola_known_forget(struct cola_known *known, uint32_t sample);

uint64_t cola_known_count(const struct cola_known *known);
/* The first entry of a sample (NULL: none); the others follow by `next`. */
struct cola_known_entry *cola_known_of_sample(const struct cola_known *known, uint32_t sample);
/* All entries: samples in the order in which they came, each in order of addition. NULL: begins; gives NULL
 * behind the last. */
struct cola_known_entry *cola_known_next(const struct cola_known *known,
                                         const struct cola_known_entry *entry);

#endif

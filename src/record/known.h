/* known.h - the results that a run has: (sample, chain) -> result. Owns copies of chains, scores and tokens
 * in large blocks, so 300,000 entries cost some 50 MB and are freed at once. Knows no file. */
#ifndef COLA_RECORD_KNOWN_H
#define COLA_RECORD_KNOWN_H

#include "cola/record.h"

struct cola_known_entry {
    uint32_t sample;
    struct cola_chain chain;
    struct cola_result result; /* id is 0; arrays live as long as the map */
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
 * COLA_ERR_MISMATCH: results are a function of (sample, chain). */
enum cola_status cola_known_add(struct cola_known *known, uint32_t sample, const struct cola_chain *chain,
                                const struct cola_result *result, struct cola_known_entry **entry,
                                bool *added);

/* Sets graded, prediction and a copy of the answer: they are the entry's for this run's target. */
enum cola_status cola_known_grade(struct cola_known *known, struct cola_known_entry *entry,
                                  int32_t prediction, struct cola_text answer);

uint64_t cola_known_count(const struct cola_known *known);
struct cola_known_entry *cola_known_entry(const struct cola_known *known,
                                          uint64_t i); /* in order of addition */

#endif

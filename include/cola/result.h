/* result.h - what one evaluation of (sample, chain) gave: plain data that travels from engine to journal.
 *
 * Arrays are borrowed: valid during the callback or call that hands the result over. */
#ifndef COLA_RESULT_H
#define COLA_RESULT_H

#include <stdint.h>

enum cola_outcome {
    COLA_OUTCOME_SCORED = 0, /* every score is finite */
    COLA_OUTCOME_NON_FINITE =
        1,                    /* a logit was infinite or not a number: a result; scores are stored as NaN */
    COLA_OUTCOME_CRASHED = 2, /* set aside after crashing its worker (step 4) */
    COLA_OUTCOME_UNKNOWN = 3  /* no result: a recording lacks it. Only on the way to the master, in no file */
};

struct cola_cost {            /* never part of a digest */
    uint32_t layers_asked;    /* the chain's length */
    uint32_t layers_executed; /* of all passes; less where states were shared */
    uint64_t row_layers;      /* rows x layers executed */
    float seconds;            /* from submit to result */
};

struct cola_result {
    uint64_t id;        /* the request's */
    uint8_t outcome;    /* enum cola_outcome */
    const float *score; /* [n_scores], one a candidate: letter: logit; loglik: summed log-probability */
    uint32_t n_scores;
    const int32_t *token; /* generated tokens, stop token included; NULL if none */
    uint32_t n_tokens;
    float logsumexp; /* letter: log sum exp of the next-token logits over the vocabulary; else 0 */
    int32_t argmax;  /* letter: the vocabulary's best token, ties to the lower id; else -1 */
    struct cola_cost cost;
};

#endif

/* requests.h - the JSON lines of `cola eval`: one request a line in, one result a line out.
 *
 *     {"id": "a", "chain": "0-29", "prompt": [1, 2], "score": "next", "tokens": [330, 380]}
 *     {"id": "b", "chain": [0, 1, 1], "prompt": [1, 2], "score": "loglik", "continuations": [[3, 4], [5]]}
 *     {"id": "c", "chain": "0-29", "prompt": [1, 2], "score": "generate", "max_new_tokens": 16, "stop": [2]}
 *
 * Untrusted input: every value is checked, nothing is assumed of the bytes. */
#ifndef COLA_CLI_REQUESTS_H
#define COLA_CLI_REQUESTS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cola/chain.h"
#include "cola/result.h"
#include "cola/task.h"

struct cola_eval_request {
    char *id;                      /* the id's JSON text, "null" where there is none; owned */
    struct cola_sample sample;     /* arrays owned by this request */
    struct cola_chain chain;       /* borrows chain_room */
    cola_layer *chain_room;        /* owned */
    int32_t *token;                /* owned: prompt and candidates' tokens in one array */
    struct cola_tokens *candidate; /* owned */
};

/* Reads one line of n bytes. On failure COLA_ERR_INPUT (or UNSUPPORTED) says which member is wrong and *out
 * holds the id, if one could be read; call fini in any case. */
enum cola_status cola_eval_request_parse(const char *line, size_t n, uint32_t n_model_layers,
                                         struct cola_eval_request *out);
void cola_eval_request_fini(struct cola_eval_request *request);

/* {"id": .., ...}\n; floats with 9 digits, which read back to the same bits; null where not finite. */
void cola_eval_result_print(FILE *to, const struct cola_eval_request *request,
                            const struct cola_result *result);
void cola_eval_error_print(FILE *to, const struct cola_eval_request *request, const char *error);

#endif

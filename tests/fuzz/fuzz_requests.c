/* fuzz_requests.c - any bytes as a line of `cola eval`: parsed or refused, never a crash; what parses is
 * printed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/requests.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { N_LAYERS = 6 };
    struct cola_eval_request request;
    enum cola_status status = cola_eval_request_parse((const char *)data, size, N_LAYERS, &request);
    FILE *nowhere = fopen("/dev/null", "w");
    if (!nowhere) abort();
    if (status == COLA_OK) {
        if (cola_chain_check(&request.chain, N_LAYERS) != COLA_OK) abort();
        float *score = calloc(request.sample.n_candidates, sizeof *score);
        struct cola_result result = {.score = score,
                                     .n_scores = request.sample.n_candidates,
                                     .token = request.sample.prompt,
                                     .n_tokens = request.sample.n_prompt_tokens};
        cola_eval_result_print(nowhere, &request, &result);
        free(score);
    } else {
        cola_eval_error_print(nowhere, &request, cola_error_text());
    }
    fclose(nowhere);
    cola_eval_request_fini(&request);
    return 0;
}

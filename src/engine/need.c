/* need.c - what a request needs while nothing else is in flight: the one computation behind the check of a
 * submitted request, the bound of an engine that is told the largest one, and estimates.
 *
 * It is exact: a request whose need is within the limit can begin as soon as the others are done (admit.c
 * gives back what longer ones left), and one that began has promised whatever it will still allocate. */
#include <stdio.h>

#include "cola/memory.h"
#include "engine/state.h"

uint32_t cola_engine_rows(const struct cola_sample *sample)
{
    return cola_sequence_rows(sample);
}

struct cola_engine_demand cola_engine_demand(const struct cola_sample *sample, uint32_t n_layers)
{
    bool generates = sample->rule == COLA_SCORE_GENERATE;
    return (struct cola_engine_demand){.sample = sample->index,
                                       .n_layers = n_layers,
                                       .n_rows = cola_sequence_rows(sample),
                                       .n_answer_tokens = generates ? sample->max_new_tokens : 0};
}

uint64_t cola_need_own(const struct cola_engine *e, const struct cola_engine_demand *d)
{
    uint64_t n_bytes = (uint64_t)d->n_rows * e->config->n_hidden * sizeof(float);
    if (!d->n_answer_tokens) return n_bytes;
    return n_bytes + d->n_layers * cola_keys_bytes(e, d->n_rows) +
           cola_generate_tail_bytes(e, d->n_layers, d->n_answer_tokens);
}

/* Continuations lie beside each other: their rows are enough. The last token of an answer takes no position.
 */
uint32_t cola_need_positions(const struct cola_engine_demand *d)
{
    return d->n_rows + (d->n_answer_tokens ? d->n_answer_tokens - 1 : 0);
}

uint64_t cola_need_alone(const struct cola_engine *e, const struct cola_engine_demand *d, uint32_t max_rows)
{
    uint32_t n_batch = d->n_rows > max_rows ? d->n_rows : max_rows;
    uint64_t weight_bytes = e->weights.n_bytes ? e->weights.n_bytes : cola_weights_bytes(e);
    return weight_bytes + cola_scratch_bytes(e, n_batch) + cola_rope_bytes(e, cola_need_positions(d)) +
           cola_need_own(e, d);
}

enum cola_status cola_need_check(const struct cola_engine *e, const struct cola_engine_demand *d)
{
    enum { MIB = 1 << 20 };
    char own[32], all[32], limit[32], answer[48] = "";
    uint64_t needed = cola_need_alone(e, d, e->max_rows), bound = e->memory.limit_bytes;
    if (needed <= bound) return COLA_OK;
    if (d->n_answer_tokens > 1)
        snprintf(answer, sizeof answer, " and an answer of %u tokens", d->n_answer_tokens);
    return cola_fail(
        COLA_ERR_MEMORY,
        "a chain of %u layers over %u rows%s needs %s for itself, %s with weights and its batch, of "
        "the %s that the engine may take: --memory must be %llu MiB larger%s",
        d->n_layers, d->n_rows, answer, cola_memory_text(cola_need_own(e, d), own),
        cola_memory_text(needed, all), cola_memory_text(bound, limit),
        (unsigned long long)((needed - bound + MIB - 1) / MIB),
        d->n_answer_tokens ? ", or chains shorter (--max-length)" : "");
}

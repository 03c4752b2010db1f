/* sequence.c - one packed sequence a sample: the prompt, then every continuation, which sees the prompt and
 * itself.
 *
 * No padding. Of a continuation of n tokens the first is predicted by the prompt's last row and the others by
 * the rows before them, so n - 1 rows are packed and the last token needs none. */
#include "engine/state.h"

static uint32_t packed_tokens(const struct cola_sample *sample, uint32_t candidate)
{
    return sample->rule == COLA_SCORE_LOGLIK ? sample->candidate[candidate].n_tokens - 1 : 0;
}

uint32_t cola_sequence_rows(const struct cola_sample *sample)
{
    uint32_t n = sample->n_prompt_tokens;
    for (uint32_t c = 0; c < sample->n_candidates; c++) n += packed_tokens(sample, c);
    return n;
}

void cola_sequence_fill(const struct cola_sample *sample, int32_t *token, uint32_t *position)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < sample->n_prompt_tokens; i++, at++) {
        if (token) token[at] = sample->prompt[i];
        if (position) position[at] = i;
    }
    for (uint32_t c = 0; c < sample->n_candidates; c++)
        for (uint32_t i = 0; i < packed_tokens(sample, c); i++, at++) {
            if (token) token[at] = sample->candidate[c].token[i];
            if (position) position[at] = sample->n_prompt_tokens + i;
        }
}

uint32_t cola_sequence_max_spans(const struct cola_sample *sample)
{
    return 1 + sample->n_candidates;
}

static struct cola_keys after(struct cola_keys keys, size_t n_floats)
{
    return (struct cola_keys){.k = keys.k + n_floats, .v = keys.v + n_floats};
}

uint32_t cola_sequence_spans(const struct cola_sample *sample, struct cola_keys keys, size_t width,
                             uint32_t query_base, bool last, struct cola_span *span)
{
    uint32_t n_prompt = sample->n_prompt_tokens, n = 0, key = n_prompt, query;
    span[n++] = (struct cola_span){
        .first_row = query_base, .n_rows = last ? 1 : n_prompt, .n_first = last ? n_prompt : 1, .tail = keys};
    query = query_base + span[0].n_rows;
    for (uint32_t c = 0; c < sample->n_candidates; c++) {
        uint32_t n_rows = packed_tokens(sample, c);
        if (n_rows == 0) continue;
        span[n++] = (struct cola_span){.first_row = query,
                                       .n_rows = n_rows,
                                       .n_prefix = n_prompt,
                                       .n_first = 1,
                                       .prefix = keys,
                                       .tail = after(keys, key * width)};
        query += n_rows;
        key += n_rows;
    }
    return n;
}

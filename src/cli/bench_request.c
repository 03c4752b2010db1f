/* bench_request.c - what the Hugging Face loop is asked and whether it answers as we do.
 *
 * A request is a line of `cola eval` (requests.h). Two answers are the same if they would be judged the same:
 * equal generated tokens, or the same best candidate. */
#include <math.h>

#include "cli/bench.h"

static json_t *token_list(const int32_t *token, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) json_array_append_new(list, json_integer(token[i]));
    return list;
}

static json_t *layer_list(const struct cola_chain *chain)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < chain->n_layers; i++) json_array_append_new(list, json_integer(chain->layer[i]));
    return list;
}

json_t *cola_bench_request(const struct cola_sample *s, const struct cola_chain *chain)
{
    static const char *const score[COLA_N_SCORE_RULES] = {"next", "loglik", "generate"};
    json_t *line = json_pack("{s:o, s:o, s:s}", "chain", layer_list(chain), "prompt",
                             token_list(s->prompt, s->n_prompt_tokens), "score", score[s->rule]);
    json_t *candidates = json_array();
    for (uint32_t c = 0; c < s->n_candidates; c++) {
        const struct cola_tokens *t = &s->candidate[c];
        json_array_append_new(candidates, s->rule == COLA_SCORE_LETTER ? json_integer(t->token[0])
                                                                       : token_list(t->token, t->n_tokens));
    }
    if (s->rule == COLA_SCORE_GENERATE) {
        json_object_set_new(line, "max_new_tokens", json_integer(s->max_new_tokens));
        json_object_set_new(line, "stop", token_list(s->stop_token, s->n_stop_tokens));
    } else {
        json_object_set(line, s->rule == COLA_SCORE_LETTER ? "tokens" : "continuations", candidates);
    }
    json_decref(candidates);
    return line;
}

static enum cola_status same_tokens(const struct cola_result *ours, const json_t *theirs, bool *agrees)
{
    const json_t *list = json_object_get(theirs, "tokens");
    if (!json_is_array(list)) return cola_fail(COLA_ERR_INPUT, "its answer has no list \"tokens\"");
    *agrees = json_array_size(list) == ours->n_tokens;
    for (uint32_t i = 0; *agrees && i < ours->n_tokens; i++)
        *agrees = json_integer_value(json_array_get(list, i)) == ours->token[i];
    return COLA_OK;
}

/* Scores that are no number (null) are equal to ours that are none, and never the best. */
static enum cola_status same_best(const struct cola_sample *s, const struct cola_result *ours,
                                  const json_t *theirs, bool *agrees, double *difference)
{
    const char *name = s->rule == COLA_SCORE_LETTER ? "logits" : "logprob";
    const json_t *list = json_object_get(theirs, name);
    int64_t our_best = -1, their_best = -1;
    double our_most = -INFINITY, their_most = -INFINITY;
    if (json_array_size(list) != ours->n_scores || ours->n_scores != s->n_candidates)
        return cola_fail(COLA_ERR_INPUT, "its answer has %zu scores in \"%s\", expected %u",
                         json_array_size(list), name, s->n_candidates);
    *difference = 0;
    for (uint32_t i = 0; i < ours->n_scores; i++) {
        const json_t *value = json_array_get(list, i);
        float theirs_f = json_is_number(value) ? (float)json_number_value(value) : NAN;
        double a = (double)ours->score[i], b = (double)theirs_f; /* its digits are those of a float */
        if (a > our_most) our_most = a, our_best = i;
        if (b > their_most) their_most = b, their_best = i;
        if (fabs(a - b) > *difference) *difference = fabs(a - b);
    }
    *agrees = our_best == their_best;
    return COLA_OK;
}

enum cola_status cola_bench_agrees(const struct cola_sample *s, const struct cola_result *ours,
                                   const json_t *theirs, bool *agrees, double *difference)
{
    *difference = 0;
    if (s->rule == COLA_SCORE_GENERATE) return same_tokens(ours, theirs, agrees);
    return same_best(s, ours, theirs, agrees, difference);
}

/* --- what it costs there ------------------------------------------------------------------------------ */

static double elements(const struct cola_tensor *t)
{
    return t && t->n_dims == 2 ? (double)t->shape[0] * (double)t->shape[1] : 0;
}

/* FLOPs of one row through a layer: 2 for each weight that it meets. */
static double layer_flops(const struct cola_model *model, uint32_t layer)
{
    const struct cola_experts *experts = &cola_model_config(model)->experts;
    static const enum cola_weight roles[] = {COLA_WEIGHT_GATE, COLA_WEIGHT_UP, COLA_WEIGHT_DOWN};
    double sum = 0;
    for (int w = 0; w < COLA_N_WEIGHTS; w++)
        sum += elements(cola_model_weight(model, layer, (enum cola_weight)w));
    for (int i = 0; i < 3; i++)
        sum += experts->n_active * elements(cola_model_expert(model, layer, 0, roles[i]));
    return 2 * sum;
}

/* Rows of the inputs, as the loop batches them: padded to the longest, equal ones once. */
static double input_rows(const struct cola_sample *s, uint32_t n_tokens)
{
    if (s->rule == COLA_SCORE_LETTER) return s->n_prompt_tokens;
    if (s->rule == COLA_SCORE_GENERATE) return (double)s->n_prompt_tokens + (n_tokens > 0 ? n_tokens - 1 : 0);
    uint32_t longest = 1, n_distinct = 0;
    bool has_short = false; /* continuations of one token have the prompt alone as their input */
    for (uint32_t c = 0; c < s->n_candidates; c++) {
        uint32_t n = s->candidate[c].n_tokens;
        if (n > longest) longest = n;
        if (n > 1 || !has_short) n_distinct++;
        has_short = has_short || n == 1;
    }
    return (double)n_distinct * (s->n_prompt_tokens + longest - 1);
}

double cola_bench_their_flops(const struct cola_model *model, const struct cola_sample *s,
                              const struct cola_chain *chain, uint32_t n_tokens)
{
    double a_row = 0, scored = s->rule == COLA_SCORE_LETTER ? 1 : n_tokens;
    for (uint32_t i = 0; i < chain->n_layers; i++) a_row += layer_flops(model, chain->layer[i]);
    if (s->rule == COLA_SCORE_LOGLIK)
        for (uint32_t c = 0; c < s->n_candidates; c++) scored += s->candidate[c].n_tokens;
    return input_rows(s, n_tokens) * a_row + scored * 2 * elements(cola_model_head(model));
}

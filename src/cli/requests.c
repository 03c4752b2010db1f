/* requests.c - JSON lines to requests and results to JSON lines; see requests.h. No engine here. */
#include "cli/requests.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

enum { TOKENS_MAX = 1 << 20 };

static enum cola_status count_tokens(const json_t *list, const char *what, size_t *total)
{
    if (!json_is_array(list)) return cola_fail(COLA_ERR_INPUT, "\"%s\" must be a list of token ids", what);
    *total += json_array_size(list);
    if (*total > TOKENS_MAX)
        return cola_fail(COLA_ERR_INPUT, "\"%s\": more than %d tokens in all", what, TOKENS_MAX);
    return COLA_OK;
}

static enum cola_status read_tokens(const json_t *list, const char *what, int32_t *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        json_int_t token = json_integer_value(value);
        if (!json_is_integer(value) || token < 0 || token > INT32_MAX)
            return cola_fail(COLA_ERR_INPUT, "\"%s\"[%zu] is not a token id", what, i);
        out[i] = (int32_t)token;
    }
    return COLA_OK;
}

static enum cola_status read_chain(const json_t *root, uint32_t n_model_layers, struct cola_eval_request *out)
{
    const json_t *value = json_object_get(root, "chain");
    size_t room = COLA_CHAIN_MAX(n_model_layers);
    COLA_TRY(cola_alloc((void **)&out->chain_room, room, sizeof *out->chain_room, "chain"));
    if (json_is_string(value)) {
        if (strlen(json_string_value(value)) != json_string_length(value))
            return cola_fail(COLA_ERR_INPUT, "\"chain\" contains a NUL character");
        COLA_TRY(
            cola_chain_parse(json_string_value(value), n_model_layers, out->chain_room, room, &out->chain));
        return COLA_OK;
    }
    if (!json_is_array(value))
        return cola_fail(COLA_ERR_INPUT, "\"chain\" must be a text like \"0-4,(5-6)x2\" or a list of layers");
    if (json_array_size(value) > room)
        return cola_fail(COLA_ERR_INPUT,
                         "\"chain\" has %zu layers, at most %zu are allowed (4 times the model's)",
                         json_array_size(value), room);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *layer = json_array_get(value, i);
        if (!json_is_integer(layer) || json_integer_value(layer) < 0 ||
            json_integer_value(layer) >= n_model_layers)
            return cola_fail(COLA_ERR_INPUT, "\"chain\"[%zu] is not a layer 0 .. %u", i, n_model_layers - 1);
        out->chain_room[i] = (cola_layer)json_integer_value(layer);
    }
    out->chain = (struct cola_chain){.layer = out->chain_room, .n_layers = (uint32_t)json_array_size(value)};
    return cola_chain_check(&out->chain, n_model_layers);
}

static enum cola_status read_rule(const json_t *root, struct cola_eval_request *out)
{
    const char *score = json_string_value(json_object_get(root, "score"));
    if (score && strcmp(score, "next") == 0)
        out->sample.rule = COLA_SCORE_LETTER;
    else if (score && strcmp(score, "loglik") == 0)
        out->sample.rule = COLA_SCORE_LOGLIK;
    else if (score && strcmp(score, "generate") == 0)
        out->sample.rule = COLA_SCORE_GENERATE;
    else
        return cola_fail(COLA_ERR_INPUT, "\"score\" must be \"next\", \"loglik\" or \"generate\"");
    return COLA_OK;
}

/* Room for all tokens of a request: the prompt's first, then those of `list`, whose entries are tokens or
 * lists. */
static enum cola_status read_prompt(const json_t *root, const json_t *list, const char *list_name,
                                    bool nested, struct cola_eval_request *out)
{
    const json_t *prompt = json_object_get(root, "prompt");
    size_t n_tokens = 0;
    COLA_TRY(count_tokens(prompt, "prompt", &n_tokens));
    if (n_tokens == 0) return cola_fail(COLA_ERR_INPUT, "\"prompt\" is empty; at least one token is needed");
    if (!nested && list) COLA_TRY(count_tokens(list, list_name, &n_tokens));
    for (size_t c = 0; nested && c < json_array_size(list); c++) {
        if (json_array_size(json_array_get(list, c)) == 0)
            return cola_fail(COLA_ERR_INPUT, "\"%s\"[%zu] is not a list of at least one token", list_name, c);
        COLA_TRY(count_tokens(json_array_get(list, c), list_name, &n_tokens));
    }
    COLA_TRY(cola_alloc((void **)&out->token, n_tokens, sizeof *out->token, "tokens"));
    COLA_TRY(read_tokens(prompt, "prompt", out->token));
    out->sample.prompt = out->token;
    out->sample.n_prompt_tokens = (uint32_t)json_array_size(prompt);
    return COLA_OK;
}

/* next: each token of "tokens" is a candidate of its own; loglik: each list of "continuations" is one. */
static enum cola_status read_candidates(const json_t *root, struct cola_eval_request *out)
{
    bool nested = out->sample.rule == COLA_SCORE_LOGLIK;
    const char *name = nested ? "continuations" : "tokens";
    const json_t *list = json_object_get(root, name);
    size_t n = json_array_size(list);
    if (!json_is_array(list)) return cola_fail(COLA_ERR_INPUT, "\"%s\" must be a list", name);
    if (n == 0 || n > TOKENS_MAX) return cola_fail(COLA_ERR_INPUT, "\"%s\" has %zu entries", name, n);
    COLA_TRY(read_prompt(root, list, name, nested, out));
    COLA_TRY(cola_alloc((void **)&out->candidate, n, sizeof *out->candidate, "candidates"));
    int32_t *at = out->token + out->sample.n_prompt_tokens;
    if (!nested) COLA_TRY(read_tokens(list, name, at));
    for (size_t c = 0; c < n; c++) {
        const json_t *tokens = json_array_get(list, c);
        if (nested) COLA_TRY(read_tokens(tokens, name, at));
        out->candidate[c] =
            (struct cola_tokens){.token = at, .n_tokens = nested ? (uint32_t)json_array_size(tokens) : 1};
        at += out->candidate[c].n_tokens;
    }
    out->sample.candidate = out->candidate;
    out->sample.n_candidates = (uint32_t)n;
    return COLA_OK;
}

/* generate: "max_new_tokens", and "stop", which may be left out. */
static enum cola_status read_generate(const json_t *root, struct cola_eval_request *out)
{
    const json_t *most = json_object_get(root, "max_new_tokens"), *stop = json_object_get(root, "stop");
    json_int_t n = json_integer_value(most);
    if (!json_is_integer(most) || n < 1 || n > TOKENS_MAX)
        return cola_fail(COLA_ERR_INPUT, "\"max_new_tokens\" must be a whole number 1 .. %d", TOKENS_MAX);
    COLA_TRY(read_prompt(root, stop, "stop", false, out));
    if (stop) COLA_TRY(read_tokens(stop, "stop", out->token + out->sample.n_prompt_tokens));
    out->sample.max_new_tokens = (uint32_t)n;
    out->sample.stop_token = out->token + out->sample.n_prompt_tokens;
    out->sample.n_stop_tokens = (uint32_t)json_array_size(stop);
    return COLA_OK;
}

static enum cola_status read_sample(const json_t *root, struct cola_eval_request *out)
{
    COLA_TRY(read_rule(root, out));
    out->sample.gold = -1;
    return out->sample.rule == COLA_SCORE_GENERATE ? read_generate(root, out) : read_candidates(root, out);
}

static const char *const known_members[] = {"id",     "chain",         "prompt",         "score",
                                            "tokens", "continuations", "max_new_tokens", "stop"};

static enum cola_status check_members(json_t *root)
{
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < sizeof known_members / sizeof *known_members; i++)
            known = known || strcmp(key, known_members[i]) == 0;
        if (!known) return cola_fail(COLA_ERR_INPUT, "unknown member \"%.60s\"", key);
    }
    return COLA_OK;
}

enum cola_status cola_eval_request_parse(const char *line, size_t n, uint32_t n_model_layers,
                                         struct cola_eval_request *out)
{
    json_error_t error;
    *out = (struct cola_eval_request){0};
    json_t *root = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
    if (!root) return cola_fail(COLA_ERR_INPUT, "not JSON: %s (column %d)", error.text, error.column);
    enum cola_status status = COLA_OK;
    const json_t *id = json_object_get(root, "id");
    if (id) out->id = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    if (!json_is_object(root)) status = cola_fail(COLA_ERR_INPUT, "a request must be a JSON object");
    if (status == COLA_OK) status = check_members(root);
    if (status == COLA_OK) status = read_chain(root, n_model_layers, out);
    if (status == COLA_OK) status = read_sample(root, out);
    json_decref(root);
    return status;
}

void cola_eval_request_fini(struct cola_eval_request *request)
{
    free(request->id);
    free(request->chain_room);
    free(request->token);
    free(request->candidate);
    *request = (struct cola_eval_request){0};
}

static const char *id_of(const struct cola_eval_request *request)
{
    return request->id ? request->id : "null";
}

static void print_float(FILE *to, float x)
{
    if (isfinite(x))
        fprintf(to, "%.9g", (double)x);
    else
        fputs("null", to);
}

static void print_scores(FILE *to, const struct cola_result *result)
{
    for (uint32_t i = 0; i < result->n_scores; i++) {
        if (i) fputs(", ", to);
        print_float(to, result->score[i]);
    }
}

void cola_eval_result_print(FILE *to, const struct cola_eval_request *request,
                            const struct cola_result *result)
{
    static const char *const name[COLA_N_SCORE_RULES] = {"logits", "logprob", "tokens"};
    enum cola_score_rule rule = request->sample.rule;
    fprintf(to, "{\"id\": %s, \"%s\": [", id_of(request), name[rule]);
    print_scores(to, result);
    for (uint32_t i = 0; i < result->n_tokens; i++) fprintf(to, "%s%d", i ? ", " : "", result->token[i]);
    fputc(']', to);
    if (rule == COLA_SCORE_LETTER) {
        fputs(", \"logsumexp\": ", to);
        print_float(to, result->logsumexp);
        fprintf(to, ", \"argmax\": %d", result->argmax);
    }
    if (result->outcome == COLA_OUTCOME_NON_FINITE) fputs(", \"outcome\": \"non-finite\"", to);
    fputs("}\n", to);
}

void cola_eval_error_print(FILE *to, const struct cola_eval_request *request, const char *error)
{
    json_t *text = json_string(error);
    char *quoted = text ? json_dumps(text, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
    fprintf(to, "{\"id\": %s, \"error\": %s}\n", id_of(request),
            quoted ? quoted : "\"error text is not UTF-8\"");
    free(quoted);
    json_decref(text);
}

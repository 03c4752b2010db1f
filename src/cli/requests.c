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

static enum cola_status read_rule(const json_t *root, struct cola_eval_request *out, const char **list)
{
    const char *score = json_string_value(json_object_get(root, "score"));
    if (!score) return cola_fail(COLA_ERR_INPUT, "\"score\" must be \"next\" or \"loglik\"");
    if (strcmp(score, "generate") == 0)
        return cola_fail(COLA_ERR_UNSUPPORTED, "\"score\": \"generate\" is not built into this version");
    if (strcmp(score, "next") != 0 && strcmp(score, "loglik") != 0)
        return cola_fail(COLA_ERR_INPUT, "\"score\" is \"%.40s\"; there are \"next\" and \"loglik\"", score);
    out->sample.rule = score[0] == 'n' ? COLA_SCORE_LETTER : COLA_SCORE_LOGLIK;
    *list = score[0] == 'n' ? "tokens" : "continuations";
    return COLA_OK;
}

/* next: each token of "tokens" is a candidate of its own; loglik: each list of "continuations" is one. */
static enum cola_status read_sample(const json_t *root, struct cola_eval_request *out)
{
    const char *list_name = NULL;
    COLA_TRY(read_rule(root, out, &list_name));
    const json_t *prompt = json_object_get(root, "prompt"), *list = json_object_get(root, list_name);
    bool letter = out->sample.rule == COLA_SCORE_LETTER;
    size_t n_tokens = 0;
    COLA_TRY(count_tokens(prompt, "prompt", &n_tokens));
    if (n_tokens == 0) return cola_fail(COLA_ERR_INPUT, "\"prompt\" is empty; at least one token is needed");
    if (!json_is_array(list)) return cola_fail(COLA_ERR_INPUT, "\"%s\" must be a list", list_name);
    size_t n = json_array_size(list);
    if (n == 0 || n > TOKENS_MAX) return cola_fail(COLA_ERR_INPUT, "\"%s\" has %zu entries", list_name, n);
    for (size_t c = 0; c < n && !letter; c++) {
        if (json_array_size(json_array_get(list, c)) == 0)
            return cola_fail(COLA_ERR_INPUT, "\"continuations\"[%zu] is not a list of at least one token", c);
        COLA_TRY(count_tokens(json_array_get(list, c), list_name, &n_tokens));
    }
    if (letter) COLA_TRY(count_tokens(list, list_name, &n_tokens));
    COLA_TRY(cola_alloc((void **)&out->token, n_tokens, sizeof *out->token, "tokens"));
    COLA_TRY(cola_alloc((void **)&out->candidate, n, sizeof *out->candidate, "candidates"));
    int32_t *at = out->token + json_array_size(prompt);
    COLA_TRY(read_tokens(prompt, "prompt", out->token));
    if (letter) COLA_TRY(read_tokens(list, list_name, at));
    for (size_t c = 0; c < n; c++) {
        const json_t *tokens = json_array_get(list, c);
        if (!letter) COLA_TRY(read_tokens(tokens, list_name, at));
        out->candidate[c] =
            (struct cola_tokens){.token = at, .n_tokens = letter ? 1 : (uint32_t)json_array_size(tokens)};
        at += out->candidate[c].n_tokens;
    }
    out->sample.prompt = out->token;
    out->sample.n_prompt_tokens = (uint32_t)json_array_size(prompt);
    out->sample.candidate = out->candidate;
    out->sample.n_candidates = (uint32_t)n;
    out->sample.gold = -1;
    return COLA_OK;
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

void cola_eval_result_print(FILE *to, const struct cola_eval_request *request,
                            const struct cola_result *result)
{
    bool letter = request->sample.rule == COLA_SCORE_LETTER;
    fprintf(to, "{\"id\": %s, \"%s\": [", id_of(request), letter ? "logits" : "logprob");
    for (uint32_t i = 0; i < result->n_scores; i++) {
        if (i) fputs(", ", to);
        print_float(to, result->score[i]);
    }
    fputc(']', to);
    if (letter) {
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

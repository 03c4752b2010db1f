/* eval.c - `cola eval`: chains given as JSON lines through the engine, results in input order on standard
 * output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/lines.h"
#include "cli/requests.h"
#include "cola/engine.h"
#include "cola/memory.h"

static const struct cola_option options_table[] = {
    COLA_ENGINE_OPTION_TABLE,
    {"in-flight", COLA_OPTION_UINT, "N", "96", 1, 65536, NULL, "requests that are worked on together"},
};

static const struct cola_command command = {
    .name = "eval",
    .usage = "--model DIR [options] REQUESTS.jsonl|-",
    .about = "Evaluates chains of layers. One JSON object a line:\n"
             "  {\"id\": \"a\", \"chain\": \"0-29\", \"prompt\": [..], \"score\": \"next\", \"tokens\": "
             "[330, 380]}\n"
             "    -> {\"id\": \"a\", \"logits\": [..], \"logsumexp\": x, \"argmax\": t}\n"
             "  {\"id\": \"b\", \"chain\": [0, 1, 1], \"prompt\": [..], \"score\": \"loglik\", "
             "\"continuations\": [[..], [..]]}\n"
             "    -> {\"id\": \"b\", \"logprob\": [..]}\n"
             "  {\"id\": \"c\", \"chain\": \"0-29\", \"prompt\": [..], \"score\": \"generate\", "
             "\"max_new_tokens\": 16, \"stop\": [2]}\n"
             "    -> {\"id\": \"c\", \"tokens\": [..]}\n"
             "Prompts are token ids. Results come in input order; a bad line gets {\"id\": .., \"error\": "
             "..}, the others go\n"
             "on, and the exit status is 1. The bytes of a result do not depend on the back end, instruction "
             "set, threads, "
             "memory or\n"
             "neighbours: with --dtype f32, and with --dtype bf16 too (other bytes than f32), but not with "
             "--bf16-products\n"
             "onednn, whose sums are oneDNN's: those depend on its version and on the CPU.",
    .option = options_table,
    .n_options = sizeof options_table / sizeof *options_table,
    .min_arguments = 1,
    .max_arguments = 1,
};

struct entry { /* one input line whose output is not printed yet */
    struct cola_eval_request request;
    char *output; /* finished text, owned */
    size_t n_output;
};

struct eval {
    struct cola_engine *engine;
    struct cola_lines lines;
    uint32_t n_model_layers;
    struct entry *entry;        /* ring [room] */
    uint64_t room, first, next; /* entries first .. next-1 are open; number i lives at i % room */
    bool any_failed;
};

static enum cola_status finish(struct entry *entry, const struct cola_result *result, const char *error)
{
    FILE *to = open_memstream(&entry->output, &entry->n_output);
    if (!to) return cola_fail(COLA_ERR_MEMORY, "result line: out of memory");
    if (result)
        cola_eval_result_print(to, &entry->request, result);
    else
        cola_eval_error_print(to, &entry->request, error);
    if (fclose(to) != 0) return cola_fail(COLA_ERR_MEMORY, "result line: out of memory");
    return COLA_OK;
}

static enum cola_status on_result(void *user, const struct cola_result *result)
{
    struct eval *eval = user;
    return finish(&eval->entry[result->id % eval->room], result, NULL);
}

static bool is_blank(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r", line[i]) || !line[i]) return false;
    return true;
}

/* Parses a line into the ring and submits it; what is wrong with it becomes its output. */
static enum cola_status take_line(struct eval *eval, const char *line, size_t n)
{
    uint64_t number = eval->next++;
    struct entry *entry = &eval->entry[number % eval->room];
    *entry = (struct entry){0};
    enum cola_status status = cola_eval_request_parse(line, n, eval->n_model_layers, &entry->request);
    if (status == COLA_OK) {
        struct cola_request request = {
            .id = number, .sample = &entry->request.sample, .chain = entry->request.chain};
        status = cola_engine_submit(eval->engine, &request);
    }
    if (status == COLA_ERR_INPUT || status == COLA_ERR_UNSUPPORTED || status == COLA_ERR_MEMORY) {
        eval->any_failed = true;
        return finish(entry, NULL, cola_error_text());
    }
    return status;
}

static enum cola_status print_finished(struct eval *eval)
{
    bool any = false;
    for (; eval->first < eval->next; eval->first++) {
        struct entry *entry = &eval->entry[eval->first % eval->room];
        if (!entry->output) break;
        if (fwrite(entry->output, 1, entry->n_output, stdout) != entry->n_output)
            return cola_fail(COLA_ERR_IO, "standard output: cannot write");
        free(entry->output);
        cola_eval_request_fini(&entry->request);
        *entry = (struct entry){0};
        any = true;
    }
    if (any && fflush(stdout) != 0) return cola_fail(COLA_ERR_IO, "standard output: cannot write");
    return COLA_OK;
}

static enum cola_status run(struct eval *eval)
{
    for (;;) {
        bool has_room = eval->next - eval->first < eval->room && cola_engine_room(eval->engine) > 0;
        const char *line = NULL;
        size_t n = 0;
        if (has_room) {
            bool idle = cola_engine_n_pending(eval->engine) == 0;
            COLA_TRY(cola_lines_next(&eval->lines, idle, &line, &n));
            if (line && !is_blank(line, n)) COLA_TRY(take_line(eval, line, n));
        }
        if (!line) COLA_TRY(cola_engine_step(eval->engine, on_result, eval));
        COLA_TRY(print_finished(eval));
        bool no_more = !line && eval->lines.at_end && eval->lines.begin == eval->lines.end;
        if (no_more && eval->first == eval->next) return COLA_OK;
    }
}

static enum cola_status eval_main(const struct cola_options *options, bool *any_failed)
{
    struct cola_model *model = NULL;
    struct cola_engine_options engine_options;
    struct eval eval = {.lines = {.fd = -1}};
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_cli_engine_options(options, &engine_options));
    engine_options.max_requests = (uint32_t)cola_options_uint(options, "in-flight");
    COLA_TRY_DONE(cola_lines_open(&eval.lines, cola_options_argument(options, 0)));
    COLA_TRY_DONE(cola_model_open(cola_options_string(options, "model"), &model));
    COLA_TRY_DONE(cola_engine_create(model, &engine_options, &eval.engine));
    eval.n_model_layers = cola_model_config(model)->n_layers;
    eval.room =
        4 * (uint64_t)engine_options.max_requests; /* later lines may finish while the first is at work */
    COLA_TRY_DONE(cola_alloc((void **)&eval.entry, eval.room, sizeof *eval.entry, "requests"));
    COLA_TRY_DONE(run(&eval));
done:
    for (; eval.first < eval.next; eval.first++) {
        free(eval.entry[eval.first % eval.room].output);
        cola_eval_request_fini(&eval.entry[eval.first % eval.room].request);
    }
    *any_failed = eval.any_failed;
    free(eval.entry);
    cola_lines_close(&eval.lines);
    cola_engine_destroy(eval.engine);
    cola_model_close(model);
    return status;
}

int cola_command_eval(int argc, char **argv)
{
    struct cola_options *options;
    int exit_status;
    bool any_failed = false;
    if (!cola_cli_begin(&command, argc, argv, &options, &exit_status)) return exit_status;
    exit_status = cola_cli_end(eval_main(options, &any_failed));
    if (exit_status == COLA_EXIT_OK && any_failed) exit_status = COLA_EXIT_FAILED;
    cola_options_destroy(options);
    return exit_status;
}

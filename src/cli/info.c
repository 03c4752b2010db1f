/* info.c - `cola info`: describes a model directory, a file of ours, or this build.
 *
 * Place: a subcommand; what is described is read by info_model.c, info_file_hdf5.c and info_build.c, here the
 * argument is told apart and the facts are printed. The same facts serve people and programs (--json). */
#include "cli/info.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/show.h"

static const struct cola_option options[] = {
    {"json", COLA_OPTION_FLAG, NULL, NULL, 0, 0, NULL, "print one JSON object instead of text"},
};

static const struct cola_command command = {
    .name = "info",
    .usage = "[MODEL_DIR | FILE.h5] [--json]",
    .about = "Describes a Hugging Face model directory (every tensor is checked; the fingerprint reads all "
             "weights),\n"
             "a tasks.h5 or run.h5, or, without an argument, this build and what it finds on this machine.",
    .option = options,
    .n_options = sizeof options / sizeof *options,
    .min_arguments = 0,
    .max_arguments = 1,
};

enum cola_status cola_info_add(json_t *facts, const char *key, json_t *value)
{
    if (!value || json_object_set_new(facts, key, value) != 0)
        return cola_fail(COLA_ERR_MEMORY, "info: out of memory for %s", key);
    return COLA_OK;
}

enum cola_status cola_info_add_text(json_t *facts, const char *key, const char *text)
{
    return cola_info_add(facts, key, json_string_nocheck(text)); /* a path may be any bytes */
}

static enum cola_status describe_path(const char *path, json_t *facts)
{
    struct stat info;
    if (stat(path, &info) != 0) return cola_fail(COLA_ERR_IO, "%s: %s", path, strerror(errno));
    COLA_TRY(cola_info_add_text(facts, "path", path));
    if (S_ISDIR(info.st_mode)) return cola_info_model(path, facts);
    if (!S_ISREG(info.st_mode))
        return cola_fail(COLA_ERR_INPUT, "%s: is neither a model directory nor a file", path);
#ifdef COLA_HDF5
    return cola_info_file(path, facts);
#else
    return cola_fail(COLA_ERR_UNSUPPORTED, "%s: this build reads no HDF5 files (COLA_HDF5 is off)", path);
#endif
}

static void print_string(const char *text)
{
    char *shown =
        cola_show_text((struct cola_text){text, strlen(text)}, true); /* from a file, for a terminal */
    printf("%s\n", shown ? shown : "?");
    free(shown);
}

static void print_text(json_t *facts)
{
    const char *key;
    json_t *value;
    json_object_foreach(facts, key, value)
    {
        char label[32];
        snprintf(label, sizeof label, "%s", key);
        for (char *c = label; *c; c++)
            if (*c == '_') *c = ' ';
        printf("%-24s", label);
        if (json_is_string(value)) {
            print_string(json_string_value(value));
            continue;
        }
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        printf("%s\n", text ? text : "?");
        free(text);
    }
}

static enum cola_status print(json_t *facts, bool as_json)
{
    if (!as_json) {
        print_text(facts);
        return COLA_OK;
    }
    char *text = json_dumps(facts, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    if (!text) return cola_fail(COLA_ERR_INPUT, "info: a text is not UTF-8 and cannot be printed as JSON");
    printf("%s\n", text);
    free(text);
    return COLA_OK;
}

int cola_command_info(int argc, char **argv)
{
    struct cola_options *o;
    int exit_status;
    if (!cola_cli_begin(&command, argc, argv, &o, &exit_status)) return exit_status;
    json_t *facts = json_object();
    enum cola_status status = facts ? COLA_OK : cola_fail(COLA_ERR_MEMORY, "info: out of memory");
    if (status == COLA_OK)
        status = cola_options_n_arguments(o) ? describe_path(cola_options_argument(o, 0), facts)
                                             : cola_info_build(facts);
    if (status == COLA_OK) status = print(facts, cola_options_flag(o, "json"));
    if (status == COLA_OK && fflush(stdout) != 0)
        status = cola_fail(COLA_ERR_IO, "info: cannot write: %s", strerror(errno));
    json_decref(facts);
    cola_options_destroy(o);
    return cola_cli_end(status);
}

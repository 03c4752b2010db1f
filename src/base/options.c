/* options.c - parser and --help for the option tables of options.h. Exits never, prints only help. */
#include "cola/options.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"

struct value {
    const char *text; /* from argv or the table */
    double number;
    uint64_t whole;
    bool given;
};

struct cola_options {
    const struct cola_command *command;
    struct value *value;   /* [n_options] */
    const char **argument; /* [n_arguments] */
    size_t n_arguments;
    bool help;
};

static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    if (strchr(text, '|')) return false; /* "a|b" is no choice of "a|b|c" */
    for (const char *c = choices; c && n; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
        if (strncmp(c, text, n) == 0 && (c[n] == '|' || c[n] == '\0')) return true;
    return false;
}

static enum cola_status set_number(const struct cola_option *option, const char *text, struct value *value)
{
    char *end = NULL;
    errno = 0;
    if (option->kind == COLA_OPTION_UINT) {
        value->whole = strtoull(text, &end, 10);
        value->number = (double)value->whole;
    } else {
        value->number = strtod(text, &end);
    }
    /* strto* would also take blanks before a number, and strtoull a minus sign */
    bool begins_well =
        text[0] && strchr(option->kind == COLA_OPTION_UINT ? "0123456789" : "0123456789.+-", text[0]);
    if (end == text || *end != '\0' || errno || !begins_well || !isfinite(value->number))
        return cola_fail(COLA_ERR_USAGE, "--%s: '%s' is not a %s", option->name, text,
                         option->kind == COLA_OPTION_UINT ? "whole number" : "number");
    if (value->number < option->min || value->number > option->max)
        return cola_fail(COLA_ERR_USAGE, "--%s: %s is outside %.10g .. %.10g", option->name, text,
                         option->min, option->max);
    return COLA_OK;
}

static enum cola_status set_value(const struct cola_option *option, const char *text, struct value *value)
{
    if (option->kind == COLA_OPTION_CHOICE && !is_choice(option->choices, text))
        return cola_fail(COLA_ERR_USAGE, "--%s: '%s' is none of %s", option->name, text, option->choices);
    if (option->kind == COLA_OPTION_UINT || option->kind == COLA_OPTION_REAL)
        COLA_TRY(set_number(option, text, value));
    value->text = text;
    return COLA_OK;
}

static size_t find(const struct cola_command *command, const char *name, size_t n)
{
    size_t i = 0;
    while (i < command->n_options &&
           !(strlen(command->option[i].name) == n && strncmp(command->option[i].name, name, n) == 0))
        i++;
    return i;
}

static enum cola_status parse_option(struct cola_options *o, int argc, char **argv, int *at)
{
    const struct cola_command *command = o->command;
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name), i = find(command, name, n);
    if (i == command->n_options)
        return cola_fail(COLA_ERR_USAGE, "cola %s: no option --%.*s (see cola %s --help)", command->name,
                         (int)n, name, command->name);
    const struct cola_option *option = &command->option[i];
    const char *text = equals ? equals + 1 : NULL;
    if (option->kind == COLA_OPTION_FLAG) {
        if (text) return cola_fail(COLA_ERR_USAGE, "--%s takes no value", option->name);
        text = "yes";
    } else if (!text) {
        if (*at + 1 >= argc) return cola_fail(COLA_ERR_USAGE, "--%s needs a value", option->name);
        text = argv[++*at];
    }
    o->value[i].given = true;
    return set_value(option, text, &o->value[i]);
}

static enum cola_status parse_all(struct cola_options *o, int argc, char **argv)
{
    const struct cola_command *command = o->command;
    for (size_t i = 0; i < command->n_options; i++) {
        const char *deflt = command->option[i].deflt;
        if (deflt) COLA_TRY(set_value(&command->option[i], deflt, &o->value[i]));
    }
    bool only_arguments = false;
    for (int at = 1; at < argc; at++) {
        if (!only_arguments && (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)) {
            o->help = true;
            return COLA_OK;
        }
        if (!only_arguments && strcmp(argv[at], "--") == 0)
            only_arguments = true;
        else if (!only_arguments && strncmp(argv[at], "--", 2) == 0)
            COLA_TRY(parse_option(o, argc, argv, &at));
        else if (!only_arguments && argv[at][0] == '-' && argv[at][1])
            return cola_fail(COLA_ERR_USAGE, "cola %s: no option %s (see cola %s --help)", command->name,
                             argv[at], command->name);
        else
            o->argument[o->n_arguments++] = argv[at];
    }
    if (o->n_arguments < command->min_arguments || o->n_arguments > command->max_arguments)
        return cola_fail(COLA_ERR_USAGE, "cola %s: %s argument; usage: cola %s %s", command->name,
                         o->n_arguments < command->min_arguments ? "there is no" : "there is one more",
                         command->name, command->usage);
    return COLA_OK;
}

enum cola_status cola_options_parse(const struct cola_command *command, int argc, char **argv,
                                    struct cola_options **out)
{
    struct cola_options *o = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&o, 1, sizeof *o, "options"));
    o->command = command;
    COLA_TRY_DONE(cola_alloc((void **)&o->value, command->n_options, sizeof *o->value, "options"));
    COLA_TRY_DONE(cola_alloc((void **)&o->argument, (size_t)argc + 1, sizeof *o->argument, "options"));
    COLA_TRY_DONE(parse_all(o, argc, argv));
    *out = o;
    return COLA_OK;
done:
    cola_options_destroy(o);
    return status;
}

void cola_options_destroy(struct cola_options *o)
{
    if (!o) return;
    free(o->value);
    free(o->argument);
    free(o);
}

bool cola_options_help(const struct cola_options *o)
{
    return o->help;
}
size_t cola_options_n_arguments(const struct cola_options *o)
{
    return o->n_arguments;
}

const char *cola_options_argument(const struct cola_options *o, size_t i)
{
    assert(i < o->n_arguments);
    return o->argument[i];
}

static size_t index_of(const struct cola_options *o, const char *name)
{
    size_t i = find(o->command, name, strlen(name));
    assert(i < o->command->n_options);
    return i;
}

static const struct value *value_of(const struct cola_options *o, const char *name,
                                    enum cola_option_kind kind)
{
    size_t i = index_of(o, name);
    assert(o->command->option[i].kind == kind);
    return &o->value[i];
}

bool cola_options_given(const struct cola_options *o, const char *name)
{
    return o->value[index_of(o, name)].given;
}
bool cola_options_flag(const struct cola_options *o, const char *name)
{
    return value_of(o, name, COLA_OPTION_FLAG)->given;
}
uint64_t cola_options_uint(const struct cola_options *o, const char *name)
{
    return value_of(o, name, COLA_OPTION_UINT)->whole;
}
double cola_options_real(const struct cola_options *o, const char *name)
{
    return value_of(o, name, COLA_OPTION_REAL)->number;
}

const char *cola_options_string(const struct cola_options *o, const char *name)
{
    size_t i = index_of(o, name);
    enum cola_option_kind kind = o->command->option[i].kind;
    assert(kind == COLA_OPTION_TEXT || kind == COLA_OPTION_CHOICE);
    return o->value[i].text ? o->value[i].text : "";
}

bool cola_options_each(const struct cola_options *o, size_t i, const char **name, const char **value)
{
    if (i >= o->command->n_options) return false;
    *name = o->command->option[i].name;
    *value = o->value[i].text ? o->value[i].text : "";
    return true;
}

void cola_options_print_help(const struct cola_command *command, FILE *to)
{
    fprintf(to, "usage: cola %s %s\n\n%s\n\noptions:\n", command->name, command->usage, command->about);
    for (size_t i = 0; i < command->n_options; i++) {
        const struct cola_option *option = &command->option[i];
        const char *what = option->kind == COLA_OPTION_CHOICE ? option->choices : option->value_name;
        int n = fprintf(to, "  --%s%s%s", option->name, what ? " " : "", what ? what : "");
        fprintf(to, "%*s%s", n < 30 ? 30 - n : 2, "", option->help);
        bool number = option->kind == COLA_OPTION_UINT || option->kind == COLA_OPTION_REAL;
        if (number) fprintf(to, " (%.10g .. %.10g)", option->min, option->max);
        if (option->deflt && option->deflt[0]) fprintf(to, " [%s]", option->deflt);
        fputc('\n', to);
    }
    fprintf(to, "  --help%*sthis text\n", 22, "");
}

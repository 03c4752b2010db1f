/* common.c - what every subcommand does first and last: options or help, and the one place that prints an
 * error. */
#include "cli/commands.h"

#include <stdio.h>

#include "cola/log.h"

int cola_cli_end(enum cola_status status)
{
    if (status == COLA_OK) return COLA_EXIT_OK;
    if (status == COLA_ERR_STOPPED) {
        cola_log(COLA_LOG_INFO, "%s", cola_error_text());
        return COLA_EXIT_STOPPED;
    }
    cola_log(COLA_LOG_ERROR, "%s", cola_error_text());
    return status == COLA_ERR_USAGE ? COLA_EXIT_USAGE : COLA_EXIT_FAILED;
}

bool cola_cli_begin(const struct cola_command *command, int argc, char **argv, struct cola_options **options,
                    int *exit_status)
{
    enum cola_status status = cola_options_parse(command, argc, argv, options);
    if (status != COLA_OK) {
        *exit_status = cola_cli_end(status);
        return false;
    }
    if (cola_options_help(*options)) {
        cola_options_print_help(command, stdout);
        cola_options_destroy(*options);
        *exit_status = COLA_EXIT_OK;
        return false;
    }
    return true;
}

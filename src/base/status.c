/* status.c - the thread-local text of the last error. Prints nothing, exits never. */
#include "cola/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 1024 };
static _Thread_local char error_text[TEXT_BYTES];

enum cola_status cola_fail(enum cola_status status, const char *format, ...)
{
    char text[TEXT_BYTES]; /* the arguments may point into error_text */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(error_text, text, sizeof text);
    return status;
}

enum cola_status cola_fail_in(enum cola_status status, const char *format, ...)
{
    char prefix[TEXT_BYTES], text[2 * TEXT_BYTES + 2];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", prefix, error_text);
    snprintf(error_text, sizeof error_text, "%.*s", TEXT_BYTES - 1, text);
    return status;
}

const char *cola_error_text(void)
{
    return error_text;
}

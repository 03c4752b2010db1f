/* log.c - one whole line per write(2) to stderr. Its two settings are the process's, set once at start. */
#include "cola/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static enum cola_log_level most_level = COLA_LOG_INFO;
static int shown_rank = -1;

void cola_log_setup(enum cola_log_level most, int rank)
{
    most_level = most;
    shown_rank = rank;
}

void cola_log(enum cola_log_level level, const char *format, ...)
{
    static const char *const word[] = {"error: ", "warning: ", "", "debug: "};
    char line[2048];
    if (level > most_level) return;
    int n = shown_rank < 0 ? snprintf(line, sizeof line, "cola: %s", word[level])
                           : snprintf(line, sizeof line, "cola[%d]: %s", shown_rank, word[level]);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
    va_end(args);
    n = more < 0 ? n : n + more;
    if (n > (int)sizeof line - 2) n = (int)sizeof line - 2;
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)n) < 0) return; /* nobody left to tell */
}

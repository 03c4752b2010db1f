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

/* Messages name what stands in files: an id or a path must not command the terminal. The one-byte controls
 * but newline and tab, and the two-byte ones (U+0080 .. U+009F in UTF-8). */
static void replace_controls(char *line, int n)
{
    for (int i = 0; i < n; i++) {
        unsigned char c = (unsigned char)line[i], next = i + 1 < n ? (unsigned char)line[i + 1] : 0;
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) line[i] = '?';
        if (c == 0xC2 && next >= 0x80 && next < 0xA0) line[i] = line[i + 1] = '?';
    }
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
    replace_controls(line, n);
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)n) < 0) return; /* nobody left to tell */
}

/* progress.c - the live line or the line a minute of progress.h. */
#include "cola/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cola/clock.h"
#include "cola/log.h"

static const double LIVE_S = 0.25, LOG_S = 60,
                    FIRST_LOG_S = 10; /* between lines; the first in a log is early */

struct cola_progress cola_progress_begin(bool quiet)
{
    struct cola_progress p = {.quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1};
    p.next_s = cola_clock_s() + (p.terminal ? 0 : FIRST_LOG_S);
    return p;
}

bool cola_progress_due(const struct cola_progress *p)
{
    return !p->quiet && cola_clock_s() >= p->next_s;
}

static int columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

static void write_all(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0) return; /* nobody left to tell */
}

void cola_progress_show(struct cola_progress *p, const char *text)
{
    if (p->quiet) return;
    if (!p->terminal) {
        cola_log(COLA_LOG_INFO, "%s", text);
        p->next_s = cola_clock_s() + LOG_S;
        return;
    }
    char line[512];
    int most = columns() - 1; /* a full line would wrap, and \r would not come back over it */
    if (most > 400) most = 400;
    snprintf(line, sizeof line, "\r\x1b[K%.*s", most, text);
    write_all(line);
    p->shown = true;
    p->next_s = cola_clock_s() + LIVE_S;
}

void cola_progress_clear(struct cola_progress *p)
{
    if (p->shown) write_all("\r\x1b[K");
    p->shown = false;
}

void cola_progress_end(struct cola_progress *p)
{
    cola_progress_clear(p);
    p->quiet = true;
}

void cola_progress_time(double seconds, char text[32])
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9) {
        snprintf(text, 32, "?");
        return;
    }
    long s = lround(seconds), hours = s / 3600 % 24, days = s / 86400;
    if (days)
        snprintf(text, 32, "%ldd %ld:%02ld:%02ld", days, hours, s / 60 % 60, s % 60);
    else if (hours)
        snprintf(text, 32, "%ld:%02ld:%02ld", hours, s / 60 % 60, s % 60);
    else
        snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
}

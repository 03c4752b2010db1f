/* progress.h - how far a long job is, for people on stderr: on a terminal one live line, renewed a few times
 * a second; in a log a line a minute.
 *
 *     struct cola_progress progress = cola_progress_begin(quiet);
 *     if (cola_progress_due(&progress)) cola_progress_show(&progress, text);      cheap to ask
 *     cola_progress_end(&progress);                                               wipes the live line
 *
 * Before another line is logged: cola_progress_clear. Never part of a result. */
#ifndef COLA_PROGRESS_H
#define COLA_PROGRESS_H

#include <stdbool.h>

struct cola_progress {
    bool quiet, terminal;
    bool shown; /* a live line stands there */
    double next_s;
};

struct cola_progress cola_progress_begin(bool quiet);
bool cola_progress_due(const struct cola_progress *progress);
void cola_progress_show(struct cola_progress *progress, const char *text); /* one line, no newline */
void cola_progress_clear(struct cola_progress *progress);
void cola_progress_end(struct cola_progress *progress);

/* "4:05" or "3:04:05" or "2d 3:04:05", NUL-terminated, for times left and spent; "?" if not finite. */
void cola_progress_time(double seconds, char text[32]);

#endif

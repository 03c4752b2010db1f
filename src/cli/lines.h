/* lines.h - lines from a file or pipe without blocking while there is other work.
 *
 * A line that is not complete yet is waited for only if the caller says so; so a program that sends one
 * request and waits for its answer gets it. */
#ifndef COLA_CLI_LINES_H
#define COLA_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "cola/status.h"

struct cola_lines {
    int fd;
    const char *name;
    char *bytes; /* owned */
    size_t room, begin, end;
    bool at_end;
};

enum cola_status cola_lines_open(struct cola_lines *lines, const char *path); /* "-": standard input */
void cola_lines_close(struct cola_lines *lines);

/* *line borrows until the next call, without its newline; *line = NULL: nothing now (or, with at_end, nothing
 * more). wait: block until a line or the end. A line over 64 MiB is COLA_ERR_INPUT. */
enum cola_status cola_lines_next(struct cola_lines *lines, bool wait, const char **line, size_t *n);

#endif

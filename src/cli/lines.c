/* lines.c - a line reader over read(2) and poll(2); see lines.h. */
#include "cli/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/memory.h"

enum { LINE_MAX_BYTES = 64 << 20, READ_BYTES = 1 << 16 };

enum cola_status cola_lines_open(struct cola_lines *lines, const char *path)
{
    *lines = (struct cola_lines){.fd = STDIN_FILENO, .name = "standard input"};
    if (strcmp(path, "-") == 0) return COLA_OK;
    lines->name = path;
    lines->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (lines->fd < 0) return cola_fail(COLA_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    return COLA_OK;
}

void cola_lines_close(struct cola_lines *lines)
{
    if (lines->fd > STDIN_FILENO) close(lines->fd);
    free(lines->bytes);
    *lines = (struct cola_lines){.fd = -1};
}

static enum cola_status read_more(struct cola_lines *lines)
{
    if (lines->begin > 0) {
        memmove(lines->bytes, lines->bytes + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    if (lines->end > LINE_MAX_BYTES)
        return cola_fail(COLA_ERR_INPUT, "%s: a line is longer than %d bytes", lines->name, LINE_MAX_BYTES);
    COLA_TRY(cola_grow((void **)&lines->bytes, &lines->room, lines->end + READ_BYTES, 1, "line"));
    ssize_t n = read(lines->fd, lines->bytes + lines->end, READ_BYTES);
    if (n < 0 && errno != EINTR)
        return cola_fail(COLA_ERR_IO, "%s: cannot read: %s", lines->name, strerror(errno));
    if (n == 0) lines->at_end = true;
    if (n > 0) lines->end += (size_t)n;
    return COLA_OK;
}

enum cola_status cola_lines_next(struct cola_lines *lines, bool wait, const char **line, size_t *n)
{
    size_t searched = 0;
    for (;;) {
        const char *begin = lines->bytes + lines->begin;
        size_t have = lines->end - lines->begin;
        const char *newline = have > searched ? memchr(begin + searched, '\n', have - searched) : NULL;
        if (newline || (lines->at_end && have > 0)) {
            *line = begin;
            *n = newline ? (size_t)(newline - begin) : have;
            lines->begin += newline ? *n + 1 : have;
            return COLA_OK;
        }
        *line = NULL;
        *n = 0;
        if (lines->at_end) return COLA_OK;
        struct pollfd ready = {.fd = lines->fd, .events = POLLIN};
        if (!wait && poll(&ready, 1, 0) <= 0) return COLA_OK; /* nothing yet, or a signal */
        searched = have;
        COLA_TRY(read_more(lines));
    }
}

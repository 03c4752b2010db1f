/* spill.c - one buffer, and a file behind it that has no name after its creation; see spill.h. */
#include "record/spill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/memory.h"
#include "record/files.h"

enum { BUFFER_BYTES = 1 << 20 }; /* a write of so much costs a millisecond at most, and is rare */

struct cola_spill {
    char *path;
    int fd;           /* -1: not created yet */
    uint64_t written; /* bytes of the file that count */
    uint8_t *buffer;  /* the bytes behind them: [n] of [room] */
    size_t n, room;
};

enum cola_status cola_spill_create(const char *run_path, struct cola_spill **out)
{
    struct cola_spill *spill = NULL;
    COLA_TRY(cola_alloc((void **)&spill, 1, sizeof *spill, "spill"));
    spill->fd = -1;
    if (asprintf(&spill->path, "%s.spill", run_path) < 0) {
        free(spill);
        return cola_fail(COLA_ERR_MEMORY, "%s: out of memory", run_path);
    }
    *out = spill;
    return COLA_OK;
}

void cola_spill_destroy(struct cola_spill *spill)
{
    if (!spill) return;
    if (spill->fd >= 0) close(spill->fd);
    free(spill->buffer);
    free(spill->path);
    free(spill);
}

static enum cola_status create_file(struct cola_spill *spill)
{
    char *temporary = NULL;
    if (spill->fd >= 0) return COLA_OK;
    COLA_TRY(cola_file_temporary(spill->path, &temporary, &spill->fd));
    unlink(temporary);
    free(temporary);
    return COLA_OK;
}

/* A write that fails half way leaves bytes behind `written`, which the next one overwrites. */
static enum cola_status flush(struct cola_spill *spill)
{
    COLA_TRY(create_file(spill));
    for (size_t done = 0; done < spill->n;) {
        ssize_t n = pwrite(spill->fd, spill->buffer + done, spill->n - done, (off_t)(spill->written + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return cola_fail(COLA_ERR_IO,
                             "%s (finished samples until the end of the job, a file without a name): cannot "
                             "be written: %s. With room again, --resume goes on from the journal",
                             spill->path, n ? strerror(errno) : "no space");
        done += (size_t)n;
    }
    spill->written += spill->n;
    spill->n = 0;
    return COLA_OK;
}

enum cola_status cola_spill_append(struct cola_spill *spill, const void *bytes, size_t n,
                                   struct cola_place *out)
{
    if (spill->n && spill->n + n > BUFFER_BYTES) COLA_TRY(flush(spill));
    size_t room = spill->n + n > BUFFER_BYTES ? spill->n + n : BUFFER_BYTES;
    COLA_TRY(cola_grow((void **)&spill->buffer, &spill->room, room, 1, "spill"));
    if (n) memcpy(spill->buffer + spill->n, bytes, n);
    *out = (struct cola_place){spill->written + spill->n, n};
    spill->n += n;
    return COLA_OK;
}

/* What is appended at once is written at once: a place is in the file or in the buffer. */
enum cola_status cola_spill_read(const struct cola_spill *spill, struct cola_place place, void *to)
{
    if (place.at >= spill->written) {
        memcpy(to, spill->buffer + (place.at - spill->written), place.n_bytes);
        return COLA_OK;
    }
    for (uint64_t done = 0; done < place.n_bytes;) {
        ssize_t n = pread(spill->fd, (uint8_t *)to + done, place.n_bytes - done, (off_t)(place.at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return cola_fail(COLA_ERR_IO,
                             "%s (finished samples until the end of the job, a file without a name): cannot "
                             "be read: %s. --resume goes on from the journal",
                             spill->path, n ? strerror(errno) : "it ends too soon");
        done += (uint64_t)n;
    }
    return COLA_OK;
}

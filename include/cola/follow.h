/* follow.h - what the journal of a run says while another process, perhaps on another node, writes it.
 *
 *     struct cola_follow follow = {0};
 *     for (;;) {
 *         COLA_TRY(cola_follow_read(&follow, "run.h5.journal"));      what came since the last call
 *         if (follow.there) ... follow.n_evaluated, follow.n_finished ...
 *     }
 *     cola_follow_fini(&follow);
 *
 * Plain reads: takes no lock, so it stops no writer, and never writes. A half-written last record is left for
 * the next call. The file is opened anew each time, which is when NFS looks for news; a journal that was cut
 * or replaced is read from its beginning. Knows nothing of trees, tasks or run.h5. */
#ifndef COLA_FOLLOW_H
#define COLA_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/status.h"

struct cola_follow_sample {
    uint32_t n_evaluated;
    bool finished;
};

struct cola_follow { /* {0}: nothing read yet. The caller may set `folded` before a read */
    uint64_t folded; /* number of a record: those behind it are counted in n_beyond */

    bool there;           /* the journal exists and says what run this is */
    bool locked;          /* a process of this machine (or one that its lock service sees) writes it */
    bool lock_seen;       /* false: no lock can be asked for on that file system */
    uint64_t sequence;    /* of the last whole record */
    uint64_t n_evaluated; /* records of evaluations; wrong guesses and those taken over included */
    uint64_t n_beyond;    /* of them, behind `folded` */
    uint64_t n_new;       /* of them, by the workers of the last process that took over */
    uint32_t first_sample, n_samples, n_begun, n_finished;
    uint32_t n_processes;     /* that wrote it, one after the other */
    uint64_t n_simulations;   /* a sample at most, as the run was asked for; 0: not told */
    char started[32];         /* of the last of them, UTC: 2026-01-31T12:00:00Z */
    char host[256];           /* its master's */
    double written_s;         /* last change of the file, seconds since 1970 by the file system's clock */
    uint64_t n_bytes, unread; /* of the file; behind the last whole record */
    struct cola_follow_sample *sample; /* [n_samples] */

    uint64_t at, n_started, n_since, inode; /* cola_follow_read's own */
    size_t sample_room;
};

/* COLA_OK without a journal too (there: false). COLA_ERR_INPUT, COLA_ERR_UNSUPPORTED: no journal, another
 * version, or a record that contradicts those before. COLA_ERR_IO: cannot be read. */
enum cola_status cola_follow_read(struct cola_follow *follow, const char *journal_path);
void cola_follow_fini(struct cola_follow *follow);

/* Evaluations until the last sample ends, if each takes as many as those that have ended, or as many as were
 * asked for while none has. A guess: late simulations find their chain known. */
double cola_follow_left(const struct cola_follow *follow);

#endif

/* follow.c - reads a journal beside its writer: see follow.h. The frames are those of journal_record.h; what
 * is damaged and what may be dropped is for the next search to decide (journal_read.c), not for a reader. */
#include "cola/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cola/memory.h"
#include "record/journal_file.h"

enum { WINDOW_BYTES = 1 << 20 };

struct source {
    int fd;
    const char *path;
    uint8_t *window; /* [n] bytes from `start` of the file */
    size_t n, room;
    uint64_t start;
    struct cola_journal_arrays arrays;
};

static void start_anew(struct cola_follow *f)
{
    *f = (struct cola_follow){.folded = f->folded, .sample = f->sample, .sample_room = f->sample_room};
}

/* *out: `n` bytes from `at`, or NULL where the file has no more (now). */
static enum cola_status look(struct source *s, uint64_t at, size_t n, const uint8_t **out)
{
    *out = NULL;
    if (at < s->start || at + n > s->start + s->n) {
        size_t want = n > WINDOW_BYTES ? n : WINDOW_BYTES;
        COLA_TRY(cola_grow((void **)&s->window, &s->room, want, 1, "journal"));
        s->start = at;
        s->n = 0;
        while (s->n < n) {
            ssize_t got = pread(s->fd, s->window + s->n, want - s->n, (off_t)(at + s->n));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return cola_fail(COLA_ERR_IO, "%s: cannot be read: %s", s->path, strerror(errno));
            if (got == 0) return COLA_OK;
            s->n += (size_t)got;
        }
    }
    *out = s->window + (at - s->start);
    return COLA_OK;
}

/* --- what a record means ------------------------------------------------------------------------------- */

static void copy_field(const struct cola_journal_record *r, const char *key, char *to, size_t room)
{
    const char *value = cola_fields_value(&r->fields, key);
    snprintf(to, room, "%s", value ? value : "");
}

static enum cola_status on_session(struct cola_follow *f, const struct cola_journal_record *r)
{
    const char *simulations = cola_fields_value(&r->fields, "n_simulations");
    if (f->n_processes == 0) {
        COLA_TRY(cola_grow((void **)&f->sample, &f->sample_room, r->n_samples, sizeof *f->sample, "samples"));
        memset(f->sample, 0, r->n_samples * sizeof *f->sample);
        f->first_sample = r->first_sample;
        f->n_samples = r->n_samples;
    }
    uint64_t n = simulations ? strtoull(simulations, NULL, 10) : 0;
    if (f->n_processes && n > f->n_simulations) { /* more are wanted: what had ended goes on */
        for (uint32_t i = 0; i < f->n_samples; i++) f->sample[i].finished = false;
        f->n_finished = 0;
    }
    f->n_simulations = n;
    f->n_processes++;
    f->n_started = f->n_since = 0;
    f->there = true;
    copy_field(r, "started", f->started, sizeof f->started);
    copy_field(r, "host", f->host, sizeof f->host);
    return COLA_OK;
}

static enum cola_status take(struct cola_follow *f, const struct source *s,
                             const struct cola_journal_record *r)
{
    if (r->sequence != f->sequence + 1 || (r->sequence == 1) != (f->n_processes == 0))
        return cola_fail(COLA_ERR_INPUT, "%s: offset %llu: expected record %llu, found %llu", s->path,
                         (unsigned long long)f->at, (unsigned long long)f->sequence + 1,
                         (unsigned long long)r->sequence);
    f->sequence = r->sequence;
    if (r->kind == COLA_JOURNAL_SESSION) return on_session(f, r);
    if (r->kind > COLA_JOURNAL_FINISHED) return COLA_OK; /* of the writer, for its successor */
    uint32_t i = r->sample - f->first_sample;
    if (r->sample < f->first_sample || i >= f->n_samples)
        return cola_fail(COLA_ERR_INPUT, "%s: offset %llu: sample %u is not of this run", s->path,
                         (unsigned long long)f->at, r->sample);
    f->n_started += r->kind == COLA_JOURNAL_STARTED;
    if (r->kind == COLA_JOURNAL_EVALUATED) {
        f->n_begun += f->sample[i].n_evaluated++ == 0;
        f->n_evaluated++;
        f->n_since++;
        f->n_beyond += r->sequence > f->folded;
    }
    if (r->kind == COLA_JOURNAL_FINISHED && !f->sample[i].finished) {
        f->sample[i].finished = true;
        f->n_finished++;
    }
    return COLA_OK;
}

/* --- the file ------------------------------------------------------------------------------------------ */

static enum cola_status check_magic(struct source *s, bool *there)
{
    const uint8_t *byte;
    COLA_TRY(look(s, 0, COLA_MAGIC_BYTES, &byte));
    *there = byte != NULL;
    if (!byte) return COLA_OK;
    if (memcmp(byte, cola_journal_magic, 12) != 0)
        return cola_fail(COLA_ERR_INPUT, "%s: does not begin as a journal does", s->path);
    unsigned major = byte[12] | (unsigned)byte[13] << 8, minor = byte[14] | (unsigned)byte[15] << 8;
    if (major == COLA_JOURNAL_MAJOR && minor <= COLA_JOURNAL_MINOR) return COLA_OK;
    return cola_fail(COLA_ERR_UNSUPPORTED, "%s: journal version %u.%u; this program reads %d.0 to %d.%d",
                     s->path, major, minor, COLA_JOURNAL_MAJOR, COLA_JOURNAL_MAJOR, COLA_JOURNAL_MINOR);
}

/* One record from f->at; *whole false: none is there whole, not yet or never. */
static enum cola_status read_record(struct cola_follow *f, struct source *s, bool *whole)
{
    const uint8_t *byte;
    struct cola_journal_record record;
    *whole = false;
    COLA_TRY(look(s, f->at, COLA_FRAME_BYTES, &byte));
    uint32_t n = byte ? cola_journal_frame_length(byte) : 0;
    if (n == 0) return COLA_OK;
    COLA_TRY(look(s, f->at, COLA_FRAME_BYTES + (size_t)n, &byte));
    if (!byte || !cola_journal_payload_ok(byte, byte + COLA_FRAME_BYTES, n)) return COLA_OK;
    enum cola_status status = cola_journal_unpack(byte + COLA_FRAME_BYTES, n, &s->arrays, &record);
    if (status != COLA_OK) return cola_fail_in(status, "%s: offset %llu", s->path, (unsigned long long)f->at);
    status = take(f, s, &record);
    cola_fields_fini(&record.fields);
    if (status != COLA_OK) return status;
    f->at += COLA_FRAME_BYTES + (uint64_t)n;
    *whole = true;
    return COLA_OK;
}

/* Asking is no locking: the writer is not disturbed. */
static void ask_for_lock(struct cola_follow *f, int fd)
{
    struct flock holder = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    f->lock_seen = fcntl(fd, F_GETLK, &holder) == 0;
    f->locked = f->lock_seen && holder.l_type != F_UNLCK;
}

static enum cola_status read_open(struct cola_follow *f, struct source *s)
{
    struct stat about;
    bool more = true;
    if (fstat(s->fd, &about) != 0)
        return cola_fail(COLA_ERR_IO, "%s: cannot be looked at: %s", s->path, strerror(errno));
    if ((f->at && f->inode != about.st_ino) || (uint64_t)about.st_size < f->at) start_anew(f);
    ask_for_lock(f, s->fd); /* before reading: what a writer that has just gone wrote last is read below */
    f->inode = about.st_ino;
    if (f->at == 0) {
        COLA_TRY(check_magic(s, &more));
        if (more) f->at = COLA_MAGIC_BYTES;
    }
    while (more) COLA_TRY(read_record(f, s, &more));
    if (fstat(s->fd, &about) != 0)
        return cola_fail(COLA_ERR_IO, "%s: cannot be looked at: %s", s->path, strerror(errno));
    f->n_new = f->n_since < f->n_started ? f->n_since : f->n_started;
    f->written_s = (double)about.st_mtim.tv_sec + 1e-9 * (double)about.st_mtim.tv_nsec;
    f->n_bytes = (uint64_t)about.st_size;
    f->unread = f->n_bytes > f->at ? f->n_bytes - f->at : 0;
    return COLA_OK;
}

enum cola_status cola_follow_read(struct cola_follow *f, const char *path)
{
    struct source s = {.fd = open(path, O_RDONLY | O_CLOEXEC), .path = path};
    if (s.fd < 0 && errno != ENOENT)
        return cola_fail(COLA_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (s.fd < 0) {
        start_anew(f);
        return COLA_OK;
    }
    enum cola_status status = read_open(f, &s);
    close(s.fd);
    free(s.window);
    cola_journal_arrays_fini(&s.arrays);
    return status;
}

void cola_follow_fini(struct cola_follow *f)
{
    free(f->sample);
    *f = (struct cola_follow){0};
}

double cola_follow_left(const struct cola_follow *f)
{
    double each = (double)f->n_simulations, sum = 0, left = 0;
    for (uint32_t i = 0; i < f->n_samples; i++)
        if (f->sample[i].finished) sum += f->sample[i].n_evaluated;
    if (f->n_finished) each = sum / f->n_finished;
    for (uint32_t i = 0; i < f->n_samples; i++)
        if (!f->sample[i].finished && f->sample[i].n_evaluated < each)
            left += each - f->sample[i].n_evaluated;
    return left;
}

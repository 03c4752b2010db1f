/* journal.c - the journal's file: created whole, locked, appended with one write a record, committed with
 * fdatasync; or both by a thread of its own (journal_writer.c), which a search's master starts. What the
 * records say is journal_record.c's and record.c's; reading back is journal_read.c's. */
#include "record/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cola/memory.h"
#include "record/files.h"
#include "record/journal_file.h"

void cola_journal_close(struct cola_journal *journal)
{
    if (!journal) return;
    cola_journal_writer_stop(journal->writer);
    if (journal->fd >= 0) close(journal->fd);
    free(journal->path);
    free(journal->pack.byte);
    free(journal);
}

static enum cola_status new_journal(const char *path, int fd, struct cola_journal **out)
{
    struct cola_journal *journal = NULL;
    enum cola_status status = cola_alloc((void **)&journal, 1, sizeof *journal, "journal");
    if (status != COLA_OK) {
        close(fd);
        return status;
    }
    journal->fd = fd;
    journal->path = strdup(path);
    if (!journal->path) {
        cola_journal_close(journal);
        return cola_fail(COLA_ERR_MEMORY, "%s: out of memory", path);
    }
    *out = journal;
    return COLA_OK;
}

static enum cola_status lock(const char *path, int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &whole) == 0) return COLA_OK;
    if (errno != EACCES && errno != EAGAIN)
        return cola_fail(COLA_ERR_IO, "%s: cannot be locked: %s", path, strerror(errno));
    struct flock holder = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK)
        return cola_fail(COLA_ERR_IO, "%s: in use by process %ld: two searches cannot write one run", path,
                         (long)holder.l_pid);
    return cola_fail(COLA_ERR_IO, "%s: in use by another process: two searches cannot write one run", path);
}

static enum cola_status begin(struct cola_journal *journal, const struct cola_journal_record *session,
                              cola_journal_fill *fill, void *user)
{
    COLA_TRY(lock(journal->path, journal->fd));
    COLA_TRY(cola_file_write(journal->fd, journal->path, cola_journal_magic, COLA_MAGIC_BYTES));
    journal->end = COLA_MAGIC_BYTES;
    journal->minor = COLA_JOURNAL_MINOR;
    COLA_TRY(cola_journal_append(journal, session));
    if (fill) COLA_TRY(fill(user, journal));
    return cola_journal_commit(journal);
}

/* link fails where the name exists, which rename would not; some file systems have no links. */
static enum cola_status give_name(const char *temporary, const char *path)
{
    if (link(temporary, path) == 0) {
        unlink(temporary);
        return cola_file_sync_directory(path);
    }
    if (errno == EEXIST) return cola_fail(COLA_ERR_USAGE, "%s exists: --resume continues it", path);
    if (access(path, F_OK) == 0 || rename(temporary, path) != 0)
        return cola_fail(COLA_ERR_IO, "%s: cannot be created: %s", path, strerror(errno));
    return cola_file_sync_directory(path);
}

enum cola_status cola_journal_create(const char *path, const struct cola_journal_record *session,
                                     cola_journal_fill *fill, void *user, struct cola_journal **out)
{
    char *temporary = NULL;
    int fd = -1;
    struct cola_journal *journal = NULL;
    COLA_TRY(cola_file_temporary(path, &temporary, &fd));
    enum cola_status status = new_journal(path, fd, &journal);
    if (status == COLA_OK) status = begin(journal, session, fill, user);
    if (status == COLA_OK) status = give_name(temporary, path);
    if (status != COLA_OK) {
        unlink(temporary);
        cola_journal_close(journal);
    } else {
        *out = journal;
    }
    free(temporary);
    return status;
}

enum cola_status cola_journal_open(const char *path, cola_journal_visit *visit, void *user,
                                   struct cola_journal **out)
{
    struct cola_journal *journal = NULL;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return cola_fail(COLA_ERR_IO, "%s: %s", path, strerror(errno));
    COLA_TRY(new_journal(path, fd, &journal));
    enum cola_status status = lock(path, fd);
    if (status == COLA_OK) status = cola_journal_read(journal, visit, user);
    if (status != COLA_OK) {
        cola_journal_close(journal);
        return status;
    }
    *out = journal;
    return COLA_OK;
}

enum { BATCH_BYTES = 1 << 20 }; /* given to the writer without being asked: bounds the memory */

static enum cola_status append_for_writer(struct cola_journal *journal,
                                          const struct cola_journal_record *record)
{
    size_t before = journal->pack.n;
    COLA_TRY(cola_journal_pack_behind(record, &journal->pack));
    journal->end += journal->pack.n - before;
    if (journal->pack.n < BATCH_BYTES) return COLA_OK;
    return cola_journal_writer_give(journal->writer, &journal->pack, &journal->to_sync, COLA_JOURNAL_QUEUE);
}

/* A record that did not fit must not stay half written in front of the next one. */
static enum cola_status append_now(struct cola_journal *journal, const struct cola_journal_record *record)
{
    COLA_TRY(cola_journal_pack(record, &journal->pack));
    if (lseek(journal->fd, (off_t)journal->end, SEEK_SET) < 0)
        return cola_fail(COLA_ERR_IO, "%s: %s", journal->path, strerror(errno));
    enum cola_status status =
        cola_file_write(journal->fd, journal->path, journal->pack.byte, journal->pack.n);
    if (status != COLA_OK) {
        if (ftruncate(journal->fd, (off_t)journal->end) != 0) journal->broken = true;
        return status;
    }
    journal->end += journal->pack.n;
    return COLA_OK;
}

static enum cola_status append(struct cola_journal *journal, const struct cola_journal_record *record)
{
    struct cola_journal_record numbered = *record;
    numbered.sequence = journal->sequence + 1;
    numbered.old = journal->minor < COLA_JOURNAL_ROW_LAYERS_MINOR;
    COLA_TRY(journal->writer ? append_for_writer(journal, &numbered) : append_now(journal, &numbered));
    journal->sequence++;
    return COLA_OK;
}

static enum cola_status append_mark(struct cola_journal *journal, uint64_t n_committed)
{
    struct cola_journal_record mark = {.kind = COLA_JOURNAL_COMMITTED, .n_committed = n_committed};
    COLA_TRY(append(journal, &mark));
    journal->to_mark = false;
    journal->marked = n_committed;
    return COLA_OK;
}

enum cola_status cola_journal_append(struct cola_journal *journal, const struct cola_journal_record *record)
{
    if (journal->broken)
        return cola_fail(COLA_ERR_IO, "%s: an earlier write failed and could not be taken back",
                         journal->path);
    if (journal->to_cut && ftruncate(journal->fd, (off_t)journal->end) != 0)
        return cola_fail(COLA_ERR_IO, "%s: cannot be cut to %llu bytes: %s", journal->path,
                         (unsigned long long)journal->end, strerror(errno));
    journal->to_cut = false;
    if (journal->minor == 0 && record->kind > COLA_JOURNAL_FINISHED) return COLA_OK;
    if (journal->minor > 0 && journal->writer) {
        uint64_t durable = cola_journal_writer_durable(journal->writer);
        if (durable > journal->marked) COLA_TRY(append_mark(journal, durable));
    } else if (journal->minor > 0 && journal->to_mark) {
        COLA_TRY(append_mark(journal, journal->end));
    }
    return append(journal, record);
}

enum cola_status cola_journal_start_writer(struct cola_journal *journal)
{
    COLA_TRY(cola_journal_commit(journal));
    journal->pack.n = 0;
    return cola_journal_writer_start(journal->fd, journal->path, journal->end, &journal->writer);
}

enum cola_status cola_journal_flush(struct cola_journal *journal, bool written)
{
    if (!journal->writer || (journal->pack.n == 0 && !journal->to_sync)) return COLA_OK;
    return cola_journal_writer_give(journal->writer, &journal->pack, &journal->to_sync,
                                    written ? COLA_JOURNAL_WRITTEN : COLA_JOURNAL_HAND_OVER);
}

enum cola_status cola_journal_drain(struct cola_journal *journal)
{
    if (!journal->writer) return cola_journal_commit(journal);
    journal->to_sync = true;
    return cola_journal_writer_give(journal->writer, &journal->pack, &journal->to_sync, COLA_JOURNAL_WRITTEN);
}

enum cola_status cola_journal_commit(struct cola_journal *journal)
{
    if (journal->writer) {
        journal->to_sync = true;
        return cola_journal_flush(journal, false);
    }
    if (fdatasync(journal->fd) == 0) {
        COLA_TRY(cola_file_has_name(journal->fd, journal->path));
        journal->to_mark = true;
        return COLA_OK;
    }
    journal->broken = true; /* after a failed sync nobody knows what is on the disk */
    return cola_fail(COLA_ERR_IO, "%s: fdatasync: %s", journal->path, strerror(errno));
}

uint64_t cola_journal_sequence(const struct cola_journal *journal)
{
    return journal->sequence;
}

/* journal_read.c - reads a journal back: every record in order, then the decision about a bad one.
 *
 * A process that was killed leaves at most one record cut short at the end: it is dropped. A power cut may
 * leave holes in what was written after the last commit, with valid records behind them: all from the first
 * hole on is dropped, for nobody was told that it is kept. A bad record in front of a COMMITTED record that
 * counts it is damage, and dropping it would lose what was acknowledged: it is refused with its offset.
 * These look alike where the length itself is hit, so the bytes behind a bad record are searched for valid
 * ones at every offset (both checksums right: by chance once in 2^64). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cola/log.h"
#include "record/journal_file.h"

enum { WINDOW_BYTES = 1 << 20 };

const uint8_t cola_journal_magic[COLA_MAGIC_BYTES] = {
    'c', 'o', 'l', 'a', '-', 'j', 'o', 'u', 'r', 'n', 'a', 'l', COLA_JOURNAL_MAJOR, 0, COLA_JOURNAL_MINOR, 0};

struct reader {
    const struct cola_journal *journal;
    uint64_t file_bytes;
    uint8_t *window; /* bytes [start, start + n) of the file */
    size_t room, n;
    uint64_t start;
    struct cola_journal_arrays arrays;
};

/* n bytes from `offset` of the file, which has them. */
static enum cola_status look(struct reader *reader, uint64_t offset, size_t n, const uint8_t **out)
{
    if (offset < reader->start || offset + n > reader->start + reader->n) {
        size_t want = n > WINDOW_BYTES ? n : WINDOW_BYTES;
        if (want > reader->file_bytes - offset) want = (size_t)(reader->file_bytes - offset);
        COLA_TRY(cola_grow((void **)&reader->window, &reader->room, want, 1, "journal"));
        reader->start = offset;
        reader->n = 0;
        while (reader->n < want) {
            ssize_t got = pread(reader->journal->fd, reader->window + reader->n, want - reader->n,
                                (off_t)(offset + reader->n));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0)
                return cola_fail(COLA_ERR_IO, "%s: cannot be read at byte %llu: %s", reader->journal->path,
                                 (unsigned long long)(offset + reader->n),
                                 got ? strerror(errno) : "it shrank");
            reader->n += (size_t)got;
        }
    }
    *out = reader->window + (offset - reader->start);
    return COLA_OK;
}

/* *payload NULL: no whole valid record begins at offset. */
static enum cola_status look_record(struct reader *reader, uint64_t offset, const uint8_t **payload,
                                    uint32_t *n)
{
    const uint8_t *byte;
    uint64_t left = reader->file_bytes - offset;
    *payload = NULL;
    *n = 0;
    if (left < COLA_FRAME_BYTES) return COLA_OK;
    COLA_TRY(look(reader, offset, COLA_FRAME_BYTES, &byte));
    uint32_t length = cola_journal_frame_length(byte);
    if (length == 0 || length > left - COLA_FRAME_BYTES) return COLA_OK;
    COLA_TRY(look(reader, offset, COLA_FRAME_BYTES + (size_t)length, &byte));
    if (!cola_journal_payload_ok(byte, byte + COLA_FRAME_BYTES, length)) return COLA_OK;
    *payload = byte + COLA_FRAME_BYTES;
    *n = length;
    return COLA_OK;
}

static enum cola_status check_magic(struct reader *reader, unsigned *of_file)
{
    const uint8_t *byte;
    const char *path = reader->journal->path;
    if (reader->file_bytes < COLA_MAGIC_BYTES)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: %llu bytes are no journal; without it --resume goes on from the run's file, "
                         "if there is one",
                         path, (unsigned long long)reader->file_bytes);
    COLA_TRY(look(reader, 0, COLA_MAGIC_BYTES, &byte));
    if (memcmp(byte, cola_journal_magic, 12) != 0)
        return cola_fail(COLA_ERR_INPUT, "%s: does not begin as a journal does (offset 0)", path);
    unsigned major = byte[12] | (unsigned)byte[13] << 8, minor = byte[14] | (unsigned)byte[15] << 8;
    if (major != COLA_JOURNAL_MAJOR || minor > COLA_JOURNAL_MINOR)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "%s: journal version %u.%u (offset 12); this program reads %d.0 to %d.%d", path,
                         major, minor, COLA_JOURNAL_MAJOR, COLA_JOURNAL_MAJOR, COLA_JOURNAL_MINOR);
    *of_file = minor;
    return COLA_OK;
}

static enum cola_status hand_out(struct reader *reader, uint64_t offset, const uint8_t *payload, uint32_t n,
                                 uint64_t expected, cola_journal_visit *visit, void *user)
{
    const char *path = reader->journal->path;
    struct cola_journal_record record;
    enum cola_status status = cola_journal_unpack(payload, n, &reader->arrays, &record);
    if (status != COLA_OK) return cola_fail_in(status, "%s: offset %llu", path, (unsigned long long)offset);
    record.offset = offset;
    if (record.sequence != expected)
        status = cola_fail(COLA_ERR_INPUT, "%s: offset %llu: expected record %llu, found %llu", path,
                           (unsigned long long)offset, (unsigned long long)expected,
                           (unsigned long long)record.sequence);
    else if (expected == 1 && record.kind != COLA_JOURNAL_SESSION)
        status = cola_fail(COLA_ERR_INPUT, "%s: offset %llu: the first record does not say what run this is",
                           path, (unsigned long long)offset);
    else if (reader->journal->minor == 0 && record.kind > COLA_JOURNAL_FINISHED)
        status =
            cola_fail(COLA_ERR_INPUT, "%s: offset %llu: a record of kind %d, which version 1.0 does not have",
                      path, (unsigned long long)offset, (int)record.kind);
    else if (record.kind == COLA_JOURNAL_EVALUATED &&
             record.old != (reader->journal->minor < COLA_JOURNAL_ROW_LAYERS_MINOR))
        status =
            cola_fail(COLA_ERR_INPUT, "%s: offset %llu: a result of another version than the file's (1.%u)",
                      path, (unsigned long long)offset, reader->journal->minor);
    else
        status = visit(user, &record);
    cola_fields_fini(&record.fields);
    return status;
}

/* *refuse: where a record behind `bad` begins that proves damage. 0: none does. In files without COMMITTED
 * records every valid one does. */
static enum cola_status look_behind(struct reader *reader, uint64_t bad, uint64_t *refuse)
{
    *refuse = 0;
    for (uint64_t at = bad + 1; at + COLA_FRAME_BYTES <= reader->file_bytes;) {
        const uint8_t *payload;
        uint32_t n;
        struct cola_journal_record record;
        COLA_TRY(look_record(reader, at, &payload, &n));
        if (!payload) {
            at++;
            continue;
        }
        bool proves = reader->journal->minor == 0;
        if (!proves && payload[0] == COLA_JOURNAL_COMMITTED &&
            cola_journal_unpack(payload, n, &reader->arrays, &record) == COLA_OK)
            proves = record.n_committed > bad;
        if (proves) {
            *refuse = at;
            return COLA_OK;
        }
        at += COLA_FRAME_BYTES + (uint64_t)n;
    }
    return COLA_OK;
}

/* What stands at `bad`: what was never committed (dropped) or damage (refused). */
static enum cola_status judge_bad(struct reader *reader, struct cola_journal *journal, uint64_t bad)
{
    uint64_t refuse;
    if (journal->sequence == 0) /* a journal gets its name only when its first record is whole */
        return cola_fail(COLA_ERR_INPUT, "%s: damaged at offset %llu, in its first record", journal->path,
                         (unsigned long long)bad);
    COLA_TRY(look_behind(reader, bad, &refuse));
    if (refuse)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: damaged at offset %llu, valid records go on at %llu. To continue from before "
                         "the damage: truncate -s %llu %s (what follows is evaluated again)",
                         journal->path, (unsigned long long)bad, (unsigned long long)refuse,
                         (unsigned long long)bad, journal->path);
    cola_log(COLA_LOG_WARN, "%s: dropped %llu bytes that were not committed: the last record was torn",
             journal->path, (unsigned long long)(reader->file_bytes - bad));
    journal->to_cut = true; /* not yet: whoever reads may still refuse this journal */
    return COLA_OK;
}

static enum cola_status read_all(struct reader *reader, struct cola_journal *journal,
                                 cola_journal_visit *visit, void *user)
{
    COLA_TRY(check_magic(reader, &journal->minor));
    uint64_t at = COLA_MAGIC_BYTES;
    while (at < reader->file_bytes) {
        const uint8_t *payload;
        uint32_t n;
        COLA_TRY(look_record(reader, at, &payload, &n));
        if (!payload) {
            COLA_TRY(judge_bad(reader, journal, at));
            break;
        }
        COLA_TRY(hand_out(reader, at, payload, n, journal->sequence + 1, visit, user));
        journal->sequence++;
        at += COLA_FRAME_BYTES + (uint64_t)n;
    }
    if (journal->sequence == 0)
        return cola_fail(COLA_ERR_INPUT, "%s: has no record that says what run this is", journal->path);
    journal->end = at;
    return COLA_OK;
}

enum cola_status cola_journal_read(struct cola_journal *journal, cola_journal_visit *visit, void *user)
{
    struct stat about;
    if (fstat(journal->fd, &about) != 0)
        return cola_fail(COLA_ERR_IO, "%s: %s", journal->path, strerror(errno));
    struct reader reader = {.journal = journal, .file_bytes = (uint64_t)about.st_size};
    enum cola_status status = read_all(&reader, journal, visit, user);
    free(reader.window);
    cola_journal_arrays_fini(&reader.arrays);
    return status;
}

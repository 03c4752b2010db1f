/* recording.c - the results in a journal or a run.h5 as one map, read once and only read: see recording.h.
 * The frames are those of journal_record.h. Two readers may have it open, and its writer too. */
#include "cola/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cola/memory.h"
#include "record/fields.h"
#include "record/journal_file.h"
#include "record/known.h"

struct cola_recording {
    struct cola_known *known;
    struct cola_fields fields;
};

void cola_recording_close(struct cola_recording *recording)
{
    if (!recording) return;
    cola_known_destroy(recording->known);
    cola_fields_fini(&recording->fields);
    free(recording);
}

static enum cola_status add(struct cola_recording *r, uint32_t sample, const struct cola_chain *chain,
                            const struct cola_result *result)
{
    struct cola_known_entry *entry;
    bool added;
    return cola_known_add(r->known, sample, chain, result, &entry, &added);
}

/* --- run.h5 --------------------------------------------------------------------------------------------- */

static enum cola_status take_run(struct cola_recording *r, const struct cola_run *run)
{
    for (uint32_t i = 0; cola_run_field(run, i); i++) {
        const struct cola_field *f = cola_run_field(run, i);
        COLA_TRY(cola_fields_add(&r->fields, f->key, f->value, f->role));
    }
    for (uint32_t i = 0; i < cola_run_n_samples(run); i++) {
        struct cola_run_sample sample;
        cola_run_sample(run, i, &sample);
        for (uint64_t row = sample.first_chain; row < sample.first_chain + sample.n_chains; row++) {
            struct cola_run_chain chain;
            struct cola_result result;
            cola_run_chain(run, row, &chain);
            cola_run_result(run, row, &result);
            COLA_TRY(add(r, sample.index, &chain.node.chain, &result));
        }
    }
    return COLA_OK;
}

static enum cola_status read_run(struct cola_recording *r, const char *path)
{
    struct cola_run *run;
    char digest[COLA_HASH_TEXT];
    COLA_TRY(cola_run_open(path, &run));
    enum cola_status status = cola_run_digest(run, digest);
    if (status == COLA_OK) status = take_run(r, run);
    cola_run_close(run);
    return status;
}

/* --- journal -------------------------------------------------------------------------------------------- */

/* The fields of the last session count: each has all of them. Takes read->fields over. */
static enum cola_status take_record(struct cola_recording *r, struct cola_journal_record *read)
{
    if (read->kind == COLA_JOURNAL_EVALUATED) return add(r, read->sample, &read->chain, &read->result);
    if (read->kind != COLA_JOURNAL_SESSION) return COLA_OK;
    cola_fields_fini(&r->fields);
    r->fields = read->fields;
    read->fields = (struct cola_fields){0};
    return COLA_OK;
}

static enum cola_status read_journal(struct cola_recording *r, const char *path, const uint8_t *byte,
                                     size_t n)
{
    struct cola_journal_arrays arrays = {0};
    enum cola_status status = COLA_OK;
    for (size_t at = COLA_MAGIC_BYTES; status == COLA_OK && n - at >= COLA_FRAME_BYTES;) {
        const uint8_t *payload = byte + at + COLA_FRAME_BYTES;
        uint32_t n_payload = cola_journal_frame_length(byte + at);
        struct cola_journal_record read;
        if (n_payload == 0 || n_payload > n - at - COLA_FRAME_BYTES ||
            !cola_journal_payload_ok(byte + at, payload, n_payload))
            break;
        status = cola_journal_unpack(payload, n_payload, &arrays, &read);
        if (status == COLA_OK) {
            status = take_record(r, &read);
            cola_fields_fini(&read.fields);
        }
        if (status != COLA_OK) status = cola_fail_in(status, "%s: offset %zu", path, at);
        at += COLA_FRAME_BYTES + (size_t)n_payload;
    }
    cola_journal_arrays_fini(&arrays);
    return status;
}

/* All bytes of the file, *byte the caller's to free. */
static enum cola_status read_file(const char *path, uint8_t **byte, size_t *n)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t done = 0;
    uint8_t *room = NULL;
    enum cola_status status = COLA_OK;
    if (fd < 0 || fstat(fd, &about) != 0) {
        status = cola_fail(COLA_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
        goto done;
    }
    COLA_TRY_DONE(cola_alloc((void **)&room, (size_t)about.st_size + 1, 1, "a recording"));
    while (done < (size_t)about.st_size) {
        ssize_t got = read(fd, room + done, (size_t)about.st_size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) status = cola_fail(COLA_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (got <= 0) break;
        done += (size_t)got;
    }
done:
    if (fd >= 0) close(fd);
    if (status != COLA_OK) {
        free(room);
        return status;
    }
    *byte = room;
    *n = done;
    return COLA_OK;
}

static bool is_journal(const uint8_t *byte, size_t n)
{
    return n >= COLA_MAGIC_BYTES && memcmp(byte, cola_journal_magic, 12) == 0;
}

static enum cola_status read_either(struct cola_recording *r, const char *path)
{
    uint8_t *byte;
    size_t n;
    COLA_TRY(read_file(path, &byte, &n));
    enum cola_status status;
    if (!is_journal(byte, n))
        status = read_run(r, path);
    else if ((byte[12] | byte[13] << 8) != COLA_JOURNAL_MAJOR ||
             (byte[14] | byte[15] << 8) > COLA_JOURNAL_MINOR)
        status =
            cola_fail(COLA_ERR_UNSUPPORTED, "%s: journal version %d.%d; this program reads %d.0 to %d.%d",
                      path, byte[12] | byte[13] << 8, byte[14] | byte[15] << 8, COLA_JOURNAL_MAJOR,
                      COLA_JOURNAL_MAJOR, COLA_JOURNAL_MINOR);
    else
        status = read_journal(r, path, byte, n);
    free(byte);
    return status;
}

enum cola_status cola_recording_open(const char *path, struct cola_recording **out)
{
    struct cola_recording *r;
    COLA_TRY(cola_alloc((void **)&r, 1, sizeof *r, "a recording"));
    enum cola_status status = cola_known_create(&r->known);
    if (status == COLA_OK) status = read_either(r, path);
    if (status != COLA_OK) {
        cola_recording_close(r);
        return status;
    }
    *out = r;
    return COLA_OK;
}

bool cola_recording_find(const struct cola_recording *recording, uint32_t sample,
                         const struct cola_chain *chain, struct cola_result *out)
{
    const struct cola_known_entry *entry = cola_known_find(recording->known, sample, chain);
    if (entry) *out = entry->result;
    return entry != NULL;
}

const char *cola_recording_field(const struct cola_recording *recording, const char *key)
{
    return cola_fields_value(&recording->fields, key);
}

uint64_t cola_recording_count(const struct cola_recording *recording)
{
    return cola_known_count(recording->known);
}

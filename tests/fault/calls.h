/* calls.h - the calls that change files, recorded as they are made, and what a disk may hold after a crash at
 * any of them. For one test program: the definitions below take the place of the C library's (the
 * executable's come first), pass the call on, and note it while `calls_on` is set.
 *
 *     calls_begin(directory); ... write, rename, fsync ...; calls_end();
 *     for (k = 0; k <= calls.n; k++) { calls_state(k, &crash, out); calls_store(out, other_directory); }
 *
 * The model of the disk is a strict one: data is there after fsync or fdatasync of its file, a name after
 * fsync of the directory, and of everything later any part may be there, a sector of 512 bytes at least. */
#ifndef COLA_TESTS_CALLS_H
#define COLA_TESTS_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cola/random.h"

enum calls_kind {
    CALLS_CREATE,
    CALLS_WRITE,
    CALLS_TRUNCATE,
    CALLS_SYNC,
    CALLS_LINK,
    CALLS_RENAME,
    CALLS_UNLINK,
    CALLS_SYNC_DIRECTORY,
    CALLS_ACKNOWLEDGE /* the program may rely on `size` results from here on */
};

struct call {
    enum calls_kind kind;
    int file;               /* CREATE, WRITE, TRUNCATE, SYNC, LINK, RENAME: which file */
    char name[64], old[64]; /* in the directory; old: RENAME's source */
    uint64_t offset, size;
    uint8_t *bytes;
};

enum { CALLS_MAX = 20000, CALLS_FILES = 200, CALLS_SECTOR = 512 };

static struct {
    char directory[128];
    bool on;
    int n, n_files;
    ino_t inode[CALLS_FILES];
    struct call item[CALLS_MAX];
} calls;

/* --- recording ------------------------------------------------------------------------------------------ */

static inline const char *calls_name(const char *path) /* NULL: not in the directory */
{
    size_t n = strlen(calls.directory);
    return calls.on && strncmp(path, calls.directory, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

static inline struct call *calls_add(enum calls_kind kind, int file, const char *name)
{
    if (calls.n == CALLS_MAX) abort();
    struct call *c = &calls.item[calls.n++];
    *c = (struct call){.kind = kind, .file = file};
    snprintf(c->name, sizeof c->name, "%s", name ? name : "");
    return c;
}

static inline int calls_file(ino_t inode)
{
    for (int i = calls.n_files; i-- > 0;)
        if (calls.inode[i] == inode) return i;
    return -1;
}

static inline int calls_file_of(int fd) /* -1: not one of ours */
{
    struct stat about;
    return calls.on && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) ? calls_file(about.st_ino) : -1;
}

static inline int calls_file_at(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? calls_file(about.st_ino) : -1;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    bool is_new = flags & O_CREAT && access(path, F_OK) != 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    struct stat about;
    if (fd < 0 || !is_new || !calls_name(path) || fstat(fd, &about) != 0) return fd;
    if (calls.n_files == CALLS_FILES) abort();
    calls.inode[calls.n_files] = about.st_ino;
    calls_add(CALLS_CREATE, calls.n_files++, calls_name(path));
    return fd;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    int file = calls_file_of(fd);
    off_t at = file >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t written = syscall(SYS_write, fd, bytes, n);
    if (file < 0 || written <= 0) return written;
    struct call *c = calls_add(CALLS_WRITE, file, NULL);
    c->offset = (uint64_t)at;
    c->size = (uint64_t)written;
    c->bytes = malloc((size_t)written);
    if (!c->bytes) abort();
    memcpy(c->bytes, bytes, (size_t)written);
    return written;
}

int ftruncate(int fd, off_t n)
{
    int file = calls_file_of(fd), failed = (int)syscall(SYS_ftruncate, fd, n);
    if (file >= 0 && !failed) calls_add(CALLS_TRUNCATE, file, NULL)->size = (uint64_t)n;
    return failed;
}

static inline int calls_sync(int fd)
{
    struct stat about, ours;
    int file = calls_file_of(fd);
    if (file >= 0) calls_add(CALLS_SYNC, file, NULL);
    if (calls.on && fstat(fd, &about) == 0 && S_ISDIR(about.st_mode) && stat(calls.directory, &ours) == 0 &&
        about.st_ino == ours.st_ino)
        calls_add(CALLS_SYNC_DIRECTORY, -1, NULL);
    return 0; /* nothing crashes here: only the model of the disk does */
}

int fsync(int fd)
{
    return calls_sync(fd);
}

int fdatasync(int fd)
{
    return calls_sync(fd);
}

int rename(const char *from, const char *to)
{
    int file = calls_file_at(from), failed = (int)syscall(SYS_rename, from, to);
    if (failed || !calls_name(from)) return failed;
    struct call *c = calls_add(CALLS_RENAME, file, calls_name(to));
    snprintf(c->old, sizeof c->old, "%s", calls_name(from));
    return 0;
}

int link(const char *from, const char *to)
{
    int file = calls_file_at(from), failed = (int)syscall(SYS_link, from, to);
    if (!failed && calls_name(to)) calls_add(CALLS_LINK, file, calls_name(to));
    return failed;
}

int unlink(const char *path)
{
    int failed = (int)syscall(SYS_unlink, path);
    if (!failed && calls_name(path)) calls_add(CALLS_UNLINK, -1, calls_name(path));
    return failed;
}

static inline void calls_acknowledge(uint64_t n)
{
    if (calls.on) calls_add(CALLS_ACKNOWLEDGE, -1, NULL)->size = n;
}

/* --- what a disk may hold ---------------------------------------------------------------------------------
 */

struct calls_content {
    uint8_t *byte;
    uint64_t n, room;
};

struct calls_name {
    char name[64];
    int file;
};

struct calls_disk {
    struct calls_content now[CALLS_FILES], synced[CALLS_FILES];
    struct calls_name entry[CALLS_FILES]; /* durable names, then those of the crash */
    int n_entries;
    int pending[CALLS_MAX]; /* directory calls since its last fsync */
    int n_pending;
    uint64_t n_acknowledged;
};

enum calls_part { CALLS_ALL, CALLS_NONE, CALLS_CHANCE };

struct calls_crash { /* which part of what was not synced is on the disk */
    enum calls_part data, names;
    uint64_t seed;
    uint32_t piece; /* CHANCE: bytes that are there together or not at all */
};

static inline void calls_resize(struct calls_content *c, uint64_t n)
{
    if (n > c->room) {
        c->room = 2 * n + 4096;
        c->byte = realloc(c->byte, c->room);
        if (!c->byte) abort();
    }
    if (n > c->n) memset(c->byte + c->n, 0, n - c->n);
    c->n = n;
}

static inline void calls_apply(struct calls_disk *d, const struct call *c)
{
    int i;
    const char *gone = c->kind == CALLS_RENAME ? c->old : c->kind == CALLS_UNLINK ? c->name : NULL;
    for (i = 0; gone && i < d->n_entries; i++)
        if (strcmp(d->entry[i].name, gone) == 0) d->entry[i--] = d->entry[--d->n_entries];
    if (c->kind == CALLS_UNLINK) return;
    for (i = 0; i < d->n_entries && strcmp(d->entry[i].name, c->name) != 0; i++) {
    }
    if (i == d->n_entries) d->n_entries++;
    snprintf(d->entry[i].name, sizeof d->entry[i].name, "%s", c->name);
    d->entry[i].file = c->file;
}

static inline void calls_take(struct calls_disk *d, int at)
{
    const struct call *c = &calls.item[at];
    switch (c->kind) {
    case CALLS_WRITE:
        if (c->offset + c->size > d->now[c->file].n) calls_resize(&d->now[c->file], c->offset + c->size);
        memcpy(d->now[c->file].byte + c->offset, c->bytes, c->size);
        break;
    case CALLS_TRUNCATE: calls_resize(&d->now[c->file], c->size); break;
    case CALLS_SYNC:
        d->synced[c->file].n = 0;
        calls_resize(&d->synced[c->file], d->now[c->file].n);
        if (d->now[c->file].n) memcpy(d->synced[c->file].byte, d->now[c->file].byte, d->now[c->file].n);
        break;
    case CALLS_SYNC_DIRECTORY:
        for (int i = 0; i < d->n_pending; i++) calls_apply(d, &calls.item[d->pending[i]]);
        d->n_pending = 0;
        break;
    case CALLS_ACKNOWLEDGE: d->n_acknowledged = c->size; break;
    default: d->pending[d->n_pending++] = at; break;
    }
}

/* Pieces of new and old content by chance; a piece that is in neither is zeros. */
static inline void calls_mix(const struct calls_content *now, const struct calls_content *old,
                             const struct calls_crash *crash, struct cola_random *chance,
                             struct calls_content *out)
{
    bool is_new = crash->data == CALLS_ALL;
    uint64_t n = is_new || (crash->data == CALLS_CHANCE && cola_random_below(chance, 2)) ? now->n : old->n;
    calls_resize(out, n);
    for (uint64_t at = 0; at < n; at += crash->piece) {
        uint64_t end = at + crash->piece < n ? at + crash->piece : n;
        if (crash->data == CALLS_CHANCE) is_new = cola_random_below(chance, 2);
        const struct calls_content *from = is_new ? now : old;
        if (at < from->n) memcpy(out->byte + at, from->byte + at, (end < from->n ? end : from->n) - at);
    }
}

static inline void calls_disk_fini(struct calls_disk *d)
{
    for (int i = 0; i < CALLS_FILES; i++) {
        free(d->now[i].byte);
        free(d->synced[i].byte);
    }
    free(d);
}

/* Writes the directory as it may be after a crash when the first k calls had been made; it is empty before.
 * Returns how many results were acknowledged. */
static inline uint64_t calls_store(int k, const struct calls_crash *crash, const char *directory)
{
    struct calls_disk *d = calloc(1, sizeof *d);
    struct cola_random chance = cola_random_keyed(crash->seed, (uint32_t)k, COLA_STREAM_SYNTHETIC);
    if (!d) abort();
    for (int i = 0; i < k; i++) calls_take(d, i);
    int prefix = (int)cola_random_below(&chance, (uint32_t)d->n_pending + 1);
    bool ordered = cola_random_below(&chance, 2); /* journalling file systems keep the order of names */
    for (int i = 0; i < d->n_pending; i++) {
        bool there = crash->names == CALLS_ALL ||
                     (crash->names == CALLS_CHANCE && (ordered ? i < prefix : cola_random_below(&chance, 2)));
        if (there) calls_apply(d, &calls.item[d->pending[i]]);
    }
    for (int i = 0; i < d->n_entries; i++) {
        char path[256];
        struct calls_content mixed = {0};
        int file = d->entry[i].file;
        calls_mix(&d->now[file], &d->synced[file], crash, &chance, &mixed);
        snprintf(path, sizeof path, "%s/%s", directory, d->entry[i].name);
        FILE *to = fopen(path, "wb");
        if (!to || (mixed.n && fwrite(mixed.byte, 1, mixed.n, to) != mixed.n) || fclose(to) != 0) abort();
        free(mixed.byte);
    }
    uint64_t n = d->n_acknowledged;
    calls_disk_fini(d);
    return n;
}

static inline void calls_fini(void)
{
    for (int i = 0; i < calls.n; i++) free(calls.item[i].bytes);
    calls.n = calls.n_files = 0;
}

#endif

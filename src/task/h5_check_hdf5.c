/* h5_check_hdf5.c - the check in the first block of our files; see h5.h. It stands before HDF5, which may
 * crash on damaged bytes or read on for ever: a file with a block that is not exactly what its other bytes
 * give is refused before the library sees it. A file without a block (of another program) is the library's
 * own risk.
 *
 * Knows no HDF5 but its signature. The same block is written by jobs/cola_jobs/tasks_h5.py. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cola/hash.h"
#include "cola/memory.h"
#include "task/h5.h"

enum { PIECE_BYTES = 1 << 20 }; /* read at once: hashing goes at memory speed, a system call costs 1 us */

static const char head[] = "cola-check ";
static const char signature[] = "\x89HDF\r\n\x1a\n";

static void make_block(const struct cola_hash *hash, uint64_t n_bytes, char block[COLA_H5_BLOCK_BYTES])
{
    char text[COLA_HASH_TEXT];
    cola_hash_text(hash, text);
    memset(block, 0, COLA_H5_BLOCK_BYTES);
    snprintf(block, COLA_H5_BLOCK_BYTES, "%s1\nxxh3 %s\nbytes %" PRIu64 "\n", head,
             text + 5 /* behind "xxh3:" */, n_bytes);
}

enum cola_status cola_h5_block(const void *bytes, size_t n_bytes, char block[COLA_H5_BLOCK_BYTES])
{
    struct cola_hash *hash;
    COLA_TRY(cola_hash_create(&hash));
    cola_hash_bytes(hash, bytes, n_bytes);
    make_block(hash, n_bytes, block);
    cola_hash_destroy(hash);
    return COLA_OK;
}

/* Up to n bytes; fewer only at the file's end. */
static enum cola_status read_some(int fd, const char *path, void *to, size_t n, size_t *n_read)
{
    size_t got = 0;
    while (got < n) {
        ssize_t some = read(fd, (char *)to + got, n - got);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return cola_fail(COLA_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (some == 0) break;
        got += (size_t)some;
    }
    *n_read = got;
    return COLA_OK;
}

static enum cola_status block_of_rest(int fd, const char *path, char block[COLA_H5_BLOCK_BYTES],
                                      uint64_t *n_bytes)
{
    struct cola_hash *hash = NULL;
    char *piece = NULL;
    size_t n = PIECE_BYTES;
    uint64_t sum = 0;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_hash_create(&hash));
    COLA_TRY_DONE(cola_alloc((void **)&piece, PIECE_BYTES, 1, "check of a file"));
    while (n == PIECE_BYTES) {
        COLA_TRY_DONE(read_some(fd, path, piece, PIECE_BYTES, &n));
        cola_hash_bytes(hash, piece, n);
        sum += n;
    }
    make_block(hash, sum, block);
    *n_bytes = sum;
done:
    free(piece);
    cola_hash_destroy(hash);
    return status;
}

enum cola_status cola_h5_block_of_rest(int fd, const char *path, char block[COLA_H5_BLOCK_BYTES])
{
    uint64_t n_bytes;
    return block_of_rest(fd, path, block, &n_bytes);
}

/* What does not fit: the length, which a copy that was cut short has wrong, or the bytes. */
static enum cola_status fail_damaged(const char *path, const char block[COLA_H5_BLOCK_BYTES],
                                     uint64_t n_bytes)
{
    char text[COLA_H5_BLOCK_BYTES + 1];
    uint64_t expected;
    memcpy(text, block, COLA_H5_BLOCK_BYTES);
    text[COLA_H5_BLOCK_BYTES] = '\0';
    if (sscanf(text, "cola-check 1\nxxh3 %*32[0-9a-f]\nbytes %" SCNu64, &expected) == 1 &&
        expected != n_bytes)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: damaged: its first block says that %" PRIu64 " bytes follow, found %" PRIu64
                         "; restore it from a copy",
                         path, expected, n_bytes);
    return cola_fail(
        COLA_ERR_INPUT,
        "%s: damaged or changed: its bytes do not match the check in its first block; restore it "
        "from a copy",
        path);
}

static enum cola_status check_open_file(int fd, const char *path, bool *checked)
{
    char found[COLA_H5_BLOCK_BYTES] = {0}, expected[COLA_H5_BLOCK_BYTES];
    size_t n = 0;
    uint64_t n_bytes = 0;
    COLA_TRY(read_some(fd, path, found, sizeof found, &n));
    if (n >= sizeof signature - 1 && memcmp(found, signature, sizeof signature - 1) == 0) {
        *checked = false;
        return COLA_OK;
    }
    if (n < sizeof head - 1 || memcmp(found, head, sizeof head - 1) != 0)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: is no HDF5 file: it begins neither with a check nor as HDF5 does", path);
    if (n < sizeof found)
        return cola_fail(COLA_ERR_INPUT, "%s: damaged: it ends after %zu bytes; restore it from a copy", path,
                         n);
    COLA_TRY(block_of_rest(fd, path, expected, &n_bytes));
    if (memcmp(found, expected, sizeof found) != 0) return fail_damaged(path, found, n_bytes);
    *checked = true;
    return COLA_OK;
}

enum cola_status cola_h5_check(const char *path, bool *checked)
{
    struct stat about;
    if (stat(path, &about) != 0) return cola_fail(COLA_ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode)) return cola_fail(COLA_ERR_INPUT, "%s: not a regular file", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return cola_fail(COLA_ERR_IO, "%s: %s", path, strerror(errno));
    enum cola_status status = check_open_file(fd, path, checked);
    close(fd);
    return status;
}

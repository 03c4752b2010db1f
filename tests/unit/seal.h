/* seal.h - the first block of our HDF5 files in tests: writes it anew after a change through HDF5, so that
 * what is tested is the reader behind it. */
#ifndef COLA_TESTS_SEAL_H
#define COLA_TESTS_SEAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/h5.h"

/* A whole file; free() the result. */
static inline char *seal_read(const char *path, size_t *n)
{
    FILE *from = fopen(path, "rb");
    assert_non_null(from);
    assert_int_equal(fseek(from, 0, SEEK_END), 0);
    *n = (size_t)ftell(from);
    rewind(from);
    char *bytes = malloc(*n + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *n, from), *n);
    fclose(from);
    return bytes;
}

static inline void seal_write(const char *path, const void *bytes, size_t n)
{
    FILE *to = fopen(path, "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, n, to), n);
    assert_int_equal(fclose(to), 0);
}

/* The file has a first block: its bytes become right. */
static inline void seal_file(const char *path)
{
    size_t n;
    char *bytes = seal_read(path, &n);
    assert_true(n > COLA_H5_BLOCK_BYTES);
    assert_int_equal(cola_h5_block(bytes + COLA_H5_BLOCK_BYTES, n - COLA_H5_BLOCK_BYTES, bytes), COLA_OK);
    seal_write(path, bytes, n);
    free(bytes);
}

/* A file without one, such as tasks_file.h makes, gets one: the whole of it moves by a block. */
static inline void seal_plain_file(const char *path)
{
    size_t n;
    char *bytes = seal_read(path, &n);
    char *sealed = malloc(n + COLA_H5_BLOCK_BYTES);
    assert_non_null(sealed);
    memcpy(sealed + COLA_H5_BLOCK_BYTES, bytes, n);
    assert_int_equal(cola_h5_block(bytes, n, sealed), COLA_OK);
    seal_write(path, sealed, n + COLA_H5_BLOCK_BYTES);
    free(sealed);
    free(bytes);
}

/* The file without its block, as programs that know nothing of it write. */
static inline void seal_strip_file(const char *path)
{
    size_t n;
    char *bytes = seal_read(path, &n);
    assert_true(n > COLA_H5_BLOCK_BYTES);
    seal_write(path, bytes + COLA_H5_BLOCK_BYTES, n - COLA_H5_BLOCK_BYTES);
    free(bytes);
}

static inline void seal_assert_refused(const char *path, enum cola_status (*open)(const char *path),
                                       const char *what, size_t at)
{
    if (open(path) != COLA_ERR_INPUT) fail_msg("%s %zu: not refused as it should be", what, at);
    if (!strstr(cola_error_text(), path)) fail_msg("'%s' is not in: %s", path, cola_error_text());
}

/* One bit of each byte of the block and of every `step`-th behind it is turned; the file is cut to every
 * `step`-th length, and grown: `open` must refuse each, naming the file. The file is as it was in the end. */
static inline void seal_assert_damage_refused(const char *path, size_t step,
                                              enum cola_status (*open)(const char *path))
{
    size_t n;
    char *bytes = seal_read(path, &n);
    assert_int_equal(open(path), COLA_OK);
    for (size_t i = 0; i < n; i += i < COLA_H5_BLOCK_BYTES ? 1 : step) {
        bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
        seal_write(path, bytes, n);
        seal_assert_refused(path, open, "changed byte", i);
        bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
    }
    for (size_t i = 0; i < n; i += step) {
        seal_write(path, bytes, i);
        seal_assert_refused(path, open, "cut to", i);
    }
    bytes[n] = '\0'; /* seal_read leaves room */
    seal_write(path, bytes, n + 1);
    seal_assert_refused(path, open, "grown to", n + 1);
    seal_write(path, bytes, n);
    assert_int_equal(open(path), COLA_OK);
    free(bytes);
}

#endif

/* files.c - durable files; see files.h. Knows no format. */
#include "record/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum cola_status cola_file_not_a_link(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0 || !S_ISLNK(info.st_mode)) return COLA_OK;
    return cola_fail(COLA_ERR_IO,
                     "%s: is a symbolic link; its journal and lock would not be those of the file that it "
                     "points to: give that file itself",
                     path);
}

enum cola_status cola_file_has_name(int fd, const char *path)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return cola_fail(COLA_ERR_IO, "%s: %s", path, strerror(errno));
    if (info.st_nlink > 0) return COLA_OK;
    return cola_fail(COLA_ERR_IO, "%s: was removed, or replaced, while it was written", path);
}

enum cola_status cola_file_write(int fd, const char *path, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n) {
        ssize_t written = write(fd, at, n);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0)
            return cola_fail(COLA_ERR_IO, "%s: cannot be written: %s", path,
                             written ? strerror(errno) : "no space");
        at += written;
        n -= (size_t)written;
    }
    return COLA_OK;
}

enum cola_status cola_file_temporary(const char *path, char **name, int *fd)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.tmp.%ld", path, (long)getpid()) < 0)
        return cola_fail(COLA_ERR_MEMORY, "%s: out of memory", path);
    unlink(temporary); /* of a dead process that had our number */
    int opened = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (opened < 0) {
        enum cola_status status =
            cola_fail(COLA_ERR_IO, "%s: cannot be created: %s", temporary, strerror(errno));
        free(temporary);
        return status;
    }
    *name = temporary;
    *fd = opened;
    return COLA_OK;
}

enum cola_status cola_file_sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!directory) return cola_fail(COLA_ERR_MEMORY, "%s: out of memory", path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed =
        fd < 0 || (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP); /* some cannot sync these */
    enum cola_status status =
        failed ? cola_fail(COLA_ERR_IO, "%s: cannot be synced: %s", directory, strerror(errno)) : COLA_OK;
    if (fd >= 0) close(fd);
    free(directory);
    return status;
}

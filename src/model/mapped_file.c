/* mapped_file.c - open, fstat, mmap: the one place where src/model meets the file system's bytes.
 *
 * Shared read-only mappings: ranks of one node read one copy of the weights, and nothing is read before it is
 * used. Knows no formats. */
#include "model/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum cola_status map(int fd, const char *path, uint64_t max_bytes, struct cola_mapped_file *out)
{
    struct stat info;
    struct cola_mapped_file file = {0};
    if (fstat(fd, &info) != 0) return cola_fail(COLA_ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) return cola_fail(COLA_ERR_IO, "%s: is not a regular file", path);
    file.n_bytes = (uint64_t)info.st_size;
    if (file.n_bytes > max_bytes)
        return cola_fail(COLA_ERR_INPUT, "%s: has %" PRIu64 " bytes, expected at most %" PRIu64, path,
                         file.n_bytes, max_bytes);
    if (file.n_bytes) {
        void *bytes = mmap(NULL, file.n_bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (bytes == MAP_FAILED) return cola_fail(COLA_ERR_IO, "%s: cannot map: %s", path, strerror(errno));
        file.bytes = bytes;
    }
    *out = file;
    return COLA_OK;
}

enum cola_status cola_mapped_file_open(const char *path, uint64_t max_bytes, struct cola_mapped_file *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to wait for the writer of a FIFO */
    if (fd < 0) return cola_fail(COLA_ERR_IO, "%s: %s", path, strerror(errno));
    enum cola_status status = map(fd, path, max_bytes, out);
    close(fd); /* the mapping stays */
    return status;
}

void cola_mapped_file_close(struct cola_mapped_file *file)
{
    if (file->bytes) munmap((void *)(uintptr_t)file->bytes, file->n_bytes);
    *file = (struct cola_mapped_file){0};
}

/* kill_at.c - a library for LD_PRELOAD: the process is killed (SIGKILL) at an exact place that COLA_KILL_AT
 * names. `journal:N`: as the N-th byte was written that it writes to a journal or the temporary that becomes
 * one, however the bytes are dealt out to writes; `fold`:
 * half way through the write of a run's temporary; `rename-before` and `rename-after`: beside the rename that
 * gives run.h5 its name. */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_at(const char *place)
{
    const char *text = getenv("COLA_KILL_AT");
    return text && strcmp(text, place) == 0;
}

static void name_of(int fd, char out[PATH_MAX])
{
    char link_path[64];
    snprintf(link_path, sizeof link_path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link_path, out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
}

/* Bytes of this write to a journal that come before the kill; SIZE_MAX: it is not the one. */
static size_t left_to_live(size_t n)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static size_t n_written;
    const char *text = getenv("COLA_KILL_AT");
    if (!text || strncmp(text, "journal:", 8) != 0) return SIZE_MAX;
    pthread_mutex_lock(&mutex);
    size_t before = n_written, last = strtoul(text + 8, NULL, 10);
    n_written += n;
    pthread_mutex_unlock(&mutex);
    return before < last && last <= before + n ? last - before : SIZE_MAX;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    char name[PATH_MAX];
    if (getenv("COLA_KILL_AT")) {
        name_of(fd, name);
        int journal = strstr(name, ".h5.journal") != NULL, run = !journal && strstr(name, ".h5.tmp.");
        size_t part = journal ? left_to_live(n) : run && is_at("fold") ? n / 2 : SIZE_MAX;
        if (part != SIZE_MAX) {
            syscall(SYS_write, fd, bytes, part);
            raise(SIGKILL);
        }
    }
    return syscall(SYS_write, fd, bytes, n);
}

int rename(const char *from, const char *to)
{
    size_t n = strlen(to);
    int run = n > 3 && strcmp(to + n - 3, ".h5") == 0;
    if (run && is_at("rename-before")) raise(SIGKILL);
    int failed = (int)syscall(SYS_rename, from, to);
    if (run && is_at("rename-after")) raise(SIGKILL);
    return failed;
}

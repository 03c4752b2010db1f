/* kill_at.c - a library for LD_PRELOAD: the process is killed (SIGKILL) at an exact place that COLA_KILL_AT
 * names. `journal:N`: half way through its N-th write to a journal or the temporary that becomes one; `fold`:
 * half way through the write of a run's temporary; `rename-before` and `rename-after`: beside the rename that
 * gives run.h5 its name. */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
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

/* Whether this write to a journal is the one. */
static int is_turn(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static unsigned long n_written;
    const char *text = getenv("COLA_KILL_AT");
    if (!text || strncmp(text, "journal:", 8) != 0) return 0;
    pthread_mutex_lock(&mutex);
    int turn = ++n_written == strtoul(text + 8, NULL, 10);
    pthread_mutex_unlock(&mutex);
    return turn;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    char name[PATH_MAX];
    if (getenv("COLA_KILL_AT")) {
        name_of(fd, name);
        int journal = strstr(name, ".h5.journal") != NULL, run = !journal && strstr(name, ".h5.tmp.");
        if ((journal && is_turn()) || (run && is_at("fold"))) {
            syscall(SYS_write, fd, bytes, n / 2);
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

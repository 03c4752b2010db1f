/* shared_memory.c - the block of shared_memory.h: a memfd, handed on as a file descriptor (SCM_RIGHTS).
 *
 *     create  memfd of its final size, mapped; a listening socket named by user and key
 *     offer   read-only from now on; a thread answers who connects: a greeting with the descriptor
 *     join    connects, again and again until the socket is there; waits for the greeting, checks it, maps
 *
 * Who connects before the offer waits in the socket's queue, and sees it closed if the first process ends:
 * the system closes it, however the process was killed. The descriptor is sealed against another size, so a
 * mapping never ends early. */
#include "cola/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cola/clock.h"
#include "cola/memory.h"

static const double FILL_S = 600;        /* the longest filling that is waited for */
enum { SEND_MS = 5000, BACKLOG = 4096 }; /* a greeting fits the socket's buffer: it is sent at once */

struct greeting { /* between processes of one program on one machine: no byte order, no padding */
    char magic[8];
    uint64_t content, n_bytes;
};

struct cola_shared_memory {
    struct greeting greeting;
    void *bytes;
    int fd, listener; /* -1: none */
    uint32_t n_others;
    pthread_t thread;
    bool has_thread;
};

static enum cola_status refused(const char *call)
{
    return cola_fail(COLA_ERR_UNSUPPORTED, "shared memory: %s: %s", call, strerror(errno));
}

static struct greeting greeting_of(const struct cola_shared_name *name, uint64_t n_bytes)
{
    return (struct greeting){.magic = "cola-sm", .content = name->content, .n_bytes = n_bytes};
}

/* "\0cola-UID-KEY": a first byte of zero is the abstract name space. */
static socklen_t address_of(const struct cola_shared_name *name, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "cola-%u-%016" PRIx64, (unsigned)getuid(),
                     name->key);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static bool is_same_user(int socket)
{
    struct ucred other;
    socklen_t n = sizeof other;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &other, &n) == 0 && other.uid == getuid();
}

static enum cola_status allocate(const struct cola_shared_name *name, uint64_t n_bytes,
                                 struct cola_shared_memory **out)
{
    COLA_TRY(cola_alloc((void **)out, 1, sizeof **out, "shared memory"));
    (*out)->greeting = greeting_of(name, n_bytes);
    (*out)->fd = (*out)->listener = -1;
    return COLA_OK;
}

static enum cola_status map(struct cola_shared_memory *m, int protection)
{
    void *bytes = mmap(NULL, m->greeting.n_bytes, protection, MAP_SHARED, m->fd, 0);
    if (bytes == MAP_FAILED) return refused("mmap");
    (void)!madvise(bytes, m->greeting.n_bytes, MADV_HUGEPAGE); /* where the system has them for memfds */
    m->bytes = bytes;
    return COLA_OK;
}

/* --- the first ------------------------------------------------------------------------------------------ */

static enum cola_status make_bytes(struct cola_shared_memory *m)
{
    m->fd = memfd_create("cola-weights", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (m->fd < 0) return refused("memfd_create");
    if (ftruncate(m->fd, (off_t)m->greeting.n_bytes) != 0) return refused("ftruncate");
    if (fcntl(m->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return refused("sealing");
    return map(m, PROT_READ | PROT_WRITE);
}

static enum cola_status listen_as(struct cola_shared_memory *m, const struct cola_shared_name *name)
{
    struct sockaddr_un address;
    socklen_t n = address_of(name, &address);
    m->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (m->listener < 0) return refused("socket");
    if (bind(m->listener, (struct sockaddr *)&address, n) != 0) return refused("bind");
    if (listen(m->listener, BACKLOG) != 0) return refused("listen");
    return COLA_OK;
}

enum cola_status cola_shared_memory_create(const struct cola_shared_name *name, uint64_t n_bytes,
                                           struct cola_shared_memory **out)
{
    struct cola_shared_memory *m = NULL;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(allocate(name, n_bytes, &m));
    COLA_TRY_DONE(listen_as(m, name)); /* first: the others wait for it */
    COLA_TRY_DONE(make_bytes(m));
    *out = m;
    return COLA_OK;
done:
    cola_shared_memory_close(m);
    return status;
}

/* The greeting and the descriptor; whether they went out. */
static bool greet(const struct cola_shared_memory *m, int socket)
{
    struct greeting greeting = m->greeting;
    struct iovec text = {.iov_base = &greeting, .iov_len = sizeof greeting};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *descriptor = CMSG_FIRSTHDR(&message);
    descriptor->cmsg_level = SOL_SOCKET;
    descriptor->cmsg_type = SCM_RIGHTS;
    descriptor->cmsg_len = CMSG_LEN(sizeof m->fd);
    memcpy(CMSG_DATA(descriptor), &m->fd, sizeof m->fd);
    struct timeval patience = {.tv_sec = SEND_MS / 1000};
    (void)!setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)sizeof greeting;
}

/* Ends when accept fails: close shuts the listener down. */
static void *answer(void *argument)
{
    struct cola_shared_memory *m = argument;
    for (uint32_t n = 0; n < m->n_others;) {
        int socket = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC);
        if (socket < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (socket < 0) return NULL;
        if (is_same_user(socket) && greet(m, socket)) n++;
        close(socket);
    }
    return NULL;
}

enum cola_status cola_shared_memory_offer(struct cola_shared_memory *m, uint32_t n_others)
{
    if (mprotect(m->bytes, m->greeting.n_bytes, PROT_READ) != 0) return refused("mprotect");
    m->n_others = n_others;
    int error = pthread_create(&m->thread, NULL, answer, m);
    if (error) return cola_fail(COLA_ERR_MEMORY, "shared memory: cannot start a thread: %s", strerror(error));
    m->has_thread = true;
    return COLA_OK;
}

/* --- the others ----------------------------------------------------------------------------------------- */

static void sleep_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static enum cola_status find(const struct cola_shared_name *name, const struct cola_shared_patience *patience,
                             int *out)
{
    struct sockaddr_un address;
    socklen_t n = address_of(name, &address);
    double until_s = cola_clock_s() + patience->seconds;
    int socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return refused("socket");
    while (connect(socket_, (struct sockaddr *)&address, n) != 0) {
        bool not_yet = errno == ECONNREFUSED || errno == EAGAIN || errno == EINTR;
        bool given_up = not_yet && patience->given_up && patience->given_up(patience->user);
        if (not_yet && !given_up && cola_clock_s() < until_s) {
            sleep_ms(20);
            continue;
        }
        enum cola_status status =
            given_up
                ? cola_fail(COLA_ERR_STOPPED, "shared memory: stopped before the first process offered it")
                : refused("the first process of this machine cannot be reached");
        close(socket_);
        return status;
    }
    *out = socket_;
    return COLA_OK;
}

static enum cola_status wait_for_greeting(int socket)
{
    struct pollfd p = {.fd = socket, .events = POLLIN};
    double until_s = cola_clock_s() + FILL_S;
    for (;;) {
        int n = poll(&p, 1, 1000);
        if (n > 0) return COLA_OK;
        if (n < 0 && errno != EINTR) return refused("poll");
        if (cola_clock_s() >= until_s)
            return cola_fail(COLA_ERR_UNSUPPORTED, "shared memory: nothing came within %.0f s", FILL_S);
    }
}

/* Fills *fd as soon as there is one, also with a failure. */
static enum cola_status receive_greeting(int socket, struct greeting *greeting, int *fd)
{
    struct iovec text = {.iov_base = greeting, .iov_len = sizeof *greeting};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    struct cmsghdr *descriptor = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (descriptor && descriptor->cmsg_level == SOL_SOCKET && descriptor->cmsg_type == SCM_RIGHTS &&
        descriptor->cmsg_len == CMSG_LEN(sizeof *fd))
        memcpy(fd, CMSG_DATA(descriptor), sizeof *fd);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return cola_fail(COLA_ERR_STOPPED, "shared memory: the process that fills it ended or gave up");
    if (n < 0) return refused("recvmsg");
    if (n != (ssize_t)sizeof *greeting || *fd < 0)
        return cola_fail(COLA_ERR_MISMATCH, "shared memory: the answer is none of this program's");
    return COLA_OK;
}

/* Whether the descriptor is what the greeting says and the greeting what is looked for. */
static enum cola_status check(const struct cola_shared_memory *m, const struct greeting *other)
{
    struct stat info;
    if (memcmp(other->magic, m->greeting.magic, sizeof other->magic) != 0 ||
        other->content != m->greeting.content || other->n_bytes != m->greeting.n_bytes)
        return cola_fail(COLA_ERR_MISMATCH,
                         "shared memory: it holds something else (%" PRIu64 " bytes, expected %" PRIu64 ")",
                         other->n_bytes, m->greeting.n_bytes);
    int seals = fcntl(m->fd, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(m->fd, &info) != 0 ||
        (uint64_t)info.st_size != m->greeting.n_bytes)
        return cola_fail(COLA_ERR_MISMATCH, "shared memory: it is not of the size it was said to be");
    return COLA_OK;
}

enum cola_status cola_shared_memory_join(const struct cola_shared_name *name, uint64_t n_bytes,
                                         const struct cola_shared_patience *patience,
                                         struct cola_shared_memory **out)
{
    struct cola_shared_memory *m = NULL;
    struct greeting greeting = {0};
    int socket_ = -1;
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(allocate(name, n_bytes, &m));
    COLA_TRY_DONE(find(name, patience, &socket_));
    if (!is_same_user(socket_)) {
        status = cola_fail(COLA_ERR_MISMATCH, "shared memory: another user's process has this name");
        goto done;
    }
    COLA_TRY_DONE(wait_for_greeting(socket_));
    COLA_TRY_DONE(receive_greeting(socket_, &greeting, &m->fd));
    COLA_TRY_DONE(check(m, &greeting));
    COLA_TRY_DONE(map(m, PROT_READ));
    *out = m;
    m = NULL;
done:
    if (socket_ >= 0) close(socket_);
    cola_shared_memory_close(m);
    return status;
}

/* --- both ----------------------------------------------------------------------------------------------- */

void *cola_shared_memory_bytes(const struct cola_shared_memory *m)
{
    return m->bytes;
}

void cola_shared_memory_close(struct cola_shared_memory *m)
{
    if (!m) return;
    if (m->listener >= 0) shutdown(m->listener, SHUT_RDWR); /* wakes accept */
    if (m->has_thread) pthread_join(m->thread, NULL);
    if (m->listener >= 0) close(m->listener);
    if (m->bytes) munmap(m->bytes, m->greeting.n_bytes);
    if (m->fd >= 0) close(m->fd);
    free(m);
}

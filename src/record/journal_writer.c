/* journal_writer.c - see journal_writer.h. One batch is with the thread, another is being filled by the
 * caller: the two buffers are swapped under the mutex, so no byte is copied.
 *
 * A caller that wants its bytes written before it goes on (a request must be in the journal before a crash
 * that it causes) finds the thread idle as a rule, and writes them itself: cheaper than two changes of
 * threads. */
#include "record/journal_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "record/files.h"

struct cola_journal_writer {
    int fd;
    const char *path;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work, idle;
    struct cola_pack batch; /* the thread's while busy */
    bool busy, sync, stop;  /* sync: wanted for the batch, or by itself */
    uint64_t end, durable;  /* of what was written; of what is on the disk */
    enum cola_status status;
    char text[512]; /* of the failure */
};

/* Half a batch must not stay in front of nothing: the file is cut to where it was. */
static enum cola_status write_batch(const struct cola_journal_writer *w, uint64_t at)
{
    if (lseek(w->fd, (off_t)at, SEEK_SET) < 0)
        return cola_fail(COLA_ERR_IO, "%s: %s", w->path, strerror(errno));
    enum cola_status status = cola_file_write(w->fd, w->path, w->batch.byte, w->batch.n);
    if (status != COLA_OK && ftruncate(w->fd, (off_t)at) != 0)
        return cola_fail(COLA_ERR_IO, "%s; nor could it be cut back to %llu bytes", cola_error_text(),
                         (unsigned long long)at);
    return status;
}

/* The mutex is held, and let go while the disk is at work. */
static void do_work(struct cola_journal_writer *w)
{
    bool sync = w->sync;
    uint64_t at = w->end;
    enum cola_status status = w->status;
    w->busy = true;
    w->sync = false;
    pthread_mutex_unlock(&w->mutex);
    if (status == COLA_OK && w->batch.n) status = write_batch(w, at);
    uint64_t end = status == COLA_OK ? at + w->batch.n : at;
    if (status == COLA_OK && sync && fdatasync(w->fd) != 0)
        status = cola_fail(COLA_ERR_IO, "%s: fdatasync: %s", w->path, strerror(errno));
    if (status == COLA_OK && sync) status = cola_file_has_name(w->fd, w->path);
    pthread_mutex_lock(&w->mutex);
    if (status != COLA_OK && w->status == COLA_OK) {
        w->status = status;
        snprintf(w->text, sizeof w->text, "%s", cola_error_text());
    }
    w->end = end;
    if (sync && status == COLA_OK) w->durable = end;
    w->batch.n = 0;
    w->busy = false;
    pthread_cond_broadcast(&w->idle);
}

static bool has_work(const struct cola_journal_writer *w)
{
    return w->batch.n || w->sync;
}

static void *run(void *argument)
{
    struct cola_journal_writer *w = argument;
    pthread_mutex_lock(&w->mutex);
    for (;;) {
        while (!w->stop && (w->busy || !has_work(w))) pthread_cond_wait(&w->work, &w->mutex);
        if (!w->busy && has_work(w))
            do_work(w);
        else if (w->stop)
            break;
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

enum cola_status cola_journal_writer_start(int fd, const char *path, uint64_t end,
                                           struct cola_journal_writer **out)
{
    struct cola_journal_writer *w;
    sigset_t all, before;
    COLA_TRY(cola_alloc((void **)&w, 1, sizeof *w, "the journal's thread"));
    w->fd = fd;
    w->path = path;
    w->end = w->durable = end;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->work, NULL);
    pthread_cond_init(&w->idle, NULL);
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        free(w);
        return cola_fail(COLA_ERR_MEMORY, "the journal's thread cannot be started: %s", strerror(error));
    }
    *out = w;
    return COLA_OK;
}

void cola_journal_writer_stop(struct cola_journal_writer *w)
{
    if (!w) return;
    pthread_mutex_lock(&w->mutex);
    w->stop = true;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->idle);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->mutex);
    free(w->batch.byte);
    free(w);
}

/* The mutex is held. */
static enum cola_status tell(const struct cola_journal_writer *w)
{
    return w->status == COLA_OK ? COLA_OK : cola_fail(w->status, "%s", w->text);
}

static void wait_until_idle(struct cola_journal_writer *w)
{
    while (w->busy || has_work(w)) pthread_cond_wait(&w->idle, &w->mutex);
}

enum cola_status cola_journal_writer_give(struct cola_journal_writer *w, struct cola_pack *bytes, bool *sync,
                                          enum cola_journal_wait wait)
{
    pthread_mutex_lock(&w->mutex);
    if (wait != COLA_JOURNAL_HAND_OVER) wait_until_idle(w);
    if (w->status == COLA_OK && !w->busy && !has_work(w) && (bytes->n || *sync)) {
        struct cola_pack empty = w->batch;
        w->batch = *bytes;
        *bytes = empty;
        w->sync = *sync;
        *sync = false;
        if (wait == COLA_JOURNAL_WRITTEN)
            do_work(w);
        else
            pthread_cond_signal(&w->work);
    }
    enum cola_status status = tell(w);
    pthread_mutex_unlock(&w->mutex);
    return status;
}

uint64_t cola_journal_writer_durable(struct cola_journal_writer *w)
{
    pthread_mutex_lock(&w->mutex);
    uint64_t durable = w->durable;
    pthread_mutex_unlock(&w->mutex);
    return durable;
}

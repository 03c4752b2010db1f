/* comm_local.c - master and one worker in one process: two mailboxes, each a list under a mutex.
 *
 * A send copies and returns at once, whatever the other end does, so two ends that flood each other cannot
 * lock each other out. The pair's shared part lives until both ends are closed. */
#include "cola/comm.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cola/memory.h"
#include "cola/threads.h"

struct letter {
    struct letter *next;
    size_t n_bytes;
    uint8_t bytes[];
};

struct mailbox { /* what one end has not received yet */
    struct letter *first, **last;
    pthread_cond_t arrived;
};

struct shared {
    pthread_mutex_t mutex;
    struct mailbox box[2]; /* of end 0, of end 1 */
    uint32_t n_open;
    bool aborted;
};

struct local {
    struct cola_comm comm;
    struct shared *shared;
    struct letter *present; /* what the last packet borrows */
};

static enum cola_status local_send(struct cola_comm *comm, uint32_t to, const void *bytes, size_t n_bytes)
{
    struct local *end = (struct local *)comm;
    struct shared *shared = end->shared;
    assert(to < 2 && to != comm->rank && n_bytes > 0);
    struct letter *letter;
    COLA_TRY(cola_alloc((void **)&letter, 1, sizeof *letter + n_bytes, "a message"));
    letter->n_bytes = n_bytes;
    memcpy(letter->bytes, bytes, n_bytes);
    pthread_mutex_lock(&shared->mutex);
    *shared->box[to].last = letter;
    shared->box[to].last = &letter->next;
    pthread_cond_signal(&shared->box[to].arrived);
    pthread_mutex_unlock(&shared->mutex);
    return COLA_OK;
}

static struct timespec after(double seconds)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    double whole = (double)(time_t)seconds;
    t.tv_sec += (time_t)whole;
    t.tv_nsec += (long)(1e9 * (seconds - whole));
    if (t.tv_nsec >= 1000000000L) t.tv_sec++, t.tv_nsec -= 1000000000L;
    return t;
}

/* The mutex is held. */
static struct letter *take_first(struct mailbox *box)
{
    struct letter *letter = box->first;
    if (!letter) return NULL;
    box->first = letter->next;
    if (!box->first) box->last = &box->first;
    return letter;
}

static enum cola_status local_receive(struct cola_comm *comm, double timeout_s, struct cola_packet *out)
{
    struct local *end = (struct local *)comm;
    struct shared *shared = end->shared;
    struct mailbox *box = &shared->box[comm->rank];
    struct timespec until = after(timeout_s);
    free(end->present);
    pthread_mutex_lock(&shared->mutex);
    int error = timeout_s > 0 ? 0 : ETIMEDOUT;
    while (!box->first && !shared->aborted && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&box->arrived, &shared->mutex, &until);
    bool aborted = shared->aborted;
    end->present = take_first(box);
    pthread_mutex_unlock(&shared->mutex);
    if (aborted) return cola_fail(COLA_ERR_LIBRARY, "the other end of this process gave up");
    *out = (struct cola_packet){.from = 1 - comm->rank};
    if (end->present) out->bytes = end->present->bytes, out->n_bytes = end->present->n_bytes;
    return COLA_OK;
}

static bool local_has_message(struct cola_comm *comm)
{
    struct shared *shared = ((struct local *)comm)->shared;
    pthread_mutex_lock(&shared->mutex);
    bool here = shared->box[comm->rank].first != NULL;
    pthread_mutex_unlock(&shared->mutex);
    return here;
}

static void local_abort(struct cola_comm *comm, int exit_status)
{
    struct shared *shared = ((struct local *)comm)->shared;
    (void)exit_status;
    pthread_mutex_lock(&shared->mutex);
    shared->aborted = true;
    for (int i = 0; i < 2; i++) pthread_cond_broadcast(&shared->box[i].arrived);
    pthread_mutex_unlock(&shared->mutex);
}

static void free_shared(struct shared *shared)
{
    for (int i = 0; i < 2; i++) {
        for (struct letter *letter; (letter = take_first(&shared->box[i]));) free(letter);
        pthread_cond_destroy(&shared->box[i].arrived);
    }
    pthread_mutex_destroy(&shared->mutex);
    free(shared);
}

static void local_close(struct cola_comm *comm)
{
    struct local *end = (struct local *)comm;
    pthread_mutex_lock(&end->shared->mutex);
    bool last = --end->shared->n_open == 0;
    pthread_mutex_unlock(&end->shared->mutex);
    if (last) free_shared(end->shared);
    free(end->present);
    free(end);
}

static const struct cola_comm_ops local_ops = {.name = "local",
                                               .send = local_send,
                                               .receive = local_receive,
                                               .has_message = local_has_message,
                                               .abort = local_abort,
                                               .close = local_close};

static struct shared *init_shared(struct shared *shared)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&shared->mutex, NULL);
    for (int i = 0; i < 2; i++) {
        shared->box[i].last = &shared->box[i].first;
        pthread_cond_init(&shared->box[i].arrived, &monotonic);
    }
    pthread_condattr_destroy(&monotonic);
    shared->n_open = 2;
    return shared;
}

enum cola_status cola_comm_local_pair(struct cola_comm *end[2])
{
    struct shared *shared = NULL;
    struct local *local[2] = {NULL, NULL};
    enum cola_status status = COLA_OK;
    COLA_TRY_DONE(cola_alloc((void **)&shared, 1, sizeof *shared, "mailboxes"));
    for (int i = 0; i < 2; i++)
        COLA_TRY_DONE(cola_alloc((void **)&local[i], 1, sizeof *local[i], "mailboxes"));
    init_shared(shared);
    for (uint32_t i = 0; i < 2; i++) {
        local[i]->shared = shared;
        local[i]->comm = (struct cola_comm){
            .ops = &local_ops, .rank = i, .n_ranks = 2, .node_ranks = 1, .n_cores = cola_threads_cores()};
        end[i] = &local[i]->comm;
    }
    return COLA_OK;
done:
    free(shared);
    free(local[0]);
    return status;
}

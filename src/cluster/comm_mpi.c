/* comm_mpi.c - the transport over MPI; the only file that calls it. MPI_THREAD_FUNNELED: one thread a rank.
 *
 * Sends are MPI_Isend from a copy that is kept until it completed, so no rank ever waits in a send, and two
 * ranks that send to each other cannot lock each other out. Receives look (MPI_Iprobe) and sleep, 20 us
 * growing to 1 ms: MPI's own waiting spins, and on a full node that core is a worker's.
 *
 * Leaving: each rank says goodbye to its peers after its last message and drops what still arrives until all
 * peers' goodbyes are here. Messages of a pair do not overtake, so a goodbye means that nothing else comes;
 * then a barrier, because mpirun kills the others at the first exit status that is not 0. */
#include "cola/comm.h"

#include <assert.h>
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cola/clock.h"
#include "cola/log.h"
#include "cola/memory.h"

enum { TAG_MESSAGE = 1, TAG_GOODBYE = 2 };
static const double SLEEP_LEAST_S = 20e-6, SLEEP_MOST_S = 1e-3;

struct pending { /* a send that has not completed */
    struct pending *next;
    MPI_Request request;
    uint8_t bytes[];
};

struct mpi {
    struct cola_comm comm;
    MPI_Comm world;
    struct pending *first, **last;
    uint8_t *received; /* what the last packet borrows */
    size_t room;
    uint32_t n_goodbyes; /* peers that said goodbye */
};

static enum cola_status mpi_fail(int error, const char *call)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    MPI_Error_string(error, text, &n);
    return cola_fail(COLA_ERR_LIBRARY, "%s: %.*s", call, n, text);
}

#define MPI_TRY(call)                                                                                        \
    do {                                                                                                     \
        int mpi_error_ = (call);                                                                             \
        if (mpi_error_ != MPI_SUCCESS) return mpi_fail(mpi_error_, #call);                                   \
    } while (0)

static void sleep_for(double seconds)
{
    struct timespec t = {.tv_nsec = (long)(1e9 * seconds)};
    nanosleep(&t, NULL);
}

/* Frees the sends that completed, oldest first; stops at the first that has not (they complete nearly in
 * order, and a later call gets the rest). */
static enum cola_status reap(struct mpi *m)
{
    while (m->first) {
        struct pending *p = m->first;
        int completed = 0;
        MPI_TRY(MPI_Test(&p->request, &completed, MPI_STATUS_IGNORE));
        if (!completed) return COLA_OK;
        m->first = p->next;
        if (!m->first) m->last = &m->first;
        free(p);
    }
    return COLA_OK;
}

static enum cola_status send_tagged(struct mpi *m, uint32_t to, const void *bytes, size_t n_bytes, int tag)
{
    COLA_TRY(reap(m));
    if (n_bytes > INT32_MAX)
        return cola_fail(COLA_ERR_UNSUPPORTED, "a message of %zu bytes is more than MPI sends at once",
                         n_bytes);
    struct pending *p;
    COLA_TRY(cola_alloc((void **)&p, 1, sizeof *p + n_bytes, "a message"));
    if (n_bytes) memcpy(p->bytes, bytes, n_bytes);
    int error = MPI_Isend(p->bytes, (int)n_bytes, MPI_BYTE, (int)to, tag, m->world, &p->request);
    if (error != MPI_SUCCESS) {
        free(p);
        return mpi_fail(error, "MPI_Isend");
    }
    *m->last = p;
    m->last = &p->next;
    return COLA_OK;
}

static enum cola_status mpi_send(struct cola_comm *comm, uint32_t to, const void *bytes, size_t n_bytes)
{
    assert(to < comm->n_ranks && to != comm->rank && n_bytes > 0);
    return send_tagged((struct mpi *)comm, to, bytes, n_bytes, TAG_MESSAGE);
}

/* Receives one message if there is one; a goodbye is counted and is no packet. */
static enum cola_status look(struct mpi *m, bool *found, struct cola_packet *out)
{
    int here = 0, n = 0;
    MPI_Status from;
    *found = false;
    /* Open MPI looks at what it has first and at the network after that: what came while this rank slept is
     * seen by a second call, or one more sleep later. */
    for (int i = 0; i < 2 && !here; i++)
        MPI_TRY(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, m->world, &here, &from));
    if (!here) return COLA_OK;
    MPI_TRY(MPI_Get_count(&from, MPI_BYTE, &n));
    COLA_TRY(cola_grow((void **)&m->received, &m->room, (size_t)n, 1, "a message"));
    MPI_TRY(MPI_Recv(m->received, n, MPI_BYTE, from.MPI_SOURCE, from.MPI_TAG, m->world, MPI_STATUS_IGNORE));
    *found = true;
    *out =
        (struct cola_packet){.from = (uint32_t)from.MPI_SOURCE, .bytes = m->received, .n_bytes = (size_t)n};
    if (from.MPI_TAG == TAG_GOODBYE) m->n_goodbyes++;
    return COLA_OK;
}

static enum cola_status mpi_receive(struct cola_comm *comm, double timeout_s, struct cola_packet *out)
{
    struct mpi *m = (struct mpi *)comm;
    double until = timeout_s > 0 ? cola_clock_s() + timeout_s : 0, pause = SLEEP_LEAST_S;
    struct cola_packet packet = {0};
    for (;;) {
        bool found;
        COLA_TRY(reap(m));
        COLA_TRY(look(m, &found, &packet));
        if (found && packet.n_bytes == 0) continue; /* a goodbye */
        if (found) break;
        if (timeout_s <= 0 || cola_clock_s() >= until) {
            packet = (struct cola_packet){0};
            break;
        }
        sleep_for(pause);
        pause = 2 * pause < SLEEP_MOST_S ? 2 * pause : SLEEP_MOST_S;
    }
    *out = packet;
    return COLA_OK;
}

static bool mpi_has_message(struct cola_comm *comm)
{
    int here = 0;
    for (int i = 0; i < 2 && !here; i++) /* as in look */
        MPI_Iprobe(MPI_ANY_SOURCE, TAG_MESSAGE, ((struct mpi *)comm)->world, &here, MPI_STATUS_IGNORE);
    return here;
}

static void mpi_abort(struct cola_comm *comm, int exit_status)
{
    MPI_Abort(((struct mpi *)comm)->world, exit_status);
}

static enum cola_status leave(struct mpi *m)
{
    bool master = m->comm.rank == 0;
    uint32_t n_peers = master ? m->comm.n_ranks - 1 : 1;
    for (uint32_t i = 0; i < n_peers; i++) COLA_TRY(send_tagged(m, master ? i + 1 : 0, NULL, 0, TAG_GOODBYE));
    while (m->first || m->n_goodbyes < n_peers) {
        bool found;
        struct cola_packet dropped;
        COLA_TRY(reap(m));
        COLA_TRY(look(m, &found, &dropped));
        if (!found) sleep_for(SLEEP_MOST_S);
    }
    MPI_TRY(MPI_Barrier(m->world));
    MPI_TRY(MPI_Comm_free(&m->world));
    MPI_TRY(MPI_Finalize());
    return COLA_OK;
}

static void mpi_close(struct cola_comm *comm)
{
    struct mpi *m = (struct mpi *)comm;
    if (leave(m) != COLA_OK) {
        cola_log(COLA_LOG_ERROR, "%s", cola_error_text());
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    free(m->received);
    free(m);
}

static const struct cola_comm_ops mpi_ops = {.name = "mpi",
                                             .send = mpi_send,
                                             .receive = mpi_receive,
                                             .has_message = mpi_has_message,
                                             .abort = mpi_abort,
                                             .close = mpi_close};

/* Cores of this rank: one that k workers of the node are bound to counts 1/k. So ranks with sets of their own
 * get those, and ranks that share all cores share them evenly. `set` is of every rank of the node, `worker`
 * whether that rank is one. */
static uint32_t share_of_cores(const cpu_set_t *set, const int *worker, int n, int mine)
{
    double share = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        int n_users = 0;
        for (int i = 0; i < n; i++) n_users += worker[i] && CPU_ISSET(cpu, &set[i]);
        if (n_users && CPU_ISSET(cpu, &set[mine])) share += 1.0 / n_users;
    }
    return share < 1 ? 1 : (uint32_t)(share + 1e-9);
}

/* Fills node_rank, node_ranks, n_cores from what the ranks of this node tell each other. */
static enum cola_status meet_the_node(struct mpi *m, MPI_Comm node)
{
    int n, mine, is_worker = m->comm.rank != 0;
    MPI_TRY(MPI_Comm_size(node, &n));
    MPI_TRY(MPI_Comm_rank(node, &mine));
    cpu_set_t set, *sets = NULL;
    int *worker = NULL;
    enum cola_status status = COLA_OK;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) CPU_SET(0, &set);
    COLA_TRY_DONE(cola_alloc((void **)&sets, (size_t)n, sizeof *sets, "core sets"));
    COLA_TRY_DONE(cola_alloc((void **)&worker, (size_t)n, sizeof *worker, "core sets"));
    int error = MPI_Allgather(&set, sizeof set, MPI_BYTE, sets, sizeof set, MPI_BYTE, node);
    if (error == MPI_SUCCESS) error = MPI_Allgather(&is_worker, 1, MPI_INT, worker, 1, MPI_INT, node);
    if (error != MPI_SUCCESS) {
        status = mpi_fail(error, "MPI_Allgather");
        goto done;
    }
    for (int i = 0; i < n; i++) {
        m->comm.node_ranks += (uint32_t)worker[i];
        if (i < mine) m->comm.node_rank += (uint32_t)worker[i];
    }
    m->comm.n_cores = share_of_cores(sets, worker, n, mine);
done:
    free(sets);
    free(worker);
    return status;
}

static enum cola_status join_world(struct mpi *m)
{
    int rank, size;
    MPI_Comm node;
    MPI_TRY(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    MPI_TRY(MPI_Comm_dup(MPI_COMM_WORLD, &m->world)); /* inherits the handler */
    MPI_TRY(MPI_Comm_rank(m->world, &rank));
    MPI_TRY(MPI_Comm_size(m->world, &size));
    m->comm = (struct cola_comm){.ops = &mpi_ops, .rank = (uint32_t)rank, .n_ranks = (uint32_t)size};
    m->last = &m->first;
    MPI_TRY(MPI_Comm_split_type(m->world, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node));
    COLA_TRY(meet_the_node(m, node));
    MPI_TRY(MPI_Comm_free(&node));
    return COLA_OK;
}

enum cola_status cola_comm_mpi_open(int *argc, char ***argv, struct cola_comm **out)
{
    int provided = 0;
    struct mpi *m;
    MPI_TRY(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided));
    if (provided < MPI_THREAD_FUNNELED)
        return cola_fail(COLA_ERR_LIBRARY, "this MPI gives thread level %d, cola needs MPI_THREAD_FUNNELED",
                         provided);
    COLA_TRY(cola_alloc((void **)&m, 1, sizeof *m, "MPI transport"));
    enum cola_status status = join_world(m);
    if (status != COLA_OK) {
        free(m);
        return status;
    }
    *out = &m->comm;
    return COLA_OK;
}

void cola_comm_mpi_version(char *text, size_t n_text)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int n = 0;
    if (MPI_Get_library_version(version, &n) != MPI_SUCCESS) snprintf(version, sizeof version, "MPI");
    version[strcspn(version, ",\n")] = '\0';
    snprintf(text, n_text, "%s", version);
}

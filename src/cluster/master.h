/* master.h - the master's parts, shared by its files and nobody else.
 *
 *     handshake.c  START, HELLO: what the workers are, whether they and the tasks fit, the record's fields
 *     samples.c    one search a sample: begin, ask until something must be evaluated, tell, finish
 *     dispatch.c   requests to workers, results back
 *     loads.c      which worker has most room
 *     report.c     progress and the summary
 *     events.c     the same as JSON lines, for programs
 *     figures.c    the same for run.h5
 *     master.c     the loop around them: stops, commits, folds
 *
 * A sample here is named by its place in this run (0 .. n_samples-1), a worker by its rank. */
#ifndef COLA_CLUSTER_MASTER_H
#define COLA_CLUSTER_MASTER_H

#include "cluster/message.h"
#include "cola/cluster.h"
#include "cola/progress.h"

struct worker_state {
    bool ready;
    struct cola_hello hello;
    uint32_t n_out; /* requests sent, no result yet; at most hello.credit */
    bool alone;     /* what is out is a suspect: nothing else until its result is here */
    uint64_t n_results, layers_asked, layers_executed;
    uint64_t row_layers_asked, row_layers; /* rows x layers; executed */
    double busy_s; /* as of its last result: inside engine steps; bytes held at most */
    uint64_t memory_bytes, state_bytes;
    struct cola_buffer out; /* messages that are to be sent as one packet */
    uint32_t place;         /* in the heap of loads */
};

struct sample_state {
    uint32_t owner;   /* the worker that has its states, 0: none yet */
    uint32_t *holder; /* [n_holders] workers that were sent its tokens */
    size_t n_holders, holder_room;
    uint32_t n_out;    /* requests queued or sent, no result yet */
    uint32_t n_nodes;  /* of its tree that are counted */
    bool base_right;   /* the base chain reached the target ... */
    bool edited_right; /* ... or another chain did */
};

struct pending {        /* a chain that a search asked for and that is not known */
    uint64_t id;        /* place in the table + generation << 32: a stale or invented RESULT names none */
    bool used, suspect; /* suspect: sent alone, see cola_record_attempts */
    uint32_t sample, ticket, worker; /* worker 0: waits to be sent */
    struct cola_chain chain;
    cola_layer *layer; /* [COLA_CHAIN_MAX(L)], the chain's */
};

struct counts {
    uint32_t n_begun, n_finished;   /* samples; they begin in ascending order */
    uint32_t n_base_right, n_found; /* samples whose target the base chain, any chain reached */
    uint64_t n_new, n_known;        /* evaluations told: by workers now, from the record */
    uint64_t n_nodes; /* of them in trees; the others were guessed in vain, or not yet in turn */
    uint64_t layers_asked, layers_executed;
    uint64_t row_layers; /* executed */
};

struct cola_master {
    struct cola_comm *comm;
    const struct cola_master_options *options;
    struct cola_record *record;
    uint32_t n_workers, n_ready;
    struct worker_state *worker; /* [n_workers + 1] by rank */
    uint32_t *load;     /* [n_workers] heap of ranks: who has most room for a request first (loads.c) */
    uint32_t *to_flush; /* [n_to_flush] ranks with messages that are to be sent */
    uint32_t n_to_flush;
    uint32_t n_layers; /* L of the workers' model */

    struct sample_state *sample; /* [n_samples] */
    struct cola_search **search; /* [n_samples], NULL: not begun, or over and put away */
    int32_t *target;             /* [n_samples] what is looked for, see judge.h */
    bool *finished;              /* [n_samples] */

    struct pending *pending; /* table, grows */
    size_t n_pending, pending_room;
    uint32_t *free_pending; /* [n_free] places without a request */
    size_t n_free, free_room;
    uint32_t *ready; /* ring [ready_room]: places that wait to be sent, oldest first */
    size_t ready_room, ready_first, n_ready_requests;
    uint32_t n_out; /* sent, no result yet */
    bool exclusive; /* the one that is out is alone in the whole job */

    struct cola_buffer in;    /* of messages */
    bool dirty, sample_ended; /* since the last commit */
    struct counts counts;
    struct cola_progress progress;
    struct cola_events *events; /* NULL: nobody asked */
    double began_s;             /* on cola_clock_s: the workers were ready */
    double began_cpu_s;         /* of this thread, then */
    double tree_cpu_s;          /* of this thread inside the searches, estimated */
    uint64_t n_tree_calls;
};

/* master.c: what the signals and the time limit ask for now */
enum cola_stop cola_master_stop(const struct cola_master *m);

/* handshake.c */

/* Every sample has what it is searched for (gold, or a wrong answer); fills target. Before the workers load
 * anything. */
enum cola_status cola_handshake_targets(struct cola_master *m);
/* START to all, HELLO from all; the workers fit each other and the tasks fit the model. */
enum cola_status cola_handshake(struct cola_master *m);
/* Opens the record with the caller's fields and the workers'. */
enum cola_status cola_handshake_record(struct cola_master *m);

/* samples.c */
enum cola_status cola_samples_begin(struct cola_master *m); /* the next one; n_begun < n_samples */
/* The result of a request: judged and told to the sample's search, or dropped if that is done; fails where
 * judging does. */
enum cola_status cola_samples_tell(struct cola_master *m, uint32_t sample, uint32_t ticket,
                                   const struct cola_result *result);
/* Before a request is sent: true if its search can do without. Then it is over, and cola_samples_advance is
 * due. */
bool cola_samples_release(struct cola_master *m, uint32_t sample, uint32_t ticket);
/* Asks until nothing more may be evaluated now (queued with cola_dispatch_queue), or the search is done. */
enum cola_status cola_samples_advance(struct cola_master *m, uint32_t sample);
uint32_t cola_samples_row(const struct cola_master *m, uint32_t sample); /* of tasks.h5 */
struct cola_text cola_samples_id(const struct cola_master *m, uint32_t sample);

/* dispatch.c */
enum cola_status cola_dispatch_queue(struct cola_master *m, uint32_t sample, uint32_t ticket,
                                     const struct cola_chain *chain);
enum cola_status cola_dispatch_send(struct cola_master *m); /* what waits, while there is credit */
bool cola_dispatch_has_credit(const struct cola_master *m);
enum cola_status cola_dispatch_result(struct cola_master *m, uint32_t from, const struct cola_result *result);
enum cola_status cola_dispatch_forget(struct cola_master *m, uint32_t sample); /* to all who hold it */
/* Queued until the next flush, so that what goes the same way at once goes as one packet; before the record
 * is open, sent. */
enum cola_status cola_dispatch_message(struct cola_master *m, uint32_t to,
                                       const struct cola_message *message);
/* Sends what is queued; in one process not before what was recorded as started is written, since a crash of
 * the worker is this process's. */
enum cola_status cola_dispatch_flush(struct cola_master *m);

/* loads.c: workers by the share of their credit that is out, those that take nothing now last, the lower rank
 * of equals first. */
void cola_loads_init(struct cola_master *m);                   /* when all credits are known */
void cola_loads_changed(struct cola_master *m, uint32_t rank); /* its n_out or alone */
uint32_t cola_loads_least(const struct cola_master *m);        /* 0: no worker takes a request now */
bool cola_loads_has_credit(const struct worker_state *w);

/* events.c: the search as JSON lines for programs. All do nothing without options.events_path. */
enum cola_status cola_events_open(struct cola_master *m);
void cola_events_start(struct cola_master *m, const struct cola_field *field, uint32_t n_fields);
void cola_events_sample(struct cola_master *m, uint32_t sample);      /* its search has ended */
void cola_events_progress(struct cola_master *m);                     /* if it is due */
void cola_events_stop(struct cola_master *m, enum cola_stop stop);    /* the first time */
void cola_events_end(struct cola_master *m, enum cola_status status); /* with this thread's error text */

/* figures.c: this process and its workers so far, for the next fold */
enum cola_status cola_figures_record(struct cola_master *m);

/* report.c */
double cola_report_seconds_left(const struct cola_master *m); /* at the mean rate; -1: not known */
void cola_report_progress(struct cola_master *m);             /* if it is due */
void cola_report_summary(struct cola_master *m);
void cola_report_line(struct cola_master *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

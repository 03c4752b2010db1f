/* samples.c - the searches of this run, one a sample, in ascending order.
 *
 * Everything that decides a sample's outcome is here and is the sample's own: its search, its target, the
 * results told to it. A result that the record knows is told at once, so a resumed run replays its trees
 * without the workers. With --speculate a sample has several requests out, and some of them may be in vain:
 * they are journalled like all others, but no tree has them. A chain that a recording lacks may be such a
 * guess; the search that comes to it fails. A search that is done is put away by the record and destroyed:
 * memory holds those that are under way. Knows nothing of who evaluates. */
#include <assert.h>

#include "cluster/master.h"
#include "cola/clock.h"
#include "cola/judge.h"

uint32_t cola_samples_row(const struct cola_master *m, uint32_t sample)
{
    return m->options->first_sample + sample;
}

struct cola_text cola_samples_id(const struct cola_master *m, uint32_t sample)
{
    return cola_tasks_id(m->options->tasks, cola_samples_row(m, sample));
}

/* Asking for the thread's time is a system call, as long as a small search's step: one call of the searches
 * in 13 is timed, for all (a prime, since asks and tells take turns). */
enum { TIMED_ONE_IN = 13 };

static double begin_timing(struct cola_master *m)
{
    return m->n_tree_calls++ % TIMED_ONE_IN == 0 ? cola_clock_thread_s() : -1;
}

static void end_timing(struct cola_master *m, double since_s)
{
    if (since_s >= 0) m->tree_cpu_s += TIMED_ONE_IN * (cola_clock_thread_s() - since_s);
}

static bool is_base(const struct cola_chain *chain, uint32_t n_layers)
{
    if (chain->n_layers != n_layers) return false;
    for (uint32_t i = 0; i < n_layers; i++)
        if (chain->layer[i] != i) return false;
    return true;
}

/* The prediction of a result that there is not, which no judge gives: so a tree shows that it took one. */
static const int32_t PREDICTION_UNKNOWN = INT32_MIN;

/* The tree goes with what was made up: no fold may find it. */
static enum cola_status fail_unknown(struct cola_master *m, uint32_t sample, const struct cola_chain *chain)
{
    struct cola_text id = cola_samples_id(m, sample);
    char text[200];
    cola_chain_print(chain, text, sizeof text);
    cola_search_destroy(m->search[sample]);
    m->search[sample] = NULL;
    return cola_fail(COLA_ERR_INPUT,
                     "sample %.*s (row %u), chain %s: not in %s; was it searched with other options?",
                     (int)id.n_bytes, id.bytes, cola_samples_row(m, sample), text, m->options->recorded_path);
}

/* Counts what the chains that have come into the tree found. Guesses that no tree took count nothing. Fails
 * if there is no result of one; due after every call that may bring a chain into the tree. */
static enum cola_status note_nodes(struct cola_master *m, uint32_t sample)
{
    struct sample_state *s = &m->sample[sample];
    for (; s->n_nodes < cola_search_n_nodes(m->search[sample]); s->n_nodes++) {
        struct cola_node_view node;
        cola_search_node(m->search[sample], s->n_nodes, &node);
        if (node.prediction == PREDICTION_UNKNOWN) return fail_unknown(m, sample, &node.chain);
        m->counts.n_nodes++;
        if (!(node.reward > 0)) continue;
        bool base = is_base(&node.chain, m->n_layers);
        if (!s->base_right && !s->edited_right) m->counts.n_found++;
        if (base && !s->base_right) m->counts.n_base_right++;
        if (base)
            s->base_right = true;
        else
            s->edited_right = true;
    }
    return COLA_OK;
}

static void tell(struct cola_master *m, uint32_t sample, uint32_t ticket, const struct cola_verdict *verdict)
{
    double since_s = begin_timing(m);
    cola_search_tell(m->search[sample], ticket, verdict);
    end_timing(m, since_s);
}

static enum cola_status judge_and_tell(struct cola_master *m, uint32_t sample, uint32_t ticket,
                                       const struct cola_result *result)
{
    const struct cola_master_options *o = m->options;
    struct cola_judgement j;
    enum cola_status status =
        cola_judge_result(o->tasks, cola_samples_row(m, sample), o->metric, m->target[sample], result, &j);
    if (status != COLA_OK) {
        struct cola_text id = cola_samples_id(m, sample);
        return cola_fail_in(status, "sample %.*s", (int)id.n_bytes, id.bytes);
    }
    tell(m, sample, ticket, &j.verdict);
    return COLA_OK;
}

/* The workers may drop the sample once the last request for it is back: a search may be done before its
 * guesses are. */
static enum cola_status forget_if_idle(struct cola_master *m, uint32_t sample)
{
    return m->finished[sample] && m->sample[sample].n_out == 0 ? cola_dispatch_forget(m, sample) : COLA_OK;
}

enum cola_status cola_samples_tell(struct cola_master *m, uint32_t sample, uint32_t ticket,
                                   const struct cola_result *result)
{
    m->sample[sample].n_out--;
    if (m->finished[sample]) return forget_if_idle(m, sample);
    const struct cola_verdict unknown = {.prediction = PREDICTION_UNKNOWN};
    if (result->outcome == COLA_OUTCOME_UNKNOWN)
        tell(m, sample, ticket, &unknown);
    else
        COLA_TRY(judge_and_tell(m, sample, ticket, result));
    return note_nodes(m, sample);
}

bool cola_samples_release(struct cola_master *m, uint32_t sample, uint32_t ticket)
{
    if (!m->finished[sample] && !cola_search_release(m->search[sample], ticket)) return false;
    m->sample[sample].n_out--;
    return true;
}

static enum cola_status finish(struct cola_master *m, uint32_t sample)
{
    const struct cola_search *search = m->search[sample];
    if (cola_search_failed(search)) {
        struct cola_text id = cola_samples_id(m, sample);
        return cola_fail(COLA_ERR_MEMORY, "sample %.*s: out of memory for its search tree; --resume goes on",
                         (int)id.n_bytes, id.bytes);
    }
    m->finished[sample] = true;
    m->counts.n_finished++;
    m->dirty = m->sample_ended = true;
    COLA_TRY(cola_record_finished(m->record, cola_samples_row(m, sample), cola_search_n_simulations(search)));
    cola_events_sample(m, sample);
    return forget_if_idle(m, sample);
}

static enum cola_status ask(struct cola_master *m, uint32_t sample)
{
    struct cola_search *search = m->search[sample];
    for (;;) {
        uint32_t ticket;
        struct cola_chain chain;
        struct cola_result result;
        double since_s = begin_timing(m);
        enum cola_ask asked = cola_search_ask(search, &ticket, &chain);
        end_timing(m, since_s);
        COLA_TRY(note_nodes(m, sample));
        if (asked == COLA_ASK_WAIT) return COLA_OK;
        if (asked == COLA_ASK_DONE) return finish(m, sample);
        if (cola_record_known(m->record, cola_samples_row(m, sample), &chain, &result)) {
            m->counts.n_known++;
            COLA_TRY(judge_and_tell(m, sample, ticket, &result));
        } else {
            COLA_TRY(cola_dispatch_queue(m, sample, ticket, &chain));
            m->sample[sample].n_out++;
        }
    }
}

/* Guesses that are still out come back to nothing but the journal. */
static enum cola_status put_away(struct cola_master *m, uint32_t sample)
{
    COLA_TRY(
        cola_record_put_away(m->record, cola_samples_row(m, sample), m->target[sample], m->search[sample]));
    cola_search_destroy(m->search[sample]);
    m->search[sample] = NULL;
    return COLA_OK;
}

enum cola_status cola_samples_advance(struct cola_master *m, uint32_t sample)
{
    if (m->finished[sample]) return forget_if_idle(m, sample);
    COLA_TRY(ask(m, sample));
    return m->finished[sample] ? put_away(m, sample) : COLA_OK;
}

enum cola_status cola_samples_begin(struct cola_master *m)
{
    uint32_t sample = m->counts.n_begun;
    assert(sample < m->options->n_samples);
    double since_s = cola_clock_thread_s();
    COLA_TRY(cola_search_create(&m->options->search, m->n_layers, cola_samples_row(m, sample),
                                &m->search[sample]));
    m->tree_cpu_s += cola_clock_thread_s() - since_s;
    m->counts.n_begun++;
    return cola_samples_advance(m, sample);
}

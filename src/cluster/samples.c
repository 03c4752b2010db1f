/* samples.c - the searches of this run, one a sample, in ascending order.
 *
 * Everything that decides a sample's outcome is here and is the sample's own: its search, its target, the
 * results told to it. A result that the record knows is told at once, so a resumed run replays its trees
 * without the workers. Knows nothing of who evaluates. */
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

static bool is_base(const struct cola_chain *chain, uint32_t n_layers)
{
    if (chain->n_layers != n_layers) return false;
    for (uint32_t i = 0; i < n_layers; i++)
        if (chain->layer[i] != i) return false;
    return true;
}

static void note_found(struct cola_master *m, uint32_t sample, const struct cola_chain *chain)
{
    struct sample_state *s = &m->sample[sample];
    bool base = is_base(chain, m->n_layers);
    if (!s->base_right && !s->edited_right) m->counts.n_found++;
    if (base && !s->base_right) m->counts.n_base_right++;
    if (base)
        s->base_right = true;
    else
        s->edited_right = true;
}

enum cola_status cola_samples_tell(struct cola_master *m, uint32_t sample, uint32_t ticket,
                                   const struct cola_chain *chain, const struct cola_result *result)
{
    const struct cola_master_options *o = m->options;
    struct cola_judgement j;
    enum cola_status status =
        cola_judge_result(o->tasks, cola_samples_row(m, sample), o->metric, m->target[sample], result, &j);
    if (status != COLA_OK) {
        struct cola_text id = cola_samples_id(m, sample);
        return cola_fail_in(status, "sample %.*s", (int)id.n_bytes, id.bytes);
    }
    if (j.verdict.reward > 0) note_found(m, sample, chain);
    double since_s = cola_clock_thread_s();
    cola_search_tell(m->search[sample], ticket, &j.verdict);
    m->tree_cpu_s += cola_clock_thread_s() - since_s;
    return COLA_OK;
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
    return cola_dispatch_forget(m, sample);
}

enum cola_status cola_samples_advance(struct cola_master *m, uint32_t sample)
{
    struct cola_search *search = m->search[sample];
    for (;;) {
        uint32_t ticket;
        struct cola_chain chain;
        struct cola_result result;
        double since_s = cola_clock_thread_s();
        enum cola_ask ask = cola_search_ask(search, &ticket, &chain);
        m->tree_cpu_s += cola_clock_thread_s() - since_s;
        if (ask == COLA_ASK_WAIT) return COLA_OK;
        if (ask == COLA_ASK_DONE) return finish(m, sample);
        if (cola_record_known(m->record, cola_samples_row(m, sample), &chain, &result)) {
            m->counts.n_known++;
            COLA_TRY(cola_samples_tell(m, sample, ticket, &chain, &result));
        } else {
            COLA_TRY(cola_dispatch_queue(m, sample, ticket, &chain));
        }
    }
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

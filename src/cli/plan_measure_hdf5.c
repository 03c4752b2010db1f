/* plan_measure_hdf5.c - a few seconds of a worker's work: searches of the first samples side by side over one
 * engine, without messages, journal or files.
 *
 * The speed is that of executed rows x layers, which counts what is still in flight at the end; whole
 * evaluations alone would come in bursts. */
#include <stdlib.h>
#include <string.h>

#include "cli/plan.h"
#include "cola/clock.h"
#include "cola/judge.h"
#include "cola/memory.h"

static const double MOST_FACTOR =
    6; /* at least one evaluation must end; after so many times --measure give up */

struct slot { /* a sample under search; its one request is out */
    struct cola_search *search;
    uint32_t row, ticket;
    int32_t target;
    bool answered;
    struct cola_verdict verdict;
};

struct measure {
    const struct cola_tasks *tasks;
    const struct search_setup *setup;
    struct cola_engine *engine;
    uint32_t n_layers, next, end; /* rows of the tasks that have not begun */
    struct slot *slot;            /* [n_slots] by request id */
    uint32_t n_slots;
    uint64_t n_done, n_edited; /* evaluations that ended; of edited chains */
    double executed, asked;    /* rows x layers of those of edited chains */
};

/* cola_result_fn */
static enum cola_status on_result(void *user, const struct cola_result *result)
{
    struct measure *m = user;
    struct slot *slot = &m->slot[result->id];
    const struct cola_sample *s = cola_tasks_sample(m->tasks, slot->row);
    bool norm = strcmp(m->setup->metric, "acc_norm") == 0;
    struct cola_judgement j;
    COLA_TRY(cola_judge_result(m->tasks, slot->row, norm ? COLA_METRIC_ACC_NORM : COLA_METRIC_ACC,
                               slot->target, result, &j));
    double rows = s->n_prompt_tokens;
    if (s->rule == COLA_SCORE_GENERATE)
        rows += result->n_tokens ? result->n_tokens - 1 : 0;
    else if (s->rule == COLA_SCORE_LOGLIK)
        for (uint32_t c = 0; c < s->n_candidates; c++) rows += s->candidate[c].n_tokens - 1;
    m->n_done++;
    if (cola_search_n_nodes(slot->search) > 0) { /* a base chain has nobody to share with */
        m->n_edited++;
        m->executed += (double)result->cost.row_layers;
        m->asked += rows * result->cost.layers_asked;
    }
    slot->verdict = j.verdict;
    slot->answered = true;
    return COLA_OK;
}

static enum cola_status begin(struct measure *m, struct slot *slot)
{
    const struct search_setup *s = m->setup;
    struct cola_search_options options = s->search;
    bool control = strcmp(s->control, "none") != 0;
    options.speculate = 1;
    slot->row = m->next++;
    COLA_TRY(cola_judge_target(m->tasks, slot->row, control, options.seed, &slot->target));
    return cola_search_create(&options, m->n_layers, slot->row, &slot->search);
}

/* The slot's next request, of another sample where its own has ended; *out false: none is left. */
static enum cola_status ask(struct measure *m, struct slot *slot, bool *out)
{
    struct cola_chain chain;
    for (;;) {
        *out = slot->search || m->next < m->end;
        if (!*out) return COLA_OK;
        if (!slot->search) COLA_TRY(begin(m, slot));
        if (cola_search_ask(slot->search, &slot->ticket, &chain) == COLA_ASK_CHAIN) break;
        cola_engine_forget(m->engine, slot->row);
        cola_search_destroy(slot->search);
        slot->search = NULL;
    }
    struct cola_request request = {
        .id = (uint64_t)(slot - m->slot), .sample = cola_tasks_sample(m->tasks, slot->row), .chain = chain};
    return cola_engine_submit(m->engine, &request);
}

static enum cola_status evaluate(struct measure *m, double seconds, double *took_s)
{
    double began_s = cola_clock_s();
    uint32_t n_out = 0;
    bool more;
    for (uint32_t i = 0; i < m->n_slots; i++) {
        COLA_TRY(ask(m, &m->slot[i], &more));
        n_out += more;
    }
    while (n_out) {
        *took_s = cola_clock_s() - began_s;
        if (*took_s >= seconds && (m->n_done || *took_s >= MOST_FACTOR * seconds)) return COLA_OK;
        COLA_TRY(cola_engine_step(m->engine, on_result, m));
        for (uint32_t i = 0; i < m->n_slots; i++) {
            struct slot *slot = &m->slot[i];
            if (!slot->answered) continue;
            slot->answered = false;
            cola_search_tell(slot->search, slot->ticket, &slot->verdict);
            COLA_TRY(ask(m, slot, &more));
            n_out -= !more;
        }
    }
    *took_s = cola_clock_s() - began_s; /* all of it: a small plan */
    return COLA_OK;
}

static enum cola_status tell(const struct measure *m, double took_s, struct plan_measured *out)
{
    struct cola_engine_counters counters;
    cola_engine_counters(m->engine, &counters);
    if (m->n_done == 0)
        return cola_fail(COLA_ERR_STOPPED,
                         "no evaluation ended within %.0f s: give a longer --measure, or 0 for none", took_s);
    out->seconds = took_s;
    out->n_done = m->n_done;
    out->n_edited = m->n_edited;
    out->row_layers_s = (double)counters.n_rows / took_s;
    out->shared = m->asked > m->executed ? 1 - m->executed / m->asked : 0;
    cola_engine_info(m->engine, &out->info);
    return COLA_OK;
}

enum cola_status cola_plan_measure(const struct cola_tasks *tasks, const struct cola_model *model,
                                   const struct search_setup *setup, uint32_t first, uint32_t n,
                                   double seconds, struct plan_measured *out)
{
    struct measure m = {.tasks = tasks,
                        .setup = setup,
                        .n_layers = cola_model_config(model)->n_layers,
                        .next = first,
                        .end = first + n};
    enum cola_status status = COLA_OK;
    double took_s = 0;
    COLA_TRY_DONE(cola_engine_create(model, &setup->worker.engine, &m.engine));
    m.n_slots = cola_engine_room(m.engine);
    COLA_TRY_DONE(cola_alloc((void **)&m.slot, m.n_slots, sizeof *m.slot, "samples"));
    COLA_TRY_DONE(evaluate(&m, seconds, &took_s));
    COLA_TRY_DONE(tell(&m, took_s, out));
done:
    cola_engine_destroy(m.engine);
    for (uint32_t i = 0; m.slot && i < m.n_slots; i++) cola_search_destroy(m.slot[i].search);
    free(m.slot);
    return status;
}

/* speculating.h - a caller of ask/tell that has several chains out: its evaluator takes results back in any
 * order, after any delay, by chance of its own. Counts what was asked for and checks what search.h promises
 * of tickets. */
#ifndef COLA_TEST_SPECULATING_H
#define COLA_TEST_SPECULATING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cola/random.h"
#include "unit/search/landscape.h"

enum arrival {
    OLDEST_FIRST,
    NEWEST_FIRST,
    ANY_ORDER,    /* whenever ask waits, one by chance */
    ANY_TIME,     /* also while ask has more to give */
    IN_ROUNDS,    /* all that are out, in an order by chance */
    WITH_RELEASE, /* as ANY_TIME, and what must not be evaluated any more is taken back first */
    N_ARRIVALS
};

struct out_ticket {
    uint32_t ticket;
    struct cola_chain chain;
    cola_layer layer[COLA_CHAIN_MAX(40)];
};

struct caller {
    struct cola_search *search;
    enum landscape landscape;
    enum arrival arrival;
    uint32_t L, W;
    struct cola_random chance;
    struct out_ticket out[COLA_SPECULATE_MAX];
    uint32_t n_out, n_issued, n_told, n_released, n_rounds;
    struct out_ticket *told; /* [n_told]: every chain that was evaluated */
    uint32_t told_room;
    const struct caller *before; /* NULL, or whose evaluations are known: told at once */
    uint32_t n_known;
    uint32_t stop_after; /* leave the search when this many were told */
};

static inline bool caller_knows(const struct caller *c, const struct cola_chain *chain)
{
    for (uint32_t i = 0; c && i < c->n_told; i++)
        if (cola_chain_equal(&c->told[i].chain, chain)) return true;
    return false;
}

static inline void caller_remember(struct caller *c, const struct out_ticket *ticket)
{
    if (c->n_told == c->told_room) {
        struct out_ticket *more = malloc((2 * c->told_room + 64) * sizeof *more);
        for (uint32_t i = 0; i < c->n_told; i++) {
            more[i] = c->told[i];
            more[i].chain.layer = more[i].layer;
        }
        free(c->told);
        c->told = more;
        c->told_room = 2 * c->told_room + 64;
    }
    c->told[c->n_told] = *ticket;
    c->told[c->n_told].chain.layer = c->told[c->n_told].layer;
    c->n_told++;
}

static inline void caller_remove(struct caller *c, uint32_t i)
{
    for (c->n_out--; i < c->n_out; i++) {
        c->out[i] = c->out[i + 1];
        c->out[i].chain.layer = c->out[i].layer;
    }
}

static inline void caller_tell(struct caller *c, uint32_t i)
{
    struct cola_verdict verdict = landscape_judge(c->landscape, &c->out[i].chain, c->L);
    uint32_t ticket = c->out[i].ticket;
    caller_remember(c, &c->out[i]);
    caller_remove(c, i);
    cola_search_tell(c->search, ticket, &verdict);
}

static inline uint32_t caller_any(struct caller *c, uint32_t n)
{
    return (uint32_t)cola_random_below(&c->chance, n);
}

static inline void caller_take(struct caller *c, uint32_t ticket, const struct cola_chain *chain)
{
    struct cola_verdict verdict = landscape_judge(c->landscape, chain, c->L);
    assert_false(caller_knows(c, chain)); /* never evaluated twice */
    for (uint32_t i = 0; i < c->n_out; i++) {
        assert_int_not_equal(c->out[i].ticket, ticket);
        assert_false(cola_chain_equal(&c->out[i].chain, chain));
    }
    if (caller_knows(c->before, chain)) {
        c->n_known++;
        cola_search_tell(c->search, ticket, &verdict);
        return;
    }
    struct out_ticket *out = &c->out[c->n_out++];
    assert_true(c->n_out <= c->W);
    c->n_issued++;
    out->ticket = ticket;
    memcpy(out->layer, chain->layer, chain->n_layers * sizeof *out->layer);
    out->chain = (struct cola_chain){out->layer, chain->n_layers};
}

/* True if something was taken back: ask may have another chain then. */
static inline bool caller_release(struct caller *c)
{
    uint32_t n_before = c->n_out;
    for (uint32_t i = c->n_out; i-- > 0;) {
        if (caller_any(c, 3) == 0 || !cola_search_release(c->search, c->out[i].ticket)) continue;
        caller_remove(c, i);
        c->n_released++;
    }
    return c->n_out < n_before;
}

static inline void caller_wait(struct caller *c)
{
    assert_true(c->n_out > 0); /* or it would wait for ever */
    if (c->arrival == WITH_RELEASE && caller_release(c)) return;
    c->n_rounds++;
    switch (c->arrival) {
    case OLDEST_FIRST: caller_tell(c, 0); break;
    case NEWEST_FIRST: caller_tell(c, c->n_out - 1); break;
    case IN_ROUNDS:
        while (c->n_out > 0) caller_tell(c, caller_any(c, c->n_out));
        break;
    default: caller_tell(c, caller_any(c, c->n_out)); break;
    }
}

/* To the end of the search, or until stop_after results were told (0: never). */
static inline void caller_run(struct caller *c)
{
    while (c->stop_after == 0 || c->n_told < c->stop_after) {
        uint32_t ticket;
        struct cola_chain chain;
        enum cola_ask ask = cola_search_ask(c->search, &ticket, &chain);
        if (ask == COLA_ASK_DONE) break;
        if (ask == COLA_ASK_CHAIN) caller_take(c, ticket, &chain);
        if (ask == COLA_ASK_WAIT) caller_wait(c);
        bool any_time = c->arrival == ANY_TIME || c->arrival == WITH_RELEASE;
        if (ask == COLA_ASK_CHAIN && any_time && c->n_out && caller_any(c, 4) == 0)
            caller_tell(c, caller_any(c, c->n_out));
    }
}

#endif

/* speculation.h - which chains a search will probably ask for next, so that up to W of them can be out at
 * once.
 *
 * The search itself takes nothing but true results, in the order of its simulations: it is the search with
 * one chain out, whatever happens here. Beside it a *copy* of it runs ahead. Where a result is not there yet
 * the copy takes a guess, the reward of the chain's parent (of the base: 0), and simulates on; every chain
 * that it comes to is handed out. When the result of a chain turns out to be another than was guessed, the
 * copy is worthless: it is dropped, and the next one starts from where the search is by then, with the
 * results that are there.
 *
 *     search   0 1 2 3 .            . waits for ticket 4
 *     copy     0 1 2 3 4?5 6?.      5 was told already; 4 and 6 are guessed; . is the next chain to hand out
 *
 * So there is nothing to roll back: undoing is copying, a few microseconds for 200 nodes, and an error in a
 * copy could cost evaluations but change no result. (It would be noticed: as long as the guesses are right,
 * the search must come to the chains that the copy came to; ask_tell.c asserts it.)
 *
 * Every chain handed out is a ticket, and remembered with its result until the search ends: a chain is
 * evaluated once, however often the search comes to it. Knows nothing of who evaluates. */
#ifndef COLA_SEARCH_SPECULATION_H
#define COLA_SEARCH_SPECULATION_H

#include "search/policy.h"

struct cola_speculation;

enum cola_status cola_speculation_create(const struct cola_search *search, struct cola_speculation **out);
void cola_speculation_destroy(struct cola_speculation *speculation); /* NULL allowed */

/* Where a state came to. */
enum cola_progress {
    COLA_PROGRESS_NEW, /* a chain without a ticket */
    COLA_PROGRESS_OUT, /* a chain whose ticket is out; state->ticket names it */
    COLA_PROGRESS_END  /* state->finished */
};

/* Simulates on while the results of the chains that the search comes to are there. */
enum cola_progress cola_speculation_advance(struct cola_speculation *speculation, struct cola_search *search);

/* Hands out the chain that the search waits for. COLA_ERR_MEMORY: nothing changed. */
enum cola_status cola_speculation_issue(struct cola_speculation *speculation, struct cola_search *search,
                                        uint32_t *ticket, struct cola_chain *chain);

/* The same for the copy, made anew if it was dropped; the search waits. False: there is no chain to hand out
 * now, because W are out, because W were handed out while the search waited for one result, because the
 * copy's search ends with these guesses, or because memory is short. */
bool cola_speculation_issue_ahead(struct cola_speculation *speculation, const struct cola_search *search,
                                  uint32_t *ticket, struct cola_chain *chain);

/* Whether the copy has taken the step that the search is at: then it handed out the search's chain, too. */
bool cola_speculation_is_ahead(const struct cola_speculation *speculation, const struct cola_search *search);

/* Keeps the result; drops the copy if it had guessed another. The ticket is out. */
void cola_speculation_tell(struct cola_speculation *speculation, uint32_t ticket,
                           const struct cola_verdict *verdict);

/* As cola_search_release. */
bool cola_speculation_release(struct cola_speculation *speculation, const struct cola_search *search,
                              uint32_t ticket);

size_t cola_speculation_bytes(const struct cola_speculation *speculation);

#endif

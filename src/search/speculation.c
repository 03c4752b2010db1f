/* speculation.c - the tickets and the copy that runs ahead: speculation.h says what for. */
#include "search/speculation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cola/memory.h"
#include "search/steps.h"

struct ticket {
    struct cola_verdict verdict; /* when told */
    bool out, told;              /* neither: it was released */
    uint32_t guessed_by;         /* number of the copy that guessed its reward; 0: none */
    float guess;
};

struct cola_speculation {
    uint32_t most_out, n_out;
    struct cola_tree chain; /* every chain handed out; its number there is its ticket. Edges are not used */
    struct ticket *ticket;  /* [ticket_room] by number */
    size_t ticket_room;
    struct cola_search ahead; /* the copy; its rooms stay when it is dropped */
    bool has_ahead;
    uint32_t n_copies; /* number of the copy, from 1 */
    uint32_t at_step;  /* of the search, when it was last seen ... */
    uint32_t n_given;  /* ... and the chains handed out for the copy since it came there */
};

/* --- life --------------------------------------------------------------------------------------------- */

enum cola_status cola_speculation_create(const struct cola_search *search, struct cola_speculation **out)
{
    struct cola_speculation *speculation = NULL;
    COLA_TRY(cola_alloc((void **)&speculation, 1, sizeof *speculation, "search"));
    struct cola_search *ahead = &speculation->ahead;
    speculation->most_out = search->options.speculate;
    *ahead = (struct cola_search){.options = search->options,
                                  .policy = search->policy,
                                  .n_model_layers = search->n_model_layers,
                                  .sample = search->sample,
                                  .space = search->space};
    enum cola_status status = ahead->policy->create ? ahead->policy->create(ahead) : COLA_OK;
    if (status != COLA_OK) {
        cola_speculation_destroy(speculation);
        return status;
    }
    *out = speculation;
    return COLA_OK;
}

void cola_speculation_destroy(struct cola_speculation *speculation)
{
    if (!speculation) return;
    if (speculation->ahead.policy->destroy) speculation->ahead.policy->destroy(&speculation->ahead);
    cola_tree_fini(&speculation->ahead.tree);
    cola_tree_fini(&speculation->chain);
    free(speculation->ticket);
    free(speculation);
}

size_t cola_speculation_bytes(const struct cola_speculation *speculation)
{
    const struct cola_search *ahead = &speculation->ahead;
    size_t private = ahead->private && ahead->policy->bytes ? ahead->policy->bytes(ahead) : 0;
    return sizeof *speculation + cola_tree_bytes(&speculation->chain) + cola_tree_bytes(&ahead->tree) +
           speculation->ticket_room * sizeof *speculation->ticket + private;
}

/* --- the copy ----------------------------------------------------------------------------------------- */

/* The copy becomes equal to the search. Nobody watches it. */
static enum cola_status copy_search(struct cola_speculation *speculation, const struct cola_search *search)
{
    struct cola_search *ahead = &speculation->ahead;
    COLA_TRY(cola_tree_copy(&search->tree, &ahead->tree));
    if (search->policy->copy) COLA_TRY(search->policy->copy(search, ahead));
    ahead->draws = search->draws;
    ahead->n_steps = search->n_steps;
    ahead->n_simulations = search->n_simulations;
    ahead->ticket = search->ticket;
    ahead->waiting = search->waiting;
    ahead->finished = search->finished;
    ahead->failed = search->failed;
    speculation->n_copies++;
    speculation->has_ahead = true;
    return COLA_OK;
}

/* The reward that the waiting chain's parent has, in truth or as guessed. */
static float guess_reward(const struct cola_search *state)
{
    const struct cola_node *node = &state->tree.node[state->tree.n_nodes - 1];
    return node->parent == COLA_NO_NODE ? 0 : state->tree.node[node->parent].reward;
}

/* Takes the guess for a result that is not there. Predictions decide nothing in a search. */
static void guess(struct cola_speculation *speculation, struct ticket *ticket)
{
    struct cola_verdict verdict = {.prediction = -1, .reward = guess_reward(&speculation->ahead)};
    ticket->guess = verdict.reward;
    ticket->guessed_by = speculation->n_copies;
    cola_steps_end(&speculation->ahead, &verdict);
}

static enum cola_progress advance(struct cola_speculation *speculation, struct cola_search *state,
                                  bool guessing)
{
    for (;;) {
        if (!state->finished && !state->waiting) cola_steps_begin(state);
        if (state->finished) return COLA_PROGRESS_END;
        struct cola_chain chain = cola_steps_chain(state);
        state->ticket = cola_tree_find(&speculation->chain, &chain);
        if (state->ticket == COLA_NO_NODE) return COLA_PROGRESS_NEW;
        struct ticket *ticket = &speculation->ticket[state->ticket];
        if (ticket->told)
            cola_steps_end(state, &ticket->verdict);
        else if (!ticket->out)
            return COLA_PROGRESS_NEW;
        else if (guessing)
            guess(speculation, ticket);
        else
            return COLA_PROGRESS_OUT;
    }
}

enum cola_progress cola_speculation_advance(struct cola_speculation *speculation, struct cola_search *search)
{
    return advance(speculation, search, false);
}

bool cola_speculation_is_ahead(const struct cola_speculation *speculation, const struct cola_search *search)
{
    return speculation->has_ahead && speculation->ahead.n_steps > search->n_steps;
}

/* --- tickets ------------------------------------------------------------------------------------------ */

/* A number for a chain that has none. */
static enum cola_status add_ticket(struct cola_speculation *speculation, const struct cola_chain *chain,
                                   uint32_t *number)
{
    struct cola_edit none = {.kind = COLA_EDIT_NONE};
    COLA_TRY(cola_grow((void **)&speculation->ticket, &speculation->ticket_room,
                       speculation->chain.n_nodes + 1, sizeof *speculation->ticket, "search"));
    COLA_TRY(cola_tree_add(&speculation->chain, chain, &none, COLA_NO_NODE, number));
    speculation->ticket[*number] = (struct ticket){.out = false};
    return COLA_OK;
}

enum cola_status cola_speculation_issue(struct cola_speculation *speculation, struct cola_search *search,
                                        uint32_t *ticket, struct cola_chain *chain)
{
    struct cola_chain wanted = cola_steps_chain(search);
    uint32_t number = search->ticket; /* not COLA_NO_NODE: it was released */
    if (number == COLA_NO_NODE) COLA_TRY(add_ticket(speculation, &wanted, &number));
    assert(!speculation->ticket[number].out && !speculation->ticket[number].told);
    speculation->ticket[number].out = true;
    speculation->n_out++;
    assert(speculation->n_out <= speculation->most_out);
    search->ticket = *ticket = number;
    *chain = cola_tree_chain(&speculation->chain, number);
    return COLA_OK;
}

/* While one result is late, those of the chains beyond it return and make room for others, which depend on
 * its guess all the same. W of them are enough: a search that waits for long would else wander off. */
static bool may_issue_ahead(struct cola_speculation *speculation, const struct cola_search *search)
{
    if (search->n_steps != speculation->at_step) {
        speculation->at_step = search->n_steps;
        speculation->n_given = 0;
    }
    return speculation->n_out < speculation->most_out && speculation->n_given < speculation->most_out;
}

bool cola_speculation_issue_ahead(struct cola_speculation *speculation, const struct cola_search *search,
                                  uint32_t *ticket, struct cola_chain *chain)
{
    if (!speculation->has_ahead && copy_search(speculation, search) != COLA_OK) return false;
    if (advance(speculation, &speculation->ahead, true) != COLA_PROGRESS_NEW) return false;
    if (!may_issue_ahead(speculation, search)) return false;
    if (cola_speculation_issue(speculation, &speculation->ahead, ticket, chain) != COLA_OK) return false;
    speculation->n_given++;
    return true;
}

void cola_speculation_tell(struct cola_speculation *speculation, uint32_t number,
                           const struct cola_verdict *verdict)
{
    assert(number < speculation->chain.n_nodes && speculation->ticket[number].out);
    struct ticket *ticket = &speculation->ticket[number];
    ticket->verdict = *verdict;
    ticket->told = true;
    ticket->out = false;
    speculation->n_out--;
    bool guessed = speculation->has_ahead && ticket->guessed_by == speculation->n_copies;
    if (guessed && memcmp(&ticket->guess, &verdict->reward, sizeof ticket->guess) != 0)
        speculation->has_ahead = false;
}

bool cola_speculation_release(struct cola_speculation *speculation, const struct cola_search *search,
                              uint32_t number)
{
    assert(number < speculation->chain.n_nodes && speculation->ticket[number].out);
    struct ticket *ticket = &speculation->ticket[number];
    const struct cola_search *ahead = &speculation->ahead;
    if (search->waiting && search->ticket == number) return false;
    if (speculation->has_ahead && ticket->guessed_by == speculation->n_copies) return false;
    if (speculation->has_ahead && ahead->waiting && ahead->ticket == number) return false;
    ticket->out = false;
    speculation->n_out--;
    return true;
}

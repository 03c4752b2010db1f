/* policy.h - how a search procedure plugs into ask/tell: a table of functions over the common state.
 *
 * ask_tell.c owns the life of a search, steps.c its simulations: the base chain is evaluated as node 0, then
 * `simulate` is called for every further simulation, the node that it made is handed out to be evaluated, the
 * verdict is stored in the node and `back_up` called. A policy decides where a simulation goes, what it adds
 * and what its result changes. Everything the policies share (tree, edit space, draws) is in struct
 * cola_search; what one policy needs besides (lists of candidates, flags a node, stored bounds) is its
 * private state, made by `create` for each tree and given back when the search has ended.
 *
 * A policy is a function of (options, sample, draws, rewards): no clock, no I/O, no addresses, no
 * predictions. To add one: a file policy_NAME.c with its table, a line in policies[] and one in presets[]
 * (presets.c), a section in docs/search.md. */
#ifndef COLA_SEARCH_POLICY_H
#define COLA_SEARCH_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/search.h"
#include "search/draws.h"
#include "search/edits.h"
#include "search/tree.h"

/* Numbers of struct cola_search_options, for cola_policy.fixed. */
enum {
    COLA_NUMBER_MAX_SKIP = 1 << 0,
    COLA_NUMBER_MAX_BLOCK = 1 << 1,
    COLA_NUMBER_MAX_TIMES = 1 << 2,
    COLA_NUMBER_MIN_LENGTH = 1 << 3,
    COLA_NUMBER_MAX_LENGTH = 1 << 4,
    COLA_NUMBER_EXPLORATION = 1 << 5,
    COLA_NUMBER_LENGTH_PENALTY = 1 << 6,
    COLA_NUMBER_EPSILON = 1 << 7
};

/* Where a simulation led. */
struct cola_step {
    uint32_t node; /* of search->tree; COLA_NO_NODE: nothing is left to try, the search ends */
    bool known;    /* it has its result already: nothing is evaluated; false: it is the tree's youngest */
};

struct cola_policy {
    const char *name, *source; /* source: where the procedure is published, for people */
    unsigned fixed;         /* numbers that the procedure does not have or does not leave open: only those of
                               the preset with the policy's name are accepted */
    bool base_is_outside;   /* the base's evaluation is no simulation: not counted, not backed up */
    bool is_published_code; /* its draws may be injected (cola_search_inject) */
    enum cola_status (*create)(struct cola_search *search); /* makes search->private; NULL: none needed */
    void (*destroy)(struct cola_search *search); /* frees it, also after a failed create; NULL: nothing */
    /* Makes to->private, which `create` made, equal to from->private, keeping its rooms; from->tree was
     * copied before. NULL: the private state is scratch only, or none. */
    enum cola_status (*copy)(const struct cola_search *from, struct cola_search *to);
    enum cola_status (*simulate)(struct cola_search *search, struct cola_step *step); /* selects, expands */
    /* What the result changes; returns the reward that was backed up. node: the step's, or the base. */
    double (*back_up)(struct cola_search *search, uint32_t node);
    bool (*stop)(const struct cola_search *search, uint32_t node); /* after a back-up; NULL: never */
    size_t (*bytes)(const struct cola_search *search);             /* of the private state; NULL: none */
};

struct cola_search {
    struct cola_search_options options; /* options.policy points at the policy's own name */
    const struct cola_policy *policy;
    uint32_t n_model_layers, sample;
    struct cola_edit_space space;
    struct cola_tree tree; /* the evaluated chains and the one being evaluated */
    struct cola_draws draws;
    void *private; /* NULL once the search has ended */
    cola_simulation_fn *observer;
    void *observer_user;
    uint32_t n_steps;       /* simulations done, the base's evaluation counted: number of the next one */
    uint32_t n_simulations; /* done, as options.n_simulations counts them */
    uint32_t ticket;        /* that the youngest node was asked for under, while waiting */
    bool waiting;           /* the youngest node has no result yet */
    bool finished, failed;
    struct cola_speculation *speculation; /* NULL: one chain out at a time, or the search has ended */
};

extern const struct cola_policy cola_policy_cola, cola_policy_drllm, cola_policy_random,
    cola_policy_exhaustive, cola_policy_polar, cola_policy_drllm_code;

const struct cola_policy *cola_policy_find(const char *name); /* NULL: no such policy */

/* The common back-up: the node's own reward to it and its ancestors. */
double cola_policy_back_up_plain(struct cola_search *search, uint32_t node);

/* For `copy`: *to, of *to_room items, gets n items of `from` and zeros after them. */
enum cola_status cola_policy_copy_items(const void *from, size_t n, size_t size, void **to, size_t *to_room);

/* Dr.LLM's early stop: the node's reward exceeds the base's, or the node is right (a reward above 0) and at
 * least 2 layers shorter than the base. */
bool cola_policy_stop_early(const struct cola_search *search, uint32_t node);

#endif

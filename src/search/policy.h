/* policy.h - how a search procedure plugs into ask/tell: a table of functions over the common state.
 *
 * ask_tell.c owns the life of a search: it evaluates the base chain as node 0, then calls `simulate` for
 * every further simulation, hands the node that it made to be evaluated, stores the verdict in the node and
 * calls `back_up`. A policy decides where a simulation goes, what it adds and what its result changes.
 * Everything the policies share (tree, edit space, draws) is in struct cola_search; what one policy needs
 * besides (lists of candidates, flags a node, stored bounds) is its private state, made by `create` for each
 * tree.
 *
 * A policy is a function of (options, sample, draws, rewards): no clock, no I/O, no addresses. To add one: a
 * file policy_NAME.c with its table, a line in policies[] and one in presets[] (presets.c), a section in
 * docs/search.md. */
#ifndef COLA_SEARCH_POLICY_H
#define COLA_SEARCH_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/random.h"
#include "cola/search.h"
#include "search/edits.h"
#include "search/tree.h"

struct cola_policy {
    const char *name, *source; /* source: where the procedure is published, for people */
    enum cola_status (*create)(struct cola_search *search); /* makes search->private; NULL: none needed */
    void (*destroy)(struct cola_search *search);            /* also after a failed create; NULL: nothing */
    /* Selects and expands: adds one node that has no result yet; COLA_NO_NODE: nothing is left to try. */
    enum cola_status (*simulate)(struct cola_search *search, uint32_t *node);
    void (*back_up)(struct cola_search *search, uint32_t node); /* node: just evaluated, the base too */
    bool (*stop)(const struct cola_search *search);             /* after a back-up: end early; NULL: never */
    size_t (*bytes)(const struct cola_search *search);          /* of the private state; NULL: none */
};

struct cola_search {
    struct cola_search_options options; /* options.policy points at the policy's own name */
    const struct cola_policy *policy;
    uint32_t n_model_layers, sample;
    struct cola_edit_space space;
    struct cola_tree tree;
    struct cola_random random; /* COLA_STREAM_SEARCH; its draw counter is the only state of chance */
    void *private;
    uint32_t n_simulations; /* done */
    bool waiting;           /* the youngest node is being evaluated; its ticket is n_simulations */
    bool finished, failed;
};

extern const struct cola_policy cola_policy_cola, cola_policy_random;

const struct cola_policy *cola_policy_find(const char *name); /* NULL: no such policy */

/* The common back-up: the node's own reward to it and its ancestors. */
void cola_policy_back_up_plain(struct cola_search *search, uint32_t node);

#endif

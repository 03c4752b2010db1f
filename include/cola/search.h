/* search.h - the search of one sample as ask/tell: a function of (sample key, options, results) alone.
 *
 *     struct cola_search *s;
 *     COLA_TRY(cola_search_create(&options, n_model_layers, sample_index, &s));
 *     uint32_t ticket;
 *     struct cola_chain chain;                          borrowed until the next call
 *     while (cola_search_ask(s, &ticket, &chain) == COLA_ASK_CHAIN) {
 *         struct cola_verdict verdict = evaluate(chain);
 *         cola_search_tell(s, ticket, &verdict);
 *     }
 *     for (uint32_t i = 0; i < cola_search_n_nodes(s); i++) cola_search_node(s, i, &node);
 *     cola_search_destroy(s);
 *
 * Or, with options.speculate = W, up to W chains out at once, and the same tree:
 *
 *     for (;;) {
 *         enum cola_ask ask = cola_search_ask(s, &ticket, &chain);
 *         if (ask == COLA_ASK_DONE) break;                      late results of s may be dropped
 *         if (ask == COLA_ASK_CHAIN) send(ticket, &chain);      a copy of the chain
 *         if (ask == COLA_ASK_WAIT) receive(&ticket, &verdict), cola_search_tell(s, ticket, &verdict);
 *     }
 *
 * No MPI, no I/O, no clock, no model. ask gives WAIT while a ticket is out that the next step depends on.
 * Node 0 is the base chain; nodes are in order of creation, which is the order of their evaluation. */
#ifndef COLA_SEARCH_H
#define COLA_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cola/chain.h"
#include "cola/status.h"
#include "cola/task.h" /* struct cola_verdict */

enum cola_space { COLA_SPACE_BOTH = 0, COLA_SPACE_SKIP = 1, COLA_SPACE_REPEAT = 2 };

/* A policy is a small table of functions (src/search/policy.h); its numbers are here. */
struct cola_search_options {
    const char *policy; /* "cola", "random" ..; a name from cola_policy_names() */
    uint64_t seed;
    uint32_t
        n_simulations; /* the base chain's evaluation is the first; polar, drllm-code: it is not counted */
    enum cola_space space;
    uint32_t max_skip;  /* skip blocks of 1 .. max_skip */
    uint32_t max_block; /* repeat blocks of 1 .. max_block ... */
    uint32_t max_times; /* ... another 1 .. max_times times */
    double min_length;  /* bounds on the chain's length as multiples of L: ceil(min L) .. floor(max L) */
    double max_length;
    double exploration;    /* c */
    double length_penalty; /* lambda */
    double epsilon;        /* probability of expanding an inner node */
    uint32_t speculate;    /* W: chains out at once, 1 .. COLA_SPECULATE_MAX. Decides no result: not part of a
                              search's identity */
};
#define COLA_SPECULATE_MAX 1024

/* Fills options with a preset's numbers (seed 0, space both, speculate 1); COLA_ERR_USAGE lists the presets.
 */
enum cola_status cola_search_preset(const char *preset, struct cola_search_options *options);
const char *cola_search_preset_names(void); /* "cola|random|..", for help texts */
extern const char cola_search_presets[];    /* the same text, for tables of constants */
const char *cola_policy_names(void);        /* the procedures that options.policy may name, the same form */

/* What create refuses whatever the model: COLA_ERR_USAGE names an unknown policy, a number out of range, or a
 * number that the policy does not leave open (published code keeps its own). */
enum cola_status cola_search_check(const struct cola_search_options *options);

/* Simulations that a search with these options does at most: fewer than n_simulations where the policy ends
 * by itself (exhaustive). For estimates. */
uint32_t cola_search_most_simulations(const struct cola_search_options *options, uint32_t n_model_layers);

/* Layers of the longest chain that such a search may ask for. Options that create refuses: COLA_ERR_USAGE. */
enum cola_status cola_search_most_layers(const struct cola_search_options *options, uint32_t n_model_layers,
                                         uint32_t *out);

enum cola_ask { COLA_ASK_CHAIN, COLA_ASK_WAIT, COLA_ASK_DONE };

struct cola_search;

/* COLA_ERR_USAGE: as cola_search_check. Bounds that leave no edit are allowed:
 * the search then ends with the base chain. options.policy is not kept. */
enum cola_status cola_search_create(const struct cola_search_options *options, uint32_t n_model_layers,
                                    uint32_t sample, struct cola_search **out);
void cola_search_destroy(struct cola_search *search); /* NULL allowed */

/* The next chain to evaluate. *ticket names it in tell. WAIT: tell first. At most options.speculate tickets
 * are out; a chain is given once. Beyond one, chains are guesses of what the search will come to: some turn
 * out to be needed by no node. Nodes, visits, rewards, order and the front are those of speculate = 1 at
 * every moment; what was guessed is never seen in them. Running out of memory ends the search early with
 * cola_search_failed true: it is never a result. After DONE the answer stays DONE. */
enum cola_ask cola_search_ask(struct cola_search *search, uint32_t *ticket, struct cola_chain *chain);

/* The result of a ticket that is out. Each is told once, in any order: one that no longer matters, or not
 * yet, is kept inside in case the search comes to its chain. Telling a search with speculate > 1 that is done
 * does nothing. The verdict must depend on the chain alone. */
void cola_search_tell(struct cola_search *search, uint32_t ticket, const struct cola_verdict *verdict);

/* Before evaluating a ticket that had to wait: true if, as far as is known now, no result will need it (its
 * guess was wrong, or the search is over). It is taken back then: do not tell it; ask may give its chain
 * again under the same number, and it may have another to give now. Only after ask gave WAIT or DONE. */
bool cola_search_release(struct cola_search *search, uint32_t ticket);

bool cola_search_failed(const struct cola_search *search);

struct cola_node_view {
    struct cola_chain chain; /* borrowed from the search */
    struct cola_edit edit;   /* how it came from its parent */
    int32_t parent;          /* node index, -1 for the base */
    uint32_t depth;          /* edits from the base along the tree: base 0 */
    uint32_t simulation;     /* that evaluated it; 0: the base's evaluation, whether it counts or not */
    uint32_t n_visits;       /* simulations through it, its own included */
    double total_reward;     /* of those */
    float reward;            /* its own evaluation's */
    int32_t prediction;
};

uint32_t cola_search_n_nodes(const struct cola_search *search); /* whose result was told and came in turn */
void cola_search_node(const struct cola_search *search, uint32_t index, struct cola_node_view *out);
uint32_t cola_search_n_simulations(const struct cola_search *search); /* done so far */
uint64_t cola_search_bytes(const struct cola_search *search);         /* memory held */

/* --- replaying published code: for recorded runs of it, and for whoever wants to watch a search --- */

/* Takes these uniforms, in order of use, in place of keyed random numbers. Before the first ask; the list is
 * borrowed until destroy. COLA_ERR_UNSUPPORTED: a policy that is not published code; COLA_ERR_INPUT: a number
 * outside [0, 1). A list that runs out ends the search: cola_search_failed, and cola_error_text says so. */
enum cola_status cola_search_inject(struct cola_search *search, const double *uniform, size_t n);
size_t cola_search_n_injected_used(const struct cola_search *search);

/* A simulation that is over. */
struct cola_simulation {
    struct cola_chain chain; /* of the node whose reward was backed up; borrowed during the call */
    bool evaluated;          /* its result is new; false: published code simulated without an evaluation */
    double reward;           /* backed up */
};
typedef void cola_simulation_fn(void *user, const struct cola_simulation *simulation);
void cola_search_observe(struct cola_search *search, cola_simulation_fn *observer, void *user);

/* Marks the Pareto front of (reward up, length down): on_front[n_nodes]. A node is on it if no other has at
 * least its reward and at most its length with one of them better; of equals the older stays. */
void cola_search_front(const struct cola_search *search, bool *on_front);

#endif

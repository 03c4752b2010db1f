/* fold.h - from searches and known results to the columns of run.h5. */
#ifndef COLA_RECORD_FOLD_H
#define COLA_RECORD_FOLD_H

#include "record/columns.h"
#include "record/known.h"

/* The texts and keys of one sample of tasks.h5, and what its search came to. The chains follow, then
 * cola_fold_sample_end. Begin with cola_fold_begin. */
struct cola_fold_sample {
    const struct cola_tasks *tasks;
    uint32_t index;
    int32_t target;
    bool finished;
    uint32_t n_simulations;
};
enum cola_status cola_fold_begin(struct cola_columns *columns);
enum cola_status cola_fold_sample(struct cola_columns *columns, const struct cola_fold_sample *sample);
/* answer: what the grader found; empty under other rules than generate. */
enum cola_status cola_fold_chain(struct cola_columns *columns, const struct cola_node_view *node,
                                 bool on_front, const struct cola_result *result, struct cola_text answer);
enum cola_status cola_fold_sample_end(struct cola_columns *columns);

/* All of the above for a search: nodes in order, each with its known result. Under generate a result that was
 * not graded yet is graded, which is remembered in `known`. COLA_ERR_MISMATCH: a node whose result was never
 * recorded, or whose prediction does not follow from its tokens. search NULL: not begun. */
enum cola_status cola_fold_search(struct cola_columns *columns, const struct cola_fold_sample *sample,
                                  const struct cola_search *search, struct cola_known *known);

#endif

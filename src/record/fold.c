/* fold.c - turns searches and known results into the columns of run.h5, sample by sample in the order of
 * tasks.h5, chains in the order of their nodes: so the content does not depend on who evaluated what when.
 * Generated answers are graded here from their tokens, once each. Touches no file. */
#include "record/fold.h"

#include <stdlib.h>

#include "cola/judge.h"
#include "cola/memory.h"

#define PUT(column, ctype, value) COLA_TRY(COLA_COLUMNS_PUT(columns, column, ctype, value))

enum cola_status cola_fold_begin(struct cola_columns *columns)
{
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        enum cola_shape shape = cola_run_schema[i].shape;
        if (shape == COLA_SHAPE_OFFSETS || shape == COLA_SHAPE_FIRST)
            COLA_TRY(cola_columns_end_row(columns, (enum cola_run_column)i)); /* the first offset, 0 */
    }
    return COLA_OK;
}

static enum cola_status put_text(struct cola_columns *columns, enum cola_run_column offsets,
                                 struct cola_text text)
{
    COLA_TRY(cola_columns_append(columns, (enum cola_run_column)cola_run_schema[offsets].into, text.bytes,
                                 (size_t)text.n_bytes));
    return cola_columns_end_row(columns, offsets);
}

enum cola_status cola_fold_sample(struct cola_columns *columns, const struct cola_fold_sample *sample)
{
    const struct cola_sample *task = cola_tasks_sample(sample->tasks, sample->index);
    PUT(COLA_SAMPLES_INDEX, uint32_t, sample->index);
    PUT(COLA_SAMPLES_GOLD, int32_t, cola_judge_gold(sample->tasks, sample->index));
    PUT(COLA_SAMPLES_TARGET, int32_t, sample->target);
    PUT(COLA_SAMPLES_FINISHED, uint8_t, sample->finished);
    PUT(COLA_SAMPLES_N_SIMULATIONS, uint32_t, sample->n_simulations);
    COLA_TRY(put_text(columns, COLA_SAMPLES_ID_OFFSETS, cola_tasks_id(sample->tasks, sample->index)));
    COLA_TRY(
        put_text(columns, COLA_TEXTS_QUESTION_OFFSETS, cola_tasks_question(sample->tasks, sample->index)));
    COLA_TRY(put_text(columns, COLA_TEXTS_TARGET_OFFSETS,
                      cola_judge_target_text(sample->tasks, sample->index, sample->target)));
    for (uint32_t i = 0; i < task->n_candidates; i++) {
        PUT(COLA_CANDIDATES_N_BYTES, uint32_t, task->candidate_bytes[i]);
        COLA_TRY(put_text(columns, COLA_CANDIDATES_LABEL_OFFSETS,
                          cola_tasks_label(sample->tasks, sample->index, i)));
        COLA_TRY(
            put_text(columns, COLA_TEXTS_CHOICE_OFFSETS, cola_tasks_choice(sample->tasks, sample->index, i)));
    }
    return cola_columns_end_row(columns, COLA_SAMPLES_CANDIDATE_OFFSETS);
}

static enum cola_status put_result(struct cola_columns *columns, const struct cola_result *result)
{
    PUT(COLA_CHAINS_OUTCOME, uint8_t, result->outcome);
    COLA_TRY(cola_columns_append(columns, COLA_SCORES_VALUES, result->score, result->n_scores));
    COLA_TRY(cola_columns_end_row(columns, COLA_SCORES_OFFSETS));
    COLA_TRY(cola_columns_append(columns, COLA_SCORES_TOKEN_VALUES, result->token, result->n_tokens));
    COLA_TRY(cola_columns_end_row(columns, COLA_SCORES_TOKEN_OFFSETS));
    PUT(COLA_SCORES_LOGSUMEXP, float, result->logsumexp);
    PUT(COLA_SCORES_ARGMAX, int32_t, result->argmax);
    PUT(COLA_TIMING_SECONDS, float, result->cost.seconds);
    PUT(COLA_TIMING_LAYERS_ASKED, uint32_t, result->cost.layers_asked);
    PUT(COLA_TIMING_LAYERS_EXECUTED, uint32_t, result->cost.layers_executed);
    PUT(COLA_TIMING_ROW_LAYERS, uint64_t, result->cost.row_layers);
    return COLA_OK;
}

enum cola_status cola_fold_chain(struct cola_columns *columns, const struct cola_node_view *node,
                                 bool on_front, const struct cola_result *result, struct cola_text answer)
{
    COLA_TRY(cola_columns_append(columns, COLA_CHAINS_LAYER_VALUES, node->chain.layer, node->chain.n_layers));
    COLA_TRY(cola_columns_end_row(columns, COLA_CHAINS_LAYER_OFFSETS));
    PUT(COLA_CHAINS_PARENT, int32_t, node->parent);
    PUT(COLA_CHAINS_DEPTH, uint32_t, node->depth);
    PUT(COLA_CHAINS_EDIT_KIND, uint8_t, node->edit.kind);
    PUT(COLA_CHAINS_EDIT_POSITION, uint16_t, node->edit.position);
    PUT(COLA_CHAINS_EDIT_BLOCK, uint8_t, node->edit.block);
    PUT(COLA_CHAINS_EDIT_TIMES, uint8_t, node->edit.times);
    PUT(COLA_CHAINS_SIMULATION, uint32_t, node->simulation);
    PUT(COLA_CHAINS_N_VISITS, uint32_t, node->n_visits);
    PUT(COLA_CHAINS_TOTAL_REWARD, double, node->total_reward);
    PUT(COLA_CHAINS_REWARD, float, node->reward);
    PUT(COLA_CHAINS_PREDICTION, int32_t, node->prediction);
    PUT(COLA_CHAINS_ON_FRONT, uint8_t, on_front);
    COLA_TRY(put_text(columns, COLA_SCORES_ANSWER_OFFSETS, answer));
    return put_result(columns, result);
}

enum cola_status cola_fold_sample_end(struct cola_columns *columns)
{
    return cola_columns_end_row(columns, COLA_SAMPLES_CHAIN_OFFSETS);
}

static enum cola_status refuse_node(uint32_t sample, const struct cola_node_view *node, const char *why)
{
    char text[200];
    cola_chain_print(&node->chain, text, sizeof text);
    return cola_fail(COLA_ERR_MISMATCH, "sample %u: chain %s is in the search tree, but %s", sample, text,
                     why);
}

/* What the search was told must be what the tokens say: the two were graded apart. */
static enum cola_status grade(const struct cola_fold_sample *sample, const struct cola_node_view *node,
                              struct cola_known *known, struct cola_known_entry *entry)
{
    if (!entry->graded) {
        struct cola_judgement j;
        COLA_TRY(cola_judge_result(sample->tasks, sample->index, COLA_METRIC_ACC, sample->target,
                                   &entry->result, &j));
        COLA_TRY(cola_known_grade(known, entry, j.verdict.prediction,
                                  (struct cola_text){j.grade.answer, j.grade.n_bytes}));
    }
    if (entry->prediction != node->prediction)
        return refuse_node(sample->index, node, "its prediction is not what its tokens give");
    return COLA_OK;
}

static enum cola_status fold_nodes(struct cola_columns *columns, const struct cola_fold_sample *sample,
                                   const struct cola_search *search, struct cola_known *known,
                                   const bool *on_front)
{
    bool generated = cola_tasks_info(sample->tasks)->rule == COLA_SCORE_GENERATE;
    for (uint32_t i = 0; i < cola_search_n_nodes(search); i++) {
        struct cola_node_view node;
        cola_search_node(search, i, &node);
        struct cola_known_entry *entry = cola_known_find(known, sample->index, &node.chain);
        if (!entry) return refuse_node(sample->index, &node, "its result was never recorded");
        if (generated) COLA_TRY(grade(sample, &node, known, entry));
        COLA_TRY(cola_fold_chain(columns, &node, on_front[i], &entry->result, entry->answer));
    }
    return COLA_OK;
}

enum cola_status cola_fold_search(struct cola_columns *columns, const struct cola_fold_sample *sample,
                                  const struct cola_search *search, struct cola_known *known)
{
    COLA_TRY(cola_fold_sample(columns, sample));
    if (search) {
        bool *on_front = NULL;
        COLA_TRY(cola_alloc((void **)&on_front, cola_search_n_nodes(search), sizeof *on_front, "front"));
        cola_search_front(search, on_front);
        enum cola_status status = fold_nodes(columns, sample, search, known, on_front);
        free(on_front);
        COLA_TRY(status);
    }
    return cola_fold_sample_end(columns);
}

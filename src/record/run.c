/* run.c - hands out what an open run.h5 holds: samples, chains, texts, fields, the digest. Everything was
 * checked when it was loaded; indices are the caller's to keep in range (asserted). */
#include "record/run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void cola_run_close(struct cola_run *run)
{
    if (!run) return;
    cola_columns_fini(&run->columns);
    cola_fields_fini(&run->fields);
    free(run->digest);
    free(run->path);
    free(run);
}

const char *cola_run_attribute(const struct cola_run *run, const char *key)
{
    if (strcmp(key, "content_digest") == 0) return run->digest;
    if (strcmp(key, "complete") == 0) return run->complete_text;
    if (strcmp(key, "folded_sequence") == 0) return run->sequence_text;
    return cola_fields_value(&run->fields, key);
}

const struct cola_field *cola_run_field(const struct cola_run *run, uint32_t i)
{
    return i < run->fields.n ? &run->fields.item[i] : NULL;
}

uint32_t cola_run_n_samples(const struct cola_run *run)
{
    return (uint32_t)cola_columns_rows(&run->columns, COLA_ROWS_SAMPLES);
}

uint64_t cola_run_n_chains(const struct cola_run *run)
{
    return cola_columns_rows(&run->columns, COLA_ROWS_CHAINS);
}

/* The columns' types are the schema's: one small function a type. */
static uint8_t u8(const struct cola_run *run, enum cola_run_column column, uint64_t row)
{
    return ((const uint8_t *)run->columns.column[column].data)[row];
}
static uint32_t u32(const struct cola_run *run, enum cola_run_column column, uint64_t row)
{
    return ((const uint32_t *)run->columns.column[column].data)[row];
}
static uint64_t u64(const struct cola_run *run, enum cola_run_column column, uint64_t row)
{
    return ((const uint64_t *)run->columns.column[column].data)[row];
}
static int32_t i32(const struct cola_run *run, enum cola_run_column column, uint64_t row)
{
    return ((const int32_t *)run->columns.column[column].data)[row];
}
static float f32(const struct cola_run *run, enum cola_run_column column, uint64_t row)
{
    return ((const float *)run->columns.column[column].data)[row];
}
static uint64_t offset(const struct cola_run *run, enum cola_run_column column, uint64_t row)
{
    return cola_columns_offsets(&run->columns, column)[row];
}

static struct cola_text text(const struct cola_run *run, enum cola_run_column offsets, uint64_t row)
{
    const char *bytes = run->columns.column[cola_run_schema[offsets].into].data;
    uint64_t first = offset(run, offsets, row);
    return (struct cola_text){bytes + first, offset(run, offsets, row + 1) - first};
}

void cola_run_sample(const struct cola_run *run, uint32_t i, struct cola_run_sample *out)
{
    assert(i < cola_run_n_samples(run));
    uint64_t first = offset(run, COLA_SAMPLES_CHAIN_OFFSETS, i);
    *out = (struct cola_run_sample){
        .index = u32(run, COLA_SAMPLES_INDEX, i),
        .gold = i32(run, COLA_SAMPLES_GOLD, i),
        .target = i32(run, COLA_SAMPLES_TARGET, i),
        .finished = u8(run, COLA_SAMPLES_FINISHED, i),
        .n_simulations = u32(run, COLA_SAMPLES_N_SIMULATIONS, i),
        .id = text(run, COLA_SAMPLES_ID_OFFSETS, i),
        .question = text(run, COLA_TEXTS_QUESTION_OFFSETS, i),
        .target_text = text(run, COLA_TEXTS_TARGET_OFFSETS, i),
        .first_chain = first,
        .n_chains = offset(run, COLA_SAMPLES_CHAIN_OFFSETS, i + 1) - first,
        .n_candidates = (uint32_t)(offset(run, COLA_SAMPLES_CANDIDATE_OFFSETS, i + 1) -
                                   offset(run, COLA_SAMPLES_CANDIDATE_OFFSETS, i)),
    };
}

void cola_run_result(const struct cola_run *run, uint64_t row, struct cola_result *out)
{
    assert(row < cola_run_n_chains(run));
    uint64_t score = offset(run, COLA_SCORES_OFFSETS, row),
             token = offset(run, COLA_SCORES_TOKEN_OFFSETS, row);
    uint32_t n_tokens = (uint32_t)(offset(run, COLA_SCORES_TOKEN_OFFSETS, row + 1) - token);
    *out = (struct cola_result){
        .outcome = u8(run, COLA_CHAINS_OUTCOME, row),
        .score = (const float *)run->columns.column[COLA_SCORES_VALUES].data + score,
        .n_scores = (uint32_t)(offset(run, COLA_SCORES_OFFSETS, row + 1) - score),
        .token =
            n_tokens ? (const int32_t *)run->columns.column[COLA_SCORES_TOKEN_VALUES].data + token : NULL,
        .n_tokens = n_tokens,
        .logsumexp = f32(run, COLA_SCORES_LOGSUMEXP, row),
        .argmax = i32(run, COLA_SCORES_ARGMAX, row),
        .cost = {.layers_asked = u32(run, COLA_TIMING_LAYERS_ASKED, row),
                 .layers_executed = u32(run, COLA_TIMING_LAYERS_EXECUTED, row),
                 .row_layers = u64(run, COLA_TIMING_ROW_LAYERS, row),
                 .seconds = f32(run, COLA_TIMING_SECONDS, row)},
    };
}

void cola_run_chain(const struct cola_run *run, uint64_t row, struct cola_run_chain *out)
{
    struct cola_result result;
    cola_run_result(run, row, &result);
    uint64_t layer = offset(run, COLA_CHAINS_LAYER_OFFSETS, row);
    const uint16_t *position = run->columns.column[COLA_CHAINS_EDIT_POSITION].data;
    const double *total_reward = run->columns.column[COLA_CHAINS_TOTAL_REWARD].data;
    *out = (struct cola_run_chain){
        .node = {.chain = {(const cola_layer *)run->columns.column[COLA_CHAINS_LAYER_VALUES].data + layer,
                           (uint32_t)(offset(run, COLA_CHAINS_LAYER_OFFSETS, row + 1) - layer)},
                 .edit = {.kind = u8(run, COLA_CHAINS_EDIT_KIND, row),
                          .block = u8(run, COLA_CHAINS_EDIT_BLOCK, row),
                          .times = u8(run, COLA_CHAINS_EDIT_TIMES, row),
                          .position = position[row]},
                 .parent = i32(run, COLA_CHAINS_PARENT, row),
                 .depth = u32(run, COLA_CHAINS_DEPTH, row),
                 .simulation = u32(run, COLA_CHAINS_SIMULATION, row),
                 .n_visits = u32(run, COLA_CHAINS_N_VISITS, row),
                 .total_reward = total_reward[row],
                 .reward = f32(run, COLA_CHAINS_REWARD, row),
                 .prediction = i32(run, COLA_CHAINS_PREDICTION, row)},
        .outcome = result.outcome,
        .on_front = u8(run, COLA_CHAINS_ON_FRONT, row),
        .score = result.score,
        .n_scores = result.n_scores,
        .answer = text(run, COLA_SCORES_ANSWER_OFFSETS, row),
    };
}

bool cola_run_by_row(const struct cola_run *run)
{
    return run->by_row;
}

static uint64_t candidate_row(const struct cola_run *run, uint32_t i, uint32_t candidate)
{
    uint64_t row = offset(run, COLA_SAMPLES_CANDIDATE_OFFSETS, i) + candidate;
    assert(row < offset(run, COLA_SAMPLES_CANDIDATE_OFFSETS, i + 1));
    return row;
}

struct cola_text cola_run_choice(const struct cola_run *run, uint32_t i, uint32_t candidate)
{
    return text(run, COLA_TEXTS_CHOICE_OFFSETS, candidate_row(run, i, candidate));
}

struct cola_text cola_run_label(const struct cola_run *run, uint32_t i, uint32_t candidate)
{
    return text(run, COLA_CANDIDATES_LABEL_OFFSETS, candidate_row(run, i, candidate));
}

enum cola_status cola_run_digest(const struct cola_run *run, char out[COLA_HASH_TEXT])
{
    char computed[COLA_HASH_TEXT];
    if (run->minor > COLA_RUN_MINOR)
        return cola_fail(COLA_ERR_UNSUPPORTED,
                         "%s: version %d.%lld, this program knows %d.%d: the digest covers data sets that it "
                         "does not know; use a newer one",
                         run->path, COLA_RUN_MAJOR, (long long)run->minor, COLA_RUN_MAJOR, COLA_RUN_MINOR);
    COLA_TRY(cola_columns_digest(&run->columns, &run->fields, (int)run->minor, computed));
    if (strcmp(computed, run->digest) != 0)
        return cola_fail(COLA_ERR_INPUT,
                         "%s: content_digest: stored %.40s, but the content gives %s: the file was changed",
                         run->path, run->digest, computed);
    memcpy(out, computed, sizeof computed);
    return COLA_OK;
}

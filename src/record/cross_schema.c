/* cross_schema.c - the one table of x.h5's data sets: it feeds the writer, the reader, the digest and the
 * test that compares it with docs/format-cross.md. A change here changes the version, that page and the
 * tests. */
#include "record/cross.h"

/* clang-format off: a table reads by its columns */
#define N  COLA_CROSS_OF_SAMPLES
#define N1 COLA_CROSS_OF_SAMPLES_1
#define C  COLA_CROSS_OF_CHAINS
#define C1 COLA_CROSS_OF_CHAINS_1
const struct cola_cross_schema cola_cross_schema[COLA_N_CROSS_COLUMNS] = {
    [COLA_CROSS_INDEX] =
        {"samples/index", COLA_H5_U32, {N}, "[n]", "row in tasks.h5: the sample's key; ascending"},
    [COLA_CROSS_ID_VALUES] =
        {"samples/id_values", COLA_H5_U8, {COLA_CROSS_OF_ID_BYTES}, "[bytes]", "the benchmark's row ids"},
    [COLA_CROSS_ID_OFFSETS] = {"samples/id_offsets", COLA_H5_U64, {N1}, "[n+1]", "of id_values"},
    [COLA_CROSS_GOLD] = {"samples/gold",
                         COLA_H5_I32,
                         {N},
                         "[n]",
                         "right candidate, from 0; without choices the sample's index; -1: unknown"},
    [COLA_CROSS_N_CANDIDATES] = {"samples/n_candidates", COLA_H5_U32, {N}, "[n]", "candidates of the sample"},
    [COLA_CROSS_CHOICE_VALUES] = {"texts/choice_values",
                                  COLA_H5_U8,
                                  {COLA_CROSS_OF_CHOICE_BYTES},
                                  "[bytes]",
                                  "since 1.1: the texts of all samples' candidates, one after the other"},
    [COLA_CROSS_CHOICE_OFFSETS] = {"texts/choice_offsets",
                                   COLA_H5_U64,
                                   {COLA_CROSS_OF_CHOICES_1},
                                   "[candidates+1]",
                                   "since 1.1: of choice_values; a sample has n_candidates of them"},
    [COLA_CROSS_LAYER_VALUES] = {"chains/layer_values",
                                 COLA_H5_U16,
                                 {COLA_CROSS_OF_LAYERS},
                                 "[layers]",
                                 "the chains: layer indices from 0; ascending, each chain once"},
    [COLA_CROSS_LAYER_OFFSETS] = {"chains/layer_offsets",
                                  COLA_H5_U64,
                                  {C1},
                                  "[c+1]",
                                  "of layer_values; their differences are the chains' lengths"},
    [COLA_CROSS_OUTCOME] =
        {"results/outcome",
         COLA_H5_U8,
         {N, C},
         "[n, c]",
         "0 scored, 1 a logit was not finite, 2 set aside after crashing its worker, 255 not evaluated"},
    [COLA_CROSS_RIGHT] = {"results/right", COLA_H5_U8, {N, C}, "[n, c]", "1: the prediction is gold"},
    [COLA_CROSS_PREDICTION] = {"results/prediction",
                               COLA_H5_I32,
                               {N, C},
                               "[n, c]",
                               "as in run.h5: -1: nothing, -2: something else than gold (without choices)"},
    [COLA_CROSS_SCORES] =
        {"results/scores",
         COLA_H5_F32,
         {N, C, COLA_CROSS_OF_CANDIDATES},
         "[n, c, m]",
         "--details, letter and loglik: one a candidate, then NaN; all NaN where not finite"},
    [COLA_CROSS_TOKENS] = {"results/tokens",
                           COLA_H5_I32,
                           {N, C, COLA_CROSS_OF_TOKENS},
                           "[n, c, t]",
                           "--details, generate: the tokens, stop token included, then -1"},
};
/* clang-format on */

unsigned cola_cross_rank(enum cola_cross_column column)
{
    unsigned rank = 1;
    while (rank < 3 && cola_cross_schema[column].dimension[rank]) rank++;
    return rank;
}

bool cola_cross_has(const struct cola_cross_shape *shape, enum cola_cross_column column)
{
    enum cola_cross_dimension last = cola_cross_schema[column].dimension[2];
    if (column == COLA_CROSS_CHOICE_VALUES || column == COLA_CROSS_CHOICE_OFFSETS)
        return shape->size[COLA_CROSS_OF_CHOICES_1] > 0;
    return !last || shape->size[last] > 0;
}

uint64_t cola_cross_row_items(const struct cola_cross_shape *shape, enum cola_cross_column column)
{
    uint64_t n = 1;
    for (unsigned i = 1; i < cola_cross_rank(column); i++)
        n *= shape->size[cola_cross_schema[column].dimension[i]];
    return n;
}

uint64_t cola_cross_items(const struct cola_cross_shape *shape, enum cola_cross_column column)
{
    return shape->size[cola_cross_schema[column].dimension[0]] * cola_cross_row_items(shape, column);
}

/* test_planted_errors.c - the parity bounds must catch wrong arithmetic. Each case breaks one thing on
 * purpose and must land outside the bounds by a wide margin; unbroken, the same code is inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "parity/goldens.h"

/* What the broken operations share; a test runs one engine at a time. */
static struct {
    uint32_t n_rotations;             /* so far: keys first, then queries, layer by layer */
    cola_layer layer;                 /* being executed */
    float *first_k[16], *first_v[16]; /* by layer: keys and values of its first pass */
    size_t n_floats;
    float *norm[16][2];  /* by layer: weights of the norms of queries and keys */
    uint32_t norm_width; /* of queries: one head, or all */
    float eps;
    struct cola_model_config config;
} planted;

static enum cola_status rotate_interleaved(struct cola_device *device, float *x, const float *table,
                                           const uint32_t *position, uint32_t n_rows, uint32_t n_heads,
                                           uint32_t head_size)
{
    uint32_t half = head_size / 2;
    (void)device;
    for (uint32_t n = 0; n < n_rows; n++)
        for (uint32_t h = 0; h < n_heads; h++, x += head_size)
            for (uint32_t i = 0; i < half; i++) {
                float c = table[(size_t)position[n] * head_size + i],
                      s = table[(size_t)position[n] * head_size + half + i];
                float a = x[2 * i], b = x[2 * i + 1];
                x[2 * i] = a * c - b * s;
                x[2 * i + 1] = b * c + a * s;
            }
    return COLA_OK;
}

static enum cola_status rotate_one_position_late(struct cola_device *device, float *x, const float *table,
                                                 const uint32_t *position, uint32_t n_rows, uint32_t n_heads,
                                                 uint32_t head_size)
{
    uint32_t *late =
        calloc(n_rows, sizeof *late); /* only keys or only queries late would matter: make it half the rows */
    for (uint32_t n = 0; n < n_rows; n++) late[n] = position[n] + n % 2;
    enum cola_status status = cola_backend_ref.rotate(device, x, table, late, n_rows, n_heads, head_size);
    free(late);
    return status;
}

static enum cola_status load_transposed(struct cola_device *device, const struct cola_tensor *tensor,
                                        void *room, bool filled, struct cola_matrix **out)
{
    struct cola_tensor wrong = *tensor;
    size_t n = tensor->shape[0];
    if (tensor->shape[0] != tensor->shape[1])
        return cola_backend_ref.load_matrix(device, tensor, room, filled, out);
    float *data = calloc(n * n, sizeof *data);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) data[j * n + i] = cola_tensor_at(tensor, i * n + j);
    wrong.data = data;
    wrong.mapped = false;
    wrong.dtype = COLA_F32;
    enum cola_status status = cola_backend_ref.load_matrix(device, &wrong, room, filled, out);
    free(data);
    return status;
}

static enum cola_status attend_one_key_short(struct cola_device *device, const struct cola_attention *a)
{
    struct cola_span span[64];
    struct cola_attention wrong = *a;
    memcpy(span, a->span, a->n_spans * sizeof *span);
    for (uint32_t i = 0; i < a->n_spans; i++)
        if (span[i].n_prefix > 1) span[i].n_prefix--; /* a continuation misses the prompt's last token */
    wrong.span = span;
    return cola_backend_ref.attention(device, &wrong);
}

/* The published implementations' error: keys and values cached by layer index, so a looped layer reads its
 * first pass. */
static enum cola_status attend_first_pass(struct cola_device *device, const struct cola_attention *a)
{
    struct cola_span span[64];
    struct cola_attention wrong = *a;
    cola_layer layer = planted.layer;
    const float *k = a->span[0].tail.k, *v = a->span[0].tail.v; /* the prompt's: the batch's first rows */
    if (!planted.first_k[layer]) {
        planted.first_k[layer] = malloc(planted.n_floats * sizeof(float));
        planted.first_v[layer] = malloc(planted.n_floats * sizeof(float));
        memcpy(planted.first_k[layer], k, planted.n_floats * sizeof(float));
        memcpy(planted.first_v[layer], v, planted.n_floats * sizeof(float));
    }
    for (uint32_t i = 0; i < a->n_spans; i++) {
        span[i] = a->span[i];
        span[i].tail.k = planted.first_k[layer] + (span[i].tail.k - k);
        span[i].tail.v = planted.first_v[layer] + (span[i].tail.v - v);
        if (span[i].n_prefix == 0) continue;
        span[i].prefix.k = planted.first_k[layer] + (span[i].prefix.k - k);
        span[i].prefix.v = planted.first_v[layer] + (span[i].prefix.v - v);
    }
    wrong.span = span;
    return cola_backend_ref.attention(device, &wrong);
}

static enum cola_status ignore(void *user, const struct cola_result *result)
{
    memcpy(user, result->score, result->n_scores * sizeof *result->score);
    return COLA_OK;
}

static void forget_first_pass(void)
{
    for (int l = 0; l < 16; l++) {
        free(planted.first_k[l]);
        free(planted.first_v[l]);
        planted.first_k[l] = planted.first_v[l] = NULL;
    }
}

/* --- damage to a loaded engine, for what only some architectures have
 * ---------------------------------------- */

static void drop_vectors(struct cola_engine *e, const enum cola_weight *role, size_t n)
{
    for (uint32_t l = 0; l < e->config->n_layers; l++)
        for (size_t i = 0; i < n; i++) {
            assert_non_null(
                e->weights.layer[l].vector[role[i]]); /* the architecture has it, or nothing is planted */
            e->backend->release(e->device, e->weights.layer[l].vector[role[i]]);
            e->weights.layer[l].vector[role[i]] = NULL;
        }
}

static void drop_biases(struct cola_engine *e)
{
    static const enum cola_weight role[] = {COLA_WEIGHT_Q_BIAS, COLA_WEIGHT_K_BIAS, COLA_WEIGHT_V_BIAS};
    drop_vectors(e, role, 3);
}

static void drop_norms(struct cola_engine *e)
{
    static const enum cola_weight role[] = {COLA_WEIGHT_Q_NORM, COLA_WEIGHT_K_NORM};
    drop_vectors(e, role, 2);
}

/* Keeps the norms' weights aside: rotate_then_norm applies them. */
static void take_norms(struct cola_engine *e)
{
    for (uint32_t l = 0; l < e->config->n_layers; l++) {
        struct layer_weights *w = &e->weights.layer[l];
        planted.norm[l][0] = w->vector[COLA_WEIGHT_Q_NORM];
        planted.norm[l][1] = w->vector[COLA_WEIGHT_K_NORM];
        w->vector[COLA_WEIGHT_Q_NORM] = w->vector[COLA_WEIGHT_K_NORM] = NULL;
    }
    planted.n_rotations = 0;
    planted.norm_width = e->weights.layer[0].width[COLA_WEIGHT_Q_NORM];
    planted.eps = e->config->norm_eps;
}

static enum cola_status rotate_then_norm(struct cola_device *device, float *x, const float *table,
                                         const uint32_t *position, uint32_t n_rows, uint32_t n_heads,
                                         uint32_t head_size)
{
    bool keys = planted.n_rotations++ % 2 == 0;
    uint32_t width = planted.norm_width == head_size ? head_size : n_heads * head_size;
    enum cola_status status = cola_backend_ref.rotate(device, x, table, position, n_rows, n_heads, head_size);
    if (status != COLA_OK) return status;
    return cola_backend_ref.norm(device, x, planted.norm[planted.layer][keys], planted.eps,
                                 n_rows * (n_heads * head_size / width), width, x);
}

static void give_norms_back(struct cola_engine *e)
{
    for (uint32_t l = 0; l < e->config->n_layers; l++) {
        e->weights.layer[l].vector[COLA_WEIGHT_Q_NORM] = planted.norm[l][0];
        e->weights.layer[l].vector[COLA_WEIGHT_K_NORM] = planted.norm[l][1];
    }
}

static void flip_normalisation(struct cola_engine *e)
{
    planted.config = *e->config;
    planted.config.experts.normalise = !planted.config.experts.normalise;
    e->config = &planted.config;
}

static void swap_experts(struct cola_engine *e)
{
    for (uint32_t l = 0; l < e->config->n_layers; l++) {
        struct expert_weights *x = e->weights.layer[l].expert;
        if (!x) continue;
        struct expert_weights first = x[0];
        x[0] = x[1];
        x[1] = first;
    }
}

/* The shared expert's gate is the only thing that is read back: a large logit makes its sigmoid 1. */
static enum cola_status download_open_gate(struct cola_device *device, const float *memory, size_t n,
                                           float *host)
{
    (void)device;
    (void)memory;
    for (size_t i = 0; i < n; i++) host[i] = 100.0f;
    return COLA_OK;
}

/* Largest difference of the continuations' sums and of the logits over all cases, with `broken` in ref's
 * place; swap: executes chains with positions 0 and 1 exchanged. */
static struct goldens_distance run_damaged(const char *model, const struct cola_backend *broken, bool swap,
                                           void (*damage)(struct cola_engine *),
                                           void (*mend)(struct cola_engine *))
{
    struct goldens *g = goldens_open(model);
    struct cola_engine_options options = {.backend = "ref"};
    struct cola_engine *e;
    struct goldens_distance most = {0, 0};
    assert_int_equal(cola_engine_create(goldens_model(g), &options, &e), COLA_OK);
    cola_weights_release(e);
    memset(&e->weights, 0, sizeof e->weights);
    e->backend = broken;
    assert_int_equal(cola_weights_load(e), COLA_OK);
    if (damage) damage(e);
    for (size_t i = 0; i < 2 * goldens_n_cases(g); i++) {
        const struct golden_case *item = goldens_case(g, i / 2);
        const struct cola_sample *sample = i % 2 ? &item->loglik : &item->next;
        cola_layer chain[64];
        float score[512];
        memcpy(chain, item->chain.layer, item->chain.n_layers * sizeof *chain);
        if (swap && item->chain.n_layers > 1)
            chain[0] = item->chain.layer[1], chain[1] = item->chain.layer[0];
        struct cola_request request = {.sample = sample, .chain = {chain, item->chain.n_layers}};
        planted.n_floats = (size_t)cola_sequence_rows(sample) * e->config->n_kv_heads * e->config->head_size;
        assert_int_equal(cola_engine_submit(e, &request), COLA_OK);
        for (uint32_t at = 0; cola_engine_n_pending(e); at++) {
            planted.layer = chain[at < item->chain.n_layers ? at : 0]; /* the head is the last step */
            assert_int_equal(cola_engine_step(e, ignore, score), COLA_OK);
        }
        forget_first_pass();
        for (uint32_t c = 0; c < sample->n_candidates; c++) {
            double difference = fabs(score[c] - (i % 2 ? item->logprob[c] : (double)item->logits[c]));
            if (i % 2 && difference > most.logprob) most.logprob = difference;
            if (!(i % 2) && difference > most.logit) most.logit = difference;
        }
    }
    if (mend) mend(e);
    e->backend = &cola_backend_ref;
    cola_engine_destroy(e);
    goldens_close(g);
    return most;
}

static struct goldens_distance run_broken(const char *model, const struct cola_backend *broken, bool swap)
{
    return run_damaged(model, broken, swap, NULL, NULL);
}

static void expect_caught(const char *what, struct goldens_distance d)
{
    printf("%s: logits off by %.2g, log-probability sums by %.2g\n", what, d.logit, d.logprob);
    assert_true(d.logit > 100 * GOLDENS_LOGIT_BOUND || d.logprob > 100 * GOLDENS_LOGPROB_BOUND);
}

static void nothing_planted_is_within_the_bounds(void **state)
{
    (void)state;
    struct goldens_distance d = run_broken("llama_gqa_tied", &cola_backend_ref, false);
    assert_true(d.logit <= GOLDENS_LOGIT_BOUND && d.logprob <= GOLDENS_LOGPROB_BOUND);
}

static void swapped_layers_are_caught(void **state)
{
    (void)state;
    expect_caught("two layers swapped", run_broken("llama_gqa_tied", &cola_backend_ref, true));
}

static void transposed_weight_is_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    broken.load_matrix = load_transposed;
    expect_caught("q and o transposed", run_broken("llama_gqa_tied", &broken, false));
}

static void interleaved_rotation_is_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    broken.rotate = rotate_interleaved;
    expect_caught("interleaved rotation", run_broken("llama_gqa_tied", &broken, false));
}

static void rotation_by_a_wrong_position_is_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    broken.rotate = rotate_one_position_late;
    expect_caught("every other row one position late", run_broken("llama3_rope_scaling", &broken, false));
}

static void continuation_that_misses_a_prompt_token_is_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    broken.attention = attend_one_key_short;
    expect_caught("continuation without the prompt's last key", run_broken("llama_gqa_tied", &broken, false));
}

static void looped_layer_that_reads_its_first_pass_is_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    broken.attention = attend_first_pass;
    expect_caught("looped layer reads its first pass", run_broken("llama_gqa_tied", &broken, false));
}

static void dropped_biases_are_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    expect_caught("biases of q, k and v dropped", run_damaged("qwen2", &broken, false, drop_biases, NULL));
}

static void dropped_norms_of_each_head_are_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    expect_caught("norms of q and k dropped (of each head)",
                  run_damaged("qwen3", &broken, false, drop_norms, NULL));
}

static void dropped_norms_of_the_projection_are_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    expect_caught("norms of q and k dropped (of the projection)",
                  run_damaged("olmoe", &broken, false, drop_norms, NULL));
}

static void norm_after_rotation_is_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    broken.rotate = rotate_then_norm;
    expect_caught("norm after the rotation",
                  run_damaged("qwen3", &broken, false, take_norms, give_norms_back));
}

static void shared_gate_dropped_is_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    broken.download = download_open_gate;
    expect_caught("shared expert without its gate", run_damaged("qwen2_moe", &broken, false, NULL, NULL));
}

static void renormalised_weights_are_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    expect_caught("top weights normalised though the model does not",
                  run_damaged("olmoe", &broken, false, flip_normalisation, NULL));
}

static void weights_left_unnormalised_are_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    expect_caught("top weights not normalised though the model does",
                  run_damaged("olmoe_norm_topk", &broken, false, flip_normalisation, NULL));
}

static void experts_in_another_order_are_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    expect_caught("experts 0 and 1 exchanged",
                  run_damaged("qwen2_moe_sparse2", &broken, false, swap_experts, NULL));
}

static void dropped_biases_of_a_model_with_experts_are_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    expect_caught("biases of q, k and v dropped, qwen2_moe",
                  run_damaged("qwen2_moe", &broken, false, drop_biases, NULL));
}

static void norm_of_the_projection_after_rotation_is_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    broken.rotate = rotate_then_norm;
    expect_caught("norm after the rotation, olmoe",
                  run_damaged("olmoe", &broken, false, take_norms, give_norms_back));
}

static void renormalised_weights_beside_a_shared_expert_are_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    expect_caught("top weights normalised though the model does not, qwen2_moe",
                  run_damaged("qwen2_moe", &broken, false, flip_normalisation, NULL));
}

static void shared_gate_dropped_in_sparse_layers_is_caught(void **state)
{
    struct cola_backend broken = cola_backend_ref;
    (void)state;
    broken.download = download_open_gate;
    expect_caught("shared expert without its gate, every other layer",
                  run_damaged("qwen2_moe_sparse2", &broken, false, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_planted_is_within_the_bounds),
        cmocka_unit_test(swapped_layers_are_caught),
        cmocka_unit_test(transposed_weight_is_caught),
        cmocka_unit_test(interleaved_rotation_is_caught),
        cmocka_unit_test(rotation_by_a_wrong_position_is_caught),
        cmocka_unit_test(continuation_that_misses_a_prompt_token_is_caught),
        cmocka_unit_test(looped_layer_that_reads_its_first_pass_is_caught),
        cmocka_unit_test(dropped_biases_are_caught),
        cmocka_unit_test(dropped_norms_of_each_head_are_caught),
        cmocka_unit_test(dropped_norms_of_the_projection_are_caught),
        cmocka_unit_test(norm_after_rotation_is_caught),
        cmocka_unit_test(shared_gate_dropped_is_caught),
        cmocka_unit_test(renormalised_weights_are_caught),
        cmocka_unit_test(weights_left_unnormalised_are_caught),
        cmocka_unit_test(experts_in_another_order_are_caught),
        cmocka_unit_test(dropped_biases_of_a_model_with_experts_are_caught),
        cmocka_unit_test(norm_of_the_projection_after_rotation_is_caught),
        cmocka_unit_test(renormalised_weights_beside_a_shared_expert_are_caught),
        cmocka_unit_test(shared_gate_dropped_in_sparse_layers_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

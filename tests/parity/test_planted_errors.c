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
    uint32_t n_calls;                 /* of attention since the request began: the chain position */
    cola_layer layer;                 /* being executed */
    float *first_k[16], *first_v[16]; /* by layer: keys and values of its first pass */
    size_t n_floats;
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
                                        struct cola_matrix **out)
{
    struct cola_tensor wrong = *tensor;
    size_t n = tensor->shape[0];
    if (tensor->shape[0] != tensor->shape[1]) return cola_backend_ref.load_matrix(device, tensor, out);
    float *data = calloc(n * n, sizeof *data);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) data[j * n + i] = cola_tensor_at(tensor, i * n + j);
    wrong.data = data;
    wrong.dtype = COLA_F32;
    enum cola_status status = cola_backend_ref.load_matrix(device, &wrong, out);
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

/* Largest difference of the continuations' sums and of the logits over all cases, with `broken` in ref's
 * place; swap: executes chains with positions 0 and 1 exchanged. */
static struct goldens_distance run_broken(const char *model, const struct cola_backend *broken, bool swap)
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
    e->backend = &cola_backend_ref;
    cola_engine_destroy(e);
    goldens_close(g);
    return most;
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

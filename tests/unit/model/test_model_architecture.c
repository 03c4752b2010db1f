/* test_model_architecture.c - the table of model types is whole, and docs/format-model.md shows the same
 * table. */
#include "unit/model/tiny_model.h"

#include "model/architecture.h"

/* Every layer role once and every outer role once: a role without a rule would be a weight that is never
 * loaded. */
static void every_role_has_one_rule(void **state)
{
    (void)state;
    const struct cola_architecture *a = cola_architecture_find("llama");
    int n_layer[COLA_N_WEIGHTS] = {0}, n_outer[COLA_N_OUTER_WEIGHTS] = {0};
    assert_non_null(a);
    for (size_t i = 0; i < a->n_rules; i++) {
        const struct cola_weight_rule *rule = &a->rule[i];
        (rule->of_layer ? n_layer : n_outer)[rule->role]++;
        assert_int_equal(!!strchr(rule->name, '*'), rule->of_layer);
        assert_true(strlen(rule->name) + 10 <
                    COLA_WEIGHT_NAME_BYTES); /* a layer's number has at most 10 digits */
        assert_true(rule->n_dims == 1 || rule->n_dims == 2);
    }
    for (int i = 0; i < COLA_N_WEIGHTS; i++) assert_int_equal(n_layer[i], 1);
    for (int i = 0; i < COLA_N_OUTER_WEIGHTS; i++) assert_int_equal(n_outer[i], 1);
    assert_null(cola_architecture_find("Llama"));
    assert_null(cola_architecture_find(""));
}

static void names_carry_the_layer(void **state)
{
    (void)state;
    const struct cola_architecture *a = cola_architecture_find("llama");
    char name[COLA_WEIGHT_NAME_BYTES];
    for (size_t i = 0; i < a->n_rules; i++)
        if (a->rule[i].of_layer && a->rule[i].role == COLA_WEIGHT_Q) {
            cola_weight_rule_name(&a->rule[i], 4095, name);
            assert_string_equal(name, "model.layers.4095.self_attn.q_proj.weight");
        }
}

static void only_inverse_frequencies_are_buffers(void **state)
{
    (void)state;
    assert_true(cola_tensor_is_buffer("model.layers.3.self_attn.rotary_emb.inv_freq"));
    assert_true(cola_tensor_is_buffer("model.rotary_emb.inv_freq"));
    assert_false(cola_tensor_is_buffer("inv_freq"));
    assert_false(cola_tensor_is_buffer("model.layers.3.self_attn.rotary_emb.inv_freq.weight"));
    assert_false(cola_tensor_is_buffer("model.layers.3.self_attn.q_proj.bias"));
}

static const char *axis_text(uint8_t axis)
{
    static const char *const text[] = {[COLA_AXIS_D] = "D",
                                       [COLA_AXIS_H_d] = "H d",
                                       [COLA_AXIS_G_d] = "G d",
                                       [COLA_AXIS_F] = "F",
                                       [COLA_AXIS_V] = "V"};
    return text[axis];
}

static void page_shows_every_rule_and_no_other(void **state)
{
    (void)state;
    static char page[1 << 16];
    FILE *file = fopen(COLA_TEST_DATA "/../../docs/format-model.md", "rb");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    const struct cola_architecture *a = cola_architecture_find("llama");
    const char *table = strstr(page, "## Tensors of `llama`");
    assert_non_null(table);
    for (size_t i = 0; i < a->n_rules; i++) {
        const struct cola_weight_rule *r = &a->rule[i];
        char row[256];
        if (r->n_dims == 2)
            snprintf(row, sizeof row, " | `%s` | [%s, %s] |\n", r->name, axis_text(r->axis[0]),
                     axis_text(r->axis[1]));
        else
            snprintf(row, sizeof row, " | `%s` | [%s] |\n", r->name, axis_text(r->axis[0]));
        if (!strstr(table, row)) fail_msg("docs/format-model.md has no row '%s'", row);
    }
    size_t n_rows = 0;
    for (const char *at = table; (at = strstr(at, " | `")); at++) n_rows++;
    assert_int_equal(n_rows, a->n_rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_role_has_one_rule),
        cmocka_unit_test(names_carry_the_layer),
        cmocka_unit_test(only_inverse_frequencies_are_buffers),
        cmocka_unit_test(page_shows_every_rule_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

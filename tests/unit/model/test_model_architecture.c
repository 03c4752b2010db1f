/* test_model_architecture.c - the table of model types is whole, and docs/format-model.md shows the same
 * tables. */
#include "unit/model/tiny_model.h"

#include <math.h>

#include "model/architecture.h"

/* A model of four layers of the type, with what its class has; layers 1 and 3 have experts where there are
 * any. */
static struct cola_model_config config_of(const struct cola_architecture *a)
{
    struct cola_model_config c = {.n_layers = 4, .qkv_bias = a->qkv_bias};
    snprintf(c.model_type, sizeof c.model_type, "%s", a->model_type);
    if (a->n_experts) c.experts = (struct cola_experts){.n_experts = 2, .in_layer = {10}};
    if (a->n_shared_ff) c.experts.n_shared_ff = 1;
    return c;
}

static void rules_are_well_formed(void **state)
{
    (void)state;
    for (size_t i = 0; i < cola_n_weight_rules; i++) {
        const struct cola_weight_rule *rule = &cola_weight_rules[i];
        int n_stars = 0;
        for (const char *at = rule->name; (at = strchr(at, '*')); at++) n_stars++;
        assert_int_equal(n_stars, rule->place); /* of model 0, of layer 1, of expert 2 */
        assert_true(strlen(rule->name) + 20 < COLA_WEIGHT_NAME_BYTES); /* numbers have at most 10 digits */
        assert_true(rule->n_dims == 1 || rule->n_dims == 2);
        assert_int_equal(!!rule->fused, rule->place == COLA_OF_EXPERT);
        assert_true(!rule->fused || rule->part < rule->n_parts);
        assert_true(i == 0 || rule->place >= cola_weight_rules[i - 1].place);
    }
}

/* Which roles a layer of each type has, dense and with experts: written out, since the table cannot check
 * itself. One character a role in the order of enum cola_weight. */
static void every_type_has_its_roles(void **state)
{
    (void)state;
    static const struct {
        const char *type, *dense, *experts;
    } expected[] = {/* norm QKVO norm, gate up down, biases, q k norms, router, shared */
                    {"llama", "111111 111 000 00 0 0000", NULL},
                    {"mistral", "111111 111 000 00 0 0000", NULL},
                    {"qwen2", "111111 111 111 00 0 0000", NULL},
                    {"qwen3", "111111 111 000 11 0 0000", NULL},
                    {"olmoe", NULL, "111111 000 000 11 1 0000"},
                    {"qwen2_moe", "111111 111 111 00 0 0000", "111111 000 111 00 1 1111"}};
    for (size_t t = 0; t < sizeof expected / sizeof *expected; t++) {
        const struct cola_architecture *a = cola_architecture_find(expected[t].type);
        assert_ptr_equal(a, cola_architecture_at(t));
        const struct cola_model_config config = config_of(a);
        for (uint32_t layer = 0; layer < 2; layer++) {
            const char *text = layer == 1 && a->n_experts ? expected[t].experts : expected[t].dense;
            int n[COLA_N_WEIGHTS] = {0}, n_of_experts[COLA_N_WEIGHTS] = {0}, role = 0;
            for (size_t i = 0; i < cola_n_weight_rules; i++) {
                const struct cola_weight_rule *rule = &cola_weight_rules[i];
                if (rule->place == COLA_OF_MODEL || !cola_weight_rule_applies(rule, &config, layer)) continue;
                (rule->place == COLA_OF_LAYER ? n : n_of_experts)[rule->role]++;
            }
            for (; text && *text; text++) {
                if (*text == ' ') continue;
                if (n[role] != *text - '0') fail_msg("%s, layer %u: role %d", a->model_type, layer, role);
                role++;
            }
            for (role = 0; role < COLA_N_WEIGHTS; role++)
                assert_int_equal(n_of_experts[role], layer == 1 && a->n_experts && role >= COLA_WEIGHT_GATE &&
                                                         role <= COLA_WEIGHT_DOWN);
        }
    }
    assert_null(cola_architecture_at(sizeof expected / sizeof *expected));
    assert_null(cola_architecture_find("Llama"));
    assert_null(cola_architecture_find(""));
}

static void names_carry_layer_and_expert(void **state)
{
    (void)state;
    char name[COLA_WEIGHT_NAME_BYTES];
    cola_weight_name("model.layers.*.self_attn.q_proj.weight", 4095, 7, name);
    assert_string_equal(name, "model.layers.4095.self_attn.q_proj.weight");
    cola_weight_name("model.layers.*.mlp.experts.*.up_proj.weight", 12, 4095, name);
    assert_string_equal(name, "model.layers.12.mlp.experts.4095.up_proj.weight");
    cola_weight_name("lm_head.weight", 1, 2, name);
    assert_string_equal(name, "lm_head.weight");
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
    static const char *const text[] = {
        [COLA_AXIS_1] = "1",     [COLA_AXIS_D] = "D",   [COLA_AXIS_d] = "d", [COLA_AXIS_H_d] = "H d",
        [COLA_AXIS_G_d] = "G d", [COLA_AXIS_F] = "F",   [COLA_AXIS_V] = "V", [COLA_AXIS_E] = "E",
        [COLA_AXIS_FE] = "F_e",  [COLA_AXIS_FS] = "F_s"};
    return text[axis];
}

static const char *where_text(uint8_t where)
{
    static const char *const text[] = {
        [COLA_IF_ANY] = "all",
        [COLA_IF_UNTIED] = "untied",
        [COLA_IF_QKV_BIAS] = "qwen2, qwen2_moe",
        [COLA_IF_HEAD_NORM] = "qwen3",
        [COLA_IF_PROJECTION_NORM] = "olmoe",
        [COLA_IF_DENSE] = "dense layers",
        [COLA_IF_EXPERTS] = "layers with experts",
        [COLA_IF_SHARED_EXPERT] = "layers with experts, qwen2_moe",
    };
    return text[where];
}

static char page[1 << 16];

static const char *section(const char *title)
{
    FILE *file = fopen(COLA_TEST_DATA "/../../docs/format-model.md", "rb");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    char *from = strstr(page, title), *end;
    if (!from) fail_msg("docs/format-model.md has no '%s'", title);
    end = strstr(from + strlen(title), "\n## ");
    if (end) *end = '\0';
    return from;
}

static void page_shows_every_rule_and_no_other(void **state)
{
    (void)state;
    const char *table = section("## Tensors\n");
    for (size_t i = 0; i < cola_n_weight_rules; i++) {
        const struct cola_weight_rule *r = &cola_weight_rules[i];
        char row[256];
        if (r->n_dims == 2)
            snprintf(row, sizeof row, " | `%s` | [%s, %s] | %s |\n", r->name, axis_text(r->axis[0]),
                     axis_text(r->axis[1]), where_text(r->where));
        else
            snprintf(row, sizeof row, " | `%s` | [%s] | %s |\n", r->name, axis_text(r->axis[0]),
                     where_text(r->where));
        if (!strstr(table, row)) fail_msg("docs/format-model.md has no row '%s'", row);
    }
    size_t n_rows = 0;
    for (const char *at = table; (at = strstr(at, " | `")); at++) n_rows++;
    assert_int_equal(n_rows, cola_n_weight_rules);
}

static void __attribute__((format(printf, 3, 4))) add(char *row, size_t n_row, const char *format, ...)
{
    va_list args;
    size_t at = strlen(row);
    va_start(args, format);
    vsnprintf(row + at, n_row - at, format, args);
    va_end(args);
}

/* A cell of the table of defaults: what `key` means to a type if it is absent. */
static void add_cell(char *row, size_t n_row, const char *key, const struct cola_architecture *a)
{
    static const char *const use[] = {[COLA_WINDOW_ALWAYS] = "always",
                                      [COLA_WINDOW_UNLESS_OFF] = "unless off",
                                      [COLA_WINDOW_IF_ASKED_FOR] = "if asked for"};
    if (strcmp(key, "`num_key_value_heads`") == 0)
        a->n_kv_heads ? add(row, n_row, " %u |", a->n_kv_heads) : add(row, n_row, " H |");
    else if (strcmp(key, "`head_dim`") == 0)
        a->head_size ? add(row, n_row, " %u |", a->head_size) : add(row, n_row, " D / H |");
    else if (strcmp(key, "`max_position_embeddings`") == 0)
        add(row, n_row, " %u |", a->max_positions);
    else if (strcmp(key, "`rms_norm_eps`") == 0)
        add(row, n_row, " 1e%.0f |", log10(a->norm_eps));
    else if (strcmp(key, "`sliding_window`") == 0)
        a->window ? add(row, n_row, " %u |", a->window) : add(row, n_row, " none |");
    else if (strcmp(key, "it is in use") == 0)
        add(row, n_row, " %s |", use[a->window_use]);
    else {
        uint32_t n = strcmp(key, "`num_experts`") == 0 ? a->n_experts : a->n_active;
        n ? add(row, n_row, " %u |", n) : add(row, n_row, " |");
    }
}

static void page_shows_the_defaults(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "`num_key_value_heads`", "`head_dim`",           "`max_position_embeddings`",
        "`rms_norm_eps`",        "`sliding_window`",     "it is in use",
        "`num_experts`",         "`num_experts_per_tok`"};
    const char *table = section("## config.json\n");
    char row[512] = "| default |";
    for (size_t t = 0; cola_architecture_at(t); t++)
        add(row, sizeof row, " %s |", cola_architecture_at(t)->model_type);
    if (!strstr(table, row)) fail_msg("docs/format-model.md has no row '%s'", row);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        snprintf(row, sizeof row, "\n| %s |", keys[k]);
        for (size_t t = 0; cola_architecture_at(t); t++)
            add_cell(row, sizeof row, keys[k], cola_architecture_at(t));
        add(row, sizeof row, "\n");
        if (!strstr(table, row)) fail_msg("docs/format-model.md has no row '%s'", row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_well_formed),
        cmocka_unit_test(every_type_has_its_roles),
        cmocka_unit_test(names_carry_layer_and_expert),
        cmocka_unit_test(only_inverse_frequencies_are_buffers),
        cmocka_unit_test(page_shows_every_rule_and_no_other),
        cmocka_unit_test(page_shows_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_search_setup.c - the options of `cola search`: presets and what overrides them, rows and shards, what
 * is refused; the fields that record them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/search_setup.h"
#include "cola/machine.h"

enum { MOST_WORDS = 16 };

/* Reads "search t.h5 --model m --out r.h5" and the words; options are borrowed by *setup: destroy later. */
static enum cola_status read_words(const char *const *word, struct cola_options **options,
                                   struct search_setup *setup)
{
    static const char *const first[] = {"search", "t.h5", "--model", "m", "--out", "r.h5"};
    static char *argv[6 + MOST_WORDS + 1];
    int argc = 6;
    for (int i = 0; i < 6; i++) argv[i] = (char *)(uintptr_t)first[i];
    for (; *word; word++) argv[argc++] = (char *)(uintptr_t)*word;
    argv[argc] = NULL;
    COLA_TRY(cola_options_parse(&cola_search_command, argc, argv, options));
    enum cola_status status = cola_search_setup(*options, 1000, setup);
    if (status != COLA_OK) cola_options_destroy(*options);
    return status;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_WORDS   ((const char *const[]){NULL})

static void options_without_numbers_are_the_presets(void **state)
{
    (void)state;
    struct cola_options *o;
    struct search_setup s;
    struct cola_search_options preset;
    assert_int_equal(read_words(NO_WORDS, &o, &s), COLA_OK);
    assert_int_equal(cola_search_preset("cola", &preset), COLA_OK);
    assert_string_equal(s.search.policy, preset.policy);
    assert_memory_equal(&s.search.n_simulations, &preset.n_simulations, sizeof preset.n_simulations);
    assert_int_equal(s.search.max_skip, preset.max_skip);
    assert_true(s.search.exploration == preset.exploration && s.search.epsilon == preset.epsilon);
    assert_true(s.stop_at_s == 0);
    assert_true(s.worker.engine.state_bytes == UINT64_MAX); /* all that is left */
    assert_int_equal(s.worker.engine.memory_bytes, 0);
    assert_true(s.worker.engine.machine_memory_bytes > 0); /* of what is free */
    assert_false(s.worker.own_weights);
    cola_options_destroy(o);
}

static void numbers_given_replace_the_presets(void **state)
{
    (void)state;
    struct cola_options *o;
    struct search_setup s;
    assert_int_equal(read_words(WORDS("--simulations", "7", "--max-times=2", "--epsilon", "0.25", "--seed",
                                      "99", "--space", "skip", "--time-limit", "60", "--threads", "3"),
                                &o, &s),
                     COLA_OK);
    assert_int_equal(s.search.n_simulations, 7);
    assert_int_equal(s.search.max_times, 2);
    assert_int_equal(s.search.max_block, 4);
    assert_true(s.search.epsilon == 0.25);
    assert_int_equal(s.search.seed, 99);
    assert_int_equal(s.search.space, COLA_SPACE_SKIP);
    assert_true(s.stop_at_s == 1060);
    assert_int_equal(s.worker.engine.n_threads, 3);
    cola_options_destroy(o);
}

static void every_preset_can_be_chosen(void **state)
{
    (void)state;
    char names[256], *rest = names;
    strncpy(names, cola_search_preset_names(), sizeof names - 1);
    names[sizeof names - 1] = '\0';
    for (char *name; (name = strsep(&rest, "|"));) {
        struct cola_options *o;
        struct search_setup s;
        assert_int_equal(read_words(WORDS("--preset", name), &o, &s), COLA_OK);
        assert_string_equal(s.preset, name);
        cola_options_destroy(o);
    }
}

static void memory_is_of_the_process_with_its_program(void **state)
{
    (void)state;
    struct cola_options *o;
    struct search_setup s;
    uint64_t program = cola_machine_program_bytes(2, false);
    assert_int_equal(
        read_words(WORDS("--memory", "300", "--threads", "2", "--state-memory", "5", "--no-share-weights"),
                   &o, &s),
        COLA_OK);
    assert_int_equal(s.worker.engine.memory_bytes, (300 << 20) - program);
    assert_int_equal(s.worker.engine.machine_memory_bytes, 0);
    assert_int_equal(s.worker.engine.state_bytes, 5 << 20);
    assert_true(s.worker.own_weights);
    cola_options_destroy(o);
    assert_int_equal(read_words(WORDS("--memory", "66", "--threads", "2"), &o, &s), COLA_ERR_MEMORY);
    assert_non_null(strstr(cola_error_text(), "66.0 MiB"));
    assert_int_equal(read_words(WORDS("--memory", "67", "--threads", "2", "--state-memory", "0"), &o, &s),
                     COLA_OK);
    assert_int_equal(s.worker.engine.memory_bytes, 1 << 20);
    assert_int_equal(s.worker.engine.state_bytes, 0);
    cola_options_destroy(o);
}

static void assert_rows(const char *option, const char *value, uint32_t n_rows, int64_t first, uint32_t n)
{
    struct cola_options *o;
    struct search_setup s;
    uint32_t got_first = 0, got_n = 0;
    assert_int_equal(read_words(WORDS(option, value), &o, &s), COLA_OK);
    enum cola_status status = cola_search_rows(&s, n_rows, &got_first, &got_n);
    cola_options_destroy(o);
    if (first < 0) {
        assert_int_equal(status, COLA_ERR_USAGE);
        return;
    }
    assert_int_equal(status, COLA_OK);
    assert_int_equal(got_first, first);
    assert_int_equal(got_n, n);
}

static void rows_and_shards_pick_what_they_say(void **state)
{
    (void)state;
    assert_rows("--samples", "2:7", 10, 2, 5);
    assert_rows("--samples", ":7", 10, 0, 7);
    assert_rows("--samples", "9:", 10, 9, 1);
    assert_rows("--samples", ":", 10, 0, 10);
    assert_rows("--samples", "2:11", 10, -1, 0);
    assert_rows("--samples", "10:", 10, -1, 0);
    assert_rows("--shard", "0/3", 10, 0, 3);
    assert_rows("--shard", "1/3", 10, 3, 3);
    assert_rows("--shard", "2/3", 10, 6, 4);
    assert_rows("--shard", "0/11", 10, -1, 0); /* an empty part */
}

static void nonsense_is_a_usage_error(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"--samples", "7:2"},   {"--samples", "3"},      {"--samples", "a:b"},     {"--samples", "1:2x"},
        {"--samples", "-1:2"},  {"--shard", "3/3"},      {"--shard", "1"},         {"--shard", "1/"},
        {"--shard", "1/0"},     {"--simulations", "0"},  {"--epsilon", "1.5"},     {"--preset", "alphazero"},
        {"--space", "neither"}, {"--min-length", "1.5"}, {"--max-length", "0.75"}, {"--backend", "abacus"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct cola_options *o;
        struct search_setup s;
        if (read_words(WORDS(pairs[i][0], pairs[i][1]), &o, &s) != COLA_ERR_USAGE)
            fail_msg("%s %s was not refused", pairs[i][0], pairs[i][1]);
    }
    struct cola_options *o;
    struct search_setup s;
    assert_int_equal(read_words(WORDS("--samples", "1:2", "--shard", "0/2"), &o, &s), COLA_ERR_USAGE);
    assert_int_equal(read_words(WORDS("--bf16-products", "exact"), &o, &s),
                     COLA_ERR_USAGE); /* without --dtype */
    assert_int_equal(read_words(WORDS("--out", ""), &o, &s), COLA_ERR_USAGE);
}

static void an_option_that_does_nothing_is_a_usage_error(void **state)
{
    (void)state;
    static const char *const words[][5] = {{"--backend", "ref", "--isa", "avx2"},
                                           {"--backend", "ref", "--dtype=bf16", "--bf16-products", "exact"},
                                           {"--events-interval", "5"},
                                           {"--latency-ms", "5"},
                                           {"--synthetic-layers", "5"}};
    struct cola_options *o;
    struct search_setup s;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (read_words(words[i], &o, &s) != COLA_ERR_USAGE) fail_msg("%s was not refused", words[i][0]);
        assert_non_null(strstr(cola_error_text(), "says nothing"));
    }
    assert_int_equal(read_words(WORDS("--backend", "ref", "--dtype", "bf16"), &o, &s), COLA_OK);
    cola_options_destroy(o);
    assert_int_equal(read_words(WORDS("--events-interval", "5", "--events", "e"), &o, &s), COLA_OK);
    cola_options_destroy(o);
}

static const struct cola_field *find(const struct search_fields *f, const char *key)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (strcmp(f->field[i].key, key) == 0) return &f->field[i];
    fail_msg("no field %s", key);
    return NULL;
}

static void every_number_is_recorded_and_reads_back(void **state)
{
    (void)state;
    struct cola_options *o;
    struct search_setup s;
    struct search_fields *f;
    assert_int_equal(read_words(WORDS("--seed", "12345678901234567", "--epsilon", "0.1", "--quiet"), &o, &s),
                     COLA_OK);
    assert_int_equal(cola_search_fields(&s, o, 5, 7, &f), COLA_OK);
    static const char *const identity[] = {"preset",     "policy",      "space",         "metric",
                                           "control",    "samples",     "seed",          "max_skip",
                                           "max_block",  "max_times",   "epsilon",       "min_length",
                                           "max_length", "exploration", "length_penalty"};
    for (size_t i = 0; i < sizeof identity / sizeof *identity; i++)
        assert_int_equal(find(f, identity[i])->role, COLA_FIELD_IDENTITY);
    assert_int_equal(find(f, "n_simulations")->role, COLA_FIELD_GROWS);
    assert_string_equal(find(f, "n_simulations")->value, "200");
    assert_string_equal(find(f, "seed")->value, "12345678901234567");
    assert_string_equal(find(f, "samples")->value, "5:12");
    assert_true(strtod(find(f, "exploration")->value, NULL) == s.search.exploration);
    assert_true(strtod(find(f, "epsilon")->value, NULL) == 0.1);
    assert_string_equal(
        find(f, "command_line")->value,
        "cola search t.h5 --model m --out r.h5 --seed 12345678901234567 --epsilon 0.1 --quiet");
    assert_int_equal(find(f, "command_line")->role, COLA_FIELD_PROVENANCE);
    assert_true(f->n <= sizeof f->field / sizeof *f->field);
    assert_true(f->n_texts <= sizeof f->text / sizeof *f->text);
    free(f);
    cola_options_destroy(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_without_numbers_are_the_presets),
        cmocka_unit_test(numbers_given_replace_the_presets),
        cmocka_unit_test(every_preset_can_be_chosen),
        cmocka_unit_test(memory_is_of_the_process_with_its_program),
        cmocka_unit_test(rows_and_shards_pick_what_they_say),
        cmocka_unit_test(nonsense_is_a_usage_error),
        cmocka_unit_test(an_option_that_does_nothing_is_a_usage_error),
        cmocka_unit_test(every_number_is_recorded_and_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

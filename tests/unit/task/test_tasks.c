/* test_tasks.c - a right tasks.h5 gives what it holds; every malformed one is refused with file and data set
 * named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cola/grade.h"
#include "cola/task.h"
#include "unit/task/tasks_file.h"

static char path[64], other[64];

static int set_up(void **state)
{
    (void)state;
    char template[] = "/tmp/cola-tasks-XXXXXX";
    int fd = mkstemp(template);
    if (fd < 0) return -1;
    close(fd);
    snprintf(path, sizeof path, "%s", template);
    snprintf(other, sizeof other, "%s.other", template);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    return 0;
}

static struct cola_tasks *open_tasks(void)
{
    struct cola_tasks *tasks = NULL;
    if (cola_tasks_open(path, &tasks) != COLA_OK) fail_msg("%s", cola_error_text());
    return tasks;
}

static void assert_text(struct cola_text text, const char *expected)
{
    assert_int_equal(text.n_bytes, strlen(expected));
    assert_memory_equal(text.bytes, expected, strlen(expected));
}

static void tasks_right_file_gives_what_it_holds(void **state)
{
    (void)state;
    H5Fclose(tasks_file_create(path));
    struct cola_tasks *tasks = open_tasks();
    const struct cola_tasks_info *info = cola_tasks_info(tasks);
    assert_string_equal(info->task, "three");
    assert_string_equal(info->model_name, "none");
    assert_string_equal(info->tokenizer_fingerprint, "xxh3:00112233445566778899aabbccddeeff");
    assert_int_equal(strncmp(info->fingerprint, "xxh3:", 5), 0);
    assert_int_equal(info->rule, COLA_SCORE_LOGLIK);
    assert_int_equal(info->n_samples, 3);
    assert_int_equal(info->max_token, 19);
    const struct cola_sample *s = cola_tasks_sample(tasks, 1);
    assert_int_equal(s->index, 1);
    assert_int_equal(s->n_prompt_tokens, 2);
    assert_int_equal(s->prompt[1], 9);
    assert_int_equal(s->n_candidates, 3);
    assert_int_equal(s->candidate[0].token[0], 15);
    assert_int_equal(s->gold, 0);
    s = cola_tasks_sample(tasks, 0);
    assert_int_equal(s->candidate[0].n_tokens, 2);
    assert_int_equal(s->candidate[0].token[1], 11);
    assert_int_equal(s->candidate_bytes[0], 5);
    assert_text(cola_tasks_id(tasks, 1), "q-two");
    assert_text(cola_tasks_question(tasks, 0), "Why?");
    assert_text(cola_tasks_question(tasks, 2), "");
    assert_text(cola_tasks_choice(tasks, 0, 0), "green");
    assert_text(cola_tasks_choice(tasks, 2, 1), "i");
    assert_text(cola_tasks_label(tasks, 1, 2), "3");
    assert_text(cola_tasks_token_bytes(tasks, 0), "");
    assert_int_equal(cola_tasks_vocabulary(tasks)->n_tokens, 0);
    assert_int_equal(info->grader, -1);
    cola_tasks_close(tasks);
}

static void tasks_generate_has_its_settings(void **state)
{
    (void)state;
    hid_t file = tasks_file_create(path);
    tasks_file_make_generate(file);
    H5Fclose(file);
    struct cola_tasks *tasks = open_tasks();
    const struct cola_tasks_info *info = cola_tasks_info(tasks);
    assert_int_equal(info->rule, COLA_SCORE_GENERATE);
    assert_int_equal(info->max_new_tokens, 16);
    assert_int_equal(info->n_stop_tokens, 2);
    assert_int_equal(info->stop_token[0], 2);
    assert_int_equal(info->grader, COLA_GRADE_NUMBER);
    assert_int_equal(cola_tasks_sample(tasks, 1)->n_candidates, 1);
    assert_int_equal(cola_tasks_sample(tasks, 1)->gold, 0);
    assert_text(cola_tasks_token_bytes(tasks, TOKEN_START), "<s>");
    assert_text(cola_tasks_token_bytes(tasks, TOKEN_STOP), "b");
    assert_text(cola_tasks_token_bytes(tasks, TOKEN_DIGIT + 7), "7");
    assert_text(cola_tasks_token_bytes(tasks, TOKEN_EMPTY), "");
    assert_text(cola_tasks_token_bytes(tasks, TOKEN_BEYOND), "");
    assert_text(cola_tasks_token_bytes(tasks, -1), "");
    const struct cola_vocabulary *vocabulary = cola_tasks_vocabulary(tasks);
    assert_int_equal(vocabulary->n_tokens, TOKEN_BEYOND);
    assert_int_equal(vocabulary->offsets[TOKEN_BOX + 1] - vocabulary->offsets[TOKEN_BOX], 7);
    assert_memory_equal(vocabulary->values + vocabulary->offsets[TOKEN_BOX], "\\boxed{", 7);
    cola_tasks_close(tasks);
}

static void tasks_generate_with_choices_has_them(void **state)
{
    (void)state;
    hid_t file = tasks_file_create(path);
    tasks_file_make_generate_letter(file);
    TASKS_FILE_PUT(file, "samples/gold", H5T_NATIVE_INT32, int32_t, 2, -1, 1); /* unknown is allowed */
    H5Fclose(file);
    struct cola_tasks *tasks = open_tasks();
    assert_int_equal(cola_tasks_info(tasks)->grader, COLA_GRADE_LETTER);
    assert_int_equal(cola_tasks_sample(tasks, 0)->n_candidates, 4);
    assert_int_equal(cola_tasks_sample(tasks, 1)->gold, -1);
    cola_tasks_close(tasks);
}

/* --- the fingerprint --------------------------------------------------------------------------------------
 */

static void take_fingerprint(char text[COLA_HASH_TEXT])
{
    struct cola_tasks *tasks = open_tasks();
    memcpy(text, cola_tasks_info(tasks)->fingerprint, COLA_HASH_TEXT);
    cola_tasks_close(tasks);
}

static void fingerprint_ignores_storage_and_texts(void **state)
{
    (void)state;
    char plain[COLA_HASH_TEXT], stored_otherwise[COLA_HASH_TEXT];
    const int32_t prompt[] = {1, 17, 5, 1, 9, 1};
    H5Fclose(tasks_file_create(path));
    take_fingerprint(plain);
    hid_t file = tasks_file_create(path);
    tasks_file_stored(file, "samples/prompt_values", H5T_STD_I32BE, H5T_NATIVE_INT32, prompt, 6, 2);
    tasks_file_text(file, "task", "renamed");
    tasks_file_bytes(file, "texts/choice_values", "GREENBCDEFGHI");
    H5Fclose(file);
    take_fingerprint(stored_otherwise);
    assert_string_equal(plain, stored_otherwise);
}

static void fingerprint_sees_everything_that_a_search_reads(void **state)
{
    (void)state;
    char before[COLA_HASH_TEXT], after[COLA_HASH_TEXT];
    H5Fclose(tasks_file_create(path));
    take_fingerprint(before);
    for (int change = 0; change < 6; change++) {
        hid_t file = tasks_file_create(path);
        if (change == 0) TASKS_FILE_PUT(file, "samples/gold", H5T_NATIVE_INT32, int32_t, 1, 0, 1);
        if (change == 1)
            TASKS_FILE_PUT(file, "samples/prompt_values", H5T_NATIVE_INT32, int32_t, 1, 17, 6, 1, 9, 1);
        if (change == 2)
            TASKS_FILE_PUT(file, "samples/prompt_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 2, 5, 6);
        if (change == 3)
            TASKS_FILE_PUT(file, "candidates/n_bytes", H5T_NATIVE_UINT32, uint32_t, 5, 1, 1, 1, 1, 1, 1, 1,
                           2);
        if (change == 4)
            TASKS_FILE_PUT(file, "candidates/token_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 1, 3, 4, 5, 6, 7,
                           8, 9, 10);
        if (change == 5)
            TASKS_FILE_PUT(file, "samples/candidate_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 4, 6, 9);
        H5Fclose(file);
        take_fingerprint(after);
        assert_string_not_equal(before, after);
    }
}

/* What turns tokens into a verdict decides labels too. */
static void fingerprint_sees_what_a_grader_reads(void **state)
{
    (void)state;
    static const char *const gold[] = {"18", "5", "7"}, *const changed[] = {"18", "5", "8"};
    char seen[6][COLA_HASH_TEXT];
    for (int change = 0; change < 6; change++) {
        hid_t file = tasks_file_create(path);
        tasks_file_generate_settings(file, change == 1 ? "boxed" : "number");
        tasks_file_put_golds(file, change == 2 ? changed : gold, 3);
        if (change == 3)
            tasks_file_bytes(file, "vocabulary/values", "<s>ab0123456789 ####\\boxed{}Answer: ABCE");
        if (change == 4) tasks_file_integers(file, "max_new_tokens", (const int32_t[]){17}, 1);
        if (change == 5)
            tasks_file_integers(file, "stop_tokens", (const int32_t[]){TOKEN_STOP, TOKEN_SPACE}, 2);
        H5Fclose(file);
        take_fingerprint(seen[change]);
        for (int i = 0; i < change; i++) assert_string_not_equal(seen[i], seen[change]);
    }
}

/* --- malformed --------------------------------------------------------------------------------------------
 */

static void wrong_filetype(hid_t f)
{
    tasks_file_text(f, "filetype", "cola-run");
}
static void no_filetype(hid_t f)
{
    H5Adelete(f, "filetype");
}
static void filetype_is_a_number(hid_t f)
{
    tasks_file_integers(f, "filetype", (const int32_t[]){1}, 1);
}
static void major_2(hid_t f)
{
    tasks_file_integers(f, "version", (const int32_t[]){2, 0}, 2);
}
static void version_of_three(hid_t f)
{
    tasks_file_integers(f, "version", (const int32_t[]){1, 0, 0}, 3);
}
static void unknown_rule(hid_t f)
{
    tasks_file_text(f, "score", "vibes");
}
static void long_task_name(hid_t f)
{
    tasks_file_text(f, "task", "0123456789012345678901234567890123456789012345678901234567890123");
}
static void no_group(hid_t f)
{
    H5Ldelete(f, "texts", H5P_DEFAULT);
}
static void no_dataset(hid_t f)
{
    H5Ldelete(f, "samples/gold", H5P_DEFAULT);
}
static void group_for_dataset(hid_t f)
{
    H5Ldelete(f, "samples/gold", H5P_DEFAULT);
    H5Gclose(H5Gcreate2(f, "samples/gold", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}
static void wrong_class(hid_t f)
{
    TASKS_FILE_PUT(f, "samples/gold", H5T_NATIVE_FLOAT, float, 2, 0, 1);
}
static void wrong_width(hid_t f)
{
    TASKS_FILE_PUT(f, "samples/prompt_offsets", H5T_NATIVE_UINT32, uint32_t, 0, 3, 5, 6);
}
static void wrong_sign(hid_t f)
{
    TASKS_FILE_PUT(f, "samples/id_offsets", H5T_NATIVE_INT64, int64_t, 0, 2, 7, 9);
}
static void odd_precision(hid_t f)
{
    hid_t type = H5Tcopy(H5T_STD_I32LE);
    MUST(H5Tset_precision(type, 20));
    TASKS_FILE_PUT(f, "samples/gold", type, int32_t, 2, 0, 1);
    H5Tclose(type);
}
static void string_values(hid_t f)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    TASKS_FILE_PUT(f, "samples/id_values", type, char, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i');
    H5Tclose(type);
}
static void put_space(hid_t f, const char *name, hid_t space)
{
    MUST(H5Ldelete(f, name, H5P_DEFAULT));
    hid_t dataset = H5Dcreate2(f, name, H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    MUST(dataset);
    H5Dclose(dataset);
    H5Sclose(space);
}
static void two_dimensions(hid_t f)
{
    put_space(f, "samples/gold", H5Screate_simple(2, (const hsize_t[]){3, 1}, NULL));
}
static void scalar(hid_t f)
{
    put_space(f, "samples/gold", H5Screate(H5S_SCALAR));
}
static void null_space(hid_t f)
{
    put_space(f, "samples/gold", H5Screate(H5S_NULL));
}
static void never_written(hid_t f)
{
    put_space(f, "samples/gold", H5Screate_simple(1, (const hsize_t[]){3}, NULL));
}
static void huge(hid_t f)
{
    hsize_t n = 1ull << 60, chunk = 1024;
    MUST(H5Ldelete(f, "samples/prompt_values", H5P_DEFAULT));
    hid_t list = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &n, NULL);
    MUST(H5Pset_chunk(list, 1, &chunk));
    hid_t dataset =
        H5Dcreate2(f, "samples/prompt_values", H5T_STD_I32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    hsize_t one = 1, at = 0;
    int32_t token = 1;
    hid_t memory = H5Screate_simple(1, &one, NULL);
    MUST(H5Sselect_hyperslab(space, H5S_SELECT_SET, &at, NULL, &one, NULL));
    MUST(H5Dwrite(dataset, H5T_NATIVE_INT32, memory, space, H5P_DEFAULT, &token)); /* 4 KiB stored */
    H5Sclose(memory);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(list);
}
static void soft_link(hid_t f)
{
    MUST(H5Ldelete(f, "samples/gold", H5P_DEFAULT));
    MUST(H5Lcreate_soft("/samples/prompt_values", f, "samples/gold", H5P_DEFAULT, H5P_DEFAULT));
}
static void external_link(hid_t f)
{
    MUST(H5Ldelete(f, "samples", H5P_DEFAULT));
    MUST(H5Lcreate_external(other, "/samples", f, "samples", H5P_DEFAULT, H5P_DEFAULT));
}
static void external_data(hid_t f)
{
    hsize_t n = 3;
    MUST(H5Ldelete(f, "samples/gold", H5P_DEFAULT));
    hid_t list = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &n, NULL);
    MUST(H5Pset_external(list, "/etc/hostname", 0, 12));
    hid_t dataset = H5Dcreate2(f, "samples/gold", H5T_STD_I32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    MUST(dataset);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(list);
}
static void same_id_twice(hid_t f)
{
    tasks_file_bytes(f, "samples/id_values", "q1q-twoq1");
}
static void offsets_begin_late(hid_t f)
{
    TASKS_FILE_PUT(f, "samples/id_offsets", H5T_NATIVE_UINT64, uint64_t, 1, 2, 7, 9);
}
static void offsets_end_early(hid_t f)
{
    TASKS_FILE_PUT(f, "samples/id_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 2, 7, 8);
}
static void offsets_descend(hid_t f)
{
    TASKS_FILE_PUT(f, "texts/question_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 5, 4, 14);
}
static void offsets_wrap(hid_t f)
{
    TASKS_FILE_PUT(f, "texts/choice_offsets", H5T_NATIVE_UINT64, uint64_t, 0, UINT64_MAX, 6, 7, 8, 9, 10, 11,
                   12, 13);
}
static void offsets_one_short(hid_t f)
{
    TASKS_FILE_PUT(f, "candidates/label_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 1, 2, 3, 4, 5, 6, 7, 9);
}
static void offsets_empty(hid_t f)
{
    tasks_file_put(f, "candidates/token_offsets", H5T_NATIVE_UINT64, NULL, 0);
}
static void empty_prompt(hid_t f)
{
    TASKS_FILE_PUT(f, "samples/prompt_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 3, 3, 6);
}
static void no_candidates(hid_t f)
{
    TASKS_FILE_PUT(f, "samples/candidate_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 4, 4, 9);
}
static void more_candidates_than_rows(hid_t f)
{
    TASKS_FILE_PUT(f, "samples/candidate_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 4, 7, 10);
}
static void empty_candidate(hid_t f)
{
    TASKS_FILE_PUT(f, "candidates/token_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 3, 3, 4, 5, 6, 7, 8, 9, 10);
}
static void letter_of_two_tokens(hid_t f)
{
    tasks_file_text(f, "score", "letter");
}
static void negative_token(hid_t f)
{
    TASKS_FILE_PUT(f, "samples/prompt_values", H5T_NATIVE_INT32, int32_t, 1, 17, -5, 1, 9, 1);
}
static void negative_candidate_token(hid_t f)
{
    TASKS_FILE_PUT(f, "candidates/token_values", H5T_NATIVE_INT32, int32_t, 10, 11, 12, 13, 14, 15, 16, 17,
                   18, INT32_MIN);
}
static void gold_too_large(hid_t f)
{
    TASKS_FILE_PUT(f, "samples/gold", H5T_NATIVE_INT32, int32_t, 2, 3, 1);
}
static void gold_too_small(hid_t f)
{
    TASKS_FILE_PUT(f, "samples/gold", H5T_NATIVE_INT32, int32_t, 2, -2, 1);
}
static void no_samples(hid_t f)
{
    tasks_file_put(f, "samples/gold", H5T_NATIVE_INT32, NULL, 0);
}
static void zero_bytes(hid_t f)
{
    TASKS_FILE_PUT(f, "candidates/n_bytes", H5T_NATIVE_UINT32, uint32_t, 5, 1, 1, 0, 1, 1, 1, 1, 1);
}
static void generate_without_limit(hid_t f)
{
    tasks_file_make_generate(f);
    H5Adelete(f, "max_new_tokens");
}
static void generate_stop_is_no_token(hid_t f)
{
    tasks_file_make_generate(f);
    tasks_file_integers(f, "stop_tokens", (const int32_t[]){2, -7}, 2);
}
static void vocabulary_offsets_wrong(hid_t f)
{
    tasks_file_make_generate(f);
    TASKS_FILE_PUT(f, "vocabulary/offsets", H5T_NATIVE_UINT64, uint64_t, 0, 3, 6, 5);
}
static void vocabulary_too_short(hid_t f)
{
    tasks_file_make_generate(f);
    tasks_file_bytes(f, "vocabulary/values", "<s>ab");
}
static void vocabulary_empty(hid_t f)
{
    tasks_file_make_generate(f);
    TASKS_FILE_PUT(f, "vocabulary/offsets", H5T_NATIVE_UINT64, uint64_t, 0);
}
static void vocabulary_missing(hid_t f)
{
    tasks_file_make_generate(f);
    MUST(H5Ldelete(f, "vocabulary", H5P_DEFAULT));
}
static void grader_missing(hid_t f)
{
    tasks_file_make_generate(f);
    H5Adelete(f, "grader");
}
static void grader_unknown(hid_t f)
{
    tasks_file_make_generate(f);
    tasks_file_text(f, "grader", "vibes");
}
static void grader_a_number(hid_t f)
{
    tasks_file_make_generate(f);
    tasks_file_integers(f, "grader", (const int32_t[]){2}, 1);
}
static void gold_is_no_number(hid_t f)
{
    static const char *const gold[] = {"18", "five", "7"};
    tasks_file_make_generate(f);
    tasks_file_put_golds(f, gold, 3);
}
static void gold_box_is_empty(hid_t f)
{
    static const char *const gold[] = {"18", "x", ""};
    tasks_file_make_generate(f);
    tasks_file_text(f, "grader", "boxed");
    tasks_file_put_golds(f, gold, 3);
}
static void number_with_choices(hid_t f)
{
    tasks_file_make_generate_letter(f);
    tasks_file_text(f, "grader", "number");
}
static void number_without_gold(hid_t f)
{
    tasks_file_make_generate(f);
    TASKS_FILE_PUT(f, "samples/gold", H5T_NATIVE_INT32, int32_t, 0, -1, 0);
}
static void letter_without_choices(hid_t f)
{
    tasks_file_make_generate_letter(f);
    TASKS_FILE_PUT(f, "samples/gold", H5T_NATIVE_INT32, int32_t, 2, 0, -1);
    TASKS_FILE_PUT(f, "samples/candidate_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 4, 9, 9);
}
static void letter_of_27_choices(hid_t f)
{
    static const char *const gold[27] = {"x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x",
                                         "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x"};
    tasks_file_make_generate_letter(f);
    tasks_file_put_golds(f, gold, 27);
    TASKS_FILE_PUT(f, "samples/gold", H5T_NATIVE_INT32, int32_t, 3);
    TASKS_FILE_PUT(f, "samples/candidate_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 27);
    TASKS_FILE_PUT(f, "samples/prompt_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 27);
    TASKS_FILE_PUT(f, "texts/question_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 0);
    tasks_file_bytes(f, "samples/id_values", "one");
    TASKS_FILE_PUT(f, "samples/id_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 3);
}

static const struct {
    const char *what;
    void (*break_it)(hid_t file);
    const char *named; /* must be in the error text, with the path */
} malformed[] = {
    {"filetype of a run", wrong_filetype, "filetype"},
    {"no filetype", no_filetype, "filetype"},
    {"filetype a number", filetype_is_a_number, "filetype"},
    {"major version 2", major_2, "version 2.0"},
    {"version of three numbers", version_of_three, "version"},
    {"unknown score rule", unknown_rule, "'vibes'"},
    {"task name too long", long_task_name, "task"},
    {"no group", no_group, "texts"},
    {"no data set", no_dataset, "samples/gold"},
    {"a group for a data set", group_for_dataset, "samples/gold"},
    {"float for int", wrong_class, "samples/gold: expected int32"},
    {"uint32 for uint64", wrong_width, "samples/prompt_offsets: expected uint64"},
    {"int64 for uint64", wrong_sign, "samples/id_offsets"},
    {"20 of 32 bits", odd_precision, "samples/gold"},
    {"strings for uint8", string_values, "samples/id_values"},
    {"two dimensions", two_dimensions, "samples/gold: expected one dimension, found 2"},
    {"scalar", scalar, "samples/gold"},
    {"null space", null_space, "samples/gold"},
    {"never written", never_written, "samples/gold"},
    {"2^60 elements", huge, "samples/prompt_values"},
    {"soft link", soft_link, "samples/gold"},
    {"external link", external_link, "samples"},
    {"external raw data", external_data, "samples/gold"},
    {"an id twice", same_id_twice, "samples/id_values: rows 0 and 2 (from 0) have the same id"},
    {"offsets begin late", offsets_begin_late, "samples/id_offsets"},
    {"offsets end early", offsets_end_early, "samples/id_offsets"},
    {"offsets descend", offsets_descend, "texts/question_offsets"},
    {"offsets wrap around", offsets_wrap, "texts/choice_offsets"},
    {"offsets one short", offsets_one_short, "candidates/label_offsets"},
    {"offsets empty", offsets_empty, "candidates/token_offsets"},
    {"empty prompt", empty_prompt, "samples/prompt_offsets"},
    {"no candidates", no_candidates, "samples/candidate_offsets"},
    {"more candidates than rows", more_candidates_than_rows, "samples/candidate_offsets"},
    {"empty candidate", empty_candidate, "candidates/token_offsets"},
    {"a letter of two tokens", letter_of_two_tokens, "candidates/token_offsets"},
    {"negative token", negative_token, "samples/prompt_values: element 2 is -5"},
    {"negative candidate token", negative_candidate_token, "candidates/token_values"},
    {"gold too large", gold_too_large, "samples/gold: sample 1"},
    {"gold too small", gold_too_small, "samples/gold: sample 1"},
    {"no samples", no_samples, "samples/gold"},
    {"a choice of 0 bytes", zero_bytes, "candidates/n_bytes: element 3"},
    {"generate without a limit", generate_without_limit, "max_new_tokens"},
    {"a stop token below 0", generate_stop_is_no_token, "stop_tokens"},
    {"vocabulary offsets", vocabulary_offsets_wrong, "vocabulary/offsets"},
    {"vocabulary of fewer bytes", vocabulary_too_short, "vocabulary/offsets: expected 0 first and 5 last"},
    {"vocabulary of no token", vocabulary_empty, "vocabulary/offsets"},
    {"generate without a vocabulary", vocabulary_missing, "vocabulary is missing"},
    {"generate without a grader", grader_missing, "grader is missing"},
    {"unknown grader", grader_unknown, "grader: 'vibes'"},
    {"grader a number", grader_a_number, "grader"},
    {"a gold that is no number", gold_is_no_number, "sample s1 (row 1): gold answer"},
    {"an empty gold", gold_box_is_empty, "sample s2 (row 2): gold answer"},
    {"choices for grader number", number_with_choices, "sample q1 (row 0): grader number"},
    {"grader number without gold", number_without_gold, "sample s1 (row 1): grader number"},
    {"grader letter without choices", letter_without_choices, "sample q3 (row 2): 0 choices"},
    {"27 choices", letter_of_27_choices, "sample one (row 0): 27 choices"},
};

static void tasks_malformed_file_is_refused_by_name(void **state)
{
    (void)state;
    H5Fclose(tasks_file_create(other));
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        struct cola_tasks *tasks = NULL;
        hid_t file = tasks_file_create(path);
        malformed[i].break_it(file);
        H5Fclose(file);
        enum cola_status status = cola_tasks_open(path, &tasks);
        if (status != COLA_ERR_INPUT && status != COLA_ERR_UNSUPPORTED)
            fail_msg("%s: status %d", malformed[i].what, status);
        assert_null(tasks);
        if (!strstr(cola_error_text(), malformed[i].named) || !strstr(cola_error_text(), path))
            fail_msg("%s: the text does not name it: %s", malformed[i].what, cola_error_text());
    }
}

/* Ids are compared whole; an empty one is none. */
static void tasks_ids_may_begin_alike_or_be_empty(void **state)
{
    (void)state;
    hid_t file = tasks_file_create(path);
    tasks_file_bytes(file, "samples/id_values", "q1q1q1q1q");
    H5Fclose(file);
    cola_tasks_close(open_tasks()); /* q1, q1q1q, 1q */
    file = tasks_file_create(path);
    tasks_file_bytes(file, "samples/id_values", "");
    TASKS_FILE_PUT(file, "samples/id_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 0, 0, 0);
    H5Fclose(file);
    cola_tasks_close(open_tasks());
}

static void tasks_letter_fixed_strings_and_later_minor_are_read(void **state)
{
    (void)state;
    hid_t file = tasks_file_create(path), type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    tasks_file_make_letter(file);
    tasks_file_integers(file, "version", (const int32_t[]){1, 7}, 2);
    MUST(H5Adelete(file, "task"));
    MUST(H5Tset_size(type, 8));
    MUST(H5Tset_strpad(type, H5T_STR_SPACEPAD));
    hid_t attribute = H5Acreate2(file, "task", type, space, H5P_DEFAULT, H5P_DEFAULT);
    MUST(H5Awrite(attribute, type, "fixed   "));
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    H5Fclose(file);
    struct cola_tasks *tasks = open_tasks();
    assert_string_equal(cola_tasks_info(tasks)->task, "fixed");
    assert_int_equal(cola_tasks_info(tasks)->rule, COLA_SCORE_LETTER);
    cola_tasks_close(tasks);
}

/* --- what is no HDF5 file ---------------------------------------------------------------------------------
 */

static void write_bytes(const void *bytes, size_t n)
{
    FILE *to = fopen(path, "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, n, to), n);
    fclose(to);
}

static void tasks_truncated_file_is_refused(void **state)
{
    (void)state;
    H5Fclose(tasks_file_create(path));
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    size_t n = (size_t)about.st_size;
    char *bytes = malloc(n);
    FILE *from = fopen(path, "rb");
    assert_non_null(from);
    assert_int_equal(fread(bytes, 1, n, from), n);
    fclose(from);
    for (size_t kept = 0; kept < n; kept += n / 97 + 1) {
        struct cola_tasks *tasks = NULL;
        write_bytes(bytes, kept);
        assert_int_equal(cola_tasks_open(path, &tasks), COLA_ERR_INPUT);
        assert_non_null(strstr(cola_error_text(), path));
    }
    free(bytes);
}

static void tasks_missing_directory_or_text_is_refused(void **state)
{
    (void)state;
    struct cola_tasks *tasks = NULL;
    assert_int_equal(cola_tasks_open("/tmp/cola-no-such-file.h5", &tasks), COLA_ERR_IO);
    assert_int_equal(cola_tasks_open("/tmp", &tasks), COLA_ERR_INPUT);
    write_bytes("{\"filetype\": \"cola-tasks\"}", 26);
    assert_int_equal(cola_tasks_open(path, &tasks), COLA_ERR_INPUT);
    assert_null(tasks);
    cola_tasks_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_right_file_gives_what_it_holds),
        cmocka_unit_test(tasks_generate_has_its_settings),
        cmocka_unit_test(tasks_generate_with_choices_has_them),
        cmocka_unit_test(fingerprint_ignores_storage_and_texts),
        cmocka_unit_test(fingerprint_sees_everything_that_a_search_reads),
        cmocka_unit_test(fingerprint_sees_what_a_grader_reads),
        cmocka_unit_test(tasks_malformed_file_is_refused_by_name),
        cmocka_unit_test(tasks_ids_may_begin_alike_or_be_empty),
        cmocka_unit_test(tasks_letter_fixed_strings_and_later_minor_are_read),
        cmocka_unit_test(tasks_truncated_file_is_refused),
        cmocka_unit_test(tasks_missing_directory_or_text_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* test_run_file.c - run.h5 itself: schema and page agree, any changed element is found by the digest, and a
 * malformed file is refused with the data set's name. */
#include "cola/log.h"
#include "record/run.h"
#include "unit/record/small_run.h"
#include "unit/seal.h"

static struct small_run run;       /* one whole run for all tests; its file is copied before it is changed */
static struct small_run generated; /* another one, with the data sets that are empty in the first */
static char changed_path[160];
static uint8_t *bytes, *generated_bytes;
static size_t n_bytes, n_generated_bytes;

static int set_up(void **state)
{
    (void)state;
    char digest[COLA_HASH_TEXT];
    cola_log_setup(COLA_LOG_ERROR, -1);
    small_run_create(&run);
    small_run_whole(&run, digest);
    small_run_open(&run, true); /* a second process, so that there are rows of two */
    small_run_all(&run);
    small_run_timing(&run, 2);
    small_run_fold(&run);
    small_run_stop(&run);
    snprintf(changed_path, sizeof changed_path, "%s/changed.h5", run.directory);
    bytes = small_read(run.run_path, &n_bytes);
    small_run_create_with(&generated, tasks_file_make_generate, false);
    small_run_whole(&generated, digest);
    generated_bytes = small_read(generated.run_path, &n_generated_bytes);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(bytes);
    free(generated_bytes);
    small_run_destroy(&run);
    small_run_destroy(&generated);
    return 0;
}

/* --- page and schema --------------------------------------------------------------------------------------
 */

static void page_has_the_schema_line_by_line(void **state)
{
    (void)state;
    char line[600];
    int row = 0;
    FILE *page = fopen(COLA_TEST_DATA "/../../docs/format-run.md", "r");
    assert_non_null(page);
    while (fgets(line, sizeof line, page)) {
        char *slash = strchr(line, '/'), *end = strchr(line + 3, '`'), expected[600];
        if (strncmp(line, "| `", 3) != 0 || !slash || !end || slash > end)
            continue; /* rows of data sets only */
        assert_in_range(row, 0, COLA_N_RUN_COLUMNS - 1);
        const struct cola_run_schema *schema = &cola_run_schema[row++];
        snprintf(expected, sizeof expected, "| `%s` | %s | %s | %s |\n", schema->name,
                 cola_h5_type_name(schema->type), schema->dimension, schema->meaning);
        assert_string_equal(line, expected);
    }
    fclose(page);
    assert_int_equal(row, COLA_N_RUN_COLUMNS);
}

static herr_t count_objects(hid_t id, const char *name, const H5O_info_t *info, void *user)
{
    int *n = user;
    (void)id;
    if (info->type != H5O_TYPE_DATASET) return 0;
    (*n)++;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        if (strcmp(cola_run_schema[i].name, name) == 0) return 0;
    return -1;
}

static void file_has_the_schema_and_nothing_else(void **state)
{
    (void)state;
    int n = 0;
    hid_t file = H5Fopen(run.run_path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    assert_true(H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_NATIVE, count_objects, &n, H5O_INFO_BASIC) >= 0);
    assert_int_equal(n, COLA_N_RUN_COLUMNS);
    H5Fclose(file);
}

static void dimensions_of_the_schema_are_those_of_its_shapes(void **state)
{
    (void)state;
    static const char *const plain[] = {"[n]", "[m]", "[c]", "[s]", "[w]"}, *const longer[] = {
                                                                                "[n+1]", "[m+1]", "[c+1]",
                                                                                "[s+1]", "[w+1]"};
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        const struct cola_run_schema *s = &cola_run_schema[i];
        if (s->shape == COLA_SHAPE_COLUMN) assert_string_equal(s->dimension, plain[s->rows]);
        if (s->shape == COLA_SHAPE_OFFSETS || s->shape == COLA_SHAPE_FIRST)
            assert_string_equal(s->dimension, longer[s->rows]);
        assert_int_equal(s->in_digest, strncmp(s->name, "timing/", 7) != 0);
        int since = 0;
        sscanf(s->meaning, "since 1.%d", &since);
        assert_int_equal(s->since, since);
    }
}

/* --- the digest -------------------------------------------------------------------------------------------
 */

/* True: the column has elements, and the digest finds each of them changed. */
static bool digest_finds_changes(struct cola_run *file, int column)
{
    char after[COLA_HASH_TEXT];
    uint8_t *data = file->columns.column[column].data;
    size_t item_bytes = cola_h5_type_bytes(cola_run_schema[column].type), n = file->columns.column[column].n;
    for (size_t k = 0; k < n; k++) {
        float was_nan;
        memcpy(&was_nan, data + k * item_bytes, item_bytes == 4 ? 4 : 0);
        if (cola_run_schema[column].type == COLA_H5_F32 && was_nan != was_nan)
            continue; /* all NaNs are one */
        data[k * item_bytes] ^= 1;
        enum cola_status status = cola_run_digest(file, after);
        if ((status == COLA_ERR_INPUT) != cola_run_schema[column].in_digest)
            fail_msg("%s element %zu: status %d", cola_run_schema[column].name, k, status);
        data[k * item_bytes] ^= 1;
    }
    return n > 0;
}

static void digest_finds_every_changed_element_of_every_column(void **state)
{
    (void)state;
    struct cola_run *file[2] = {small_run_read(run.run_path), small_run_read(generated.run_path)};
    char before[2][COLA_HASH_TEXT], after[COLA_HASH_TEXT];
    for (int f = 0; f < 2; f++) assert_int_equal(cola_run_digest(file[f], before[f]), COLA_OK);
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        bool found = false;
        for (int f = 0; f < 2; f++) found |= digest_finds_changes(file[f], i);
        assert_true(found);
    }
    for (int f = 0; f < 2; f++) {
        assert_int_equal(cola_run_digest(file[f], after), COLA_OK);
        assert_string_equal(before[f], after);
        cola_run_close(file[f]);
    }
}

static void digest_takes_all_nans_for_one(void **state)
{
    (void)state;
    struct cola_run *file = small_run_read(run.run_path);
    uint32_t *score = file->columns.column[COLA_SCORES_VALUES].data, n_nans = 0;
    char digest[COLA_HASH_TEXT];
    for (size_t i = 0; i < file->columns.column[COLA_SCORES_VALUES].n; i++)
        if ((score[i] & 0x7FFFFFFF) > 0x7F800000) {
            score[i] = 0xFFC00123u + n_nans++;
            assert_int_equal(cola_run_digest(file, digest), COLA_OK);
        }
    assert_true(n_nans > 0);
    cola_run_close(file);
}

static void digest_needs_each_field_as_it_was(void **state)
{
    (void)state;
    struct cola_run *file = small_run_read(run.run_path);
    char digest[COLA_HASH_TEXT];
    assert_int_equal(cola_fields_set(&file->fields, "run_id", "other"), COLA_OK);
    assert_int_equal(cola_run_digest(file, digest), COLA_OK);
    assert_int_equal(cola_fields_set(&file->fields, "seed", "70"), COLA_OK);
    assert_int_equal(cola_run_digest(file, digest), COLA_ERR_INPUT);
    assert_error_names("content_digest");
    cola_run_close(file);
}

/* In the file, through HDF5: one bit of one element of a data set. False: it has none. */
static bool change_data_set(int column)
{
    hid_t file = H5Fopen(changed_path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, cola_run_schema[column].name, H5P_DEFAULT), space = H5Dget_space(dataset);
    uint8_t *data = calloc(1, 1 << 16);
    hid_t native = cola_h5_native_type(cola_run_schema[column].type);
    bool some = H5Sget_simple_extent_npoints(space) > 0;
    assert_true(H5Dread(dataset, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    data[0] ^= 1;
    assert_true(H5Dwrite(dataset, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    free(data);
    H5Sclose(space);
    H5Dclose(dataset);
    H5Fclose(file);
    seal_file(changed_path);
    return some;
}

static void changed_file_is_refused_whatever_data_set_was_changed(void **state)
{
    (void)state;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        small_write(changed_path, bytes, n_bytes);
        if (!change_data_set(i)) {
            small_write(changed_path, generated_bytes, n_generated_bytes);
            assert_true(change_data_set(i));
        }
        struct cola_run *changed = NULL;
        char digest[COLA_HASH_TEXT];
        enum cola_status status = cola_run_open(changed_path, &changed);
        if (status == COLA_OK) status = cola_run_digest(changed, digest);
        bool refused = cola_run_schema[i].in_digest || cola_run_schema[i].shape == COLA_SHAPE_OFFSETS;
        if (status != (refused ? COLA_ERR_INPUT : COLA_OK))
            fail_msg("%s: status %d", cola_run_schema[i].name, status);
        assert_int_equal(status == COLA_OK, changed && !refused);
        cola_run_close(changed);
    }
}

static void digest_is_equal_for_chunked_compressed_and_big_endian_storage(void **state)
{
    (void)state;
    char before[COLA_HASH_TEXT], after[COLA_HASH_TEXT];
    small_run_digest(run.run_path, before);
    small_write(changed_path, bytes, n_bytes);
    struct cola_run *loaded = small_run_read(run.run_path);
    hid_t file = H5Fopen(changed_path, H5F_ACC_RDWR, H5P_DEFAULT);
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        enum cola_h5_type type = cola_run_schema[i].type;
        hid_t stored = H5Tcopy(cola_h5_stored_type(type));
        assert_true(H5Tset_order(stored, H5T_ORDER_BE) >= 0);
        tasks_file_stored(file, cola_run_schema[i].name, stored, cola_h5_native_type(type),
                          loaded->columns.column[i].data, loaded->columns.column[i].n, 2);
        H5Tclose(stored);
    }
    H5Fclose(file);
    seal_file(changed_path);
    small_run_digest(changed_path, after);
    assert_string_equal(before, after);
    cola_run_close(loaded);
}

/* --- malformed --------------------------------------------------------------------------------------------
 */

/* Sets element k of a column in a loaded run and checks it again. */
static void assert_check_of_names(const struct small_run *of, enum cola_run_column column, size_t k,
                                  int64_t value)
{
    struct cola_run *file = small_run_read(of->run_path);
    size_t item_bytes = cola_h5_type_bytes(cola_run_schema[column].type);
    memcpy((uint8_t *)file->columns.column[column].data + k * item_bytes, &value, item_bytes);
    assert_int_equal(cola_columns_check(&file->columns, file->by_row, "changed.h5"), COLA_ERR_INPUT);
    char words[100];
    snprintf(words, sizeof words, "changed.h5: data set %s", cola_run_schema[column].name);
    assert_error_names(words);
    cola_run_close(file);
}

static void assert_check_names(enum cola_run_column column, size_t k, int64_t value)
{
    assert_check_of_names(&run, column, k, value);
}

static void content_that_breaks_a_rule_is_refused_by_name(void **state)
{
    (void)state;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        enum cola_shape shape = cola_run_schema[i].shape;
        if (shape != COLA_SHAPE_OFFSETS && shape != COLA_SHAPE_FIRST) continue;
        struct cola_run *file = small_run_read(run.run_path);
        size_t n = file->columns.column[i].n;
        cola_run_close(file);
        assert_check_names((enum cola_run_column)i, 0, 1);
        assert_check_names((enum cola_run_column)i, n - 1, INT64_MAX);
        assert_check_names((enum cola_run_column)i, 1, -1); /* as unsigned: beyond everything */
    }
    assert_check_names(COLA_SAMPLES_INDEX, 1, 0);
    assert_check_names(COLA_SAMPLES_GOLD, 1, 3);
    assert_check_names(COLA_SAMPLES_GOLD, 1, -2);
    assert_check_names(COLA_SAMPLES_TARGET, 2, 2);
    assert_check_names(COLA_SAMPLES_FINISHED, 0, 2);
    assert_check_names(COLA_CHAINS_PARENT, 0, 0);
    assert_check_names(COLA_CHAINS_PARENT, 1, -1);
    assert_check_names(COLA_CHAINS_PARENT, 2, 2);
    assert_check_names(COLA_CHAINS_PREDICTION, 0, 4);
    assert_check_names(COLA_CHAINS_EDIT_KIND, 0, 3);
    assert_check_names(COLA_CHAINS_OUTCOME, 0, 3);
    assert_check_names(COLA_CHAINS_ON_FRONT, 0, 255);
    assert_check_names(COLA_CHAINS_PREDICTION, 0, COLA_PREDICTION_OTHER);
    assert_check_names(COLA_WORKERS_SESSION, 3, 2);
}

/* Rows of tasks.h5 instead of candidates, and each sample's own rules. */
static void generated_content_that_breaks_a_rule_is_refused_by_name(void **state)
{
    (void)state;
    assert_check_of_names(&generated, COLA_SAMPLES_GOLD, 1, 0);
    assert_check_of_names(&generated, COLA_SAMPLES_GOLD, 1, -2);
    assert_check_of_names(&generated, COLA_SAMPLES_TARGET, 2, -2);
    assert_check_of_names(&generated, COLA_CHAINS_PREDICTION, 0, 1);
    assert_check_of_names(&generated, COLA_CHAINS_PREDICTION, 0, -3);
    assert_check_of_names(&generated, COLA_SCORES_ANSWER_OFFSETS, 1, 1000);
    assert_check_of_names(&generated, COLA_TEXTS_TARGET_OFFSETS, 3, 1000);
}

static void column_of_another_length_is_refused_by_name(void **state)
{
    (void)state;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++) {
        struct cola_run *file = small_run_read(run.run_path);
        file->columns.column[i].n--;
        assert_int_equal(cola_columns_check(&file->columns, file->by_row, "changed.h5"), COLA_ERR_INPUT);
        cola_run_close(file);
    }
}

static void missing_or_mistyped_data_set_is_refused_by_name(void **state)
{
    (void)state;
    struct cola_run *changed = NULL;
    for (int i = 0; i < COLA_N_RUN_COLUMNS; i++)
        for (int wrong_type = 0; wrong_type < 2; wrong_type++) {
            small_write(changed_path, bytes, n_bytes);
            hid_t file = H5Fopen(changed_path, H5F_ACC_RDWR, H5P_DEFAULT);
            assert_true(H5Ldelete(file, cola_run_schema[i].name, H5P_DEFAULT) >= 0);
            if (wrong_type) TASKS_FILE_PUT(file, cola_run_schema[i].name, H5T_NATIVE_INT64, int64_t, 0, 1, 2);
            H5Fclose(file);
            seal_file(changed_path);
            assert_int_equal(cola_run_open(changed_path, &changed), COLA_ERR_INPUT);
            assert_error_names(cola_run_schema[i].name);
            assert_error_names(changed_path);
        }
    assert_null(changed);
}

static void change_attribute(const char *key, const char *text, int32_t number)
{
    small_write(changed_path, bytes, n_bytes);
    hid_t file = H5Fopen(changed_path, H5F_ACC_RDWR, H5P_DEFAULT);
    if (text)
        tasks_file_text(file, key, text);
    else if (strcmp(key, "version") == 0)
        tasks_file_integers(file, key, (const int32_t[]){number, 0}, 2);
    else
        tasks_file_integers(file, key, &number, 1);
    H5Fclose(file);
    seal_file(changed_path);
}

/* --- other versions ---------------------------------------------------------------------------------------
 */

static void file_of_version_1_0_is_read_and_has_its_digest(void **state)
{
    (void)state;
    struct cola_run *file = small_run_read(COLA_TEST_DATA "/runs/run-1.0.h5");
    struct cola_run_sample sample;
    struct cola_run_chain chain;
    char digest[COLA_HASH_TEXT];
    assert_int_equal(file->minor, 0);
    assert_int_equal(cola_run_digest(file, digest), COLA_OK);
    assert_string_equal(digest, "xxh3:3851f3456d1fb9daafd4eddd36705a1a"); /* as its program printed it */
    assert_int_equal(cola_run_n_samples(file), 2);
    assert_false(cola_run_by_row(file));
    for (uint32_t i = 0; i < 2; i++) {
        cola_run_sample(file, i, &sample);
        assert_int_equal(sample.target_text.n_bytes, 0);
        assert_true(sample.n_chains > 1);
    }
    for (uint64_t row = 0; row < cola_run_n_chains(file); row++) {
        cola_run_chain(file, row, &chain);
        assert_int_equal(chain.n_scores, 4);
        assert_int_equal(chain.answer.n_bytes, 0);
    }
    cola_run_close(file);
}

static void change_minor(int32_t minor)
{
    small_write(changed_path, bytes, n_bytes);
    hid_t file = H5Fopen(changed_path, H5F_ACC_RDWR, H5P_DEFAULT);
    tasks_file_integers(file, "version", (const int32_t[]){1, minor}, 2);
    H5Fclose(file);
    seal_file(changed_path);
}

static void later_minor_is_read_but_its_digest_is_not_known(void **state)
{
    (void)state;
    char digest[COLA_HASH_TEXT];
    change_minor(COLA_RUN_MINOR + 1);
    struct cola_run *file = small_run_read(changed_path);
    assert_int_equal(cola_run_digest(file, digest), COLA_ERR_UNSUPPORTED);
    assert_error_names("version 1.3");
    cola_run_close(file);
    change_minor(0); /* its digest covers more than 1.0 has */
    file = small_run_read(changed_path);
    assert_int_equal(cola_run_digest(file, digest), COLA_ERR_INPUT);
    cola_run_close(file);
    change_minor(-1);
    assert_int_equal(cola_run_open(changed_path, &file), COLA_ERR_INPUT);
    assert_error_names("version");
}

static void generated_run_without_its_grader_is_refused(void **state)
{
    (void)state;
    struct cola_run *changed = NULL;
    small_write(changed_path, generated_bytes, n_generated_bytes);
    hid_t file = H5Fopen(changed_path, H5F_ACC_RDWR, H5P_DEFAULT);
    tasks_file_text(file, "grader", "vibes");
    H5Fclose(file);
    seal_file(changed_path);
    assert_int_equal(cola_run_open(changed_path, &changed), COLA_ERR_INPUT);
    assert_error_names("grader: expected letter, boxed or number, found vibes");
    change_attribute("score", "generate", 0); /* of the loglik run, which has no grader */
    assert_int_equal(cola_run_open(changed_path, &changed), COLA_ERR_INPUT);
    assert_error_names("found none");
    assert_null(changed);
}

static void other_versions_and_bad_attributes_are_refused(void **state)
{
    (void)state;
    struct cola_run *changed = NULL;
    change_attribute("version", NULL, 2);
    assert_int_equal(cola_run_open(changed_path, &changed), COLA_ERR_UNSUPPORTED);
    assert_error_names("cola-run version 2.0");
    change_attribute("filetype", "cola-tasks", 0);
    assert_int_equal(cola_run_open(changed_path, &changed), COLA_ERR_INPUT);
    change_attribute("complete", NULL, 2);
    assert_int_equal(cola_run_open(changed_path, &changed), COLA_ERR_INPUT);
    change_attribute("identity_keys", "seed\nnot_there", 0);
    assert_int_equal(cola_run_open(changed_path, &changed), COLA_ERR_INPUT);
    assert_error_names("not_there");
    change_attribute("grows_keys", "seed", 0);
    assert_int_equal(cola_run_open(changed_path, &changed), COLA_ERR_INPUT);
    assert_error_names("given twice");
    change_attribute("content_digest", "xxh3:0123\x1b[31m", 0);
    assert_int_equal(cola_run_open(changed_path, &changed), COLA_ERR_INPUT);
    assert_error_names("content_digest");
    assert_int_equal(cola_run_open("/tmp/cola-no-such-run.h5", &changed), COLA_ERR_IO);
    assert_null(changed);
    cola_run_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_has_the_schema_line_by_line),
        cmocka_unit_test(file_has_the_schema_and_nothing_else),
        cmocka_unit_test(dimensions_of_the_schema_are_those_of_its_shapes),
        cmocka_unit_test(digest_finds_every_changed_element_of_every_column),
        cmocka_unit_test(digest_takes_all_nans_for_one),
        cmocka_unit_test(digest_needs_each_field_as_it_was),
        cmocka_unit_test(changed_file_is_refused_whatever_data_set_was_changed),
        cmocka_unit_test(digest_is_equal_for_chunked_compressed_and_big_endian_storage),
        cmocka_unit_test(content_that_breaks_a_rule_is_refused_by_name),
        cmocka_unit_test(column_of_another_length_is_refused_by_name),
        cmocka_unit_test(missing_or_mistyped_data_set_is_refused_by_name),
        cmocka_unit_test(generated_content_that_breaks_a_rule_is_refused_by_name),
        cmocka_unit_test(file_of_version_1_0_is_read_and_has_its_digest),
        cmocka_unit_test(later_minor_is_read_but_its_digest_is_not_known),
        cmocka_unit_test(generated_run_without_its_grader_is_refused),
        cmocka_unit_test(other_versions_and_bad_attributes_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

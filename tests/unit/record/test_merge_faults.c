/* test_merge_faults.c - damaged inputs, a full disk, names that are taken, files that change meanwhile: the
 * merge says so and leaves nothing behind. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cola/log.h"
#include "record/run.h"
#include "unit/record/merge_parts.h"
#include "unit/record/write_run.h"
#include "unit/seal.h"

static struct small_run run; /* a.h5, b.h5, c.h5: a sample each */
static char path_b[PATH_BYTES], path_out[PATH_BYTES];
static uint8_t *bytes_b;
static size_t n_b;

static int set_up(void **state)
{
    (void)state;
    small_run_create(&run);
    part_make(&run, &(struct part){.name = "a.h5", .first = 0, .n = 1});
    part_make(&run, &(struct part){.name = "b.h5", .first = 1, .n = 1});
    part_make(&run, &(struct part){.name = "c.h5", .first = 2, .n = 1});
    part_path(&run, "out.h5", path_out);
    bytes_b = small_read(part_path(&run, "b.h5", path_b), &n_b);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(bytes_b);
    small_run_destroy(&run);
    return 0;
}

static const char all[] = "out.h5 a.h5 b.h5 c.h5";

/* --- damaged inputs ----------------------------------------------------------------------------------- */

static enum cola_status merge_with(const char *path)
{
    (void)path; /* b.h5, which is among them */
    enum cola_status status = part_merge(&run, all, NULL, NULL);
    if (status == COLA_OK) part_remove(&run, "out.h5");
    return status;
}

static void damaged_input_is_refused_by_name(void **state)
{
    (void)state;
    seal_assert_damage_refused(path_b, 211, merge_with);
    assert_int_equal(small_run_files(&run, false), 4);
}

/* Files whose first block is right and whose content is not. */
static void changed_content_is_refused_by_name(void **state)
{
    (void)state;
    hid_t file = H5Fopen(path_b, H5F_ACC_RDWR, H5P_DEFAULT);
    TASKS_FILE_PUT(file, "samples/n_simulations", H5T_NATIVE_UINT32, uint32_t, 11);
    H5Fclose(file);
    seal_file(path_b);
    PART_REFUSED(&run, all, NULL, COLA_ERR_INPUT, path_b,
                 "content_digest: stored xxh3:", "the file was changed");
    small_write(path_b, bytes_b, n_b);
    file = H5Fopen(path_b, H5F_ACC_RDWR, H5P_DEFAULT);
    TASKS_FILE_PUT(file, "samples/chain_offsets", H5T_NATIVE_UINT64, uint64_t, 0, 5);
    H5Fclose(file);
    seal_file(path_b);
    PART_REFUSED(&run, all, NULL, COLA_ERR_INPUT, path_b, "samples/chain_offsets", "expected 0 first");
    small_write(path_b, bytes_b, n_b);
    file = H5Fopen(path_b, H5F_ACC_RDWR, H5P_DEFAULT);
    TASKS_FILE_PUT(file, "chains/depth", H5T_NATIVE_UINT32, uint32_t, 0, 5);
    H5Fclose(file);
    seal_file(path_b);
    PART_REFUSED(&run, all, NULL, COLA_ERR_INPUT, path_b, "chains/depth", "elements, found 2");
    small_write(path_b, bytes_b, n_b);
}

/* Writes a run with one element changed, with its right digest. */
static void rewrite(const char *path, enum cola_run_column column, size_t k, int64_t value)
{
    struct cola_run *file = small_run_read(path);
    size_t item_bytes = cola_h5_type_bytes(cola_run_schema[column].type);
    memcpy((uint8_t *)file->columns.column[column].data + k * item_bytes, &value, item_bytes);
    assert_int_equal(write_run(path, &file->columns, &file->fields), COLA_OK);
    cola_run_close(file);
}

static void content_that_breaks_a_rule_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        enum cola_run_column column;
        size_t k;
        int64_t value;
    } change[] = {{COLA_CHAINS_PARENT, 1, 1},        {COLA_CHAINS_PREDICTION, 0, 3},
                  {COLA_CHAINS_EDIT_KIND, 0, 3},     {COLA_CHAINS_LAYER_OFFSETS, 1, 1000000},
                  {COLA_CHAINS_LAYER_OFFSETS, 1, 0}, {COLA_SCORES_OFFSETS, 1, 2},
                  {COLA_SAMPLES_GOLD, 0, 7},         {COLA_CHAINS_OUTCOME, 0, 9}};
    for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
        rewrite(path_b, change[i].column, change[i].k, change[i].value);
        PART_REFUSED(&run, all, NULL, COLA_ERR_INPUT, path_b, cola_run_schema[change[i].column].name, "");
        small_write(path_b, bytes_b, n_b);
    }
    rewrite(path_b, COLA_SAMPLES_INDEX, 0, 2); /* and says that it has row 1 */
    PART_REFUSED(&run, all, NULL, COLA_ERR_INPUT, path_b, "attribute samples says 1:2",
                 "samples/index has 2:3");
    small_write(path_b, bytes_b, n_b);
}

/* Of a run that is not read as a whole, because another one has some of its samples too. */
static void offsets_that_leave_the_file_are_refused_in_a_part(void **state)
{
    (void)state;
    const struct cola_merge_options allow = {.allow_duplicates = true};
    char path[PATH_BYTES];
    part_make(&run, &(struct part){.name = "bc.h5", .first = 1, .n = 2});
    part_path(&run, "bc.h5", path);
    rewrite(path, COLA_SAMPLES_CHAIN_OFFSETS, 1, (int64_t)1 << 40);
    PART_REFUSED(&run, "out.h5 a.h5 bc.h5 b.h5", &allow, COLA_ERR_INPUT, path, "samples/chain_offsets",
                 "end before they begin, or too late");
    part_remove(&run, "bc.h5");
}

static void other_files_and_later_versions_are_refused(void **state)
{
    (void)state;
    PART_REFUSED(&run, "out.h5 a.h5 no.h5", NULL, COLA_ERR_IO, "no.h5", "", "");
    PART_REFUSED(&run, "out.h5 a.h5 tasks.h5", NULL, COLA_ERR_INPUT, "tasks.h5", "expected cola-run", "");
    for (int major = 0; major < 2; major++) {
        hid_t file = H5Fopen(path_b, H5F_ACC_RDWR, H5P_DEFAULT);
        tasks_file_integers(file, "version", major ? (const int32_t[]){2, 0} : (const int32_t[]){1, 99}, 2);
        H5Fclose(file);
        seal_file(path_b);
        PART_REFUSED(&run, all, NULL, COLA_ERR_UNSUPPORTED, path_b, major ? "version 2.0" : "version 1.99",
                     "");
        small_write(path_b, bytes_b, n_b);
    }
}

/* --- the output --------------------------------------------------------------------------------------- */

static void output_that_exists_is_left_alone(void **state)
{
    (void)state;
    char journal[PATH_BYTES];
    small_write(path_out, (const uint8_t *)"mine", 4);
    PART_REFUSED(&run, all, NULL, COLA_ERR_USAGE, path_out, "exists: nothing is overwritten", "");
    assert_file_is(path_out, (const uint8_t *)"mine", 4);
    part_remove(&run, "out.h5");
    small_write(part_path(&run, "out.h5.journal", journal), (const uint8_t *)"mine", 4);
    PART_REFUSED(&run, all, NULL, COLA_ERR_USAGE, journal, "exists", "");
    part_remove(&run, "out.h5.journal");
    PART_REFUSED(&run, "b.h5 a.h5 b.h5 c.h5", NULL, COLA_ERR_USAGE, path_b, "exists", "");
    assert_file_is(path_b, bytes_b, n_b);
}

static void limit_files(rlim_t n)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Where the disk is full: before anything is copied, or when samples_done samples are. */
struct fault {
    rlim_t room;
    uint64_t samples_done;
    const char *rewrite, *create; /* files: another one takes its place; it comes into being */
};

static void happen(void *user, const char *what, uint64_t n_done, uint64_t n)
{
    const struct fault *fault = user;
    (void)n;
    if (strcmp(what, "samples merged") != 0 || n_done < fault->samples_done) return;
    if (fault->rewrite) small_write(fault->rewrite, bytes_b, n_b);
    if (fault->create) small_write(fault->create, (const uint8_t *)"mine", 4);
    if (fault->room) limit_files(fault->room);
}

static void full_disk_leaves_no_output(void **state)
{
    (void)state;
    struct stat about;
    part_merge_well(&run, all, NULL, NULL);
    assert_int_equal(stat(path_out, &about), 0);
    part_remove(&run, "out.h5");
    for (uint64_t done = 0; done < 3; done++)
        for (rlim_t room = 1; room < (rlim_t)about.st_size; room += (rlim_t)about.st_size / 6) {
            struct fault fault = {.room = room, .samples_done = done};
            const struct cola_merge_options options = {.progress = happen, .user = &fault};
            enum cola_status status = part_merge(&run, all, &options, NULL);
            limit_files(RLIM_INFINITY);
            assert_int_equal(status, COLA_ERR_IO);
            assert_error_names("cannot be written");
            assert_int_equal(small_run_files(&run, false), 4);
        }
    limit_files(2000); /* from the begin on: found before anything is copied */
    enum cola_status status = part_merge(&run, all, NULL, NULL);
    limit_files(RLIM_INFINITY);
    assert_int_equal(status, COLA_ERR_IO);
    assert_error_names("no room for its");
    assert_int_equal(small_run_files(&run, false), 4);
    assert_int_equal(merge_with(path_b), COLA_OK); /* there is room again */
}

static void directory_that_cannot_be_written_is_an_io_error(void **state)
{
    (void)state;
    bool root = geteuid() == 0;
    assert_int_equal(chmod(run.directory, 0555), 0);
    if (root) assert_int_equal(seteuid(65534), 0);
    enum cola_status status = part_merge(&run, all, NULL, NULL);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(run.directory, 0755), 0);
    assert_int_equal(status, COLA_ERR_IO);
    assert_error_names(run.directory);
    assert_int_equal(small_run_files(&run, false), 4);
    PART_REFUSED(&run, "no/such/out.h5 a.h5 b.h5", NULL, COLA_ERR_IO, "no/such/out.h5", "", "");
}

static void input_that_changes_meanwhile_is_refused(void **state)
{
    (void)state;
    struct fault fault = {.rewrite = path_b};
    const struct cola_merge_options options = {.progress = happen, .user = &fault};
    PART_REFUSED(&run, all, &options, COLA_ERR_INPUT, path_b, "was changed or replaced while it was merged",
                 "");
}

static void output_that_comes_into_being_meanwhile_is_left_alone(void **state)
{
    (void)state;
    struct fault fault = {.create = path_out};
    const struct cola_merge_options options = {.progress = happen, .user = &fault};
    assert_int_equal(part_merge(&run, all, &options, NULL), COLA_ERR_USAGE);
    assert_error_names("came into being while it was written");
    assert_file_is(path_out, (const uint8_t *)"mine", 4);
    part_remove(&run, "out.h5");
    assert_int_equal(small_run_files(&run, false), 4);
}

int main(void)
{
    cola_log_setup(COLA_LOG_ERROR, -1);
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_input_is_refused_by_name),
        cmocka_unit_test(changed_content_is_refused_by_name),
        cmocka_unit_test(content_that_breaks_a_rule_is_refused_by_name),
        cmocka_unit_test(offsets_that_leave_the_file_are_refused_in_a_part),
        cmocka_unit_test(other_files_and_later_versions_are_refused),
        cmocka_unit_test(output_that_exists_is_left_alone),
        cmocka_unit_test(full_disk_leaves_no_output),
        cmocka_unit_test(directory_that_cannot_be_written_is_an_io_error),
        cmocka_unit_test(input_that_changes_meanwhile_is_refused),
        cmocka_unit_test(output_that_comes_into_being_meanwhile_is_left_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

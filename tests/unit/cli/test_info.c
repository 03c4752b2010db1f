/* test_info.c - `cola info`: what it says of a model, of a tasks.h5 and of this build, as text and as JSON,
 * and that everything else is refused with exit status 1 and nothing on stdout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cola/build.h"
#include "cola/threads.h"
#ifdef COLA_HDF5
#include "unit/task/tasks_file.h"
#endif

#define TIED COLA_TEST_DATA "/models/llama_gqa_tied"

/* Runs the command with stdout and stderr in files; their beginnings are returned. */
static int info(const char *first, const char *second, char out[8192], char err[8192])
{
    char *argv[] = {"info", (char *)(uintptr_t)first, (char *)(uintptr_t)second};
    FILE *file[2] = {tmpfile(), tmpfile()};
    char *text[2] = {out, err};
    int saved[2];
    assert_true(file[0] && file[1]);
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        saved[i] = dup(i + 1);
        assert_true(dup2(fileno(file[i]), i + 1) >= 0);
    }
    int exit_status = cola_command_info(1 + !!first + !!second, argv);
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i + 1);
        close(saved[i]);
        rewind(file[i]);
        text[i][fread(text[i], 1, 8191, file[i])] = '\0';
        fclose(file[i]);
    }
    return exit_status;
}

static void assert_line(const char *out, const char *label, const char *value)
{
    char line[256];
    snprintf(line, sizeof line, "%-24s%s\n", label, value);
    if (!strstr(out, line)) fail_msg("no line '%s' in:\n%s", line, out);
}

static void model_directory_is_described(void **state)
{
    (void)state;
    char out[8192], err[8192];
    assert_int_equal(info(TIED, NULL, out, err), COLA_EXIT_OK);
    assert_line(out, "model type", "llama");
    assert_line(out, "layers", "6");
    assert_line(out, "kv heads", "2");
    assert_line(out, "norm eps", "1e-5");
    assert_line(out, "rope theta", "100000.0");
    assert_line(out, "rope scaling", "none");
    assert_line(out, "tied head", "true");
    assert_line(out, "parameters", "267072");
    assert_line(out, "dtypes", "F32");
    assert_line(out, "weight bytes", "1068288"); /* 4 * 267072 */
    assert_non_null(strstr(out, "xxh3:"));
    assert_string_equal(err, "");
}

static void json_says_the_same(void **state)
{
    (void)state;
    char out[8192], err[8192];
    assert_int_equal(info("--json", COLA_TEST_DATA "/models/llama3_rope_scaling", out, err), COLA_EXIT_OK);
    json_t *facts = json_loads(out, 0, NULL);
    assert_non_null(facts);
    assert_int_equal(json_integer_value(json_object_get(facts, "layers")), 6);
    assert_int_equal(json_integer_value(json_object_get(facts, "parameters")), 392000);
    assert_string_equal(json_string_value(json_object_get(facts, "rope_scaling")), "llama3");
    assert_true(json_real_value(json_object_get(facts, "rope_factor")) == 8);
    assert_true(json_real_value(json_object_get(facts, "norm_eps")) == 1e-5);
    assert_true(json_is_false(json_object_get(facts, "tied_head")));
    json_decref(facts);
}

static void build_is_described(void **state)
{
    (void)state;
    char out[8192], err[8192], cores[16];
    assert_int_equal(info(NULL, NULL, out, err), COLA_EXIT_OK);
    snprintf(cores, sizeof cores, "%u", cola_threads_cores());
    assert_line(out, "version", cola_build_version());
    assert_line(out, "git hash", cola_build_git_hash());
    assert_line(out, "cores", cores);
#ifdef COLA_MPI
    assert_line(out, "mpi", "built in");
#endif
    assert_non_null(strstr(out, "cpu features"));
    assert_non_null(strstr(out, "\nhdf5 "));
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path, *word;
        int exit_status;
    } cases[] = {
        {"/nowhere/at/all", "/nowhere/at/all: No such file", COLA_EXIT_FAILED},
        {"/tmp", "/tmp is no readable model directory", COLA_EXIT_FAILED},
        {"/dev/null", "neither a model directory nor a file", COLA_EXIT_FAILED},
        {TIED "/config.json", "config.json: ", COLA_EXIT_FAILED},
        {"--no-such-option", "--no-such-option", COLA_EXIT_USAGE},
    };
    char out[8192], err[8192];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(info(cases[i].path, NULL, out, err), cases[i].exit_status);
        if (!strstr(err, cases[i].word)) fail_msg("'%s' is not in: %s", cases[i].word, err);
        assert_string_equal(out, "");
    }
    assert_int_equal(info(TIED, TIED, out, err), COLA_EXIT_USAGE);
}

#ifdef COLA_HDF5
static void hdf5_file_is_described_by_its_filetype(void **state)
{
    (void)state;
    char out[8192], err[8192], path[] = "/tmp/cola-test-info-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    hid_t file = tasks_file_create(path);
    H5Fclose(file);
    assert_int_equal(info(path, NULL, out, err), COLA_EXIT_OK);
    assert_line(out, "filetype", "cola-tasks");
    assert_line(out, "task", "three");
    assert_line(out, "score", "loglik");
    assert_line(out, "samples", "3");
    assert_line(out, "largest token", "19");
    file = tasks_file_create(path);
    tasks_file_make_generate(file);
    H5Fclose(file);
    assert_int_equal(info(path, NULL, out, err), COLA_EXIT_OK);
    assert_line(out, "score", "generate");
    assert_line(out, "grader", "number");
    assert_line(out, "max new tokens", "16");
    assert_line(out, "vocabulary", "23");
    static const char *const foreign[] = {"something-else",
                                          "cola-run"}; /* no run.h5 either, in spite of its name */
    for (size_t i = 0; i < 2; i++) {
        file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        tasks_file_text(file, "filetype", foreign[i]);
        H5Fclose(file);
        assert_int_equal(info(path, NULL, out, err), COLA_EXIT_FAILED);
        assert_non_null(strstr(err, path));
        assert_string_equal(out, "");
    }
    file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Adelete(file, "filetype");
    H5Fclose(file);
    assert_int_equal(info(path, NULL, out, err), COLA_EXIT_FAILED);
    assert_non_null(strstr(err, "filetype is missing"));
    unlink(path);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_directory_is_described),
        cmocka_unit_test(json_says_the_same),
        cmocka_unit_test(build_is_described),
        cmocka_unit_test(anything_else_is_refused),
#ifdef COLA_HDF5
        cmocka_unit_test(hdf5_file_is_described_by_its_filetype),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

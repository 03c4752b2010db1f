/* test_machine.c - memory that is left: the least of what /proc, the cgroups and Slurm say, from made-up
 * files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cola/machine.h"

static char root[64];

/* Writes root/path, its folders too. */
static void write_file(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    (void)state;
    unsetenv("SLURM_MEM_PER_NODE");
    unsetenv("SLURM_MEM_PER_CPU");
    unsetenv("SLURM_CPUS_ON_NODE");
    snprintf(root, sizeof root, "/tmp/cola-test-machine-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void what_cannot_be_read_is_no_limit(void **state)
{
    (void)state;
    assert_true(cola_machine_memory(root) == UINT64_MAX);
    write_file("proc/meminfo", "MemTotal: 900 kB\nMemAvailable:   \n");
    write_file("proc/self/cgroup", "nonsense\n0::\n7\n");
    assert_true(cola_machine_memory(root) == UINT64_MAX);
    uint64_t here = cola_machine_memory("");
    assert_true(here > 1 << 20 && here < (uint64_t)1 << 50);
}

static void available_memory_is_a_limit(void **state)
{
    (void)state;
    write_file("proc/meminfo", "MemTotal:  16000000 kB\nMemFree: 5 kB\nMemAvailable:    1000 kB\n");
    assert_int_equal(cola_machine_memory(root), 1000 * 1024);
}

static void every_cgroup_above_is_a_limit_less_its_use(void **state)
{
    (void)state;
    write_file("proc/meminfo", "MemAvailable: 1000 kB\n");
    write_file("proc/self/cgroup", "0::/job/step\n");
    write_file("sys/fs/cgroup/job/step/memory.max", "max\n");
    write_file("sys/fs/cgroup/job/step/memory.current", "5\n");
    assert_int_equal(cola_machine_memory(root), 1000 * 1024);
    write_file("sys/fs/cgroup/job/memory.max", "900000\n");
    write_file("sys/fs/cgroup/job/memory.current", "300000\n");
    assert_int_equal(cola_machine_memory(root), 600000);
    write_file("sys/fs/cgroup/job/memory.stat", "anon 1\nfile 2\ninactive_file 100000\nactive_file 3\n");
    assert_int_equal(cola_machine_memory(root), 700000); /* what can be reclaimed is not in the way */
    write_file("sys/fs/cgroup/job/step/memory.max", "4\n");
    assert_int_equal(cola_machine_memory(root), 0); /* used beyond its limit */
}

static void cgroups_of_version_1_count_too(void **state)
{
    (void)state;
    write_file("proc/self/cgroup", "9:cpuset:/x\n4:cpu,memory:/pool/job\n0::/\n");
    write_file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    write_file("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n");
    assert_true(cola_machine_memory(root) > (uint64_t)1 << 60);
    write_file("sys/fs/cgroup/memory/pool/memory.limit_in_bytes", "500000\n");
    write_file("sys/fs/cgroup/memory/pool/memory.usage_in_bytes", "200000\n");
    write_file("sys/fs/cgroup/memory/pool/memory.stat", "inactive_file 1\ntotal_inactive_file 50000\n");
    assert_int_equal(cola_machine_memory(root), 350000);
}

static void slurm_says_mebibytes_of_a_node_or_of_a_core(void **state)
{
    (void)state;
    setenv("SLURM_MEM_PER_NODE", "3", 1);
    assert_int_equal(cola_machine_memory(root), 3 << 20);
    setenv("SLURM_MEM_PER_NODE", "0", 1); /* all of it */
    assert_true(cola_machine_memory(root) == UINT64_MAX);
    setenv("SLURM_MEM_PER_CPU", "2", 1);
    assert_true(cola_machine_memory(root) == UINT64_MAX);
    setenv("SLURM_CPUS_ON_NODE", "4", 1);
    assert_int_equal(cola_machine_memory(root), 8 << 20);
    write_file("proc/meminfo", "MemAvailable: 100 kB\n");
    assert_int_equal(cola_machine_memory(root), 100 << 10);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(what_cannot_be_read_is_no_limit),
        CASE(available_memory_is_a_limit),
        CASE(every_cgroup_above_is_a_limit_less_its_use),
        CASE(cgroups_of_version_1_count_too),
        CASE(slurm_says_mebibytes_of_a_node_or_of_a_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

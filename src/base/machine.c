/* machine.c - memory that is left, from /proc, the memory cgroups and Slurm's variables. What cannot be read
 * is no limit: the next one counts. */
#include "cola/machine.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PATH = 4096 };

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t without(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* The number after the word `key` at the start of a line; an empty key: the first line. False: not there, or
 * "max". */
static bool read_number(const char *path, const char *key, uint64_t *out)
{
    char line[256];
    FILE *file = fopen(path, "re");
    bool found = false;
    size_t n = strlen(key);
    while (file && !found && fgets(line, sizeof line, file))
        found = strncmp(line, key, n) == 0 && sscanf(line + n, "%" SCNu64, out) == 1;
    if (file) fclose(file);
    return found;
}

/* --- /proc/meminfo -------------------------------------------------------------------------------------- */

static uint64_t available(const char *root)
{
    char path[MOST_PATH];
    uint64_t kib;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    return read_number(path, "MemAvailable:", &kib) ? kib << 10 : UINT64_MAX;
}

/* --- cgroups -------------------------------------------------------------------------------------------- */

struct version { /* where a version of cgroups keeps the memory controller's numbers */
    const char *mount, *limit, *usage, *reclaimable;
};
static const struct version versions[] = {
    {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "},
    {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "}};

/* What one group leaves. Pages of files that nobody used lately are counted as used, but go when memory is
 * asked for. */
static uint64_t left_in_group(const struct version *v, const char *group)
{
    char path[MOST_PATH + 64];
    uint64_t limit, usage = 0, reclaimable = 0;
    snprintf(path, sizeof path, "%s/%s", group, v->limit);
    if (!read_number(path, "", &limit)) return UINT64_MAX;
    snprintf(path, sizeof path, "%s/%s", group, v->usage);
    if (!read_number(path, "", &usage)) return UINT64_MAX;
    snprintf(path, sizeof path, "%s/memory.stat", group);
    if (!read_number(path, v->reclaimable, &reclaimable)) reclaimable = 0;
    return without(limit, without(usage, reclaimable));
}

/* The group and all above it: each may have a limit. In a container the path may name groups that are not
 * there; what is there still counts. */
static uint64_t left_in_groups(const struct version *v, const char *root, const char *name)
{
    char group[MOST_PATH];
    uint64_t left = UINT64_MAX;
    size_t n_mount = (size_t)snprintf(group, sizeof group, "%s%s", root, v->mount);
    int n = snprintf(group, sizeof group, "%s%s%s", root, v->mount, name);
    if (n < 0 || (size_t)n >= sizeof group) return left;
    for (;;) {
        left = least(left, left_in_group(v, group));
        char *slash = strrchr(group + n_mount, '/');
        if (!slash) return left;
        *slash = '\0';
    }
}

/* Lines of /proc/self/cgroup: "ID:CONTROLLERS:PATH", version 2 with ID 0 and no controllers. */
static uint64_t left_by_cgroups(const char *root)
{
    char path[MOST_PATH], line[MOST_PATH];
    uint64_t left = UINT64_MAX;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line, *id = strsep(&rest, ":"), *controllers = strsep(&rest, ":");
        if (!id || !controllers || !rest) continue;
        if (strcmp(controllers, "") == 0) left = least(left, left_in_groups(&versions[0], root, rest));
        for (char *word; (word = strsep(&controllers, ","));)
            if (strcmp(word, "memory") == 0) left = least(left, left_in_groups(&versions[1], root, rest));
    }
    if (file) fclose(file);
    return left;
}

/* --- Slurm ---------------------------------------------------------------------------------------------- */

/* 0: not set, no number, or Slurm's word for all memory. */
static uint64_t variable(const char *name)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : 0;
}

static uint64_t left_by_slurm(void)
{
    uint64_t node = variable("SLURM_MEM_PER_NODE"), cpu = variable("SLURM_MEM_PER_CPU"),
             n_cpus = variable("SLURM_CPUS_ON_NODE");
    if (node) return node << 20;
    return cpu && n_cpus ? cpu * n_cpus << 20 : UINT64_MAX;
}

uint64_t cola_machine_memory(const char *root)
{
    return least(available(root), least(left_by_cgroups(root), left_by_slurm()));
}

uint64_t cola_machine_program_bytes(uint32_t n_threads, bool onednn)
{
    return ((uint64_t)64 + (onednn ? 64 : 0) + n_threads) << 20;
}

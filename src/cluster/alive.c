/* alive.c - whether a search that is told to stop was told so by somebody, or lost a worker. mpirun tells the
 * master of both with the same TERM; but a worker that crashed is gone by then, and one that was not ignores
 * TERM until it is killed, two seconds later. What is on another node cannot be looked at. */
#include "cluster/alive.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cluster/master.h"

void cola_node_name(char text[COLA_NODE_TEXT])
{
    size_t n = 0;
    FILE *boot = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (boot) n = fread(text, 1, 36, boot), fclose(boot);
    ssize_t more = readlink("/proc/self/ns/pid", text + n, COLA_NODE_TEXT - 1 - n);
    text[n && more > 0 ? n + (size_t)more : 0] = 0;
}

/* Neither gone nor a zombie. */
static bool is_alive(uint32_t pid)
{
    char path[64], state = 'X';
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
    fclose(file);
    return state != 'Z' && state != 'X';
}

static bool all_workers_live(const struct cola_master *m)
{
    char here[COLA_NODE_TEXT];
    cola_node_name(here);
    for (uint32_t i = 1; i <= m->n_workers; i++) {
        const struct cola_hello *h = &m->worker[i].hello;
        if (!m->worker[i].ready || !*here || strcmp(h->node, here) != 0 || !is_alive(h->pid)) return false;
    }
    return true;
}

bool cola_master_may_be_a_crash(const struct cola_master *m, enum cola_status status)
{
    if (strcmp(m->comm->ops->name, "local") == 0) return false; /* a crash would have taken us along */
    if (status == COLA_ERR_STOPPED) return !all_workers_live(m);
    return status == COLA_ERR_LIBRARY;
}

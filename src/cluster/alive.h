/* alive.h - whether workers of this node are still there when the job is told to end: evidence about what was
 * running. */
#ifndef COLA_CLUSTER_ALIVE_H
#define COLA_CLUSTER_ALIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "cola/status.h"

struct cola_master;

/* Of this process's kernel and namespace, in which process numbers mean something; 0: not known. */
uint64_t cola_node_id(void);

/* Whether requests that are out when the master ends with this status may have crashed their worker: then
 * they become suspects (docs/format-journal.md). False where it is known that they did not. */
bool cola_master_may_be_a_crash(const struct cola_master *m, enum cola_status status);

#endif

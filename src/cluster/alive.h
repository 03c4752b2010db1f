/* alive.h - whether workers of this node are still there when the job is told to end: evidence about what was
 * running. */
#ifndef COLA_CLUSTER_ALIVE_H
#define COLA_CLUSTER_ALIVE_H

#include <stdbool.h>

#include "cluster/message.h"

struct cola_master;

/* Of this process's kernel and namespace, in which process numbers mean something: its boot id and its
 * namespace; empty: not known. */
void cola_node_name(char text[COLA_NODE_TEXT]);

/* Whether requests that are out when the master ends with this status may have crashed their worker: then
 * they become suspects (docs/format-journal.md). False where it is known that they did not. */
bool cola_master_may_be_a_crash(const struct cola_master *m, enum cola_status status);

#endif

/* cross_show.h - `cola show X.h5`: what a table of `cola cross` says. Reads only. */
#ifndef COLA_CLI_CROSS_SHOW_H
#define COLA_CLI_CROSS_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "cola/status.h"

/* To stdout: the chains that are right most often, `limit` of them, and the menu of up to 100; or all of it
 * as JSON (without a limit); or only the digest, compared with the stored one. */
enum cola_status cola_cross_show(const char *path, uint64_t limit, bool json, bool digest);

#endif

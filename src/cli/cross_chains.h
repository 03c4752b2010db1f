/* cross_chains.h - where the chains of `cola cross` come from. */
#ifndef COLA_CLI_CROSS_CHAINS_H
#define COLA_CLI_CROSS_CHAINS_H

#include "cola/chain_set.h"

/* A file of chains (docs/cross.md): one a line as text, as a JSON list of layers or as a JSON object with
 * "chain"; or PoLar's merged_mcts_samples.json, of which the valid transitions are taken, and with
 * `wrong_too` the invalid ones. *out is sealed, for cola_chain_set_fini. COLA_ERR_INPUT: names the line. */
enum cola_status cola_cross_chains_read(const char *path, bool wrong_too, struct cola_chain_set *out);

/* The `top` chains (0: all) that a run.h5 has most right samples of: of equals the one with fewer layers,
 * then the one that comes first in a chain_set. A sample counts if the chain was right there and its target
 * was gold; COLA_ERR_USAGE for a run without such samples (a control). */
enum cola_status cola_cross_chains_top(const char *run_path, uint64_t top, struct cola_chain_set *out);

#endif

/* engine_options.h - the options that every command with an engine has, as one piece of their option tables.
 */
#ifndef COLA_CLI_ENGINE_OPTIONS_H
#define COLA_CLI_ENGINE_OPTIONS_H

#include "cola/engine.h"
#include "cola/options.h"

/* clang-format off */
#define COLA_ENGINE_OPTION_TABLE                                                                                      \
    {"model", COLA_OPTION_TEXT, "DIR", NULL, 0, 0, NULL, "Hugging Face model directory; needed"},              \
    {"backend", COLA_OPTION_CHOICE, NULL, "auto", 0, 0, "auto|ref|cpu|cuda", "who computes; in f32 all give the same bytes"},    \
    {"ranks-per-gpu", COLA_OPTION_UINT, "N", "1", 1, 64, NULL, "ranks of a machine that may share one of its GPUs"},  \
    {"isa", COLA_OPTION_CHOICE, NULL, "auto", 0, 0, "auto|avx2|avx512|avx512_bf16", "instruction set of the cpu back end"},       \
    {"dtype", COLA_OPTION_CHOICE, NULL, "f32", 0, 0, "f32|bf16", "arithmetic; f32 is exact (docs/numerics.md)"},      \
    {"bf16-products", COLA_OPTION_CHOICE, NULL, "exact", 0, 0, "exact|onednn",                                    \
     "who multiplies with --dtype bf16; exact: the same bytes on every machine"},                                     \
    {"threads", COLA_OPTION_UINT, "N", "0", 0, 4096, NULL, "threads of each process, 0: its share of the cores"},     \
    {"memory", COLA_OPTION_UINT, "MIB", "0", 0, 1e9, NULL,                                                            \
     "of each process with an engine, weights and all; 0: half of what is free, divided. Changes no result"}
/* clang-format on */

/* What a process with that engine holds beside its account: cola_machine_program_bytes. */
uint64_t cola_cli_program_bytes(const struct cola_engine_options *engine);

/* Fills *out from the table above (strings borrowed from `options`), and the bound on memory from what is
 * free now; COLA_ERR_USAGE without --model, COLA_ERR_MEMORY for a --memory that the program alone takes,
 * COLA_ERR_UNSUPPORTED for a dtype that is not built. */
enum cola_status cola_cli_engine_options(const struct cola_options *options, struct cola_engine_options *out);

/* Sets out->state_bytes from the option state-memory, which the command has besides the table; out is filled
 * already. COLA_ERR_USAGE: more than --memory. */
enum cola_status cola_cli_state_memory(const struct cola_options *options, struct cola_engine_options *out);

#endif

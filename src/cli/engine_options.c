/* engine_options.c - from the shared option table to the engine's options. */
#include "cli/engine_options.h"

#include <string.h>

enum cola_status cola_cli_engine_options(const struct cola_options *options, struct cola_engine_options *out)
{
    if (!cola_options_given(options, "model"))
        return cola_fail(COLA_ERR_USAGE,
                         "--model DIR is needed: a Hugging Face model directory (jobs/fetch_model.py "
                         "makes one)");
    *out = (struct cola_engine_options){.backend = cola_options_string(options, "backend"),
                                        .isa = cola_options_string(options, "isa"),
                                        .n_threads = (uint32_t)cola_options_uint(options, "threads"),
                                        .bf16 = strcmp(cola_options_string(options, "dtype"), "bf16") == 0};
    return COLA_OK;
}

/* engine_options.c - from the shared option table to the engine's options. */
#include "cli/engine_options.h"

#include <string.h>

#include "cola/machine.h"
#include "cola/memory.h"
#include "cola/threads.h"

uint64_t cola_cli_program_bytes(const struct cola_engine_options *engine)
{
    bool onednn = engine->bf16 && engine->bf16_products && strcmp(engine->bf16_products, "onednn") == 0;
    return cola_machine_program_bytes(engine->n_threads ? engine->n_threads : cola_threads_cores(), onednn);
}

/* --memory is of the process, the engine's bound is of what it allocates. Without: half of what is free, so
 * that others, the page cache and the master have the other half. */
static enum cola_status bound_memory(const struct cola_options *options, struct cola_engine_options *out)
{
    uint64_t bound = cola_options_uint(options, "memory") << 20, free_bytes = cola_machine_memory("");
    uint64_t program = cola_cli_program_bytes(out);
    char all[32], alone[32];
    if (!bound && free_bytes != UINT64_MAX) out->machine_memory_bytes = free_bytes / 2;
    if (!bound) return COLA_OK;
    if (bound <= program)
        return cola_fail(COLA_ERR_MEMORY,
                         "--memory: %s is too little: program, libraries and threads alone take up to %s",
                         cola_memory_text(bound, all), cola_memory_text(program, alone));
    out->memory_bytes = bound - program;
    return COLA_OK;
}

static enum cola_status refuse_of_others(const struct cola_options *options)
{
    static const char *const of_cpu[] = {"isa", "bf16-products"};
    const char *backend = cola_options_string(options, "backend");
    bool other = strcmp(backend, "ref") == 0 || strcmp(backend, "cuda") == 0;
    if (strcmp(backend, "auto") != 0 && strcmp(backend, "cuda") != 0 &&
        cola_options_given(options, "ranks-per-gpu"))
        return cola_fail(COLA_ERR_USAGE, "--ranks-per-gpu says nothing to --backend %s: leave it out",
                         backend);
    if (!other) return COLA_OK;
    for (size_t i = 0; i < sizeof of_cpu / sizeof *of_cpu; i++)
        if (cola_options_given(options, of_cpu[i]))
            return cola_fail(COLA_ERR_USAGE, "--%s says nothing to --backend %s: leave it out", of_cpu[i],
                             backend);
    return COLA_OK;
}

enum cola_status cola_cli_engine_options(const struct cola_options *options, struct cola_engine_options *out)
{
    if (!cola_options_given(options, "model"))
        return cola_fail(COLA_ERR_USAGE,
                         "--model DIR is needed: a Hugging Face model directory (jobs/fetch_model.py "
                         "makes one)");
    *out =
        (struct cola_engine_options){.backend = cola_options_string(options, "backend"),
                                     .isa = cola_options_string(options, "isa"),
                                     .n_threads = (uint32_t)cola_options_uint(options, "threads"),
                                     .bf16 = strcmp(cola_options_string(options, "dtype"), "bf16") == 0,
                                     .bf16_products = cola_options_string(options, "bf16-products"),
                                     .ranks_per_gpu = (uint32_t)cola_options_uint(options, "ranks-per-gpu")};
    if (!out->bf16 && cola_options_given(options, "bf16-products"))
        return cola_fail(COLA_ERR_USAGE, "--bf16-products goes with --dtype bf16");
    COLA_TRY(refuse_of_others(options));
    return bound_memory(options, out);
}

enum cola_status cola_cli_state_memory(const struct cola_options *options, struct cola_engine_options *out)
{
    uint64_t states = cola_options_uint(options, "state-memory"), all = cola_options_uint(options, "memory");
    bool given = cola_options_given(options, "state-memory");
    if (given && all && states > all)
        return cola_fail(COLA_ERR_USAGE, "--state-memory %llu is part of --memory %llu and cannot be more",
                         (unsigned long long)states, (unsigned long long)all);
    out->state_bytes = given ? states << 20 : UINT64_MAX;
    return COLA_OK;
}

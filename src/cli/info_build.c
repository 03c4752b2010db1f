/* info_build.c - the part of `cola info` about this program: version, what is built in, libraries as found at
 * run time, and what of the CPU the back ends can use.
 *
 * The MPI library's version would need a call of MPI, which only comm_mpi.c makes: `cola search` records it.
 */
#include "cli/info.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "cola/build.h"
#include "cola/threads.h"
#include "engine/backend.h"
#include "engine/cpu/onednn.h"

static enum cola_status add_cpu(json_t *facts)
{
    char text[64] = "";
#if defined(__x86_64__)
    snprintf(text, sizeof text, "%s%s%s", __builtin_cpu_supports("avx2") ? "avx2 " : "",
             __builtin_cpu_supports("fma") ? "fma " : "",
             __builtin_cpu_supports("avx512f") ? "avx512f " : "");
#endif
    size_t n = strlen(text);
    if (n) text[n - 1] = '\0';
    return cola_info_add_text(facts, "cpu_features", n ? text : "none of avx2, fma, avx512f");
}

static enum cola_status add_libraries(json_t *facts)
{
    char text[32];
    unsigned xxhash = XXH_versionNumber(); /* 100 * 100 * major + 100 * minor + release */
#ifdef COLA_MPI
    COLA_TRY(cola_info_add_text(facts, "mpi", "built in"));
#else
    COLA_TRY(cola_info_add_text(facts, "mpi", "not built in"));
#endif
#ifdef COLA_HDF5
    COLA_TRY(cola_info_hdf5_version(facts));
#else
    COLA_TRY(cola_info_add_text(facts, "hdf5", "not built in"));
#endif
    COLA_TRY(cola_info_add_text(facts, "jansson", jansson_version_str()));
    snprintf(text, sizeof text, "%u.%u.%u", xxhash / 10000, xxhash / 100 % 100, xxhash % 100);
    return cola_info_add_text(facts, "xxhash", text);
}

/* With which instructions --dtype bf16 multiplies on this machine, and whether --bf16-products onednn could
 * be used: opened and checked as for a run. The id of such a run has the shapes of its model in it besides.
 */
static enum cola_status add_bf16(json_t *facts)
{
    struct cola_device_options options = {.isa = "auto", .n_threads = 1, .bf16 = true};
    const char *version = cola_onednn_version();
    struct cola_device *device;
    char text[256], id[32] = "";
    if (cola_backend_cpu.open(&options, &device) == COLA_OK) {
        cola_backend_cpu.numerics_id(device, id, sizeof id);
        cola_backend_cpu.describe(device, text, sizeof text);
        cola_backend_cpu.close(device);
        snprintf(text + strcspn(text, ","), sizeof text - strcspn(text, ","), ", %s", id);
    } else {
        snprintf(text, sizeof text, "%s", cola_error_text());
    }
    COLA_TRY(cola_info_add_text(facts, "bf16_products", text));
    COLA_TRY(cola_info_add_text(facts, "onednn", version ? version : "not built in"));
    options.bf16_products = "onednn";
    if (cola_backend_cpu.open(&options, &device) == COLA_OK) {
        cola_backend_cpu.numerics_id(device, text, sizeof text);
        cola_backend_cpu.close(device);
    } else {
        snprintf(text, sizeof text, "not to be used: %s", cola_error_text());
    }
    return cola_info_add_text(facts, "onednn_products", text);
}

enum cola_status cola_info_build(json_t *facts)
{
    COLA_TRY(cola_info_add_text(facts, "version", cola_build_version()));
    COLA_TRY(cola_info_add_text(facts, "git_hash", cola_build_git_hash()));
#ifdef __clang__
    COLA_TRY(cola_info_add_text(facts, "compiler", __VERSION__));
#else
    COLA_TRY(cola_info_add_text(facts, "compiler", "gcc " __VERSION__));
#endif
    COLA_TRY(cola_info_add_text(facts, "back_ends", cola_backend_names()));
    COLA_TRY(add_libraries(facts));
    COLA_TRY(add_cpu(facts));
    COLA_TRY(add_bf16(facts));
    return cola_info_add(facts, "cores", json_integer(cola_threads_cores()));
}

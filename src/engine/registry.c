/* registry.c - which back ends are built: the one file where a back end is switched on or off. */
#include <string.h>

#include "engine/backend.h"

static bool cpu_can_run(bool bf16)
{
    (void)bf16;
    return __builtin_cpu_supports("avx2");
}

static bool ref_can_run(bool bf16)
{
    (void)bf16;
    return true;
}

#ifdef COLA_CUDA
bool cola_cuda_present(void); /* cuda/gpu.c; its own header needs CUDA's */

static bool cuda_can_run(bool bf16)
{
    return !bf16 && cola_cuda_present();
}
#endif

static const struct {
    const struct cola_backend *backend;
    bool (*can_run)(bool bf16); /* asked for "auto" */
} built[] = {
#ifdef COLA_CUDA
    {&cola_backend_cuda, cuda_can_run},
#endif
    {&cola_backend_cpu, cpu_can_run},
    {&cola_backend_ref, ref_can_run},
}; /* fastest first */

const char *cola_backend_names(void)
{
#ifdef COLA_CUDA
    return "ref cpu cuda";
#else
    return "ref cpu";
#endif
}

enum cola_status cola_backend_find(const char *name, bool bf16, const struct cola_backend **out)
{
    bool automatic = strcmp(name, "auto") == 0;
    for (size_t i = 0; i < sizeof built / sizeof *built; i++) {
        if (automatic ? !built[i].can_run(bf16) : strcmp(name, built[i].backend->name) != 0) continue;
        *out = built[i].backend;
        return COLA_OK;
    }
    return cola_fail(COLA_ERR_UNSUPPORTED, "no back end '%s' in this build; there are: auto %s", name,
                     cola_backend_names());
}

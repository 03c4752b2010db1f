/* registry.c - which back ends are built: the one file where a back end is switched on or off. */
#include <string.h>

#include "engine/backend.h"

static const struct cola_backend *const backends[] = {&cola_backend_cpu,
                                                      &cola_backend_ref}; /* fastest first */

static bool can_run(const struct cola_backend *backend)
{
    return backend != &cola_backend_cpu || __builtin_cpu_supports("avx2");
}

const char *cola_backend_names(void)
{
    return "ref cpu";
}

enum cola_status cola_backend_find(const char *name, const struct cola_backend **out)
{
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        bool wanted = strcmp(name, "auto") == 0 ? can_run(backends[i]) : strcmp(name, backends[i]->name) == 0;
        if (!wanted) continue;
        *out = backends[i];
        return COLA_OK;
    }
    return cola_fail(COLA_ERR_UNSUPPORTED, "no back end '%s' in this build; there are: auto %s", name,
                     cola_backend_names());
}

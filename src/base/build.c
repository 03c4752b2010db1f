/* build.c - version and commit, from the header that the build writes. */
#include "cola/build.h"

#include "build_info.h"

const char *cola_build_version(void)
{
    return COLA_VERSION;
}
const char *cola_build_git_hash(void)
{
    return COLA_GIT_HASH;
}

/* build.h - what this program is: generated values, read through functions so that one file recompiles. */
#ifndef COLA_BUILD_H
#define COLA_BUILD_H

const char *cola_build_version(void); /* "0.1.0" */
const char *
cola_build_git_hash(void); /* commit, "-dirty" where the tree was changed; "unknown" outside git */

#endif

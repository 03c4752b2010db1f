# Writes build_info.h when the commit changed. Run at every build: cmake -DOUT=... -DSOURCE=... -DVERSION=... -P this
execute_process(COMMAND git describe --always --dirty --abbrev=12 --exclude=* WORKING_DIRECTORY ${SOURCE}
                OUTPUT_VARIABLE HASH OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT HASH)
  set(HASH unknown)
endif()
set(TEXT "#define COLA_VERSION \"${VERSION}\"\n#define COLA_GIT_HASH \"${HASH}\"\n")
if(EXISTS ${OUT})
  file(READ ${OUT} OLD)
endif()
if(NOT "${OLD}" STREQUAL "${TEXT}")
  file(WRITE ${OUT} "${TEXT}")
endif()

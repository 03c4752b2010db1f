# The cuda back end: COLA_WITH_CUDA, and cola_cuda(TARGET), which adds src/engine/cuda to a target.
#
# The .cu files are compiled by nvcc through commands of our own: then everything else stays a C program, linked as
# one, and no C++ compiler is asked for where there is no CUDA. Each file gets code for the three architectures that
# matter (A100, H100 and H200, B200) and the first one's PTX for whatever comes later.
set(COLA_CUDA AUTO CACHE STRING "the cuda back end, for NVIDIA GPUs from A100 on: AUTO (where nvcc is found), ON, OFF")
set_property(CACHE COLA_CUDA PROPERTY STRINGS AUTO ON OFF)
set(COLA_CUDA_ARCHITECTURES "80;90a;100" CACHE STRING "compute capabilities that the cuda back end has code for")

set(COLA_WITH_CUDA OFF)
if(COLA_CUDA STREQUAL AUTO AND CMAKE_C_FLAGS MATCHES "-fsanitize")
  message(STATUS "cuda back end: not with sanitizers (tests/cudasim has them)")
elseif(COLA_CUDA)
  find_program(COLA_NVCC nvcc PATHS /usr/local/cuda/bin $ENV{CUDA_HOME}/bin)
  get_filename_component(cuda_root "${COLA_NVCC}" REALPATH)
  get_filename_component(cuda_root "${cuda_root}/../.." ABSOLUTE)
  find_path(COLA_CUDA_INCLUDE cuda_runtime_api.h PATHS ${cuda_root}/include ${cuda_root}/targets/x86_64-linux/include)
  find_library(COLA_CUDART cudart_static PATHS ${cuda_root}/lib64 ${cuda_root}/targets/x86_64-linux/lib)
  if(COLA_NVCC AND COLA_CUDA_INCLUDE AND COLA_CUDART)
    set(COLA_WITH_CUDA ON)
    message(STATUS "cuda back end: ${COLA_NVCC}, for ${COLA_CUDA_ARCHITECTURES}")
  elseif(COLA_CUDA STREQUAL AUTO)
    message(STATUS "cuda back end: not built, no nvcc with its headers and static runtime was found")
  else()
    message(FATAL_ERROR "COLA_CUDA=ON: no nvcc, cuda_runtime_api.h or libcudart_static.a (Debian, Ubuntu: cuda-nvcc "
                        "and cuda-cudart-dev of NVIDIA's repository); set PATH or CUDA_HOME, or COLA_CUDA=OFF")
  endif()
endif()

function(cola_cuda target)
  set(flags -std=c++17 -O3 -lineinfo -fmad=false -Werror all-warnings -I${CMAKE_SOURCE_DIR}/src -I${CMAKE_SOURCE_DIR}/include
      "-Xcompiler=-Wall,-Wextra,-Werror,-Wno-unused-parameter,-D_GNU_SOURCE,-ffp-contract=off,-fno-exceptions,-fno-threadsafe-statics")
  foreach(architecture ${COLA_CUDA_ARCHITECTURES})
    list(APPEND flags -gencode=arch=compute_${architecture},code=sm_${architecture})
  endforeach()
  list(GET COLA_CUDA_ARCHITECTURES 0 first)
  list(APPEND flags -gencode=arch=compute_${first},code=compute_${first})
  file(GLOB kernels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/engine/cuda/*.cu)
  foreach(file ${kernels})
    get_filename_component(name ${file} NAME_WE)
    set(object ${CMAKE_BINARY_DIR}/cuda/${name}.o)
    add_custom_command(OUTPUT ${object} DEPENDS ${file} DEPFILE ${object}.d COMMENT "Building CUDA object ${name}.o"
      COMMAND ${CMAKE_C_COMPILER_LAUNCHER} ${COLA_NVCC} ${flags} -Xptxas -v -MD -MF ${object}.d -MT cuda/${name}.o -c ${file} -o ${object}
              2> ${object}.log || (cat ${object}.log && false))
    set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
    list(APPEND objects ${object})
  endforeach()
  target_sources(${target} PRIVATE ${objects})
  target_include_directories(${target} SYSTEM PRIVATE ${COLA_CUDA_INCLUDE})
  target_compile_definitions(${target} PRIVATE COLA_CUDA=1)
  target_link_libraries(${target} PUBLIC ${COLA_CUDART} ${CMAKE_DL_LIBS} rt)
endfunction()

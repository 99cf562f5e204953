# The CUDA backend: finds the toolkit, also where nvcc is not on PATH, and puts the .cu files of kernels/
# and kernels/nvidia/ into the library. With GLIMPSE_CUDA=AUTO nothing that is missing or broken here may stop a build for the CPU.

# glimpse_find_cuda(): enables the CUDA language where that is wanted and possible. Sets GLIMPSE_CUDA_FOUND, and
# GLIMPSE_CUDA_REASON where it is not.
macro(glimpse_find_cuda)
  set(GLIMPSE_CUDA_FOUND FALSE)
  set(GLIMPSE_CUDA_REASON "")
  if(GLIMPSE_CUDA STREQUAL "OFF")
    set(GLIMPSE_CUDA_REASON "GLIMPSE_CUDA=OFF")
  else()
    glimpse_find_nvcc()
    if(NOT GLIMPSE_CUDA_REASON)
      glimpse_choose_cuda_architectures()
      set(ENV{CUDACXX} ${GLIMPSE_NVCC})
      include(CheckLanguage)
      check_language(CUDA)  # AUTO: a toolkit that does not work with this compiler is a reason, not an error
      if(CMAKE_CUDA_COMPILER)
        enable_language(CUDA)
        set(GLIMPSE_CUDA_FOUND TRUE)
      else()
        set(GLIMPSE_CUDA_REASON "${GLIMPSE_NVCC} does not compile a test program with this host compiler, see CMakeError.log")
      endif()
    endif()
  endif()
endmacro()

# Sets GLIMPSE_NVCC and its version, or GLIMPSE_CUDA_REASON.
function(glimpse_find_nvcc)
  if(CMAKE_CUDA_COMPILER)
    set(GLIMPSE_NVCC ${CMAKE_CUDA_COMPILER} CACHE FILEPATH "CUDA compiler" FORCE)
  else()
    file(GLOB versioned /usr/local/cuda-*/bin)
    find_program(GLIMPSE_NVCC nvcc
      HINTS ENV CUDACXX ENV CUDA_PATH ENV CUDA_HOME ENV CUDAToolkit_ROOT ${CUDAToolkit_ROOT}
      PATHS /usr/local/cuda/bin /opt/cuda/bin ${versioned} PATH_SUFFIXES bin DOC "CUDA compiler")
  endif()
  if(NOT GLIMPSE_NVCC)
    set(GLIMPSE_CUDA_REASON "no CUDA toolkit was found (nvcc is neither on PATH nor in /usr/local/cuda)" PARENT_SCOPE)
    return()
  endif()
  execute_process(COMMAND ${GLIMPSE_NVCC} --version OUTPUT_VARIABLE text ERROR_QUIET RESULT_VARIABLE failed)
  string(REGEX MATCH "release ([0-9]+\\.[0-9]+)" _ "${text}")
  set(version ${CMAKE_MATCH_1})
  if(failed OR NOT version)
    set(GLIMPSE_CUDA_REASON "${GLIMPSE_NVCC} does not run" PARENT_SCOPE)
  elseif(version VERSION_LESS 12.0)
    set(GLIMPSE_CUDA_REASON "${GLIMPSE_NVCC} is of CUDA ${version}; C++20 needs 12.0 or newer" PARENT_SCOPE)
  endif()
  set(GLIMPSE_NVCC_VERSION ${version} PARENT_SCOPE)
endfunction()

# Architectures: the user's; else that of the GPU, where one answers now; else all that Glimpse is tuned for, the last
# one as PTX too, which newer GPUs compile for themselves.
function(glimpse_choose_cuda_architectures)
  if(CMAKE_CUDA_ARCHITECTURES OR DEFINED ENV{CUDAARCHS})
    return()
  endif()
  find_program(GLIMPSE_NVIDIA_SMI nvidia-smi)
  mark_as_advanced(GLIMPSE_NVIDIA_SMI)
  if(GLIMPSE_NVIDIA_SMI)
    execute_process(COMMAND ${GLIMPSE_NVIDIA_SMI} -L OUTPUT_VARIABLE text ERROR_QUIET RESULT_VARIABLE failed)
    if(NOT failed AND text MATCHES "GPU 0:")
      set(CMAKE_CUDA_ARCHITECTURES native CACHE STRING "CUDA architectures")
      return()
    endif()
  endif()
  execute_process(COMMAND ${GLIMPSE_NVCC} --list-gpu-code OUTPUT_VARIABLE known ERROR_QUIET)
  set(list "")
  foreach(arch 75 80 90)
    if(known MATCHES "sm_${arch}\n")
      list(APPEND list ${arch}-real)
      set(last ${arch})
    endif()
  endforeach()
  list(APPEND list ${last}-virtual)
  set(CMAKE_CUDA_ARCHITECTURES "${list}" CACHE STRING "CUDA architectures")
endfunction()

# Options of nvcc for our kernels; warnings, of host and device code, are errors where those of C++ are. No approximate
# arithmetic but where a kernel asks for it by name. CMake 3.25 does not know nvcc's C++20, hence -std.
set(glimpse_nvcc_options -std=c++20 --expt-relaxed-constexpr -lineinfo -Wno-deprecated-gpu-targets -Xcompiler=-Wall,-Wextra)

# Puts the backend into the library. The runtime is linked in, so that programs start on machines without CUDA too: the
# driver, cuBLAS and cuDNN are looked for when they are first needed.
function(glimpse_add_cuda)
  find_package(CUDAToolkit REQUIRED)
  cmake_path(GET CUDAToolkit_BIN_DIR PARENT_PATH root)
  set(glimpse_cuda_root ${root} PARENT_SCOPE)  # for find_package(glimpse)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
  add_library(glimpse_cuda OBJECT ${sources})
  target_include_directories(glimpse_cuda PRIVATE ${glimpse_include})
  target_compile_options(glimpse_cuda PRIVATE ${glimpse_nvcc_options}
    $<$<BOOL:${GLIMPSE_WERROR}>:-Werror=all-warnings>)
  set_target_properties(glimpse_cuda PROPERTIES POSITION_INDEPENDENT_CODE ON)

  file(GLOB wrappers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/nvidia/*.cpp)
  add_library(glimpse_nvidia OBJECT ${wrappers})
  glimpse_configure(glimpse_nvidia)
  target_include_directories(glimpse_nvidia SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})

  target_sources(glimpse PRIVATE $<TARGET_OBJECTS:glimpse_cuda> $<TARGET_OBJECTS:glimpse_nvidia>)
  target_compile_definitions(glimpse PUBLIC GLIMPSE_HAVE_CUDA)
  target_link_libraries(glimpse PRIVATE CUDA::cudart_static ${CMAKE_DL_LIBS})
  set_target_properties(glimpse PROPERTIES LINKER_LANGUAGE CXX)
endfunction()

glimpse_find_cuda()
if(GLIMPSE_CUDA_FOUND)
  glimpse_add_cuda()
  string(REPLACE ";" "," glimpse_cuda_architectures "${CMAKE_CUDA_ARCHITECTURES}")
  message(STATUS "glimpse: CUDA backend by ${GLIMPSE_NVCC} ${GLIMPSE_NVCC_VERSION} for ${glimpse_cuda_architectures}")
elseif(GLIMPSE_CUDA STREQUAL "ON")
  message(FATAL_ERROR "glimpse: GLIMPSE_CUDA=ON, but ${GLIMPSE_CUDA_REASON}")
else()
  message(STATUS "glimpse: CUDA backend not built: ${GLIMPSE_CUDA_REASON}")
endif()

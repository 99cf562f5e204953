# How cuBLAS and cuDNN are called (kernels/nvidia/), proven without a GPU: the tests of products and convolutions once
# more, on the emulator, with libraries that compute on the host (nvidia/fake_*.cpp). Needs the toolkit's headers.
find_package(CUDAToolkit QUIET)
if(NOT CUDAToolkit_FOUND OR CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  return()
endif()
find_path(GLIMPSE_CUBLAS_INCLUDE_DIR cublas_v2.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
find_path(GLIMPSE_CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
mark_as_advanced(GLIMPSE_CUBLAS_INCLUDE_DIR GLIMPSE_CUDNN_INCLUDE_DIR)

set(nvidia_folder ${PROJECT_BINARY_DIR}/tests/nvidia)

# A library that stands in for NVIDIA's; the test program tells it where the emulator's memory lies.
function(glimpse_fake_library name file version)
  add_library(fake_${name} SHARED nvidia/fake_${name}.cpp)
  target_compile_features(fake_${name} PRIVATE cxx_std_20)
  target_include_directories(fake_${name} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${GLIMPSE_${file}_INCLUDE_DIR})
  target_link_libraries(fake_${name} PRIVATE glimpse_flags)
  set_target_properties(fake_${name} PROPERTIES OUTPUT_NAME ${name} SUFFIX .so.${version}
    LIBRARY_OUTPUT_DIRECTORY ${nvidia_folder})
endfunction()

# test_NAME: nvidia/test_NAME.cpp and the SOURCES, with what calls the library in place of what the emulator has for it.
function(glimpse_library_test name file)
  set(wrappers ${PROJECT_SOURCE_DIR}/kernels/nvidia)
  list(TRANSFORM ARGN REPLACE "^nvidia/" "${wrappers}/" OUTPUT_VARIABLE sources)
  add_executable(test_${name} nvidia/test_${name}.cpp cuda/cuda_test.cpp ${sources} ${wrappers}/dynamic_library.cpp)
  target_compile_definitions(test_${name} PRIVATE GLIMPSE_TEST_EMULATED)
  target_include_directories(test_${name} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${GLIMPSE_${file}_INCLUDE_DIR})
  target_link_libraries(test_${name} PRIVATE glimpse_emulated catch_main fmt::fmt ${CMAKE_DL_LIBS})
  set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests CXX_EXTENSIONS OFF
    ENABLE_EXPORTS ON)
  add_dependencies(test_${name} fake_${name})
endfunction()

function(glimpse_add_library_test title name variable)
  add_test(NAME "${title}" COMMAND test_${name})
  set_tests_properties("${title}" PROPERTIES LABELS emulated TIMEOUT 300
    ENVIRONMENT "LD_LIBRARY_PATH=${nvidia_folder};${variable}=1")
endfunction()

if(GLIMPSE_CUBLAS_INCLUDE_DIR)
  glimpse_fake_library(cublas CUBLAS ${CUDAToolkit_VERSION_MAJOR})
  glimpse_library_test(cublas CUBLAS cuda/gemm.cpp nvidia/cublas_gemm.cpp)
  glimpse_add_library_test("cublas: products" cublas FAKE_CUBLAS)
endif()

if(GLIMPSE_CUDNN_INCLUDE_DIR)
  glimpse_fake_library(cudnn CUDNN 9)
  glimpse_library_test(cudnn CUDNN cuda/convolution.cpp cuda/inference.cpp cuda/frozen_encoder.cpp nvidia/cudnn_api.cpp
    nvidia/cudnn_convolution.cpp)
  foreach(variable FAKE_CUDNN_F32 FAKE_CUDNN_TF32 FAKE_CUDNN_BROKEN)
    glimpse_add_library_test("cudnn: convolutions with ${variable}" cudnn ${variable})
  endforeach()
endif()

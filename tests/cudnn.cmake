# How cuDNN is called (kernels/nvidia/cudnn*), proven without a GPU: the tests of convolutions once more, on the emulator,
# with a cuDNN that computes on the host (cudnn/fake_cudnn.cpp). Needs the toolkit's headers.
find_package(CUDAToolkit QUIET)
find_path(GLIMPSE_CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
mark_as_advanced(GLIMPSE_CUDNN_INCLUDE_DIR)
if(NOT GLIMPSE_CUDNN_INCLUDE_DIR OR CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  return()
endif()

set(cudnn_folder ${PROJECT_BINARY_DIR}/tests/cudnn)
add_library(fake_cudnn SHARED cudnn/fake_cudnn.cpp)
target_compile_features(fake_cudnn PRIVATE cxx_std_20)
target_include_directories(fake_cudnn SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${GLIMPSE_CUDNN_INCLUDE_DIR})
target_link_libraries(fake_cudnn PRIVATE glimpse_flags)
set_target_properties(fake_cudnn PROPERTIES OUTPUT_NAME cudnn SUFFIX .so.9 LIBRARY_OUTPUT_DIRECTORY ${cudnn_folder})

set(cudnn_wrappers ${PROJECT_SOURCE_DIR}/kernels/nvidia)
add_executable(test_cudnn cudnn/main.cpp cuda/cuda_test.cpp cuda/convolution.cpp cuda/inference.cpp
  cuda/frozen_encoder.cpp ${cudnn_wrappers}/cudnn_api.cpp ${cudnn_wrappers}/cudnn_convolution.cpp
  ${cudnn_wrappers}/dynamic_library.cpp)
target_compile_definitions(test_cudnn PRIVATE GLIMPSE_TEST_EMULATED $<$<VERSION_LESS:${Catch2_VERSION},3>:GLIMPSE_CATCH2_V2>)
target_include_directories(test_cudnn PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_include_directories(test_cudnn SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS} ${GLIMPSE_CUDNN_INCLUDE_DIR})
target_link_libraries(test_cudnn PRIVATE glimpse_emulated glimpse_flags fmt::fmt Catch2::Catch2 ${CMAKE_DL_LIBS})
set_target_properties(test_cudnn PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests CXX_EXTENSIONS OFF)
add_dependencies(test_cudnn fake_cudnn)

foreach(variable FAKE_CUDNN_F32 FAKE_CUDNN_TF32 FAKE_CUDNN_BROKEN)
  add_test(NAME "cudnn: convolutions with ${variable}" COMMAND test_cudnn)
  set_tests_properties("cudnn: convolutions with ${variable}" PROPERTIES LABELS emulated TIMEOUT 300
    ENVIRONMENT "LD_LIBRARY_PATH=${cudnn_folder};${variable}=1")
endforeach()

# The CUDA kernels as g++ compiles them for the emulator (kernels/emulator/): the same .cu files, the same functions on
# kernels::Cuda. Programs link either these or nvcc's, never both.
file(GLOB emulated_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
file(GLOB emulator_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/emulator/*.cpp)
set_source_files_properties(${emulated_kernels} PROPERTIES LANGUAGE CXX)

add_library(glimpse_emulated STATIC ${emulated_kernels} ${emulator_sources})
target_link_libraries(glimpse_emulated PUBLIC glimpse::glimpse PRIVATE glimpse_flags fmt::fmt Threads::Threads)
target_compile_options(glimpse_emulated PUBLIC -Wno-unknown-pragmas)  # nvcc's "unroll"
set_target_properties(glimpse_emulated PROPERTIES CXX_EXTENSIONS OFF)

# tests/cuda/*.cpp against the CPU kernels: test_emulated everywhere, test_gpu where the backend is built, which skips
# itself where no GPU answers.
file(GLOB cuda_tests CONFIGURE_DEPENDS cuda/*.cpp)
function(glimpse_cuda_test name kernels label)
  glimpse_program(${name} ${cuda_tests})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${kernels} Catch2::Catch2)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  if(Catch2_VERSION VERSION_LESS 3)
    target_compile_definitions(${name} PRIVATE GLIMPSE_CATCH2_V2)
  endif()
  catch_discover_tests(${name} TEST_PREFIX "${label}: " PROPERTIES LABELS ${label} TIMEOUT 300 SKIP_RETURN_CODE 77)
endfunction()
glimpse_cuda_test(test_emulated glimpse_emulated emulated)
target_compile_definitions(test_emulated PRIVATE GLIMPSE_TEST_EMULATED)
if(GLIMPSE_CUDA_FOUND)
  glimpse_cuda_test(test_gpu glimpse_cuda_static gpu)
  add_test(NAME "nvcc: all kernels compile without warnings and spills"
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/compile_kernels.sh ${GLIMPSE_NVCC} ${glimpse_include} ${PROJECT_SOURCE_DIR} ${glimpse_nvcc_options})
  set_tests_properties("nvcc: all kernels compile without warnings and spills" PROPERTIES LABELS nvcc TIMEOUT 900)
endif()

# The kernels under ThreadSanitizer. The emulator itself is compiled without it: how its threads wait must not look like an
# ordering that CUDA promises. Another sanitizer excludes this one.
if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize" AND CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_library(emulator_for_races STATIC ${emulator_sources})
  target_compile_definitions(emulator_for_races PRIVATE GLIMPSE_EMULATOR_TSAN)
  glimpse_program(race_check races/main.cpp ${emulated_kernels})
  target_compile_options(race_check PRIVATE -fsanitize=thread -g1 -O1 -Wno-unknown-pragmas)
  target_link_options(race_check PRIVATE -fsanitize=thread)
  target_link_libraries(emulator_for_races PRIVATE glimpse glimpse_flags fmt::fmt Threads::Threads)
  target_link_libraries(race_check PRIVATE emulator_for_races)
  set_target_properties(race_check emulator_for_races PROPERTIES CXX_EXTENSIONS OFF)
  set_target_properties(race_check PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME "races: none in the kernels" COMMAND race_check)
  add_test(NAME "races: a forgotten barrier is one" COMMAND race_check --forget)
  add_test(NAME "races: a shuffle is no barrier" COMMAND race_check --shuffle)
  set_tests_properties("races: none in the kernels" "races: a forgotten barrier is one" "races: a shuffle is no barrier"
    PROPERTIES LABELS emulated TIMEOUT 300)
  set_tests_properties("races: none in the kernels" PROPERTIES FAIL_REGULAR_EXPRESSION "WARNING: ThreadSanitizer")
  set_tests_properties("races: a forgotten barrier is one" "races: a shuffle is no barrier"
    PROPERTIES PASS_REGULAR_EXPRESSION "ThreadSanitizer: data race")
endif()

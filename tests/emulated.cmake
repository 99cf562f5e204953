# The whole library once more, as if there were a GPU: the .cu files of its kernels/ compiled by g++ for the
# emulator (tests/emulator/), which also stands in for NVIDIA's libraries. Programs link this one or glimpse, never both.
file(GLOB_RECURSE emulated_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
file(GLOB emulator_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/emulator/*.cpp)
set_source_files_properties(${emulated_kernels} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS $<$<CONFIG:Release>:-O2>)

add_library(glimpse_emulated STATIC EXCLUDE_FROM_ALL ${glimpse_sources} $<TARGET_OBJECTS:glimpse_shared>
  ${emulated_kernels} ${emulator_sources})
glimpse_configure(glimpse_emulated)
target_link_libraries(glimpse_emulated PRIVATE $<BUILD_INTERFACE:glimpse_quick>)
target_compile_definitions(glimpse_emulated PUBLIC GLIMPSE_HAVE_CUDA)
target_compile_options(glimpse_emulated PUBLIC $<BUILD_INTERFACE:-Wno-unknown-pragmas>)  # nvcc's "unroll"

function(glimpse_catch_test name library label)  # and the sources
  add_executable(${name} ${ARGN})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests CXX_EXTENSIONS OFF)
  target_link_libraries(${name} PRIVATE ${library} glimpse_flags glimpse_quick fmt::fmt Catch2::Catch2)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  if(Catch2_VERSION VERSION_LESS 3)
    target_compile_definitions(${name} PRIVATE GLIMPSE_CATCH2_V2)
  endif()
  catch_discover_tests(${name} TEST_PREFIX "${label}: " PROPERTIES LABELS ${label} TIMEOUT 300 SKIP_RETURN_CODE 77)
endfunction()

glimpse_catch_test(test_emulator glimpse_emulated emulated main.cpp test_emulator.cpp test_emulator_faults.cpp)

# tests/cuda/*.cpp against the CPU: test_emulated everywhere, test_gpu where the backend is built, which skips itself
# where no GPU answers.
file(GLOB cuda_tests CONFIGURE_DEPENDS cuda/*.cpp)
glimpse_op_cases(emulated_op_cases glimpse_emulated)
glimpse_catch_test(test_emulated glimpse_emulated emulated ${cuda_tests})
target_link_libraries(test_emulated PRIVATE emulated_op_cases)
target_compile_definitions(test_emulated PRIVATE GLIMPSE_TEST_EMULATED)
if(GLIMPSE_CUDA_FOUND)
  glimpse_catch_test(test_gpu glimpse gpu ${cuda_tests})
  target_link_libraries(test_gpu PRIVATE op_cases)
  add_test(NAME "nvcc: all kernels compile without warnings and spills"
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/compile_kernels.sh ${GLIMPSE_NVCC} ${glimpse_include} ${PROJECT_SOURCE_DIR} ${glimpse_nvcc_options})
  set_tests_properties("nvcc: all kernels compile without warnings and spills" PROPERTIES LABELS nvcc TIMEOUT 900)
endif()

# The programs on the pretended GPU, for test_emulated_programs.
if(GLIMPSE_TOOLS)
  find_package(CLI11 REQUIRED)
  file(GLOB common_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/common/*.cpp)
  add_library(emulated_tools_common STATIC ${common_sources})
  target_link_libraries(emulated_tools_common PUBLIC CLI11::CLI11 glimpse_emulated glimpse_flags glimpse_quick fmt::fmt
    nlohmann_json::nlohmann_json)
  foreach(tool train_flickr evaluate caption encode)
    add_executable(emulated_${tool} ${PROJECT_SOURCE_DIR}/tools/${tool}.cpp)
    target_link_libraries(emulated_${tool} PRIVATE emulated_tools_common)
    set_target_properties(emulated_${tool} PROPERTIES CXX_EXTENSIONS OFF OUTPUT_NAME ${tool}
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/emulated)
  endforeach()
endif()

# The kernels under ThreadSanitizer. The emulator itself is compiled without it: how its threads wait must not look like an
# ordering that CUDA promises. Another sanitizer excludes this one.
if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize" AND CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_library(emulator_for_races STATIC ${emulator_sources})
  glimpse_configure(emulator_for_races)
  target_compile_definitions(emulator_for_races PRIVATE GLIMPSE_EMULATOR_TSAN)
  add_executable(race_check races/main.cpp ${emulated_kernels})
  target_compile_options(race_check PRIVATE -fsanitize=thread -g1 -O1 -Wno-unknown-pragmas)
  target_link_options(race_check PRIVATE -fsanitize=thread)
  target_link_libraries(race_check PRIVATE emulator_for_races glimpse_emulated glimpse_flags)
  set_target_properties(race_check PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests CXX_EXTENSIONS OFF)
  add_test(NAME "races: none in the kernels" COMMAND race_check)
  add_test(NAME "races: a forgotten barrier is one" COMMAND race_check --forget)
  add_test(NAME "races: a shuffle is no barrier" COMMAND race_check --shuffle)
  set_tests_properties("races: none in the kernels" "races: a forgotten barrier is one" "races: a shuffle is no barrier"
    PROPERTIES LABELS emulated TIMEOUT 300)
  set_tests_properties("races: none in the kernels" PROPERTIES FAIL_REGULAR_EXPRESSION "WARNING: ThreadSanitizer")
  set_tests_properties("races: a forgotten barrier is one" "races: a shuffle is no barrier"
    PROPERTIES PASS_REGULAR_EXPRESSION "ThreadSanitizer: data race")
endif()

# The whole library once more, as if there were a GPU: the .cu files of its kernels/ compiled by g++ for the
# emulator (tests/emulator/), which also stands in for NVIDIA's libraries. Programs link this one or glimpse, never both.
file(GLOB_RECURSE emulated_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
file(GLOB emulator_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/emulator/*.cpp)
set_source_files_properties(${emulated_kernels} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS $<$<CONFIG:Release>:-O2>)

# Whether there is a device is the same to the host's code as with the CUDA backend: with one, the objects of what links
# glimpse serve those who link glimpse_emulated too.
# glimpse_also_emulated(RESULT TARGET SOURCE...): the objects of TARGET where they serve, else the sources.
function(glimpse_also_emulated result target)
  if(GLIMPSE_CUDA_FOUND)
    set(${result} $<TARGET_OBJECTS:${target}> PARENT_SCOPE)
  else()
    set(${result} ${ARGN} PARENT_SCOPE)
  endif()
endfunction()

glimpse_also_emulated(emulated_host glimpse_host ${glimpse_sources})
add_library(glimpse_emulated STATIC EXCLUDE_FROM_ALL ${emulated_host} $<TARGET_OBJECTS:glimpse_shared>
  ${emulated_kernels} ${emulator_sources})
glimpse_configure(glimpse_emulated)
target_link_libraries(glimpse_emulated PRIVATE $<BUILD_INTERFACE:glimpse_quick>)
target_compile_definitions(glimpse_emulated PUBLIC GLIMPSE_HAVE_CUDA)
target_compile_options(glimpse_emulated PUBLIC $<BUILD_INTERFACE:-Wno-unknown-pragmas>)  # nvcc's "unroll"

function(glimpse_catch_test name library label)  # and the sources
  add_executable(${name} ${ARGN})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests CXX_EXTENSIONS OFF)
  target_link_libraries(${name} PRIVATE ${library} catch_main fmt::fmt)
  catch_discover_tests(${name} TEST_PREFIX "${label}: " PROPERTIES LABELS ${label} TIMEOUT 300 SKIP_RETURN_CODE 77)
endfunction()

glimpse_catch_test(test_emulator glimpse_emulated emulated test_emulator.cpp test_emulator_faults.cpp
  test_emulator_memory.cpp)

# tests/cuda/*.cpp against the CPU: test_emulated everywhere, test_gpu where the backend is built, which skips itself
# where no GPU answers.
file(GLOB cuda_tests CONFIGURE_DEPENDS cuda/*.cpp)
set(emulator_tests ${cuda_tests})  # they look into the emulator
list(FILTER emulator_tests INCLUDE REGEX "/(cuda_test|choices|calls|gemm).cpp$")
set(device_tests ${cuda_tests})
list(REMOVE_ITEM device_tests ${emulator_tests})
if(GLIMPSE_CUDA_FOUND)
  add_library(device_test_objects OBJECT ${device_tests})
  target_link_libraries(device_test_objects PRIVATE op_cases catch_main fmt::fmt)
  set_target_properties(device_test_objects PROPERTIES CXX_EXTENSIONS OFF)
  set(device_tests $<TARGET_OBJECTS:device_test_objects>)
  glimpse_catch_test(test_gpu glimpse gpu ${emulator_tests} ${device_tests})
  target_link_libraries(test_gpu PRIVATE op_cases)
  target_compile_options(glimpse_cuda PRIVATE -Xptxas=-v)
  set_target_properties(glimpse_cuda PROPERTIES
    RULE_LAUNCH_COMPILE "${CMAKE_CURRENT_SOURCE_DIR}/keep_ptxas.sh <OBJECT>")
  add_test(NAME "nvcc: no kernel spills registers"
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/kernel_resources.sh $<TARGET_OBJECTS:glimpse_cuda> COMMAND_EXPAND_LISTS)
  set_tests_properties("nvcc: no kernel spills registers" PROPERTIES LABELS nvcc TIMEOUT 60)
endif()
if(GLIMPSE_CUDA_FOUND)
  add_library(emulated_op_cases INTERFACE)
  target_sources(emulated_op_cases INTERFACE $<TARGET_OBJECTS:op_cases>)
  target_include_directories(emulated_op_cases INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(emulated_op_cases INTERFACE glimpse_emulated)
else()
  glimpse_op_cases(emulated_op_cases glimpse_emulated)
endif()
glimpse_catch_test(test_emulated glimpse_emulated emulated ${emulator_tests} ${device_tests})
target_link_libraries(test_emulated PRIVATE emulated_op_cases)
target_compile_definitions(test_emulated PRIVATE GLIMPSE_TEST_EMULATED)

# The programs on the pretended GPU, for test_emulated_programs.
if(GLIMPSE_TOOLS)
  find_package(CLI11 REQUIRED)
  file(GLOB common_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/common/*.cpp)
  glimpse_also_emulated(emulated_common glimpse_tools_common ${common_sources})
  add_library(emulated_tools_common STATIC ${emulated_common})
  set_target_properties(emulated_tools_common PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(emulated_tools_common PUBLIC CLI11::CLI11 glimpse_emulated glimpse_flags glimpse_quick fmt::fmt
    nlohmann_json::nlohmann_json)
  foreach(tool train_flickr evaluate caption encode)
    glimpse_also_emulated(emulated_main ${tool} ${PROJECT_SOURCE_DIR}/tools/${tool}.cpp)
    add_executable(emulated_${tool} ${emulated_main})
    target_link_libraries(emulated_${tool} PRIVATE emulated_tools_common)
    set_target_properties(emulated_${tool} PROPERTIES CXX_EXTENSIONS OFF LINKER_LANGUAGE CXX OUTPUT_NAME ${tool}
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

# Kernels and engine by a second compiler, where there is one, and the tests that meet vector code. Built from nothing.
set(portable_options -DGLIMPSE_FOLDER=${PROJECT_SOURCE_DIR} -DCMAKE_BUILD_TYPE=Release -DGLIMPSE_WERROR=ON)
find_program(GLIMPSE_CLANG NAMES clang++-20 clang++-19 clang++-18 clang++-17 clang++-16 DOC "A second compiler for the tests")
if(NOT GLIMPSE_CLANG)
  return()
endif()
list(APPEND portable_options -DCMAKE_CXX_COMPILER=${GLIMPSE_CLANG} -DCMAKE_CXX_FLAGS=-Wno-pass-failed)
if(CMAKE_CXX_COMPILER_LAUNCHER)
  list(APPEND portable_options -DCMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
list(JOIN portable_options "|" portable_options)
add_test(NAME "portable: kernels and engine by clang" COMMAND ${CMAKE_COMMAND}
  -DSOURCE=${CMAKE_CURRENT_SOURCE_DIR}/portable -DBINARY=${CMAKE_CURRENT_BINARY_DIR}/portable
  -DGENERATOR=${CMAKE_GENERATOR} "-DARGUMENTS=${portable_options}" -DPROGRAM=portable_tests
  -P ${CMAKE_CURRENT_SOURCE_DIR}/package/run.cmake)
set_tests_properties("portable: kernels and engine by clang" PROPERTIES LABELS portable TIMEOUT 900
  PROCESSORS 2)

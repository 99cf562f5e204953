# The fuzz targets (tests/fuzz/), built by clang beside this build and run for a minute in all.
if(NOT GLIMPSE_CLANG)
  return()
endif()
set(fuzz_options -DGLIMPSE_FUZZ=ON -DGLIMPSE_CUDA=OFF -DGLIMPSE_TESTS=OFF -DGLIMPSE_TOOLS=OFF -DGLIMPSE_BENCH=OFF
  -DGLIMPSE_IMAGE_LIBRARIES=${GLIMPSE_IMAGE_LIBRARIES} -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=${GLIMPSE_CLANG})
if(CMAKE_CXX_COMPILER_LAUNCHER)
  list(APPEND fuzz_options -DCMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
list(JOIN fuzz_options "|" fuzz_options)
add_test(NAME "fuzz: readers of files" COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR}
  -DBINARY=${CMAKE_CURRENT_BINARY_DIR}/fuzz -DGENERATOR=${CMAKE_GENERATOR} "-DARGUMENTS=${fuzz_options}" -DSECONDS=60
  -P ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/test.cmake)
# Like what else a second compiler builds from nothing, it is left out with that.
set_tests_properties("fuzz: readers of files" PROPERTIES LABELS "fuzz;portable" TIMEOUT 3000 PROCESSORS 2)

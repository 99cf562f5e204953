# Configures, builds and runs one consumer of the package, from nothing:
#   cmake -DSOURCE=DIR -DBINARY=DIR -DGENERATOR=NAME "-DARGUMENTS=-DA=1|-DB=2" [-DPROGRAM="NAME|ARGUMENT..."] -P run.cmake
# Fails also when the consumer's own code is compiled with flags that are Glimpse's.
file(REMOVE_RECURSE ${BINARY})
string(REPLACE "|" ";" ARGUMENTS "${ARGUMENTS}")
string(REPLACE "|" ";" PROGRAM "${PROGRAM}")
execute_process(
  COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BINARY} -G ${GENERATOR} -DCMAKE_EXPORT_COMPILE_COMMANDS=ON ${ARGUMENTS}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BINARY} --parallel COMMAND_ERROR_IS_FATAL ANY)
if(NOT PROGRAM)
  return()
endif()

file(READ ${BINARY}/compile_commands.json commands)
string(JSON count LENGTH "${commands}")
math(EXPR last "${count} - 1")
foreach(i RANGE ${last})
  string(JSON file GET "${commands}" ${i} file)
  string(JSON command GET "${commands}" ${i} command)
  string(FIND "${file}" "${CMAKE_CURRENT_LIST_DIR}/" at)
  string(REPLACE " -Wno-unknown-pragmas" "" command "${command}")  # of glimpse_emulate(), for .cu files
  if(at EQUAL 0 AND command MATCHES " (-march|-W|-fopenmp|-fno-)[^ ]*")
    message(FATAL_ERROR "${file} is compiled with${CMAKE_MATCH_0}, a flag of Glimpse's own code")
  endif()
endforeach()
execute_process(COMMAND ${BINARY}/${PROGRAM} COMMAND_ERROR_IS_FATAL ANY)

# What configuring and installing say, without building anything:
#   cmake -DSOURCE=DIR -DBINARY=DIR -DGENERATOR=NAME "-DARGUMENTS=-DA=1|-DB=2" [-DREFUSED=TEXT] -P configure.cmake
# With REFUSED, configuring must fail and say TEXT. Without, installing the programs, of which none is built, must
# succeed and leave none.
file(REMOVE_RECURSE ${BINARY})
string(REPLACE "|" ";" ARGUMENTS "${ARGUMENTS}")
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BINARY} -G ${GENERATOR} ${ARGUMENTS}
  OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE failed)
if(DEFINED REFUSED)
  string(REGEX REPLACE "[ \n]+" " " said "${errors}")
  string(FIND "${said}" "${REFUSED}" at)
  if(NOT failed OR at EQUAL -1)
    message(FATAL_ERROR "configuring was to be refused with '${REFUSED}', but gave ${failed}:\n${output}${errors}")
  endif()
  return()
endif()

if(failed)
  message(FATAL_ERROR "${output}${errors}")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BINARY} --prefix ${BINARY}/installed --component programs
  COMMAND_ERROR_IS_FATAL ANY)
file(GLOB programs ${BINARY}/installed/bin/*)
if(programs)
  message(FATAL_ERROR "installed, but never built: ${programs}")
endif()

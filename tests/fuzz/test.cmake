# Builds the fuzz targets and runs them:
#   cmake -DSOURCE=DIR -DBINARY=DIR -DGENERATOR=NAME "-DARGUMENTS=-DA=1|-DB=2" -DSECONDS=N -P test.cmake
string(REPLACE "|" ";" ARGUMENTS "${ARGUMENTS}")
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BINARY} -G ${GENERATOR} ${ARGUMENTS}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BINARY} --parallel --target fuzz COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/run.sh ${BINARY}/fuzz ${SECONDS} COMMAND_ERROR_IS_FATAL ANY)

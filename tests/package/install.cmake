# Installs the library and its headers, and nothing of an earlier time: cmake -DBUILD=DIR -DPREFIX=DIR -P install.cmake
file(REMOVE_RECURSE ${PREFIX})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX} --component development
  COMMAND_ERROR_IS_FATAL ANY)

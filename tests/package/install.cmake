# Installs the library and its headers, and nothing of an earlier time: cmake -DBUILD=DIR -DPREFIX=DIR -P install.cmake
file(REMOVE_RECURSE ${PREFIX})
foreach(component IN ITEMS development library)
  execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX} --component ${component}
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()

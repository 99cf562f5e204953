# Run by `cmake --install`: copies the public headers of the folders that were built. A header whose opening comment
# says "internal" or "not installed" stays at home; so does the CUDA emulator, which is a part of the tests.
foreach(folder IN LISTS GLIMPSE_FOLDERS)
  file(GLOB_RECURSE headers RELATIVE ${GLIMPSE_SOURCE_DIR} ${GLIMPSE_SOURCE_DIR}/${folder}/*.h)
  foreach(header IN LISTS headers)
    file(READ ${GLIMPSE_SOURCE_DIR}/${header} text)
    string(REGEX REPLACE "\n#include.*" "" opening "${text}")
    if(opening MATCHES "[Ii]nternal|[Nn]ot[ \n/]+installed" OR header MATCHES "/emulator/")
      continue()
    endif()
    get_filename_component(place ${header} DIRECTORY)
    file(INSTALL ${GLIMPSE_SOURCE_DIR}/${header} DESTINATION ${CMAKE_INSTALL_PREFIX}/${GLIMPSE_HEADER_DIR}/${place})
  endforeach()
endforeach()

# `cmake --install BUILD`: headers, library, and the package file behind find_package(glimpse CONFIG) (component
# development); the programs (component programs).
include(CMakePackageConfigHelpers)

install(TARGETS glimpse EXPORT glimpse ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
if(GLIMPSE_TOOLS)
  get_property(glimpse_programs DIRECTORY tools PROPERTY BUILDSYSTEM_TARGETS)
  if(glimpse_programs)
    install(TARGETS ${glimpse_programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
  endif()
endif()

install(CODE "set(GLIMPSE_SOURCE_DIR [[${PROJECT_SOURCE_DIR}]])
set(GLIMPSE_FOLDERS [[${glimpse_folders}]])
set(GLIMPSE_PRIVATE_PLACES [[${glimpse_private_places}]])
set(GLIMPSE_HEADER_DIR [[${CMAKE_INSTALL_INCLUDEDIR}/glimpse]])" COMPONENT development)
install(SCRIPT cmake/install_headers.cmake COMPONENT development)

set(glimpse_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/glimpse)
install(EXPORT glimpse NAMESPACE glimpse:: FILE glimpseTargets.cmake DESTINATION ${glimpse_package_dir}
  COMPONENT development)
configure_package_config_file(cmake/glimpseConfig.cmake.in ${PROJECT_BINARY_DIR}/glimpseConfig.cmake
  INSTALL_DESTINATION ${glimpse_package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/glimpseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/glimpseConfig.cmake ${PROJECT_BINARY_DIR}/glimpseConfigVersion.cmake
  cmake/FindoneDNN.cmake DESTINATION ${glimpse_package_dir} COMPONENT development)

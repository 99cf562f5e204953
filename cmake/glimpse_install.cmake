# `cmake --install`: headers, library and the package file behind find_package(glimpse CONFIG).
include(CMakePackageConfigHelpers)

install(TARGETS glimpse EXPORT glimpse ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(folder kernels engine models data)
  install(DIRECTORY ${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/glimpse FILES_MATCHING PATTERN "*.h"
    PATTERN check.h EXCLUDE PATTERN onednn*.h EXCLUDE PATTERN variable.h EXCLUDE)
endforeach()

set(glimpse_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/glimpse)
install(EXPORT glimpse NAMESPACE glimpse:: FILE glimpseTargets.cmake DESTINATION ${glimpse_package_dir})
configure_package_config_file(cmake/glimpseConfig.cmake.in ${PROJECT_BINARY_DIR}/glimpseConfig.cmake
  INSTALL_DESTINATION ${glimpse_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/glimpseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/glimpseConfig.cmake ${PROJECT_BINARY_DIR}/glimpseConfigVersion.cmake
  cmake/FindoneDNN.cmake DESTINATION ${glimpse_package_dir})

# `cmake --install BUILD`: headers, library, and the package files behind find_package(glimpse CONFIG) and pkg-config
# (component development); the programs (component programs); with BUILD_SHARED_LIBS, the library that both need
# (component library). Programs that were not built are left out.
include(CMakePackageConfigHelpers)

# A component that is packaged alone carries its own copy of the licence.
function(glimpse_install_licence component package)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/THIRD_PARTY_NOTICES.md
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component})
endfunction()

install(TARGETS glimpse EXPORT glimpse
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
glimpse_install_licence(development libglimpse-dev)
if(BUILD_SHARED_LIBS)
  glimpse_install_licence(library libglimpse)
endif()

if(GLIMPSE_TOOLS)
  get_property(glimpse_programs DIRECTORY tools PROPERTY BUILDSYSTEM_TARGETS)
  list(FILTER glimpse_programs EXCLUDE REGEX "_common$")
  if(BUILD_SHARED_LIBS)
    file(RELATIVE_PATH to_library ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
    set_target_properties(${glimpse_programs} PROPERTIES INSTALL_RPATH "$ORIGIN/${to_library}")
  endif()
  install(TARGETS ${glimpse_programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs OPTIONAL)
  glimpse_install_licence(programs glimpse)
endif()

install(CODE "set(GLIMPSE_SOURCE_DIR [[${PROJECT_SOURCE_DIR}]])
set(GLIMPSE_FOLDERS [[${glimpse_folders};tests/emulator]])
set(GLIMPSE_PRIVATE_PLACES [[${glimpse_private_places}]])
set(GLIMPSE_HEADER_DIR [[${CMAKE_INSTALL_INCLUDEDIR}/glimpse]])" COMPONENT development)
install(SCRIPT cmake/install_headers.cmake COMPONENT development)
install(FILES ${glimpse_generated}/glimpse/engine/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/glimpse/engine
  COMPONENT development)

set(glimpse_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/glimpse)
install(EXPORT glimpse NAMESPACE glimpse:: FILE glimpseTargets.cmake DESTINATION ${glimpse_package_dir}
  COMPONENT development)
configure_package_config_file(cmake/glimpseConfig.cmake.in ${PROJECT_BINARY_DIR}/glimpseConfig.cmake
  INSTALL_DESTINATION ${glimpse_package_dir} PATH_VARS CMAKE_INSTALL_LIBDIR NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/glimpseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/glimpseConfig.cmake ${PROJECT_BINARY_DIR}/glimpseConfigVersion.cmake
  cmake/FindoneDNN.cmake cmake/Findutf8proc.cmake cmake/FindGlimpseFonts.cmake
  cmake/glimpse_emulate.cmake DESTINATION ${glimpse_package_dir} COMPONENT development)

# The library with the emulator in place of a GPU (component emulated of find_package), where it was built: it comes
# with the tests.
if(TARGET glimpse_emulated)
  set_target_properties(glimpse_emulated PROPERTIES EXPORT_NAME emulated)
  install(TARGETS glimpse_emulated EXPORT glimpse_emulated ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    COMPONENT development OPTIONAL)
  install(EXPORT glimpse_emulated NAMESPACE glimpse:: FILE glimpseEmulatedTargets.cmake
    DESTINATION ${glimpse_package_dir} COMPONENT development)
endif()

# For builds without CMake: pkg-config --static --cflags --libs glimpse. What a static library leaves to be linked stands
# in Libs.private; a shared one brings it along.
function(glimpse_write_pkgconfig)
  set(folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  file(RELATIVE_PATH to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
  set(requires "")
  set(libraries "")
  set(definitions "")
  if(GLIMPSE_CUDA_FOUND)
    set(definitions " -DGLIMPSE_HAVE_CUDA")
  endif()
  if(NOT BUILD_SHARED_LIBS)
    set(requires fmt)
    set(libraries -pthread)
    if(GLIMPSE_MODELS)
      list(APPEND libraries ${utf8proc_LIBRARY} ${GlimpseFonts_LIBRARIES})
    endif()
    if(oneDNN_FOUND)
      list(APPEND libraries ${oneDNN_LIBRARY} -ldl)
    endif()
    list(APPEND libraries ${glimpse_image_libraries})
    if(GLIMPSE_CUDA_FOUND)
      list(APPEND libraries ${CUDA_cudart_static_LIBRARY} -ldl -lrt)
    endif()
  endif()
  list(JOIN libraries " " libraries)
  configure_file(cmake/glimpse.pc.in ${PROJECT_BINARY_DIR}/glimpse.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/glimpse.pc DESTINATION ${folder} COMPONENT development)
endfunction()
glimpse_write_pkgconfig()

# What the tests of ops and bench_kernels share. Objects, not a library: nothing refers to a case by name, so a linker would
# leave them out.
function(glimpse_op_cases name library)
  set(folder ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/cases/*.cpp)
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${folder}/op_case.cpp ${sources})
  target_link_libraries(${name} PUBLIC ${library} glimpse_flags PRIVATE glimpse_quick)
  target_include_directories(${name} PUBLIC ${folder})
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()

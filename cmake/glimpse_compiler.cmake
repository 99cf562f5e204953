# The oldest compilers that Glimpse is built and tested with. An older one is refused here, before it fails in the middle
# of a build with messages about C++20.
function(glimpse_check_compiler)
  set(minimum_GNU 12)
  set(minimum_Clang 16)
  set(minimum "${minimum_${CMAKE_CXX_COMPILER_ID}}")
  if(minimum AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS minimum)
    message(FATAL_ERROR "glimpse: ${CMAKE_CXX_COMPILER} is ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}; "
      "Glimpse needs g++ ${minimum_GNU} or newer, or clang++ ${minimum_Clang} or newer")
  endif()
endfunction()

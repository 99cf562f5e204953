# glimpse_emulate(TARGET SOURCE.cu...): compiles these CUDA files as C++ into TARGET and links it with glimpse::emulated, so
# that their kernels run where there is no GPU. A source that the same folder also gives to nvcc must be emulated in
# another folder (add_subdirectory): CMake keeps one language per source and folder.
function(glimpse_emulate target)
  target_sources(${target} PRIVATE ${ARGN})
  set_source_files_properties(${ARGN} TARGET_DIRECTORY ${target} PROPERTIES LANGUAGE CXX
    COMPILE_OPTIONS -Wno-unknown-pragmas)  # nvcc's "unroll"
  target_link_libraries(${target} PRIVATE glimpse::emulated)
endfunction()

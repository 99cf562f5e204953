# The CUDA kernels as g++ compiles them for the emulator (kernels/emulator/): the same .cu files, the same functions on
# kernels::Cuda. Programs link either these or nvcc's, never both.
file(GLOB emulated_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
file(GLOB emulator_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/emulator/*.cpp)
set_source_files_properties(${emulated_kernels} PROPERTIES LANGUAGE CXX)

add_library(glimpse_emulated STATIC ${emulated_kernels} ${emulator_sources})
target_link_libraries(glimpse_emulated PUBLIC glimpse::glimpse PRIVATE glimpse_flags fmt::fmt Threads::Threads)
target_compile_options(glimpse_emulated PUBLIC -Wno-unknown-pragmas)  # nvcc's "unroll"
set_target_properties(glimpse_emulated PROPERTIES CXX_EXTENSIONS OFF)

# The library glimpse::glimpse: kernels, engine and, with GLIMPSE_MODELS, models and data.
# Sources are globbed: a new op or kernel needs no line here.

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
if(GLIMPSE_MODELS)
  find_path(STB_INCLUDE_DIR NAMES stb_image.h PATH_SUFFIXES stb REQUIRED)
  include(glimpse_image_libraries)
  find_package(utf8proc MODULE REQUIRED)
  if(GLIMPSE_FONTS)
    find_package(GlimpseFonts MODULE QUIET)
  endif()
endif()
if(GLIMPSE_ONEDNN)
  find_package(oneDNN QUIET)
endif()

set(glimpse_folders kernels engine)
if(GLIMPSE_MODELS)
  list(APPEND glimpse_folders models data)
endif()
# engine/ and models/ meet the device at compile time (engine/dispatch.h) and are compiled once for each library that the
# tests need; everything else is the same in all of them.
set(glimpse_sources "")         # of engine/ and models/
set(glimpse_shared_sources "")  # of the rest
foreach(folder IN LISTS glimpse_folders)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  if(folder MATCHES "^(engine|models)$")
    list(APPEND glimpse_sources ${sources})
  else()
    list(APPEND glimpse_shared_sources ${sources})
  endif()
endforeach()
# What wraps NVIDIA's libraries is a part of the CUDA backend.
list(FILTER glimpse_shared_sources EXCLUDE REGEX "/kernels/nvidia/")

# Headers that are not installed, known by where they lie: a path that begins with one of these, or has /internal/ in it.
set(glimpse_private_places kernels/attention/parts.cuh kernels/base/check.h kernels/inference/ kernels/nvidia/
  kernels/onednn/ engine/ops/ tests/emulator/fiber.h tests/emulator/forbidden.h tests/emulator/futex.h)
# recipes/*.json become text inside the library, so that programs find them from any directory.
if(GLIMPSE_MODELS)
  file(GLOB glimpse_recipes CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/recipes/*.json)
  set(glimpse_recipes_source ${PROJECT_BINARY_DIR}/built_in_recipes.cpp)
  string(REPLACE ";" "," glimpse_recipe_list "${glimpse_recipes}")
  add_custom_command(OUTPUT ${glimpse_recipes_source}
    COMMAND ${CMAKE_COMMAND} "-DRECIPES=${glimpse_recipe_list}" "-DOUTPUT=${glimpse_recipes_source}"
      -P ${PROJECT_SOURCE_DIR}/cmake/embed_recipes.cmake
    DEPENDS ${glimpse_recipes} ${PROJECT_SOURCE_DIR}/cmake/embed_recipes.cmake VERBATIM)
  add_custom_target(glimpse_recipes_source DEPENDS ${glimpse_recipes_source})  # for targets of other folders
  list(APPEND glimpse_shared_sources ${glimpse_recipes_source})
endif()

# Every include is spelled as a user spells it, "glimpse/engine/tensor.h"; in the build tree a link makes that so.
set(glimpse_include ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${glimpse_include})
file(CREATE_LINK ${PROJECT_SOURCE_DIR} ${glimpse_include}/glimpse SYMBOLIC)
# The version has one home, project() in CMakeLists.txt.
set(glimpse_generated ${PROJECT_BINARY_DIR}/generated)
configure_file(${PROJECT_SOURCE_DIR}/engine/version.h.in ${glimpse_generated}/glimpse/engine/version.h @ONLY)

# How the sources of the library are compiled.
function(glimpse_configure target)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${glimpse_include}> $<BUILD_INTERFACE:${glimpse_generated}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(GLIMPSE_MODELS)
    target_include_directories(${target} SYSTEM PRIVATE ${STB_INCLUDE_DIR} ${glimpse_image_includes})
    target_compile_definitions(${target} PRIVATE ${glimpse_image_definitions})
    target_link_libraries(${target} PRIVATE ${glimpse_image_libraries} utf8proc::utf8proc)
    if(GlimpseFonts_FOUND)
      target_link_libraries(${target} PRIVATE GlimpseFonts::GlimpseFonts)
      target_compile_definitions(${target} PRIVATE GLIMPSE_HAVE_FONTS)
    endif()
  endif()
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF)
  target_link_libraries(${target} PRIVATE Threads::Threads fmt::fmt
    $<BUILD_INTERFACE:nlohmann_json::nlohmann_json> $<BUILD_INTERFACE:glimpse_flags>)
  if(oneDNN_FOUND)
    target_link_libraries(${target} PRIVATE oneDNN::oneDNN ${CMAKE_DL_LIBS})
    target_compile_definitions(${target} PRIVATE GLIMPSE_HAVE_ONEDNN)
  endif()
endfunction()

add_library(glimpse_shared OBJECT ${glimpse_shared_sources})
glimpse_configure(glimpse_shared)
# clang's "flatten" reaches one call deep: what with_vectors calls must be inlined on the way down.
set(glimpse_kernel_options $<$<CXX_COMPILER_ID:Clang>:SHELL:-mllvm -inline-threshold=2000>)
target_compile_options(glimpse_shared PRIVATE ${glimpse_kernel_options})
if(GLIMPSE_MODELS)
  # Damaged files make stb_image's sums overflow.
  set_source_files_properties(${PROJECT_SOURCE_DIR}/data/internal/stb.cpp PROPERTIES COMPILE_OPTIONS -fwrapv)
endif()
# Objects, so that with a CUDA backend the tests' emulated library takes them too (glimpse_cuda.cmake says the device).
add_library(glimpse_host OBJECT ${glimpse_sources})
glimpse_configure(glimpse_host)
# Static, or shared with BUILD_SHARED_LIBS. All symbols are visible: the tests look at internal ones too. Until 1.0 a new
# minor version may change what a program was linked with, so both numbers name the shared library.
add_library(glimpse $<TARGET_OBJECTS:glimpse_host> $<TARGET_OBJECTS:glimpse_shared>)
add_library(glimpse::glimpse ALIAS glimpse)
set_target_properties(glimpse PROPERTIES VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} DEFINE_SYMBOL "")
glimpse_configure(glimpse)
if(GlimpseFonts_FOUND)
  message(STATUS "glimpse: words beyond ASCII on pictures by FreeType, HarfBuzz and fontconfig")
elseif(GLIMPSE_MODELS)
  message(STATUS "glimpse: fonts of the system not used; letters beyond ASCII are boxes on pictures")
endif()
if(oneDNN_FOUND)
  message(STATUS "glimpse: GEMM and convolution on the CPU by oneDNN (${oneDNN_LIBRARY})")
else()
  message(STATUS "glimpse: oneDNN not used; GEMM and convolution on the CPU by Glimpse's own kernels (slower)")
endif()

# Flags of Glimpse's own code; consumers are not touched by them. With errno a loop that takes square roots does not
# vectorise, and with floating-point traps none that chooses between two values; nothing here reads either.
add_library(glimpse_flags INTERFACE)
target_compile_options(glimpse_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  -fopenmp-simd -fno-math-errno -fno-trapping-math
  # GCC 12 sees overlapping copies in any "text" + std::string (its bug 105651).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  $<$<BOOL:${GLIMPSE_WERROR}>:-Werror>
  $<$<BOOL:${GLIMPSE_NATIVE}>:-march=native>)

# For code that no one waits for: tests, command lines and the copy of the library that only tests link. It compiles in
# two thirds of the time.
add_library(glimpse_quick INTERFACE)
target_compile_options(glimpse_quick INTERFACE $<$<CONFIG:Release>:-O1>)

include(glimpse_cuda)

# A program of ours in <build>/bin.
function(glimpse_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE glimpse::glimpse glimpse_flags fmt::fmt nlohmann_json::nlohmann_json)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin CXX_EXTENSIONS OFF)
endfunction()

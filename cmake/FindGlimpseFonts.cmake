# Finds what draws words with the fonts of the system: FreeType, HarfBuzz and fontconfig, all or none. Defines
# GlimpseFonts::GlimpseFonts and GlimpseFonts_LIBRARIES.
find_path(GlimpseFonts_FREETYPE_DIR ft2build.h PATH_SUFFIXES freetype2)
find_path(GlimpseFonts_HARFBUZZ_DIR hb-ft.h PATH_SUFFIXES harfbuzz)
find_path(GlimpseFonts_FONTCONFIG_DIR fontconfig/fontconfig.h)
find_library(GlimpseFonts_FREETYPE freetype)
find_library(GlimpseFonts_HARFBUZZ harfbuzz)
find_library(GlimpseFonts_FONTCONFIG fontconfig)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(GlimpseFonts REQUIRED_VARS GlimpseFonts_FREETYPE GlimpseFonts_HARFBUZZ
  GlimpseFonts_FONTCONFIG GlimpseFonts_FREETYPE_DIR GlimpseFonts_HARFBUZZ_DIR GlimpseFonts_FONTCONFIG_DIR)
mark_as_advanced(GlimpseFonts_FREETYPE GlimpseFonts_HARFBUZZ GlimpseFonts_FONTCONFIG GlimpseFonts_FREETYPE_DIR
  GlimpseFonts_HARFBUZZ_DIR GlimpseFonts_FONTCONFIG_DIR)
set(GlimpseFonts_LIBRARIES ${GlimpseFonts_HARFBUZZ} ${GlimpseFonts_FREETYPE} ${GlimpseFonts_FONTCONFIG})
if(GlimpseFonts_FOUND AND NOT TARGET GlimpseFonts::GlimpseFonts)
  add_library(GlimpseFonts::GlimpseFonts INTERFACE IMPORTED)
  set_target_properties(GlimpseFonts::GlimpseFonts PROPERTIES INTERFACE_LINK_LIBRARIES "${GlimpseFonts_LIBRARIES}")
  target_include_directories(GlimpseFonts::GlimpseFonts SYSTEM INTERFACE
    ${GlimpseFonts_FREETYPE_DIR} ${GlimpseFonts_HARFBUZZ_DIR} ${GlimpseFonts_FONTCONFIG_DIR})
endif()

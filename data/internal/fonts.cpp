#include "glimpse/data/internal/fonts.h"

#ifdef GLIMPSE_HAVE_FONTS

#include <fontconfig/fontconfig.h>
#include <ft2build.h>
#include <hb-ft.h>
#include <hb.h>

#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include FT_FREETYPE_H

#include "glimpse/kernels/base/utf8.h"

namespace glimpse::fonts {
namespace {

constexpr double capital = 0.72;  // height of a capital letter in most fonts, in units of their size
constexpr int unit = 64;          // FreeType's and HarfBuzz's fractions of a pixel
constexpr double tallest = 512;   // pixels; larger text stays inside every picture that is drawn

/// The libraries are used by one thread at a time.
std::mutex& guard() {
  static std::mutex mutex;
  return mutex;
}

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};
using Pattern = std::unique_ptr<FcPattern, Release<FcPatternDestroy>>;
using CharSet = std::unique_ptr<FcCharSet, Release<FcCharSetDestroy>>;
using Face = std::unique_ptr<FT_FaceRec, Release<FT_Done_Face>>;
using HbFont = std::unique_ptr<hb_font_t, Release<hb_font_destroy>>;
using HbBuffer = std::unique_ptr<hb_buffer_t, Release<hb_buffer_destroy>>;

/// The outline font that fontconfig likes best for these letters, and whether it has them all.
struct Choice {
  std::string file;
  int index = 0;
  bool whole = false;
};

Choice choose(std::string_view text) {
  const CharSet letters(FcCharSetCreate());
  while (!text.empty()) {
    const char32_t c = take_code_point(text);
    if (c == no_code_point) return {};
    if (c != ' ') FcCharSetAddChar(letters.get(), c);
  }
  const Pattern wanted(FcPatternCreate());
  FcPatternAddCharSet(wanted.get(), FC_CHARSET, letters.get());
  FcPatternAddBool(wanted.get(), FC_SCALABLE, FcTrue);
  FcPatternAddBool(wanted.get(), FC_COLOR, FcFalse);
  FcPatternAddString(wanted.get(), FC_FAMILY, reinterpret_cast<const FcChar8*>("sans-serif"));
  FcConfigSubstitute(nullptr, wanted.get(), FcMatchPattern);
  FcDefaultSubstitute(wanted.get());
  FcResult result = FcResultNoMatch;
  const Pattern found(FcFontMatch(nullptr, wanted.get(), &result));
  FcChar8* file = nullptr;
  FcCharSet* has = nullptr;
  Choice choice;
  if (!found || FcPatternGetString(found.get(), FC_FILE, 0, &file) != FcResultMatch ||
      FcPatternGetCharSet(found.get(), FC_CHARSET, 0, &has) != FcResultMatch)
    return choice;
  FcPatternGetInteger(found.get(), FC_INDEX, 0, &choice.index);
  choice.file = reinterpret_cast<const char*>(file);
  choice.whole = FcCharSetIsSubset(letters.get(), has) == FcTrue;
  return choice;
}

/// The font for a text, loaded once; null where none has all of its letters.
FT_Face face_for(std::string_view text) {
  static FT_Library library = [] {
    FT_Library made = nullptr;
    return FcInit() == FcTrue && FT_Init_FreeType(&made) == 0 ? made : nullptr;
  }();
  static std::map<std::string, FT_Face, std::less<>> by_text;
  static std::map<std::pair<std::string, int>, Face> faces;
  if (!library) return nullptr;
  if (const auto known = by_text.find(text); known != by_text.end()) return known->second;
  constexpr std::size_t most_known = 10000;
  if (by_text.size() >= most_known) by_text.clear();
  FT_Face& face = by_text[std::string(text)];
  const Choice choice = choose(text);
  if (!choice.whole) return face;
  Face& loaded = faces[{choice.file, choice.index}];
  FT_Face fresh = nullptr;
  if (!loaded && FT_New_Face(library, choice.file.c_str(), choice.index, &fresh) == 0) loaded.reset(fresh);
  return face = loaded.get();
}

struct PlacedGlyph {
  hb_codepoint_t glyph;
  double x, y;  // of its origin, y upwards
};

struct Line {
  std::vector<PlacedGlyph> glyphs;
  double width = 0;
};

/// Places the glyphs of a text, in the order in which they are seen.
Line shape(FT_Face face, std::string_view text, double size) {
  Line line;
  const double pixels = std::min(size / capital, tallest);
  if (FT_Set_Char_Size(face, 0, static_cast<FT_F26Dot6>(std::lround(pixels * unit)), 72, 72) != 0) return line;
  const HbFont font(hb_ft_font_create_referenced(face));
  const HbBuffer buffer(hb_buffer_create());
  hb_buffer_add_utf8(buffer.get(), text.data(), static_cast<int>(text.size()), 0, static_cast<int>(text.size()));
  hb_buffer_guess_segment_properties(buffer.get());
  hb_shape(font.get(), buffer.get(), nullptr, 0);
  unsigned count = 0;
  const hb_glyph_info_t* infos = hb_buffer_get_glyph_infos(buffer.get(), &count);
  const hb_glyph_position_t* places = hb_buffer_get_glyph_positions(buffer.get(), &count);
  for (unsigned i = 0; i < count; ++i) {
    line.glyphs.push_back({infos[i].codepoint, line.width + places[i].x_offset / static_cast<double>(unit),
                           places[i].y_offset / static_cast<double>(unit)});
    line.width += places[i].x_advance / static_cast<double>(unit);
  }
  return line;
}

}  // namespace

bool covers(std::string_view text) {
  const std::lock_guard lock(guard());
  return face_for(text) != nullptr;
}

double width(std::string_view text, double size) {
  const std::lock_guard lock(guard());
  FT_Face face = face_for(text);
  return face ? shape(face, text, size).width : 0;
}

void draw(double x, double y, std::string_view text, double size,
          const std::function<void(int x, int y, double opacity)>& put) {
  const std::lock_guard lock(guard());
  FT_Face face = face_for(text);
  if (!face) return;
  for (const PlacedGlyph& glyph : shape(face, text, size).glyphs) {
    if (FT_Load_Glyph(face, glyph.glyph, FT_LOAD_RENDER | FT_LOAD_NO_HINTING) != 0) continue;
    const FT_GlyphSlot slot = face->glyph;
    if (slot->bitmap.pixel_mode != FT_PIXEL_MODE_GRAY) continue;
    const int left = static_cast<int>(std::lround(x + glyph.x)) + slot->bitmap_left;
    const int top = static_cast<int>(std::lround(y - glyph.y)) - slot->bitmap_top;
    for (unsigned row = 0; row < slot->bitmap.rows; ++row)
      for (unsigned column = 0; column < slot->bitmap.width; ++column) {
        const unsigned char* line = slot->bitmap.buffer + static_cast<std::ptrdiff_t>(row) * slot->bitmap.pitch;
        if (line[column] > 0) put(left + static_cast<int>(column), top + static_cast<int>(row), line[column] / 255.0);
      }
  }
}

}  // namespace glimpse::fonts

#else

namespace glimpse::fonts {

bool covers(std::string_view) { return false; }
double width(std::string_view, double) { return 0; }
void draw(double, double, std::string_view, double, const std::function<void(int, int, double)>&) {}

}  // namespace glimpse::fonts

#endif

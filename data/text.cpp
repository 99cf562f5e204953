#include "glimpse/data/text.h"

#include <algorithm>
#include <cmath>
#include <locale>
#include <numbers>
#include <sstream>

#include "glimpse/data/glyphs.h"
#include "glimpse/data/internal/fonts.h"
#include "glimpse/data/internal/unicode.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse {
namespace {

constexpr double capital = 7, gap = 2.0;  // in the units of the glyphs

struct Point {
  double x, y;
};

struct Segment {
  Point from, to;
};

class StrokeReader {
 public:
  std::vector<Segment> read(const char* path) {
    std::istringstream stream(path);
    stream.imbue(std::locale::classic());
    for (char command; stream >> command;) {
      if (command == 'M') {
        stream >> at_.x >> at_.y;
      } else if (command == 'L') {
        Point to;
        stream >> to.x >> to.y;
        line_to(to);
      } else if (command == 'Q') {
        Point control, to;
        stream >> control.x >> control.y >> to.x >> to.y;
        curve_to(control, to);
      } else {
        Point centre, radius;
        double from, to;
        stream >> centre.x >> centre.y >> radius.x >> radius.y >> from >> to;
        arc(centre, radius, from, to, command == 'O');
      }
    }
    return std::move(segments_);
  }

 private:
  void line_to(Point to) {
    segments_.push_back({at_, to});
    at_ = to;
  }
  void curve_to(Point control, Point to) {
    const Point from = at_;
    constexpr int steps = 8;
    for (int i = 1; i <= steps; ++i) {
      const double t = static_cast<double>(i) / steps, s = 1 - t;
      line_to({s * s * from.x + 2 * s * t * control.x + t * t * to.x,
               s * s * from.y + 2 * s * t * control.y + t * t * to.y});
    }
  }
  void arc(Point centre, Point radius, double from, double to, bool begins) {
    const auto at_angle = [&](double degrees) {
      const double angle = degrees * std::numbers::pi / 180;
      return Point{centre.x + radius.x * std::cos(angle), centre.y + radius.y * std::sin(angle)};
    };
    if (begins)
      at_ = at_angle(from);
    else
      line_to(at_angle(from));
    const int steps = static_cast<int>(std::ceil(std::abs(to - from) / 12));
    for (int i = 1; i <= steps; ++i) line_to(at_angle(from + (to - from) * i / steps));
  }

  Point at_{0, 0};
  std::vector<Segment> segments_;
};

double distance_to(const Segment& segment, Point p) {
  const Point along{segment.to.x - segment.from.x, segment.to.y - segment.from.y};
  const Point away{p.x - segment.from.x, p.y - segment.from.y};
  const double length2 = along.x * along.x + along.y * along.y;
  const double t = length2 == 0 ? 0 : std::clamp((away.x * along.x + away.y * along.y) / length2, 0.0, 1.0);
  return std::hypot(away.x - t * along.x, away.y - t * along.y);
}

void blend(Image& image, int x, int y, const Colour& colour, double opacity) {
  std::uint8_t* pixel = &image.rgb[(static_cast<std::size_t>(y) * image.width + x) * 3];
  for (int c = 0; c < 3; ++c)
    pixel[c] = static_cast<std::uint8_t>(std::lround(pixel[c] + (colour[c] - pixel[c]) * opacity));
}

// Blends `colour` with opacity coverage(centre of the pixel) into every pixel of [x0, x1) x [y0, y1).
template <class Coverage>
void paint(Image& image, double x0, double y0, double x1, double y1, const Colour& colour, Coverage coverage) {
  const int left = std::max(0, static_cast<int>(std::floor(x0))), top = std::max(0, static_cast<int>(std::floor(y0)));
  const int right = std::min(image.width, static_cast<int>(std::ceil(x1)));
  const int bottom = std::min(image.height, static_cast<int>(std::ceil(y1)));
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x) {
      const double opacity = coverage(Point{x + 0.5, y + 0.5});
      if (opacity > 0) blend(image, x, y, colour, std::min(opacity, 1.0));
    }
}

}  // namespace

namespace {

/// A part of a line that is drawn in one way.
struct Run {
  std::string_view text;
  bool by_font;
};

bool is_plain(std::string_view word) {
  return std::all_of(word.begin(), word.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

/// Cuts a line where a word that needs a font stands beside one that does not. Blanks between two words of one kind
/// belong to their run, so that a font writes several words of Arabic from the right.
std::vector<Run> runs_of(std::string_view text) {
  std::vector<Run> runs;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t word_end = std::min(text.find(' ', begin), text.size());
    const std::string_view word = text.substr(begin, word_end - begin);
    const bool by_font = !is_plain(word) && fonts::covers(word);
    const std::size_t end = std::min(text.find_first_not_of(' ', word_end), text.size());
    const std::string_view joined =
        runs.empty() ? word
                     : text.substr(runs.back().text.data() - text.data(),
                                   word_end - static_cast<std::size_t>(runs.back().text.data() - text.data()));
    if (!runs.empty() && runs.back().by_font == by_font && (!by_font || fonts::covers(joined)))
      runs.back().text = {joined.data(), joined.size() + end - word_end};
    else
      runs.push_back({text.substr(begin, end - begin), by_font});
    begin = end;
  }
  return runs;
}

double stroke_width(std::string_view text, double size) {
  double width = 0;
  while (!text.empty()) width += glyph_of(take_code_point(text)).width + gap;
  return width * size / capital;
}

/// The front of a word up to where a line may break: before and behind characters of scripts without blanks.
std::string_view breakable_part(std::string_view word) {
  std::string_view rest = word;
  bool unspaced = unicode::is_unspaced(take_code_point(rest));
  while (!rest.empty()) {
    std::string_view next = rest;
    const char32_t c = take_code_point(next);
    const bool mark = c == no_code_point || unicode::kind_of(c) == unicode::Kind::mark;
    if (!mark && (unspaced || unicode::is_unspaced(c))) break;
    rest = next;
  }
  return word.substr(0, word.size() - rest.size());
}

double run_width(const Run& run, double size) {
  return run.by_font ? fonts::width(run.text, size) : stroke_width(run.text, size);
}

void draw_strokes(Image& image, double origin, double y, std::string_view text, double size, const Colour& colour,
                  double weight) {
  const double scale = size / capital, radius = weight * size / 2;
  while (!text.empty()) {
    const Glyph& glyph = glyph_of(take_code_point(text));
    std::vector<Segment> segments = StrokeReader().read(glyph.path);
    for (Segment& segment : segments)
      for (Point* point : {&segment.from, &segment.to}) *point = {origin + point->x * scale, y - point->y * scale};
    const double margin = radius + 1;
    paint(image, origin - scale - margin, y - 8 * scale - margin, origin + (glyph.width + 1) * scale + margin,
          y + 2.5 * scale + margin, colour, [&](Point p) {
            double nearest = margin;
            for (const Segment& segment : segments) nearest = std::min(nearest, distance_to(segment, p));
            return radius + 0.5 - nearest;
          });
    origin += (glyph.width + gap) * scale;
  }
}

}  // namespace

double text_width(std::string_view text, double size) {
  if (text.empty()) return 0;
  double width = 0;
  for (const Run& run : runs_of(text)) width += run_width(run, size);
  return width + (1 - gap) * size / capital;  // half a stroke on either side instead of the last gap
}

void draw_text(Image& image, double x, double y, std::string_view text, double size, const Colour& colour,
               double weight) {
  double origin = x + 0.5 * size / capital;
  for (const Run& run : runs_of(text)) {
    if (run.by_font)
      fonts::draw(origin, y, run.text, size, [&](int column, int row, double opacity) {
        if (column >= 0 && row >= 0 && column < image.width && row < image.height)
          blend(image, column, row, colour, opacity);
      });
    else
      draw_strokes(image, origin, y, run.text, size, colour, weight);
    origin += run_width(run, size);
  }
}

std::vector<std::string> wrap_text(std::string_view text, double size, double width) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& word, const std::string& gap_before) {
    if (!lines.empty() && text_width(lines.back() + gap_before + word, size) <= width)
      lines.back() += gap_before + word;
    else
      lines.push_back(word);
  };
  std::istringstream words{std::string(text)};
  words.imbue(std::locale::classic());
  for (std::string word; words >> word;) {
    // A chain of characters of a script without blanks may break between any two.
    std::string blank = " ";
    for (std::string_view rest = word; !rest.empty(); blank = "") {
      const std::string_view part = breakable_part(rest);
      add(std::string(part), blank);
      rest.remove_prefix(part.size());
    }
  }
  return lines;
}

std::string fit_text(std::string_view text, double size, double width) {
  if (text_width(text, size) <= width) return std::string(text);
  while (!text.empty() && text_width(std::string(text) + "...", size) > width) {
    while (text.size() > 1 && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.remove_suffix(1);
    text.remove_suffix(1);
  }
  return std::string(text) + "...";
}

void fill_rectangle(Image& image, double x, double y, double width, double height, double radius, const Colour& colour,
                    double opacity) {
  const Point centre{x + width / 2, y + height / 2}, half{width / 2 - radius, height / 2 - radius};
  paint(image, x, y, x + width, y + height, colour, [&](Point p) {
    const double dx = std::abs(p.x - centre.x) - half.x, dy = std::abs(p.y - centre.y) - half.y;
    const double outside = std::hypot(std::max(dx, 0.0), std::max(dy, 0.0)) + std::min(std::max(dx, dy), 0.0);
    return opacity * std::clamp(radius + 0.5 - outside, 0.0, 1.0);
  });
}

}  // namespace glimpse

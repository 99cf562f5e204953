#include "glimpse/data/attention_map.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "glimpse/data/internal/unicode.h"
#include "glimpse/data/text.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse {
namespace {

// ------------------------------------------------------------------------------------------------ smooth maps

struct Taps {
  std::array<int, 4> cell;
  std::array<float, 4> weight;
};

// The four cells that shape position i of `size`, and their share by the uniform cubic B-spline.
Taps spline_taps(int i, int size, int cells) {
  const double position = (i + 0.5) * cells / size - 0.5;
  const double base = std::floor(position), t = position - base;
  Taps taps;
  const std::array<double, 4> weight = {(1 - t) * (1 - t) * (1 - t) / 6, (3 * t * t * t - 6 * t * t + 4) / 6,
                                        (-3 * t * t * t + 3 * t * t + 3 * t + 1) / 6, t * t * t / 6};
  for (int k = 0; k < 4; ++k) {
    taps.cell[k] = std::clamp(static_cast<int>(base) - 1 + k, 0, cells - 1);
    taps.weight[k] = static_cast<float>(weight[k]);
  }
  return taps;
}

// --------------------------------------------------------------------------------------------------- colours

// Light adds up linearly, sRGB values do not.
float to_linear(float srgb) { return srgb <= 0.04045f ? srgb / 12.92f : std::pow((srgb + 0.055f) / 1.055f, 2.4f); }
float to_srgb(float linear) {
  return linear <= 0.0031308f ? linear * 12.92f : 1.055f * std::pow(linear, 1 / 2.4f) - 0.055f;
}

struct LightTables {
  std::array<float, 256> linear;
  std::array<std::uint8_t, 4097> srgb;  // of linear * 4096
  LightTables() {
    for (int i = 0; i < 256; ++i) linear[i] = to_linear(static_cast<float>(i) / 255);
    for (int i = 0; i <= 4096; ++i)
      srgb[i] = static_cast<std::uint8_t>(std::lround(255 * to_srgb(static_cast<float>(i) / 4096)));
  }
  std::uint8_t encode(float value) const { return srgb[static_cast<int>(std::clamp(value, 0.0f, 1.0f) * 4096 + 0.5f)]; }
};

const LightTables& light() {
  static const LightTables tables;
  return tables;
}

using Rgb = std::array<float, 3>;  // linear

// A colour of given lightness, chroma and hue (radians): Oklab (Ottosson 2020), so that equal steps look equal.
Rgb oklch(float lightness, float chroma, float hue) {
  const float a = chroma * std::cos(hue), b = chroma * std::sin(hue);
  const auto cube = [](float x) { return x * x * x; };
  const float l = cube(lightness + 0.3963377774f * a + 0.2158037573f * b);
  const float m = cube(lightness - 0.1055613458f * a - 0.0638541728f * b);
  const float s = cube(lightness - 0.0894841775f * a - 1.2914855480f * b);
  return {std::clamp(4.0767416621f * l - 3.3077115913f * m + 0.2309699292f * s, 0.0f, 1.0f),
          std::clamp(-1.2684380046f * l + 2.6097574011f * m - 0.3413193965f * s, 0.0f, 1.0f),
          std::clamp(-0.0041960863f * l - 0.7034186147f * m + 1.7076147010f * s, 0.0f, 1.0f)};
}

// Violet, through red, to light yellow, with lightness rising evenly.
Rgb heat(float value) {
  constexpr float degrees = 3.14159265f / 180;
  return oklch(0.28f + 0.64f * value, 0.13f + 0.06f * std::sin(3.14159265f * value), (285 + 163 * value) * degrees);
}

float luminance(const Rgb& rgb) { return 0.2126f * rgb[0] + 0.7152f * rgb[1] + 0.0722f * rgb[2]; }

// Darkens and greys what is not looked at; adds some white light to what is, which shows on dark things too.
Rgb spotlit(const Rgb& pixel, float value) {
  const float grey = luminance(pixel), brightness = 0.09f + 0.91f * value, saturation = 0.3f + 0.7f * value;
  const float glow = 0.09f * value * value;
  Rgb result;
  for (int c = 0; c < 3; ++c) {
    const float seen = (grey + (pixel[c] - grey) * saturation) * brightness;
    result[c] = seen + (1 - seen) * glow;
  }
  return result;
}

// The colour of the value, shaded by the photograph in grey; faint where the value is small.
Rgb heated(const Rgb& pixel, float value) {
  const float grey = luminance(pixel), shade = 0.45f + 0.55f * std::sqrt(grey), opacity = 0.12f + 0.66f * value;
  const Rgb colour = heat(value);
  Rgb result;
  for (int c = 0; c < 3; ++c) result[c] = grey * 0.75f * (1 - opacity) + colour[c] * shade * opacity;
  return result;
}

// ---------------------------------------------------------------------------------------------------- layout

void check_maps(const AttentionMaps& maps) {
  const std::size_t expected = maps.words.size() * static_cast<std::size_t>(std::max(maps.rows, 0)) *
                               static_cast<std::size_t>(std::max(maps.columns, 0));
  check(maps.rows >= 1 && maps.columns >= 1 && maps.weights.size() == expected,
        "attention pictures: {} weights, expected {} words x {} rows x {} columns", maps.weights.size(),
        maps.words.size(), maps.rows, maps.columns);
  check(maps.beta.empty() || maps.beta.size() == maps.words.size(),
        "attention pictures: {} values of beta for {} words", maps.beta.size(), maps.words.size());
}

std::span<const float> map_of(const AttentionMaps& maps, int index) {
  const std::size_t locations = static_cast<std::size_t>(maps.rows) * static_cast<std::size_t>(maps.columns);
  return std::span(maps.weights).subspan(index * locations, locations);
}

// The same picture with its longer side between the two limits.
Image within(const Image& image, int shortest, int longest) {
  const int length = std::max(image.width, image.height);
  const int target = std::clamp(length, shortest, longest);
  if (target == length) return image;
  const auto scaled = [&](int size) {
    return std::max(1, static_cast<int>(std::lround(static_cast<double>(size) * target / length)));
  };
  return resize(image, scaled(image.width), scaled(image.height));
}

void paste(Image& sheet, const Image& image, int x, int y) {
  for (int row = 0; row < image.height; ++row)
    std::copy_n(&image.rgb[static_cast<std::size_t>(row) * image.width * 3], static_cast<std::size_t>(image.width) * 3,
                &sheet.rgb[(static_cast<std::size_t>(y + row) * sheet.width + x) * 3]);
}

constexpr Colour paper{18, 20, 24}, ink{240, 241, 243}, faint_ink{150, 155, 165};

// The part of a word that any file system takes: letters, their marks and digits, of 40 bytes at most.
std::string file_part(std::string_view word) {
  std::string part;
  while (!word.empty()) {
    std::string next = part;
    const char32_t c = take_code_point(word);
    if (c == no_code_point) continue;
    const unicode::Kind kind = unicode::kind_of(c);
    if (kind != unicode::Kind::letter && kind != unicode::Kind::mark) continue;
    append_utf8(next, c);
    if (next.size() > 40) break;
    part = std::move(next);
  }
  return part;
}

}  // namespace

std::vector<float> smooth_attention(std::span<const float> weights, int rows, int columns, int height, int width) {
  check(rows >= 1 && columns >= 1 && height >= 1 && width >= 1 &&
            weights.size() == static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns),
        "smooth_attention: {} weights for a grid of {} x {}, drawn {} x {}", weights.size(), rows, columns, height,
        width);
  for (const float weight : weights)
    check(weight >= 0 && std::isfinite(weight), "smooth_attention: a weight is {}, expected a number >= 0", weight);
  std::vector<float> wide(static_cast<std::size_t>(rows) * width);  // (rows, width)
  for (int x = 0; x < width; ++x) {
    const Taps taps = spline_taps(x, width, columns);
    for (int r = 0; r < rows; ++r)
      for (int k = 0; k < 4; ++k)
        wide[static_cast<std::size_t>(r) * width + x] += taps.weight[k] * weights[r * columns + taps.cell[k]];
  }
  std::vector<float> smooth(static_cast<std::size_t>(height) * width);
  for (int y = 0; y < height; ++y) {
    const Taps taps = spline_taps(y, height, rows);
    float* line = &smooth[static_cast<std::size_t>(y) * width];
    for (int k = 0; k < 4; ++k)
      for (int x = 0; x < width; ++x)
        line[x] += taps.weight[k] * wide[static_cast<std::size_t>(taps.cell[k]) * width + x];
  }
  const float largest = *std::max_element(smooth.begin(), smooth.end());
  const float white = std::max(largest, 2.0f / static_cast<float>(weights.size()));
  for (float& value : smooth) value = std::min(value / white, 1.0f);
  return smooth;
}

Image draw_attention(const Image& photograph, std::span<const float> weights, int rows, int columns,
                     AttentionStyle style) {
  const std::vector<float> map = smooth_attention(weights, rows, columns, photograph.height, photograph.width);
  const LightTables& tables = light();
  Image picture = photograph;
  for (std::size_t i = 0; i < map.size(); ++i) {
    std::uint8_t* pixel = &picture.rgb[i * 3];
    const Rgb before = {tables.linear[pixel[0]], tables.linear[pixel[1]], tables.linear[pixel[2]]};
    const Rgb after = style == AttentionStyle::light ? spotlit(before, map[i]) : heated(before, map[i]);
    for (int c = 0; c < 3; ++c) pixel[c] = tables.encode(after[c]);
  }
  return picture;
}

std::string attended_word(const AttentionMaps& maps, int index) {
  return maps.beta.empty() ? maps.words[index] : fmt::format("{} {:.2f}", maps.words[index], maps.beta[index]);
}

Image draw_attended_word(const Image& photograph, const AttentionMaps& maps, int index, AttentionStyle style) {
  check_maps(maps);
  check(index >= 0 && index < static_cast<int>(maps.words.size()), "draw_attended_word: word {} of {}", index,
        maps.words.size());
  Image picture = draw_attention(within(photograph, 480, 960), map_of(maps, index), maps.rows, maps.columns, style);
  const double size = std::max(14.0, std::max(picture.width, picture.height) / 28.0), edge = size * 0.7;
  const std::string word = fit_text(attended_word(maps, index), size, picture.width - 3.6 * size);
  const double width = text_width(word, size) + 1.4 * size, height = 2.2 * size;
  const double top = picture.height - edge - height;
  fill_rectangle(picture, edge, top, width, height, height / 2, paper, 0.78);
  draw_text(picture, edge + 0.7 * size, top + 1.52 * size, word, size, ink);
  return picture;
}

Image draw_attention_sheet(const Image& photograph, const AttentionMaps& maps, const std::string& heading,
                           AttentionStyle style) {
  check_maps(maps);
  const int tiles = static_cast<int>(maps.words.size()) + 1;
  const int columns = tiles <= 4 ? tiles : tiles <= 8 ? 4 : tiles <= 15 ? 5 : 6;
  const int lines = (tiles + columns - 1) / columns;
  const Image small = within(photograph, 260, 260);
  const int margin = 28, gap = 14, label = 36;
  const int width = std::max(2 * margin + columns * (small.width + gap) - gap, 480);

  std::string title = heading;
  if (title.empty())
    for (const std::string& word : maps.words) title += (title.empty() ? "" : " ") + word;
  constexpr double title_size = 17, line_height = 31, word_size = 12.5;
  const std::vector<std::string> title_lines = wrap_text(title, title_size, width - 2 * margin);
  const int top = margin + 10 + static_cast<int>(line_height * static_cast<double>(title_lines.size()));
  const int height = top + lines * (small.height + label) + margin / 2;
  Image sheet{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height * 3)};
  for (std::size_t i = 0; i < sheet.rgb.size(); ++i) sheet.rgb[i] = paper[i % 3];

  for (std::size_t i = 0; i < title_lines.size(); ++i)
    draw_text(sheet, margin, margin + line_height * static_cast<double>(i) + title_size,
              fit_text(title_lines[i], title_size, width - 2 * margin), title_size, ink);
  for (int tile = 0; tile < tiles; ++tile) {
    const int x = margin + tile % columns * (small.width + gap), y = top + tile / columns * (small.height + label);
    const Image picture =
        tile == 0 ? small : draw_attention(small, map_of(maps, tile - 1), maps.rows, maps.columns, style);
    paste(sheet, picture, x, y);
    const std::string word = tile == 0 ? "photograph" : fit_text(attended_word(maps, tile - 1), word_size, small.width);
    draw_text(sheet, x + (small.width - text_width(word, word_size)) / 2, y + small.height + 8 + word_size, word,
              word_size, tile == 0 ? faint_ink : ink);
  }
  return sheet;
}

std::vector<std::string> write_attention_pictures(const std::string& folder, const std::string& name,
                                                  const Image& photograph, const AttentionMaps& maps,
                                                  const std::string& heading, AttentionStyle style) {
  check_maps(maps);
  check(!name.empty() && name.find('/') == std::string::npos, "{}: '{}' is no name for pictures in this folder", folder,
        name);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check(!error, "{}: cannot create the folder: {}", folder, error.message());
  const std::string stem = (std::filesystem::path(folder) / name).string();
  std::vector<std::string> paths = {stem + ".png"};
  std::vector<Image> pictures = {draw_attention_sheet(photograph, maps, heading, style)};
  for (int i = 0; i < static_cast<int>(maps.words.size()); ++i) {
    const std::string word = file_part(maps.words[i]);
    paths.push_back(fmt::format("{}-{:02}{}{}.png", stem, i + 1, word.empty() ? "" : "-", word));
    pictures.push_back(draw_attended_word(photograph, maps, i, style));
  }
  // Compressing them takes nearly all of the time.
  kernels::parallel_for_each(std::ssize(paths), [&](std::int64_t i) { write_png(paths[i], pictures[i]); });
  return paths;
}

}  // namespace glimpse

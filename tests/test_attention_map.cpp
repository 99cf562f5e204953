// The pictures of attention: where the light falls, and that words can be read.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "catch.h"
#include "glimpse/data/attention_map.h"
#include "glimpse/data/internal/fonts.h"
#include "glimpse/data/text.h"
#include "glimpse/kernels/base/error.h"

using namespace glimpse;

namespace {

Image plain(int width, int height, std::uint8_t value) {
  return {width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height * 3, value)};
}

double brightness(const Image& image, int x, int y) {
  const std::uint8_t* pixel = &image.rgb[(static_cast<std::size_t>(y) * image.width + x) * 3];
  return (pixel[0] + pixel[1] + pixel[2]) / 3.0;
}

// One map of a single cell per word.
AttentionMaps single_cells(std::vector<std::string> words, int rows, int columns) {
  AttentionMaps maps{rows, columns, std::move(words), {}};
  const std::size_t locations = static_cast<std::size_t>(rows) * columns;
  maps.weights.assign(maps.words.size() * locations, 0.0f);
  for (std::size_t t = 0; t < maps.words.size(); ++t) maps.weights[t * locations + t % locations] = 1;
  return maps;
}

std::string fresh_folder(const std::string& name) {
  const auto folder = std::filesystem::temp_directory_path() / ("glimpse-" + name);
  std::filesystem::remove_all(folder);
  return folder.string();
}

}  // namespace

TEST_CASE("smooth_attention keeps the place and the shape of a map", "[attention-map]") {
  SECTION("a cell becomes a spot around its centre, with the B-spline's values") {
    std::vector<float> weights(7 * 5, 0.0f);
    weights[2 * 5 + 3] = 1;  // row 2, column 3
    const int scale = 9, height = 7 * scale, width = 5 * scale;
    const std::vector<float> map = smooth_attention(weights, 7, 5, height, width);
    const auto at = [&](int row, int column) {  // at the centre of a cell
      return map[static_cast<std::size_t>(row * scale + scale / 2) * width + column * scale + scale / 2];
    };
    CHECK(at(2, 3) == Approx(1.0));
    CHECK(std::max_element(map.begin(), map.end()) - map.begin() ==
          (2 * scale + scale / 2) * width + 3 * scale + scale / 2);
    CHECK(at(2, 2) == Approx(0.25));  // (1/6) / (2/3)
    CHECK(at(1, 3) == Approx(0.25));
    CHECK(at(3, 4) == Approx(0.0625 + 0.0).margin(1e-6));
    CHECK(at(2, 1) == Approx(0.0).margin(1e-6));
    CHECK(*std::min_element(map.begin(), map.end()) >= 0);
  }
  SECTION("the shares of the taps sum to 1 everywhere, edges included") {
    const std::vector<float> map = smooth_attention(std::vector<float>(6, 5.0f), 2, 3, 31, 17);
    CHECK(*std::min_element(map.begin(), map.end()) == Approx(1.0));
    CHECK(*std::max_element(map.begin(), map.end()) == Approx(1.0));
  }
  SECTION("looking everywhere alike is half lit, noise on it is not blown up") {
    std::vector<float> weights(49, 1.0f / 49);
    weights[10] *= 1.05f;
    const std::vector<float> map = smooth_attention(weights, 7, 7, 70, 70);
    CHECK(*std::min_element(map.begin(), map.end()) == Approx(0.5));
    CHECK(*std::max_element(map.begin(), map.end()) < 0.53);
  }
  SECTION("mirroring the map mirrors the picture") {
    std::vector<float> weights(12), mirrored(12);
    std::iota(weights.begin(), weights.end(), 1.0f);
    for (int i = 0; i < 12; ++i) mirrored[i / 4 * 4 + 3 - i % 4] = weights[i];
    const std::vector<float> map = smooth_attention(weights, 3, 4, 10, 13);
    const std::vector<float> other = smooth_attention(mirrored, 3, 4, 10, 13);
    for (int y = 0; y < 10; ++y)
      for (int x = 0; x < 13; ++x) REQUIRE(map[y * 13 + x] == Approx(other[y * 13 + 12 - x]));
  }
  SECTION("bad maps are refused") {
    CHECK_THROWS_AS(smooth_attention(std::vector<float>(5, 1.0f), 2, 3, 4, 4), Error);
    CHECK_THROWS_AS(smooth_attention(std::vector<float>{1, -1}, 1, 2, 4, 4), Error);
    CHECK_THROWS_AS(smooth_attention(std::vector<float>{1, NAN}, 1, 2, 4, 4), Error);
    CHECK_THROWS_AS(smooth_attention(std::vector<float>{1}, 1, 1, 0, 4), Error);
  }
}

TEST_CASE("attention lights what it looks at", "[attention-map]") {
  const Image photograph = plain(120, 90, 128);
  std::vector<float> weights(9, 0.0f);
  weights[5] = 1;  // row 1 of 3, right column: (100, 45)
  const Image lit = draw_attention(photograph, weights, 3, 3);
  REQUIRE(lit.width == 120);
  REQUIRE(lit.height == 90);
  CHECK(brightness(lit, 100, 45) > 128);
  CHECK(brightness(lit, 10, 45) < 64);
  CHECK(brightness(lit, 60, 5) < brightness(lit, 80, 30));

  const Image coloured = draw_attention(photograph, weights, 3, 3, AttentionStyle::colour);
  const auto colourfulness = [&](int x, int y) {
    const auto pixel = coloured.rgb.begin() + (y * 120 + x) * 3;
    const auto [least, most] = std::minmax_element(pixel, pixel + 3);
    return *most - *least;
  };
  CHECK(colourfulness(100, 45) > 80);
  CHECK(colourfulness(10, 45) < 25);
  CHECK(brightness(coloured, 100, 45) > brightness(coloured, 10, 45) + 20);
}

TEST_CASE("words can be read", "[attention-map]") {
  SECTION("every printable character leaves its own marks inside its width") {
    std::vector<std::vector<std::uint8_t>> seen;
    for (char c = 0x21; c < 0x7f; ++c) {
      Image image = plain(60, 60, 0);
      const std::string text(1, c);
      draw_text(image, 15, 40, text, 20, {255, 255, 255});
      INFO("character " << text);
      CHECK(std::count_if(image.rgb.begin(), image.rgb.end(), [](std::uint8_t v) { return v > 200; }) > 9);
      const double right = 15 + text_width(text, 20);
      for (int y = 0; y < 60; ++y)
        for (int x = 0; x < 60; ++x)
          if (x < 12 || x > right + 3 || y < 14 || y > 49) REQUIRE(brightness(image, x, y) == 0);
      CHECK(std::find(seen.begin(), seen.end(), image.rgb) == seen.end());
      seen.push_back(image.rgb);
    }
  }
  SECTION("text is as wide as text_width says, and what no font has is one box per letter") {
    CHECK(text_width("", 20) == 0);
    CHECK(text_width("nn", 20) > 1.8 * text_width("n", 20));
    CHECK(text_width("\U0010fff0", 20) == text_width("\xff", 20));
    CHECK(text_width("\U0010fff0\U0010fff1", 20) > 1.8 * text_width("\xff", 20));
    CHECK(text_width("\xff\xc3", 20) > text_width("\xff", 20));
  }
  SECTION("words of other scripts are drawn where a font has them") {
    for (const std::string text :
         {"m\u00e4dchen", "\u043a\u043e\u0442", "\u5c0f\u5973\u5b69", "\u0643\u0644\u0628 \u0635\u063a\u064a\u0631"}) {
      INFO(text);
      Image drawn = plain(200, 60, 0), other = plain(200, 60, 0);
      draw_text(drawn, 15, 40, text, 20, {255, 255, 255});
      draw_text(other, 15, 40, text.substr(0, text.size() - 2) + "\u0416", 20, {255, 255, 255});
      const auto bright = [](std::uint8_t v) { return v > 200; };
      CHECK(std::count_if(drawn.rgb.begin(), drawn.rgb.end(), bright) > 30);  // letters, or boxes
      CHECK(text_width(text, 20) > 20);
      if (!fonts::covers(text)) continue;
      CHECK(drawn.rgb != other.rgb);
      const double right = 15 + text_width(text, 20);
      for (int y = 0; y < 60; ++y)
        for (int x = 0; x < 200; ++x)
          if (x < 10 || x > right + 5) REQUIRE(brightness(drawn, x, y) == 0);
    }
  }
  SECTION("lines break between characters of scripts without blanks") {
    const std::string text = "\u5c0f\u5973\u5b69 in \u8349\u5730";
    CHECK(wrap_text(text, 10, 1) == std::vector<std::string>{"\u5c0f", "\u5973", "\u5b69", "in", "\u8349", "\u5730"});
    CHECK(wrap_text(text, 10, 1e6) == std::vector<std::string>{text});
  }
  SECTION("drawing past the edges changes nothing outside and does not fail") {
    Image image = plain(10, 10, 7);
    draw_text(image, -30, 4, "clipped on all sides", 30, {255, 255, 255});
    draw_text(image, 100, 400, "outside", 30, {255, 255, 255});
    draw_text(image, -30, 4, "\u00fcberall", 30, {255, 255, 255});
    fill_rectangle(image, -5, -5, 8, 8, 2, {1, 2, 3}, 0.5);
    CHECK(image.rgb.size() == 300);
  }
  SECTION("lines are broken at spaces and shortened where they must be") {
    CHECK(wrap_text("a dog runs", 10, 1e6) == std::vector<std::string>{"a dog runs"});
    CHECK(wrap_text("a dog runs", 10, 1) == std::vector<std::string>{"a", "dog", "runs"});
    CHECK(wrap_text("", 10, 100).empty());
    CHECK(fit_text("a dog", 10, 1e6) == "a dog");
    const std::string shortened = fit_text("a very long caption indeed", 10, 60);
    CHECK(shortened.size() < 15);
    CHECK(shortened.substr(shortened.size() - 3) == "...");
    CHECK(text_width(shortened, 10) <= 60);
  }
}

TEST_CASE("beta stands beside its word", "[attention-map]") {
  AttentionMaps maps{1, 1, {"a", "dog"}, {1, 1}};
  CHECK(attended_word(maps, 1) == "dog");
  maps.beta = {0.5f, 0.834f};
  CHECK(attended_word(maps, 1) == "dog 0.83");
  const Image photograph{8, 8, std::vector<std::uint8_t>(192, 90)};
  const Image with = draw_attended_word(photograph, maps, 1);
  maps.beta.clear();
  CHECK(draw_attended_word(photograph, maps, 1).rgb != with.rgb);
  maps.beta = {0.5f};
  CHECK_THROWS_WITH(draw_attended_word(photograph, maps, 0), Contains("1 values of beta for 2 words"));
}

TEST_CASE("attention pictures are written, one per word and one sheet", "[attention-map]") {
  const std::string folder = fresh_folder("attention-map");
  const AttentionMaps maps = single_cells({"a", "dog", "<unk>", "/../m\u00e4dchen"}, 2, 3);
  const std::vector<std::string> paths = write_attention_pictures(folder + "/deep", "photo", plain(64, 48, 90), maps);
  REQUIRE(paths.size() == 5);
  CHECK(std::filesystem::path(paths[0]).filename() == "photo.png");
  CHECK(std::filesystem::path(paths[2]).filename() == "photo-02-dog.png");
  CHECK(std::filesystem::path(paths[4]).filename() == "photo-04-m\u00e4dchen.png");
  const Image sheet = read_image(paths[0]);
  CHECK(sheet.width >= 480);
  const Image word = read_image(paths[2]);
  CHECK(word.width == 480);
  CHECK(word.height == 360);
  CHECK(word.rgb == draw_attended_word(plain(64, 48, 90), maps, 1).rgb);
  CHECK(brightness(word, 240, 90) > 80);  // word 1 looks at cell 1 of the upper three
  CHECK(brightness(word, 400, 90) < 60);
  CHECK(brightness(read_image(paths[3]), 400, 90) > 80);
  std::filesystem::remove_all(folder);
}

TEST_CASE("attention pictures refuse what does not fit together", "[attention-map]") {
  AttentionMaps maps = single_cells({"a", "dog"}, 2, 2);
  CHECK_THROWS_AS(draw_attended_word(plain(8, 8, 9), maps, 2), Error);
  CHECK_THROWS_AS(draw_attended_word(plain(8, 8, 9), maps, -1), Error);
  maps.weights.pop_back();
  CHECK_THROWS_AS(draw_attention_sheet(plain(8, 8, 9), maps), Error);
  CHECK_THROWS_AS(write_attention_pictures("/dev/null/folder", "x", plain(8, 8, 9), single_cells({"a"}, 1, 1)), Error);
}

TEST_CASE("a sheet holds any number of words and any shape of photograph", "[attention-map]") {
  for (const int count : {0, 1, 3, 7, 12, 40}) {
    const std::vector<std::string> words(count, "word");
    for (const auto& [width, height] : {std::pair{30, 10}, std::pair{10, 300}, std::pair{1, 1}}) {
      const Image sheet =
          draw_attention_sheet(plain(width, height, 50), single_cells(words, 2, 2), "a heading of some words");
      CHECK(sheet.rgb.size() == static_cast<std::size_t>(sheet.width) * sheet.height * 3);
    }
  }
}

// JPEG files against the pixels that libjpeg makes of them (golden/make_jpeg_goldens.py).
#include <algorithm>
#include <cstdlib>
#include <map>

#include "catch.h"
#include "glimpse/data/image.h"
#include "glimpse/data/internal/codecs.h"
#include "glimpse/engine/io/safetensors.h"

namespace glimpse {
namespace {

TEST_CASE("JPEG pixels equal libjpeg's") {
  std::map<std::string, std::vector<std::int32_t>> golden;
  for (const NamedTensor& t : read_safetensors(GLIMPSE_TEST_DATA "/jpeg.safetensors").tensors)
    golden[t.name] = t.tensor.to_vector<std::int32_t>();
  for (const char* name : {"subsampled", "coarse", "full", "progressive", "grey", "columns", "rows"}) {
    INFO(name);
    const auto& file = golden.at(std::string(name) + ".file");
    const Image image = decode_image(name, std::string(file.begin(), file.end()));
    const bool turned = std::string(name) == "rows";
    CHECK(image.width == (turned ? 29 : 37));
    CHECK(image.height == (turned ? 37 : 29));
    const std::vector<std::int32_t> pixels(image.rgb.begin(), image.rgb.end()),
        expected = golden.at(std::string(name) + ".pixels");
    REQUIRE(pixels.size() == expected.size());
    // stb_image widens chroma that is halved in one direction alone in its own way, at the far edge above all.
    const bool exact = have_libjpeg || (std::string(name) != "columns" && !turned);
    int most = 0, sum = 0;
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      const int difference = std::abs(pixels[i] - expected[i]);
      most = std::max(most, difference);
      sum += difference;
    }
    CHECK(most <= (exact ? 0 : 16));
    CHECK(2 * sum <= static_cast<int>(pixels.size()));  // half a level on average
  }
}

}  // namespace
}  // namespace glimpse

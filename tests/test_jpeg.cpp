// JPEG files against the pixels that libjpeg makes of them (golden/make_jpeg_goldens.py).
#include <map>

#include "catch.h"
#include "glimpse/data/image.h"
#include "glimpse/engine/io/safetensors.h"

namespace glimpse {
namespace {

TEST_CASE("JPEG pixels equal libjpeg's") {
  std::map<std::string, std::vector<std::int32_t>> golden;
  for (const NamedTensor& t : read_safetensors(GLIMPSE_TEST_DATA "/jpeg.safetensors").tensors)
    golden[t.name] = t.tensor.to_vector<std::int32_t>();
  for (const char* name : {"subsampled", "coarse", "full", "progressive", "grey"}) {
    INFO(name);
    const auto& file = golden.at(std::string(name) + ".file");
    const Image image = decode_image(name, std::string(file.begin(), file.end()));
    CHECK(image.width == 37);
    CHECK(image.height == 29);
    const std::vector<std::int32_t> pixels(image.rgb.begin(), image.rgb.end());
    CHECK(pixels == golden.at(std::string(name) + ".pixels"));
  }
}

}  // namespace
}  // namespace glimpse
